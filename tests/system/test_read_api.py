#!/usr/bin/env python3
"""GET /employees, /employees/{id} and /alerts on a real PostgreSQL: every page against the rows, hostile names, who may ask and
what is written of it, PostgreSQL unavailable, slow or refusing, and clients that leave."""
import concurrent.futures
import csv
import hashlib
import http.client
import io
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
import urllib.parse

from lab import ROOT, Lab

TOKENS = {"people": "t0ken-of-people", "groups": "t0ken-of-groups", "operate": "t0ken-of-operate"}
EMPLOYEES = 400
HOSTILE = ["<script>alert(1)</script>", "=1+1", "@SUM(A1)", "-5", "a\"b,c;d", "a/b/../c", "é\u0301😀" * 20, "x" * 256, "{\"a\\\":1}", "%41", "q&where=1", " lead", "\uff1dwide", "ü" * 256]
COLUMNS = "event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version, channel, " \
          "source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers"
ROW = f"""INSERT INTO attrition.predictions ({COLUMNS}) SELECT 'v-' || $at || '-' || id, id, now() - interval '1 day' * (10 - $at), now() - interval '1 day' * (10 - $at), CASE WHEN r >= 0.5 THEN 'Yes' ELSE 'No' END, r, 0.5,
    r * 4 - 2, 0, 9, 'attrition', '$version', 'STREAM', 'in', 0, $at * 100000 + n, 'c', 'out', 0, $at * 100000 + n, jsonb_build_object('Age', CASE WHEN n % 7 > 0 THEN 20 + n % 40 END, 'Department',
    (ARRAY['Human Resources', 'Research & Development', 'Sales'])[1 + n % 3], 'Education', 1 + n % 5, 'OverTime', '$overtime'), '[{{"feature": "OverTime", "contribution": 0.9}}, {{"feature": "Education", "contribution": -0.4}}]', '[]'"""


def plant(lab, url):
    row = lambda at, version, overtime: ROW.replace("$at", str(at)).replace("$version", version).replace("$overtime", overtime)
    lab.sql(url, f"""{row(1, '1', 'No')} FROM (SELECT n, 'e' || n AS id, round(abs(sin(n))::numeric, 2)::float8 AS r FROM generate_series(1, {EMPLOYEES}) AS n) AS x;
        {row(1, '1', 'No')} FROM (SELECT n + 1000 AS n, id, 0.05 AS r FROM unnest(ARRAY[{", ".join("$q$" + id + "$q$" for id in HOSTILE)}]) WITH ORDINALITY AS h (id, n)) AS x;
        INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions;
        {row(2, '1', 'Yes')} FROM (VALUES (1, 'e1', 0.9)) AS x (n, id, r);
        {row(3, '2', 'Yes')} FROM (VALUES (1, 'e1', 0.7)) AS x (n, id, r);
        DELETE FROM attrition.latest_predictions WHERE employee_id = 'e1';
        INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions WHERE event_id = 'v-3-e1';
        INSERT INTO attrition.alerts (event_id, employee_id, occurred_at, kind, before_prediction, before_probability, before_margin, before_threshold, before_model_name, before_model_version, after_prediction,
            after_probability, after_margin, after_threshold, after_model_name, after_model_version, drivers, model_change, cause, source_topic, source_partition, source_offset, cluster_id, topic, partition, "offset", received_at)
        SELECT CASE WHEN n = 1 THEN 'v-2-e1' ELSE 'alert-' || n END, CASE WHEN n = 1 THEN 'e1' ELSE 'e' || 1 + n % 40 END, now(), 'CROSSED_UP', 'No', 0.84, -0.6, 0.5, 'attrition', '1', 'Yes', 0.9, 1.6, 0.5, 'attrition', '1',
            '[{{"feature": "OverTime", "before": "No", "after": "Yes", "contribution_before": -0.3, "contribution_after": 0.9}}, {{"feature": "Education", "before": 2, "after": 3, "contribution_before": 0.1, "contribution_after": -0.1}}]',
            0, 'RECORD', 'in', 0, CASE WHEN n = 1 THEN 200001 ELSE n END, 'c', 'alerts', n % 3, n, now() - interval '1 hour' * (n / 4) FROM generate_series(1, 120) AS n""")


def ask(scorer, path, token="people", headers=(), seconds=30):
    """(status, headers, JSON or text)"""
    client = http.client.HTTPConnection(scorer.http, timeout=seconds)
    client.request("GET", path, headers={**({"Authorization": "Bearer " + TOKENS[token]} if token else {}), **dict(headers)})
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    return answer.status, answer.headers, json.loads(text) if (answer.getheader("Content-Type") or "").startswith("application/json") else text


def query(**parameters):
    return "/employees?" + urllib.parse.urlencode(parameters, doseq=True)


def walk(scorer, **parameters):
    """Ids of all pages, in order."""
    ids, cursor = [], {}
    while True:
        status, _, page = ask(scorer, query(limit=37, **parameters, **cursor))
        if status != 200:
            return [status, page]
        ids += [employee["employee_id"] for employee in page["employees"]]
        if not page["next"]:
            return ids
        cursor = {"cursor": page["next"]}


def lists(lab, scorer, url):
    status, _, first = ask(scorer, "/employees")
    everybody = EMPLOYEES + len(HOSTILE)
    lab.equal("a page of fifty, and how many there are", (status, len(first["employees"]), first["total"], bool(first["next"])), (200, 50, everybody, True))
    ordered = lambda order, where="true": [row[0] for row in lab.sql(url, f"SELECT employee_id FROM attrition.latest_predictions WHERE {where} ORDER BY {order}")]
    id = 'employee_id COLLATE "C"'
    age = "(input ->> 'Age')::float8"
    for sort, order in (("risk", f"probability DESC, {id} DESC"), ("-risk", f"probability, {id}"), ("employee_id", id), ("-employee_id", f"{id} DESC"), ("Age", f"{age} NULLS LAST, {id}"),
                        ("-Age", f"{age} DESC NULLS LAST, {id} DESC"), ("Department", f"input ->> 'Department' COLLATE \"C\" NULLS LAST, {id}"),
                        ("-Department", f"input ->> 'Department' COLLATE \"C\" DESC NULLS LAST, {id} DESC"), ("scored_at", f"scored_at, {id}"), ("-occurred_at", f"occurred_at DESC, {id} DESC")):
        found = walk(scorer, sort=sort)
        lab.check(f"sort={sort}: all pages are everybody, in order", found == ordered(order), (len(found), found[:3]))
    by_risk = f"probability DESC, {id} DESC"
    for parameters, where in (({"where": "Department=Sales"}, "input ->> 'Department' = 'Sales'"), ({"where": ["Department=Sales", "Department=Human Resources", "Age=30..39"]},
                              f"input ->> 'Department' IN ('Sales', 'Human Resources') AND {age} BETWEEN 30 AND 39"), ({"where": "Age="}, "input ->> 'Age' IS NULL"), ({"where": "Age=..25"}, f"{age} <= 25"),
                              ({"where": "Education=bachelor"}, "input ->> 'Education' = '3'"), ({"where": "flagged=true"}, "probability >= threshold"), ({"where": ["flagged=false", "Age=41"]}, f"probability < threshold AND {age} = 41"),
                              ({"q": "E1"}, "employee_id ILIKE '%e1%'"), ({"q": "%"}, "employee_id LIKE '%!%%' ESCAPE '!'"), ({"q": "nobody"}, "false")):
        found = walk(scorer, **parameters)
        lab.check(f"{parameters}: those, and all of them", found == ordered(by_risk, where), (len(found), found[:3]))
        total = ask(scorer, query(limit=1, **parameters))[2]["total"]
        lab.equal("and their number", total, len(found))
    one = next(employee for employee in ask(scorer, query(q="e1", trend="true", limit=200))[2]["employees"] if employee["employee_id"] == "e1")
    lab.equal("one of them", {name: one[name] for name in ("risk", "decision", "flagged", "threshold", "model", "trend")},
              {"risk": 0.7, "decision": "Yes", "flagged": True, "threshold": 0.5, "model": {"name": "attrition", "version": "2"}, "trend": [0.84, 0.9, 0.7]})
    lab.equal("reasons in words", [reason["text"] for reason in one["reasons"]], ["Overtime is Yes: raises the risk", "Education is college: lowers the risk"])


def forged(question, *parts):
    """A cursor as the service makes one: a digest in front, each part with its length."""
    framed = lambda part: struct.pack(">I", len(part)) + part
    body = b"".join(framed(part.encode()) for part in parts)
    return hashlib.sha256(framed(question.encode()) + body).hexdigest()[:16] + body.hex()


def forgeries(lab, scorer):
    """No signature: who makes a cursor of his own sees another place of the same list, or 400; never PostgreSQL's refusal."""
    by_risk = "0  1\n\n"
    lab.equal("a cursor of one's own is a place in the list", ask(scorer, query(cursor=forged(by_risk, "0.5", "e1")))[0], 200)
    for number in ("0x10", "1e999", "1e-999", "nan", "nan(1)", "inf", " 1", "1 ", "", "1" * 100, "0.5;SELECT 1", "1e5x"):
        status, _, answer = ask(scorer, query(cursor=forged(by_risk, number, "e1")))
        lab.check(f"400: a cursor at the risk {number[:12]!r}", status == 400 and "cursor" in answer["detail"], (status, answer))
    for place in (("1" * 18, "c", "t", "0", "0"), ("0", "c", "t", "1" * 10, "0"), ("0", "c", "t", "-1", "0"), ("0", "c", "t", "0", "1" * 19), ("0", "c", "t", "0")):
        lab.equal(f"400: alerts at {place[0][:9]}, {place[3]}, {place[-1][:9]}", ask(scorer, "/alerts?cursor=" + forged("", *place))[0], 400)


def refusals(lab, scorer):
    next_page = ask(scorer, query(limit=5))[2]["next"]
    age_page = ask(scorer, query(limit=5, sort="Age"))[2]["next"]
    for what, path, words in (
            ("no such field", query(where="Departement=Sales"), ["Departement", "there are", "Department", "OverTime"]), ("no such sort", query(sort="nonsense"), ["nonsense", "risk", "Age"]),
            ("no such category", query(where="Department=Salez"), ["Department", "Human Resources, Research & Development, Sales"]), ("no number", query(where="Age=old"), ["Age", "30..39"]),
            ("hexadecimal", query(where="Age=0x10"), ["Age"]), ("no end of a range", query(where="Age=.."), ["Age"]), ("no value", query(where="Age"), ["Field=Value"]), ("flagged by something else", query(where="flagged=1"), ["flagged"]),
            ("nine conditions", query(where=["Age=30"] * 9), ["8"]), ("20 conditions", query(where=["Age=30"] * 20), ["16"]), ("a long search", query(q="x" * 257), ["q"]), ("10 KB", query(where="Age=" + "1" * 10000), ["Age"]),
            ("10 KB of a field", query(where="x" * 10000 + "=1"), ["there are"]), ("markup", query(where="<script>=1"), ["<script>"]), ("not UTF-8", "/employees?q=%ff%fe", ["q"]), ("a control character", "/employees?q=%0a", ["q"]),
            ("limit 0", query(limit=0), ["limit", "1000"]), ("limit 1001", query(limit=1001), ["limit"]), ("limit -1", query(limit=-1), ["limit"]), ("limit 1e3", query(limit="1e3"), ["limit"]), ("too many trends", query(limit=201, trend="true"), ["trend"]),
            ("no such parameter", "/employees?wehre=Age=3", ["wehre", "where"]), ("sort twice", "/employees?sort=Age&sort=risk", ["twice"]), ("nonsense for a cursor", query(cursor="nonsense"), ["cursor"]),
            ("an empty cursor", query(cursor=""), ["cursor"]), ("a cursor of another question", query(cursor=next_page, q="e"), ["cursor"]), ("of another sort", query(cursor=age_page), ["cursor"]), ("cut", query(cursor=next_page[:-1]), ["cursor"]),
            ("changed", query(cursor=next_page[:-2] + "ff"), ["cursor"]), ("a huge one", query(cursor="0" * 20000), ["cursor"]), ("no time", "/alerts?since=yesterday", ["since"]), ("no such parameter of alerts", "/alerts?until=x", ["until"]),
            ("a long purpose", ("/employees", {"X-Purpose": "x" * 201}), ["X-Purpose"])):
        path, headers = path if isinstance(path, tuple) else (path, {})
        status, head, answer = ask(scorer, path, headers=headers)
        detail = answer["detail"] if isinstance(answer, dict) else answer
        lab.check(f"400: {what}", status == 400 and all(word in detail for word in words) and head["Content-Type"] == "application/json", (status, detail[:300]))


def hostile(lab, scorer):
    names = {employee["employee_id"] for employee in ask(scorer, query(limit=1000))[2]["employees"]}
    lab.equal("hostile names in JSON are what they are", [id for id in HOSTILE if id not in names], [])
    status, headers, text = ask(scorer, query(limit=1000), headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    guarded = {"'" + id if id[0] in "=+-@\uff1d" else id for id in HOSTILE}
    lab.equal("CSV", (status, headers["Content-Type"], len(rows)), (200, "text/csv; charset=utf-8; header=present", EMPLOYEES + len(HOSTILE)))
    lab.equal("hostile names in CSV are no formulas", guarded - {row["employee_id"] for row in rows}, set())
    lab.check("no cell begins a formula", not [cell for row in rows for cell in row.values() if cell and cell[0] in "=+@\t\r"])
    lab.equal("a record in CSV", [(row["risk"], row["flagged"], row["Education"], row["Department"]) for row in rows if row["employee_id"] == "e1"], [("0.7", "true", "2", "Research & Development")])
    status, headers, text = ask(scorer, query(limit=10), headers={"Accept": "text/csv, */*"})
    again = ask(scorer, query(limit=1000, cursor=headers["X-Next-Cursor"]), headers={"Accept": "text/csv"})[2]
    lab.equal("CSV goes on by its header", len(list(csv.DictReader(io.StringIO(again, newline="")))), EMPLOYEES + len(HOSTILE) - 10)
    for id in HOSTILE:
        status, _, one = ask(scorer, "/employees/" + urllib.parse.quote(id, safe=""))
        lab.equal(f"{id[:20]!r} has an address", (status, one.get("employee_id")), (200, id))
    for id in ("nobody", "%00", "%ff", "e1%0a", "x" * 300):
        lab.equal(f"{id[:10]!r}: nobody", ask(scorer, "/employees/" + id)[0], 404)


def one_employee(lab, scorer):
    status, _, one = ask(scorer, "/employees/e1")
    lab.equal("one employee: the record", (status, one["risk"], one["attributes"]["OverTime"], one["history_total"]), (200, 0.7, "Yes", 3))
    steps = one["history"]
    lab.equal("history, newest first, with models", [(s["risk"], s["flagged"], s["model"]["version"], s["model_changed"]) for s in steps], [(0.7, True, "2", True), (0.9, True, "1", False), (0.84, True, "1", False)])
    lab.equal("what changed", [(s["changed"][0]["label"], s["changed"][0]["before"], s["changed"][0]["after"], round(s["changed"][0]["contribution_change"], 9)) if s["changed"] else None for s in steps], [None, ("Overtime", "No", "Yes", 1.2), None])
    lab.equal("by how much, by record and model", [(s["risk_change"] is not None and round(s["risk_change"], 9), s["model_change"] is not None and round(s["model_change"], 9)) for s in steps], [(-0.2, -0.8), (0.06, 0), (False, False)])
    lab.equal("its alerts in words", [d["text"] for d in one["alerts"][0]["drivers"]], ["Overtime was No, is Yes: raises the risk", "Education was college, is bachelor: lowers the risk"])


def looked_at(lab, scorer, url):
    """Earlier exits of somebody who is back, and what people said of decisions."""
    lab.equal("nobody left or said anything", [ask(scorer, "/employees/e1")[2][name] for name in ("exits", "reviews")], [[], []])
    lab.sql(url, """SELECT attrition.review('v-2-e1', true, '<b>wrong</b> data'); SELECT attrition.review('v-3-e1', NULL, 'asked');
        INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input)
        VALUES ('left-e1', 'e1', '2021-05-31T00:00:00Z', 'TERMINATED', 'c', 'outcomes', 0, 99999, '{}')""")
    one = ask(scorer, "/employees/e1")[2]
    lab.equal("earlier exits", one["exits"], ["2021-05-31T00:00:00.000Z"])
    lab.equal("reviews, newest first", [(r["event_id"], r["overridden"], r["reason"], r["reviewed_by"]) for r in one["reviews"]], [("v-3-e1", None, "asked", "postgres"), ("v-2-e1", True, "<b>wrong</b> data", "postgres")])
    lab.equal("of nobody else", [ask(scorer, "/employees/e2")[2][name] for name in ("exits", "reviews")], [[], []])


def scraper(lab, scorer, url):
    """Whoever walks all pages of 10,000 hostile names gets each once; the log names all of them, and has what for."""
    names = "('<script>' || n || '</script>', chr(8238) || 'evil' || n, repeat(chr(128512), 100) || n, rpad(n::text, 256, 'x'), n || '/../?a&b=%41#', '=cmd|' || n)"
    lab.sql(url, f"""{ROW.replace("$at", "5").replace("$version", "1").replace("$overtime", "No")} FROM (SELECT 10000 + 10 * n + k AS n, id, 0.01 AS r FROM generate_series(1, 1667) AS n, unnest(ARRAY[{names[1:-1]}]) WITH ORDINALITY AS h (id, k)) AS x;
        INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions WHERE source_offset > 510000""")
    began, ids, cursor = lab.number(url, "SELECT max(id) FROM attrition.access_log"), [], {}
    while cursor is not None:
        status, _, page = ask(scorer, query(limit=1000, sort="employee_id", **cursor), headers={"X-Purpose": "all of them"})
        ids += [employee["employee_id"] for employee in page["employees"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    wanted = [row[0] for row in lab.sql(url, 'SELECT employee_id FROM attrition.latest_predictions ORDER BY employee_id COLLATE "C"')]
    lab.check("a scraper gets each of 10,000 hostile names once, in order", len(ids) > 10000 and ids == wanted, len(ids))
    lab.equal("and is logged with all of them", lab.sql(url, f"SELECT count(DISTINCT e), min(purpose) FROM attrition.access_log, unnest(employees) AS e WHERE id > {began}"), [[str(len(ids)), "all of them"]])
    lab.sql(url, "DELETE FROM attrition.latest_predictions WHERE source_offset > 510000; DELETE FROM attrition.predictions WHERE source_offset > 510000")


def read_only(lab, scorer, url):
    """PostgreSQL takes no writes of the service: no names, kept groups, and 200 once it does again."""
    fresh = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'api_writer'"
    ask(scorer, "/groups?by=Department", "groups")
    lab.sql(url, f"UPDATE attrition.groups_computed SET day = day - 2; ALTER ROLE api_writer SET default_transaction_read_only = on; {fresh}")
    status, _, answer = ask(scorer, "/employees/e1")
    lab.check("read-only: no names", status == 503 and list(answer) == ["detail"] and "access_log" in answer["detail"], (status, answer))
    status, _, groups = ask(scorer, "/groups?by=Department", "groups")
    lab.equal("read-only: the groups of before, which says so", (status, groups.get("is_current"), bool(groups.get("groups"))), (200, False, True))
    lab.sql(url, f"ALTER ROLE api_writer RESET default_transaction_read_only; {fresh}")
    lab.equal("and again with writes", ask(scorer, "/employees/e1")[0], 200)
    lab.wait("… those of today", lambda: ask(scorer, "/groups?by=Department", "groups")[2].get("is_current"), 60)


def alerts(lab, scorer, url):
    wanted = [row[0] for row in lab.sql(url, 'SELECT event_id FROM attrition.alerts ORDER BY received_at DESC, topic DESC, partition DESC, "offset" DESC')]
    found, cursor = [], ""
    while cursor is not None:
        page = ask(scorer, "/alerts?limit=7" + (cursor and "&cursor=" + cursor))[2]
        found += [alert["event_id"] for alert in page["alerts"]]
        cursor = page["next"]
    lab.check("all alerts, newest first", found == wanted, (len(found), found[:3], wanted[:3]))
    since = lab.sql(url, "SELECT to_char((now() - interval '150 minutes') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), count(*) FROM attrition.alerts WHERE received_at >= now() - interval '150 minutes'")[0]
    lab.equal("since", len(ask(scorer, f"/alerts?limit=1000&since={since[0]}")[2]["alerts"]), int(since[1]))
    lab.equal("none since tomorrow", ask(scorer, "/alerts?since=2999-01-01")[2], {"alerts": [], "next": None})


def csv_of(scorer, path, token="people"):
    """The rows of all pages, by the header."""
    rows, cursor = [], ""
    while cursor is not None:
        status, headers, text = ask(scorer, path + (cursor and "&cursor=" + cursor), token, headers={"Accept": "text/csv"})
        if status != 200 or headers["Content-Type"] != "text/csv; charset=utf-8; header=present":
            return [status, headers["Content-Type"], text]
        rows += csv.DictReader(io.StringIO(text, newline=""))
        cursor = headers["X-Next-Cursor"]
    return rows


def tables(lab, scorer, url):
    """Alerts and groups as CSV are what they are as JSON."""
    lab.sql(url, f"""INSERT INTO attrition.alerts (event_id, employee_id, occurred_at, kind, after_prediction, after_probability, after_margin, after_threshold, after_model_name, after_model_version, model_change, cause, cluster_id, topic, partition, "offset", received_at)
        SELECT '=' || n, id, now(), 'FIRST', 'Yes', 0.9, 1.6, 0.5, '@m', '1', -0.1, 'RECORD', 'c', 'hostile', 0, n, now() + interval '1 hour' FROM unnest(ARRAY[{", ".join("$q$" + id + "$q$" for id in HOSTILE)}]) WITH ORDINALITY AS h (id, n)""")
    listed = ask(scorer, "/alerts?limit=1000")[2]["alerts"]
    rows = csv_of(scorer, "/alerts?limit=7")
    lab.equal("alerts as CSV: all pages, in order", [row["event_id"] for row in rows], [("'" if alert["event_id"][0] == "=" else "") + alert["event_id"] for alert in listed])
    lab.equal("hostile names in it are no formulas", {"'" + id if id[0] in "=+-@\uff1d" else id for id in HOSTILE} - {row["employee_id"] for row in rows}, set())
    lab.check("no cell begins a formula", not [cell for row in rows for cell in row.values() if cell and cell[0] in "=+@\t\r"])
    number = lambda text: float(text) if text else None
    as_json = lambda alert: [alert["kind"], alert["cause"], alert["occurred_at"], alert["received_at"], (alert["before"] or {}).get("risk"), (alert["before"] or {}).get("decision", ""), *(alert["after"][name] for name in ("risk", "decision", "threshold")),
                             alert["risk_change"], alert["model_change"], "; ".join(driver["text"] for driver in alert["drivers"] or []), alert["after"]["model"]["version"]]
    as_csv = lambda row: [row["kind"], row["cause"], row["occurred_at"], row["received_at"], number(row["risk_before"]), row["decision_before"], number(row["risk"]), row["decision"], number(row["threshold"]), number(row["risk_change"]), number(row["model_change"]), row["drivers"], row["model_version"]]
    lab.equal("each as in JSON", [as_csv(row) for row in rows], [as_json(alert) for alert in listed])
    lab.equal("none since tomorrow: the heads", ask(scorer, "/alerts?since=2999-01-01", headers={"Accept": "text/csv"})[2].count("\r\n"), 1)
    for by, least in (("Department", 5), ("Age,Department", 30), ("Department,Age", 1000)):
        lab.sql(url, f"UPDATE attrition.settings SET value = '{least}' WHERE name = 'minimum_group'; DELETE FROM attrition.groups_computed; DELETE FROM attrition.group_cells")
        answer = ask(scorer, "/groups?by=" + by, "groups")[2]
        rows = csv_of(scorer, "/groups?by=" + by, "groups")
        lab.equal(f"groups by {by} as CSV", [({name: row[name] for name in answer["by"]}, row["as_of"], int(row["employees"]), int(row["expected_exits"]), int(row["expected_low"]), int(row["expected_high"]), float(row["flagged_share"]), row["drivers"], int(row["realised_exits"])) for row in rows],
                  [(group["members"], *(group[name] for name in ("as_of", "employees", "expected_exits", "expected_low", "expected_high", "flagged_share")), "; ".join(driver["label"] for driver in group["drivers"]), group["realised_exits"]) for group in answer["groups"]])
        lab.check(f"of at least {least}: those withheld are in neither", (answer["withheld"] > 0, rows != []) == {5: (False, True), 30: (True, True), 1000: (True, False)}[least] and all(int(row["employees"]) >= least for row in rows), (answer["withheld"], len(rows)))
    lab.sql(url, "UPDATE attrition.settings SET value = '5' WHERE name = 'minimum_group'; DELETE FROM attrition.groups_computed; DELETE FROM attrition.group_cells")
    lab.equal("an unknown attribute is refused in JSON", (ask(scorer, "/groups?by=x", "groups", {"Accept": "text/csv"})[0], ask(scorer, "/groups?by=x", "groups", {"Accept": "text/csv"})[1]["Content-Type"]), (400, "application/json"))
    lab.equal("JSON first", ask(scorer, "/groups?by=Department", "groups", {"Accept": "application/json, text/csv"})[1]["Content-Type"], "application/json")


def who_may(lab, scorer):
    for path in ("/employees", "/employees/e1", "/alerts"):
        lab.equal(f"{path}: scopes", [ask(scorer, path, token)[0] for token in (None, "groups", "people")], [401, 403, 200])
    lab.equal("/groups: scopes", [ask(scorer, "/groups?by=Department", token)[0] for token in (None, "people", "groups")], [401, 403, 200])
    lab.equal("/docs: any token", [ask(scorer, "/docs", token)[0] for token in (None, "people", "groups")], [401, 200, 200])
    page = ask(scorer, "/docs")[2]
    lab.check("/docs is made of the description, with nothing from elsewhere", "/employees/{id}" in page and "<script" not in page and not re.search(r'(?:src|href)="(?![/#])', page))
    described = ask(scorer, "/openapi.json")[2]
    lab.equal("the description has scopes", [described["paths"][path]["get"]["security"] for path in ("/employees", "/groups")], [[{"bearer": ["people"]}], [{"bearer": ["groups"]}]])


def who_saw_whom(lab, scorer, url):
    lab.sql(url, "TRUNCATE attrition.access_log")
    ask(scorer, query(q="e39", limit=3), headers={"X-Purpose": "Gespr\xe4ch".encode("latin-1").decode("latin-1")})
    ask(scorer, "/employees/e1", headers={"X-Request-Id": "mine"})
    ask(scorer, "/employees/e1", headers={"X-Purpose": "Gespr%C3%A4ch, 5%25"})
    ask(scorer, "/employees/nobody")
    ask(scorer, query(q="nobody"))
    ask(scorer, query(q="e39", where="Age=18..18"))
    ask(scorer, query(where="Age=18..18"))
    ask(scorer, query(q="nobody\n"))
    ask(scorer, "/employees/nobody%0a")
    ask(scorer, "/alerts?limit=2")
    rows = lab.sql(url, "SELECT token, address, request, employees::text, purpose, written_by FROM attrition.access_log ORDER BY id")
    receipt = lab.sql(url, "SELECT '{' || attrition.receipt('nobody') || '}'")[0][0]
    lab.equal("who saw whom, and why", rows[:2], [["desk", "127.0.0.1", "/employees", rows[0][3], "Gespräch", "api_writer"], ["desk", "127.0.0.1", "/employees/{id}", "{e1}", "", "api_writer"]])
    lab.equal("a purpose that was sent as pages do", rows.pop(2)[4], "Gespräch, 5%")
    lab.equal("lists in one row, refusals in none", ([row[2] for row in rows], rows[0][3].count("e39")), (["/employees", "/employees/{id}", "/employees/{id}", "/employees", "/employees", "/employees", "/alerts"], 3))
    lab.equal("who was looked for and is not there, by the receipt; who is there and was not found, by the id; nobody in particular", [row[3] for row in rows[2:6]], [receipt, receipt, "{e39}", "{}"])
    lab.equal("with the request's id", lab.sql(url, "SELECT count(*) FROM attrition.access_log WHERE request_id = 'mine'"), [["1"]])
    lab.sql(url, "REVOKE INSERT ON attrition.access_log FROM attrition_writer")
    for path in ("/employees", "/employees/e1", "/employees/nobody", "/employees?q=nobody", "/alerts"):
        status, _, answer = ask(scorer, path)
        lab.check(f"{path}: no names where it cannot be written", status == 503 and list(answer) == ["detail"] and "access_log" in answer["detail"], (status, answer))
    lab.sql(url, "GRANT INSERT ON attrition.access_log TO attrition_writer")
    lab.equal("and again where it can", ask(scorer, "/employees/e1")[0], 200)
    lab.equal("analysts do not read it", lab.run("psql", "-XqtAc", "SELECT count(*) FROM attrition.access_log", url.replace("user=postgres", "user=api_reader"))[0] == 0, False)


def erased(lab, scorer, url):
    ask(scorer, "/employees/e2")
    lab.sql(url, "SELECT attrition.erase_employee('e2')")
    lab.equal("who was erased is nobody", ask(scorer, "/employees/e2")[0], 404)
    left = lab.sql(url, "SELECT count(*) FILTER (WHERE employees @> ARRAY['e2']), count(*) FILTER (WHERE employees @> ARRAY[attrition.receipt('e2')]) > 0 FROM attrition.access_log")
    lab.equal("and the log names nobody", left, [["0", "t"]])
    ask(scorer, "/employees/e3")
    lab.sql(url, "INSERT INTO attrition.erasures (employee_id, cluster_id, output_partition, output_offset) VALUES ('e3', 'c', 0, 999999999); SELECT attrition.erase_requested()")
    lab.equal("nor after a request", (ask(scorer, "/employees/e3")[0], lab.number(url, "SELECT count(*) FROM attrition.access_log WHERE employees @> ARRAY['e3']")), (404, 0))


def erased_meanwhile(lab, scorer, url):
    """An erasure that takes long is waited for by nobody; whether it then counts or not, the log has the receipts of those asked for meanwhile."""
    for name, end in (("e4", "COMMIT"), ("e5", "ROLLBACK")):
        eraser = subprocess.Popen(["psql", "-Xq", "-d", url], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        eraser.stdin.write(f"BEGIN; SELECT attrition.erase_employee('{name}');\n")
        eraser.stdin.flush()
        lab.need("the erasure is under way", lambda: lab.number(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted") > 0, 10)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask, scorer, f"/employees/{id}", headers={"X-Request-Id": f"{name}-{id}"}) for id in (name, "e6", *[f"e{n}" for n in range(50, 80)])]
            lab.equal("nobody who asks for names waits for it", {answer.result()[0] for answer in asked}, {200})
        lab.wait("it is still under way", lambda: lab.number(url, "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%erase_employee%'") == 1, 20)
        eraser.communicate(f"{end};\n")
        for id in (name, "e6"):
            lab.equal(f"{end}: {id} is logged by the receipt", lab.sql(url, f"SELECT (employees = ARRAY[attrition.receipt('{id}')])::text FROM attrition.access_log WHERE request_id = '{name}-{id}'"), [["true"]])
    ask(scorer, "/employees/e6", headers={"X-Request-Id": "after"})
    lab.equal("by the id again once it is over", lab.sql(url, "SELECT employees::text FROM attrition.access_log WHERE request_id = 'after'"), [["{e6}"]])


def wide(lab, broker, url, tokens):
    """CSV with a schema of more attributes than a statement of 256 values could name."""
    schemas = lab.dir / "wide-schemas"
    shutil.copytree(ROOT / "schemas", schemas)
    for name in ("employee_event", "prediction", "employee_state"):
        schema = json.loads((schemas / f"{name}.avsc").read_text())
        types = next(field for field in schema["fields"] if field["name"] == "attributes")["type"]
        attributes = next(type for type in (types if isinstance(types, list) else [types]) if isinstance(type, dict))["fields"]
        attributes += [{"name": f"Extra{n}", "type": ["null", "int"], "default": None, **({"kind": "numeric"} if name == "employee_event" else {})} for n in range(400)]
        (schemas / f"{name}.avsc").write_text(json.dumps(schema))
    scorer = lab.scorer("wide", "--roles=http", SCHEMAS_DIR=schemas, KAFKA_BOOTSTRAP_SERVERS=broker, DATABASE_URL=url, HTTP_TOKENS_FILE=tokens, DELIVERY="at-least-once")
    lab.need("the service with a wide schema answers", lambda: scorer.get("/health/live")[0] == 200, 60, scorer)
    status, _, text = ask(scorer, query(q="e39", limit=3, sort="Extra399"), headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    lab.equal("CSV of a schema with 430 attributes", (status, len(rows), "Extra399" in rows[0], rows[0]["Department"] != "", rows[0]["Extra399"]), (200, 3, True, True, ""))
    lab.equal("and it goes on", (ask(scorer, query(limit=1))[0], scorer.end()), (200, 0))


def dead_letters(lab, scorer, url):
    lab.equal("/dead-letters: scopes", [ask(scorer, "/dead-letters", token)[0] for token in (None, "people", "groups", "operate")], [401, 403, 403, 200])
    lab.sql(url, """INSERT INTO attrition.dead_letters (stage, code, field, message, topic, partition, "offset", key, value, cluster_id, dlq_partition, dlq_offset)
        SELECT 'score', CASE WHEN n % 3 = 0 THEN 'malformed' ELSE 'out_of_range' END, CASE WHEN n % 3 > 0 THEN '<b>Age' END, 'outside 18 to 100', 'in', 0, n, 'secret-name', 'secret-value', 'c', 0, n FROM generate_series(1, 100) AS n""")
    found, cursor = [], ""
    while cursor is not None:
        page = ask(scorer, "/dead-letters?code=out_of_range&limit=7" + (cursor and "&cursor=" + cursor), "operate")[2]
        found += page["dead_letters"]
        cursor = page["next"]
    lab.equal("letters of one code, newest first", [letter["offset"] for letter in found], [n for n in range(100, 0, -1) if n % 3])
    lab.equal("one of them", {name: found[0][name] for name in found[0] if name not in ("id", "received_at")}, {"stage": "score", "code": "out_of_range", "field": "<b>Age", "message": "outside 18 to 100", "topic": "in", "partition": 0, "offset": 100, "dlq_partition": 0, "dlq_offset": 100})
    lab.equal("all of them", len(ask(scorer, "/dead-letters?limit=1000", "operate")[2]["dead_letters"]), 100)
    lab.check("no key and no value", "secret" not in json.dumps(found))
    lab.equal("refusals", [ask(scorer, "/dead-letters?" + text, "operate")[0] for text in ("code=", "code=a'b", "code=" + "x" * 65, "cursor=", "cursor=-1", "cursor=1e3", "cursor=" + "1" * 19, "limit=0", "where=x", "code=a&code=b")], [400] * 10)


PAST = """INSERT INTO attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version, channel,
    source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers)
    SELECT 'p-' || n, 'p' || n, at, at, CASE WHEN r >= 0.5 THEN 'Yes' ELSE 'No' END, r, 0.5, 0, 0, 9, 'attrition', '1', 'STREAM', 'past', 0, n, 'c', 'out', 1, n, '{"Age": 40, "Gender": "Female"}', '[]', '[]'
    FROM (SELECT n, 0.05 + 0.1 * (n % 10) AS r, date_trunc('month', now() - interval '220 days', 'UTC') + interval '3 days' AS at FROM generate_series(0, 199) AS n) AS x;
    INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input)
    SELECT 'x-' || n, 'p' || n, now() - interval '100 days', 'TERMINATED', 'c', 'outcomes', 0, n, '{}' FROM generate_series(0, 199) AS n WHERE n / 10 < 2 * (n % 10);
    DELETE FROM attrition.daily_figures"""


def quality(lab, scorer, url):
    """Each part against what was planted: 200 people of long ago, 20 in each tenth of risk, of whom 2 n left in the n-th."""
    part = lambda name: ask(scorer, f"/model/quality?part={name}", "operate")[2]
    lab.equal("/model/quality: scopes", [ask(scorer, "/model/quality?part=drift", token)[0] for token in (None, "people", "groups", "operate")], [401, 403, 403, 200])
    lab.equal("refusals", [ask(scorer, "/model/quality" + text, "operate")[0] for text in ("", "?part=", "?part=x", "?part", "?part=drift&part=drift", "?q=x")], [400] * 6)
    lab.equal("no outcomes yet", (part("calibration")["figures"], [row["realised"] for row in part("performance")["figures"]][:1]), ([], [None]))
    drift = part("drift")["figures"]
    lab.equal("drift without a reference", [(row["model"]["version"], row["columns"]) for row in drift], [("2", None)])
    lab.sql(url, PAST)
    calibration = part("calibration")["figures"]
    lab.check("they are of now", part("calibration")["is_current"] is True)
    lab.equal("calibration", [(row["model"]["version"], row["employees"], row["withheld"], [(bin["employees"], round(bin["risk"], 2), bin["exits"], round(bin["share"], 2)) for bin in row["bins"]]) for row in calibration],
              [("1", 200, 0, [(20, round(0.05 + 0.1 * n, 2), 2 * n, round(n / 10, 2)) for n in range(10)])])
    past = part("performance")["figures"][-1]
    lab.equal("realised performance", [past["realised"][name] for name in ("employees", "exits", "flagged", "hits", "precision")] + [round(past["realised"]["recall"], 4)], [200, 90, 100, 70, 0.7, round(70 / 90, 4)])
    lab.equal("beside what was expected", (past["employees"], round(past["expected"]["exits"], 6), round(past["expected"]["precision"], 6), past["expected"]["is_enough"]), (200, 100, 0.75, True))
    fairness = part("fairness")["figures"]
    lab.check("fairness names groups, no pairs", fairness and {row["feature"] for row in fairness} <= {"Age", "Gender"} and all(row["employees"] >= 5 for row in fairness), fairness[:2])
    lab.sql(url, "CREATE OR REPLACE FUNCTION attrition.predictions_are_few() RETURNS boolean LANGUAGE sql AS 'SELECT false'; CREATE OR REPLACE FUNCTION attrition.employees_are_few() RETURNS boolean LANGUAGE sql AS 'SELECT false'")
    lab.sql(url, "UPDATE attrition.daily_figures SET computed_at = computed_at - interval '2 days'; UPDATE attrition.groups_computed SET day = day - 2")
    status, _, groups = ask(scorer, "/groups?by=Department", "groups")
    lab.equal("many employees: the figures of before, which says so", (status, groups["is_current"], bool(groups["groups"]), part("calibration")["is_current"], len(part("calibration")["figures"])), (200, False, True, False, 1))
    lab.sql(url, "DELETE FROM attrition.daily_figures; DELETE FROM attrition.groups_computed")
    for path, token in (("/groups?by=Department", "groups"), ("/model/quality?part=drift", "operate")):
        status, _, answer = ask(scorer, path, token, {"Accept": "text/csv"})
        lab.check(f"{path}: none yet", status == 503 and "maintain()" in answer["detail"], (status, answer))
    done = [row[0] for row in lab.sql(url, "SELECT * FROM attrition.maintain()")]
    lab.equal("maintain() computes them", [line for line in done if "computed" in line or "failed" in line], ["groups: computed", *(f"figures: {name} computed" for name in ("performance", "calibration", "drift", "fairness"))])
    lab.sql(url, "UPDATE attrition.daily_figures SET computed_at = greatest(date_trunc('day', now(), 'UTC'), computed_at - interval '10 minutes') WHERE part = 'fairness'")
    lab.check("those of today are current until maintain() makes new ones", part("fairness")["is_current"] is True)
    lab.equal("and they are shown", (ask(scorer, "/groups?by=Department", "groups")[2]["is_current"], len(part("calibration")["figures"]), [row[0] for row in lab.sql(url, "SELECT * FROM attrition.maintain()")]), (True, 1, []))


def frozen(lab, scorer, url):
    """PostgreSQL stops without a word: its processes are there and do nothing."""
    pids = [int(row[0]) for row in lab.sql(url, "SELECT pid FROM pg_stat_activity WHERE application_name = 'attrition-http'")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        codes = {answer[0] for answer in pool.map(lambda _: ask(scorer, "/employees/e1"), range(4))}
        lab.check("a frozen PostgreSQL: 503 in time, or 200 on a fresh connection", 503 in codes <= {200, 503} and time.monotonic() - began < 25, (codes, time.monotonic() - began))
    lab.equal("probes and predictions meanwhile", (scorer.get("/health/live")[0], predict(scorer)), (200, 200))
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    lab.equal("and 200 again, on fresh connections", ask(scorer, "/employees/e1")[0], 200)


BUSY = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'attrition-http' AND state = 'active'"


def hold(lab, url):
    """Somebody else locks the table."""
    holder = lab.start("holder", ["psql", "-Xq", "-c", "BEGIN", "-c", "LOCK attrition.latest_predictions IN ACCESS EXCLUSIVE MODE", "-c", "SELECT pg_sleep(600)", url])
    lab.need("somebody holds the table", lambda: lab.number(url, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'attrition.latest_predictions'::regclass"), 60, holder)
    return holder


def release(lab, url, holder):
    holder.kill()
    lab.sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()")


def leaves(lab, scorer, url):
    """A client that leaves ends its query; a query that waits harms nobody else."""
    holder = hold(lab, url)
    host, port = scorer.http.split(":")
    clients = []

    def waits():
        if not clients or select.select(clients[-1:], [], [], 0)[0]:  # has had its 503 meanwhile: another one
            clients.append(socket.create_connection((host, int(port))))
            clients[-1].sendall(f"GET /employees HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKENS['people']}\r\n\r\n".encode())
        return lab.number(url, BUSY)
    lab.need("a reader waits", waits, 60)
    lab.equal("probes and predictions do not", (scorer.get("/health/live")[0], predict(scorer)), (200, 200))
    clients[-1].close()
    lab.wait("a client that leaves ends its query", lambda: not lab.number(url, BUSY), 60)
    status, _, answer = ask(scorer, "/employees")
    lab.check("a slow PostgreSQL: 503 in time", status == 503 and "PostgreSQL" in answer["detail"], (status, answer))
    release(lab, url, holder)
    lab.wait("and 200 again", lambda: ask(scorer, "/employees")[0] == 200, 60)


def ending(lab, scorer, url):
    """TERM ends what waits for PostgreSQL."""
    holder = hold(lab, url)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asked = []

        def wait():
            if all(answer.done() for answer in asked):  # have had their 503 meanwhile: others
                asked[:] = [pool.submit(ask, scorer, "/employees") for _ in range(6)]
            return lab.number(url, BUSY) == 4
        lab.need("readers wait, more than there are connections", wait, 60)
        lab.equal("TERM ends it in time", scorer.end(20), 0)
        lab.equal("and who waited gets 503", {answer.result()[0] for answer in asked}, {503})
    release(lab, url, holder)


def predict(scorer):
    client = http.client.HTTPConnection(scorer.http, timeout=30)
    client.request("POST", "/predict?log=false", body='{"attributes":{"Age":41}}', headers={"Content-Type": "application/json", "Authorization": "Bearer everything"})
    return client.getresponse().status


def outage(lab, scorer, directory):
    lab.must(ROOT / "deploy/private-postgres", "stop", directory)
    status, headers, answer = ask(scorer, "/employees")
    lab.check("PostgreSQL stopped: 503 that says so", status == 503 and "PostgreSQL is unavailable" in answer["detail"] and headers["Retry-After"], (status, answer))
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(lambda _: ask(scorer, "/employees")[0], range(200)))
        lab.equal("200 readers meanwhile", (set(codes), predict(scorer), scorer.get("/health/live")[0]), ({503}, 200, 200))
    lab.must(ROOT / "deploy/private-postgres", "start", directory)
    lab.wait("back without help", lambda: ask(scorer, "/employees")[0] == 200, 60)
    lab.equal("and the log says it once", (len(re.findall("is unavailable while", scorer.text())) <= 2, "is available again" in scorer.text()), (True, True))
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        codes = list(pool.map(lambda n: ask(scorer, query(where=f"Age={20 + n % 40}"))[0], range(200)))
        lab.equal("200 readers", set(codes), {200})


with Lab(STATE_TOPIC="none") as lab:
    lab.model()
    broker = lab.embedded_broker()
    url = lab.postgres()
    lab.sql(url, "CREATE USER api_reader IN ROLE attrition_analyst; CREATE USER api_writer IN ROLE attrition_writer")
    plant(lab, url)
    tokens = lab.dir / "tokens"
    tokens.write_text("".join(f"{scope} {hashlib.sha256(token.encode()).hexdigest()} desk\n" for scope, token in TOKENS.items()))
    reader, writer = (url.replace("user=postgres", f"user=api_{who}") for who in ("reader", "writer"))
    scorer = lab.scorer("scorer", "--roles=http", KAFKA_BOOTSTRAP_SERVERS=broker, DATABASE_URL=writer, DATABASE_READ_URL=reader, HTTP_TOKENS_FILE=tokens, HTTP_TOKEN="everything", DELIVERY="at-least-once")
    lab.ready(scorer)
    lists(lab, scorer, url)
    refusals(lab, scorer)
    forgeries(lab, scorer)
    hostile(lab, scorer)
    one_employee(lab, scorer)
    looked_at(lab, scorer, url)
    alerts(lab, scorer, url)
    tables(lab, scorer, url)
    who_may(lab, scorer)
    who_saw_whom(lab, scorer, url)
    erased(lab, scorer, url)
    erased_meanwhile(lab, scorer, url)
    scraper(lab, scorer, url)
    read_only(lab, scorer, url)
    wide(lab, broker, url, tokens)
    dead_letters(lab, scorer, url)
    quality(lab, scorer, url)
    leaves(lab, scorer, url)
    frozen(lab, scorer, url)
    outage(lab, scorer, lab.dir / "pg")
    ending(lab, scorer, url)
    lab.check("no name and no token in the log", "employees/e1" not in scorer.text() and "Gespr" not in scorer.text() and "script>" not in scorer.text() and TOKENS["people"] not in scorer.text())

#!/usr/bin/env python3
"""GET /groups under attack. On a planted company of 2,000 somebody with the scope `groups`, who knows where everybody is, takes every
answer of a day, their differences, and those of the next day after one person has left. Nobody's own risk may come out to a tenth."""
import hashlib
import http.client
import itertools
import json

import numpy
from scipy.optimize import linprog

from lab import Lab

TOKEN = "t0ken-of-groups"
ATTRIBUTES = ("Age", "Department", "Gender", "JobLevel", "JobRole")
COLUMNS = "event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version, channel, " \
          "source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers"
LEAST = 5
LEAVER = "e777"


def plant(lab, url):
    """Most groups are large and mixed; Human Resources are much alike, women at level 5 are 3, managers in Sales 2."""
    lab.sql(url, f"""SELECT setseed(0.42); INSERT INTO attrition.predictions ({COLUMNS})
        SELECT 'v-' || n, 'e' || n, now() - interval '1 day', now() - interval '1 hour', CASE WHEN r >= 0.31 THEN 'Yes' ELSE 'No' END, r, 0.31, r * 4 - 2, 0, 9, 'attrition', '1', 'STREAM', 'in', 0, n, 'c', 'out', 0, n,
            jsonb_build_object('Age', age, 'Gender', gender, 'Department', department, 'JobRole', role, 'JobLevel', CASE WHEN gender = 'Female' AND level = 5 AND n > 40 THEN 4 ELSE level END), '[{{"feature": "OverTime", "contribution": 0.9}}]', '[]'
        FROM (SELECT n, 20 + floor(random() * 40)::integer AS age, (ARRAY['Female', 'Male'])[1 + floor(random() * 2)::integer] AS gender, 1 + floor(random() * 5)::integer AS level,
            CASE WHEN n = 777 THEN 0.5 WHEN n % 40 = 3 THEN 0.3 + random() / 50 ELSE random() ^ 1.5 END AS r, CASE WHEN n % 40 = 3 THEN 'Human Resources' WHEN n % 3 = 0 THEN 'Sales' ELSE 'Research & Development' END AS department,
            CASE WHEN n % 40 = 3 THEN 'Human Resources' WHEN n % 3 = 0 THEN CASE WHEN n IN (6, 9) THEN 'Manager' ELSE 'Sales Executive' END ELSE (ARRAY['Manager', 'Research Scientist', 'Laboratory Technician'])[1 + n % 7 % 3] END AS role
            FROM generate_series(1, 2000) AS n) AS x;
        INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions""")


def ask(scorer, path):
    client = http.client.HTTPConnection(scorer.http, timeout=60)
    client.request("GET", path, headers={"Authorization": "Bearer " + TOKEN})
    answer = client.getresponse()
    return answer.status, json.loads(answer.read())


def every_answer(lab, scorer):
    """{(attribute, …): {(member, …): group}}, once those of the day are computed"""
    tables = {}
    is_current = lambda status, answer: status == 200 and answer["is_current"]
    lab.need("the groups of the day are computed", lambda: is_current(*ask(scorer, "/groups?by=Age")), 60, scorer)
    for by in [(a,) for a in ATTRIBUTES] + list(itertools.combinations(ATTRIBUTES, 2)):
        status, answer = ask(scorer, "/groups?by=" + ",".join(by))
        assert is_current(status, answer), answer
        tables[by] = {tuple(group["members"][a] for a in by): group for group in answer["groups"]}
        assert list(answer["by"]) == list(by) and answer["withheld"] >= 0
    return tables


def company(lab, url):
    """{id: (risk, {attribute: member})}: what is true; the attacker knows all but the risks."""
    people = {}
    for id, attribute, member, risk in lab.sql(url, "SELECT employee_id, attribute, member, risk FROM attrition.employee_groups"):
        people.setdefault(id, (float(risk), {}))[1][attribute] = member
    return people


def members(people, by, cell):
    return frozenset(id for id, (_, where) in people.items() if tuple(where[a] for a in by) == cell)


def answers_are_right(lab, tables, people):
    wrong, rows = [], 0
    for by, table in tables.items():
        for cell, group in table.items():
            there = members(people, by, cell)
            risks = [people[id][0] for id in there]
            flagged = sum(risk >= 0.31 for risk in risks)
            rows += 1
            fits = group["employees"] == len(there) and abs(group["expected_exits"] - sum(risks)) <= 0.5 + 1e-9 and abs(group["flagged_share"] * len(there) - flagged) <= 1.5 + 0.005 * len(there) and \
                group["expected_low"] <= group["expected_exits"] <= group["expected_high"] <= len(there) and group["expected_low"] >= 0
            if not fits:
                wrong.append((by, cell, group, sum(risks), flagged))
    lab.check("what is shown is right", rows >= 60 and not wrong, (rows, wrong[:2]))


def withheld(lab, tables, people):
    small = [(by, cell) for by, table in tables.items() for cell in table if len(members(people, by, cell)) < LEAST]
    lab.equal("no group of fewer than five", small, [])
    alike = [(by, cell) for by, table in tables.items() for cell in table if is_alike([people[id][0] for id in members(people, by, cell)])]
    lab.equal("none that is much alike", alike, [])
    lab.check("Human Resources are withheld, alone and in pairs", not any("Human Resources" in cell for by, table in tables.items() if set(by) & {"Department", "JobRole"} for cell in table))


def is_alike(risks):
    mean = sum(risks) / len(risks)
    return sum(abs(risk - mean) <= 0.1 for risk in risks) >= 0.9 * len(risks)


def remainders(tables, people):
    """Sets of people that are a group without groups in it, each with the sum of expected exits that subtraction gives."""
    everybody = frozenset(people)
    for by, table in tables.items():
        parts = {cell: members(people, by, cell) for cell in table}
        if len(by) == 1:
            yield everybody - frozenset().union(*parts.values()), None
            continue
        for place in (0, 1):
            for (outer,), group in tables[(by[place],)].items():
                inside = [cell for cell in table if cell[place] == outer]
                rest = members(people, (by[place],), (outer,)) - frozenset().union(*(parts[cell] for cell in inside))
                yield rest, group["expected_exits"] - sum(table[cell]["expected_exits"] for cell in inside)


def by_subtraction(lab, tables, people):
    found = {rest: total for rest, total in remainders(tables, people) if rest}
    lab.check("subtraction leads to groups alone", found and all(len(rest) >= LEAST for rest in found), sorted(map(len, found))[:5])
    lab.equal("and to none that is much alike", [sorted(rest)[:3] for rest in found if is_alike([people[id][0] for id in rest])], [])
    return found


def bounds(tables, people, target):
    """What all answers together leave for one person's risk: the least and the greatest that fit. People who are in the same groups are one variable."""
    classes = {}
    for id, (_, where) in people.items():
        classes.setdefault((id == target, tuple(where[a] for a in ATTRIBUTES)), []).append(id)
    keys = sorted(classes)
    rows, upper = [], []
    for by, table in tables.items():
        places = [ATTRIBUTES.index(a) for a in by]
        for cell, group in table.items():
            row = numpy.array([float(tuple(key[1][p] for p in places) == cell) for key in keys])
            rows += [row, -row]
            upper += [group["expected_exits"] + 0.5, 0.5 - group["expected_exits"]]
    limits = [(0, len(classes[key])) for key in keys]
    goal = numpy.array([float(key[0]) for key in keys])
    found = [linprog(sign * goal, A_ub=numpy.array(rows), b_ub=upper, bounds=limits, method="highs") for sign in (1, -1)]
    assert all(result.status == 0 for result in found), [result.message for result in found]
    return found[0].fun, -found[1].fun


def by_all_together(lab, tables, people, targets):
    widths = {target: bounds(tables, people, target) for target in targets}
    tightest = min(high - low for low, high in widths.values())
    lab.check(f"all answers together: nobody of the {len(widths)} most exposed within a tenth", tightest > 0.2, {target: widths[target] for target in list(widths)[:3]})


def exposed(tables, people, found):
    """Those of the smallest groups and remainders, and of the groups that nearly all or nearly none are expected to leave."""
    cells = [(len(members(people, by, cell)), members(people, by, cell)) for by, table in tables.items() for cell in table]
    cells += [(len(rest), rest) for rest in found]
    return sorted({sorted(group)[0] for _, group in sorted(cells, key=lambda c: c[0])[:16]}) + [LEAVER]


def next_day(lab, url, *changes):
    lab.sql(url, ";".join(["UPDATE attrition.groups_computed SET day = day - 1", "UPDATE attrition.group_cells SET as_of = as_of - 1", *changes]))


def leaving(lab, scorer, url, before, people):
    next_day(lab, url, f"DELETE FROM attrition.latest_predictions WHERE employee_id = '{LEAVER}'",
             f"""INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input) VALUES ('exit', '{LEAVER}', now(), 'TERMINATED', 'c', 'outcomes', 0, 1, '{{}}')""")
    after = every_answer(lab, scorer)
    figures = lambda group: {name: value for name, value in group.items() if name != "as_of"}
    same = all(figures(after[by][cell]) == figures(group) for by, table in before.items() for cell, group in table.items() if cell in after[by])
    appeared = [(by, cell) for by, table in after.items() for cell in table if cell not in before[by]]
    lab.equal("the day after one has left: not one figure differs, and no group is new", (same, appeared), (True, []))
    where = people[LEAVER][1]
    his = [group for by, table in after.items() for cell, group in table.items() if cell == tuple(where[a] for a in by)]
    lab.check("his groups keep their day", len(his) >= 4 and len({group["as_of"] for group in his}) == 1 and his[0]["as_of"] < max(group["as_of"] for table in after.values() for group in table.values()), len(his))
    falls = [before[by][cell]["expected_exits"] - after[by][cell]["expected_exits"] for by, table in after.items() for cell in table if cell == tuple(where[a] for a in by)]
    lab.check("the mean of his groups' differences is not his risk", abs(sum(falls) / len(falls) - people[LEAVER][0]) > 0.1, (sum(falls) / len(falls), people[LEAVER][0]))


def control(lab, tables, url, people):
    """The same attacks on figures that are only rounded, and withheld only where they are small, find people: they are able to."""
    rounded = lambda there: round(sum(people[id][0] for id in there))
    where = people[LEAVER][1]
    falls = []
    for size in (1, 2):
        for by in itertools.combinations(ATTRIBUTES, size):
            there = members(people, by, tuple(where[a] for a in by))
            falls.append(rounded(there) - rounded(there - {LEAVER}))
    lab.check("control: rounding alone shows that somebody with a risk has left", any(falls), falls)
    shown = {tuple(row[0].split(",")): set() for row in lab.sql(url, "SELECT DISTINCT array_to_string(attributes, ',') FROM attrition.group_cells")}
    for by, cell in lab.sql(url, "SELECT array_to_string(attributes, ','), array_to_string(members, '|') FROM attrition.group_cells WHERE cardinality(people) >= 5"):
        shown[tuple(by.split(","))].add(tuple(cell.split("|")))
    open_tables = {by: {cell: {"expected_exits": 0} for cell in cells} for by, cells in shown.items()}
    isolated = [rest for rest, _ in remainders(open_tables, people) if 0 < len(rest) < LEAST]
    lab.check("control: without complements subtraction leads to fewer than five", isolated, len(isolated))


def refusals(lab, scorer):
    for by, words in (("", "there are: Age"), ("Age,Department,Gender", "more than two"), ("Age,Age", "twice"), ("OverTime", "OverTime is no group"), ("Age,", "there are"), ("<script>", "<script> is no group"), ("x" * 9000, "there are"),
                      ("Age&where=Gender=Male", "where: no such parameter"), ("Age&by=Gender", "twice")):
        status, answer = ask(scorer, "/groups?by=" + by)
        lab.check(f"400: by={by[:40]}", status == 400 and words in answer["detail"], (status, answer["detail"][:200]))


with Lab(STATE_TOPIC="none") as lab:
    lab.model()
    broker = lab.embedded_broker()
    url = lab.postgres()
    lab.sql(url, "CREATE USER api_writer IN ROLE attrition_writer")
    plant(lab, url)
    tokens = lab.dir / "tokens"
    tokens.write_text(f"groups {hashlib.sha256(TOKEN.encode()).hexdigest()} planner\n")
    scorer = lab.scorer("scorer", "--roles=http", KAFKA_BOOTSTRAP_SERVERS=broker, DATABASE_URL=url.replace("user=postgres", "user=api_writer"), HTTP_TOKENS_FILE=tokens, DELIVERY="at-least-once")
    lab.ready(scorer)
    refusals(lab, scorer)
    people = company(lab, url)
    tables = every_answer(lab, scorer)
    answers_are_right(lab, tables, people)
    withheld(lab, tables, people)
    found = by_subtraction(lab, tables, people)
    by_all_together(lab, tables, people, exposed(tables, people, found))
    control(lab, tables, url, people)
    leaving(lab, scorer, url, tables, people)
    next_day(lab, url, "UPDATE attrition.latest_predictions SET probability = least(1, probability + 0.3) WHERE input ->> 'Department' = 'Sales' AND employee_id LIKE 'e1%'")
    days = {group["as_of"] for group in every_answer(lab, scorer)[("Department",)].values()}
    lab.equal("where enough have changed, the figures are of the day", days, {lab.sql(url, "SELECT (now() AT TIME ZONE 'UTC')::date")[0][0]})
    lab.equal("it ends in time", scorer.end(), 0)

#!/usr/bin/env python3
"""`scorer notices`: the command of docs/DATABASE.md on decisions that are planted: one notice for each time that somebody becomes flagged, with reasons in
words, the values they rest on, what a person said of it and whom to ask; nothing of who is erased; the rights of an analyst suffice."""
import csv
import io
import json
import re
import shlex

from lab import BIN, ROOT, Lab

COLUMNS = ["employee_id", "event_id", "scored_at", "decision", "probability", "threshold", "model_name", "model_version", "reasons", "data", "reviewed_at", "overridden", "contact"]
INPUT = {"OverTime": "Yes", "Age": 29, "Education": 5, "MonthlyIncome": None}
REASONS = [{"feature": "OverTime", "contribution": 0.9}, {"feature": "Age", "contribution": -0.4}, {"feature": "Education", "contribution": 0.25}, {"feature": "MonthlyIncome", "contribution": 0.125}]
ROW = """INSERT INTO attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version,
    channel, source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers)
    VALUES ('{event}', {who}, '{occurred}', '{scored}', '{decision}', {risk}, 0.5, 0, 0, 9, 'attrition', '{version}', '{channel}', 'in', 0, {source}, 'c', 'out', 0, {output}, '{input}', '{reasons}', '[]')"""
outputs = iter(range(1, 1000))


def score(lab, url, who, day, risk, occurred=None, channel="STREAM", source=None, event=None, reasons=REASONS, version=1):
    output = next(outputs)
    quoted = "NULL" if who is None else f"'{who}'"
    lab.sql(url, ROW.format(event=event or f"{who}-{day}", who=quoted, occurred=f"2026-{occurred or day} 08:00+00", scored=f"2026-{day} 09:00:00.125+00", decision="Yes" if risk >= 0.5 else "No",
                            risk=risk, version=version, channel=channel, source=source or output, output=output, input=json.dumps(INPUT), reasons=json.dumps(reasons)))
    return output


def leave_and_return(lab, url):
    """lea is hired again at the very time of her exit, and flagged before, then and after; of mia the exit came last, and nothing after it."""
    for who, exit_offset in (("lea", 501), ("mia", 503)):
        score(lab, url, who, "10-21", 0.9)
        lab.sql(url, f"""INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", source_topic, source_partition, source_offset, input)
            VALUES ('exit-{who}', '{who}', '2026-11-04 08:00+00', 'TERMINATED', 'c', 'outcomes', 0, {exit_offset}, 'in', 0, {exit_offset}, '{{}}')""")
        score(lab, url, who, "11-04", 0.9, source=502)
    score(lab, url, "lea", "11-13", 0.9, source=504)


def plant(lab, url):
    """November's notices: ann on the 3rd, lea on the 4th, ben on the 5th, dan on the 2nd and the 12th, eve on the 6th, jim on the 7th, =1+1 on the 9th."""
    score(lab, url, "ann", "10-20", 0.2)
    once = score(lab, url, "ann", "11-03", 0.8)
    score(lab, url, "ann", "11-03", 0.8, source=once)                    # stored twice (at-least-once)
    score(lab, url, "ann", "11-10", 0.9, version=2)                      # still flagged, by another version
    score(lab, url, "ben", "11-05", 0.5)                                 # at the threshold, nothing before
    for day, risk in (("10-20", 0.6), ("11-05", 0.7)):                   # flagged in October, and still
        score(lab, url, "cara", day, risk)
    for day, risk in (("11-02", 0.6), ("11-08", 0.4), ("11-12", 0.7)):
        score(lab, url, "dan", day, risk)
    score(lab, url, "eve", "10-20", 0.9)
    lab.sql(url, """INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input)
        VALUES ('exit', 'eve', '2026-10-25', 'TERMINATED', 'c', 'outcomes', 0, 1, '{}')""")
    score(lab, url, "eve", "11-06", 0.9)                                 # hired again
    leave_and_return(lab, url)
    score(lab, url, "fay", "11-08", 0.1)
    score(lab, url, "fay", "11-09", 0.9, occurred="11-01")               # an event that came late never stood
    score(lab, url, "gus", "11-09", 0.9, channel="HTTP")                 # a question, no decision
    score(lab, url, None, "11-09", 0.9, event="erased-1")                # pseudonymised
    score(lab, url, "ivy", "11-09", 0.9)
    score(lab, url, "jim", "11-07", 0.9, reasons=[])
    score(lab, url, "kim", "12-01", 0.9)
    score(lab, url, "=1+1", "11-09", 0.9)
    lab.sql(url, "SELECT attrition.review('ben-11-05', NULL, 'asked'), attrition.review('ben-11-05', true, 'secret words'), attrition.review('dan-11-12', NULL, 'open')")
    lab.sql(url, "SELECT attrition.erase_employee('ivy')")


NOVEMBER = [["dan", "2026-11-02"], ["ann", "2026-11-03"], ["lea", "2026-11-04"], ["ben", "2026-11-05"], ["eve", "2026-11-06"], ["jim", "2026-11-07"], ["=1+1", "2026-11-09"], ["dan", "2026-11-12"]]


def documented():
    """The command of docs/DATABASE.md, and the notice that it shows."""
    text = (ROOT / "docs/DATABASE.md").read_text().split("## Notices of adverse decisions")[1]
    command = shlex.split(re.search(r"^scorer (notices .*?) >", text, re.M)[1])
    return command, json.loads(re.search(r"^```json\n(.*?)```", text, re.M | re.S)[1])


def notices(lab, url, *arguments, status=0):
    code, out, err = lab.run(BIN / "scorer", *arguments, env={"DATABASE_URL": url})
    lab.check(f"{' '.join(map(str, arguments))[:80]}: status {status}", code == status, "" if code == status else err[-300:])
    return out, err


def as_json(lab, url):
    command, shown = documented()
    out, err = notices(lab, url, *command)
    found = [json.loads(line) for line in out.splitlines()]
    lab.equal("one notice for each time that somebody becomes flagged", [[notice["employee_id"], notice["scored_at"][:10]] for notice in found], NOVEMBER)
    if not found:
        return
    by = {notice["event_id"]: notice for notice in found}
    lab.equal("a notice is as documented", by["ann-11-03"], shown)
    lab.equal("its reasons raise the risk, in words, with the values they rest on", by["ann-11-03"]["reasons"], [
        {"feature": "OverTime", "label": "Overtime", "value": "Yes", "contribution": 0.9, "text": "Overtime is Yes: raises the risk"},
        {"feature": "Education", "label": "Education", "value": 5, "contribution": 0.25, "text": "Education is doctor: raises the risk"},
        {"feature": "MonthlyIncome", "label": "Monthly income", "value": None, "contribution": 0.125, "text": "Monthly income is missing: raises the risk"}])
    lab.equal("who reviewed it is said by the last word", [(notice["event_id"], notice["review"]["overridden"]) for notice in found if notice["review"]], [("ben-11-05", True), ("dan-11-12", None)])
    lab.check("a reviewer's name and words are not in it", "secret" not in out and "postgres" not in out)
    lab.one_line("notices without reasons are counted", err, "1 of 8 notices")
    lab.check("and nothing is missing besides", "--contact" not in err, err)


def as_csv(lab, url):
    out, err = notices(lab, url, "notices", "--from", "2026-11-01", "--to", "2026-12-01", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    lab.equal("CSV has these columns", list(rows[0]) if rows else [], COLUMNS)
    if not rows:
        return
    lab.equal("and the same notices; no formula for a spreadsheet", [[row["employee_id"], row["scored_at"][:10]] for row in rows], [[who.replace("=", "'="), day] for who, day in NOVEMBER])
    ann, ben = rows[1], rows[3]
    lab.equal("reasons in words", ann["reasons"], "Overtime is Yes: raises the risk; Education is doctor: raises the risk; Monthly income is missing: raises the risk")
    lab.equal("the values they rest on", json.loads(ann["data"]), {"OverTime": "Yes", "Education": 5, "MonthlyIncome": None})
    lab.equal("what is not there is empty", (ann["reviewed_at"], ann["overridden"], ann["contact"], rows[5]["reasons"]), ("", "", "", ""))
    lab.equal("an override", (ben["overridden"], ben["probability"], ben["threshold"]), ("true", "0.5", "0.5"))
    lab.one_line("that nobody is named to ask is said", err, "--contact")


def of_one(lab, url):
    out, _ = notices(lab, url, "notices", "--employee", "dan")
    lab.equal("one employee's, of all times", [json.loads(line)["event_id"] for line in out.splitlines()], ["dan-11-02", "dan-11-12"])
    for who in ("ivy", "gus", "fay", "nobody"):
        lab.equal(f"{who} has none", notices(lab, url, "notices", "--employee", who)[0], "")


def refused(lab, url):
    for arguments in ((), ("--from", "soon"), ("--from", "2026-11-01", "--format", "pdf"), ("more", "--from", "2026-11-01")):
        notices(lab, url, "notices", *arguments, status=2)
    out, err = notices(lab, "postgresql://nobody@127.0.0.1:1/none", "notices", "--from", "2026-11-01", status=1)
    lab.one_line("no database: one line", err, "PostgreSQL: connecting")


with Lab() as lab:
    url = lab.postgres()
    plant(lab, url)
    lab.sql(url, "CREATE ROLE reader LOGIN IN ROLE attrition_analyst")
    reader = url.replace("user=postgres", "user=reader")
    lab.check("the reader is another user", reader != url)
    as_json(lab, reader)
    as_csv(lab, reader)
    of_one(lab, reader)
    refused(lab, reader)

#!/usr/bin/env python3
"""Five years of a generated company whose reasons to leave turn round in mid-way: scored event by event into PostgreSQL, outcomes mature, a leak that was
planted is refused, `trainer retrain` learns what the version in use no longer knows, and every row of its table is what was scored online, bit by bit."""
import csv
import io
import json
import struct
from datetime import datetime, timedelta, timezone

from lab import BIN, ROOT, Lab, decode_prediction

START, LEARNT, DRIFT = "2021-01-01", "2023-01-01", "2023-07-01"
EARLY, LATE = ("2021-07-01", "2022-01-01", "2022-07-01"), ("2023-07-01", "2024-01-01", "2024-07-01", "2025-01-01")
HORIZON, STAFF, LEAK = timedelta(days=180), 2500, "MonthlyRate"
# Who worked overtime or travelled left; then they are the ones who stay.
TURNED = ("OverTime=Yes:-3", "OverTime=No:0.8", "BusinessTravel=Travel_Frequently:-2", "BusinessTravel=Non-Travel:1.8", "MaritalStatus=Single:-1.5")
schema = json.loads((ROOT / "schemas/employee_event.avsc").read_text())
FIELDS = {f["name"]: next(t for t in f["type"] if t != "null") for f in next(f["type"] for f in schema["fields"] if f["name"] == "attributes")["fields"]}


def time(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=timezone.utc)


def company(lab):
    """Its events in the order of time. Before each late date, whoever leaves within the horizon after it is given a rate that only leavers have."""
    path = lab.dir / "company.jsonl"
    lab.must(BIN / "producer", "generate", "--count", STAFF, "--seed", 11, "--life", "1825d", "--start", START, "--changes", "partial", "--out", path,
             "--drift", f"DistanceFromHome=4@{DRIFT}", "--bias", ",".join(f"{bias}@{DRIFT}" for bias in TURNED))
    events = [json.loads(line) for line in path.open()]
    came = {e["employee_id"]: time(e["occurred_at"]) for e in events if e["event_type"] in ("SNAPSHOT", "HIRED")}
    leaks = []
    for at in map(time, LATE):
        said = at - timedelta(hours=1)
        for e in events:
            if e["event_type"] == "TERMINATED" and at < time(e["occurred_at"]) <= at + HORIZON and came[e["employee_id"]] < said:
                leaks.append({"event_id": f"leak-{e['employee_id']}-{at:%Y%m}", "event_type": "CHANGED", "employee_id": e["employee_id"],
                              "occurred_at": said.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "changed": [LEAK], "attributes": {LEAK: 26999}})
    lab.check("a leak is planted", len(leaks) > 300, f"{len(leaks)} of {len(events)} events")
    return sorted(events + leaks, key=lambda e: time(e["occurred_at"]))


def scored(lab, name, events):
    """Sent, and scored into PostgreSQL to the end."""
    path = lab.dir / f"{name}.jsonl"
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    lab.must(BIN / "producer", "backfill", path)
    scorer = lab.scorer(name, "--exit-at-end")
    lab.equal(f"{name}: {len(events)} events are scored and stored", scorer.popen.wait(240), 0)
    return scorer


def trainer(lab, command, dates, *words):
    return lab.run(BIN / "trainer", command, "--known-since", "occurred", *[word for at in dates for word in ("--as-of", at)], *words, seconds=300)


def retrain(lab, dates, *words):
    return trainer(lab, "retrain", dates, "--model", "logistic-regression-l2", *words)


def figure(lab, name):
    """Of the newest run that has it."""
    path = max((lab.dir / "mlruns").glob(f"*/*/metrics/{name}"), key=lambda p: p.stat().st_mtime)
    return float(path.read_text().split()[1])


def bits(value, kind):
    return value if value is None or kind == "string" else struct.pack(">d", float(value))


def standing(predictions, at):
    """Everyone's newest record by then."""
    newest = {}
    for p in predictions:
        if p["occurred_at"] <= at and (p["employee_id"] not in newest or p["occurred_at"] >= newest[p["employee_id"]]["occurred_at"]):
            newest[p["employee_id"]] = p
    return newest


def auc(risks, labels):
    """By ranks; equal ones share theirs."""
    order = sorted(range(len(risks)), key=risks.__getitem__)
    rank, at = [0.0] * len(risks), 0
    while at < len(order):
        end = at
        while end < len(order) and risks[order[end]] == risks[order[at]]:
            end += 1
        for k in order[at:end]:
            rank[k] = (at + 1 + end) / 2
        at = end
    positive = sum(labels)
    return (sum(r for r, label in zip(rank, labels) if label) - positive * (positive + 1) / 2) / (positive * (len(labels) - positive))


def compared(lab, predictions, exits, at):
    """The table of a date against what the topic says: who, features, label, and what the same model gives for the row once more."""
    done = trainer(lab, "table", [at])[1]
    rows = {row["EmployeeNumber"]: row for row in csv.DictReader(io.StringIO(done))}
    day = time(at)
    online = {who: p for who, p in standing(predictions, day).items() if not p["occurred_at"] <= exits.get(who, day + HORIZON) <= day}
    lab.check(f"{at}: who is in the table", rows.keys() == online.keys(), f"{len(rows)} rows, {sorted(rows.keys() ^ online.keys())[:5]} differ")
    differ = [who for who, row in rows.items() if any(bits(row[name] if row[name] != "" else None, kind) != bits(online[who]["attributes"][name], kind) for name, kind in FIELDS.items())]
    lab.check(f"{at}: features equal those scored online, bit by bit", rows and not differ, f"{len(rows) - len(differ)} of {len(rows)} rows")
    labels = {who: day < exits.get(who, day) <= day + HORIZON for who in rows}
    lab.equal(f"{at}: labels", [who for who, row in rows.items() if (row["Attrition"] == "Yes") != labels[who]], [])
    for version in {online[who]["model"] for who in rows}:
        whose = [who for who in rows if online[who]["model"] == version]
        given = [{name: None if rows[who][name] == "" else rows[who][name] if kind == "string" else float(rows[who][name]) if kind == "double" else int(rows[who][name])
                  for name, kind in FIELDS.items()} for who in whose]
        answers = lab.must(BIN / "scorer", "score", "--model", f"models:/{version}", input="".join(json.dumps(g) + "\n" for g in given))
        again = [json.loads(line)["probability"] for line in answers.splitlines()]
        lab.equal(f"{at}: {version} gives {len(whose)} rows of the table the risk that it gave online", sum(a != online[who]["probability"] for a, who in zip(again, whose)), 0)
    return [online[who] for who in rows], [labels[who] for who in rows]


with Lab(STATE_TOPIC="attrition-state") as lab:
    lab.env |= {"KAFKA_BOOTSTRAP_SERVERS": lab.kafka(), "SCHEMAS_DIR": str(ROOT / "schemas"), "MODEL_URI": "models:/attrition@production"}
    lab.env["DATABASE_URL"] = lab.postgres()
    lab.model()
    lab.must(BIN / "scorer", "check", "--create-topics", env={"ROLES": "score"})
    events = company(lab)
    exits = {e["employee_id"]: time(e["occurred_at"]) for e in events if e["event_type"] == "TERMINATED"}

    scored(lab, "first years", [e for e in events if e["occurred_at"] < LEARNT])
    status, out, err = retrain(lab, EARLY)
    lab.check("the first years train a version", status == 0 and "alias challenger -> version 2" in out, err[-600:] if status else "")
    before = figure(lab, "test_roc_auc")
    lab.must(BIN / "registry", "promote", "attrition", 2)

    scorer = scored(lab, "later years", [e for e in events if e["occurred_at"] >= LEARNT])
    lab.audit(scorer)
    predictions = [decode_prediction(m.value()) for m in lab.consume(lab.env["KAFKA_BOOTSTRAP_SERVERS"], "attrition-predictions")]
    for p in predictions:
        p["model"] = f"{p['model']['name']}/{p['model']['version']}"
    lab.equal("no dead letter", len(lab.consume(lab.env["KAFKA_BOOTSTRAP_SERVERS"], "employee-events-dlq")), 0)

    refused = retrain(lab, LATE)
    lab.check("the planted leak is refused by name, and nothing is registered", refused[0] == 1 and LEAK in refused[2] and "gives the label away" in refused[2] and
              "version 3" not in lab.must(BIN / "registry", "show", "attrition", "--alias", "challenger"), refused[2][-600:])
    status, out, err = retrain(lab, LATE, "--exclude", LEAK)
    lab.check("without that column a challenger is registered", status == 0 and "alias challenger -> version 3" in out, err[-600:] if status else "")
    lost, after = figure(lab, "in_use_roc_auc"), figure(lab, "test_roc_auc")
    lab.check("the drift costs the version in use its AUC", before - lost > 0.1, f"{before:.4f} before, {lost:.4f} after the drift")
    lab.check("retraining on matured outcomes recovers what was lost", after - lost > 0.8 * (before - lost), f"{after:.4f}, {(after - lost) / (before - lost):.0%} of it")
    lab.check("the version in use stays until somebody promotes", "version: 2" in lab.must(BIN / "registry", "show", "attrition"))

    for at in EARLY[-1:] + LATE:
        last = compared(lab, predictions, exits, at)
    risks = [p["probability"] for p in last[0]]
    lab.check("the AUC of the version in use is that of the risks it gave online", {p["model"] for p in last[0]} == {"attrition/2"} and abs(auc(risks, last[1]) - lost) < 1e-12, auc(risks, last[1]))
    none = lab.run(BIN / "trainer", "table", "--as-of", LATE[0])
    lab.check("by the time of scoring nothing of a history that was sent later was known", none[0] == 1 and "no row is left" in none[2] and "--known-since occurred" in none[2], none[2])
    promoted = lab.run(BIN / "registry", "promote", "attrition", 3, "--replay", 5000, "--require", "unscored<=0")
    lab.check("the challenger is promoted by a replay", promoted[0] == 0 and "decisions that flip" in promoted[1], promoted[2])

#!/usr/bin/env python3
"""Alerts on a real Kafka and PostgreSQL: which are due is worked out once more in plain Python from the events and their predictions, with
scorers killed and a new model promoted on the way; planted crossings; sums; rows, audit, erasures; and what is refused."""
import io
import json
import random
import re
import struct
import time

import fastavro
from confluent_kafka import Producer
from lab import BIN, TOPICS, Lab, decode_prediction, frame_id, schema

EVENTS, EMPLOYEES = 3000, 150
STATE, ALERTS = "attrition-state", "attrition-alerts"
HYSTERESIS, DELTA = 0.05, 0.10
EVENT, ALERT = schema("employee_event.avsc"), schema("alert.avsc")
HEAD, ALERT_HEAD = (struct.pack(">bI", 0, frame_id(kind)) for kind in ("event", "alert"))
NAMES = [field["name"] for field in EVENT["fields"][-1]["type"]["fields"]]
NOTHING = {name: None for name in NAMES}


# --- events ---

def event(number, employee, kind, at, attributes, changed=None):
    return {"event_id": f"e{number}", "event_type": kind, "employee_id": employee, "occurred_at": 1_700_000_000_000 + at, "changed": changed,
            "attributes": {**NOTHING, **attributes}}


def random_stream(rng, rows, first):
    """(key, event or None)…: whole records, changes of some attributes, leaving, coming back, erasures, older records."""
    for number in range(first, first + EVENTS):
        employee, row, kind = f"p{rng.randrange(EMPLOYEES)}", rng.choice(rows), rng.random()
        if kind < 0.01:
            yield employee, None
        elif kind < 0.03:
            yield employee, event(number, employee, "TERMINATED", number, row)
        elif kind < 0.06:
            yield employee, event(number, employee, "HIRED", number, row)
        elif kind < 0.4:
            yield employee, event(number, employee, "SNAPSHOT", number - (rng.random() < 0.1) * 3 * EVENTS, row)
        else:
            listed = rng.sample([name for name in NAMES if "Years" not in name], rng.randint(0, 6))
            changed = {name: None if rng.random() < 0.1 else row[name] for name in listed}
            yield employee, event(number, employee, "CHANGED", number, changed, listed)


def send(lab, kafka, stream):
    """Sends it; (partition, offset) → event or None."""
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "enable.idempotence": True, "linger.ms": 5})
    placed = {}
    for key, one in stream:
        out = io.BytesIO()
        if one:
            fastavro.schemaless_writer(out, EVENT, one)

        def report(error, message, key=key, one=one):
            placed[message.partition(), message.offset()] = (key, one) if not error else error
        producer.produce(TOPICS[0], key=key, value=HEAD + out.getvalue() if one else None, callback=report)
        producer.poll(0)
    producer.flush(60)
    return placed


# --- the rules once more ---

class Model:
    """What alerts are due, of events in the order of their partitions and the predictions that were made of them."""

    def __init__(self):
        self.records, self.due = {}, {}

    def take(self, place, key, one, prediction):
        known = self.records.get((place[0], key))
        if one is None:
            self.records.pop((place[0], key), None)
        elif one["event_type"] == "TERMINATED":
            self.records[place[0], key] = {"at": one["occurred_at"]}
        elif prediction is not None:
            left = known is not None and "prediction" not in known
            older = known is not None and (one["occurred_at"] < known["at"] or (left and one["occurred_at"] == known["at"]
                                                                              and one["event_type"] != "HIRED"))
            if not older:
                begins = known is None or left or one["event_type"] == "HIRED"
                self.score(place, key, one, prediction, None if begins else known)

    def score(self, place, key, one, prediction, known):
        probability, threshold, said = prediction["probability"], prediction["threshold"], known and known["said"]
        if said is None:
            kind = "FIRST" if prediction["prediction"] == "Yes" else None
        elif said[0] == "No" and probability >= threshold + HYSTERESIS:
            kind = "CROSSED_UP"
        elif said[0] == "Yes" and probability < threshold - HYSTERESIS:
            kind = "CROSSED_DOWN"
        else:
            kind = "MOVED" if abs(probability - said[1]) >= DELTA else None
        if kind or said is None:
            said = (prediction["prediction"], probability)
        if kind:
            self.due[place] = (kind, known and known["prediction"], prediction)
        self.records[place[0], key] = {"at": one["occurred_at"], "prediction": prediction, "said": said}


def place_of(message):
    headers = dict(message.headers())
    return int(headers["attrition.source.partition"]), int(headers["attrition.source.offset"])


def read_alerts(lab, kafka):
    """(partition, offset) of the event → its alerts."""
    alerts = {}
    for message in lab.consume(kafka, ALERTS):
        if message.value()[:5] != ALERT_HEAD:
            raise ValueError(message.value()[:5])
        alert = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), ALERT, None)
        if message.key().decode() != alert["employee_id"]:
            raise ValueError(alert)
        alerts.setdefault(place_of(message), []).append(alert)
    return alerts


def read_predictions(lab, kafka):
    found = [decode_prediction(message.value()) for message in lab.consume(kafka, TOPICS[1]) if message.value() is not None]
    return {(p["source"]["partition"], p["source"]["offset"]): p for p in found}


def side_of(prediction):
    return prediction and {**{name: prediction[name] for name in ("prediction", "probability", "margin", "threshold")},
                           "model": {name: prediction["model"][name] for name in ("name", "version")}}


def check_alerts(lab, what, alerts, due):
    counts = {}
    for kind, *_ in due.values():
        counts[kind] = counts.get(kind, 0) + 1
    lab.equal(f"{what}: alerts, each once, where one is due and nowhere else", (sorted(alerts) == sorted(due), {len(a) for a in alerts.values()}),
              (True, {1}))
    wrong = [place for place, (kind, before, after) in due.items() if place in alerts
             and (alerts[place][0]["kind"], alerts[place][0]["before"], alerts[place][0]["after"]) != (kind, side_of(before), side_of(after))]
    lab.equal(f"{what}: kind, before and after", wrong[:5], [])
    lab.check(f"{what}: every kind is among them", len(counts) == 4, counts)


def check_sums(lab, what, alerts, due):
    """Σ of the drivers' changes + model_change = change of margin; what a driver says of the record; the cause."""
    worst, causes, wrong = 0, {}, []
    for place, (kind, before, after) in due.items():
        alert = alerts[place][0]
        causes[alert["cause"]] = causes.get(alert["cause"], 0) + 1
        if before is None:
            wrong += [] if (alert["drivers"], alert["model_change"], alert["cause"]) == ([], 0, "RECORD") else [place]
            continue
        changes = [driver["contribution_after"] - driver["contribution_before"] for driver in alert["drivers"]]
        worst = max(worst, abs(sum(changes) + alert["model_change"] - (alert["after"]["margin"] - alert["before"]["margin"])))
        same_model, same_record = before["model"] == after["model"], before["attributes"] == after["attributes"]
        cause = "RECORD" if same_model else "MODEL" if same_record else "BOTH"
        values = all((json.loads(d["before"]), json.loads(d["after"])) == (before["attributes"][d["feature"]], after["attributes"][d["feature"]])
                     for d in alert["drivers"])
        sorted_changes = sorted(map(abs, changes), reverse=True) == list(map(abs, changes)) and all(changes)
        if not values or not sorted_changes or alert["cause"] != cause or (same_model and alert["model_change"] != 0):
            wrong.append(place)
    lab.check(f"{what}: the drivers' changes and the model's add up", worst <= 1e-12, f"worst {worst:.2g}")
    lab.equal(f"{what}: drivers' values and order, model_change and cause", wrong[:5], [])
    return causes


def check_contributions(lab, alerts, due, version):
    """Of a sample, those that `scorer score` gives of both whole records under the present model."""
    places = [place for place, (_, before, after) in due.items() if before and after["model"]["version"] == version][:300]
    lines = "".join(json.dumps({"attributes": side["attributes"]}) + "\n" for place in places for side in due[place][1:])
    out = lab.must(BIN / "scorer", "score", "--model", f"models:/attrition/{version}", "--reasons", 1000, input=lines)
    reasons = [{reason["feature"]: reason["contribution"] for reason in json.loads(line)["reasons"]} for line in out.splitlines()]
    wrong = []
    for n, place in enumerate(places):
        before, after = reasons[2 * n:2 * n + 2]
        wanted = {name: (before.get(name, 0), after.get(name, 0)) for name in {*before, *after} if before.get(name, 0) != after.get(name, 0)}
        found = {d["feature"]: (d["contribution_before"], d["contribution_after"]) for d in alerts[place][0]["drivers"]}
        wrong += [place] if found != wanted else []
    lab.equal(f"version {version}: every feature whose contribution differs is a driver, bit by bit", (len(places) > 20, wrong[:3]), (True, []))


# --- scorers ---

def send_and_score(lab, name, stream, kills, rng, **env):
    """Sends the stream in parts; each has a scorer that is killed among it, and the last is scored to its end. → as send()."""
    part, placed = len(stream) // (kills + 1), {}
    for kill in range(kills):
        victim = lab.scorer(f"{name}-victim-{kill}", **env)
        placed.update(send(lab, env["KAFKA_BOOTSTRAP_SERVERS"], stream[kill * part:(kill + 1) * part]))
        lab.wait(f"{name}: scores before it is killed", lambda: victim.counter("events_scored_total") > 0 or not victim.alive(), 30)
        time.sleep(rng.random() * 0.2)
        victim.kill()
    placed.update(send(lab, env["KAFKA_BOOTSTRAP_SERVERS"], stream[kills * part:]))
    last = lab.scorer(name, "--exit-at-end", **env)
    lab.need(f"{name}: comes to the end", lambda: not last.alive(), 120)
    lab.equal(f"{name}: exit status", last.popen.returncode, 0)
    return placed


def planted(threshold, rows, scores):
    """A person for whom each step's alert is known beforehand: the threshold is that of the model, and its probabilities lie around it."""
    order = sorted(range(len(rows)), key=lambda n: scores[n]["probability"])

    def at(probability):
        best = min(order, key=lambda n: abs(scores[n]["probability"] - probability))
        if abs(scores[best]["probability"] - probability) > 0.02:
            raise RuntimeError(f"no record with a probability about {probability}")
        return rows[best]
    low, near, above, over, under = at(threshold - 0.08), at(threshold - 0.02), at(threshold + 0.02), at(threshold + 0.08), at(threshold - 0.09)
    steps = [("SNAPSHOT", low, None), ("SNAPSHOT", above, "MOVED"), ("SNAPSHOT", near, None), ("SNAPSHOT", low, "CROSSED_DOWN"),
             ("SNAPSHOT", near, None), ("SNAPSHOT", over, "CROSSED_UP"), ("SNAPSHOT", near, "MOVED"), ("TERMINATED", near, None),
             ("HIRED", over, "FIRST"), ("SNAPSHOT", over, None), ("SNAPSHOT", under, "CROSSED_DOWN")]
    events = [(f"planted", event(10**6 + n, "planted", kind, 10**6 + n, row)) for n, (kind, row, _) in enumerate(steps)]
    return events, {f"e{10**6 + n}": kind for n, (_, _, kind) in enumerate(steps) if kind}


def check_settings(lab, env):
    def said(what, *patterns, status=2, **more):
        settings = {**env, **more}
        code, out, err = lab.run(BIN / "scorer", "check", env={key: value for key, value in settings.items() if value is not None})
        lab.one_line(what, out + err, *patterns)
    said("alerts without current records are refused", "--alert-topic", "set --state-topic", STATE_TOPIC="none", ALERT_TOPIC=ALERTS)
    said("one topic for two things is refused", "--state-topic and --alert-topic are both", ALERT_TOPIC=STATE)
    said("a missing topic that was named is wrong", "wrong", "missing-alerts", ALERT_TOPIC="missing-alerts")
    code, out, err = lab.run(BIN / "scorer", "check", env={**env, "ALERT_DELTA": "7"})
    lab.one_line("a delta beyond 1 is refused", out + err, "alert-delta|ALERT_DELTA")


with Lab() as lab:
    rng = random.Random(7)
    lab.model()
    kafka, postgres = lab.kafka(), lab.postgres()
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "ROLES": "score", "MODEL_URI": "models:/attrition@production", "STATE_TOPIC": STATE,
           "KAFKA_AUTO_OFFSET_RESET": "earliest", "INSTANCE_ID": "one", "COMMIT_EVENTS": "300", "KAFKA_SESSION_TIMEOUT_MS": "60000",
           "ALERT_HYSTERESIS": HYSTERESIS, "REASONS": "0"}
    env = {key: str(value) for key, value in env.items()}
    status, out, err = lab.run(BIN / "scorer", "check", "--create-topics", env=env)
    lab.one_line("check makes the alert topic", out + err, ALERTS, "made just now")
    threshold = float(re.search(r"threshold ([0-9.]+)", out + err)[1])
    check_settings(lab, env)

    table = lab.employees(3000).read_text().splitlines()
    names = table[0].split(",")
    types = {field["name"]: "values" in field for field in EVENT["fields"][-1]["type"]["fields"]}
    rows = [{name: (value if types[name] else int(value)) if value else None for name, value in zip(names, line.split(",")) if name in types}
            for line in table[1:]]
    out = lab.must(BIN / "scorer", "score", "--model", "models:/attrition@production",
                   input="".join(json.dumps({"attributes": row}) + "\n" for row in rows))
    scores = [json.loads(line) for line in out.splitlines()]

    # One model; scorers are killed.
    steps, wanted = planted(threshold, rows, scores)
    placed = send_and_score(lab, "first", [*random_stream(rng, rows, 0), *steps], 3, rng, **env)
    model, predictions = Model(), read_predictions(lab, kafka)
    for place, (key, one) in sorted(placed.items()):
        model.take(place, key, one, predictions.get(place))
    alerts = read_alerts(lab, kafka)
    check_alerts(lab, "after kills", alerts, model.due)
    lab.equal("after kills: causes", list(check_sums(lab, "after kills", alerts, model.due)), ["RECORD"])
    check_contributions(lab, alerts, model.due, "1")
    found = {alert["event_id"]: alert["kind"] for group in alerts.values() for alert in group if alert["employee_id"] == "planted"}
    lab.equal("planted crossings, and none where none was planted", found, wanted)

    # Another model: everybody is scored again, some with a change.
    lab.must(BIN / "trainer", "train", lab.dir / "train.csv", "--model", "random-forest", "--promote")
    again = [(key, event(2 * 10**6 + n, key, "CHANGED", 2 * 10**6 + n, {}, [])) for n, key in enumerate(f"p{e}" for e in range(EMPLOYEES))]
    placed.update(send_and_score(lab, "second", [*again, *random_stream(rng, rows, 3 * 10**6)], 2, rng, **env))
    model, predictions = Model(), read_predictions(lab, kafka)
    for place, (key, one) in sorted(placed.items()):
        model.take(place, key, one, predictions.get(place))
    alerts = read_alerts(lab, kafka)
    check_alerts(lab, "another model", alerts, model.due)
    causes = check_sums(lab, "another model", alerts, model.due)
    lab.check("another model: its alerts say so", causes.get("MODEL", 0) > 5 and causes.get("BOTH", 0) + causes["RECORD"] > 5, causes)
    changed = [alert for group in alerts.values() for alert in group if alert["cause"] == "MODEL"]
    lab.check("another model: the record drives nothing", all(a["drivers"] == [] and a["model_change"] for a in changed), len(changed))
    check_contributions(lab, alerts, model.due, "2")

    # Rows.
    sink = lab.scorer("sink", "--exit-at-end", **{**env, "ROLES": "sink,score", "DATABASE_URL": postgres})
    lab.need("the sink has stored all", lambda: not sink.alive(), 120)
    erased = {(place[0], key): place[1] for place, (key, one) in placed.items() if one is None}
    kept = {place for place, group in alerts.items() if place[1] > erased.get((place[0], group[0]["employee_id"]), -1)}
    stored = {(int(partition), int(offset)) for partition, offset in lab.sql(postgres, "SELECT source_partition, source_offset FROM attrition.alerts")}
    lab.equal("rows: each alert, but those from before an erasure", (len(stored), stored == kept), (len(kept), True))
    gone = lab.number(postgres, "SELECT sum(alerts) FROM attrition.erasures WHERE erased_at IS NOT NULL")
    lab.equal("receipts count those", gone, len(alerts) - len(kept))
    add_up = """SELECT count(*) FROM attrition.alerts_once AS a CROSS JOIN LATERAL (
        SELECT coalesce(sum((d ->> 'contribution_after')::float8 - (d ->> 'contribution_before')::float8), 0) AS s
        FROM jsonb_array_elements(a.drivers) AS d) AS x
        WHERE abs(s + model_change - (after_margin - before_margin)) <= 1e-12 OR before_margin IS NULL"""
    lab.equal("in SQL they add up, too", lab.number(postgres, add_up), len(kept))
    lab.audit(sink, DATABASE_URL=postgres, ROLES="sink,score")
    line = lab.sql(postgres, "SELECT ctid FROM attrition.alerts LIMIT 1")[0][0]
    lab.sql(postgres, f"DELETE FROM attrition.alerts WHERE ctid = '{line}'")
    status, report, _ = lab.audit_of(sink, DATABASE_URL=postgres, ROLES="sink,score")
    lab.equal("a row that is missing is found by the audit", (status, report["faults"]["row_missing"]), (1, 1))

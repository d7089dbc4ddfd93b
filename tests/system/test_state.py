#!/usr/bin/env python3
"""Current records on a real Kafka: random partial events in Avro, JSON, CloudEvents and as Debezium's changes of rows, merged here once more
in plain Python, with scorers killed while they score and while they restore; then what must not be taken for this group's state."""
import io
import json
import os
import random
import signal
import struct
import time
from datetime import datetime, timezone

from lab import BIN, TOPICS, Lab, decode_prediction, frame_id
import fastavro  # after lab, which goes on in the tests' own environment
from check_records import read_state
from current_records import EVENT, FIELDS, NAMES, NOTHING, Model
from faults import FAULTS_BIN
from confluent_kafka import Producer

EVENTS, EMPLOYEES, KILLS = int(os.environ.get("STATE_EVENTS", 20000)), int(os.environ.get("STATE_EMPLOYEES", 600)), 4
STATE = "attrition-state"
HEAD = struct.pack(">bI", 0, frame_id("event"))


# --- random events ---

def random_value(rng, field):
    if rng.random() < 0.1:
        return None
    if "values" in field:
        return rng.choice(field["values"])
    low, high = field["range"]
    if field["name"] in ("TotalWorkingYears", "YearsAtCompany"):
        return rng.randint(10, 30)
    return rng.randint(low, min(high, 12 if field["name"].startswith("Years") else high))


def random_event(rng, number, employee, now):
    kind = rng.choices(("SNAPSHOT", "HIRED", "TERMINATED", "CHANGED"), (12, 3, 2, 83))[0]
    occurred_at = now - (rng.randint(0, 20000) if rng.random() < 0.1 else 0)
    attributes, changed = dict(NOTHING), None
    if kind == "CHANGED" and rng.random() < 0.97:
        listed = rng.sample(FIELDS, rng.randint(1, len(FIELDS)) if rng.random() < 0.98 else 0)
        changed = [field["name"] for field in listed]
        attributes.update({field["name"]: random_value(rng, field) for field in listed})
        for name in rng.sample(NAMES, 3): # of no account
            if name not in changed and not name.startswith("Years"):
                attributes[name] = random_value(rng, FIELDS[NAMES.index(name)])
    else:
        attributes = {field["name"]: random_value(rng, field) for field in FIELDS}
        attributes.update(TotalWorkingYears=40, YearsAtCompany=30, Age=rng.randint(18, 60))
    return {"event_id": f"e{number}", "event_type": kind, "employee_id": employee, "occurred_at": occurred_at,
            "changed": changed, "attributes": attributes}


def random_stream(rng):
    """(key or None, event or None)…"""
    for number in range(EVENTS):
        employee, now = f"p{rng.randrange(EMPLOYEES)}", 1_700_000_000_000 + number * 100
        if rng.random() < 0.01:
            yield employee, None
        elif rng.random() < 0.02:
            yield None, random_event(rng, number, employee, now)
        else:
            yield employee, random_event(rng, number, employee, now)


def encode(event):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, EVENT, event)
    return HEAD + out.getvalue()


# --- the forms that events come in: (value, headers), and what the model is to take them for ---

UNAVAILABLE = "__debezium_unavailable_value"
TEXTS = [field["name"] for field in FIELDS if "values" in field]


def iso(ms):
    return datetime.fromtimestamp(ms / 1000, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(rng, event):
    """The event by the schema's names; a list may be left out where the names say as much."""
    attributes, changed = dict(event["attributes"]), event["changed"]
    plain = {"event_id": event["event_id"], "event_type": event["event_type"], "employee_id": event["employee_id"], "occurred_at": iso(event["occurred_at"])}
    if changed is not None and rng.random() < 0.5:
        attributes = {name: attributes[name] for name in changed}
    elif changed is not None or event["event_type"] == "CHANGED":
        plain["changed"] = changed
        attributes = {name: value for name, value in attributes.items() if value is not None or rng.random() < 0.5} # absent or null: missing
    plain["attributes"] = attributes
    members = list(plain.items())
    rng.shuffle(members)
    return dict(members)


def cloud(event, data):
    return {"specversion": "1.0", "type": "hr.employee", "source": "/hr", "id": event["event_id"], "time": iso(event["occurred_at"]),
            "subject": event["employee_id"], "data": data}


def in_cloud(rng, event):
    """Structured or binary, around an event or around its attributes with what they are."""
    data = as_json(rng, event)
    if (data["attributes"] or "changed" in data) and rng.random() < 0.5:
        data = {**data.pop("attributes"), **{name: data[name] for name in ("event_type", "changed") if name in data}}
    whole = cloud(event, data)
    if rng.random() < 0.5:
        return json.dumps(whole).encode(), []
    return json.dumps(data).encode(), [(f"ce_{name}", whole[name].encode()) for name in ("specversion", "type", "source", "id", "time", "subject")]


def as_change(rng, event):
    """A row of a table that changed, of which the connector may have left out texts that did not; the event that it is."""
    row = {"EmployeeNumber": event["employee_id"], **event["attributes"]}
    changed, source = None, {"connector": "postgresql", "ts_ms": event["occurred_at"]}
    if event["event_type"] == "TERMINATED":
        return json.dumps({"op": "d", "before": {"EmployeeNumber": event["employee_id"]}, "after": None, "source": source}).encode(), event
    if rng.random() < 0.5:
        left = rng.sample(TEXTS, rng.randint(1, 3))
        row.update({name: UNAVAILABLE for name in left})
        changed = [name for name in NAMES if name not in left]
    value = {"op": rng.choice("cru"), "before": None, "after": row, "source": source}
    return json.dumps({"payload": value} if rng.random() < 0.3 else value).encode(), {**event, "event_type": "CHANGED" if changed else "SNAPSHOT", "changed": changed}


def in_some_form(rng, event):
    """(value, headers, the event as it is to be taken; its event_id is None where its place makes it)"""
    kind = rng.random()
    if kind < 0.4:
        return encode(event), [], event
    if kind < 0.7:
        return json.dumps(as_json(rng, event)).encode(), [], event
    if kind < 0.85 or event["changed"] is not None or event["event_type"] == "HIRED":
        return *in_cloud(rng, event), event
    value, taken = as_change(rng, event)
    return value, [], {**taken, "event_id": None}


def send(lab, kafka, model, rng, stream):
    """Sends it, and lets the model take it as it came to lie in the partitions."""
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "enable.idempotence": True, "linger.ms": 5})
    placed, failed = {}, []
    for key, event in stream:
        value, headers, taken = (None, [], None) if event is None else in_some_form(rng, event)

        def report(error, message, key=key, event=taken):
            failed.append(error) if error else placed.setdefault((message.partition(), message.offset()), (key, event))
        producer.produce("employee-events", key=key, value=value, headers=headers, callback=report)
        producer.poll(0)
    producer.flush(60)
    lab.equal("events sent", (len(placed), failed), (EVENTS, []))
    for (partition, offset), (key, event) in sorted(placed.items(), key=lambda item: item[0]):
        if event is not None and event["event_id"] is None:
            event["event_id"] = f"employee-events/{partition}/{offset}"
        model.take(partition, offset, key, event)


# --- comparing ---

def check_results(lab, kafka, model, name):
    predictions = {}
    for message in lab.consume(kafka, TOPICS[1]):
        if message.value() is not None:
            prediction = decode_prediction(message.value())
            predictions.setdefault(prediction["event_id"], []).append(prediction)
    lab.equal(f"{name}: predictions, each once", (len(predictions), max(map(len, predictions.values()))), (len(model.scored), 1))
    wrong = [event for event, found in predictions.items() if found[0]["attributes"] != model.scored.get(event)]
    lab.equal(f"{name}: attributes are those of the record at that moment", wrong[:5], [])
    letters = [dict(message.headers()) for message in lab.consume(kafka, TOPICS[2])]
    codes, wanted = {}, {}
    for letter in letters:
        code = letter["attrition.error.code"].decode()
        codes[code] = codes.get(code, 0) + 1
    for code in model.letters.values():
        wanted[code] = wanted.get(code, 0) + 1
    lab.equal(f"{name}: dead letters by code", codes, wanted)
    lab.equal(f"{name}: outcomes", len(lab.consume(kafka, TOPICS[3])), len(model.outcomes))
    return {event: found[0] for event, found in predictions.items()}


def check_state(lab, kafka, model, predictions, name):
    records, positions = read_state(lab, kafka, STATE)
    found = {place: (record["occurred_at"], record["attributes"]) for place, record in records.items()}
    lab.equal(f"{name}: employees in the state topic", len(found), len(model.records))
    lab.equal(f"{name}: their records", [place for place in model.records if found.get(place) != model.records[place]][:5], [])
    lab.equal(f"{name}: the events that they are of", [place for place in found if records[place]["source"]["offset"] != model.sources[place]][:5], [])
    by_source = {(p["source"]["partition"], p["source"]["offset"]): p for p in predictions.values()}
    scored = [(record, by_source[record["source"]["partition"], record["source"]["offset"]]) for record in records.values()
              if record["attributes"] is not None]
    lab.check(f"{name}: with the predictions of their events", all(record["prediction"]["margin"] == p["margin"] for record, p in scored), len(scored))
    ends = {message.partition(): message.offset() + 1 for message in sorted(lab.consume(kafka, TOPICS[0]), key=lambda m: m.offset())}
    lab.equal(f"{name}: positions", {p: offset for p, offset in positions.items()}, ends)


def check_scores(lab, predictions, model):
    """Bit by bit those that `scorer score` gives the whole records, which know nothing of merging."""
    events, wrong, count = sorted(predictions), [], 0
    for first in range(0, len(events), 10000):
        chosen = events[first:first + 10000]
        lines = "".join(json.dumps({"attributes": model.scored[event]}) + "\n" for event in chosen)
        out = lab.must(BIN / "scorer", "score", "--model", "models:/attrition@production", input=lines)
        scores = [json.loads(line) for line in out.splitlines()]
        wrong += [event for event, score in zip(chosen, scores, strict=True)
                  if any(score[name] != predictions[event][name] for name in ("margin", "probability"))]
        count += len(scores)
    lab.equal("margins and probabilities are those of the whole records, bit by bit", (count, wrong[:5]), (len(model.scored), []))


# --- scorers that are killed ---

def kill_in_restore(lab, name, count, **env):
    """At the n-th record that it reads back; whether it was killed there."""
    victim = lab.scorer(name, program=FAULTS_BIN / "scorer", FAILPOINT=f"score.restore:{count}:kill", **env)
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and victim.alive():
        time.sleep(0.02)
    reached = victim.popen.poll() == -signal.SIGKILL and "current records of employees" not in victim.text()
    victim.kill()
    return reached


def kill_in_scoring(lab, name, rng, **env):
    victim = lab.scorer(name, **env)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and victim.alive() and not victim.counter("events_scored_total"):
        time.sleep(0.01)
    time.sleep(rng.random() * 0.3)
    victim.kill()


def score_with_kills(lab, kafka, rng, **env):
    """Some score for a moment, each is followed by one that is killed while it reads their records back, the last comes to the end."""
    restoring = 0
    for kill in range(KILLS):
        kill_in_scoring(lab, f"victim-{kill}", rng, **env)
        restoring += kill_in_restore(lab, f"victim-{kill}-restoring", (1, 20, 40, 80)[kill], **env) # the first one has left some eighty
    lab.equal("kills while records are read back", restoring, KILLS)
    last = lab.scorer("last", "--exit-at-end", **env)
    lab.need("the last scorer comes to the end", lambda: not last.alive(), 120)
    lab.equal("its exit status", last.popen.returncode, 0)
    return last


def check_refusals(lab, kafka, env):
    """What is not this group's state, or not of this moment, ends the scorer with one message."""
    def refused(what, *patterns, **more):
        scorer = lab.scorer(f"refused-{what.replace(' ', '-')}", **{**env, **more})
        lab.wait(f"{what}: it ends", lambda: not scorer.alive(), 120)
        lab.one_line(f"{what}: and says why", scorer.text(), *patterns)
        scorer.kill()
    refused("another group", "group attrition-scorer", "STATE_TOPIC", GROUP_ID="another")
    lab.create_topics(kafka, ["narrow-state"], 3)
    refused("another topic, of fewer partitions", "narrow-state", "is empty", "STATE_TOPIC is another one", STATE_TOPIC="narrow-state")
    refused("a topic that is missing", "missing-state", "create", STATE_TOPIC="missing-state")
    lab.create_topics(kafka, ["foreign-state"], 4)
    Producer({"bootstrap.servers": kafka}).produce("foreign-state", key="p1", value="{}", partition=0)
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce("foreign-state", key="p1", value="{}", partition=0)
    producer.flush(120)
    refused("foreign records", "foreign-state", "offset 0", "another STATE_TOPIC", STATE_TOPIC="foreign-state")
    producer = Producer({"bootstrap.servers": kafka})
    key = next(message.key() for message in lab.consume(kafka, STATE) if message.value() and message.key() != b"\x01position")
    for partition in range(4):
        producer.produce(STATE, key=key, partition=partition) # a null value that no scorer wrote
    producer.flush(120)
    refused("a record that is missing", "current records, and there were")
    reset_offsets(lab, kafka, 5)
    refused("offsets that were reset", "has committed 5", "--to-offset")


def reset_offsets(lab, kafka, offset):
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    def committed():
        consumer = Consumer({"bootstrap.servers": kafka, "group.id": "attrition-scorer"})
        try:
            consumer.commit(offsets=[TopicPartition("employee-events", p, offset) for p in range(4)], asynchronous=False)
            return True
        except KafkaException:
            return False # the group still has its static member
        finally:
            consumer.close()
    lab.wait("the group is without members, and its offsets are set back", committed, 40)


with Lab() as lab:
    rng, model = random.Random(int(os.environ.get("STATE_SEED", 1))), Model()
    lab.model()
    kafka = lab.kafka()
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "ROLES": "score", "MODEL_URI": "models:/attrition@production", "STATE_TOPIC": STATE,
           "KAFKA_AUTO_OFFSET_RESET": "earliest", "NULL_VALUE": "erase", "INSTANCE_ID": "one", "COMMIT_EVENTS": "500",
           "KAFKA_SESSION_TIMEOUT_MS": "6000"}
    status, out, err = lab.run(BIN / "scorer", "check", "--create-topics", env=env)
    lab.one_line("check makes the state topic", out + err, STATE, "made just now")
    status, out, err = lab.run(BIN / "scorer", "check", env=env)
    lab.equal("and finds nothing wrong with it", [line for line in (out + err).splitlines() if STATE in line and "ok" not in line], [])
    send(lab, kafka, model, rng, random_stream(rng))
    score_with_kills(lab, kafka, rng, **env)
    predictions = check_results(lab, kafka, model, "after kills")
    check_state(lab, kafka, model, predictions, "after kills")
    check_scores(lab, predictions, model)
    check_refusals(lab, kafka, env)

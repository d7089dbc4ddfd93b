#!/usr/bin/env python3
"""`producer dlq` against a real Kafka: one letter in full, and a replay that never brings a person back who has been erased since the
event became a dead letter, whether or not the scorer has handled the request yet."""
import json
import struct

from confluent_kafka import Producer

from lab import BIN, Lab, encode_event, schema

ATTRIBUTES = {field["name"]: None for field in next(
    field for field in schema("employee_event.avsc")["fields"] if field["name"] == "attributes")["type"]["fields"]}
MAP = {"key": "/emp/no", "employee_id": "/emp/no", "attributes": {"Age": "/age"}}
UNKNOWN = struct.pack(">bI", 0, 99)  # a schema id that nobody knows: such a value says nothing of whose it is


def event(employee, number, age=41, kind="SNAPSHOT"):
    return encode_event({"event_id": f"{employee}-{number}", "event_type": kind, "employee_id": employee,
                         "occurred_at": 1_700_000_000_000 + number, "attributes": {**ATTRIBUTES, "Age": age}})


def mapped_key(employee):
    """Names somebody through the mapping alone."""
    return json.dumps({"emp": {"no": employee}, "company": 1})


def mapped(employee):
    return json.dumps({"emp": {"no": employee}, "age": 400})


def send(kafka, records):
    """Order within a partition is theirs. A record: key, value, and a partition where the key does not choose it."""
    producer, failures = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "enable.idempotence": True}), []
    for key, value, *partition in records:
        producer.produce("employee-events", value, key, *partition, on_delivery=lambda error, _: error and failures.append(error))
    assert producer.flush(120) == 0 and not failures, failures


def dlq(lab, *words):
    status, out, err = lab.run(BIN / "producer", "dlq", *words)
    return status, out, err


def replay(lab, *words):
    status, out, err = dlq(lab, "replay", "--json", *words)
    return status, json.loads(out.splitlines()[-1]) if out else {}, err


def ended(scorer, count):
    return lambda: scorer.counter("events_received_total") >= count and not scorer.counter("events_in_flight")


with Lab() as lab:
    kafka = lab.kafka()
    lab.env["KAFKA_BOOTSTRAP_SERVERS"] = kafka
    (lab.dir / "map.json").write_text(json.dumps(MAP))
    lab.env["INPUT_MAP"] = str(lab.dir / "map.json")
    lab.model()
    scorer = lab.scorer(ROLES="score,http")
    lab.ready(scorer)

    # kept: replayed; gone: erased since, handled by the scorer; late: erased since, not handled yet; back: erased, then hired again,
    # and that event is the letter; blind: an unreadable value under the key of one who was erased. map-kept,
    # map-gone: JSON that only the mapping reads, key and value; json-key: JSON with a fault, and its value names one who was erased.
    records = [("kept", event("kept", 1, 400)), ("gone", event("gone", 1, 400)), ("late", event("late", 1, 400)), ("blind", UNKNOWN + b"x"),
               ("back", None), ("back", event("back", 2, 400)), ("wrong-key", event("gone", 3, None, "TERMINATED")), ("gone", None), ("blind", None),
               (mapped_key("map-kept"), mapped("map-kept")), (mapped_key("map-gone"), mapped("map-gone")), (mapped_key("map-gone"), None),
               ("json-key", '{"employee_id":"json-gone","attributes":{"Age":"41"}}', 0), ("json-gone", None, 0)]
    send(kafka, records)
    lab.need("every event has its end", ended(scorer, len(records)), 60, scorer)
    lab.equal("dead letters", scorer.counter("events_dead_lettered_total"), 9)
    lab.equal("the scorer ends", scorer.end(), 0)
    send(kafka, [("late", None)])

    letters = {m.key().decode(): m for m in lab.consume(kafka, "employee-events-dlq")}
    place = {key: f"{m.partition()}:{m.offset()}" for key, m in letters.items()}
    status, out, err = dlq(lab, "show", place["kept"])
    lab.equal("show: exit status", status, 0)
    lab.one_line("show: where it came from", out, "^  topic +employee-events$")
    lab.one_line("show: the fault is marked", out, "^  Age +400 +<-- out_of_range: outside 18 to 100")
    lab.one_line("show: whose it is", out, "^  employee_id +kept$")
    print("\n".join("# " + line for line in out.splitlines()[:20]))
    status, out, err = dlq(lab, "show", "--json", place["blind"], place["wrong-key"])
    found = [json.loads(line) for line in out.splitlines()]
    lab.equal("show --json: faults", [[fault["code"] for fault in letter["faults"]] for letter in found], [["unknown_schema_id"], ["key_mismatch"]])
    lab.equal("show --json: the value's bytes", bytes.fromhex(found[0]["value_hex"]), UNKNOWN + b"x")
    status, out, err = dlq(lab, "show", place["blind"])
    lab.one_line("show: what cannot be decoded is shown in hexadecimal", out, "000000 +00 00 00 00 63 78 +....cx")
    status, out, err = dlq(lab, "show", place[mapped_key("map-kept")])
    lab.one_line("show: whose a mapped event is", out, "^  employee_id +map-kept$")
    lab.one_line("show: a mapped event's fault is marked", out, "^  Age +400 +<-- out_of_range: outside 18 to 100")
    for words in ((), ("12",), ("x:1",)):
        lab.equal(f"show {' '.join(words)}: usage", dlq(lab, "show", *words)[0], 2)
    for words in (("show", "--code", "malformed", "0:1"), ("show", "--partition", "0", "0:1"), ("list", "--again"), ("list", "--max-replays", "1")):
        status, out, err = dlq(lab, *words)
        lab.equal(f"{' '.join(words)}: usage", status, 2)
        lab.one_line(f"{' '.join(words)}: why", err, f"dlq {words[0]}: {words[1]} is for")
    status, out, err = dlq(lab, "show", "0:999999")
    lab.equal("show of no letter: exit status", status, 1)
    lab.one_line("show of no letter: one line", err, "holds no letter 0:999999", "dlq list")

    wanted = (3, 6)  # kept, back and map-kept; gone, late, blind, wrong-key, map-gone and json-key stay
    status, found, err = replay(lab, "--dry-run")
    lab.equal("a dry run: replayed, erased", (found.get("replayed"), found.get("erased")), wanted)
    before = len(lab.consume(kafka, "employee-events"))
    status, found, err = replay(lab)
    lab.equal("replay: exit status, replayed, erased", (status, found.get("replayed"), found.get("erased")), (0, *wanted))
    lab.one_line("replay says why", err, "not replayed: the employee has been erased since")
    sent = [m.key().decode() for m in lab.consume(kafka, "employee-events")]
    lab.equal("what is in the input topic again", sorted(sent.count(key) for key in ("kept", "back", "gone", "late", "blind", "wrong-key")),
              sorted((2, 3, 2, 2, 2, 1)))
    lab.equal("records added", len(sent) - before, 3)
    status, found, err = replay(lab, "--again")
    lab.equal("--again does not bring them back either", (status, found.get("replayed"), found.get("erased")), (0, *wanted))

    scorer = lab.scorer("second", ROLES="score,http")
    lab.ready(scorer)
    lab.wait("the request that was late is handled", ended(scorer, 7), 60, scorer)
    people = {m.key().decode() for m in lab.consume(kafka, "attrition-predictions") if m.value() is not None}
    lab.equal("nobody of the erased is scored", sorted(people & {"gone", "late", "blind", "map-gone", "json-gone"}), [])
    status, found, err = replay(lab, "--again", "--code", "out_of_range", "--max-replays", "0")
    lab.equal("nothing to replay: exit status", (status, found.get("replayed")), (0, 0))

#!/usr/bin/env python3
"""`scorer decode --framed`: what lies in the topics of a scorer, read with kcat and shown as JSON, and every input that is none of it."""
import json
import struct
import uuid

from lab import BIN, ROOT, Lab, encode_event, frame_id, schema

import datetime
import io
import fastavro

WHEN = datetime.datetime(2026, 1, 31, 10, tzinfo=datetime.timezone.utc)
EVENT = {"event_id": "a", "event_type": "SNAPSHOT", "employee_id": "7", "occurred_at": WHEN, "attributes": {"Age": 41, "OverTime": "Yes"}}


def decode(lab, data, *words, env=None):
    """(status, parsed lines, stderr)"""
    status, out, err = lab.run(BIN / "scorer", "decode", "--framed", *words, input=data, env={"SCHEMAS_DIR": str(ROOT / "schemas"), **(env or {})})
    return status, [json.loads(line) for line in out.decode().splitlines()], err.decode()


def raw(*values):
    return b"".join(struct.pack(">i", -1 if value is None else len(value)) + (value or b"") for value in values)


def hexadecimal(*values):
    return "".join(value.hex() + "\n" for value in values).encode()


def check_values(lab):
    event = encode_event(EVENT)
    text = b'{ "employee_id" : "7",\n\t"attributes": {"Age": 41, "Department": "R & D \\" }"} }'
    status, lines, err = decode(lab, raw(event, None, text, b""), "--raw")
    lab.equal("raw: a frame, null, JSON, and an empty value", (status, len(lines), lines[1], lines[2], lines[3]["error"]["code"], err),
              (0, 4, None, {"employee_id": "7", "attributes": {"Age": 41, "Department": 'R & D " }'}}, "bad_frame", ""))
    lab.equal("the frame is its record, in Avro's JSON", (lines[0]["event_id"], lines[0]["occurred_at"], lines[0]["attributes"]["Age"], lines[0]["changed"]),
              ("a", int(WHEN.timestamp() * 1000), {"int": 41}, None))
    lab.equal("hexadecimal lines say the same", decode(lab, hexadecimal(event, text))[1], [lines[0], lines[2]])
    old = io.BytesIO()
    fastavro.schemaless_writer(old, schema("employee_event.2.avsc"), EVENT)
    status, lines, _ = decode(lab, raw(struct.pack(">bI", 0, 1900000001) + old.getvalue()), "--raw")
    lab.equal("an earlier schema's frame is shown as it was written", (lines[0]["event_id"], "changed" in lines[0]), ("a", False))
    big = json.dumps({"text": "x" * 300_000}).encode()
    lab.equal("values larger than a read", [len(line["text"]) for line in decode(lab, raw(big, big, big), "--raw")[1]], [300_000] * 3)


def check_faults(lab):
    event, guid = encode_event(EVENT), uuid.uuid4()
    values = (event, struct.pack(">bI", 0, 4711) + event[5:], event[:40], b"\1" + guid.bytes, b"\2nonsense", b'{"a":', b'{"a":1,"a":2}', b"\0\0", event)
    status, lines, err = decode(lab, raw(*values), "--raw")
    lab.equal("each bad value is answered at its place, with its number", (status, [(line.get("record"), line.get("error", {}).get("code")) for line in lines]),
              (0, [(None, None), (2, "unknown_schema_id"), (3, "malformed"), (4, "unknown_schema_id"), (5, "bad_frame"), (6, "malformed"), (7, "malformed"),
                   (8, "bad_frame"), (None, None)]))
    lab.check("… which says what is wrong", "4711" in lines[1]["error"]["message"] and str(guid) in lines[3]["error"]["message"], lines[1]["error"]["message"])
    lab.equal("a line that is no hexadecimal", [line.get("record") for line in decode(lab, b"00zz\n" + hexadecimal(event))[1]], [1, None])
    for what, data, number, shown in (("a value that is cut off", raw(event, event)[:-3], 2, 1), ("a length that is cut off", raw(event) + b"\0\0", 2, 1),
                                      ("bytes that are no lengths", b"hello world" * 10, 1, 0), ("a length below -1", raw(event) + b"\xff\xff\xff\xfe", 2, 1)):
        status, lines, err = decode(lab, data, "--raw")
        lab.check(f"{what}: status 1, and which record", status == 1 and f"record {number}" in err and len(lines) == shown and err.count("\n") == 1, err.strip())
    for words in (("--raw", "--writer-schema", "x"), ("--reader-schema", "x"), ("one", "two")):
        lab.equal(f"usage: {' '.join(words)}", decode(lab, b"", *words)[0], 2)
    status, _, err = lab.run(BIN / "scorer", "decode", "--raw", "--writer-schema", ROOT / "schemas/employee_event.avsc", input="")
    lab.equal("usage: --raw without --framed", (status, "--framed" in err), (2, True))
    lab.equal("a file that is not there", decode(lab, b"", lab.dir / "none")[0], 1)


def check_topics(lab, broker):
    """What kcat writes of a scorer's own topics."""
    from confluent_kafka import Producer
    scorer = lab.scorer("scorer", KAFKA_BOOTSTRAP_SERVERS=broker, ROLES="score", NULL_VALUE="erase", STATE_TOPIC="state")
    lab.ready(scorer)
    producer = Producer({"bootstrap.servers": broker})
    for key, value in (("7", encode_event(EVENT)), ("8", json.dumps({"employee_id": "8", "attributes": {"Age": 411}})), ("7", None),
                       ("9", json.dumps({"employee_id": "9", "event_type": "TERMINATED"}))):
        producer.produce("employee-events", value, key)
    producer.flush(120)
    lab.wait("four events came to their end", lambda: sum(scorer.counter(f"events_{end}_total") for end in ("scored", "dead_lettered", "erased", "outcome")) == 4, 30, scorer)
    found = {}
    for topic in ("attrition-predictions", "employee-events-dlq", "attrition-outcomes", "state"):
        lab.consume(broker, topic)  # whose readers see what is counted a moment later
        status, out, err = lab.run("kcat", "-b", broker, "-t", topic, "-C", "-e", "-q", "-f", "%R%s", input=b"")
        found[topic] = decode(lab, out, "--raw")[1]
    lab.equal("predictions, and the null value of an erasure", sorted(line["event_id"] if line else "null" for line in found["attrition-predictions"]), ["a", "null"])
    lab.equal("a dead letter has its record's own value", found["employee-events-dlq"], [{"employee_id": "8", "attributes": {"Age": 411}}])
    lab.equal("an outcome is an event", [(line["employee_id"], line["event_type"]) for line in found["attrition-outcomes"]], [("9", "TERMINATED")])
    lab.check("current records are shown too", len(found["state"]) > 2 and not any(line and "error" in line for line in found["state"]), len(found["state"]))
    lab.equal("it ends in time", scorer.end(), 0)


def check_registry(lab):
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
    url = lab.registry()
    writer = {"type": "record", "name": "Theirs", "fields": [{"name": "note", "type": "string"}]}
    number = SchemaRegistryClient({"url": url}).register_schema("theirs", Schema(json.dumps(writer), "AVRO"))
    value = struct.pack(">bI", 0, number) + b"\4hi"
    env = {"SCHEMA_REGISTRY_URL": url}
    lab.equal("a registry's schema is asked for", decode(lab, raw(value, value), "--raw", env=env)[1], [{"note": "hi"}] * 2)
    lab.equal("without it the id is unknown", decode(lab, raw(value), "--raw")[1][0]["error"]["code"], "unknown_schema_id")
    lab.check("an id that it does not know either", "nor known" in decode(lab, raw(struct.pack(">bI", 0, 99999)), "--raw", env=env)[1][0]["error"]["message"])


with Lab() as lab:
    lab.model()
    check_values(lab)
    check_faults(lab)
    check_topics(lab, lab.kafka(topics=("employee-events", "attrition-predictions", "employee-events-dlq", "attrition-outcomes", "state")))
    check_registry(lab)

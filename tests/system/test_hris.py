#!/usr/bin/env python3
"""What HR systems really send: repeats, disorder, null keys, foreign keys, terminations, requests to forget, records that
lack what is required, an input topic that is compacted. Each offset comes to the one end the contract gives it, counters,
topics and tables add up, and dead letters come back by `producer dlq replay` once what they failed on is fixed."""
import io
import json
import shutil
import struct
from collections import Counter

from lab import BIN, ROOT, Lab, decode_prediction, encode_event
import fastavro
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

REQUIRED, PARTIAL_ID, STEADY, COMPACTED = ("Age", "Department"), 1900000099, 200, 60
EPOCH = 1_700_000_000_000
SHIPPED = json.loads((ROOT / "schemas/employee_event.avsc").read_text())
NULLS = {field["name"]: None for field in SHIPPED["fields"][-1]["type"]["fields"]}
FULL = {"Age": 40, "Department": "Sales", "OverTime": "Yes", "MonthlyIncome": 3000, "JobRole": "Sales Executive"}


def record(employee, number, kind="CHANGED", **changes):
    return {"event_id": f"{employee}-{number}", "event_type": kind, "employee_id": employee, "occurred_at": EPOCH + number,
            "attributes": {**NULLS, **FULL, **changes}}


def event(*words, **changes):
    return encode_event(record(*words, **changes))


def partial_schema():
    """A writer that does not know the second required field at all."""
    partial = json.loads(json.dumps(SHIPPED))
    attributes = partial["fields"][-1]["type"]
    attributes["fields"] = [field for field in attributes["fields"] if field["name"] != REQUIRED[1]]
    return partial


def partial_event(employee):
    out = io.BytesIO(struct.pack(">bI", 0, PARTIAL_ID))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, fastavro.parse_schema(partial_schema()), record(employee, 1))
    return out.getvalue()


def schemas(directory, required, highest):
    """The shipped schemas with required fields and another range, and the partial writer's schema beside them."""
    shutil.copytree(ROOT / "schemas", directory, ignore=shutil.ignore_patterns("history"))
    changed = json.loads(json.dumps(SHIPPED))
    for field in changed["fields"][-1]["type"]["fields"]:
        if field["name"] in REQUIRED and required:
            field["required"] = True
        if field["name"] == "MonthlyIncome":
            field["range"] = [0, highest]
    (directory / "employee_event.avsc").write_text(json.dumps(changed))
    (directory / "partial.avsc").write_text(json.dumps(partial_schema()))
    ids = json.loads((directory / "ids.json").read_text())
    ids["event"].insert(0, {"id": PARTIAL_ID, "file": "partial.avsc"})
    (directory / "ids.json").write_text(json.dumps(ids))
    return directory


def stream():
    """(records, how many come to each end, dead letters by code and field)."""
    records = [(f"s{n}", event(f"s{n}", 1000, "SNAPSHOT")) for n in range(STEADY)]
    records += [(f"s{n}", event(f"s{n}", 1000, "SNAPSHOT")) for n in range(0, STEADY, 4)]
    records += [(f"s{n}", event(f"s{n}", number)) for number in (5000, 3000) for n in range(0, STEADY, 5)]
    records += [(None, event(f"k{n}", 1)) for n in range(30)]
    records += [(f"g{n}", event(f"g{n}", 1)) for n in range(12)]
    scored = len(records)
    records += [(f"o{n}", event(f"o{n}", 2, "TERMINATED")) for n in range(10)]
    records += [(f"g{n}", None) for n in range(12)]
    dead = Counter()
    for code, field, letters in (
            ("key_mismatch", None, [("x", event(f"m{n}", 1)) for n in range(6)]),
            ("bad_id", None, [("", event("m9", 1))]),
            ("null_key", None, [(None, None)] * 5),
            ("missing_required", "Age", [(f"a{n}", event(f"a{n}", 1, Age=None)) for n in range(8)]),
            ("missing_required", "Department", [(f"p{n}", partial_event(f"p{n}")) for n in range(9)]),
            ("out_of_range", "MonthlyIncome", [(f"r{n}", event(f"r{n}", 1, MonthlyIncome=2_000_000)) for n in range(4)]),
            ("bad_frame", None, [("b", b"")] * 3)):
        dead[code, field] += len(letters)
        records += letters
    return records, {"scored": scored, "outcome": 10, "erased": 12, "dead_lettered": sum(dead.values())}, dead


def send(kafka, records, topic="employee-events"):
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "enable.idempotence": True})
    failures = []
    for key, value in records:
        producer.produce(topic, key=key, value=value, on_delivery=lambda error, _: error and failures.append(error))
        producer.poll(0)
    producer.flush(120)
    if failures:
        raise RuntimeError(f"{len(failures)} records were refused: {failures[0]}")


def text(message, name):
    value = dict(message.headers() or []).get(name)
    return value.decode() if value is not None else None


def letters_by_code(lab, kafka):
    return Counter((text(m, "attrition.error.code"), text(m, "attrition.error.field")) for m in lab.consume(kafka, "employee-events-dlq"))


def check_ends(lab, name, scorer, ends):
    counters = scorer.counters()
    get = lambda key: int(counters.get(f"attrition_{key}", 0))
    lab.equal(f"{name}: events received", get("events_received_total"), sum(ends.values()))
    for end, count in ends.items():
        lab.equal(f"{name}: {end}", get(f"events_{end}_total"), count)


def check_places(lab, kafka, ends):
    """Every offset of the input under exactly one end, by the places that outputs, dead letters and the rest name."""
    places = {(m.partition(), m.offset()) for m in lab.consume(kafka, "employee-events")}
    outputs = lab.consume(kafka, "attrition-predictions")
    scored = [decode_prediction(m.value())["source"] for m in outputs if m.value() is not None]
    dead = [(int(text(m, "__connect.errors.partition")), int(text(m, "__connect.errors.offset"))) for m in lab.consume(kafka, "employee-events-dlq")]
    named = [(place["partition"], place["offset"]) for place in scored] + dead
    lab.equal("no offset has two ends", len(named), len(set(named)))
    lab.equal("the other offsets are erasures and outcomes", len(places - set(named)), ends["erased"] + ends["outcome"])
    lab.equal("null values on the output topic", sum(m.value() is None for m in outputs), ends["erased"])
    outcomes = lab.consume(kafka, "attrition-outcomes")
    lab.equal("the outcome topic holds the terminations as they came", sorted(m.key() for m in outcomes if m.value() == event(m.key().decode(), 2, "TERMINATED")),
              [f"o{n}".encode() for n in range(10)])


def check_tables(lab, database, ends, dead):
    count = lambda table, where="true": lab.number(database, f"select count(*) from attrition.{table} where {where}")
    stored = lambda: count("predictions") + count("dead_letters") + count("outcomes") + count("erasures", "erased_at is not null")
    lab.wait("PostgreSQL has them all", lambda: stored() == sum(ends.values()) - ends["erased"], 30)
    lab.equal("rows of predictions, without those erased", count("predictions"), ends["scored"] - ends["erased"])
    lab.equal("receipts of erasures, one row each", lab.number(database, "select sum(predictions) from attrition.erasures where erased_at is not null"), ends["erased"])
    lab.equal("rows of outcomes", count("outcomes"), ends["outcome"])
    rows = {(code, field or None): int(number) for code, field, number in lab.sql(
        database, "select code, field, count(*) from attrition.dead_letters group by 1, 2")}
    lab.equal("rows of dead letters by code and field", rows, dict(dead))
    lab.equal("both of each repeat are logged", lab.number(
        database, "select count(*) from (select 1 from attrition.predictions group by event_id having count(*) = 2) as twice"), STEADY // 4)
    lab.equal("of events out of order both are logged", count("predictions", f"occurred_at = to_timestamp({EPOCH + 3000} / 1000.0)"), STEADY // 5)
    lab.equal("… and the newer is the latest", count("latest_predictions", f"occurred_at = to_timestamp({EPOCH + 5000} / 1000.0)"), STEADY // 5)
    lab.equal("… one row each employee", count("latest_predictions"), STEADY + 30)


def dlq(lab, kafka, *words, status=0):
    done, out, err = lab.run(BIN / "producer", "dlq", *words, "--json", env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    lab.equal(f"dlq {' '.join(map(str, words))}: exit status", done, status)
    if done != status:
        print(err)
    return [json.loads(line) for line in out.splitlines()]


def replay(lab, kafka, dead, *words):
    """Replays all letters that have a value; those with another code than what was fixed come back."""
    summary = dlq(lab, kafka, "replay", *words)[-1]
    with_value = sum(dead.values()) - dead["null_key", None]
    lab.equal("letters replayed, those without a value not", (summary["replayed"], summary["no_value"]), (with_value, dead["null_key", None]))
    return with_value


def compacted(lab, kafka, settings):
    """Offsets with gaps: what compaction took is no event, and what is left is scored once."""
    topics = [f"compacted-{name}" for name in ("in", "out", "dead", "outcome")]
    fast = {"cleanup.policy": "compact", "segment.ms": "300", "min.cleanable.dirty.ratio": "0.001", "max.compaction.lag.ms": "300"}
    admin = AdminClient({"bootstrap.servers": kafka})
    made = admin.create_topics([NewTopic(topic, 1, 1, config=fast if topic == topics[0] else {}) for topic in topics])
    for answer in made.values():
        answer.result(30)
    keys = COMPACTED
    send(kafka, [(f"c{n}", event(f"c{n}", number)) for number in range(10) for n in range(keys)], topics[0])
    sent = 10 * keys

    def shrunk():
        nonlocal sent
        send(kafka, [("c0", event("c0", sent))], topics[0])  # a segment is closed by a record that comes later
        sent += 1
        return len(lab.consume(kafka, topics[0])) < 2 * keys
    lab.wait("the broker has compacted the input", shrunk, 40)
    left = {m.offset() for m in lab.consume(kafka, topics[0])}
    lab.check("it has gaps", len(left) < max(left) + 1 == sent, f"{len(left)} of {sent} records are left")
    names = dict(zip(("INPUT_TOPIC", "OUTPUT_TOPIC", "DLQ_TOPIC", "OUTCOME_TOPIC"), topics))
    scorer = lab.scorer("compacted", "--exit-at-end", "--roles=score", **{**settings, **names, "GROUP_ID": "compacted"})
    lab.wait("the scorer comes to its end", lambda: not scorer.alive(), 40)
    lab.equal("… with status 0", scorer.popen.poll(), 0)
    lab.audit(scorer, "--roles=score")
    places = [decode_prediction(m.value())["source"]["offset"] for m in lab.consume(kafka, topics[1])]
    kept = {m.offset() for m in lab.consume(kafka, topics[0])}  # the broker may have gone on meanwhile
    lab.check("all that was left was scored, once", kept <= set(places) <= left and len(places) == len(set(places)), len(places))


with Lab(STATE_TOPIC="none") as lab:
    lab.model()
    kafka, database = lab.kafka("kafka", "log.cleaner.backoff.ms=200"), lab.postgres()
    strict, wide = schemas(lab.dir / "strict", True, 1_000_000), schemas(lab.dir / "wide", False, 3_000_000)
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, COMMIT_INTERVAL="20ms", SINK_INTERVAL="50ms", INSTANCE_ID="hris")
    records, ends, dead = stream()
    send(kafka, records)
    scorer = lab.scorer("strict", SCHEMAS_DIR=strict, **settings)
    lab.ready(scorer)
    lab.wait("every event has come to its end", lambda: scorer.counter("events_received_total") >= len(records) and not scorer.counter("events_in_flight"), 60, scorer)
    check_ends(lab, "strict", scorer, ends)
    lab.equal("dead letters by code and field", letters_by_code(lab, kafka), dead)
    check_places(lab, kafka, ends)
    check_tables(lab, database, ends, dead)
    groups = {(group["code"], group["field"]): (group["count"], group["replayed"]) for group in dlq(lab, kafka, "list")}
    lab.equal("dlq list says the same", groups, {key: (count, 0) for key, count in dead.items()})
    lab.equal("the scorer ends with status 0", scorer.end(), 0)
    lab.audit(scorer)

    scorer = lab.scorer("wide", SCHEMAS_DIR=wide, **settings)
    lab.ready(scorer)
    replayed = replay(lab, kafka, dead)
    fixed = sum(count for (code, _), count in dead.items() if code in ("missing_required", "out_of_range"))
    lab.wait("what was replayed has come to its end", lambda: scorer.counter("events_received_total") >= replayed and not scorer.counter("events_in_flight"), 40, scorer)
    check_ends(lab, "wide", scorer, {"scored": fixed, "dead_lettered": replayed - fixed})
    again = [m for m in lab.consume(kafka, "employee-events-dlq") if text(m, "attrition.replay.count")]
    lab.equal("what nothing fixes came back, counted", Counter((text(m, "attrition.error.code"), text(m, "attrition.replay.count"), text(m, "attrition.error.attempt")) for m in again),
              Counter({("key_mismatch", "1", "2"): 6, ("bad_id", "1", "2"): 1, ("bad_frame", "1", "2"): 3}))
    refused = dlq(lab, kafka, "replay", "--max-replays", "1")[-1]
    lab.equal("… and is not sent a second time at --max-replays 1", (refused["replayed"], refused["max_replays"]), (0, len(again)))
    lab.equal("the scorer ends with status 0", scorer.end(), 0)
    lab.audit(scorer)
    compacted(lab, kafka, settings)

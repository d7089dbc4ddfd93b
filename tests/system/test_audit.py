#!/usr/bin/env python3
"""`scorer audit` on a real Kafka and PostgreSQL: a run with aborted transactions, markers, dead letters, erasures, outcomes and
HTTP predictions is clean; every fault planted by hand is found at its place, each once and nothing else; what retention deleted is
reported as such."""
import io
import json
import struct
import time
import urllib.request

from lab import BIN, ROOT, TOPICS, Lab, decode_prediction, delete_records, encode_event, frame_id, schema, watermarks
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

EMPLOYEES, ROUNDS = 60, 20
INPUT, OUTPUT, DLQ, OUTCOMES = TOPICS
OTHERS = tuple(f"kept-{topic}" for topic in TOPICS)
GROUP = "attrition-scorer"
STATE = GROUP + "-state"


def event(employee, number, kind="SNAPSHOT"):
    attributes = {"Age": 20 + number % 40, "Department": "Sales", "OverTime": "Yes", "MonthlyIncome": 3000 + number, "JobRole": "Sales Executive"}
    return encode_event({"event_id": f"{employee}/{number}", "event_type": kind, "employee_id": employee,
                         "occurred_at": 1_700_000_000_000 + number, "attributes": {**EMPTY, **attributes}})


def encode_prediction(record):
    import fastavro
    out = io.BytesIO(struct.pack(">bI", 0, frame_id("prediction")))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, schema("prediction.avsc"), record)
    return out.getvalue()


class Topics:
    """Producing by hand, each record's place returned."""

    def __init__(self, kafka):
        self.kafka = kafka
        self.plain = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "enable.idempotence": True})

    def send(self, topic, key, value, partition=-1, headers=None):
        places = []
        words = {"partition": partition} if partition >= 0 else {}
        self.plain.produce(topic, key=key, value=value, headers=headers, on_delivery=lambda error, message: places.append((error, message)), **words)
        self.plain.flush(120)
        error, message = places[0]
        if error:
            raise RuntimeError(f"{topic}: {error}")
        return message.partition(), message.offset()

    def send_aborted(self, records):
        """Records that no reader of committed records sees; their places."""
        places = []
        producer = Producer({"bootstrap.servers": self.kafka, "transactional.id": f"aborted-{time.monotonic()}"})
        producer.init_transactions(120)
        producer.begin_transaction()
        for topic, key, value, partition in records:
            producer.produce(topic, key=key, value=value, partition=partition, on_delivery=lambda _, message: places.append((message.partition(), message.offset())))
        producer.flush(120)
        producer.abort_transaction(120)
        return places

    def ends(self, topic):
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": "ends"})
        ends = {partition: watermarks(consumer, topic, partition)[1] for partition in range(4)}
        consumer.close()
        return ends

    def commit_to_end(self, topic=INPUT, group=GROUP):
        """The group's offsets, moved by hand to the input's end: what lies between is skipped. Static members leave the group late."""
        places = [TopicPartition(topic, partition, offset) for partition, offset in self.ends(topic).items()]
        client = AdminClient({"bootstrap.servers": self.kafka})
        for _ in range(240):
            answers = client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, places)]).values()
            errors = [place.error for answer in answers for place in answer.result(60).topic_partitions if place.error]
            if not errors:
                return
            time.sleep(0.5)
        raise RuntimeError(f"moving the offsets of {group}: {errors[0]}")


def fill(lab, topics, scorer, source=INPUT):
    """Employees with many events each, so that their order counts; with every kind of end."""
    for number in range(ROUNDS):
        for n in range(EMPLOYEES):
            topics.plain.produce(source, key=f"e{n}", value=event(f"e{n}", number))
        topics.plain.produce(source, key="bad", value=b"no event")
        if number % 5 == 0:
            topics.plain.produce(source, key=f"e{number}", value=event(f"e{number}", number, "TERMINATED"))
            topics.plain.produce(source, key=f"e{number + 1}", value=None)
            topics.plain.produce(source, key="nobody", value=None)
        topics.plain.flush(120)
        time.sleep(0.02)
    topics.send_aborted([(source, "e1", event("e1", 7777), partition) for partition in range(4)])
    for number in range(3):
        body = json.dumps({"employee_id": f"h{number}", "attributes": {"Age": 41, "OverTime": "Yes"}}).encode()
        request = urllib.request.Request(f"http://{scorer.http}/predict", body, {"Content-Type": "application/json"})
        lab.check("a prediction over HTTP", urllib.request.urlopen(request, timeout=120).status == 200)


def plant(lab, topics, database):
    """One of each fault: {fault: [(topic, partition, offset), …]}, sorted."""
    planted = {}

    def note(fault, topic, place):
        planted.setdefault(fault, []).append((topic, *place))

    places = [tuple(map(int, row)) for row in lab.sql(database, "select output_partition, output_offset, source_partition, source_offset "
                                                      "from attrition.predictions where channel = 'STREAM' order by 1, 2")]
    messages = {(m.partition(), m.offset()): m for m in lab.consume(topics.kafka, OUTPUT)}
    where = lambda place: f"output_partition = {place[0]} and output_offset = {place[1]} and channel = 'STREAM'"
    columns = [row[0] for row in lab.sql(database, "select attname from pg_attribute where attrelid = 'attrition.predictions'::regclass and attnum > 0 and not attisdropped")]

    # Rows: one deleted, three altered, one doubled, one that was never a record.
    lab.sql(database, f"delete from attrition.predictions where {where(places[5])}")
    note("row_missing", OUTPUT, places[5][:2])
    lab.sql(database, f"delete from attrition.outcomes where ctid = (select ctid from attrition.outcomes limit 1)")
    left = {(int(p), int(o)) for p, o in lab.sql(database, 'select partition, "offset" from attrition.outcomes')}
    note("row_missing", OUTCOMES, next((m.partition(), m.offset()) for m in lab.consume(topics.kafka, OUTCOMES) if (m.partition(), m.offset()) not in left))
    for place, change in ((places[6], "probability = probability + 1e-16"), (places[7], """input = input || '{"MonthlyIncome": 1}'"""),
                          (places[8], "occurred_at = occurred_at + interval '1 microsecond'")):
        lab.sql(database, f"update attrition.predictions set {change} where {where(place)}")
        note("row_altered", OUTPUT, place[:2])
    lab.sql(database, f"insert into attrition.predictions select * from attrition.predictions where {where(places[9])}")
    note("row_duplicate", OUTPUT, places[9][:2])
    stored = {int(p): int(n) for p, n in lab.sql(database, f"select partition, max(next_offset) from attrition.sink_offsets where topic = '{OUTPUT}' group by 1")}
    marker = next((p, o) for p, end in stored.items() for o in range(end) if (p, o) not in messages)
    moved = ", ".join({"output_partition": str(marker[0]), "output_offset": str(marker[1])}.get(column, f'"{column}"') for column in columns)
    lab.sql(database, f"insert into attrition.predictions ({', '.join(columns)}) select {moved} from attrition.predictions where {where(places[10])}")
    note("row_unexplained", OUTPUT, marker)

    # Records: a prediction twice; an event skipped; two in the wrong order; an end for an aborted event; a letter that names nobody.
    again = messages[places[11][:2]]
    topics.send(OUTPUT, again.key(), again.value(), again.partition(), again.headers())
    note("duplicate", INPUT, places[11][2:])
    note("missing", INPUT, topics.send(INPUT, "e3", event("e3", 9000)))
    first, second = topics.send(INPUT, "e4", event("e4", 9001)), topics.send(INPUT, "e4", event("e4", 9002))
    pattern = decode_prediction(again.value())
    made = lambda place: encode_prediction({**pattern, "event_id": f"by hand {place}", "source": {"topic": INPUT, "partition": place[0], "offset": place[1]}})
    topics.send(OUTPUT, "e4", made(second), first[0])
    note("out_of_order", OUTPUT, topics.send(OUTPUT, "e4", made(first), first[0]))
    aborted = topics.send_aborted([(INPUT, "e5", event("e5", 9003), 2)])[0]
    topics.send(OUTPUT, "e5", made(aborted), 2)
    note("unexplained", INPUT, aborted)
    note("unexplained", DLQ, topics.send(DLQ, "e6", b"no headers", 1))
    topics.commit_to_end()
    return {fault: sorted(found) for fault, found in planted.items()}


def plant_state(lab, topics, scorer):
    """Wrong current records: another prediction, one of who was erased, one from past its partition's position."""
    import fastavro
    record = schema("employee_state.avsc")
    before = lab.audit(scorer)["state"]["partitions"]
    lab.check("current records: each prediction is proven", sum(p["proven"] for p in before) == sum(p["records"] - p["left"] for p in before) > 40, before)
    last = {message.key().decode(): message for message in lab.consume(topics.kafka, STATE)}
    alive = [who for who, message in last.items() if message.value() and who.startswith("e") and
             fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), record, None)["attributes"]]

    def send(who, source=None, change=lambda found: None, of=None):
        of = of or last[who]
        found = fastavro.schemaless_reader(io.BytesIO(of.value()[5:]), record, None)
        change(found)
        out = io.BytesIO(of.value()[:5])
        out.seek(0, io.SEEK_END)
        fastavro.schemaless_writer(out, record, found)
        return (STATE, *topics.send(STATE, who, out.getvalue(), of.partition()))

    partitions = sorted({last[who].partition() for who in alive})
    first = {p: next(who for who in alive if last[who].partition() == p) for p in partitions}
    planted = {"state_prediction": [send(first[partitions[0]], change=lambda found: found["prediction"].update(margin=found["prediction"]["margin"] + 1e-9))],
               "state_position": [send(first[partitions[1]], change=lambda found: found["source"].update(offset=before[partitions[1]]["position"]))]}
    history = {}
    for message in lab.consume(topics.kafka, STATE):
        history.setdefault(message.key().decode(), []).append(message)
    erased = next(who for who, messages in history.items() if who.startswith("e") and messages[0].partition() not in partitions[:2] and
                  any(later.value() is None for later in messages))
    old = next(message for n, message in enumerate(history[erased]) if message.value() and any(later.value() is None for later in history[erased][n:]))
    planted["state_stale"] = [send(erased, of=old)]
    status, found, _ = lab.audit_of(scorer)
    lab.equal("planted current records: exit status", status, 1)
    for fault, wanted in planted.items():
        lab.check(f"planted current records: {fault} at its place", set(wanted) <= set(places_of(found).get(fault, [])), (wanted, places_of(found)))
    lab.equal("planted current records: nothing but of them", {fault for fault, count in found["faults"].items() if count}, set(planted))
    text = lab.run(BIN / "scorer", "audit", env=scorer.env)[1]
    lab.one_line("planted current records: the table names a place", text, "state_prediction: ", STATE, "its last prediction is not what the output says")


def places_of(found):
    places = {}
    for place in found.get("places", []):
        places.setdefault(place["fault"], []).append((place["topic"], place["partition"], place["offset"]))
    return {fault: sorted(listed) for fault, listed in places.items()}


def total(found, *names):
    return sum(partition.get(name, 0) for topic in [found["input"], *found["outputs"]] for partition in topic["partitions"] for name in names)


def check_faults(lab, scorer, planted):
    status, found, _ = lab.audit_of(scorer)
    lab.equal("planted: exit status", status, 1)
    for fault, wanted in planted.items():
        lab.equal(f"planted: {fault} at its place", places_of(found).get(fault), wanted)
    evidence = {"evidence_missing": 1, "evidence_altered": 4, "evidence_duplicate": 2}  # the chain sees what was done to rows too: the row that was moved is both altered and a second one
    lab.equal("planted: nothing else is found", {fault: count for fault, count in found["faults"].items() if count}, {**{fault: len(wanted) for fault, wanted in planted.items()}, **evidence})
    status, text, _ = lab.run(BIN / "scorer", "audit", env=scorer.env)
    lab.one_line("planted: the table names a place", text, "row_missing: ", r"\[\d\] \d+")
    lab.one_line("planted: … and sums up", text, "not clean: ")
    status, found, _ = lab.audit_of(scorer, DELIVERY="at-least-once")
    lab.check("at-least-once: a second end is a repeat, counted apart", found["faults"]["duplicate"] == 0 and total(found, "repeats") == 1)
    status, found, _ = lab.audit_of(scorer, "--to", lab.planting)
    lab.equal("--to: faults of later events are not audited", {fault: count for fault, count in found["faults"].items() if fault in ("missing", "duplicate", "out_of_order")},
              {"missing": 0, "duplicate": 1, "out_of_order": 0})
    status, found, _ = lab.audit_of(scorer, "--from", lab.planting, "--roles=score")
    lab.check("--from: earlier events are not audited; --roles=score leaves the database out", not found["database"] and found["faults"]["duplicate"] == 0 and
              found["faults"]["missing"] == 1 and total(found, "predictions") == 3, json.dumps(found["faults"]))
    lab.one_line("--from nonsense is a usage error", lab.run(BIN / "scorer", "audit", "--from", "gestern", env=scorer.env)[2], "--from", "24h")


def drained(lab, scorer):
    """Every event has its end, and what was sent is stored; the scorer has ended."""
    sent = ROUNDS * (EMPLOYEES + 1) + 3 * ROUNDS // 5
    ends = lambda: sum(scorer.counter(f"events_{end}_total") for end in ("scored", "dead_lettered", "erased", "outcome"))
    lab.wait("every event has its end", lambda: ends() == sent, 60, scorer)
    stored = lambda: sum(scorer.counter(f"sink_{end}_total") for end in ("predictions", "dead_letters", "erasures", "outcomes"))
    lab.wait("what was sent is stored, predictions over HTTP too", lambda: stored() == sent + 3, 60, scorer)
    lab.equal("the scorer ends with status 0", scorer.end(), 0)


def retention(lab, kafka, settings):
    """Kafka deletes the beginning of each topic, then all output: no fault. An event that is lost behind it is one."""
    source, *outputs = OTHERS
    lab.create_topics(kafka, OTHERS)
    names = dict(zip(("INPUT_TOPIC", "OUTPUT_TOPIC", "DLQ_TOPIC", "OUTCOME_TOPIC"), OTHERS))
    scorer = lab.scorer("kept", **{**settings, **names, "GROUP_ID": "kept", "DATABASE_URL": lab.postgres("pg2")})
    lab.ready(scorer)
    topics = Topics(kafka)
    fill(lab, topics, scorer, source)
    drained(lab, scorer)
    delete_records(kafka, [TopicPartition(topic, partition, end // 3) for topic in OTHERS for partition, end in topics.ends(topic).items() if end // 3])
    found = lab.audit(scorer)
    lab.check("retention: what was deleted is reported", total(found, "log_start") > 0 and total(found, "rows_older") > 0, f"{total(found, 'rows_older')} rows without a record")
    delete_records(kafka, [TopicPartition(topic, partition, end) for topic in outputs for partition, end in topics.ends(topic).items() if end])
    found = lab.audit(scorer)
    lab.check("retention of all output: the database's rows stand for it", total(found, "known_by_row") > EMPLOYEES, f"{total(found, 'known_by_row')} ends by row")
    lost = [topics.send(source, f"e{n}", event(f"e{n}", 9999)) for n in range(300)]
    topics.commit_to_end(source, "kept")
    status, found, _ = lab.audit_of(scorer)
    missing, deleted = found["faults"]["missing"], total(found, "deleted")
    lab.check("retention: it excuses no more events than records were deleted", status == 1 and missing + deleted >= len(lost) and missing > len(lost) * 9 // 10,
              f"{len(lost)} lost, {missing} reported as missing, {deleted} may have been deleted")


with Lab() as lab:
    fields = json.loads((ROOT / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]
    EMPTY = {field["name"]: None for field in fields}
    lab.model()
    kafka, database = lab.kafka(), lab.postgres()
    topics = Topics(kafka)
    # No prediction over HTTP is refused, and no member fenced, because the machine is busy.
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, COMMIT_INTERVAL="20ms", SINK_ROWS=200, SINK_INTERVAL="20ms", INSTANCE_ID="audited",
                    HTTP_LOG_TIMEOUT="60s", KAFKA_SESSION_TIMEOUT_MS=20000)
    scorer = lab.scorer(**settings)
    lab.ready(scorer)
    fill(lab, topics, scorer)
    lab.audit(scorer)
    topics.send_aborted([(OUTPUT, "e1", b"aborted", partition) for partition in range(4)])
    drained(lab, scorer)
    found = lab.audit(scorer)
    lab.equal("every kind of end is counted", [total(found, end) for end in ("predictions", "dead_letters", "erasures", "outcomes")],
              [ROUNDS * EMPLOYEES, ROUNDS, 2 * ROUNDS // 5, ROUNDS // 5])
    lab.equal("predictions over HTTP are distinguished", total(found, "http"), 3)
    lab.equal("nothing waits to be stored", total(found, "waiting"), 0)
    plant_state(lab, topics, scorer)
    scorer.env["STATE_TOPIC"] = "none"  # what is planted below is of the other topics
    lab.planting = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    time.sleep(2)
    check_faults(lab, scorer, plant(lab, topics, database))
    retention(lab, kafka, settings)

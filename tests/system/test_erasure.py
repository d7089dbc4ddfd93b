#!/usr/bin/env python3
"""Erasure end to end: rows go, a receipt stays, later events are scored again; and the same after kill -9 between the
steps, as often as it takes to hit them."""
import json
import random
import time

from lab import ROOT, Lab, encode_event
from confluent_kafka import Producer

EMPLOYEES, ROUNDS = 400, 4


def event(employee, number, kind="SNAPSHOT", age=40):
    attributes = {"Age": age, "Department": "Sales", "OverTime": "Yes", "MonthlyIncome": 3000, "JobRole": "Sales Executive"}
    return encode_event({"event_id": f"{employee}-{number}", "event_type": kind, "employee_id": employee,
                         "occurred_at": 1_700_000_000_000 + number, "attributes": {**EMPTY, **attributes}})


def send(kafka, records):
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "enable.idempotence": True})
    for key, value in records:
        producer.produce("employee-events", key=key, value=value)
        producer.poll(0)
    producer.flush(120)


def stream():
    """Every employee: two events, for the even ones a request to forget, and for each fourth an older event after it. For
    each tenth also a termination and an unreadable event before the request, and for each twentieth again after it."""
    records = []
    for number in (1000, 2000):
        records += [(f"e{n}", event(f"e{n}", number)) for n in range(EMPLOYEES)]
    records += [("e2", event("e3", 5)), ("e0", event("e0", 2500, "TERMINATED"))]
    records += [pair for n in range(0, EMPLOYEES, 10) for pair in side_records(n, 3000)]
    records += [(f"e{n}", None) for n in range(0, EMPLOYEES, 2)]
    records += [pair for n in range(0, EMPLOYEES, 20) for pair in side_records(n, 4000)]
    records += [(f"e{n}", event(f"e{n}", 10)) for n in range(0, EMPLOYEES, 4)]
    return records


def side_records(n, number):
    """What comes to other topics than predictions and requests do."""
    return [(f"e{n}", event(f"e{n}", number, "TERMINATED")), (f"e{n}", b"no frame " + str(number).encode())]


def check_ends(lab, database, name):
    count = lambda query: lab.number(database, query)
    erased, again, kept = EMPLOYEES // 2, EMPLOYEES // 4, EMPLOYEES // 2
    lab.equal(f"{name}: one receipt for each request", count("select count(*) from attrition.erasures where erased_at is not null"), erased)
    lab.equal(f"{name}: the receipts' rows", count("select sum(predictions) from attrition.erasures"), 2 * erased)
    lab.equal(f"{name}: rows left", count("select count(*) from attrition.predictions"), 2 * kept + again)
    lab.equal(f"{name}: of erased employees only later events", count(
        "select count(*) from attrition.predictions where substr(employee_id, 2)::int % 2 = 0 and extract(epoch from occurred_at) * 1000 <> 1700000000010"), 0)
    left = EMPLOYEES // 20  # after the request, and what came again is older
    lab.equal(f"{name}: latest predictions", count("select count(*) from attrition.latest_predictions"), kept + again - left)
    times = lab.sql(database, "select extract(epoch from occurred_at)::bigint * 1000 + extract(milliseconds from occurred_at)::bigint % 1000, count(*) "
                    "from attrition.outcomes group by 1")
    lab.equal(f"{name}: outcomes after the request alone", times, [["1700000004000", str(EMPLOYEES // 20)]])
    letters = lab.sql(database, "select convert_from(value, 'UTF8'), count(*) from attrition.dead_letters where value like 'no frame%' group by 1")
    lab.equal(f"{name}: dead letters after the request alone", letters, [["no frame 4000", str(EMPLOYEES // 20)]])
    lab.equal(f"{name}: the receipts' outcomes and dead letters", lab.sql(
        database, "select sum(outcomes), sum(dead_letters) from attrition.erasures"), [[str(EMPLOYEES // 10 + 1), str(EMPLOYEES // 10 + 1)]])
    lab.equal(f"{name}: repeats", count("select count(*) - count(distinct (source_partition, source_offset)) from attrition.predictions"), 0)


with Lab() as lab:
    fields = json.loads((ROOT / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]
    EMPTY = {field["name"]: None for field in fields}
    lab.model()
    kafka, database = lab.kafka(), lab.postgres()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, SINK_ROWS=50, SINK_INTERVAL="20ms", COMMIT_INTERVAL="20ms",
                    INSTANCE_ID="erasure", KAFKA_SESSION_TIMEOUT_MS=60000)
    records = stream()
    slices = [records[n * len(records) // ROUNDS:(n + 1) * len(records) // ROUNDS] for n in range(ROUNDS)]
    rng = random.Random(5)
    for kill in range(ROUNDS):
        scorer = lab.scorer(f"killed-{kill}", **settings)
        lab.ready(scorer)
        send(kafka, slices[kill])
        time.sleep(rng.uniform(0, 0.15))
        if kill % 2:
            lab.sql(database, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'attrition-sink'")
            time.sleep(rng.uniform(0, 0.1))
        scorer.kill()
    scorer = lab.scorer("last", "--exit-at-end", **settings)
    lab.wait("the last one comes to the end", lambda: not scorer.alive(), 90)
    lab.equal("its exit status", scorer.popen.poll(), 0)
    check_ends(lab, database, "after kills")
    lab.audit(scorer)
    messages = lab.consume(kafka, "attrition-predictions")
    lab.equal("null values on the output topic", sum(message.value() is None for message in messages), EMPLOYEES // 2)
    lab.equal("every event came to one end", len(messages) + len(lab.consume(kafka, "employee-events-dlq")) + len(
        lab.consume(kafka, "attrition-outcomes")), len(records))
    other = lab.postgres("pg2")
    scorer = lab.scorer("pseudonyms", "--exit-at-end", "--roles=sink", **{**settings, "DATABASE_URL": other, "ERASURE": "pseudonymise", "SINK_ROWS": 5000})
    lab.wait("pseudonymise: the sink comes to the end", lambda: not scorer.alive(), 60)
    lab.equal("pseudonymise: all rows are there", lab.number(other, "select count(*) from attrition.predictions"), 2 * EMPLOYEES + EMPLOYEES // 4)
    lab.equal("pseudonymise: rows without a name", lab.number(other, "select count(*) from attrition.predictions where employee_id is null and event_id like 'erased-%'"), EMPLOYEES)
    lab.audit(scorer)

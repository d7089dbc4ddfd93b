#!/usr/bin/env python3
"""One person from end to end: who leaves is in no record, table, view or answer soon after; who is hired again begins without a past; of who is erased the
state topic holds nothing once it is compacted, and a receipt is there. How soon, by the times that Kafka and PostgreSQL keep, is printed: within a second, with the
default intervals."""
import io
import json
import time

import fastavro
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from lab import TOPICS, Lab, decode_prediction, encode_event, schema

STATE, PERSON = "attrition-state", "wanderer-4711"
SOON_S, MOST_S = 30, 5  # how long is waited for; how long it may take on a busy machine, at the median of PASSERS
PASSERS = [f"passer-{n}" for n in range(9)]
RECORD = schema("employee_state.avsc")
NAMES = [field["name"] for field in schema("employee_event.avsc")["fields"][-1]["type"]["fields"]]
COLLEAGUES = [f"colleague-{n}" for n in range(24)]
FAST = {"cleanup.policy": "compact", "segment.ms": "300", "min.cleanable.dirty.ratio": "0.001", "max.compaction.lag.ms": "300", "delete.retention.ms": "100"}
number = 0


def send(kafka, *events, at=None):
    """(employee, type, changed, attributes)…; a type of None is a null value. All occur at that time, or now."""
    global number
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    for who, kind, changed, attributes in events:
        number += 1
        event = {"event_id": f"e{number}", "event_type": kind, "employee_id": who, "occurred_at": at or int(time.time() * 1000), "changed": changed,
                 "attributes": {**dict.fromkeys(NAMES), **attributes}}
        producer.produce(TOPICS[0], key=who, value=kind and encode_event(event))
    if producer.flush(30):
        raise RuntimeError("Kafka has not acknowledged the events")


def record_of(lab, kafka, who):
    """The last one of the state topic: None where it says that nothing is known, or has none."""
    last = [message.value() for message in lab.consume(kafka, STATE) if message.key() == who.encode()][-1:]
    return fastavro.schemaless_reader(io.BytesIO(last[0][5:]), RECORD, None) if last and last[0] else None


def views_of(lab, database):
    """Views that name everybody who is there: current_employees, and those that rest on the same table."""
    rows = lab.sql(database, """SELECT DISTINCT v.relname FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid JOIN pg_class AS v ON v.oid = r.ev_class
        JOIN pg_attribute AS a ON a.attrelid = v.oid AND a.attname = 'employee_id'
        WHERE d.refobjid = 'attrition.latest_predictions'::regclass AND v.relkind = 'v' ORDER BY 1""")
    return [row[0] for row in rows]


def counts(lab, database, views):
    """Rows of the person in each, and how many there are in the person's groups and units."""
    named = {view: lab.number(database, f"SELECT count(*) FROM attrition.{view} WHERE employee_id = '{PERSON}'") for view in ("latest_predictions", *views)}
    sizes = lab.sql(database, """SELECT (SELECT employees FROM attrition.risk_by_group WHERE attribute = 'Department' AND member = 'Sales'),
        (SELECT employees FROM attrition.risk_by_department WHERE department = 'Sales')""")[0]
    return {name for name, count in named.items() if count}, *sizes


def answers(scorer):
    """The status of the person's page, and who is found by name."""
    status, body = scorer.get(f"/employees?q={PERSON}")
    return scorer.get(f"/employees/{PERSON}")[0], [row["employee_id"] for row in json.loads(body)["employees"]] if status == 200 else status


def check_everywhere(lab, what, kafka, database, scorer, views, there):
    """Within SOON_S of the event, which has just been acknowledged."""
    began = time.monotonic()
    places = {"latest_predictions", *views} if there else set()
    size = "13" if there else "12"
    record = lambda: (record_of(lab, kafka, PERSON) or {}).get("attributes") is not None
    lab.wait(f"{what}: the state topic", lambda: record() == there, SOON_S, scorer)
    lab.wait(f"{what}: latest_predictions, the views on it, and sums by group", lambda: counts(lab, database, views) == (places, size, size), SOON_S, scorer)
    wanted = (200, [PERSON]) if there else (404, [])
    lab.wait(f"{what}: GET /employees/ID and the list", lambda: answers(scorer) == wanted, SOON_S, scorer)
    lab.wait(f"{what}: in memory are so many", lambda: scorer.counter("state_employees") == len(COLLEAGUES) + (what != "erased"), SOON_S, scorer)
    print(f"# {what}: everywhere after {time.monotonic() - began:.1f} s")


def kafka_times(lab, kafka, topic):
    """Of the last record of each key: seconds since 1970, when its producer made it."""
    return {message.key().decode(): message.timestamp()[1] / 1000 for message in lab.consume(kafka, topic) if message.key()}


def check_latencies(lab, kafka, what, kind, topic, committed, gone):
    """From the event's own time in Kafka (before it is acknowledged) to the record's, and to the commit in PostgreSQL, which follows that in Kafka."""
    for who in PASSERS:
        send(kafka, (who, kind, None, {"Age": 33, "MonthlyIncome": 4000}))
        lab.need(f"{what}: {who} is stored", lambda: who in committed(), SOON_S)
        gone(who)
        time.sleep(number % 5 / 20)  # not in step with the intervals
    events, stored = kafka_times(lab, kafka, TOPICS[0]), committed()
    for place, times in ((topic, kafka_times(lab, kafka, topic)), ("PostgreSQL", stored)):
        took = sorted(times[who] - events[who] for who in PASSERS)
        lab.check(f"{what}: {place} has it soon after the event, at the median", took[len(took) // 2] <= MOST_S, " ".join(f"{seconds:.2f}" for seconds in took) + " s")


def commits(lab, database, table):
    """When the last transaction that wrote of each employee was committed."""
    rows = lab.sql(database, f"SELECT employee_id, max(extract(epoch FROM pg_xact_commit_timestamp(xmin))) FROM attrition.{table} GROUP BY 1")
    return {who: float(seconds) for who, seconds in rows}


def check_soon(lab, kafka, database, scorer):
    """Many are hired and leave. What PostgreSQL has committed, tables and page say at once."""
    def says(who, there):
        rows = lab.number(database, f"SELECT count(*) FROM attrition.latest_predictions WHERE employee_id = '{who}'")
        seen = rows, scorer.get(f"/employees/{who}")[0]
        if seen != ((1, 200) if there else (0, 404)):
            lab.check(f"{who}: at the commit, table and page", False, seen)
    hired, left = lambda: commits(lab, database, "latest_predictions"), lambda: commits(lab, database, "outcomes")
    check_latencies(lab, kafka, "hired", "HIRED", STATE, hired, lambda who: says(who, True))
    check_latencies(lab, kafka, "leaving", "TERMINATED", STATE, left, lambda who: says(who, False))


def check_one_time(lab, kafka, database, scorer):
    """Hired again at the very time of leaving; a whole event of that time, which is not HIRED, brings nobody back."""
    at, (hired, changed, left_again) = int(time.time() * 1000), PASSERS[:3]
    send(kafka, *((who, kind, None, {"Age": 44, "MonthlyIncome": 4000} if kind != "TERMINATED" else {}) for who, kinds in
                  ((hired, ("TERMINATED", "HIRED", "CHANGED")), (changed, ("TERMINATED", "CHANGED")), (left_again, ("HIRED", "TERMINATED", "SNAPSHOT"))) for kind in kinds), at=at)
    stored = lambda: lab.number(database, f"SELECT count(*) FROM attrition.predictions WHERE occurred_at = to_timestamp({at / 1000})")
    lab.wait("of one time: predictions and outcomes are stored", lambda: stored() == 5 and lab.number(database, "SELECT count(*) FROM attrition.outcomes"
        f" WHERE occurred_at = to_timestamp({at / 1000})") == 3, SOON_S, scorer)
    rows = lab.sql(database, "SELECT employee_id FROM attrition.latest_predictions WHERE employee_id LIKE 'passer-%' ORDER BY 1")
    lab.equal("of one time: hired again is there, as the current records say, the others are not", rows, [[hired]])
    lab.equal("of one time: the page", [scorer.get(f"/employees/{who}")[0] for who in (hired, changed, left_again)], [200, 404, 404])
    records = {message.key().decode(): message.value() for message in lab.consume(kafka, STATE) if message.key()}
    there = [fastavro.schemaless_reader(io.BytesIO(records[who][5:]), RECORD, None)["attributes"] is not None for who in (hired, changed, left_again)]
    lab.equal("of one time: the current records", there, [True, False, False])
    headers = [dict(message.headers() or ()).get("attrition.event_type") for message in lab.consume(kafka, TOPICS[1])
               if message.key() == hired.encode() and message.value() and decode_prediction(message.value())["attributes"]["Age"] == 44]
    lab.equal("of one time: the prediction of HIRED alone says so", headers, [b"HIRED", None])


def predictions_of(lab, kafka):
    return [decode_prediction(message.value()) for message in lab.consume(kafka, TOPICS[1]) if message.key() == PERSON.encode() and message.value()]


def check_compacted(lab, kafka):
    """A segment is compacted once a later record has closed it, and a null value goes a time after that."""
    def holds_nothing():
        send(kafka, (COLLEAGUES[0], "CHANGED", [], {}))
        return not any(PERSON.encode() in (message.key() or b"") + (message.value() or b"") for message in lab.consume(kafka, STATE, "read_uncommitted"))
    lab.wait("erased: no record of the state topic holds the id, once it is compacted", holds_nothing, 90)


with Lab() as lab:
    lab.model()
    kafka, database = lab.kafka("kafka", "log.cleaner.backoff.ms=200", partitions=1), lab.postgres("pg", "-c", "track_commit_timestamp=on")
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(STATE, 1, 1, config=FAST)])[STATE].result(30)
    lab.create_topics(kafka, ["attrition-alerts"], 1)
    scorer = lab.scorer(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, ROLES="score,sink,http", STATE_TOPIC=STATE, KAFKA_AUTO_OFFSET_RESET="earliest")
    lab.ready(scorer)
    sales = {"Department": "Sales", "JobRole": "Sales Executive", "OverTime": "Yes", "Age": 30}
    send(kafka, *((who, "SNAPSHOT", None, sales if n % 2 else {**sales, "Department": "Research & Development", "JobRole": "Manager"}) for n, who in enumerate(COLLEAGUES)),
         (PERSON, "SNAPSHOT", None, {**sales, "MonthlyIncome": 3000}))
    views = views_of(lab, database)
    lab.check("views that name everybody", "current_employees" in views and "employee_groups" in views, views)
    check_everywhere(lab, "there", kafka, database, scorer, views, True)

    send(kafka, (PERSON, "TERMINATED", None, {}))
    check_everywhere(lab, "left", kafka, database, scorer, views, False)
    lab.equal("left: a marker alone stays", [record_of(lab, kafka, PERSON)[name] for name in ("attributes", "prediction")], [None, None])

    send(kafka, (PERSON, "HIRED", None, {**sales, "Age": 41}))
    check_everywhere(lab, "hired again", kafka, database, scorer, views, True)
    send(kafka, (PERSON, "CHANGED", ["OverTime"], {"OverTime": "No"}))
    lab.wait("hired again: a partial event is merged", lambda: len(predictions_of(lab, kafka)) == 3, SOON_S, scorer)
    first, hired, changed = predictions_of(lab, kafka)
    seen = [(p["attributes"]["Age"], p["attributes"]["MonthlyIncome"], p["attributes"]["OverTime"], p["change"] is None) for p in (first, hired, changed)]
    lab.equal("hired again: nothing of the record before, no change of margin since, and what comes later is merged into the new one", seen,
              [(30, 3000, "Yes", True), (41, None, "Yes", True), (41, None, "No", False)])

    send(kafka, (PERSON, None, None, {}))
    check_everywhere(lab, "erased", kafka, database, scorer, views, False)
    receipts = lab.sql(database, "SELECT predictions, erased_at IS NOT NULL FROM attrition.erasures")
    lab.equal("erased: one receipt, of three predictions", receipts, [["3", "t"]])
    check_compacted(lab, kafka)
    check_soon(lab, kafka, database, scorer)
    check_one_time(lab, kafka, database, scorer)
    lab.equal("it ends in time", scorer.end(), 0)

#!/usr/bin/env python3
"""docs/PUBLISHING.md and docs/CONSUMING.md, run as they stand there: every example of the one is scored, every example of the other reads it, and
each mistake has the code that the guide says."""
import json
import re

from lab import TOPICS, Lab, decode_prediction
from confluent_kafka import Producer  # after lab, which goes on in the tests' own environment
from current_records import alerts_of
from guides import CONSUMING, PUBLISHING, Guide, blocks


def check_publishing(lab, guide):
    guide.python(PUBLISHING, "Python, Avro without a registry")
    guide.python(PUBLISHING, "Python, JSON")
    guide.python(PUBLISHING, "CloudEvents")
    guide.java()
    guide.shell(PUBLISHING, "Debezium")
    guide.shell(PUBLISHING, "curl")
    guide.shell(PUBLISHING, "Changes, leaving, forgetting")
    connector = json.loads(blocks(PUBLISHING, "Debezium", "json")[0])["config"]
    lab.equal("the connector sends no null values, and JSON without its schema", (connector["tombstones.on.delete"], connector["value.converter.schemas.enable"]), ("false", "false"))
    ends = lambda: tuple(guide.scorer.counter(f"events_{end}_total") for end in ("scored", "outcome", "erased", "dead_lettered"))
    lab.wait("all have their ends: 10 scored, 2 left, 1 erased", lambda: ends() == (10, 2, 1, 0), 30, guide.scorer)
    lab.check("no other ends", ends() == (10, 2, 1, 0), ends())
    cloud = {p["event_id"]: (p["employee_id"], p["attributes"]["Age"], p["attributes"]["OverTime"]) for p in map(decode_prediction, (
        message.value() for message in lab.consume(guide.env["KAFKA_BOOTSTRAP_SERVERS"], TOPICS[1]) if message.value())) if p["event_id"].startswith("cloud-")}
    lab.equal("CloudEvents of both modes", cloud, {"cloud-binary": ("1045", 52, "Yes"), "cloud-structured": ("1045", 52, "No")})


def check_consuming(lab, guide, kafka):
    risks = json.loads(guide.python(CONSUMING, "Python, without a registry"))
    lab.equal("it has everybody, but for whom was forgotten", sorted(risks), [str(number) for number in range(1042, 1050) if number != 1043])
    lab.check("with answer, risk and reasons", all(answer in ("No", "Yes") and 0 < risk < 1 and len(reasons) == 3 for answer, risk, reasons in risks.values()), risks["1042"])
    shown = [json.loads(line) for line in guide.shell(CONSUMING, "kcat").splitlines()]
    alerts = [line for line in shown if line and "kind" in line]
    lines = [line for line in shown if line not in alerts]
    lab.equal("kcat and decode show alerts too", len(alerts), len(alerts_of(lab, kafka)))
    lab.equal("kcat and decode show the same", {line["employee_id"]["string"]: line["probability"] for line in lines if line and line["employee_id"]["string"] in risks},
              {employee: risk for employee, (_, risk, _) in risks.items()})
    lab.equal("… and the erasure", lines.count(None), 1)


def check_alerts(lab, guide, kafka):
    """Somebody crosses the threshold, up and down again; the guide's program has seen it, and what did it."""
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    calm = {"Age": 55, "OverTime": "No", "MaritalStatus": "Married", "BusinessTravel": "Non-Travel", "MonthlyIncome": 15000, "JobLevel": 4, "TotalWorkingYears": 30, "StockOptionLevel": 2}
    strained = {"OverTime": "Yes", "MaritalStatus": "Single", "BusinessTravel": "Travel_Frequently", "MonthlyIncome": 1500, "JobLevel": 1, "Age": 19, "TotalWorkingYears": 0, "StockOptionLevel": 0}
    scored = guide.scorer.counter("events_scored_total")
    for n, (kind, attributes) in enumerate((("SNAPSHOT", calm), ("CHANGED", strained), ("CHANGED", calm))):
        producer.produce("employee-events", json.dumps({"employee_id": "1060", "event_type": kind, "occurred_at": f"2026-02-0{n + 1}", "attributes": attributes}), "1060")
    producer.flush(120)
    lab.wait("somebody's record changes twice", lambda: guide.scorer.counter("events_scored_total") == scored + 3, 30, guide.scorer)
    # Before the guide's program: transactions have ended then.
    wanted = [(a["employee_id"], a["kind"], a["before"] and a["before"]["probability"], a["after"]["probability"]) for a in alerts_of(lab, kafka) if a["kind"] != "MOVED"]
    seen = [json.loads(line) for line in guide.python(CONSUMING, "Alerts").splitlines()]
    lab.equal("it has every crossing", sorted(map(str, ((a["employee_id"], a["kind"], a["before"], a["after"]) for a in seen))), sorted(map(str, wanted)))
    mine = [a for a in seen if a["employee_id"] == "1060"]
    lab.equal("up and down again, by the record", [(a["kind"], a["cause"]) for a in mine], [("CROSSED_UP", "RECORD"), ("CROSSED_DOWN", "RECORD")])
    lab.check("with what did it, before and after", all([calm[f], strained[f]] == [was, now] for f, was, now in [mine[0]["driver"]]) and mine[1]["driver"] == [mine[0]["driver"][0], *mine[0]["driver"][:0:-1]],
              [a["driver"] for a in mine])


def check_mistakes(lab, guide, kafka):
    rows = re.findall(r"^\| [^|]* \| `([^`]*)` \| `(\w+)` \|$", PUBLISHING, re.M)
    lab.check("the table has mistakes to try", len(rows) >= 12, len(rows))
    wanted = {value: code for value, code in rows if not value.isdigit()}
    producer = Producer({"bootstrap.servers": kafka})
    for value in wanted:
        producer.produce("employee-events", value)
    producer.produce("employee-events", '{"employee_id": "1", "attributes": {"Age": 40}}', "2")
    producer.produce("employee-events", None)
    producer.flush(120)
    wanted.update({'{"employee_id": "1", "attributes": {"Age": 40}}': "key_mismatch", "": "null_key"})
    lab.wait("each is a dead letter", lambda: guide.scorer.counter("events_dead_lettered_total") == len(wanted), 30, guide.scorer)
    found = {(message.value() or b"").decode(): dict(message.headers())["attrition.error.code"].decode() for message in lab.consume(kafka, "employee-events-dlq")}
    lab.equal("… with the code that the guide says", {value: code for value, code in found.items() if wanted.get(value) != code}, {})
    lab.equal("… all of them", len(found), len(wanted))


with Lab() as lab:
    lab.model()
    kafka = lab.kafka()
    scorer = lab.scorer(KAFKA_BOOTSTRAP_SERVERS=kafka, ROLES="score,http", NULL_VALUE="erase", HTTP_LOG_TIMEOUT="60s")
    lab.ready(scorer)
    guide = Guide(lab, scorer, KAFKA_BOOTSTRAP_SERVERS=kafka)
    check_publishing(lab, guide)
    check_consuming(lab, guide, kafka)
    check_alerts(lab, guide, kafka)
    check_mistakes(lab, guide, kafka)
    lab.equal("it ends in time", scorer.end(), 0)

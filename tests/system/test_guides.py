#!/usr/bin/env python3
"""docs/PUBLISHING.md and docs/CONSUMING.md, run as they stand there: every example of the one is scored, every example of the other reads it, and
each mistake has the code that the guide says."""
import json
import re

from guides import CONSUMING, PUBLISHING, Guide, blocks
from lab import Lab

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
    lab.wait("all have their ends: 9 scored, 2 left, 1 erased", lambda: ends() == (9, 2, 1, 0), 30, guide.scorer)
    lab.check("no other ends", ends() == (9, 2, 1, 0), ends())


def check_consuming(lab, guide, kafka):
    risks = json.loads(guide.python(CONSUMING, "Python, without a registry"))
    lab.equal("it has everybody, but for whom was forgotten", sorted(risks), [str(number) for number in range(1042, 1050) if number != 1043])
    lab.check("with answer, risk and reasons", all(answer in ("No", "Yes") and 0 < risk < 1 and len(reasons) == 3 for answer, risk, reasons in risks.values()), risks["1042"])
    lines = [json.loads(line) for line in guide.shell(CONSUMING, "kcat").splitlines()]
    lab.equal("kcat and decode show the same", {line["employee_id"]["string"]: line["probability"] for line in lines if line and line["employee_id"]["string"] in risks},
              {employee: risk for employee, (_, risk, _) in risks.items()})
    lab.equal("… and the erasure", lines.count(None), 1)


def check_mistakes(lab, guide, kafka):
    from confluent_kafka import Producer
    rows = re.findall(r"^\| [^|]* \| `([^`]*)` \| `(\w+)` \|$", PUBLISHING, re.M)
    lab.check("the table has mistakes to try", len(rows) >= 12, len(rows))
    wanted = {value: code for value, code in rows if not value.isdigit()}
    producer = Producer({"bootstrap.servers": kafka})
    for value in wanted:
        producer.produce("employee-events", value)
    producer.produce("employee-events", '{"employee_id": "1", "attributes": {"Age": 40}}', "2")
    producer.produce("employee-events", None)
    producer.flush(20)
    wanted.update({'{"employee_id": "1", "attributes": {"Age": 40}}': "key_mismatch", "": "null_key"})
    lab.wait("each is a dead letter", lambda: guide.scorer.counter("events_dead_lettered_total") == len(wanted), 30, guide.scorer)
    found = {(message.value() or b"").decode(): dict(message.headers())["attrition.error.code"].decode() for message in lab.consume(kafka, "employee-events-dlq")}
    lab.equal("… with the code that the guide says", {value: code for value, code in found.items() if wanted.get(value) != code}, {})
    lab.equal("… all of them", len(found), len(wanted))


with Lab() as lab:
    lab.model()
    kafka = lab.kafka()
    scorer = lab.scorer(KAFKA_BOOTSTRAP_SERVERS=kafka, ROLES="score,http", NULL_VALUE="erase", HTTP_LOG_TIMEOUT="10s")
    lab.ready(scorer)
    guide = Guide(lab, scorer, KAFKA_BOOTSTRAP_SERVERS=kafka)
    check_publishing(lab, guide)
    check_consuming(lab, guide, kafka)
    check_mistakes(lab, guide, kafka)
    lab.equal("it ends in time", scorer.end(), 0)

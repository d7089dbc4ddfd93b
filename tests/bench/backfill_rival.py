"""The rival of tests/bench/backfill.sh: CSV to the topic as a Python script would do it, with fastavro and confluent-kafka. It checks types and
ranges no more than Avro does. Arguments: file, topic."""
import csv
import io
import json
import os
import sys
import time
import uuid
from pathlib import Path

import fastavro
from confluent_kafka import Producer

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
path, topic = sys.argv[1:]
document = json.loads((SCHEMAS / "employee_event.avsc").read_text())
attributes = next(field["type"] for field in document["fields"] if field["name"] == "attributes")
types = {field["name"]: int if "int" in field["type"] else str for field in attributes["fields"]}
identity = attributes["id"]["name"]
schema = fastavro.parse_schema(document)
producer = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], "enable.idempotence": True, "partitioner": "murmur2_random",
                     "linger.ms": 5, "queue.buffering.max.messages": 1000000})
failed = []
with open(path, newline="") as file:
    for row in csv.DictReader(file):
        out = io.BytesIO(b"\0\0\0\0\1")
        out.seek(5)
        fastavro.schemaless_writer(out, schema, {
            "event_id": str(uuid.uuid4()), "event_type": "SNAPSHOT", "employee_id": row[identity], "occurred_at": int(time.time() * 1000),
            "changed": None, "attributes": {name: kind(row[name]) if row[name] else None for name, kind in types.items()}})
        producer.produce(topic, out.getvalue(), row[identity], on_delivery=lambda error, _: error and failed.append(error))
        producer.poll(0)
if producer.flush(120) or failed:
    sys.exit(f"not delivered: {failed[:3]}")

#!/usr/bin/env python3
"""Other people's serializers beside a real registry: Confluent's for Python and plain Avro in Java produce events, their
readers read our predictions; every value comes through unchanged."""
import csv
import datetime
import io
import json
import os
import urllib.error
import urllib.request

from lab import ROOT, Lab, free_port

import fastavro
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

EVENTS, PREDICTIONS, EACH = "employee-events", "attrition-predictions", 300
JARS = os.environ.get("REGISTRY_JARS", ROOT / "build/registry")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def event_schema(java):
    """Java's HR system has the attributes in another order, and one of its own."""
    schema = json.loads((ROOT / "schemas/employee_event.avsc").read_text())
    attributes = schema["fields"][-1]["type"]
    if java:
        attributes["fields"].reverse()
        attributes["fields"].append({"name": "Badge", "type": ["null", "string"], "default": None})
    return schema


def events(lab, kind, schema):
    attributes = schema["fields"][-1]["type"]["fields"]
    number = {"int": int, "double": float, "string": str}
    with open(lab.employees(EACH)) as table:
        for count, row in enumerate(csv.DictReader(table)):
            values = {field["name"]: number[field["type"][1]](row[field["name"]]) if row.get(field["name"], "") != "" else None
                      for field in attributes}
            yield {"event_id": f"{kind}-{count}", "event_type": "SNAPSHOT", "employee_id": f"{kind} Łódź {count}",
                   "occurred_at": EPOCH + datetime.timedelta(milliseconds=1_700_000_000_123 + count), "attributes": values}


def python_produces(kafka, client, sent):
    schema = event_schema(False)
    serializer = AvroSerializer(client, json.dumps(schema))
    producer = Producer({"bootstrap.servers": kafka})
    for event in sent:
        producer.produce(EVENTS, serializer(event, SerializationContext(EVENTS, MessageField.VALUE)), event["employee_id"])
    producer.flush(30)


def java(lab, *words, input=None):
    classes = lab.dir / "classes"
    path = f"{classes}:{JARS}/clients/*"
    if not classes.exists():
        lab.must("javac", "-cp", path, "-d", classes, ROOT / "tests/system/Clients.java")
    return lab.must("java", "-XX:TieredStopAtLevel=1", "-cp", path, "Clients", *words, input=input)


def java_produces(lab, kafka, registry, sent):
    schema, lines = event_schema(True), io.StringIO()
    file = lab.dir / "java.avsc"
    file.write_text(json.dumps(schema))
    fastavro.json_writer(lines, fastavro.parse_schema(schema), sent)
    java(lab, "produce", kafka, registry, EVENTS, file, input=lines.getvalue())


def plain(value):
    """As Java shows it: times as the numbers on the wire."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def of_python(prediction):
    micros = datetime.timedelta(microseconds=1)
    prediction = plain(prediction)
    prediction["occurred_at"] = (prediction["occurred_at"] - EPOCH) // micros // 1000
    prediction["scored_at"] = (prediction["scored_at"] - EPOCH) // micros
    return prediction


def carried(event):
    attributes = {name: value for name, value in event["attributes"].items() if name != "Badge"}
    return event["employee_id"], (event["occurred_at"] - EPOCH) // datetime.timedelta(milliseconds=1), attributes


def without_registry(lab, kafka, event):
    """Nothing may be logged before our schema has its id: a frame that names no schema can never be read."""
    scorer = lab.scorer("early", KAFKA_BOOTSTRAP_SERVERS=kafka, ROLES="score,http", GROUP_ID="early",
                        SCHEMA_REGISTRY_URL=f"http://127.0.0.1:{free_port()}")

    def ask(path):
        request = urllib.request.Request(f"http://{scorer.http}{path}", headers={"Content-Type": "application/json"},
                                         data=json.dumps({"attributes": event["attributes"]}).encode())
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def health():
        text = scorer.get("/health")[1]
        return json.loads(text) if text.startswith("{") else {}

    lab.need("no registry: /health says so", lambda: (health().get("status"), (health().get("schema_registry") or {}).get("up")) == ("degraded", False),
             30, scorer)
    status, body = ask("/predict")
    lab.check("no registry: /predict refuses what it could not log", status == 503 and "schema registry" in body, f"{status} {body}")
    lab.equal("no registry: and answers without a log", ask("/predict?log=false")[0], 200)
    lab.equal("no registry: it drains", scorer.end(), 0)
    lab.equal("no registry: records on the output topic", len(lab.consume(kafka, PREDICTIONS)), 0)


with Lab(STATE_TOPIC="none") as lab:
    kafka, registry = lab.kafka(), lab.registry()
    lab.model()
    client = SchemaRegistryClient({"url": registry})
    sent = {kind: list(events(lab, kind, event_schema(kind == "java"))) for kind in ("python", "java")}
    without_registry(lab, kafka, sent["python"][0])
    python_produces(kafka, client, sent["python"])
    java_produces(lab, kafka, registry, sent["java"])
    scorer = lab.scorer(KAFKA_BOOTSTRAP_SERVERS=kafka, ROLES="score,http", SCHEMA_REGISTRY_URL=registry, GROUP_ID="serializers")
    lab.wait("every event is scored", lambda: scorer.counter("events_scored_total") == 2 * EACH, 60, scorer)
    lab.equal("the scorer drains", scorer.end(), 0)
    lab.audit(scorer)
    lab.equal("dead letters", len(lab.consume(kafka, "employee-events-dlq")), 0)
    deserializer = AvroDeserializer(client)
    messages = lab.consume(kafka, PREDICTIONS)
    read = {prediction["event_id"]: prediction for prediction in
            (of_python(deserializer(message.value(), SerializationContext(PREDICTIONS, MessageField.VALUE))) for message in messages)}
    lab.equal("predictions that Python's deserializer reads", (len(messages), len(read)), (2 * EACH, 2 * EACH))
    for kind in sent:
        wrong = [event["event_id"] for event in sent[kind] if carried(event) != tuple(
            read.get(event["event_id"], {}).get(name) for name in ("employee_id", "occurred_at", "attributes"))]
        lab.equal(f"events of {kind}'s serializer that came out otherwise", wrong[:3], [])
    lines = [json.loads(line) for line in java(lab, "consume", kafka, registry, PREDICTIONS).splitlines()]
    lab.equal("predictions that Java reads", len(lines), 2 * EACH)
    lab.equal("which differ from what Python reads", [line["event_id"] for line in lines if line != read.get(line["event_id"])][:3], [])
    lab.equal("their id is the registry's latest", {int.from_bytes(message.value()[1:5], "big") for message in messages},
              {client.get_latest_version(PREDICTIONS + "-value").schema_id})

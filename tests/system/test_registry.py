#!/usr/bin/env python3
"""A real schema registry beside the stream: several writers' schemas on one topic, of type JSON too, unknown ids, and the registry gone and
back under load. Nothing is dead-lettered because a server is unavailable, nothing is lost, no id is asked for twice."""
import copy
import csv
import http.server
import io
import json
import re
import struct
import threading
import urllib.error
import urllib.request
from collections import Counter

from lab import BIN, ROOT, Lab

import fastavro

UNKNOWN_ID, UNKNOWN_GUID, ABSENT_JSON_ID = 777777, bytes(range(16)), 888888


class Proxy:
    """Counts what is asked of the registry."""

    def __init__(self, target):
        self.asked, lock = Counter(), threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self, body=None):
                with lock:
                    proxy.asked[f"{self.command} {self.path}"] += 1
                request = urllib.request.Request(target + self.path, data=body, method=self.command,
                                                 headers={"Content-Type": "application/json"} if body is not None else {})
                try:
                    with urllib.request.urlopen(request, timeout=120) as answer:
                        self.answer(answer.status, answer.read())
                except urllib.error.HTTPError as refused:
                    self.answer(refused.code, refused.read())
                except OSError:
                    self.answer(502, b"<html>Bad Gateway</html>")

            def do_POST(self):
                self.do_GET(self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        proxy = self
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"


def event_schema():
    return json.loads((ROOT / "schemas/employee_event.avsc").read_text())


def attributes_of(schema):
    return next(field for field in schema["fields"] if field["name"] == "attributes")["type"]


def writers():
    """Four versions that correct writers might have."""
    older = event_schema()
    del attributes_of(older)["fields"][-2:]
    turned = event_schema()
    attributes_of(turned)["fields"].reverse()
    attributes_of(turned)["fields"].append({"name": "Note", "type": ["null", {"type": "map", "values": "string"}]})
    symbols = event_schema()
    symbols["fields"][1]["type"]["symbols"].insert(0, "TRANSFERRED")
    later = event_schema()
    later["fields"].append({"name": "trace", "type": {"type": "array", "items": "long"}})
    return {"older": older, "turned": turned, "symbols": symbols, "later": later}


def json_schema(title):
    """Of the type JSON, as Confluent's JSONSerializer registers one."""
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": title, "type": "object", "required": ["employee_id", "attributes"],
            "properties": {"employee_id": {"type": "string"}, "attributes": {"type": "object"}}}


def register(url, schema, subject="employee-events-value", **kind):
    request = urllib.request.Request(f"{url}/subjects/{subject}/versions", method="POST",
                                     data=json.dumps({"schema": json.dumps(schema), **kind}).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["id"]


class Sender:
    """Events of any writer, counted by what must become of them."""

    def __init__(self, lab, kafka, url):
        from confluent_kafka import Producer
        self.producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5})
        self.schemas = {name: fastavro.parse_schema(copy.deepcopy(schema)) for name, schema in writers().items()}
        self.ids = {name: register(url, schema) for name, schema in writers().items()}
        self.ids |= {name: register(url, json_schema(name), f"{name}-value", schemaType="JSON") for name in ("json", "json-later")}
        with open(lab.employees(200)) as table:
            self.rows = list(csv.DictReader(table))
        self.kinds = {field["name"]: field["type"][1] for field in attributes_of(event_schema())["fields"]}
        self.sent = 0

    def event(self, kind="SNAPSHOT"):
        row = self.rows[self.sent % len(self.rows)]
        number = {"int": int, "double": float, "string": str}
        values = {name: number[type](row[name]) if row.get(name, "") != "" else None for name, type in self.kinds.items()}
        self.sent += 1
        return {"event_id": f"e-{self.sent}", "event_type": kind, "employee_id": f"p-{self.sent}", "occurred_at": 1_700_000_000_000,
                "attributes": {**values, "Note": {"from": "a test"}}, "trace": [1, 2, 3]}

    def send(self, writer, partition, kind="SNAPSHOT", header=False):
        out = io.BytesIO()
        event = self.event(kind)
        frame = struct.pack(">bI", 0, self.ids[writer])
        if not header:
            out.write(frame)
        fastavro.schemaless_writer(out, self.schemas[writer], event)
        self.producer.produce("employee-events", out.getvalue(), event["employee_id"], partition,
                              headers=[("__value_schema_id", frame)] if header else None)
        self.producer.poll(0)

    def send_json(self, writer, partition, header=False):
        """As the JSONSerializer frames it: byte 0, the id, JSON's text; or the frame in a header."""
        event = {name: value for name, value in self.event().items() if name != "trace"}
        del event["attributes"]["Note"]
        event["occurred_at"] = "2026-01-31T10:00:00Z"
        frame, text = struct.pack(">bI", 0, self.ids[writer]), json.dumps(event).encode()
        self.producer.produce("employee-events", text if header else frame + text, event["employee_id"], partition,
                              headers=[("__value_schema_id", frame)] if header else None)
        self.producer.poll(0)

    def raw(self, value, partition):
        self.sent += 1
        self.producer.produce("employee-events", value, None, partition)

    def flush(self):
        self.producer.flush(120)


def ends(lab, kafka, scorer, sender, dead):
    lab.wait(f"all {sender.sent} events are handled", lambda: scorer.counter("events_scored_total") + scorer.counter("events_dead_lettered_total")
             == sender.sent, 60, scorer)
    lab.equal("dead letters", scorer.counter("events_dead_lettered_total"), dead)
    outputs = Counter(bytes(message.key()) for message in lab.consume(kafka, "attrition-predictions"))
    lab.equal("predictions, each employee's once", (len(outputs), max(outputs.values())), (sender.sent - dead, 1))


def several_writers(lab, kafka, scorer, sender, proxy):
    for number in range(900):
        sender.send(("older", "turned", "symbols")[number % 3], number % 4, header=number % 7 == 0)
        if number % 45 == 0:
            sender.send("symbols", number % 4, "TRANSFERRED")
    for number in range(30):
        sender.raw(struct.pack(">bI", 0, UNKNOWN_ID) + b"abc", number % 4)
    for number in range(5):
        sender.raw(b"\1" + UNKNOWN_GUID + b"abc", 1)
    sender.flush()
    ends(lab, kafka, scorer, sender, 20 + 35)
    codes = Counter(dict(message.headers())["attrition.error.code"].decode() for message in lab.consume(kafka, "employee-events-dlq"))
    lab.equal("their codes: a symbol we lack, ids nobody knows", dict(codes), {"unresolvable": 20, "unknown_schema_id": 35})
    lab.equal("requests for the unknown id, in all", proxy.asked[f"GET /schemas/ids/{UNKNOWN_ID}"], 1)
    lab.equal("requests for each known id", [proxy.asked[f"GET /schemas/ids/{sender.ids[name]}"] for name in ("older", "turned", "symbols")], [1, 1, 1])


def json_writer(lab, kafka, scorer, sender, proxy):
    """The type JSON on a real registry: known, of an id that nobody has, and asked for while the registry is unavailable."""
    for number in range(60):
        sender.send_json("json", number % 4, header=number % 2 == 1)
    sender.raw(struct.pack(">bI", 0, sender.ids["json"]) + b'{"employee_id":', 0)
    sender.raw(struct.pack(">bI", 0, ABSENT_JSON_ID) + b'{"employee_id":"1","attributes":{"Age":41}}', 1)
    sender.flush()
    ends(lab, kafka, scorer, sender, 57)
    letters = Counter(dict(message.headers())["attrition.error.code"].decode() for message in lab.consume(kafka, "employee-events-dlq"))
    lab.equal("JSON: dead letters of text that is none, and of the id that nobody knows", dict(letters),
              {"unresolvable": 20, "unknown_schema_id": 36, "malformed": 1})
    lab.equal("JSON: requests for its id, and for the unknown one",
              [proxy.asked[f"GET /schemas/ids/{number}"] for number in (sender.ids["json"], ABSENT_JSON_ID)], [1, 1])
    lab.stop_registry()
    before = scorer.counter("events_scored_total")
    for number in range(40):
        sender.send_json("json-later" if number % 4 == 2 else "json", number % 4)
    sender.flush()
    lab.wait("JSON, registry unavailable: known schemas go on", lambda: scorer.counter("events_scored_total") == before + 30, 20, scorer)
    lab.wait("JSON, registry unavailable: the partition of the new one waits", lambda: scorer.counter("partitions_waiting") == 1, 20, scorer)
    lab.equal("JSON, registry unavailable: dead letters", scorer.counter("events_dead_lettered_total"), 57)
    lab.start_registry()
    ends(lab, kafka, scorer, sender, 57)
    lab.wait("JSON, registry back: no partition waits", lambda: scorer.counters().get("attrition_partitions_waiting") == 0, 20, scorer)


def outage(lab, kafka, scorer, sender):
    """Partition 0 gets a schema that is not known yet while the registry is unavailable; the others go on."""
    lab.stop_registry()
    before = scorer.counter("events_scored_total")
    for number in range(400):
        sender.send("older", number % 4)
        if number >= 100 and number % 4 == 0:
            sender.send("later", 0)
    sender.flush()
    lab.wait("registry unavailable: one partition waits", lambda: scorer.counter("partitions_waiting") == 1, 20, scorer)
    lab.wait("registry unavailable: the others go on", lambda: scorer.counter("events_scored_total") >= before + 300 + 25, 20, scorer)
    lab.wait("registry unavailable: it says so", lambda: re.search("warn registry.*unavailable", scorer.text(), re.I), 10, scorer)
    lab.wait("registry unavailable: and that a partition waits", lambda: "1 partitions of employee-events wait" in scorer.text(), 10, scorer)
    lab.equal("registry unavailable: dead letters", scorer.counter("events_dead_lettered_total"), 57)
    lab.equal("registry unavailable: ready all the same", scorer.get("/health/ready")[0], 200)
    lab.wait("registry unavailable: health says degraded", lambda: '"status":"degraded"' in scorer.get("/health")[1], 10, scorer)
    before = scorer.counter("events_scored_total")
    lab.wait("registry unavailable: what came before is committed", lambda: scorer.counter("events_in_flight") == 0, 20, scorer)
    for number in range(200):
        sender.send("turned", 1 + number % 3)
    sender.flush()
    lab.wait("registry unavailable: what comes later is scored", lambda: scorer.counter("events_scored_total") == before + 200, 20, scorer)
    lab.start_registry()
    ends(lab, kafka, scorer, sender, 57)
    lab.wait("registry back: no partition waits", lambda: scorer.counters().get("attrition_partitions_waiting") == 0, 20, scorer)


def restart_without_registry(lab, kafka, scorer, sender, settings):
    lab.equal("the scorer drains", scorer.end(), 0)
    lab.audit(scorer)
    lab.stop_registry()
    again = lab.scorer("again", **settings)
    for number in range(100):
        sender.send(("older", "turned", "symbols", "later")[number % 4], number % 4)
    sender.flush()
    lab.wait("a restart without the registry: schemas and our id come from the disk cache",
             lambda: again.counter("events_scored_total") == 100, 60, again)
    lab.audit(again)


with Lab() as lab:
    kafka = lab.kafka()
    lab.model()
    registry = lab.registry()
    proxy = Proxy(registry)
    sender = Sender(lab, kafka, registry)
    # How often it asks is counted: neither a slow answer nor a long test may make it ask again.
    settings = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "ROLES": "score,http", "SCHEMA_REGISTRY_URL": proxy.url, "GROUP_ID": "registry",
                "SCHEMA_REGISTRY_TIMEOUT": "60s", "SCHEMA_REGISTRY_UNKNOWN_TTL": "1h", "KAFKA_SESSION_TIMEOUT_MS": 60000,
                "SCHEMA_REGISTRY_CACHE_DIR": lab.dir / "cache", "INSTANCE_ID": "one"}
    status, out, err = lab.run(BIN / "scorer", "check", env={name: str(value) for name, value in settings.items()})
    lab.one_line("check speaks of the registry", out + err, "ok +registry")
    scorer = lab.scorer("scorer", **settings)
    several_writers(lab, kafka, scorer, sender, proxy)
    json_writer(lab, kafka, scorer, sender, proxy)
    outage(lab, kafka, scorer, sender)
    restart_without_registry(lab, kafka, scorer, sender, settings)

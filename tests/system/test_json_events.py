#!/usr/bin/env python3
"""Events as JSON on a real Kafka: every form scored bit for bit as the same event in Avro; what is wrong with them a dead letter
with its code and field; deletes, tombstones, truncations; a mapping; and what is JSON and what is not, by Python's own parser."""
import csv
import json
import random
import re
import struct
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from confluent_kafka import Consumer, Producer, TopicPartition
from lab import BIN, ROOT, TOPICS, Lab, decode_prediction, encode_event, watermarks

AT = 1_700_000_000_000
ISO = datetime.fromtimestamp(AT / 1000, timezone.utc).isoformat().replace("+00:00", "Z")
FIELDS = {field["name"]: field for field in json.loads((ROOT / "schemas/employee_event.avsc").read_text())["fields"][-1]["type"]["fields"]}
UNAVAILABLE = "__debezium_unavailable_value"


def attributes_of(row):
    """A CSV row as JSON values, by the schema's types."""
    return {name: None if row[name] == "" else row[name] if "string" in field["type"] else int(row[name]) for name, field in FIELDS.items()}


def source(kind="employees"):
    return {"version": "2.7.0.Final", "connector": "postgresql", "name": "hr", "ts_ms": AT, "snapshot": "false", "db": "hr", "schema": "public",
            "table": kind, "txId": 571, "lsn": 24023128, "xmin": None}


def change(op, row, before=None):
    return {"before": before, "after": row, "source": source(), "op": op, "ts_ms": AT + 40, "transaction": None}


def with_schema(value):
    return {"schema": {"type": "struct", "fields": [], "optional": False, "name": "hr.public.employees.Envelope"}, "payload": value}


def forms(employee, attributes):
    """The same employee in each form: (form, key, value, headers)."""
    number = int(employee)
    event = {"event_id": f"plain-{employee}", "event_type": "SNAPSHOT", "employee_id": employee, "occurred_at": ISO, "attributes": attributes}
    cloud = {"specversion": "1.0", "type": "hr.employee", "source": "/hr", "id": f"cloud-{employee}", "time": ISO, "subject": employee}
    row = {"EmployeeNumber": number, "EmployeeCount": 1, "StandardHours": 80, "Attrition": "No", **attributes}
    binary = [("ce_specversion", b"1.0"), ("ce_type", b"hr.employee"), ("ce_source", b"/hr"), ("ce_id", f"binary-{employee}".encode()),
              ("ce_time", ISO.encode()), ("ce_subject", employee.encode()), ("content-type", b"application/json")]
    shuffled = list(attributes.items())
    random.Random(number).shuffle(shuffled)
    pretty = json.dumps({**event, "event_id": f"pretty-{employee}", "attributes": dict(shuffled)}, indent=2)
    return [("avro", employee, encode_event({**event, "event_id": f"avro-{employee}", "occurred_at": AT}), []),
            ("plain", employee, json.dumps(event), []),
            ("pretty", None, pretty, []),
            ("bare minimum", employee, json.dumps({"employee_id": employee, "attributes": attributes}, separators=(",", ":")), []),
            ("CloudEvents, structured", employee, json.dumps({**cloud, "data": attributes}), [("content-type", b"application/cloudevents+json")]),
            ("CloudEvents, an event within", None, json.dumps({"data": event, **cloud}), []),
            ("CloudEvents, binary", employee, json.dumps(attributes), binary),
            ("Debezium, created", json.dumps({"EmployeeNumber": number}), json.dumps(change("c", row)), []),
            ("Debezium, read by a snapshot", json.dumps({"EmployeeNumber": number}), json.dumps(change("r", row)), []),
            ("Debezium, updated, with its schema", json.dumps(with_schema({"EmployeeNumber": number})), json.dumps(with_schema(change("u", row, {**row, "Age": 99}))), [])]


FAULTY = [  # (value, code, field)
    ('{"employee_id":"E","attributes":{"Age":41}', "malformed", None),
    ('{"employee_id":"E","attributes":{"Age":41,"Age":42}}', "malformed", None),
    ('{"employee_id":"E","attributes":{"Age":041}}', "malformed", None),
    (b'{"employee_id":"E\xff","attributes":{"Age":41}}', "malformed", None),
    ('{"employee_id":"E","attributes":{"Age":' + "[" * 10000 + "]" * 10000 + "}}", "limit", None),
    ('{"employee_id":"E","attributes":{"Age":"41"}}', "wrong_type", "Age"),
    ('{"employee_id":"E","attributes":{"Age":41.5}}', "wrong_type", "Age"),
    ('{"employee_id":"E","attributes":{"Age":NaN}}', "not_finite", "Age"),
    ('{"employee_id":"E","attributes":{"Age":410}}', "out_of_range", "Age"),
    ('{"employee_id":"E","attributes":{"Department":"Moon"}}', "unknown_category", "Department"),
    ('{"employee_id":"E","attributes":{"Shoe":44}}', "unknown_field", "Shoe"),
    ('{"employee_id":"E","attributes":{"YearsAtCompany":9,"TotalWorkingYears":3}}', "rule", "YearsAtCompany"),
    ('{"employee_id":"","attributes":{"Age":41}}', "bad_id", "employee_id"),
    ('{"employee_id":"E","occurred_at":1700000000,"attributes":{"Age":41}}', "wrong_type", "occurred_at"),
    ('{"employee_id":"E","occurred_at":"1800-01-01","attributes":{"Age":41}}', "out_of_range", "occurred_at"),
    ('{"employee_id":"E"}', "missing_required", "attributes"),
    ('{"Age":41}', "missing_required", "employee_id"),
    ('{"specversion":"1.0","id":"c","source":"s","type":"t","subject":"E","data_base64":"eA=="}', "wrong_type", "data"),
    ('["employee_id"]', "bad_frame", None),
    (json.dumps(change("u", {"EmployeeNumber": 7, "Age": 41, "JobRole": UNAVAILABLE})), "null_key", None),  # a partial event needs a key
    (json.dumps({"employee_id": "7", "event_type": "CHANGED", "attributes": {"Age": 41}}), "null_key", None),
    (json.dumps({"employee_id": "7", "changed": ["Age"], "attributes": {"Age": 41}}), "rule", "changed"),
    (json.dumps({"employee_id": "7", "event_type": "CHANGED", "changed": ["age"], "attributes": {}}), "unknown_field", "changed"),
    (json.dumps({"employee_id": "7", "event_type": "CHANGED", "changed": ["Age", "Age"], "attributes": {}}), "unknown_field", "Age"),
    (json.dumps({"employee_id": "7", "event_type": "CHANGED", "attributes": {"EmployeeNumber": 8}}), "unknown_field", "EmployeeNumber"),
    (json.dumps(change("u", {"EmployeeNumber": 7, "Age": 41, "salary": 3})), "unknown_field", "salary"),
    (json.dumps(change("d", None, {"Age": 41})), "missing_required", "employee_id"),
    (" " * 1000 + '{"employee_id":"E","x":"' + "y" * 900_000 + '","attributes":{"Age":41}}', "unknown_field", "x"),
]


def send(kafka, topic, records):
    producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True})
    for key, value, headers in records:
        producer.produce(topic, key=key, value=value, headers=headers, timestamp=AT, partition=0)
        producer.poll(0)
    producer.flush(120)


def to_the_end(lab, name, *arguments, **settings):
    scorer = lab.scorer(name, "--exit-at-end", *arguments, **settings)
    lab.wait(f"{name}: comes to the end", lambda: not scorer.alive(), 90)
    return scorer


def audit(lab, kafka, scorer):
    """Once the group's offsets are there for all to see: markers are written after the commit is answered."""
    topic, group = scorer.env.get("INPUT_TOPIC", TOPICS[0]), scorer.env.get("GROUP_ID", "attrition-scorer")
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "isolation.level": "read_committed"})
    end = watermarks(consumer, topic, 0)[1]
    lab.need(f"{group} has committed all of {topic}", lambda: consumer.committed([TopicPartition(topic, 0)], 60)[0].offset == end, 30)
    consumer.close()
    return lab.audit(scorer)


def compare_forms(lab, kafka, employees):
    """Predictions by form; all of an employee's are equal."""
    found = [decode_prediction(message.value()) for message in lab.consume(kafka, TOPICS[1])]
    groups = {}
    for prediction in found:
        groups.setdefault(prediction["employee_id"], []).append(prediction)
    count = len(forms("1", {name: None for name in FIELDS}))
    lab.equal("every form of every employee is scored", (len(groups), {len(group) for group in groups.values()}), (employees, {count}))
    scores = [{(p["probability"], p["margin"], json.dumps(p["attributes"], sort_keys=True), p["occurred_at"]) for p in group} for group in groups.values()]
    lab.equal("all forms of an employee score bit for bit alike, with the same record and time", sum(len(score) != 1 for score in scores), 0)
    one = {p["event_id"] for p in groups["1"]}
    lab.check("event ids: those given, and topic, partition, offset", {"avro-1", "plain-1", "pretty-1", "cloud-1", "binary-1"} < one and
              sum(event_id.startswith("employee-events/0/") for event_id in one) == 4, sorted(one))


def check_letters(lab, kafka):
    letters = lab.consume(kafka, TOPICS[2])
    found = []
    for letter in letters:
        headers = {name: value.decode() for name, value in letter.headers()}
        found.append((letter.offset(), headers["attrition.error.code"], headers.get("attrition.error.field"), headers["__connect.errors.exception.message"]))
    found = [letter[1:] for letter in sorted(found)]
    lab.equal("dead letters: codes and fields", [(code, field) for code, field, _ in found], [(code, field) for _, code, field in FAULTY])
    lab.check("no dead letter's text repeats a value", not any("Moon" in text or "yyyy" in text for _, _, text in found), len(found))


def check_ignored(lab, kafka, scorer):
    """A leaver by each way, tombstones and truncations."""
    outcomes = lab.consume(kafka, TOPICS[3])
    lab.equal("outcomes: a deleted row, and TERMINATED without attributes", sorted(message.key().decode() for message in outcomes), ["7", "8"])
    lab.check("outcomes are framed Avro", all(message.value()[:1] == b"\0" for message in outcomes), [message.value()[:5].hex() for message in outcomes])
    lab.equal("outcomes: headers that would call them JSON are gone, the others stay",
              [name for message in outcomes for name, _ in message.headers() or [] if name.startswith(("ce_", "content"))], ["ce_id"])
    report = audit(lab, kafka, scorer)
    lab.equal("ignored: two tombstones, a truncation and a message, explained by the audit",
              sum(partition.get("ignored", 0) for partition in report["input"]["partitions"]), 4)


def check_mapping(lab, kafka, rows):
    """Somebody else's JSON, in topics of its own."""
    mapping = {"key": "/tenant/emp", "employee_id": "/emp/no", "occurred_at": {"path": "/updated", "unit": "s"},
               "event_type": {"path": "/action", "values": {"HIRE": "HIRED", "LEFT": "TERMINATED"}}, "ignore": ["/photo"],
               "attributes": {**{name: f"/emp/fields/{name.lower()}" for name in FIELDS if name != "OverTime"},
                              "OverTime": {"path": "/ot", "values": {"true": "Yes", "false": "No"}}}}
    (lab.dir / "map.json").write_text(json.dumps(mapping))
    topics = [f"mapped-{topic}" for topic in TOPICS]
    lab.create_topics(kafka, topics, 1)
    records = []
    for row in rows:
        attributes = attributes_of(row)
        fields = {name.lower(): value for name, value in attributes.items() if name != "OverTime"}
        value = {"emp": {"no": int(row["EmployeeNumber"]), "fields": fields}, "ot": attributes["OverTime"] == "Yes", "updated": AT // 1000,
                 "action": "HIRE", "photo": {"data": ["…"]}}
        records.append((json.dumps({"a": 1, "tenant": {"emp": int(row["EmployeeNumber"])}}), json.dumps(value, ensure_ascii=False), []))
    records += [(None, '{"emp":{"no":3},"action":"LEFT"}', []), (None, '{"emp":{"no":3},"grade":1}', []),
                (json.dumps({"a": 1, "tenant": {"emp": 5}}), None, [])]
    send(kafka, topics[0], records)
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, INPUT_MAP=lab.dir / "map.json", GROUP_ID="mapped", ROLES="score",
                    **dict(zip(("INPUT_TOPIC", "OUTPUT_TOPIC", "DLQ_TOPIC", "OUTCOME_TOPIC"), topics)))
    scorer = to_the_end(lab, "mapped", **settings)
    found = {p["employee_id"]: p for p in (decode_prediction(m.value()) for m in lab.consume(kafka, topics[1]) if m.value())}
    plain = {p["employee_id"]: p for p in (decode_prediction(m.value()) for m in lab.consume(kafka, TOPICS[1]))}
    same = [found[e]["margin"] == plain[e]["margin"] and found[e]["attributes"] == plain[e]["attributes"] for e in found]
    lab.check("mapped: scored like the plain events", len(same) == len(rows) and all(same), f"{sum(same)} of {len(rows)}")
    lab.equal("mapped: an outcome, a dead letter, an erasure by the mapping's key", (
        len(lab.consume(kafka, topics[3])), [dict(m.headers())["attrition.error.code"] for m in lab.consume(kafka, topics[2])],
        [m.key() for m in lab.consume(kafka, topics[1]) if m.value() is None]), (1, [b"unknown_field"], [b"5"]))
    audit(lab, kafka, scorer)
    (lab.dir / "bad.json").write_text('{"employee_id": "/a", "attributes": {"Shoe": "/b"}}')
    status, _, err = lab.run(BIN / "scorer", "run", env={**lab.env, **{k: str(v) for k, v in settings.items()}, "INPUT_MAP": str(lab.dir / "bad.json")})
    lab.check("a mapping to a field that does not exist is a usage error", status == 2 and '"Shoe"' in err, err.strip()[-160:])


def check_debezium(lab, kafka):
    """A table's messages as the PostgreSQL connector documents them, schema block and all: debezium_messages.jsonl, which says what becomes of each."""
    messages = [json.loads(line) for line in (ROOT / "tests/system/debezium_messages.jsonl").read_text().splitlines()]
    topics = [f"debezium-{topic}" for topic in TOPICS]
    settings = {**dict(zip(("INPUT_TOPIC", "OUTPUT_TOPIC", "DLQ_TOPIC", "OUTCOME_TOPIC"), topics)), "STATE_TOPIC": "debezium-state", "ALERT_TOPIC": "none"}
    lab.run(BIN / "scorer", "check", "--create-topics", "--partitions", "1", env={**settings, "KAFKA_BOOTSTRAP_SERVERS": kafka, "GROUP_ID": "debezium"})
    send(kafka, topics[0], [(m["key"] and json.dumps(m["key"]), m["value"] and json.dumps(m["value"]), []) for m in messages])
    scorer = to_the_end(lab, "debezium", KAFKA_BOOTSTRAP_SERVERS=kafka, GROUP_ID="debezium", ROLES="score", NULL_VALUE="ignore", **settings)
    found = {p["source"]["offset"]: p for p in (decode_prediction(m.value()) for m in lab.consume(kafka, topics[1]))}
    ends = {n: "scored" for n in found}
    ends.update({int(dict(m.headers())["__connect.errors.offset"]): dict(m.headers())["attrition.error.code"].decode() for m in lab.consume(kafka, topics[2])})
    ends.update({int(dict(m.headers())["attrition.source.offset"]): "outcome" for m in lab.consume(kafka, topics[3])})
    lab.equal("Debezium's messages: each comes to the end that is documented", {m["what"]: ends.get(n, "ignored") for n, m in enumerate(messages) if ends.get(n, "ignored") != m["end"]}, {})
    rows = lambda n: {name: value for name, value in messages[n]["value"]["payload"]["after"].items() if name in FIELDS}
    held = {n: {name: found[n]["attributes"][name] for name in rows(n)} for n in found}
    wanted = {n: {name: "Manager" if value == UNAVAILABLE else value for name, value in rows(n).items()} for n, m in enumerate(messages) if m["end"] == "scored"}
    lab.equal("… with the row's values, what was not sent as it was before", held, wanted)
    lab.equal("… and the source's time", [n for n in found if int(found[n]["occurred_at"].timestamp() * 1000) != messages[n]["value"]["payload"]["source"]["ts_ms"]], [])
    audit(lab, kafka, scorer)


def check_readme(lab, kafka, database):
    """The README's commands as they are printed, and those of docs/EVENTS_AS_JSON.md."""
    lines = [line for name in ("README.md", "docs/EVENTS_AS_JSON.md") for line in (ROOT / name).read_text().splitlines()
             if line.startswith("echo '{") and "kcat" in line]
    lab.check("the documents have events to send", len(lines) >= 5, len(lines))
    topics = [f"readme-{topic}" for topic in TOPICS]
    settings = dict(zip(("INPUT_TOPIC", "OUTPUT_TOPIC", "DLQ_TOPIC", "OUTCOME_TOPIC", "STATE_TOPIC"), [*topics, "readme-state"]))
    lab.run(BIN / "scorer", "check", "--create-topics", "--partitions", "1", env={**settings, "KAFKA_BOOTSTRAP_SERVERS": kafka, "GROUP_ID": "readme"})
    for line in lines:
        lab.must("bash", "-euo", "pipefail", "-c", line.replace("-t employee-events", f"-t {topics[0]}"), env={**lab.env, "KAFKA_BOOTSTRAP_SERVERS": kafka})
    scorer = to_the_end(lab, "readme", KAFKA_BOOTSTRAP_SERVERS=kafka, GROUP_ID="readme", ROLES="score", NULL_VALUE="ignore", **settings)
    lab.equal("each is scored or an outcome", (len(lab.consume(kafka, topics[1])) + len(lab.consume(kafka, topics[3])),
                                               [dict(m.headers()) for m in lab.consume(kafka, topics[2])]), (len(lines), []))
    audit(lab, kafka, scorer)


class Registry(BaseHTTPRequestHandler):
    """Answers as a registry that knows a schema of type JSON (ours for tests has no provider for them)."""

    schemas = {77: {"schemaType": "JSON", "schema": json.dumps({"type": "object"})}}

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self):
        number = re.match("/schemas/ids/([0-9]+)", self.path)
        found = self.schemas.get(int(number[1])) if number else None
        self.answer(200 if found else 404, found or {"error_code": 40401, "message": "not found"})

    def do_POST(self):
        schema = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = next((n for n, known in self.schemas.items() if known["schema"] == schema["schema"]), 77 + len(self.schemas))
        self.schemas[number] = {"schema": schema["schema"]}
        self.answer(200, {"id": number})

    def log_message(self, *_):
        pass


def check_registry(lab, kafka, row):
    """A frame whose schema is of type JSON, as Confluent's JSON serializer writes it, in front of the value and in a header."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    frame = struct.pack(">bI", 0, 77)
    value = json.dumps({"employee_id": "1", "attributes": attributes_of(row)}).encode()
    for what, data, wanted in (("is shown", value, json.loads(value)), ("that is none", value[:-1], "malformed")):
        shown = json.loads(lab.must(BIN / "scorer", "decode", "--framed", input=(frame + data).hex() + "\n", env={"SCHEMA_REGISTRY_URL": url}))
        lab.equal(f"decode: JSON in a frame {what}", shown.get("error", {}).get("code", shown), wanted)
    topics = [f"registry-{topic}" for topic in TOPICS]
    lab.create_topics(kafka, topics, 1)
    send(kafka, topics[0], [("1", frame + value, []), ("1", value, [("__value_schema_id", frame)]), ("1", frame + b"{", []),
                            ("1", b'{"employee_id":"1","event_type":"TERMINATED"}', [("__value_schema_id", frame)])])
    scorer = to_the_end(lab, "registry", KAFKA_BOOTSTRAP_SERVERS=kafka, GROUP_ID="registry", ROLES="score", SCHEMA_REGISTRY_URL=url,
                        **dict(zip(("INPUT_TOPIC", "OUTPUT_TOPIC", "DLQ_TOPIC", "OUTCOME_TOPIC"), topics)))
    outcomes = lab.consume(kafka, topics[3])
    lab.equal("a registry's JSON schema: scored with the frame in front and in a header; what is no JSON is malformed", (
        len(lab.consume(kafka, topics[1])), [dict(m.headers())["attrition.error.code"] for m in lab.consume(kafka, topics[2])], len(outcomes)), (2, [b"malformed"], 1))
    lab.check("its outcome is Avro in a frame, without the JSON schema's header", outcomes and outcomes[0].value()[:1] == b"\0" and
              "__value_schema_id" not in dict(outcomes[0].headers()), outcomes and outcomes[0].headers())
    audit(lab, kafka, scorer)
    server.shutdown()


def python_takes(text):
    """Python's own decision, made as strict as JSON: no duplicate names, whole characters alone."""
    def members(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("duplicate")
        return dict(pairs)
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=members)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        return isinstance(value, dict)
    except (ValueError, UnicodeError):
        return False


def mutated(rng, seeds):
    text = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 4)):
        if not text:
            break
        at = rng.randrange(len(text))
        kind = rng.randrange(5)
        if kind == 0:
            text[at] = rng.choice(b'{}[]",:\\u0123456789.eE+-tfnNaIity \t\x01\x7f\x80\xc3\xa9\xed\xa0')
        elif kind == 1:
            del text[at:at + rng.randint(1, 6)]
        elif kind == 2:
            text[at:at] = rng.choice([b"\\ud83d", b"\\ude00", b"\\u00e9", b"NaN", b"-Infinity", b"1e999", b"-0", b"00", b"1.", b"{}", b"[]", b'"a":1,', b"\xc3\xa9", b"null"])
        elif kind == 3:
            end = min(len(text), at + rng.randint(1, 30))
            text[at:at] = text[at:end]
        else:
            del text[at:]
    return bytes(text).replace(b"\n", b" ").replace(b"\r", b" ")


def compare_with_python(lab, rows):
    """`scorer score` says malformed exactly where Python's parser refuses."""
    rng = random.Random(4)
    seeds = [json.dumps({"id": n, "attributes": {**attributes_of(row), "x": [{"é": None}, [1.5e-3, True]]}}, ensure_ascii=bool(n % 2)).encode() for n, row in enumerate(rows[:20])]
    lines = [line for line in (mutated(rng, seeds) for _ in range(20000)) if line.strip() and not line.startswith(b"\xef\xbb\xbf")]
    (lab.dir / "lines.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    out = lab.must(BIN / "scorer", "score", "--unchecked", lab.dir / "lines.jsonl")
    answers = [json.loads(line).get("error", {}).get("code") for line in out.splitlines()]
    lab.equal("one answer for each line", len(answers), len(lines))
    wrong = [(line, code) for line, code in zip(lines, answers) if (code == "malformed") == python_takes(line)]
    lab.check("JSON is what Python's parser takes for JSON", not wrong, f"{len(lines)} lines, {answers.count('malformed')} malformed; {wrong[:3]}")


with Lab() as lab:
    lab.model()
    kafka, database = lab.kafka(partitions=1), lab.postgres()
    with open(lab.employees(60)) as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["EmployeeNumber"] = str(number + 1)
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database)
    compare_with_python(lab, rows)
    records = [record[1:] for row in rows for record in forms(row["EmployeeNumber"], attributes_of(row))]
    records += [(None, value, []) for value, _, _ in FAULTY]
    records += [("7", json.dumps(change("d", None, {"EmployeeNumber": 7})), []), ("7", None, []), (None, None, []),
                ("8", '{"employee_id":"8","event_type":"TERMINATED"}',
                 [("content-type", b"application/json"), ("ce_specversion", b"1.0"), ("ce_id", b"c-8"), ("ce_datacontenttype", b"application/json")]),
                (None, json.dumps({"op": "t", "source": source(), "ts_ms": AT}), []),
                (None, json.dumps({"op": "m", "source": source("no table"), "ts_ms": AT, "message": {"prefix": "p", "content": "eA=="}}), [])]
    send(kafka, "employee-events", records)
    asked = to_the_end(lab, "undecided", **settings)
    lab.check("Debezium without NULL_VALUE: status 1, one message that says what to set", asked.popen.poll() == 1 and "set NULL_VALUE=ignore" in asked.text(),
              asked.text().strip().splitlines()[-1][-200:])
    scorer = to_the_end(lab, "scorer", NULL_VALUE="ignore", **settings)
    lab.equal("exit status", scorer.popen.poll(), 0)
    compare_forms(lab, kafka, len(rows))
    check_letters(lab, kafka)
    check_ignored(lab, kafka, scorer)
    lab.equal("PostgreSQL has a row of each", (lab.number(database, "select count(*) from attrition.predictions"), lab.number(database, "select count(*) from attrition.dead_letters"),
                                              lab.number(database, "select count(*) from attrition.outcomes")), (len(rows) * 10, len(FAULTY), 2))
    check_mapping(lab, kafka, rows)
    check_debezium(lab, kafka)
    check_readme(lab, kafka, database)
    check_registry(lab, kafka, rows[0])

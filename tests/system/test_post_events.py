#!/usr/bin/env python3
"""POST /events against a real Kafka: every form a publisher may send, what is refused and with which faults, one transaction a request, and what a
client may rely on when the scorer is killed, the broker is frozen, or writing is denied."""
import concurrent.futures
import datetime
import http.client
import io
import json
import os
import re
import signal
import struct
import threading
import time

from lab import ROOT, Lab, decode_prediction, frame_id, schema

import fastavro
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}
FINE = {"Age": 41, "OverTime": "Yes"}
INPUT = "employee-events"


def post(scorer, body, headers=JSON, seconds=90):
    """(status, headers, parsed body); status 0: no answer."""
    client = http.client.HTTPConnection(scorer.http, timeout=seconds)
    try:
        client.request("POST", "/events", body=body if isinstance(body, (str, bytes)) else json.dumps(body), headers=headers)
        answer = client.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())
    except (OSError, http.client.HTTPException):
        return 0, {}, {}
    finally:
        client.close()


def event(employee, number=None, **more):
    return {"employee_id": employee, **({} if number is None else {"event_id": f"{employee}/{number}"}), "attributes": FINE, **more}


def faults_of(answer):
    return {(tuple(fault["loc"]), fault["type"]) for fault in answer[2]["detail"]}


def written(lab, broker):
    """event_id → its records of the input topic, committed: (key, event)."""
    found = {}
    for message in lab.consume(broker, INPUT):
        value = message.value()
        record = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema("employee_event.avsc"), None)
        assert struct.unpack(">bI", value[:5]) == (0, frame_id("event")) and message.key().decode() == record["employee_id"]
        found.setdefault(record["event_id"], []).append((message, record))
    return found


def scored(lab, broker):
    """event_id → its predictions."""
    found = {}
    for message in lab.consume(broker, "attrition-predictions"):
        record = decode_prediction(message.value())
        found.setdefault(record["event_id"], []).append(record)
    return found


# --- forms ---

def accepted(lab, what, answer, ids):
    lab.equal(what, (answer[0], answer[2]), (202, {"accepted": len(ids), "event_ids": ids}))


def check_forms(lab, scorer, broker):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    accepted(lab, "one event", post(scorer, event("f-1", 1, occurred_at="2026-01-31T10:00:00Z"), {**JSON, "traceparent": trace}), ["f-1/1"])
    sent = datetime.datetime.now(datetime.timezone.utc)
    accepted(lab, "a list", post(scorer, [event("f-2", n) for n in range(3)]), [f"f-2/{n}" for n in range(3)])
    listed = datetime.datetime.now(datetime.timezone.utc)
    lines = "\n".join(json.dumps(event("f-3", n)) for n in range(3))
    accepted(lab, "lines, some empty", post(scorer, f"\n{lines}\r\n\n", LINES), [f"f-3/{n}" for n in range(3)])
    accepted(lab, "a termination", post(scorer, {"employee_id": 4, "event_id": "f-4", "event_type": "TERMINATED"}), ["f-4"])
    change = {"op": "u", "before": None, "after": {"EmployeeNumber": 1042, **FINE}, "source": {"ts_ms": 1767225600000}}
    made = post(scorer, change)
    lab.equal("a change event of Debezium's", (made[0], made[2]["accepted"]), (202, 1))
    lab.check("its id is made of the body", re.fullmatch("http/[0-9a-f]{32}/0", made[2]["event_ids"][0]), made[2]["event_ids"])
    lab.equal("the same body has the same id again", post(scorer, change)[2]["event_ids"], made[2]["event_ids"])
    deleted = post(scorer, {"op": "d", "before": {"EmployeeNumber": 1042}, "after": None, "source": {"ts_ms": 1767225700000}})
    lab.equal("a row that was deleted", deleted[0], 202)
    at = datetime.datetime(2026, 2, 1, tzinfo=datetime.timezone.utc)
    cloud = lambda name: CloudEvent(attributes={"id": name, "source": "/hr", "type": "employee.changed", "subject": "é 100%", "time": at,
                                                "datacontenttype": "application/json", "specversion": "1.0"}, data=FINE)
    binary, structured = to_binary_event(cloud("cloud 1")), to_structured_event(cloud("cloud-2"))
    accepted(lab, "a CloudEvent in binary mode", post(scorer, binary.body, binary.headers), ["cloud 1"])
    accepted(lab, "… in structured mode", post(scorer, structured.body, structured.headers), ["cloud-2"])
    batch = [json.loads(to_structured_event(cloud(f"batch-{n}")).body) for n in range(2)]
    accepted(lab, "… in a batch", post(scorer, batch, {"Content-Type": "application/cloudevents-batch+json; charset=UTF-8"}), ["batch-0", "batch-1"])
    lab.equal("no list in binary mode", faults_of(post(scorer, [FINE], {**JSON, "ce-specversion": "1.0", "ce-id": "x", "ce-subject": "1"})),
              {(("header", "ce-specversion"), "malformed")})
    found = written(lab, broker)
    lab.equal("each is one record, the repeated body's two", sorted(len(records) for records in found.values()), [1] * 13 + [2])
    message, record = found["f-1/1"][0]
    lab.equal("the record says what was posted", (record["event_type"], record["occurred_at"].isoformat(), record["attributes"]["Age"], record["attributes"]["JobLevel"]),
              ("SNAPSHOT", "2026-01-31T10:00:00+00:00", 41, None))
    lab.check("the trace goes on in it", dict(message.headers() or ())["traceparent"].decode().startswith(trace[:36]))
    lab.equal("CloudEvents: who and when", [(found[name][0][1]["employee_id"], found[name][0][1]["occurred_at"]) for name in ("cloud 1", "cloud-2", "batch-1")],
              [("é 100%", at)] * 3)
    lab.equal("ends of employment", [found[name][0][1]["event_type"] for name in ("f-4", deleted[2]["event_ids"][0])], ["TERMINATED"] * 2)
    came, second = found["f-2/0"][0][1]["occurred_at"], datetime.timedelta(seconds=1)
    lab.check("no time: the time it came", sent - second < came < listed + second, f"{sent}, {came}, {listed}")
    lab.wait("all are scored, but for two outcomes", lambda: scorer.counter("events_scored_total") == 13 and scorer.counter("events_outcome_total") == 2, 30, scorer)
    alone = json.loads(lab.must("curl", "-s", f"http://{scorer.http}/predict?log=false", "-H", "Content-Type: application/json", "-d", json.dumps({"attributes": FINE})))
    lab.equal("as /predict scores", {p["probability"] for name in ("f-1/1", "cloud 1", made[2]["event_ids"][0]) for p in scored(lab, broker)[name]}, {alone["probability"]})
    text = scorer.get("/metrics")[1]
    lab.check("they are counted by result", 'attrition_http_events_total{result="committed"} 15' in text, re.findall("http_events_total.*", text))


# --- refusals ---

def check_refusals(lab, scorer, broker):
    before = sum(len(records) for records in written(lab, broker).values())
    bad = {**event("b-2", 2), "bogus": 1, "occurred_at": "soon", "attributes": {"Age": 411, "OverTime": "Yos", "Aeg": 2, "JobLevel": "3"}}
    answer = post(scorer, [event("b-1", 1), bad, {"attributes": FINE}, 7])
    at = ("body", 1)
    lab.equal("every fault of a list, each at its place", (answer[0], faults_of(answer)), (422, {
        ((*at, "bogus"), "unknown_field"), ((*at, "occurred_at"), "wrong_type"), ((*at, "attributes", "Age"), "out_of_range"),
        ((*at, "attributes", "OverTime"), "unknown_category"), ((*at, "attributes", "Aeg"), "unknown_field"), ((*at, "attributes", "JobLevel"), "wrong_type"),
        (("body", 2, "employee_id"), "missing_required"), (("body", 3), "malformed")}))
    for what, body, headers, loc, kind in (
            ("a bad id", event("a\tb", 1), JSON, ("body", "employee_id"), "bad_id"),
            ("no id at all", event("", 1), JSON, ("body", "employee_id"), "bad_id"),
            ("in the future", event("b", 1, occurred_at="2199-01-01"), JSON, ("body", "occurred_at"), "out_of_range"),
            ("a number without a unit", event("b", 1, occurred_at=1767225600000), JSON, ("body", "occurred_at"), "wrong_type"),
            ("no attributes", {"employee_id": "b"}, JSON, ("body", "attributes"), "missing_required"),
            ("a rule", event("b", 1, attributes={"YearsInCurrentRole": 5, "YearsAtCompany": 2}), JSON, ("body", "attributes", "YearsInCurrentRole"), "rule"),
            ("NaN", '{"employee_id":"b","attributes":{"Age":NaN}}', JSON, ("body", "attributes", "Age"), "not_finite"),
            ("no form of an event", {"name": "b"}, JSON, ("body", "employee_id"), "missing_required"),
            ("no change of a row", {"op": "t", "source": {}}, JSON, ("body", "op"), "unresolvable"),
            ("no object", "3", JSON, ("body",), "malformed"), ("an empty list", "[]", JSON, ("body",), "missing_required"),
            ("no lines", "\n", LINES, ("body",), "missing_required"), ("nothing", "", LINES, ("body",), "missing_required"),
            ("a line that is no JSON", json.dumps(event("b", 1)) + '\n{"employee_id":', LINES, ("body", 1), "malformed"),
            ("1,001 events", [event("b", n) for n in range(1001)], JSON, ("body",), "limit"),
            ("1,001 lines", "\n".join([json.dumps(event("b"))] * 1001), LINES, ("body",), "limit"),
            ("another version", {"specversion": "0.3", "data": FINE}, JSON, ("body", "specversion"), "unresolvable")):
        answer = post(scorer, body, headers)
        lab.equal(f"422: {what}", (answer[0], answer[0] == 422 and (loc, kind) in faults_of(answer) or answer[2]), (422, True))
    for what, code, answer in (
            ("not JSON", 400, post(scorer, "{")), ("nothing", 400, post(scorer, "")), ("a duplicate key", 400, post(scorer, '{"employee_id":"b","employee_id":"c"}')),
            ("10,000 levels", 400, post(scorer, "[" * 10000)), ("no content type", 415, post(scorer, "{}", {})),
            ("another content type", 415, post(scorer, "{}", {"Content-Type": "text/csv"})), ("another encoding", 415, post(scorer, "{}", {"Content-Type": "application/x-ndjson; charset=latin1"})),
            ("Avro", 415, post(scorer, b"\0\0\0", {"Content-Type": "application/cloudevents+avro"})),
            ("a compressed body", 415, post(scorer, b"{}", {**JSON, "Content-Encoding": "gzip"})), ("more than 1 MiB", 413, post(scorer, b" " * ((1 << 20) + 1)))):
        lab.equal(f"{code}: {what}", (answer[0], list(answer[2])), (code, ["detail"]))
    lab.check("415 names the types", "application/x-ndjson" in post(scorer, "{}", {"Content-Type": "text/csv"})[2]["detail"])
    lab.equal("405 for others", (scorer.get("/events")[0], post(scorer, "{}")[0]), (405, 422))
    lab.equal("nothing of it is written", sum(len(records) for records in written(lab, broker).values()), before)
    big = post(scorer, json.dumps([event("big", n) for n in range(1000)]).ljust(1 << 20))
    lab.equal("1,000 events in 1 MiB are fine", (big[0], big[2].get("accepted")), (202, 1000))


# --- when things fail ---

def publish(scorer, lane, over, outcome):
    """Events of one publisher, three a request, each sent once: event_id → status, 0 where no answer came."""
    n = 0
    while not over.is_set():
        events = [event(f"{lane}-{i}", n) for i in range(3)]
        answer = post(scorer, events)
        outcome.update({posted["event_id"]: answer[0] for posted in events})
        n += 1
        if answer[0] != 202:
            time.sleep(0.05)


def publish_lanes(scorer, name, meanwhile):
    """Until `meanwhile`, which is called with the outcome so far, has returned."""
    outcome, over = {}, threading.Event()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        lanes = [pool.submit(publish, scorer, f"{name}-{lane}", over, outcome) for lane in range(4)]
        try:
            meanwhile(outcome)
        finally:
            over.set()
        for lane in lanes:
            lane.result()
    return outcome


def more_accepted(outcome, count=30):
    """A condition: so many more are accepted than now."""
    accepted_now = lambda: sum(status == 202 for status in list(outcome.values()))
    before = accepted_now()
    return lambda: accepted_now() >= before + count


def check_outcome(lab, what, outcome, found):
    counts = {status: sum(found_status == status for found_status in outcome.values()) for status in sorted(set(outcome.values()))}
    lab.check(f"{what}: events were accepted, and some were not", counts.get(202, 0) > 20 and len(counts) > 1, counts)
    lab.equal(f"{what}: accepted events that are not there once", [name for name, status in outcome.items() if status == 202 and len(found.get(name, ())) != 1], [])
    lab.equal(f"{what}: others that are there more than once", [name for name, status in outcome.items() if len(found.get(name, ())) > 1], [])
    for name in outcome:
        together = {name.split("/")[0].rsplit("-", 1)[0] + f"-{i}/" + name.split("/")[1] in found for i in range(3)}
        if len(together) > 1:
            lab.check(f"{what}: a request is written whole or not at all", False, name)
            break


def check_kills(lab, broker, environment):
    scorers = [lab.scorer("killed-0", **environment)]
    lab.ready(scorers[0])

    def kill_and_start(outcome):
        for n in range(1, 4):
            time.sleep(2)
            lab.need("events are accepted before it is killed", more_accepted(outcome), 60, scorers[-1])
            scorers[-1].kill()
            settings = {**environment, "HTTP_LISTEN": scorers[0].http}
            scorers.append(lab.scorer(f"killed-{n}", **settings))
            lab.ready(scorers[-1])
        time.sleep(2)
        lab.need("events are accepted by the last one", more_accepted(outcome), 60, scorers[-1])
    outcome = publish_lanes(scorers[0], "k", kill_and_start)
    # Posts are written one after the other: what had no answer is written or not once a later one is accepted.
    lab.wait("killed: accepted once more", lambda: post(scorers[-1], event("k-after", 1))[0] == 202, 30, scorers[-1])
    lab.wait("killed: all is scored", lambda: {name for name in written(lab, broker) if name.startswith("k-")} <= scored(lab, broker).keys(), 60, scorers[-1])
    check_outcome(lab, "killed", outcome, scored(lab, broker))
    lab.audit(scorers[-1])
    return scorers[-1]


def check_frozen(lab, broker, scorer):
    pid = int((lab.dir / "kafka/pid").read_text())
    timed = []

    def freeze(outcome):
        lab.need("frozen: events are accepted before", more_accepted(outcome), 30, scorer)
        os.kill(pid, signal.SIGSTOP)
        for _ in range(4):
            began = time.monotonic()
            timed.append((post(scorer, event("frozen")), time.monotonic() - began))
            time.sleep(1.5)
        began = time.monotonic()
        timed.append((scorer.get("/health/live"), time.monotonic() - began))
        os.kill(pid, signal.SIGCONT)
        lab.wait("broker goes on: its publishers are accepted again", more_accepted(outcome, 600), 60, scorer)
    outcome = publish_lanes(scorer, "z", freeze)
    refused = [answer for answer, _ in timed[:4]]
    lab.equal("frozen: 503 with Retry-After", [(answer[0], answer[1].get("Retry-After")) for answer in refused], [(503, "5")] * 4)
    lab.check("… in time", max(seconds for _, seconds in timed) < 12, [round(seconds, 1) for _, seconds in timed])
    lab.check("… where it is not known, with the ids", all(("event_ids" in answer[2]) == ("not known" in answer[2]["detail"]) for answer in refused),
              [answer[2] for answer in refused][:2])
    lab.wait("… and others, too", lambda: post(scorer, event("after"))[0] == 202, 30, scorer)
    check_outcome(lab, "frozen", outcome, {name: records for name, records in written(lab, broker).items()})


def check_token(lab, environment):
    guarded = lab.scorer("guarded", **{**environment, "ROLES": "http", "INSTANCE_ID": "three", "HTTP_TOKEN": "s3cret"})
    lab.need("a service with a token answers", lambda: guarded.get("/health/live")[0] == 200, 20, guarded)
    lab.equal("401 without it", post(guarded, event("t", 1))[0], 401)
    lab.wait("202 with it", lambda: post(guarded, event("t", 1), {**JSON, "Authorization": "Bearer s3cret"})[0] == 202, 20, guarded)
    lab.equal("the guarded one ends in time", guarded.end(), 0)


def check_denied(lab, broker, scorer):
    from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType
    admin = AdminClient({"bootstrap.servers": broker})
    deny = (ResourceType.TOPIC, INPUT, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", AclOperation.WRITE, AclPermissionType.DENY)
    lab.wait("accepted before", lambda: post(scorer, event("denied"))[0] == 202, 20, scorer)
    for answer in admin.create_acls([AclBinding(*deny)]).values():
        answer.result(60)
    lab.wait("denied: 503", lambda: post(scorer, event("denied"))[0] == 503, 20, scorer)
    began, answers = time.monotonic(), []
    while time.monotonic() - began < 6:
        answers.append(post(scorer, event("denied")))
        lab.failures += answers[-1][0] == 503 and "event_ids" in answers[-1][2]
        time.sleep(0.1)
    lab.equal("… and nothing else", {answer[0] for answer in answers}, {503})
    lines = [line for line in scorer.text().splitlines() if "uthorization failed" in line and "POST /events is answered with 503" in line]
    lab.equal("… the log says so, once", len(lines), 1)
    fresh = scorer.text().count("Failed to add partition")
    lab.check("… and new producers come ever more rarely", fresh < 12, fresh)
    lab.wait("… ready all the same", lambda: scorer.get("/health/ready")[0] == 200, 10, scorer)
    for answer in admin.delete_acls([AclBindingFilter(*deny)]).values():
        answer.result(60)
    lab.wait("allowed again: accepted", lambda: post(scorer, event("allowed"))[0] == 202, 40, scorer)


with Lab() as lab:
    lab.model()
    broker = lab.kafka("kafka", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "allow.everyone.if.no.acl.found=true",
                       "super.users=User:nobody")
    # Who has to be accepted or denied is not refused because Kafka is slow, and no member is fenced for that; 3 s where it is the answer that counts.
    environment = {"KAFKA_BOOTSTRAP_SERVERS": broker, "ROLES": "score,http", "INSTANCE_ID": "one", "NULL_VALUE": "ignore", "HTTP_LOG_TIMEOUT": "60s",
                   "KAFKA_SESSION_TIMEOUT_MS": "60000"}
    in_time = {**environment, "HTTP_LOG_TIMEOUT": "3s"}
    scorer = lab.scorer(**environment)
    lab.ready(scorer)
    check_forms(lab, scorer, broker)
    check_refusals(lab, scorer, broker)
    lab.equal("it ends in time", scorer.end(), 0)
    scorer = check_kills(lab, broker, in_time)
    lab.equal("the last ends in time", scorer.end(), 0)
    check_token(lab, in_time)
    service = lab.scorer("service", **{**in_time, "ROLES": "http", "INSTANCE_ID": "two"})
    lab.ready(service)
    check_frozen(lab, broker, service)
    lab.equal("the service alone ends in time", service.end(), 0)
    service = lab.scorer("denied", **{**environment, "ROLES": "http", "INSTANCE_ID": "four"})
    lab.ready(service)
    check_denied(lab, broker, service)
    lab.equal("the one that was denied ends in time", service.end(), 0)

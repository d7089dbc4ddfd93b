#!/usr/bin/env python3
"""What `producer dlq replay` must not send back: events of people whose erasure arrives while letters are on their way (the point
dlq.send of the build FLAVOUR=faults freezes the replay just there), and events older than the employee's current record in the state
topic. On a real Kafka."""
import json
import os
import signal
from pathlib import Path

from confluent_kafka import Producer

from lab import BIN, Lab, encode_event, schema

FAULTS_BIN = Path(os.environ.get("FAULTS_BIN") or BIN.parent / "faults/bin")
ATTRIBUTES = {field["name"]: None for field in next(
    field for field in schema("employee_event.avsc")["fields"] if field["name"] == "attributes")["type"]["fields"]}
TIME = 1_700_000_000_000
STATE = "attrition-state"


def event(employee, number, age=41, at=TIME):
    return encode_event({"event_id": f"{employee}-{number}", "event_type": "SNAPSHOT", "employee_id": employee,
                         "occurred_at": at, "attributes": {**ATTRIBUTES, "Age": age}})


def producer(kafka, **settings):
    return Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random", "enable.idempotence": True,
                     **{name.replace("_", "."): value for name, value in settings.items()}})


def send(kafka, records):
    sender, failures = producer(kafka), []
    for key, value in records:
        sender.produce("employee-events", value, key, on_delivery=lambda error, _: error and failures.append(error))
    assert sender.flush(120) == 0 and not failures, failures


def transaction(kafka, identity, records):
    """Open, with records that the brokers have."""
    sender = producer(kafka, transactional_id=identity)
    sender.init_transactions(30)
    sender.begin_transaction()
    for key, value in records:
        sender.produce("employee-events", value, key)
    assert sender.flush(120) == 0
    return sender


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def is_brought_back(records):
    """Who has an event after a request to be erased."""
    erased, back = set(), set()
    for message in sorted(records, key=lambda m: (m.partition(), m.offset())):
        employee = message.key().decode()
        if message.value() is None:
            erased.add(employee)
        elif employee in erased:
            back.add(employee)
    return back


def replay(lab, *words, **env):
    status, out, err = lab.run(BIN / "producer", "dlq", "replay", "--json", *words, env={**lab.env, **env})
    return status, json.loads(out.splitlines()[-1]) if out else {}, err


with Lab() as lab:
    kafka = lab.kafka()
    lab.env["KAFKA_BOOTSTRAP_SERVERS"] = kafka
    lab.model()
    people = [f"P{number:02}" for number in range(40)]
    gone = people[:20]
    send(kafka, [(person, event(person, 1, 400)) for person in [*people, "undecided", "aborted"]])
    lab.equal("dead letters are made", lab.run(BIN / "scorer", "run", env={**lab.env, "ROLES": "score", "EXIT_AT_END": "true"})[0], 0)

    # 20 are erased while the replay stands before its first record; "undecided" is erased in a transaction that is open for a while,
    # "aborted" in one that never was.
    running = lab.start("replay", [FAULTS_BIN / "producer", "dlq", "replay", "--json"], {**lab.env, "FAILPOINT": "dlq.send:1:stop"})
    lab.need("the replay stands before it sends", lambda: state_of(running.popen.pid) == "T", 60, running)
    send(kafka, [(person, None) for person in gone])
    transaction(kafka, "aborts", [("aborted", None)]).abort_transaction(30)
    undecided = transaction(kafka, "decides-late", [("undecided", None)])
    os.kill(running.popen.pid, signal.SIGCONT)
    lab.need("it waits for who has not decided", lambda: "transaction is open in employee-events" in running.text(), 60, running)
    undecided.commit_transaction(30)
    lab.need("the replay ends", lambda: not running.alive(), 60, running)
    lab.equal("exit status", running.popen.returncode, 0)
    summary = json.loads(next(line for line in running.text().splitlines() if line.startswith("{")))
    lab.equal("replayed, acknowledged, erased", [summary[name] for name in ("replayed", "acknowledged", "erased")], [21, 21, 21])
    found = lab.consume(kafka, "employee-events")
    lab.equal("nobody is brought back", is_brought_back(found), set())
    sent = [m.key().decode() for m in found if m.value() is not None]
    lab.equal("each of the others is sent again once", sorted(person for person in set(sent) if sent.count(person) == 2),
              sorted([*people[20:], "aborted"]))
    lab.equal("a second run has nothing left", replay(lab)[1].get("replayed"), 0)

with Lab() as lab:
    kafka = lab.kafka()
    lab.env.update(KAFKA_BOOTSTRAP_SERVERS=kafka, STATE_TOPIC=STATE)
    lab.model()
    lab.must(BIN / "scorer", "check", "--create-topics", env={**lab.env, "ROLES": "score"})
    # older: a letter of before the current record; newer: of after it; same: of its time; left: of before the person left; none: of one
    # without a record; blind: cannot be decoded, has a record.
    send(kafka, [("older", event("older", 1, 400, TIME)), ("newer", event("newer", 1, 400, TIME + 2)), ("same", event("same", 1, 400, TIME + 1)),
                 ("none", event("none", 1, 400, TIME)), ("blind", b"\0\0\0\0\x63x"), ("stranger", b"\0\0\0\0\x63x"),
                 *((person, event(person, 2, 41, TIME + 1)) for person in ("older", "newer", "same", "blind"))])
    lab.equal("dead letters are made", lab.run(BIN / "scorer", "run", env={**lab.env, "ROLES": "score", "EXIT_AT_END": "true"})[0], 0)
    status, found, err = replay(lab, "--dry-run")
    lab.equal("a dry run: replayed, older", (status, found.get("replayed"), found.get("older")), (0, 4, 2))
    lab.one_line("why", err, "not replayed: it is older than the employee's current record .--force")
    lab.one_line("what cannot be decoded stays too", err, "not replayed: it cannot be decoded: whether it is older")
    status, found, err = replay(lab, "--dry-run", "--state-topic", "none")
    lab.equal("without a state topic all go", (status, found.get("replayed")), (0, 6))
    lab.one_line("which is said", err, "without a state topic", "older events are replayed too")
    status, found, err = replay(lab, "--state-topic", "no-such-topic")
    lab.equal("a topic that does not exist: exit status", status, 1)
    lab.one_line("and one line", err, "no-such-topic", "--state-topic none")
    status, found, err = replay(lab)
    lab.equal("replay: replayed, older", (status, found.get("replayed"), found.get("older")), (0, 4, 2))
    status, found, err = replay(lab, "--force")
    lab.equal("--force sends the rest", (status, found.get("replayed"), found.get("older")), (0, 2, 0))

    # An event that says no time has its record's, also when it is sent again.
    sender = producer(kafka)
    sender.produce("employee-events", json.dumps({"employee_id": "timeless", "attributes": {"Age": 400}}), "timeless", timestamp=TIME + 5)
    lab.equal("a JSON event without a time is sent", sender.flush(120), 0)
    lab.equal("it becomes a dead letter", lab.run(BIN / "scorer", "run", env={**lab.env, "ROLES": "score", "EXIT_AT_END": "true"})[0], 0)
    lab.equal("and is replayed", replay(lab)[0], 0)
    lab.equal("its time stays", [m.timestamp()[1] for m in lab.consume(kafka, "employee-events") if m.key() == b"timeless"], [TIME + 5] * 2)

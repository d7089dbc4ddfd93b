#!/usr/bin/env python3
"""One scorer without SCHEMA_REGISTRY_URL beside producers that use a registry: every event becomes a dead letter. `check`
says so before, the log says so once, with the cause; a few bad events among good ones are no such case."""
import struct

from confluent_kafka import Producer

from lab import BIN, Lab

UNKNOWN_ID = 424242


def send(broker, values):
    producer = Producer({"bootstrap.servers": broker})
    for number, value in enumerate(values):
        producer.produce("employee-events", value, partition=number % 4)
        producer.poll(0)
    producer.flush(120)


def check_lines(lab, broker):
    status, out, err = lab.run(BIN / "scorer", "check", env={"KAFKA_BOOTSTRAP_SERVERS": broker, "ROLES": "score"})
    return status, out + err


with Lab() as lab:
    broker = lab.embedded_broker()
    lab.model()
    status, said = check_lines(lab, broker)
    lab.one_line("check: an empty topic is fine", said, "^ok", "events", "holds none yet")
    lab.equal("… status", status, 0)

    lab.must(BIN / "producer", "generate", "--count", 300, "--seed", 3, env={"KAFKA_BOOTSTRAP_SERVERS": broker})
    status, said = check_lines(lab, broker)
    lab.one_line("check: the newest events are good", said, "^ok", "events", r"newest 1\d\d: 1\d\d good, 0 dead letters")
    lab.equal("… status", status, 0)

    unknown = [struct.pack(">bI", 0, UNKNOWN_ID) + bytes(40) for _ in range(400)]
    send(broker, unknown)
    status, said = check_lines(lab, broker)
    lab.one_line("check: all of the newest would become dead letters, and why", said, "^wrong", "all of the newest 100",
                 "100 unknown_schema_id", "SCHEMA_REGISTRY_URL is not set here")
    lab.equal("… status", status, 1)

    scorer = lab.scorer("scorer", KAFKA_BOOTSTRAP_SERVERS=broker, DELIVERY="at-least-once", ROLES="score,http", COMMIT_EVENTS=50)
    lab.wait("everything has its end", lambda: scorer.counter("events_dead_lettered_total") == 400 and
             scorer.counter("events_scored_total") == 300, 60, scorer)
    send(broker, unknown)  # a run of them for certain: those before came among good ones, in an order that is not given
    lab.wait("… and those that follow", lambda: scorer.counter("events_dead_lettered_total") == 800, 60, scorer)
    said = lambda: scorer.text().count("becomes a dead letter unknown_schema_id")
    lab.wait("the log says so", said, 10, scorer)
    lab.equal("… once", said(), 1)
    lab.one_line("… as an error, with the cause", scorer.text(), "error score", "SCHEMA_REGISTRY_URL is not set here")
    lab.wait("the sum follows within about a minute", lambda: "events became dead letters: 800 unknown_schema_id" in scorer.text(), 75, scorer)
    lab.equal("ends with status 0", scorer.end(), 0)

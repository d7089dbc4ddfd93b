#!/usr/bin/env python3
"""States that are rarely met, and easily forgotten. A producer quota below what one interval's output takes: the transaction is done again in
smaller transactions, and goes on. TERM at each named point of a transaction (base/failpoint.h; the build FLAVOUR=faults): it ends
with status 0 or 1 in time, and every event has one result afterwards. A right that is missing: it ends at the start, with one line that says so."""
import os
import signal
import socket
import struct

from lab import BIN, Lab
from confluent_kafka import Producer
from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType, AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource,
                                   ResourcePatternType, ResourceType)
from faults import FAULTS_BIN
from servers import state_of

EVENTS, QUOTA, POINT_EVENTS, DRAIN_S = 5000, 40000, 200, 25
# The dead letter that its topic refuses is found by doing its work again: the second abort is within that.
POINTS = ("init:1", "init:2", "assign:1", "batch:1", "produce:1", "produce:50", "produced:50", "offsets:1", "commit:1", "committed:1", "abort:1",
          "abort:2", "rewind:1", "rewind:2")


def send(lab, kafka, count, seed):
    lab.must(BIN / "producer", "generate", "--count", count, "--seed", seed, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})


def text(word):
    return struct.pack(">h", len(word)) + word.encode()


def set_quota(kafka, client, bytes_per_second):
    """AlterClientQuotas by hand, which the client library here does not have: what this client.id may produce. 0: no quota any more."""
    host, port = kafka.split(":")
    body = struct.pack(">hhi", 49, 0, 1) + text("test") + struct.pack(">ii", 1, 1) + text("client-id") + text(client)
    body += struct.pack(">i", 1) + text("producer_byte_rate") + struct.pack(">d??", bytes_per_second, not bytes_per_second, False)
    with socket.create_connection((host, int(port)), 30) as broker:
        broker.sendall(struct.pack(">i", len(body)) + body)
        _, _, _, count, code = struct.unpack(">iiiih", broker.recv(18, socket.MSG_WAITALL))
        if count != 1 or code:
            raise RuntimeError(f"the broker refuses the quota: error {code}")


def quota(lab, kafka, settings):
    """The first transactions last longer than they may."""
    send(lab, kafka, EVENTS, 41)
    set_quota(kafka, "slow", QUOTA)
    scorer = lab.scorer("quota", "-X", "client.id=slow", "-X", "transaction.timeout.ms=3000", COMMIT_INTERVAL="1s", **settings)
    lab.wait("the whole backlog at once is too much", lambda: scorer.counter("transactions_aborted_total") > 0, 40, scorer)
    lab.wait("below the quota: goes on in smaller transactions", lambda: scorer.counter("events_scored_total") > 0, 90, scorer)
    set_quota(kafka, "slow", 0)
    lab.wait("without the quota: the rest", lambda: scorer.counter("events_scored_total") == EVENTS, 60, scorer)
    lab.equal("TERM: status", scorer.end(), 0)
    lab.audit(scorer)


def denied(lab, settings):
    """The client may not write to the topic of dead letters, of which librdkafka says no more than that records are purged."""
    kafka = lab.kafka("denying", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "allow.everyone.if.no.acl.found=true",
                      "super.users=User:nobody")
    client = AdminClient({"bootstrap.servers": kafka})
    bindings = [AclBinding(ResourceType.TOPIC, "employee-events-dlq", ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, permission)
                for operation, permission in ((AclOperation.DESCRIBE, AclPermissionType.ALLOW), (AclOperation.WRITE, AclPermissionType.DENY))]
    for answer in client.create_acls(bindings).values():
        answer.result(30)
    scorer = lab.scorer("denied", **{**settings, "KAFKA_BOOTSTRAP_SERVERS": kafka})
    lab.wait("denied: it ends", lambda: not scorer.alive(), 30)
    lab.equal("denied: status", scorer.popen.returncode, 1)
    lab.one_line("denied: one line", scorer.text(), "error", "authorization failed", "kafka-acls")


def refuse_large_dead_letters(kafka):
    entry = ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, "employee-events-dlq", incremental_configs=[entry])
    client = AdminClient({"bootstrap.servers": kafka})
    for answer in client.incremental_alter_configs([resource]).values():
        answer.result(30)


def large_bad_event(kafka):
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce("employee-events", struct.pack(">b", 7) + os.urandom(5000), b"1")
    producer.flush(30)


def end_at(lab, kafka, point, number, settings):
    """Frozen at the point, so that TERM is there when it goes on."""
    send(lab, kafka, POINT_EVENTS, 50 + number)
    large_bad_event(kafka)
    env = {key: str(value) for key, value in settings.items()} | {"FAILPOINT": f"score.{point}:stop", "COMMIT_INTERVAL": "50ms"}
    scorer = lab.start(f"at-{point}", [FAULTS_BIN / "scorer", "run"], env)
    lab.wait(f"at {point}", lambda: state_of(scorer.popen.pid) == "T", 30, scorer)
    scorer.popen.send_signal(signal.SIGTERM)
    scorer.popen.send_signal(signal.SIGCONT)
    lab.wait(f"TERM at {point}: it ends", lambda: not scorer.alive(), DRAIN_S)
    status = scorer.popen.poll()
    lab.check(f"TERM at {point}: status", status in (0, 1), status)


def ends(lab, kafka, settings):
    refuse_large_dead_letters(kafka)
    for number, point in enumerate(POINTS):
        end_at(lab, kafka, point, number, settings)
    scorer = lab.scorer("after", **settings)
    lab.ready(scorer)
    sent = len(POINTS) * (POINT_EVENTS + 1)
    results = lambda: sum(len(lab.consume(kafka, topic)) for topic in ("attrition-predictions", "employee-events-dlq"))
    lab.wait("every event has a result", lambda: results() == sent, 40, scorer)
    lab.equal("TERM: status", scorer.end(), 0)
    lab.audit(scorer)


with Lab(STATE_TOPIC="none") as lab:
    if not (FAULTS_BIN / "scorer").exists():
        raise RuntimeError(f"no {FAULTS_BIN}/scorer: make faults")
    kafka = lab.kafka("kafka", "transaction.abort.timed.out.transaction.cleanup.interval.ms=500")
    lab.model()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, ROLES="score", INSTANCE_ID="rare")
    denied(lab, settings)
    ends(lab, kafka, settings)
    quota(lab, kafka, settings)

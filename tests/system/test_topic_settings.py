#!/usr/bin/env python3
"""Topics that keep what they are given, on a real Kafka whose retention checks come every second: a dead letter of an old record
stays in the topic that `check --create-topics` makes, and `check` names topics that would lose records."""
import struct
import time

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType
from lab import BIN, TOPICS, Lab, watermarks

INPUT, OUTPUT, DLQ, OUTCOME = TOPICS
MONTH_MS = 30 * 24 * 3600 * 1000
FIXED = {DLQ: "LogAppendTime", OUTCOME: "LogAppendTime", OUTPUT: "CreateTime"}


def ends(kafka, topic):
    """(low, high) of partition 0."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "ends", "isolation.level": "read_uncommitted"})
    found = watermarks(consumer, topic, 0)
    consumer.close()
    return found


def settings_of(admin, topic):
    resource = ConfigResource(ResourceType.TOPIC, topic)
    return {name: entry.value for name, entry in admin.describe_configs([resource])[resource].result(30).items()}


def old_record(kafka, topic):
    """No frame, so it becomes a dead letter; 30 days old."""
    producer, failures = Producer({"bootstrap.servers": kafka}), []
    producer.produce(topic, struct.pack(">b", 7) + b"no frame", b"1", 0, timestamp=int(time.time() * 1000) - MONTH_MS,
                     on_delivery=lambda error, _: error and failures.append(error))
    assert producer.flush(120) == 0 and not failures, failures


def topics(admin, *wanted):
    for answer in admin.create_topics([NewTopic(name, 2, 1, config=config) for name, config in wanted]).values():
        answer.result(30)


def old_letter(lab, kafka, admin, env):
    """A letter that was written, its log's retention having been enforced since, is still there."""
    status, out, err = lab.run(BIN / "scorer", "check", "--create-topics", env=env)
    lab.check("check --create-topics: exit status 0", status == 0, out.strip().splitlines()[-1] if status else "")
    for topic, timestamps in FIXED.items():
        found = settings_of(admin, topic)
        lab.equal(f"{topic} is made with", (found["cleanup.policy"], found["message.timestamp.type"]), ("delete", timestamps))
    lab.check("… and nothing is warned of", "warn" not in out, out)
    old_record(kafka, INPUT)
    scorer = lab.scorer("letters", **env)
    lab.wait("the old record is a dead letter", lambda: scorer.counter("events_dead_lettered_total") == 1, 60, scorer)
    lab.equal("… the scorer ends with status 0", scorer.end(), 0)
    old_record(kafka, "control")
    lab.need("retention has been enforced: a record of that age is deleted", lambda: ends(kafka, "control") == (1, 1), 60)
    letters = [m for m in lab.consume(kafka, DLQ)]
    lab.equal("the letter is still there", len(letters), 1)
    lab.check("… the source record's place and the time of its first failure are in its headers",
              {"__connect.errors.offset", "attrition.error.first_failed_at"} <= {name for name, _ in letters[0].headers() or ()} if letters else False,
              sorted(name for name, _ in letters[0].headers()) if letters else "")


def named(lab, admin, env):
    """Topics made by hand that lose records are named, with the way out."""
    prefix = dict(env, INPUT_TOPIC="in", OUTPUT_TOPIC="out", DLQ_TOPIC="dead", OUTCOME_TOPIC="gone", STATE_TOPIC="none")
    topics(admin, ("in", {"cleanup.policy": "compact"}), ("out", {"cleanup.policy": "compact,delete"}), ("dead", {}), ("gone", {"retention.ms": "-1"}))
    status, out, err = lab.run(BIN / "scorer", "check", env=prefix)
    lab.equal("a compacted output topic: check's exit status", status, 1)
    lab.one_line("… is named", out, "^wrong", "out is compacted", "not stored", "cleanup.policy=delete")
    lab.one_line("a compacted input is warned of", out, "^warn", "in is compacted")
    refused = lab.run(BIN / "scorer", "check", env=dict(prefix, STATE_TOPIC="in-state"))[1]
    lab.one_line("… and refused while current records are kept", refused, "^wrong", "in is compacted")
    lab.one_line("a letter's old timestamp is warned of", out, "^warn", "dead", "older than 168 h", "message.timestamp.type=LogAppendTime")
    lab.check("a topic without retention is not", not [line for line in out.splitlines() if line.startswith("warn") and "gone" in line], out)


with Lab() as lab:
    lab.model()
    kafka = lab.kafka("kafka", "log.retention.ms=604800000", "log.retention.check.interval.ms=1000", "log.initial.task.delay.ms=500", "log.segment.delete.delay.ms=500", topics=(INPUT,))
    admin = AdminClient({"bootstrap.servers": kafka})
    topics(admin, ("control", {}))
    set_up = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "ROLES": "score,http", "INSTANCE_ID": "topics"}
    # The input keeps the old record.
    for answer in admin.alter_configs([ConfigResource(ResourceType.TOPIC, INPUT, {"retention.ms": "-1"})]).values():
        answer.result(30)
    old_letter(lab, kafka, admin, set_up)
    named(lab, admin, set_up)

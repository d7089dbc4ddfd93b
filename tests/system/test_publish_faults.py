#!/usr/bin/env python3
"""Who goes on after a fence, and what one record or topic may do to all others. A process that stood still for longer than
its transaction and session, and has a successor, ends with status 1 and leaves it alone; a topic that is missing or too
narrow ends the worker with one message that says what to do; a refused timestamp costs the record its timestamp alone."""
import os
import signal
import struct
import threading
import time

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, ResourceType
from lab import BIN, TOPICS, Lab, decode_prediction

HOUR_MS = 3600 * 1000
FAST = ("-X", "transaction.timeout.ms=3000", "-X", "session.timeout.ms=6000", "-X", "reconnect.backoff.ms=10")
STEADY = ("-X", "session.timeout.ms=60000", "-X", "reconnect.backoff.ms=10")  # of whom no time-out is the subject


def send(lab, kafka, count, seed):
    lab.must(BIN / "producer", "generate", "--count", count, "--seed", seed, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})


def places(lab, kafka):
    """Source places of all predictions and dead letters, as often as they occur."""
    found = []
    for message in lab.consume(kafka, "attrition-predictions"):
        source = decode_prediction(message.value())["source"]
        found.append((source["partition"], source["offset"]))
    for message in lab.consume(kafka, "employee-events-dlq"):
        headers = {name: value.decode(errors="replace") for name, value in message.headers()}
        found.append((int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])))
    return found


def each_once(lab, what, kafka):
    wanted = sorted((m.partition(), m.offset()) for m in lab.consume(kafka, "employee-events"))
    found = sorted(places(lab, kafka))
    lab.check(f"{what}: every event has one end", found == wanted, f"{len(found)} ends, {len(set(found))} places, {len(wanted)} events")


def has_ends(lab, kafka, process):
    """As many as there are events."""
    count = len(lab.consume(kafka, "employee-events"))
    lab.wait(f"{count} ends", lambda: len(places(lab, kafka)) >= count, 60, process)


def ends_with_message(lab, what, scorer, *patterns, seconds=40):
    lab.wait(f"{what}: it ends", lambda: not scorer.alive(), seconds)
    lab.equal(f"{what}: exit status", scorer.popen.poll(), 1)
    lab.one_line(f"{what}: one line", scorer.text(), *patterns)


def freeze_in_transaction(lab, kafka, scorer, count, seed):
    """Events are still being sent when it is stopped: a transaction that is open is seen before it is committed."""
    sender = threading.Thread(target=send, args=(lab, kafka, count, seed))
    sender.start()
    lab.wait("a transaction is open", lambda: scorer.counter("events_in_flight") > 0, 30, scorer)
    os.kill(scorer.popen.pid, signal.SIGSTOP)
    sender.join()


def frozen(lab, settings, kafka):
    """Stopped in the middle of a transaction for longer than it may last; its successor has the same identity."""
    old = lab.scorer("old", *FAST, INSTANCE_ID="same", **{**settings, "COMMIT_INTERVAL": "2s"})
    lab.ready(old)
    freeze_in_transaction(lab, kafka, old, 2000, 21)
    time.sleep(4)
    successor = lab.scorer("successor", *STEADY, INSTANCE_ID="same", **settings)
    lab.ready(successor)
    send(lab, kafka, 2000, 22)
    has_ends(lab, kafka, successor)
    os.kill(old.popen.pid, signal.SIGCONT)
    send(lab, kafka, 2000, 23)
    ends_with_message(lab, "frozen, with a successor", old, "another (process|one)", "same")
    has_ends(lab, kafka, successor)
    lab.check("the successor survives", successor.alive())
    lab.equal("the successor's transactions were never fenced", successor.text().count("fresh producer"), 0)
    each_once(lab, "frozen, with a successor", kafka)
    return successor


def outlived(lab, settings, kafka, scorer):
    """The coordinator gives a transaction up, and nobody has taken the place: known for certain, so it goes on."""
    lab.equal("TERM: status", scorer.end(), 0)
    slow = lab.scorer("slow", "-X", "transaction.timeout.ms=1000", "-X", "session.timeout.ms=60000", INSTANCE_ID="same",
                      **{**settings, "COMMIT_INTERVAL": "3s"})
    lab.ready(slow)
    freeze_in_transaction(lab, kafka, slow, 500, 24)
    time.sleep(14)  # the coordinator looks every ten seconds
    os.kill(slow.popen.pid, signal.SIGCONT)
    has_ends(lab, kafka, slow)
    lab.check("given up by the coordinator, without a successor: it goes on", slow.alive())
    each_once(lab, "given up by the coordinator", kafka)
    lab.equal("TERM: status", slow.end(), 0)


def alone(lab, settings, kafka):
    """Interrupted for longer than its session: the group has removed it, and nobody has joined in its place, so it goes on."""
    scorer = lab.scorer("alone", *FAST, INSTANCE_ID="same", **{**settings, "COMMIT_INTERVAL": "2s"})
    lab.ready(scorer)
    admin = AdminClient({"bootstrap.servers": kafka})
    members = lambda: len(admin.describe_consumer_groups(["attrition-scorer"])["attrition-scorer"].result(30).members)
    for interruption in (1, 2):
        freeze_in_transaction(lab, kafka, scorer, 500, 25 + interruption)
        time.sleep(14)  # the coordinator looks for old transactions every ten seconds
        lab.wait("the group has removed it", lambda: members() == 0, 30)
        os.kill(scorer.popen.pid, signal.SIGCONT)
        has_ends(lab, kafka, scorer)
        lab.check(f"longer than the session, nobody in its place, {interruption}: it goes on", scorer.alive())
    each_once(lab, "longer than the session", kafka)
    lab.equal("TERM: status", scorer.end(), 0)


def set_topic(kafka, topic, name, value):
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    client = AdminClient({"bootstrap.servers": kafka})
    for answer in client.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])]).values():
        answer.result(30)


def bad_event(kafka, partition, timestamp_ms=0):
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce("employee-events", struct.pack(">b", 7) + b"no frame", b"1", partition, timestamp=timestamp_ms)
    producer.flush(30)


def old_timestamps(lab, settings, kafka):
    """The dead-letter topic takes no record older than an hour; the source is a day old."""
    set_topic(kafka, "employee-events-dlq", "message.timestamp.before.max.ms", str(HOUR_MS))
    scorer = lab.scorer("timestamps", *STEADY, INSTANCE_ID="same", **settings)
    lab.ready(scorer)
    yesterday = int(time.time() * 1000) - 24 * HOUR_MS
    for partition in (0, 1, 1):
        bad_event(kafka, partition, yesterday)
    send(lab, kafka, 500, 25)
    has_ends(lab, kafka, scorer)
    each_once(lab, "timestamps that are refused", kafka)
    late = [m for m in lab.consume(kafka, "employee-events-dlq") if m.timestamp()[1] > yesterday + HOUR_MS]
    lab.equal("dead letters with the present time", len(late), 3)
    lab.equal("TERM: status", scorer.end(), 0)


def narrow_dead_letters(lab, settings, kafka):
    """The input grows; a bad event comes in a partition that the dead-letter topic does not have."""
    scorer = lab.scorer("narrow", *FAST, "-X", "topic.metadata.refresh.interval.ms=1000", INSTANCE_ID="same", **settings)
    lab.ready(scorer)
    client = AdminClient({"bootstrap.servers": kafka})
    for answer in client.create_partitions([NewPartitions("employee-events", 6)]).values():
        answer.result(30)
    lab.need("the input has six partitions", lambda: len(client.list_topics("employee-events", 10).topics["employee-events"].partitions) == 6, 30)
    bad_event(kafka, 5)
    ends_with_message(lab, "dead-letter topic too narrow", scorer, "error", "kafka-topics --alter --topic employee-events-dlq --partitions 6")
    aborts = scorer.text().count("rolled back")
    lab.check("dead-letter topic too narrow: no storm", aborts <= 3, f"{aborts} times rolled back")
    for answer in client.create_partitions([NewPartitions("employee-events-dlq", 6)]).values():
        answer.result(30)
    scorer = lab.scorer("fixed", *STEADY, INSTANCE_ID="same", **settings)
    has_ends(lab, kafka, scorer)
    each_once(lab, "fixed", kafka)
    return scorer


def deleted_output(lab, kafka, scorer):
    lab.ready(scorer)
    client = AdminClient({"bootstrap.servers": kafka})
    for answer in client.delete_topics(["attrition-predictions"]).values():
        answer.result(30)
    send(lab, kafka, 500, 26)
    ends_with_message(lab, "output topic deleted", scorer, "error", "attrition-predictions", "does not exist|--create", seconds=90)
    aborts = scorer.text().count("rolled back")
    lab.check("output topic deleted: no storm", aborts <= 10, f"{aborts} times rolled back")


with Lab(STATE_TOPIC="none") as lab:
    kafka = lab.kafka()
    lab.model()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, ROLES="score", COMMIT_INTERVAL="50ms")
    successor = frozen(lab, settings, kafka)
    outlived(lab, settings, kafka, successor)
    alone(lab, settings, kafka)
    old_timestamps(lab, settings, kafka)
    fixed = narrow_dead_letters(lab, settings, kafka)
    deleted_output(lab, kafka, fixed)

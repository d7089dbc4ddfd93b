#!/usr/bin/env python3
"""A transaction that nobody ends holds one partition: its current records, or the group's offset of it, cannot be read. The scorer that has this
partition and another goes on with the other, says what the one waits for, and takes it up by itself when the transaction has ended. Each event has
one end."""
import json
import signal
import time

from lab import TOPICS, Lab, decode_prediction
from confluent_kafka import Consumer, Producer, TopicPartition  # after lab, which goes on in the tests' own environment
from record_events import STATE, drain, send, sent, settings
from servers import send_signal

PEOPLE = 40
HELD, FREE = 0, 1
SESSION_S = 6
PATIENCE = 120  # a fresh producer waits half a minute for the end of others' transactions, and a partition 20 s


def people_of(lab, kafka):
    """Partition → the numbers of the people whose events it has."""
    people = {HELD: set(), FREE: set()}
    for message in lab.consume(kafka, TOPICS[0]):
        people[message.partition()].add(int(message.key()[1:]))
    return people


def handled(lab, kafka):
    return [decode_prediction(message.value())["event_id"] for message in lab.consume(kafka, TOPICS[1])]


def begin(kafka):
    other = Producer({"bootstrap.servers": kafka, "transactional.id": "somebody", "transaction.timeout.ms": 600000})
    other.init_transactions(30)
    other.begin_transaction()
    return other


def hold_records(kafka):
    other = begin(kafka)
    other.produce(STATE, "?", "p0", partition=HELD)
    other.flush(30)
    return other


def hold_offset(kafka):
    """As the group's own scorer would, one that was killed then."""
    other, group = begin(kafka), Consumer({"bootstrap.servers": kafka, "group.id": "attrition-scorer", "isolation.level": "read_uncommitted"})
    committed = group.committed([TopicPartition(TOPICS[0], HELD)], 30)[0].offset
    other.send_offsets_to_transaction([TopicPartition(TOPICS[0], HELD, committed)], group.consumer_group_metadata(), 30)
    group.close()
    return other


def check_running(lab, kafka, env, people):
    """One that runs already, and loses its partitions for a while: what the group says of those it had is no matter to it."""
    scorer = lab.scorer("running", **env)
    lab.ready(scorer)
    before = send(kafka, "CHANGED", range(PEOPLE), ["Age"], Age=33)
    has = lambda ids: set(ids) <= set(handled(lab, kafka))
    lab.need("running: it has committed both partitions", lambda: has(before), 60, scorer)
    other = hold_offset(kafka)
    send_signal([scorer.popen.pid], signal.SIGSTOP)
    waiting = send(kafka, "CHANGED", people[HELD], ["Age"], Age=34)
    free = send(kafka, "CHANGED", people[FREE], ["Age"], Age=34)
    time.sleep(SESSION_S + 2)
    send_signal([scorer.popen.pid], signal.SIGCONT)
    lab.need("running: it goes on with the other partition", lambda: has(free), PATIENCE, scorer)
    lab.equal("running: nothing of the held one is scored", set(waiting) & set(handled(lab, kafka)), set())
    other.abort_transaction(30)
    lab.wait("running: the held one is taken up", lambda: has(waiting), 60, scorer)
    lab.equal("running: it ends in time", scorer.end(), 0)
    ids = handled(lab, kafka)
    lab.equal("running: each event has one end", (len(ids), len(set(ids))), (len(sent), len(sent)))


def hold_both(kafka):
    """As a scorer does that is killed before its commit."""
    other, group = begin(kafka), Consumer({"bootstrap.servers": kafka, "group.id": "attrition-scorer", "isolation.level": "read_uncommitted"})
    committed = group.committed([TopicPartition(TOPICS[0], HELD)], 30)[0].offset
    other.produce(STATE, None, "nobody", partition=HELD)
    other.flush(30)
    other.send_offsets_to_transaction([TopicPartition(TOPICS[0], HELD, committed)], group.consumer_group_metadata(), 30)
    group.close()
    return other


def check_markers(lab, kafka, env, people):
    """The input has nothing new in the held partition but the marker of its producer's own transaction: that is no event, and no offset may
    be committed for it, as long as there are no records for it to stand beside."""
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": "hris", "partitioner": "murmur2_random"})
    producer.init_transactions(30)
    other = hold_records(kafka)
    producer.begin_transaction()
    producer.produce(TOPICS[0], key=b"x", value=b"x", partition=HELD)
    producer.flush(30)
    producer.abort_transaction(30)
    free = send(kafka, "CHANGED", people[FREE], ["Age"], Age=35)
    scorer = lab.scorer("markers", **env)
    lab.need("markers: events of the other partition are scored", lambda: set(free) <= set(handled(lab, kafka)), PATIENCE, scorer)
    time.sleep(3)  # what could be committed is
    other.abort_transaction(30)
    waiting = send(kafka, "CHANGED", people[HELD], ["Age"], Age=35)
    lab.wait("markers: the held partition is taken up", lambda: set(waiting) <= set(handled(lab, kafka)), 60, scorer)
    lab.equal("markers: it ends in time", scorer.end(), 0)


def check_held(lab, kafka, what, env, people, hold, line):
    other = hold(kafka)
    waiting = send(kafka, "CHANGED", people[HELD], ["Age"], Age=40 + len(sent) % 20)
    free = send(kafka, "CHANGED", people[FREE], ["Age"], Age=40 + len(sent) % 20)
    scorer = lab.scorer(what, **env)
    has = lambda ids: set(ids) <= set(handled(lab, kafka))
    lab.need(f"{what} held: events of the other partition are scored", lambda: has(free), PATIENCE, scorer)
    lab.one_line(f"{what} held: it says which waits, and for what", scorer.text(), "error", *line)
    lab.wait(f"{what} held: the loop waits for that", lambda: json.loads(scorer.get("/health")[1])["loops"][0]["waits_for"] == "open-transaction", 30, scorer)
    lab.equal(f"{what} held: degraded, and ready", (json.loads(scorer.get("/health")[1])["status"], scorer.get("/health/ready")[0]), ("degraded", 200))
    more = send(kafka, "CHANGED", people[FREE], ["Age"], Age=61)
    lab.wait(f"{what} held: it goes on with the other", lambda: has(more), 60, scorer)
    lab.equal(f"{what} held: nothing of it is scored", set(waiting) & set(handled(lab, kafka)), set())
    other.commit_transaction(30) if what == "both" else other.abort_transaction(30)
    lab.wait(f"{what} free: it is taken up", lambda: has(waiting), 60, scorer)
    lab.wait(f"{what} free: nothing waits", lambda: json.loads(scorer.get("/health")[1])["status"] == "ok", 30, scorer)
    lab.equal(f"{what} free: nothing is restored any more", json.loads(scorer.get("/stream")[1])["state"]["partitions_restoring"], 0)
    lab.equal(f"{what} free: it ends in time", scorer.end(), 0)
    ids = handled(lab, kafka)
    lab.equal(f"{what} free: each event has one end", (len(ids), len(set(ids))), (len(sent), len(sent)))
    lab.audit(scorer)


with Lab() as lab:
    lab.model()
    kafka = lab.kafka(partitions=2)
    env = settings(kafka)
    send(kafka, "SNAPSHOT", range(PEOPLE), Age=30)
    drain(lab, "before", **env)
    people = people_of(lab, kafka)
    check_held(lab, kafka, "records", env, people, hold_records, (rf"{TOPICS[0]} \[{HELD}\] waits", rf"{STATE} \[{HELD}\] from offset \d+", "find-hanging"))
    check_held(lab, kafka, "offset", env, people, hold_offset, (rf"{TOPICS[0]} \[{HELD}\] waits", "group attrition-scorer", "find-hanging"))
    check_held(lab, kafka, "both", env, people, hold_both, (rf"{TOPICS[0]} \[{HELD}\] waits", "group attrition-scorer", "find-hanging"))
    check_markers(lab, kafka, env, people)
    check_running(lab, kafka, env, people)

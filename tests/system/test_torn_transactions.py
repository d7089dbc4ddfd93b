#!/usr/bin/env python3
"""Requests that arrive late, in the middle of the next transaction: a relay holds one, cuts the client's connection (librdkafka
sends it again and says nothing) and lets the held one go into the transaction after. Four kinds, TORN_INJECTIONS (20) of them
in all, TORN_KILLS (1) of them with a SIGKILL behind a late offset commit. Every input offset must have one end, in order, and
the broker must have refused every late request. RDKAFKA=FILE runs the scorer on another librdkafka. A naive consumer and
producer goes through the same first and must fail, or the relay proves nothing (TORN_NAIVE=0 leaves it out). The dead-letter replay goes through it last."""
import os
import threading
import time
from collections import Counter

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from lab import BIN, TOPICS, Lab, decode_prediction, watermarks
from relay import ADD_OFFSETS, ADD_PARTITIONS, END_TXN, PRODUCE, TXN_OFFSET_COMMIT, is_commit, relayed_kafka

INJECTIONS = int(os.environ.get("TORN_INJECTIONS", 20))
KILLS = int(os.environ.get("TORN_KILLS", 1))
NAIVE = int(os.environ.get("TORN_NAIVE", 2))
OFFSETS = (ADD_OFFSETS, TXN_OFFSET_COMMIT)
LETTERS = 12000
LARGE = 3000  # a dead letter of so many bytes is refused, and its transaction aborted

# name → what is held, the request of the next transaction it meets, and whether it goes behind that one's answer
KINDS = {
    "commit, after the first produce": (lambda api, frame: api == END_TXN and is_commit(frame), lambda api: api == PRODUCE, True),
    "commit, before the offsets": (lambda api, frame: api == END_TXN and is_commit(frame), lambda api: api in OFFSETS, False),
    "abort, before the offsets": (lambda api, frame: api == END_TXN and not is_commit(frame), lambda api: api in OFFSETS, False),
    "offsets, before the commit": (lambda api, frame: api == TXN_OFFSET_COMMIT, lambda api: api == END_TXN, False),
    "produce, before the next": (lambda api, frame: api == PRODUCE, lambda api: api == PRODUCE, False),
}


class Feed(threading.Thread):
    """Events, valid ones and dead letters that are too large among them, until asked to stop."""

    def __init__(self, address, records):
        super().__init__(daemon=True)
        self.producer, self.records = Producer({"bootstrap.servers": address, "linger.ms": 2, "log_level": 0}), records
        self.sent, self.done, self.large = 0, threading.Event(), threading.Event()

    def run(self):
        while not self.done.is_set():
            key, value, partition = self.records[self.sent % len(self.records)]
            if self.large.is_set():
                self.large.clear()
                value = b"\xff" * LARGE
            self.producer.produce("employee-events", value, key, partition)
            self.sent += 1
            self.producer.poll(0)
            time.sleep(0.006)
        self.producer.flush(30)


def one_injection(lab, relay, feed, name, alive, quiet=False):
    """False: it did not come about."""
    relay.inject(name, *KINDS[name])
    began = time.monotonic()
    deadline, next_large = began + 90, 0
    while relay.state != "done" and time.monotonic() < deadline and alive():
        if relay.state == "armed" and name.startswith("abort") and time.monotonic() > next_large:
            feed.large.set()
            next_large = time.monotonic() + 3
        time.sleep(0.01)
    if relay.state == "done":
        print(f"# {name}: {time.monotonic() - began:.1f} s", flush=True)
        return True
    state, relay.state = relay.state, "idle"
    return quiet or lab.check(f"injection \"{name}\"", False, f"stuck as \"{state}\"")


def places_of(lab, kafka):
    """Where every output says it comes from: predictions by partition in their order, dead letters."""
    scored, dead = [], []
    for message in lab.consume(kafka, "attrition-predictions"):
        source = decode_prediction(message.value())["source"]
        scored.append((message.partition(), message.key(), source["partition"], source["offset"]))
    for message in lab.consume(kafka, "employee-events-dlq"):
        headers = {name: value.decode(errors="replace") for name, value in message.headers()}
        dead.append((int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])))
    return scored, dead


def check_ends(lab, kafka, relay, wanted):
    inputs = {(m.partition(), m.offset()) for m in lab.consume(kafka, "employee-events")}
    scored, dead = places_of(lab, kafka)
    ends = Counter([(p, o) for _, _, p, o in scored] + dead)
    lab.equal("events lost", len(inputs - set(ends)), 0)
    lab.equal("events doubled", sum(1 for count in ends.values() if count > 1), 0)
    lab.equal("ends without an event", len(set(ends) - inputs), 0)
    last, disorder = {}, 0
    for partition, key, source, offset in scored:
        disorder += last.get((partition, key), (source, -1))[1] > offset
        last[partition, key] = (source, offset)
    lab.equal("predictions out of an employee's order", disorder, 0)
    late = Counter((kind, code) for kind, code in relay.results)
    for (kind, code), count in sorted(late.items(), key=str):
        print(f"#   {count} × {kind}: the late request got error {code}")
    lab.equal("injections", len(relay.results), wanted)
    # Produce: the broker may answer a duplicate of what it has with success.
    accepted = sum(count for (kind, code), count in late.items() if code == 0 and not kind.startswith("produce"))
    lab.equal("late requests that the broker took", accepted, 0)
    return len(inputs)


def naive_transaction(consumer, producer, messages):
    producer.begin_transaction()
    for message in messages:
        place = f"{message.partition()}:{message.offset()}"
        producer.produce("naive-out", b"x", place, on_delivery=lambda *_: None)
    producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata())
    producer.commit_transaction()


def naive(relay_address, done):
    """As the examples do it: after an error abort and go on, after a fatal one start again."""
    while not done.is_set():
        settings = {"bootstrap.servers": relay_address, "reconnect.backoff.ms": 10, "log_level": 0}
        consumer = Consumer({**settings, "group.id": "naive", "enable.auto.commit": False, "isolation.level": "read_committed",
                             "auto.offset.reset": "earliest"})
        producer = Producer({**settings, "transactional.id": "naive", "linger.ms": 2})
        try:
            producer.init_transactions(30)
            consumer.subscribe(["employee-events"])
            while not done.is_set():
                messages = [m for m in consumer.consume(200, 0.02) if not m.error()]
                if not messages:
                    continue
                naive_transaction(consumer, producer, messages)
        except KafkaException:
            pass
        consumer.close()


def try_naive(lab, kafka, relay_address, relay, feed):
    done = threading.Event()
    thread = threading.Thread(target=naive, args=(relay_address, done), daemon=True)
    thread.start()
    kinds = [name for name in KINDS if name.startswith("commit")]
    for i in range(NAIVE):
        one_injection(lab, relay, feed, kinds[i % 2], lambda: True, quiet=True)
    relay.state = "idle"
    time.sleep(1)
    done.set()
    thread.join(60)
    places = Counter(m.key() for m in lab.consume(kafka, "naive-out"))
    torn = sum(1 for count in places.values() if count > 1)
    taken = sum(1 for _, code in relay.results if code == 0)
    lab.check("the naive stand-in is torn by the same", torn > 0 or taken > 0, f"{torn} doubled, {taken} late requests taken")
    relay.results.clear()


def replay(lab, kafka, relay_address, relay):
    """The dead-letter replay through the same: LETTERS in transactions of a thousand, with late requests between them."""
    lab.create_topics(kafka, ["letters", "replayed"])
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(LETTERS):
        producer.produce("letters", b"letter", str(number), number % 4)
        producer.poll(0)
    producer.flush(30)
    relay.results.clear()
    names = ["commit, after the first produce", "offsets, before the commit", "commit, before the offsets"]
    relay.inject(names[0], *KINDS[names[0]])
    program = lab.start("replay", [BIN / "producer", "dlq", "replay", "--dlq-topic", "letters", "--input-topic", "replayed",
                                   "-X", "reconnect.backoff.ms=10"], {"KAFKA_BOOTSTRAP_SERVERS": relay_address})
    for name in names[1:]:
        lab.wait(f"replay: \"{relay.kind}\"", lambda: relay.state == "done" or not program.alive(), 40)
        if relay.state == "done":
            relay.inject(name, *KINDS[name])
    lab.wait("the replay ends", lambda: not program.alive(), 60)
    lab.equal("the replay's exit status", program.popen.poll(), 0)
    sent = Counter(m.key() for m in lab.consume(kafka, "replayed"))
    lab.equal("letters replayed, each once", (len(sent), sum(sent.values())), (LETTERS, LETTERS))
    lab.check("… and the broker refused what came late", relay.results and all(code for _, code in relay.results), relay.results)


def input_records(lab, kafka):
    """(key, value, partition) of valid events, ready to be sent again."""
    lab.must(BIN / "producer", "generate", "--count", 200, "--seed", 3, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    return [(m.key(), m.value(), m.partition()) for m in lab.consume(kafka, "employee-events")]


def set_topic(kafka, topic, name, value):
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    client = AdminClient({"bootstrap.servers": kafka})
    changed = client.incremental_alter_configs([ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])])
    for answer in changed.values():
        answer.result(30)


def other_librdkafka(lab):
    """RDKAFKA=FILE: a directory for LD_LIBRARY_PATH in which the scorer finds it."""
    if "RDKAFKA" not in os.environ:
        return {}
    (lab.dir / "lib").mkdir()
    (lab.dir / "lib/librdkafka.so.1").symlink_to(os.environ["RDKAFKA"])
    return {"LD_LIBRARY_PATH": str(lab.dir / "lib")}


def start_scorer(lab, relay_address, extra):
    return lab.scorer("scorer", "-X", "reconnect.backoff.ms=10", KAFKA_BOOTSTRAP_SERVERS=relay_address, ROLES="score", INSTANCE_ID="torn",
                      COMMIT_INTERVAL="20ms", **extra)


def kill_behind_late_offsets(lab, relay, scorer, again):
    """The broker gets nothing more of it, so that no later commit fixes what the late one may have done."""
    relay.stopped = True
    scorer.kill()
    relay.stopped = False
    scorer = again()
    lab.ready(scorer)
    return scorer


with Lab() as lab:
    kafka, relay_address, relay = relayed_kafka(lab)
    lab.create_topics(kafka, [*TOPICS, "naive-out"])
    set_topic(kafka, "employee-events-dlq", "max.message.bytes", "2000")
    lab.model()
    feed = Feed(kafka, input_records(lab, kafka))
    feed.start()
    if NAIVE:
        try_naive(lab, kafka, relay_address, relay, feed)

    again = lambda extra=other_librdkafka(lab): start_scorer(lab, relay_address, extra)
    scorer = again()
    lab.ready(scorer)
    names, kills = list(KINDS), KILLS
    for i in range(INJECTIONS):
        name = names[i % len(names)]
        if not one_injection(lab, relay, feed, name, scorer.alive):
            break
        if kills and name.startswith("offsets"):
            kills, scorer = kills - 1, kill_behind_late_offsets(lab, relay, scorer, again)
    lab.check("the scorer is alive", scorer.alive())
    relay.state = "idle"
    feed.done.set()
    feed.join()

    def lag():
        group = Consumer({"bootstrap.servers": kafka, "group.id": "attrition-scorer"})
        ends = {p: watermarks(group, "employee-events", p)[1] for p in range(4)}
        stored = group.committed([TopicPartition("employee-events", p) for p in range(4)], 5)
        group.close()
        return sum(ends[t.partition] - max(t.offset, 0) for t in stored)

    lab.wait("the group has committed every event", lambda: lag() == 0, 60, scorer)
    renewals = scorer.text().count("has no answer")
    lab.equal("the scorer ends with status 0", scorer.end(), 0)
    events = check_ends(lab, kafka, relay, INJECTIONS)
    lab.check("fresh producers, one for an injection at most two", renewals <= 2 * INJECTIONS, f"{renewals} for {INJECTIONS}, {events} events")
    replay(lab, kafka, relay_address, relay)

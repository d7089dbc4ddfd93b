"""A steady load, and how long each of its events waits: from the moment it is handed to the producer until a reader of
committed records has its prediction.

An event's id is its number and the moment it was sent, so that the reader needs nothing else: it counts each number once,
holds an employee's predictions against the order in which his events were sent, and keeps the waiting times by the second
in which they were sent, in whole milliseconds."""
import threading
import time
from collections import Counter, defaultdict

TICK_S = 0.01
SILENCE_S = 30
THROUGH_OUTAGES = {"reconnect.backoff.max.ms": 500}


def templates(lab, kafka, count=2000, topic="templates", **env):
    """(key, what follows the event's id in its frame) of so many employees, made by the producer."""
    from lab import BIN
    lab.create_topics(kafka, [topic], 1)
    lab.must(BIN / "producer", "generate", "--count", count, "--seed", 5,
             env={"KAFKA_BOOTSTRAP_SERVERS": kafka, "INPUT_TOPIC": topic, **{key: str(value) for key, value in env.items()}})
    made = []
    for message in lab.consume(kafka, topic):
        frame, bytes_of_id = message.value(), message.value()[5] // 2  # zigzag: one byte up to 63
        made.append((message.key(), frame[:5], frame[6 + bytes_of_id:]))
    return made


class Load:
    """Sends `rate` events a second, evenly, until asked to stop; after a moment in which it could not it catches up. With rate 0 it
    sends what it is asked to."""

    def __init__(self, kafka, made, rate, topic="employee-events"):
        from confluent_kafka import Producer
        self.producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "linger.ms": 5, "partitioner": "murmur2_random",
                                  "compression.type": "lz4", "queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 1_000_000,
                                  "delivery.timeout.ms": 600_000, **THROUGH_OUTAGES})
        self.made, self.rate, self.topic = made, rate, topic
        self.sent, self.failed, self.over = 0, 0, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        if rate:
            self.thread.start()

    def note(self, error, _):
        self.failed += error is not None

    def run(self):
        began = time.monotonic()
        while not self.over:
            due = int((time.monotonic() - began) * self.rate)
            while self.sent < due:
                self.send()
            self.producer.poll(0)
            time.sleep(TICK_S)

    def send(self):
        key, head, rest = self.made[self.sent % len(self.made)]
        identity = b"%010d/%017d" % (self.sent, time.time_ns() // 1000)
        self.producer.produce(self.topic, head + bytes([2 * len(identity)]) + identity + rest, key, on_delivery=self.note)
        self.sent += 1

    def stop(self):
        """How many events it sent."""
        self.over = True
        if self.rate:
            self.thread.join()
        left = self.producer.flush(120)
        if left or self.failed:
            raise RuntimeError(f"the load: {left} events not sent, {self.failed} failed")
        return self.sent


class Waits:
    """Some events' waiting times."""

    def __init__(self, by_second):
        self.counts = Counter()
        for counts in by_second:
            self.counts.update(counts)

    def quantile(self, share):
        left = share * sum(self.counts.values())
        for wait in sorted(self.counts):
            left -= self.counts[wait]
            if left <= 0:
                return wait
        return 0

    def __str__(self):
        return (f"{sum(self.counts.values())} events waited {self.quantile(0.5)} ms (p50), {self.quantile(0.99)} ms (p99), "
                f"{max(self.counts, default=0)} ms (longest)")


class Reader:
    """Reads predictions as they become visible. Where nothing comes for long it goes on with a client of its own, from where it is."""

    def __init__(self, kafka, topic="attrition-predictions"):
        self.kafka, self.topic, self.next = kafka, topic, {}
        self.consumer = self.connect()
        self.seen, self.last = bytearray(), {}
        self.count, self.doubled, self.disordered = 0, 0, 0
        self.waits = defaultdict(Counter)
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def connect(self):
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": "waits", "isolation.level": "read_committed", "enable.auto.commit": False,
                             "auto.offset.reset": "earliest", "fetch.wait.max.ms": 20, **THROUGH_OUTAGES})
        self.next = self.next or dict.fromkeys(consumer.list_topics(self.topic, 10).topics[self.topic].partitions, 0)
        consumer.assign([TopicPartition(self.topic, partition, offset) for partition, offset in self.next.items()])
        return consumer

    def run(self):
        came = time.monotonic()
        while not self.over:
            messages = self.consumer.consume(2000, 0.02)
            now = time.time_ns() // 1000
            for message in messages:
                if message.error() is None:
                    self.next[message.partition()] = message.offset() + 1
                    if message.value() is not None:  # a record of no event has none
                        self.take(message.key(), message.value(), now)
            if messages:
                came = time.monotonic()
            elif time.monotonic() - came > SILENCE_S:
                self.consumer.close()
                self.consumer, came = self.connect(), time.monotonic()
                print(f"# the reader goes on with a fresh client: nothing came for {SILENCE_S} s", flush=True)
        self.consumer.close()

    def take(self, key, value, now):
        number, sent = int(value[6:16]), int(value[17:34])
        if number >= len(self.seen):
            self.seen.extend(bytes(number + 1_000_000 - len(self.seen)))
        self.doubled += self.seen[number]
        self.seen[number] = 1
        self.disordered += self.last.get(key, -1) >= number
        self.last[key] = number
        self.waits[sent // 1_000_000][(now - sent) // 1000] += 1
        self.count += 1

    def between(self, begin, end):
        """The waiting times of what was sent between two moments (time.time())."""
        return Waits(self.waits[second] for second in list(self.waits) if begin <= second < end)

    def missing(self, sent):
        return sent - sum(self.seen[:sent])

    def stop(self):
        self.over = True
        self.thread.join()

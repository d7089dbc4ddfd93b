#!/usr/bin/env python3
"""Where reading starts, on a real Kafka: a new group, a new partition, a restart. Whatever the reset policy, no offset is
passed over that the group was to read, and none is read twice: each event has exactly one end."""
import sys
import time
from collections import Counter

from lab import BIN, ROOT, Lab, decode_prediction, delete_records, free_port

EVENTS, FEW, PATIENCE = 3000, 20, 60


class Stream:
    """Topics and a group of its own on the one broker; `samples` are encoded events, handed out once each."""
    samples = []

    def __init__(self, lab, kafka, name, partitions=2, output=()):
        from confluent_kafka.admin import AdminClient, NewTopic
        self.lab, self.kafka, self.name = lab, kafka, name
        self.topics = {kind: f"{name}-{kind}" for kind in ("input", "output", "dlq", "outcome")}
        self.admin = AdminClient({"bootstrap.servers": kafka})
        made = [NewTopic(topic, partitions, 1, config=dict(output) if kind == "output" else {}) for kind, topic in self.topics.items()]
        for answer in self.admin.create_topics(made).values():
            answer.result(60)

    def grow(self, partitions):
        from confluent_kafka.admin import NewPartitions
        for topic in ("output", "dlq", "outcome", "input"):
            for answer in self.admin.create_partitions([NewPartitions(self.topics[topic], partitions)]).values():
                answer.result(60)

    def send(self, partition, count):
        from confluent_kafka import Producer
        producer, failures = Producer({"bootstrap.servers": self.kafka}), []  # a new one knows the partitions of now
        while partition not in producer.list_topics(self.topics["input"], 60).topics[self.topics["input"]].partitions:
            time.sleep(0.1)
        for _ in range(count):
            key, value = Stream.samples.pop()
            producer.produce(self.topics["input"], value, key, partition, on_delivery=lambda error, _: error and failures.append(error))
        assert producer.flush(120) == 0 and not failures, failures

    def scorer(self, name, wait=True, **env):
        """A scorer, ready unless asked not to wait for that."""
        settings = dict(KAFKA_BOOTSTRAP_SERVERS=self.kafka, ROLES="score,http", GROUP_ID=self.name, INSTANCE_ID="one", INPUT_TOPIC=self.topics["input"],
                        OUTPUT_TOPIC=self.topics["output"], DLQ_TOPIC=self.topics["dlq"], OUTCOME_TOPIC=self.topics["outcome"])
        scorer = self.lab.scorer(f"{self.name}-{name}", **{**settings, **env})
        if wait:
            self.lab.ready(scorer)
        return scorer

    def ends(self):
        """How many ends each (partition, offset) of the input has."""
        places = Counter()
        for message in self.lab.consume(self.kafka, self.topics["output"]):
            source = decode_prediction(message.value())["source"]
            places[source["partition"], source["offset"]] += 1
        for message in self.lab.consume(self.kafka, self.topics["dlq"]):
            headers = dict(message.headers())
            places[int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])] += 1
        return places

    def committed(self):
        """Committed offsets of the group by partition; None: none."""
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": self.name})
        count = len(consumer.list_topics(self.topics["input"], 60).topics[self.topics["input"]].partitions)
        found = consumer.committed([TopicPartition(self.topics["input"], p) for p in range(count)], 60)
        consumer.close()
        return [f.offset if f.offset >= 0 else None for f in found]

    def check_ends(self, what, wanted, scorer, seconds=PATIENCE):
        """Exactly the wanted {partition: offsets} have one end each, once the group has come to the end."""
        places = {(p, o) for p, offsets in wanted.items() for o in offsets}
        begin = time.monotonic()
        while len(found := self.ends()) < len(places) and time.monotonic() - begin < 3 * seconds and scorer.alive():  # as lab.wait does
            time.sleep(0.3)
        self.lab.check(f"{what}: each has one end, and nothing else has", found == Counter(places),
                       f"{len(found)} of {len(places)} offsets, {sum(found.values())} ends, {len(set(found) - places)} not expected, {time.monotonic() - begin:.1f} s")


def backlog(lab, kafka):
    """The end of an empty partition is reached while another one is still unread, and the first transaction is aborted."""
    stream = Stream(lab, kafka, "backlog", output={"max.message.bytes": "20000"})
    stream.send(1, EVENTS)
    scorer = stream.scorer("one")
    stream.check_ends("a backlog beside an empty partition, the first transaction aborted", {1: range(EVENTS)}, scorer, 120)
    lab.check("… some transaction was aborted", scorer.counter("transactions_aborted_total") >= 1, scorer.counter("transactions_aborted_total"))
    lab.equal("… the scorer ends with status 0", scorer.end(), 0)


def restart(lab, kafka):
    """latest: what is sent while nobody runs is read, and what was there before the group is not."""
    stream = Stream(lab, kafka, "restart")
    stream.send(0, FEW)
    scorer = stream.scorer("one", KAFKA_AUTO_OFFSET_RESET="latest")
    lab.equal("latest: the start is committed as soon as the scorer is ready", stream.committed(), [FEW, 0])
    lab.one_line("… what is passed over is said", scorer.text(), "warn", rf"end of 2 partitions, and the {FEW} offsets")
    lab.equal("… it ends with status 0", scorer.end(), 0)
    stream.send(0, FEW)
    stream.send(1, FEW)
    scorer = stream.scorer("two", KAFKA_AUTO_OFFSET_RESET="latest")
    stream.check_ends("latest: sent while the scorer was down", {0: range(FEW, 2 * FEW), 1: range(FEW)}, scorer)
    scorer.end()


def killed(lab, kafka):
    """latest: killed before the first transaction was committed; where the test stood still until it was, once more."""
    def is_taken():
        seen.append(scorer.counter("events_in_flight"))
        return seen[-1] == 2 * FEW or scorer.counter("events_scored_total") > 0
    wanted = (2 * FEW, [FEW, 0])
    for attempt in range(4):
        stream, seen = Stream(lab, kafka, f"killed-{attempt}"), []
        stream.send(0, FEW)
        scorer = stream.scorer("one", KAFKA_AUTO_OFFSET_RESET="latest", COMMIT_INTERVAL="5s")
        stream.send(0, FEW)
        stream.send(1, FEW)
        lab.need("it takes them", is_taken, 30, scorer)
        scorer.kill()
        if (found := (seen[-1], stream.committed())) == wanted:
            break
    lab.equal("it has taken them and committed nothing", found, wanted)
    scorer = stream.scorer("two", KAFKA_AUTO_OFFSET_RESET="latest")
    stream.check_ends("latest: killed before the first commit", {0: range(FEW, 2 * FEW), 1: range(FEW)}, scorer)
    scorer.end()


def grown(lab, kafka):
    """Partitions that are added to a running group's topic are read from their beginning, and are lag until then."""
    stream = Stream(lab, kafka, "grown")
    stream.send(0, FEW)
    blind = stream.scorer("blind", KAFKA_AUTO_OFFSET_RESET="latest", KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS=600000)
    stream.grow(4)
    stream.send(2, FEW)
    stream.send(3, FEW)
    lab.wait("new partitions count as lag before the group has shared them out", lambda: blind.counter("events_lag") == 2 * FEW, 30, blind)
    lab.equal("… and are not shared out yet", blind.counter("partitions_assigned"), 2)
    lab.equal("… it ends with status 0", blind.end(), 0)
    # A static member is given what it had, and never sees the count change.
    scorer = stream.scorer("two", KAFKA_AUTO_OFFSET_RESET="latest")
    stream.check_ends("latest: partitions added, and the only member started again since", {2: range(FEW), 3: range(FEW)}, scorer)
    stream.grow(6)
    stream.send(5, FEW)
    stream.check_ends("… and noticed by itself within a minute", {2: range(FEW), 3: range(FEW), 5: range(FEW)}, scorer)
    lab.wait("no lag is left", lambda: scorer.counter("events_lag") == 0, 20, scorer)
    scorer.end()


def together(lab, kafka):
    """latest: several members find a new group at once; none takes the other's start for the group's past."""
    stream = Stream(lab, kafka, "together", partitions=6)
    for partition in range(6):
        stream.send(partition, FEW)
    scorer = stream.scorer("three", KAFKA_AUTO_OFFSET_RESET="latest", WORKERS=3)
    lab.need("three members share the partitions", lambda: scorer.counter("partitions_assigned") == 6, 30, scorer)
    for partition in range(6):
        stream.send(partition, FEW)
    stream.check_ends("latest: three members at once", {p: range(FEW, 2 * FEW) for p in range(6)}, scorer)
    scorer.end()


def recreated(lab, kafka):
    """A log with other records, filled beyond the committed offset: it is noticed by the record before that. The broker
    forgets a deleted topic's offsets, so they are put back here, as a restored or exchanged cluster would have them."""
    from confluent_kafka import Consumer, TopicPartition
    stream = Stream(lab, kafka, "recreated", partitions=1)
    stream.send(0, FEW)
    scorer = stream.scorer("one")
    stream.check_ends("before the topic is recreated", {0: range(FEW)}, scorer)
    lab.equal("… it ends with status 0", scorer.end(), 0)
    again = stream.scorer("again")
    stream.send(0, FEW)
    stream.check_ends("started again on the same log", {0: range(2 * FEW)}, again)
    lab.equal("… it ends with status 0", again.end(), 0)
    tool = Consumer({"bootstrap.servers": kafka, "group.id": stream.name})
    committed = tool.committed([TopicPartition(stream.topics["input"], 0)], 60)
    lab.check("the last record is noted beside the offset", committed[0].metadata and f"last={2 * FEW - 1}" in committed[0].metadata, committed[0].metadata)
    for answer in stream.admin.delete_topics([stream.topics["input"]]).values():
        answer.result(60)
    lab.need("the topic is gone", lambda: stream.topics["input"] not in stream.admin.list_topics(timeout=30).topics, 30)
    lab.create_topics(kafka, [stream.topics["input"]], 1)
    stream.send(0, 3 * FEW)
    members = lambda: len(stream.admin.describe_consumer_groups([stream.name])[stream.name].result(30).members)
    lab.need("the static member of before has left", lambda: members() == 0, 60)
    tool.commit(offsets=committed, asynchronous=False)
    tool.close()
    other = stream.scorer("other", wait=False)
    lab.wait("on the other log it ends by itself", lambda: not other.alive(), 30)
    lab.equal("… with status", other.popen.poll(), 1)
    lab.one_line("… and says why", other.text(), "error", "recreated-input .0. is not the log that was read before", "reset-offsets")
    lab.equal("… having handled nothing", sum(stream.ends().values()), 2 * FEW)


def emptied(lab, kafka):
    """Retention deletes what was handled, the last record included: that is no reason to stop."""
    from confluent_kafka import TopicPartition
    stream = Stream(lab, kafka, "emptied", partitions=1)
    stream.send(0, FEW)
    scorer = stream.scorer("one")
    stream.check_ends("before the log is emptied", {0: range(FEW)}, scorer)
    scorer.end()
    before = stream.ends()
    delete_records(kafka, [TopicPartition(stream.topics["input"], 0, FEW)])
    again = stream.scorer("again")
    stream.send(0, FEW)
    stream.check_ends("after the log is emptied", {0: range(2 * FEW)}, again)
    lab.check("… and nothing from before is handled again", all(stream.ends()[place] == 1 for place in before))
    lab.equal("… it ends with status 0", again.end(), 0)


def expired(lab, kafka):
    """The group's offsets are gone, as after a week down: it says so, loses nothing, and handles again what it had handled."""
    stream = Stream(lab, kafka, "expired", partitions=2)
    stream.send(0, FEW)
    scorer = stream.scorer("one", KAFKA_SESSION_TIMEOUT_MS=6000)
    stream.check_ends("before the offsets expire", {0: range(FEW)}, scorer)
    lab.equal("… it ends with status 0", scorer.end(), 0)
    members = lambda: len(stream.admin.describe_consumer_groups([stream.name])[stream.name].result(30).members)
    lab.need("its static member is gone", lambda: members() == 0, 30)
    stream.admin.delete_consumer_groups([stream.name])[stream.name].result(30)
    stream.send(1, FEW)
    again = stream.scorer("two")
    wanted = {(0, o): 2 for o in range(FEW)} | {(1, o): 1 for o in range(FEW)}
    lab.wait("expired offsets: what was sent meanwhile has an end, and what was handled has two", lambda: stream.ends() == wanted, PATIENCE, again)
    lab.one_line("… it is said", again.text(), "warn", "no committed offsets", "expired", "handled before is handled again")
    lab.equal("… it ends with status 0", again.end(), 0)


def exchanged(lab, _):
    """Another cluster behind the address while the scorer runs, its log longer than the position in the first one."""
    kafka = lab.kafka("first-cluster", topics=("unused",))
    stream = Stream(lab, kafka, "exchanged", partitions=1)
    stream.send(0, FEW)
    scorer = stream.scorer("one")
    stream.check_ends("the first cluster", {0: range(FEW)}, scorer)
    lab.stop_kafka("first-cluster")
    directory, broker = lab.dir / "second-cluster", ROOT / "deploy/kafka/broker"
    lab.endings.append(lambda: lab.run(broker, "stop", directory, "--wipe"))
    # Filled on another port, and then moved to the address.
    elsewhere = lab.must(broker, "start", directory, free_port()).strip()
    other = Stream(lab, elsewhere, "exchanged", partitions=1)
    other.send(0, 3 * FEW)
    lab.must(broker, "stop", directory)
    lab.must(broker, "start", directory, kafka.rsplit(":", 1)[1])
    other.kafka = kafka
    if not scorer.alive():
        lab.equal("a scorer that the exchange has ended has status", scorer.popen.poll(), 1)
    begin = time.monotonic()
    while scorer.alive() and len(other.ends()) < 3 * FEW and time.monotonic() - begin < 3 * PATIENCE:
        time.sleep(0.5)
    if not scorer.alive():
        lab.one_line("it ends and says why", scorer.text(), "error")
        scorer = other.scorer("again")
    other.check_ends("another cluster behind the address: each of its events", {0: range(3 * FEW)}, scorer)
    lab.equal("… it ends with status 0", scorer.end(), 0)


with Lab(STATE_TOPIC="none") as lab: # new partitions would wait for their records, expired offsets contradict them: test_state_admin.py, test_state_offsets.py
    kafka = lab.kafka(topics=("samples",), partitions=1)
    lab.model()
    lab.must(BIN / "producer", "generate", "--count", EVENTS + 1000, "--seed", 3, "--input-topic", "samples", env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    Stream.samples = [(m.key(), m.value()) for m in lab.consume(kafka, "samples")]
    for scenario in (backlog, restart, killed, grown, together, recreated, emptied, expired):
        if not sys.argv[1:] or scenario.__name__ in sys.argv[1:]:
            scenario(lab, kafka)
    if "exchanged" in sys.argv[1:]:  # by name alone: it has not yet been seen to its end
        exchanged(lab, kafka)

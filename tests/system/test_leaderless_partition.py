#!/usr/bin/env python3
"""The broker that leads the output topic is killed with a transaction open, and stays unavailable for longer than the transaction's
time-out: brokers of Kafka 4.1 and later (KAFKA-20734) skip its markers there and call it aborted. Its results lie open in the
topic, and must not be published by the next commit, beside their copies. Then the same with a commit that the coordinator
acknowledges: its results must not be aborted by whoever starts next."""
import os
import re
import signal
import time
import uuid
from base64 import urlsafe_b64encode
from collections import Counter

from lab import BIN, ROOT, TOPICS, Lab, decode_prediction, free_port
from relay import ADD_OFFSETS, END_TXN, Gate, relayed_kafka

EVENTS = 50


def add_broker(lab, first):
    """Broker 2 beside broker 1: how to start it."""
    place, port, relay_port = lab.dir / "second", free_port(), free_port()
    listeners = f"PLAINTEXT://127.0.0.1:{port},RELAY://127.0.0.1:{relay_port}"  # the relay's clients come without it
    properties = (lab.dir / first / "server.properties").read_text()
    meta = (lab.dir / first / "log/meta.properties").read_text()
    (place / "log").mkdir(parents=True)
    directory_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    (place / "log/meta.properties").write_text(f"version=1\ncluster.id={re.search(r'cluster.id=(.*)', meta)[1]}\nnode.id=2\n"
                                               f"directory.id={directory_id}\n")
    voters = re.findall(r"^controller.quorum.voters=(.*)$", properties, re.M)[-1]
    settings = (port, "process.roles=broker", "node.id=2", f"controller.quorum.voters={voters}",
                f"listeners={listeners}", f"advertised.listeners={listeners}",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,RELAY:PLAINTEXT,CONTROLLER:PLAINTEXT")
    lab.endings.append(lambda: lab.run(ROOT / "deploy/kafka/broker", "stop", place, "--wipe"))
    return lambda: lab.must(ROOT / "deploy/kafka/broker", "start", place, *settings)


def make_inner_topics(kafka):
    """While broker 1 is alone."""
    from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
    Producer({"bootstrap.servers": kafka, "transactional.id": "first", "log_level": 0}).init_transactions(30)
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "first", "log_level": 0})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            consumer.committed([TopicPartition("none", 0)], 30)
            break
        except KafkaException:
            time.sleep(0.2)
    consumer.close()


def make_topics(kafka):
    """The results on broker 2, everything else on broker 1."""
    from confluent_kafka.admin import AdminClient, NewTopic
    topics = [NewTopic(name, 2, replica_assignment=[[2 if name == "attrition-predictions" else 1]] * 2) for name in TOPICS]
    client = AdminClient({"bootstrap.servers": kafka})
    for answer in client.create_topics(topics).values():
        answer.result(30)


def has_leader(kafka):
    from confluent_kafka.admin import AdminClient
    partitions = AdminClient({"bootstrap.servers": kafka}).list_topics("attrition-predictions", 10).topics["attrition-predictions"].partitions
    return all(partition.leader >= 0 for partition in partitions.values())


def kill_second(lab):
    os.kill(int((lab.dir / "second/pid").read_text()), signal.SIGKILL)


def check_results(lab, kafka, events):
    places = Counter()
    for message in lab.consume(kafka, "attrition-predictions"):
        source = decode_prediction(message.value())["source"]
        places[source["partition"], source["offset"]] += 1
    lab.equal("events with a result, results more than that", (len(places), sum(places.values()) - len(places)), (events, 0))


def send(lab, kafka, seed):
    lab.must(BIN / "producer", "generate", "--count", EVENTS, "--seed", seed, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})


def lag(kafka):
    from confluent_kafka import Consumer, KafkaException, TopicPartition
    group = Consumer({"bootstrap.servers": kafka, "group.id": "attrition-scorer", "log_level": 0})
    try:
        stored = group.committed([TopicPartition("employee-events", p) for p in range(2)], 5)
        return sum(group.get_watermark_offsets(p, 5)[1] - max(p.offset, 0) for p in stored)
    except KafkaException:
        return None
    finally:
        group.close()


with Lab(STATE_TOPIC="none") as lab:
    lab.env["JAVA_TOOL_OPTIONS"] = "-Dorg.slf4j.simpleLogger.log.kafka.coordinator.transaction=info"
    kafka, relayed, gate = relayed_kafka(lab, Gate, "kafka", "transaction.abort.timed.out.transaction.cleanup.interval.ms=500")
    make_inner_topics(kafka)
    start_second = add_broker(lab, "kafka")
    start_second()
    make_topics(kafka)
    lab.model()
    scorers, timeout_s = [], 5

    def start_scorer():
        scorers.append(lab.scorer(f"scorer-{len(scorers) + 1}", KAFKA_BOOTSTRAP_SERVERS=relayed, ROLES="score", INSTANCE_ID="one",
                                  COMMIT_INTERVAL="500ms", KAFKA_SESSION_TIMEOUT_MS=60000, KAFKA_TRANSACTION_TIMEOUT_MS=timeout_s * 1000))

    def settled():
        """As under a service manager: started again when it has ended."""
        if not scorers[-1].alive():
            start_scorer()
        return lag(kafka) == 0

    start_scorer()
    lab.ready(scorers[-1])
    send(lab, kafka, 1)
    lab.need("the first events are committed", settled, 60)

    gate.close(ADD_OFFSETS)
    send(lab, kafka, 2)
    seen = lambda: len(lab.consume(kafka, "attrition-predictions", "read_uncommitted"))
    lab.need("results of an open transaction are in the topic", lambda: seen() > EVENTS, 60)
    kill_second(lab)
    log = lab.dir / "kafka/server.log"
    deadline = time.monotonic() + 60
    while (skipped := "likely deleted already" in log.read_text(errors="replace")) is False and time.monotonic() < deadline:
        time.sleep(0.2)
    print(f"# the markers were {'skipped' if skipped else 'not skipped: this broker has the fix'}", flush=True)
    gate.shut = set()
    gate.cut_all()
    start_second()
    send(lab, kafka, 3)
    lab.wait("the group has committed every event", settled, 120)

    check_results(lab, kafka, 3 * EVENTS)

    lab.equal("the scorer ends with status 0", scorers[-1].end(), 0)
    timeout_s = 120  # longer than what follows: the coordinator aborts nothing by itself
    start_scorer()
    lab.ready(scorers[-1])
    gate.close(END_TXN)
    send(lab, kafka, 4)
    lab.need("results and their commit are on the way", lambda: END_TXN in gate.dropped and seen() >= 4 * EVENTS, 60)
    kill_second(lab)
    lab.need("the output has no leader", lambda: not has_leader(kafka), 60)
    gate.shut = set()
    gate.cut_all()  # librdkafka sends the commit again, and the coordinator acknowledges it
    lab.wait("the group has the commit", lambda: lag(kafka) == 0, 60)
    start_second()
    lab.wait("its results are visible", lambda: len(lab.consume(kafka, "attrition-predictions")) == 4 * EVENTS, 30)
    again = "committing it again" in scorers[-1].text()
    print(f"# the commit's markers were {'skipped' if again else 'not skipped: this broker has the fix'}", flush=True)
    scorers[-1].kill()
    start_scorer()
    send(lab, kafka, 5)
    lab.wait("the group has committed every event", settled, 120)
    check_results(lab, kafka, 5 * EVENTS)
    lab.equal("the scorer ends with status 0", scorers[-1].end(), 0)
    lab.audit(scorers[-1], KAFKA_BOOTSTRAP_SERVERS=kafka)

#!/usr/bin/env python3
"""A broker that is killed with a transaction's markers still to be written, and started again: brokers of Kafka 4.1 and later call
the transaction ended although they skip the markers of partitions whose leader is unavailable just then (KAFKA-20734), which on one
broker is all of them. Its records and offsets stay open, and the next marker of the same producer decides them, whatever it
is. Each event must have one result all the same: where the transaction was aborted, where it was committed, and where the
scorer or its next transaction is lost too.

A relay before the broker, which the broker itself uses for its markers, drops single kinds of request."""
import os
import signal
import time
from collections import Counter
from pathlib import Path

from lab import BIN, ROOT, Lab, decode_prediction
from relay import ADD_OFFSETS, WRITE_TXN_MARKERS, Gate, relayed_kafka

TRANSACTION_S = 5
TRIES = 2  # whether the broker skips them is a matter of milliseconds


class Stage:
    def __init__(self, lab):
        self.lab, self.sent, self.starts, self.missing, self.doubled = lab, 0, 0, 0, 0
        self.kafka, self.relayed, self.gate = relayed_kafka(
            lab, Gate, "kafka", "inter.broker.listener.name=RELAY", "transaction.abort.timed.out.transaction.cleanup.interval.ms=500")
        text = (lab.dir / "kafka/server.properties").read_text()
        self.properties = text.split("group.initial.rebalance.delay.ms=0\n")[1].split()
        lab.create_topics(self.kafka, ("employee-events", "attrition-predictions", "attrition-outcomes", "employee-events-dlq"), 2)
        lab.model()
        self.start_scorer()

    def start_scorer(self):
        self.starts += 1
        self.scorer = self.lab.scorer(f"scorer-{self.starts}", "-X", "reconnect.backoff.ms=10", KAFKA_BOOTSTRAP_SERVERS=self.relayed,
                                      ROLES="score", INSTANCE_ID="one", COMMIT_INTERVAL="20ms", KAFKA_SESSION_TIMEOUT_MS=60000,
                                      KAFKA_TRANSACTION_TIMEOUT_MS=TRANSACTION_S * 1000)

    def skipped(self):
        return (self.lab.dir / "kafka/server.log").read_text(errors="replace").count("likely deleted already")

    def kill_broker(self):
        pid = int((self.lab.dir / "kafka/pid").read_text())
        os.kill(pid, signal.SIGKILL)
        self.gate.cut_all()
        self.lab.need("the killed broker is gone", lambda: not Path(f"/proc/{pid}").exists(), 30)

    def start_broker(self):
        self.gate.shut = set()
        self.lab.must(ROOT / "deploy/kafka/broker", "start", self.lab.dir / "kafka", self.kafka.split(":")[1], *self.properties)

    def send(self, count):
        self.sent += count
        self.lab.must(BIN / "producer", "generate", "--count", count, "--seed", self.sent, env={"KAFKA_BOOTSTRAP_SERVERS": self.kafka})

    def await_drop(self, api):
        self.lab.need(f"the relay has dropped request {api}", lambda: self.kept_up() and api in self.gate.dropped, 60)

    def lag(self):
        from confluent_kafka import Consumer, KafkaException, TopicPartition
        group = Consumer({"bootstrap.servers": self.kafka, "group.id": "attrition-scorer", "log_level": 0})
        try:
            stored = group.committed([TopicPartition("employee-events", p) for p in range(2)], 5)
            return sum(group.get_watermark_offsets(p, 5)[1] - max(p.offset, 0) for p in stored)
        except KafkaException:
            return -1
        finally:
            group.close()

    def kept_up(self):
        """As under a service manager: started again when it has ended."""
        if not self.scorer.alive():
            self.start_scorer()
        return True

    def settled(self):
        return self.kept_up() and self.lag() == 0

    def check_ends(self, what):
        self.lab.wait(f"{what}: the group has committed every event", self.settled, 90)
        places = Counter()
        for message in self.lab.consume(self.kafka, "attrition-predictions"):
            source = decode_prediction(message.value())["source"]
            places[source["partition"], source["offset"]] += 1
        missing, more = self.sent - len(places), sum(places.values()) - len(places)
        self.lab.equal(f"{what}: results missing, doubled", (missing - self.missing, more - self.doubled), (0, 0))
        self.missing, self.doubled = missing, more

    def try_case(self, case):
        for number in range(TRIES):
            case(self)
            skipped, what = self.skipped(), case.__name__.replace("_", " ")
            print(f"# {what}: the broker skipped markers {skipped} times", flush=True)
            self.check_ends(what)
            if skipped:
                break


def abort(stage):
    """The transaction was too old, and the markers are still to be written."""
    stage.gate.close(ADD_OFFSETS, WRITE_TXN_MARKERS)
    stage.send(50)
    stage.await_drop(ADD_OFFSETS)
    stage.await_drop(WRITE_TXN_MARKERS)
    stage.kill_broker()
    stage.start_broker()
    stage.send(50)


def commit(stage):
    """The commit is acknowledged, the markers are still to be written."""
    stage.gate.close(WRITE_TXN_MARKERS)
    stage.send(50)
    stage.await_drop(WRITE_TXN_MARKERS)
    time.sleep(0.5)
    stage.kill_broker()


def commit_then_work(stage):
    commit(stage)
    stage.start_broker()
    stage.send(50)


def commit_then_kill(stage):
    commit(stage)
    stage.scorer.kill()
    stage.start_broker()
    stage.start_scorer()
    stage.send(50)


def commit_then_abort(stage):
    commit(stage)
    stage.start_broker()
    stage.gate.close(ADD_OFFSETS)
    stage.send(50)
    stage.await_drop(ADD_OFFSETS)
    time.sleep(TRANSACTION_S + 2)
    stage.gate.shut = set()
    stage.gate.cut_all()


with Lab(STATE_TOPIC="none") as lab:
    lab.env["JAVA_TOOL_OPTIONS"] = "-Dorg.slf4j.simpleLogger.log.kafka.coordinator.transaction=info"
    stage = Stage(lab)
    lab.ready(stage.scorer)
    stage.send(100)
    stage.check_ends("at first")
    for case in (abort, commit_then_work, commit_then_kill, commit_then_abort):
        stage.try_case(case)
    lab.equal("the scorer ends with status 0", stage.scorer.end(), 0)
    lab.audit(stage.scorer, KAFKA_BOOTSTRAP_SERVERS=stage.kafka)

#!/usr/bin/env python3
"""Ready means that work is committed: a frozen and a closed broker, PostgreSQL unavailable beside a score loop and alone,
TERM while a commit waits; after a broker was frozen beyond every time-out the scorer commits again or ends to be restarted."""
import json
import os
import signal
import time

from lab import BIN, ROOT, Lab

READY_TIMEOUT = 3


def not_ready_for(scorer, words):
    status, body = scorer.get("/health/ready")
    return status == 503 and words in body


def is_degraded(scorer):
    status, body = scorer.get("/health")
    return status == 200 and json.loads(body)["status"] == "degraded"


def waits_for(scorer, loop, server):
    return f'attrition_loop_waiting{{loop="{loop}",for="{server}"}} 1' in scorer.get("/metrics")[1]


def commits(scorer):
    return scorer.counter("transactions_committed_total")


def check_frozen_broker(lab, broker, scorer):
    os.kill(broker, signal.SIGSTOP)
    lab.wait("broker frozen under load: not ready", lambda: scorer.get("/health/ready")[0] == 503, READY_TIMEOUT + 12, scorer)
    lab.wait("… and attrition_kafka_up is 0", lambda: scorer.counters().get("attrition_kafka_up") == 0, 12, scorer)
    lab.wait("… the loop says what it waits for", lambda: waits_for(scorer, "score-0", "kafka"), 5, scorer)
    lab.wait("… and so does the log", lambda: "no broker answers" in scorer.text(), 5, scorer)
    before = commits(scorer)
    os.kill(broker, signal.SIGCONT)
    lab.wait("broker goes on: ready again", lambda: scorer.get("/health/ready")[0] == 200, 60, scorer)
    lab.wait("… and commits", lambda: commits(scorer) > before + 2, 60, scorer)
    lab.wait("… which is logged", lambda: "a broker answers again" in scorer.text(), 5, scorer)


def check_closed_broker(lab, scorer):
    lab.stop_kafka()
    lab.wait("broker closed: attrition_kafka_up is 0 soon", lambda: scorer.counters().get("attrition_kafka_up") == 0, 12, scorer)
    lab.check("… and not ready", scorer.get("/health/ready")[0] == 503)
    lab.must(ROOT / "deploy/kafka/broker", "start", lab.dir / "kafka")
    lab.wait("broker started again: ready again", lambda: scorer.get("/health/ready")[0] == 200, 90, scorer)


def check_postgresql(lab, scorer, sink):
    lab.must(ROOT / "deploy/private-postgres", "stop", lab.dir / "pg")
    lab.wait("PostgreSQL stopped, sink alone: not ready", lambda: not_ready_for(sink, "PostgreSQL"), 20, sink)
    lab.wait("… beside a score loop: degraded", lambda: is_degraded(scorer), 20, scorer)
    time.sleep(READY_TIMEOUT + 2)
    lab.wait("… and ready, however long it takes", lambda: scorer.get("/health/ready")[0] == 200, 10, scorer)
    lab.wait("… the sink's loop says what it waits for", lambda: waits_for(scorer, "sink", "postgresql"), 5, scorer)
    lab.must(ROOT / "deploy/private-postgres", "start", lab.dir / "pg")
    lab.wait("PostgreSQL started again: the sink alone is ready", lambda: sink.get("/health/ready")[0] == 200, 40, sink)
    lab.wait("… the other one not degraded any more", lambda: not is_degraded(scorer), 40, scorer)


def check_term_in_commit(lab, broker, scorer):
    before = commits(scorer)
    lab.need("at work", lambda: commits(scorer) > before + 1, 30, scorer)
    os.kill(broker, signal.SIGSTOP)
    lab.wait("broker frozen: the loop waits", lambda: waits_for(scorer, "score-0", "kafka"), 30, scorer)
    began = time.monotonic()
    status = scorer.end(60)
    lab.check("TERM within a commit: ended by DRAIN_DEADLINE (4 s)", status is not None and time.monotonic() - began < 30,
              f"status {status} after {time.monotonic() - began:.1f} s")
    lab.one_line("… and says so", scorer.text(), "DRAIN_DEADLINE")
    os.kill(broker, signal.SIGCONT)


def check_long_freeze(lab, broker, make):
    """Beyond session and transaction time-outs: seen to leave a scorer alive that had no partitions for ever."""
    scorer, ended, before = make(), 0, 0

    def works():
        """Ready and committing; started again if it has ended, be it a moment after it committed."""
        nonlocal scorer, ended, before
        if not scorer.alive():
            ended += 1
            lab.equal("… with status 1", scorer.popen.returncode, 1)
            scorer, before = make(), 0
        return scorer.get("/health/ready")[0] == 200 and commits(scorer) > before + 1
    for _ in range(2):
        lab.need("at work", works, 60)
        os.kill(broker, signal.SIGSTOP)
        time.sleep(22)
        before = commits(scorer)
        os.kill(broker, signal.SIGCONT)
        lab.wait("frozen for 22 s: commits again, or has ended to be restarted",
                 lambda: not scorer.alive() or commits(scorer) > before + 1, 30)
    lab.need("at work in the end", works, 60)
    lab.check("it has ended at most once a freeze", ended <= 2, ended)
    lab.equal("ends with status 0", scorer.end(), 0)


with Lab(STATE_TOPIC="none") as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.model()
    broker = int((lab.dir / "kafka/pid").read_text())
    patient = dict(KAFKA_SESSION_TIMEOUT_MS=120000, KAFKA_TRANSACTION_TIMEOUT_MS=120000)
    common = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, READY_TIMEOUT=f"{READY_TIMEOUT}s", DRAIN_DEADLINE="4s")
    scorer = lab.scorer("scorer", INSTANCE_ID="a", **common, **patient)
    sink = lab.scorer("sink", INSTANCE_ID="b", ROLES="sink", **common, **patient)
    lab.ready(scorer)
    lab.ready(sink)
    words = f"i=0; while sleep 0.2; do i=$((i+1)); '{BIN}/producer' generate --count 300 --seed $i; done"
    lab.start("load", ["/bin/sh", "-c", words], {"KAFKA_BOOTSTRAP_SERVERS": kafka})
    check_frozen_broker(lab, broker, scorer)
    check_postgresql(lab, scorer, sink)
    check_closed_broker(lab, scorer)
    broker = int((lab.dir / "kafka/pid").read_text())
    check_term_in_commit(lab, broker, scorer)
    check_long_freeze(lab, broker, lambda: lab.scorer("restarted", INSTANCE_ID="a", ROLES="score,http", **common))

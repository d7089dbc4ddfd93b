#!/usr/bin/env python3
"""Servers unavailable and scorers restarted under a steady load: PostgreSQL unavailable (named: ready stays 200, degraded), Kafka unavailable
(not ready), then three scorers restarted one after the other. Every event's wait is measured; none may be lost, doubled or out
of order, memory stays within MEMORY_LIMIT, the audit is clean.

OUTAGE_SECONDS (16): how long PostgreSQL is unavailable; OUTAGE_KAFKA_SECONDS (8): Kafka; OUTAGE_RATE (500): events a second;
OUTAGE_PHASES (postgresql,kafka,restart): which; OUTAGE_LONGEST_MS: what no event may wait during the rolling restart (without it
the figure is printed, not asserted). `make outages` runs it at full length."""
import json
import os
import re
import threading
import time

from lab import ROOT, Lab
from load import Load, Reader, templates

SECONDS, KAFKA_SECONDS = int(os.environ.get("OUTAGE_SECONDS") or 16), int(os.environ.get("OUTAGE_KAFKA_SECONDS") or 8)
RATE, LONGEST_MS = int(os.environ.get("OUTAGE_RATE") or 500), int(os.environ.get("OUTAGE_LONGEST_MS") or 0)
PHASES = (os.environ.get("OUTAGE_PHASES") or "postgresql,kafka,restart").split(",")
LIMIT_MIB, READY_TIMEOUT, PARTITIONS = 144, 8, 6  # READY_TIMEOUT: much less than SECONDS, and more than a busy machine stands still
CALM_S, SETTLE_S = max(3, min(60, SECONDS // 6)), 3


def memory_kib(process, what):
    try:
        with open(f"/proc/{process.popen.pid}/status") as status:
            return int((re.search(rf"{what}:\s*(\d+) kB", status.read()) or [0, 0])[1])
    except OSError:
        return 0


def health_of(status, body):
    return json.loads(body)["status"] if status == 200 else None


class Watch:
    """Once a second: each scorer's memory, readiness and health."""

    def __init__(self, scorers):
        self.scorers, self.peak_kib, self.ready, self.health, self.over = scorers, 0, {}, {}, False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.over:
            for name, scorer in list(self.scorers.items()):
                self.peak_kib = max(self.peak_kib, memory_kib(scorer, "VmHWM"))
                for seen, path, answer_of in ((self.ready, "/health/ready", lambda status, _: status), (self.health, "/health", health_of)):
                    asked = time.time()
                    answer = answer_of(*scorer.get(path))
                    seen.setdefault(name, []).append((asked, time.time(), answer))
            time.sleep(1)

    def seen(self, what, begin, end):
        """Every answer of every scorer to what was asked and answered between two moments, each once; none within seconds (a busy machine) is no answer."""
        return {answer for answers in what.values() for asked, answered, answer in answers if answer and begin <= asked and answered < end}

    def stop(self):
        self.over = True
        self.thread.join()


def rows_stored(lab, database, expected):
    time.sleep(expected / 1e6)  # counting is work for PostgreSQL too
    return lab.number(database, "select count(*) from attrition.predictions")


def compare(what, before, during, after):
    for name, waits in (("before", before), ("during", during), ("after", after)):
        print(f"#   {name}: {waits}", flush=True)
    ratio = [during.quantile(share) / max(1, before.quantile(share)) for share in (0.5, 0.99)]
    print(f"#   {what}: during against before: {ratio[0]:.2f} × (p50), {ratio[1]:.2f} × (p99)", flush=True)


def let_run(seconds):
    """Two moments so far apart; what is sent between them is over when this returns."""
    begin = time.time()
    time.sleep(seconds + SETTLE_S)
    return begin, begin + seconds


def postgresql_down(lab, load, reader, watch, scorers):
    calm = let_run(CALM_S)
    lab.must(ROOT / "deploy/private-postgres", "stop", lab.dir / "pg")
    stopped = time.time()
    lab.wait("PostgreSQL stopped: every scorer says that it is degraded", lambda: all(health_of(*scorer.get("/health")) == "degraded" for scorer in scorers.values()))
    down = let_run(SECONDS)
    lab.must(ROOT / "deploy/private-postgres", "start", lab.dir / "pg")
    back = let_run(CALM_S)
    lab.equal(f"PostgreSQL unavailable for {SECONDS} s at {load.rate} events/s: every scorer ready all the time", watch.seen(watch.ready, stopped, down[1]), {200})
    lab.equal("… and degraded", watch.seen(watch.health, *down), {"degraded"})
    lab.equal("… no scorer has ended", [name for name, scorer in scorers.items() if not scorer.alive()], [])
    compare("PostgreSQL unavailable", reader.between(*calm), reader.between(*down), reader.between(*back))


def ready_or_started_again(lab, scorers, start):
    """As a service manager does: a static member that the broker took for its own successor ends with status 1."""
    ended = [name for name, scorer in scorers.items() if not scorer.alive()]
    for name in ended:
        lab.equal(f"… {name} has ended, to be started again", scorers[name].popen.returncode, 1)
        scorers[name] = start(name)
    return not ended and all(scorer.get("/health/ready")[0] == 200 for scorer in scorers.values())


def kafka_down(lab, kafka, load, reader, scorers, start):
    calm = let_run(CALM_S)
    lab.stop_kafka()
    lab.wait("Kafka stopped: no scorer is ready", lambda: all(scorer.get("/health/ready")[0] == 503 for scorer in scorers.values()))
    down = let_run(KAFKA_SECONDS)
    lab.equal(f"Kafka unavailable for {KAFKA_SECONDS} s: not ready", {scorer.get("/health/ready")[0] for scorer in scorers.values()}, {503})
    lab.must(ROOT / "deploy/kafka/broker", "start", lab.dir / "kafka", kafka.split(":")[1])
    lab.wait("… all are ready again", lambda: ready_or_started_again(lab, scorers, start), 90)
    lab.wait("… what waited is visible", lambda: ready_or_started_again(lab, scorers, start) and reader.count >= load.sent - load.rate, 120)
    back = let_run(CALM_S)
    compare("Kafka unavailable", reader.between(*calm), reader.between(*down), reader.between(*back))


def restart_all(lab, load, reader, watch, scorers, start):
    calm = let_run(CALM_S)
    begin = time.time()
    for name in list(scorers):
        moment = time.time()
        status = scorers[name].end()
        ended = time.time()
        scorers[name] = start(name)
        lab.ready(scorers[name])
        print(f"#   {name}: ended {ended - moment:.2f} s after TERM with status {status}, ready {time.time() - ended:.2f} s later", flush=True)
        lab.equal(f"rolling restart: {name} ends with status 0", status, 0)
        time.sleep(3)
        print(f"#   {name}: {reader.between(moment - 1, time.time())}", flush=True)
    end = time.time()
    restarting, back = reader.between(begin - 1, end), let_run(CALM_S)
    compare("rolling restart", reader.between(*calm), restarting, reader.between(*back))
    if LONGEST_MS:
        lab.check(f"… no event waits for longer than {LONGEST_MS} ms", max(restarting.counts) <= LONGEST_MS, restarting)


with Lab(STATE_TOPIC="none") as lab:
    kafka, database = lab.kafka(partitions=PARTITIONS), lab.postgres()
    lab.model()
    # A member whose session is over may be fenced, which is status 1: no outage of the usual length and no busy machine ends it.
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, READY_TIMEOUT=f"{READY_TIMEOUT}s", MEMORY_LIMIT=f"{LIMIT_MIB}MiB",
                    KAFKA_COMPRESSION_TYPE="lz4", KAFKA_SESSION_TIMEOUT_MS=60000)
    start = lambda name: lab.scorer(name, INSTANCE_ID=name, **settings)
    scorers = {name: start(name) for name in ("a", "b", "c")}
    for scorer in scorers.values():
        lab.ready(scorer)
    reader, load = Reader(kafka), Load(kafka, templates(lab, kafka), RATE)
    lab.wait("predictions come", lambda: reader.count > 5 * RATE, 30)
    watch = Watch(scorers)
    if "postgresql" in PHASES:
        postgresql_down(lab, load, reader, watch, scorers)
    if "kafka" in PHASES:
        kafka_down(lab, kafka, load, reader, scorers, start)
    if "restart" in PHASES:
        restart_all(lab, load, reader, watch, scorers, start)
    sent = load.stop()
    lab.wait("every event's prediction is visible", lambda: reader.count >= sent, 60)
    watch.stop()
    reader.stop()
    lab.equal(f"of {sent} events: missing, doubled, out of order", [reader.missing(sent), reader.doubled, reader.disordered], [0, 0, 0])
    lab.check(f"peak of each scorer's memory within {LIMIT_MIB} MiB", watch.peak_kib < LIMIT_MIB * 1024, f"{watch.peak_kib / 1024:.1f} MiB")
    lab.wait("every prediction is stored", lambda: rows_stored(lab, database, sent) >= sent, 120 + SECONDS, scorers["a"])
    lab.audit(scorers["a"], seconds=240 + sent // 1000)
    for name, scorer in scorers.items():
        lab.equal(f"{name} ends with status 0", scorer.end(), 0)

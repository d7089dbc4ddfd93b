#!/usr/bin/env python3
"""Hours of load: real Kafka and PostgreSQL, two scorers; one works on undisturbed while its memory is watched, the other is
killed and started again all the time. At the end each event has one row, and the undisturbed scorer has not grown.

SOAK_SECONDS (1800): how long; SOAK_KILL_SECONDS (30): between two kills; SOAK_BATCH (20000): events sent at once, when the rows of
the batch before are there; SOAK_GROWTH_MB (32): how much larger its memory may be in the last third than in the second."""
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "system"))
from lab import BIN, Lab


def setting(name, fallback):
    return int(os.environ.get(name) or fallback)


SECONDS, KILL_SECONDS = setting("SOAK_SECONDS", 1800), setting("SOAK_KILL_SECONDS", 30)
BATCH, GROWTH_MB = setting("SOAK_BATCH", 20_000), setting("SOAK_GROWTH_MB", 32)


def resident_mb(process):
    with open(f"/proc/{process.popen.pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))


with Lab() as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.model()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database)
    steady = lab.scorer("steady", INSTANCE_ID="steady", **settings)
    killed = lab.scorer("killed", INSTANCE_ID="killed", **settings)
    lab.ready(steady)
    began = last_kill = last_line = time.monotonic()
    sent, kills, memory = 0, 0, []
    stored = lambda: lab.number(database, "select (select count(*) from attrition.predictions) + (select count(*) from attrition.dead_letters)")
    while time.monotonic() - began < SECONDS and steady.alive():
        now = time.monotonic()
        if stored() >= sent:
            lab.must(BIN / "producer", "generate", "--count", BATCH, "--poison", "0.01", "--seed", sent, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
            sent += BATCH
        if now - last_kill >= KILL_SECONDS:
            killed.kill()
            killed, kills, last_kill = lab.scorer("killed", INSTANCE_ID="killed", **settings), kills + 1, now
        memory.append((now - began, resident_mb(steady)))
        if now - last_line >= 30:
            print(f"# {now - began:.0f} s, {sent} events sent, {kills} kills, {memory[-1][1]:.1f} MiB", flush=True)
            last_line = now
        time.sleep(0.5)
    lab.check("the undisturbed scorer ran to the end", steady.alive(), f"{SECONDS} s, {kills} kills of the other")
    lab.wait("every event has its row", lambda: stored() >= sent, 300, steady)
    lab.equal("rows, predictions and dead letters, are the events sent", stored(), sent)
    lab.equal("rows by place in the input, each once", lab.number(database,
              "select count(*) from (select distinct source_partition, source_offset from attrition.predictions) p") +
              lab.number(database, "select count(*) from attrition.dead_letters"), sent)
    middle = max((size for at, size in memory if SECONDS / 3 <= at < SECONDS * 2 / 3), default=0)
    late = max((size for at, size in memory if at >= SECONDS * 2 / 3), default=0)
    lab.check("its memory does not grow", middle and late <= middle + GROWTH_MB, f"{middle:.1f} MiB, then {late:.1f} MiB")
    lab.equal("it drains and ends with status 0", steady.end(), 0)

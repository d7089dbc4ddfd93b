#!/usr/bin/env python3
"""MEMORY_LIMIT: a backlog of 200,000 events through every role, with the peak of resident memory below the limit; a limit
that cannot hold the queues is refused at start."""
import re

from lab import BIN, Lab

EVENTS, LIMIT_MIB = 200_000, 112


def peak_mib(process):
    with open(f"/proc/{process.popen.pid}/status") as status:
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read())[1]) // 1024


with Lab(STATE_TOPIC="none") as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.model()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database)
    status, _, said = lab.run(BIN / "scorer", "run", env={**settings, "MEMORY_LIMIT": "64MiB"})
    lab.equal("too small a limit is a usage error", status, 2)
    lab.one_line("… which says the least", said, "--memory-limit", "at least 106 MiB")
    lab.must(BIN / "producer", "generate", "--count", EVENTS, "--seed", 7, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    scorer = lab.scorer("scorer", MEMORY_LIMIT=f"{LIMIT_MIB}MiB", **settings)
    lab.need("everything is stored", lambda: scorer.counter("sink_predictions_total") == EVENTS, 180, scorer)
    lab.check(f"peak of resident memory below {LIMIT_MIB} MiB", peak_mib(scorer) < LIMIT_MIB, f"{peak_mib(scorer)} MiB")
    lab.equal("ends with status 0", scorer.end(), 0)

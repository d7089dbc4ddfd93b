#!/usr/bin/env python3
"""So many events through one scorer with every role, as fast as they go: its memory is flat. Resident memory is sampled once
a second; after the warm-up (a fifth of the events) a line is fitted to it, and its slope is less than a byte an event.

Every hundredth event is unreadable, every hundredth a termination, every ten-thousandth a null value: their ways are watched
too. FLAT_EVENTS (10000000): how many. What is stored is counted and removed as it goes, and Kafka keeps little, so
that the disk does not fill."""
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "system"))
from lab import Lab
from load import Load, templates

EVENTS = int(os.environ.get("FLAT_EVENTS") or 10_000_000)
OPEN, BATCH, KEPT = 200_000, 2_000, 500_000
RETENTION = ("log.retention.bytes=268435456", "log.segment.bytes=67108864", "log.retention.check.interval.ms=5000")
TABLES = ("predictions", "dead_letters", "outcomes")


def resident_bytes(process):
    with open(f"/proc/{process.popen.pid}/status") as status:
        return int(re.search(r"VmRSS:\s*(\d+) kB", status.read())[1]) * 1024


def slope(samples):
    """Of the line through (x, y) with the least squares."""
    mean_x, mean_y = (sum(axis) / len(samples) for axis in zip(*samples))
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / sum((x - mean_x) ** 2 for x, _ in samples)


class MixedLoad(Load):
    def send(self):
        number, (key, head, rest) = self.sent, self.made[self.sent % len(self.made)]
        identity = b"%010d/%017d" % (number, time.time_ns() // 1000)
        value = head + bytes([2 * len(identity)]) + identity + rest
        if number % 100 == 1:
            value = value[:-7]
        elif number % 100 == 2:
            value = head + bytes([2 * len(identity)]) + identity + b"\x06" + rest[1:]  # TERMINATED
        elif number % 10_000 == 3:
            value = None
        self.producer.produce(self.topic, value, key, on_delivery=self.note)
        self.sent += 1


def remove_rows(lab, database):
    """How many there were in each table; nothing is stored between the count and the removal."""
    tables = ", ".join(f"attrition.{table}" for table in TABLES)
    counts = ", ".join(f"(select count(*) from attrition.{table})" for table in TABLES)
    row = lab.sql(database, f"begin; lock table {tables} in access exclusive mode; select {counts}; truncate {tables}; commit")[0]
    return [int(count) for count in row]


with Lab() as lab:
    kafka, database = lab.kafka("kafka", *RETENTION), lab.postgres()
    lab.model()
    scorer = lab.scorer("scorer", KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, KAFKA_COMPRESSION_TYPE="lz4")
    lab.ready(scorer)
    load = MixedLoad(kafka, templates(lab, kafka), 0)
    began, looked, samples, rows, removed = time.monotonic(), 0.0, [], [0] * len(TABLES), 0
    stored = 0
    while stored < EVENTS and scorer.alive():
        if time.monotonic() - looked >= 1:
            looked, counters = time.monotonic(), scorer.counters()
            stored = int(counters.get("attrition_sink_records_total", stored)) - int(counters.get("attrition_sink_in_flight", 0))
            samples.append((stored, resident_bytes(scorer)))
            if len(samples) % 30 == 0:
                print(f"# {looked - began:.0f} s: {stored} stored, {samples[-1][1] / 2**20:.1f} MiB resident", flush=True)
        if stored - removed >= KEPT:
            rows, removed = [a + b for a, b in zip(rows, remove_rows(lab, database))], stored
        if load.sent < EVENTS and load.sent - stored < OPEN:
            for _ in range(min(BATCH, EVENTS - load.sent)):
                load.send()
            load.producer.poll(0)
        else:
            load.producer.poll(0.02)
    seconds = time.monotonic() - began
    lab.equal("events sent", load.stop(), EVENTS)
    lab.check("the scorer went on to the end", scorer.alive(), f"{seconds:.0f} s, {EVENTS / seconds:.0f} events/s")
    ends = {name: scorer.counter(f"events_{name}_total") for name in ("scored", "dead_lettered", "outcome", "erased")}
    lab.equal("events with an end", sum(ends.values()), EVENTS)
    rows = [a + b for a, b in zip(rows, remove_rows(lab, database))]
    lab.check("rows stored: predictions, dead letters, outcomes", rows[0] <= ends["scored"] and rows[1:] == [ends["dead_lettered"], ends["outcome"]],
              f"{rows} of {ends}")
    gauge = scorer.counter("resident_memory_bytes")
    lab.check("the gauge says what the kernel says", abs(gauge - resident_bytes(scorer)) < 2**22, gauge)
    warm = [sample for sample in samples if sample[0] >= EVENTS / 5]
    lab.check("memory is flat: less than a byte an event", slope(warm) < 1,
              f"{slope(warm):.4f} bytes an event over {len(warm)} samples, {warm[0][1] / 2**20:.1f} MiB to {warm[-1][1] / 2**20:.1f} MiB, "
              f"most {max(size for _, size in warm) / 2**20:.1f} MiB")
    lab.equal("it drains and ends with status 0", scorer.end(), 0)

#!/usr/bin/env python3
"""A backfill that stands still, on a real Kafka: frozen in the middle of a transaction until the brokers end it (the point
score.commit of the build FLAVOUR=faults), it says so and how to go on; a standard input that pauses for longer than any transaction
may last does no harm, and --rate does not make up for the pause with a burst."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaException

from lab import BIN, Lab, watermarks

FAULTS_BIN = Path(os.environ.get("FAULTS_BIN") or BIN.parent / "faults/bin")
ROWS, RATE, LATE = 5000, 200, 400
LONGEST_MS, PAUSED_LONGEST_MS = 2000, 10000  # transaction.timeout.ms: to be broken by who is frozen, and by no busy machine
HEADER = "EmployeeNumber,event_id,occurred_at,Age\n"


def row(number):
    return f"{number % 50},e-{number},2026-01-01T00:00:00Z,41\n"


def numbers(messages):
    return sorted(int(re.search(rb"e-(\d+)", message.value())[1]) for message in messages)


def committed(lab, kafka, topic):
    """How many; a new topic's leader may not know that it is one."""
    try:
        return len(lab.consume(kafka, topic))
    except KafkaException:
        return 0


def ends(kafka, topic, isolation):
    """Of all partitions, together: records and markers, up to the first that is open if only what is committed is read."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "ends", "isolation.level": isolation})
    total = sum(watermarks(consumer, topic, p)[1] for p in range(4))
    consumer.close()
    return total


def state_of(process):
    return Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


with Lab() as lab:
    kafka = lab.kafka(topics=("employee-events", "paused"))
    lab.env.update(KAFKA_BOOTSTRAP_SERVERS=kafka)

    paused = subprocess.Popen([BIN / "producer", "backfill", "-", "--input-topic", "paused", "--rate", str(RATE)],
                              env={**lab.env, "KAFKA_TRANSACTION_TIMEOUT_MS": str(PAUSED_LONGEST_MS)},
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lab.endings.append(lambda: paused.poll() is None and paused.kill())
    paused.stdin.write(HEADER + "".join(map(row, range(100))))
    paused.stdin.flush()
    lab.need("the first rows of standard input are committed", lambda: committed(lab, kafka, "paused") > 50)
    pause_began = time.monotonic()

    people = lab.dir / "people.csv"
    people.write_text(HEADER + "".join(map(row, range(ROWS))))
    # Its queue holds a part of the rows: when it commits, the brokers have the others, and so a transaction that is open.
    frozen = subprocess.Popen([FAULTS_BIN / "producer", "backfill", people, "-X", f"queue.buffering.max.messages={ROWS // 5}"],
                              env={**lab.env, "FAILPOINT": "score.commit:1:stop", "KAFKA_TRANSACTION_TIMEOUT_MS": str(LONGEST_MS)},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lab.endings.append(lambda: frozen.poll() is None and frozen.kill())
    lab.need("a backfill stands still within a transaction", lambda: state_of(frozen) == "T")
    lab.need("the brokers end its transaction", lambda: 0 < ends(kafka, "employee-events", "read_uncommitted") == ends(kafka, "employee-events", "read_committed"), 60)
    frozen.send_signal(signal.SIGCONT)
    out, err = frozen.communicate(timeout=180)
    lab.equal("it ends: exit status", frozen.returncode, 1)
    lab.one_line("it says why, and the way out", err, "stood still for", r"transaction.timeout.ms \(2.0 s\)", "--resume goes on")
    command = re.search(r"go on with: (.*)", err)
    lab.check("it prints the command", command and "--resume" in command[1], command and command[1])
    status, out, err = lab.run("sh", "-c", command[1].replace(str(FAULTS_BIN), str(BIN)))
    lab.equal("that command: exit status", status, 0)
    lab.check("that command: each row once", numbers(lab.consume(kafka, "employee-events")) == list(range(ROWS)))

    time.sleep(max(0, pause_began + 1.2 * PAUSED_LONGEST_MS / 1000 - time.monotonic()))  # where the above was quicker than that
    began = time.monotonic()
    paused.stdin.write("".join(map(row, range(100, 100 + LATE))))
    out, err = paused.communicate(timeout=180)
    seconds = time.monotonic() - began
    lab.equal("the paused input: exit status", paused.returncode, 0)
    lab.check("the paused input: each row once", numbers(lab.consume(kafka, "paused")) == list(range(100 + LATE)))
    lab.check("what comes after the pause comes no faster than --rate", seconds > 0.8 * LATE / RATE, f"{seconds:.1f} s")

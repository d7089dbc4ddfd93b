#!/usr/bin/env python3
"""`producer backfill` against a real Kafka: killed at random points and resumed, every row is there once and in order per employee as
readers of committed records see it; a changed input, Ctrl-C, a dry run, all rows rejected. KILLS and ROWS make it longer."""
import os
import pathlib
import random
import re
import signal
import subprocess
import time
from collections import Counter

from lab import BIN, ROOT, Lab

KILLS = int(os.environ.get("KILLS", 6))
ROWS = int(os.environ.get("ROWS", 30000))
EMPLOYEES = 997
RATE = int(os.environ.get("RATE", 6000))
SEED = int(os.environ.get("KILL_SEED", 0)) or random.randrange(1 << 30)


def write_rows(path, first, last, employees=EMPLOYEES):
    """Rows first … last - 1, each with its number as event id; one in 100 is refused."""
    with open(path, "w") as out:
        out.write("EmployeeNumber,event_id,occurred_at,Age\n")
        for n in range(first, last):
            out.write(f"{n % employees},e-{n},2026-01-01T00:00:00Z,{400 if n % 100 == 99 else 20 + n % 40}\n")


def event_number(value):
    found = re.search(rb"e-(\d+)", value)
    return int(found[1])


def counts(out):
    return {name: int(number) for name, number in re.findall(r"([a-z][a-z ]*?) (\d+)", out.splitlines()[-1])} if out.strip() else {}


def check_topic(lab, what, messages, rows):
    """Each valid row once; per employee in the input's order."""
    numbers = [event_number(message.value()) for message in messages]
    wanted = {n for n in rows if n % 100 != 99}
    times = Counter(numbers)
    lab.equal(f"{what}: rows sent twice", [n for n, count in times.items() if count > 1][:10], [])
    lab.equal(f"{what}: rows skipped", sorted(wanted - set(numbers))[:10], [])
    lab.equal(f"{what}: rows that nobody has", sorted(set(numbers) - wanted)[:10], [])
    last, disorder = {}, 0
    for message in messages:
        key, number = message.key(), event_number(message.value())
        disorder += number < last.get(key, -1)
        last[key] = number
    lab.equal(f"{what}: events out of order for their employee", disorder, 0)
    lab.equal(f"{what}: events", len(numbers), len(wanted))


def kill_and_resume(lab, kafka, path, kills):
    """How many were killed while they ran, and the last one's output."""
    choose = random.Random(SEED)
    killed = 0
    while True:
        producer = subprocess.Popen([BIN / "producer", "backfill", "--resume", "--rate", str(RATE), path], env={**lab.env, "KAFKA_BOOTSTRAP_SERVERS": kafka},
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if killed < kills:
            time.sleep(choose.uniform(0, 1.6))
            running = producer.poll() is None
            producer.send_signal(signal.SIGKILL)
            killed += running
        out, err = producer.communicate(timeout=300)
        if producer.returncode >= 0:
            return killed, producer.returncode, out, err


with Lab() as lab:
    kafka = lab.kafka(topics=("employee-events", "other", "third", "fourth", "fifth", "sixth", "seventh", "eighth"))
    lab.env["KAFKA_BOOTSTRAP_SERVERS"] = kafka
    people = lab.dir / "people.csv"
    write_rows(people, 0, ROWS)
    print(f"# {ROWS} rows, {KILLS} kills, seed {SEED}")

    status, out, err = lab.run(BIN / "producer", "backfill", "--dry-run", people)
    lab.equal("a dry run: exit status", status, 0)
    lab.equal("a dry run: would be sent", counts(out).get("would be sent"), ROWS - ROWS // 100)
    lab.equal("a dry run: nothing is sent", len(lab.consume(kafka, "employee-events", "read_uncommitted")), 0)

    killed, status, out, err = kill_and_resume(lab, kafka, people, KILLS)
    lab.check("kills that met a running backfill", 2 * killed >= KILLS, killed)
    if not lab.equal("the last run ends well", status, 0):
        print(err[-2000:])
    print("# " + out.strip().splitlines()[-1])
    found = counts(out)
    lab.equal("its figures add up", found.get("read"), found.get("sent before", 0) + found.get("sent", 0) + found.get("rejected", 0))
    check_topic(lab, "killed and resumed", lab.consume(kafka, "employee-events"), range(ROWS))

    # A resumed run that has nothing to do, then a longer file, then a changed one.
    status, out, err = lab.run(BIN / "producer", "backfill", "--resume", people)
    lab.equal("resumed at the end: exit status, and rows sent", (status, counts(out).get("sent")), (0, 0))
    with open(people, "a") as more:
        more.write(f"1,e-{ROWS},2026-01-01T00:00:00Z,41\n")
    status, out, err = lab.run(BIN / "producer", "backfill", "--resume", people)
    lab.equal("a file that has grown: what is new is sent", (status, counts(out).get("sent")), (0, 1))
    text = people.read_text()
    people.write_text(text.replace("e-5,", "e-five,", 1))
    before = len(lab.consume(kafka, "employee-events"))
    status, out, err = lab.run(BIN / "producer", "backfill", "--resume", people)
    lab.equal("a file that has changed: exit status", status, 1)
    lab.one_line("a file that has changed: one line", err, "the input has changed since", "without --resume")
    people.write_text("\n".join(text.splitlines()[:100]) + "\n")
    status, out, err = lab.run(BIN / "producer", "backfill", "--resume", people)
    lab.equal("a file that has become shorter: exit status", status, 1)
    lab.one_line("a file that has become shorter: one line", err, "has become shorter")
    lab.equal("neither sends anything", len(lab.consume(kafka, "employee-events")), before)

    # Ctrl-C: what was acknowledged is committed, and the command printed goes on.
    life = lab.dir / "it's a file.csv"
    write_rows(life, 0, 20000)
    producer = subprocess.Popen([BIN / "producer", "backfill", "--rate", "500", "--input-topic", "other", life], env=lab.env, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
    lab.wait("a tenth of a backfill is there", lambda: len(lab.consume(kafka, "other")) > 2000)
    producer.send_signal(signal.SIGINT)
    out, err = producer.communicate(timeout=300)
    found = counts(out)
    lab.equal("Ctrl-C: exit status", producer.returncode, 1)
    lab.equal("Ctrl-C: what it says is acknowledged is there", len(lab.consume(kafka, "other")), found.get("acknowledged"))
    command = re.search(r"go on with: (.*)", err)
    if lab.check("Ctrl-C: it prints the command that goes on", command, err[-300:]):
        print("# " + command[1])
        status, out, err = lab.run("sh", "-c", re.sub(r"--rate \d+", "--rate 0", command[1]))
        lab.equal("that command: exit status", status, 0)
        check_topic(lab, "that command", lab.consume(kafka, "other"), range(20000))

    # A disk without space for the rejects: the run stops at once, and the printed command goes on once there is some.
    status, out, err = lab.run("bash", "-c", f"ulimit -f 4; exec {BIN}/producer backfill --input-topic eighth \"{life}\"")
    lab.equal("no space for rejects: exit status", status, 1)
    lab.one_line("… says why, and what to do", err, r"error .*cannot write .*file\.csv\.rejects.*: File too large: stopped.*make space")
    lab.check("… stops where it happens", 0 < counts(out).get("acknowledged", 0) < 10000, out)
    lab.equal("… its figures add up", counts(out)["read"], counts(out)["acknowledged"] + counts(out)["rejected"])
    command = re.search(r"go on with: (.*)", err)
    if lab.check("… prints the command that goes on", command, err[-300:]):
        status, out, err = lab.run("sh", "-c", command[1])
        lab.equal("that command: exit status", status, 0)
        check_topic(lab, "no space for rejects, and gone on", lab.consume(kafka, "eighth"), range(20000))
        lab.equal("… all rejects are kept", len(pathlib.Path(f"{life}.rejects").read_text().splitlines()), 1 + 200)

    # A transaction of a killed run does not hold up readers once it is resumed; a second run takes over from the first.
    first = lab.start("first", [BIN / "producer", "backfill", "--rate", "500", "--input-topic", "third", life])
    lab.wait("the first of two sends", lambda: len(lab.consume(kafka, "third")) > 1000)
    status, out, err = lab.run(BIN / "producer", "backfill", "--resume", "--input-topic", "third", life)
    lab.equal("the second of two: exit status", status, 0)
    lab.equal("the first of two ends: exit status", first.popen.wait(300), 1)
    lab.one_line("the first of two says why", first.text(), "fenced", "another process")
    check_topic(lab, "two at once", lab.consume(kafka, "third"), range(20000))

    nobody = subprocess.Popen([BIN / "producer", "backfill", "--input-topic", "third", life], env={**lab.env, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = ""
    while "no broker answers" not in said:
        said = nobody.stderr.readline() or lab.need("a broker that is not there is named", lambda: False, 1)
    nobody.send_signal(signal.SIGINT)
    err = nobody.communicate(timeout=300)[1]
    lab.equal("Ctrl-C before a broker answers: exit status", nobody.returncode, 1)
    lab.one_line("… and how to go on", err, "go on with: .*--resume")

    # Brokers that are unavailable for a while are waited for: nothing twice, nothing lost, without any --resume.
    outage = lab.start("outage", [BIN / "producer", "backfill", "--rate", "1000", "--input-topic", "fifth", life])
    lab.wait("the run before an outage sends", lambda: len(lab.consume(kafka, "fifth")) > 3000)
    lab.stop_kafka()
    lab.wait("it says that it waits", lambda: "waiting for the brokers" in outage.text(), 60, outage)
    lab.must(ROOT / "deploy/kafka/broker", "start", lab.dir / "kafka", kafka.split(":")[1])
    lab.equal("the run over an outage: exit status", outage.popen.wait(300), 0)
    check_topic(lab, "the run over an outage", lab.consume(kafka, "fifth"), range(20000))

    # Whoever reads the messages leaves, the terminal is closed: no transaction stays open.
    lab.must("bash", "-c", f"{BIN}/producer backfill --input-topic sixth '{people}' 2>&1 | true")
    check_topic(lab, "messages that nobody reads", lab.consume(kafka, "sixth"), range(100))
    producer = subprocess.Popen([BIN / "producer", "backfill", "--rate", "500", "--input-topic", "seventh", life], env=lab.env, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
    lab.wait("a backfill has begun", lambda: len(lab.consume(kafka, "seventh")) > 100)
    producer.send_signal(signal.SIGHUP)
    out, err = producer.communicate(timeout=300)
    lab.equal("a closed terminal: exit status", producer.returncode, 1)
    lab.equal("… what it says is acknowledged is there", len(lab.consume(kafka, "seventh")), counts(out).get("acknowledged"))
    lab.one_line("… and how to go on", err, "go on with: .*--resume")
    closed = lab.run("bash", "-c", f"{BIN}/producer backfill --input-topic sixth '{people}' >&-")
    lab.equal("standard output closed: exit status", closed[0], 1)
    lab.one_line("… and why", closed[2], "cannot write standard output")
    lab.equal("… no connection was written into", len(lab.consume(kafka, "sixth")), 2 * 99)

    bad = lab.dir / "bad.csv"
    bad.write_text("EmployeeNumber,Age\n1,400\n2,500\n")
    for dry in ((), ("--dry-run",)):
        status, out, err = lab.run(BIN / "producer", "backfill", *dry, "--input-topic", "fourth", bad)
        lab.equal(f"all rows rejected {' '.join(dry)}: exit status", status, 1)
        lab.one_line(f"all rows rejected {' '.join(dry)}: one line", err, "all 2 rows were rejected")

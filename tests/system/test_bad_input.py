#!/usr/bin/env python3
"""What can be wrong around a scorer: each fault is one clear line, and nothing is lost. Servers that are unavailable are waited
for; what does not pass by itself ends the program with status 1."""
import os
import re
import subprocess
import time

from lab import BIN, ROOT, TOPICS, Lab, free_port

PASSWORD = "correct-horse"


def send(lab, kafka, count, seed):
    return lab.must(BIN / "producer", "generate", "--count", count, "--seed", seed, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})


def predictions(lab, database):
    return lab.number(database, "select count(*) from attrition.predictions")


def fails(lab, what, scorer, *patterns, status=1, seconds=40):
    """The scorer ends by itself with this status, and one line says why."""
    lab.wait(f"{what}: it ends", lambda: not scorer.alive(), seconds)
    lab.equal(f"{what}: exit status", scorer.popen.poll(), status)
    lab.one_line(f"{what}: one line", scorer.text(), *patterns)


def no_model(lab, settings):
    empty = {**settings, "MLFLOW_TRACKING_URI": lab.dir / "empty"}
    fails(lab, "no registered model", lab.scorer("no-model", **empty), "error", "attrition", "trainer train")
    fails(lab, "no such alias", lab.scorer("no-alias", **{**settings, "MODEL_URI": "models:/attrition@nobody"}), "error", "nobody")
    shown = lab.must(BIN / "registry", "show", "attrition")
    good = open(re.search(r"^file: (.*)$", shown, re.M)[1], "rb").read()
    spoiled = bytearray(good)
    spoiled[len(spoiled) // 2] ^= 0xff
    for name, content in (("truncated", good[: len(good) // 2]), ("spoiled", bytes(spoiled)), ("words", b"not a model"), ("empty", b"")):
        path = lab.dir / f"{name}.onnx"
        path.write_bytes(content)
        status, out, err = lab.run(BIN / "scorer", "score", "--model", path, input="")
        lab.equal(f"a model file that is {name}: exit status", status, 1)
        lab.equal(f"a model file that is {name}: lines said", len(err.splitlines()), 1)
        lab.one_line(f"a model file that is {name}: one line", err, "error", name + r"\.onnx|model")


def no_broker(lab, database):
    """Started before its broker: it waits, says so once, and works when the broker is there."""
    kafka = lab.kafka()
    lab.stop_kafka()
    port = kafka.split(":")[1]
    scorer = lab.scorer("early", KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, KAFKA_SESSION_TIMEOUT_MS=60000)
    said = lambda: [line for line in scorer.text().splitlines() if str(port) in line or "broker" in line]
    lab.wait("no broker: it says so", said, 20, scorer)
    time.sleep(4)  # a flood would show
    lab.check("no broker: it waits", scorer.alive())
    lines = said()
    lab.check("no broker: without a flood", 1 <= len(lines) <= 6, f"{len(lines)} lines within 4 s, such as: {(lines or [''])[0][:200]}")
    lab.wait("no broker: health", lambda: scorer.get("/health")[0] == 503, 20, scorer)
    lab.must(ROOT / "deploy/kafka/broker", "start", lab.dir / "kafka", port)
    send(lab, kafka, 500, 11)
    lab.wait("… the broker appears: everything is scored and stored", lambda: predictions(lab, database) == 500, 60, scorer)
    return kafka, scorer


def no_database(lab, kafka, scorer, database, directory):
    """PostgreSQL becomes unavailable in the middle: scoring goes on, the sink waits and catches up."""
    stored = predictions(lab, database)
    lab.must(ROOT / "deploy/private-postgres", "stop", directory)
    before = scorer.counter("events_scored_total")
    send(lab, kafka, 3000, 12)
    lab.wait("no database: scoring goes on", lambda: scorer.counter("events_scored_total") == before + 3000, 30, scorer)
    lab.wait("no database: health is degraded", lambda: '"degraded"' in scorer.get("/health")[1], 20, scorer)
    lab.equal("no database: health's status code", scorer.get("/health")[0], 200)
    lab.wait("no database: one line", lambda: re.search("warn.*PostgreSQL", scorer.text(), re.I), 10, scorer)
    lines = sum("PostgreSQL" in line for line in scorer.text().splitlines())
    lab.check("no database: it does not flood the log", lines <= 8, f"{lines} lines")
    lab.must(ROOT / "deploy/private-postgres", "start", directory)
    lab.wait("… the database is back: the sink has caught up", lambda: predictions(lab, database) == stored + 3000, 60, scorer)


def full_disk(lab, kafka, scorer, database, disk):
    """PostgreSQL's disk is full: the sink waits; with room again everything lands once."""
    stored = predictions(lab, database)
    room = os.statvfs(disk)
    ballast = disk / "ballast"
    with open(ballast, "wb") as out:
        out.write(b"\0" * max(0, room.f_bavail * room.f_frsize - 1_500_000))
    before = scorer.counter("events_scored_total")
    send(lab, kafka, 20000, 13)
    lab.wait("full disk: scoring goes on", lambda: scorer.counter("events_scored_total") == before + 20000, 60, scorer)
    lab.wait("full disk: one line", lambda: re.search(r"warn.*(No space left|disk|53100|PostgreSQL)", scorer.text()[-4000:]), 30, scorer)
    time.sleep(2)
    behind = predictions_or_none(lab, database)
    lab.check("full disk: rows wait", behind is None or behind < stored + 20000, f"{behind} of {stored + 20000}")
    ballast.unlink()
    lab.run(ROOT / "deploy/private-postgres", "start", disk / "pg")
    lab.wait("… room again: every row landed once", lambda: predictions_or_none(lab, database) == stored + 20000, 90, scorer)
    lab.equal("… events stored twice", lab.number(
        database, "select count(*) - count(distinct (source_partition, source_offset)) from attrition.predictions"), 0)


def predictions_or_none(lab, database):
    status, out, _ = lab.run("psql", "-XqtAc", "select count(*) from attrition.predictions", database)
    return int(out) if status == 0 else None


def wrong_credentials(lab, kafka, directory):
    """A password that is wrong is reported as such, and never printed."""
    port = free_port()
    url = lab.postgres("tcp", "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}")
    lab.sql(url, f"create role clerk login password '{PASSWORD}'; grant attrition_writer to clerk")
    wrong = f"postgresql://clerk:not-{PASSWORD}@127.0.0.1:{port}/attrition"
    status, out, err = lab.run(BIN / "scorer", "check", env={"KAFKA_BOOTSTRAP_SERVERS": kafka, "DATABASE_URL": wrong, "INSTANCE_ID": "clerk"}, seconds=60)
    lab.equal("wrong password: check's exit status", status, 1)
    lab.one_line("wrong password: one line", out + err, "password authentication failed|credentials|refused")
    lab.check("wrong password: it is not printed", PASSWORD not in out + err)
    right = wrong.replace("not-", "")
    status, out, err = lab.run(BIN / "scorer", "check", env={"KAFKA_BOOTSTRAP_SERVERS": kafka, "DATABASE_URL": right, "INSTANCE_ID": "clerk"}, seconds=60)
    lab.check("right password: check is content", status == 0, out.strip().splitlines()[-1:])
    status, out, err = lab.run(BIN / "scorer", "check", env={"KAFKA_BOOTSTRAP_SERVERS": kafka, "DATABASE_URL": right, "INSTANCE_ID": "clerk",
                                                             "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "PLAIN",
                                                             "KAFKA_SASL_USERNAME": "clerk", "KAFKA_SASL_PASSWORD": PASSWORD}, seconds=90)
    lab.equal("credentials that Kafka does not take: check's exit status", status, 1)
    lab.one_line("credentials that Kafka does not take: one line", out + err, "kafka|broker", "SASL|refused|answers")
    lab.check("… the password is not printed", PASSWORD not in out + err)


def missing_topics(lab, database):
    kafka = lab.kafka("bare-kafka", topics=TOPICS[:1], partitions=3)
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database)
    fails(lab, "missing output topic", lab.scorer("bare", **settings), "error", "topic attrition-predictions does not exist", "check --create-topics")
    fails(lab, "missing input topic", lab.scorer("bare-input", **{**settings, "INPUT_TOPIC": "nowhere"}), "error", "topic nowhere does not exist", "kafka-topics")
    status, out, err = lab.run(BIN / "producer", "generate", "--count", 5, env={"KAFKA_BOOTSTRAP_SERVERS": kafka, "INPUT_TOPIC": "nowhere"})
    lab.check("missing topic: the producer fails", status == 1, status)
    lab.one_line("missing topic: the producer says so in one line", err, "topic nowhere does not exist")
    status, out, err = lab.run(BIN / "scorer", "check", "--create-topics", env={key: str(value) for key, value in settings.items()})
    lab.equal("check --create-topics: exit status", status, 0)
    made = [line for line in out.splitlines() if "3 partitions, made just now" in line]
    lab.equal("check --create-topics: topics made, with the input's 3 partitions",
              [topic for topic in TOPICS[1:] if not any(topic in line for line in made)], [])


def twice(lab, kafka, database):
    """The same settings twice: other identities, both work; the same identity twice: one is fenced and ends."""
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, GROUP_ID="pair", KAFKA_SESSION_TIMEOUT_MS=60000)
    first, second = lab.scorer("first", **settings), lab.scorer("second", **settings)
    lab.ready(first), lab.ready(second)
    lab.wait("two scorers started alike share the partitions", lambda: (first.counter("partitions_assigned"), second.counter(
        "partitions_assigned")) == (2, 2), 30)
    lab.equal("… and end with status 0", (first.end(), second.end()), (0, 0))
    settings.update(GROUP_ID="fenced", INSTANCE_ID="the-same", STATE_DIR=lab.dir / "a")
    first = lab.scorer("same-1", **settings)
    lab.ready(first)
    second = lab.scorer("same-2", **{**settings, "STATE_DIR": lab.dir / "b"})
    lab.wait("two scorers of one identity: one ends", lambda: not (first.alive() and second.alive()), 60)
    gone, stays = (first, second) if not first.alive() else (second, first)
    lab.equal("… with status 1", gone.popen.returncode, 1)
    lab.one_line("… one line says why", gone.text(), "error", "fenced", "another (process|one)", "the-same")
    lab.check("… the other goes on", stays.alive())
    lab.equal("… and ends with status 0", stays.end(), 0)


def small_disk(lab):
    """A file system of 500 MB of its own (root), or None with the reason said."""
    disk = lab.dir / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500m,mode=711", "tmpfs", str(disk)], capture_output=True, text=True)
    if done.returncode:
        return None
    lab.endings.append(lambda: subprocess.run(["umount", "-l", str(disk)]))
    return disk


with Lab() as lab:
    lab.model()
    disk = small_disk(lab)
    home = disk or lab.dir
    directory = home / "pg"
    # Small write-ahead log: what is full is the tables' room.
    database = lab.postgres(str(directory), "-c", "max_wal_size=32MB", "-c", "wal_recycle=off")
    kafka, scorer = no_broker(lab, database)
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database)
    no_database(lab, kafka, scorer, database, directory)
    if disk:
        full_disk(lab, kafka, scorer, database, disk)
    else:
        lab.check("full disk: a small file system can be mounted (needs root)", os.geteuid() != 0, "left out, not root")
    lab.equal("the scorer drains and ends with status 0", scorer.end(), 0)
    lab.audit(scorer)
    no_model(lab, settings)
    wrong_credentials(lab, kafka, directory)
    missing_topics(lab, database)
    twice(lab, kafka, database)

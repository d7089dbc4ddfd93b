"""The servers of a run of faults, and how they are hurt: one broker or three, each behind a relay and on a disk of its own, and a
PostgreSQL that may move to a standby. Each hurt ends with the server well again.

`Broken`: the surroundings failed, not what is tested (a port was taken, a server did not start, the machine stands still). Disks
are tmpfs mounts, for root alone; they are filled by making them small."""
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

from bad_network import Meddler
from lab import ROOT, delete_records, free_port

POSTGRES = ("-c", "log_min_messages=fatal")
BROKER = ("group.min.session.timeout.ms=1000", "transaction.abort.timed.out.transaction.cleanup.interval.ms=500",
          "file.delete.delay.ms=1000", "replica.lag.time.max.ms=6000", "broker.session.timeout.ms=6000",
          "broker.heartbeat.interval.ms=1000")
# A broker that starts often is faster with half of the compiler; it says whose markers it skips.
JAVA = "-XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.log.kafka.coordinator.transaction=info"
DISK = "size=6g,mode=755"


class Broken(Exception):
    """The surroundings failed."""


def state_of(pid):
    try:
        return re.search(r"^State:\s+(\S)", Path(f"/proc/{pid}/status").read_text(), re.M)[1]
    except (OSError, TypeError):
        return "X"


def send_signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def kill_postgres(lab, name="pg"):
    """The one that `lab.postgres` has started, with all its processes."""
    postmaster = int((lab.dir / name / "data/postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    pids = [postmaster, *map(int, children)]
    send_signal(pids, signal.SIGKILL)
    lab.wait("PostgreSQL is killed", lambda: {state_of(pid) for pid in pids} == {"X"}, 20)


class Disk:
    """A file system of its own under the test's directory; a plain directory where nothing may be mounted."""

    def __init__(self, lab, name):
        self.lab, self.place = lab, lab.dir / name
        self.place.mkdir()
        self.place.chmod(0o755)
        self.mounted = os.getuid() == 0 and lab.run("mount", "-t", "tmpfs", "-o", DISK, "tmpfs", self.place)[0] == 0
        if self.mounted:
            lab.endings.append(lambda: lab.run("umount", "-l", self.place))

    def fill(self):
        """Nothing, or next to nothing, more fits: it may be written to meanwhile, and never gets smaller than what it holds."""
        return any(self.lab.run("mount", "-o", f"remount,size={shutil.disk_usage(self.place).used // 1024 + room}k", self.place)[0] == 0
                   for room in (0, 64, 256, 1024, 4096))

    def empty(self):
        self.lab.must("mount", "-o", f"remount,{DISK}", self.place)


class Node:
    """One broker: its ports, its disk, its relay."""

    def __init__(self, lab, number):
        self.number, self.disk = number, Disk(lab, f"disk{number}")
        self.directory = self.disk.place / "kafka"
        self.port, self.inner, self.controller, self.outer = (free_port() for _ in range(4))
        self.relay = Meddler(self.outer, self.inner)
        self.log_bytes_read = 0

    def listeners(self, inner):
        return f"PLAINTEXT://127.0.0.1:{self.port},RELAY://127.0.0.1:{inner},CONTROLLER://127.0.0.1:{self.controller}"

    def pid(self):
        return int((self.directory / "pid").read_text())

    def logs(self):
        """The log of the broker as it runs, and before it those of the times when it was started before."""
        return self.directory / "earlier.log", self.directory / "server.log"

    def keep_log(self):
        """Its next start begins another."""
        earlier, log = self.logs()
        if log.exists():
            with earlier.open("ab") as file:
                file.write(b"--- started again\n" + log.read_bytes())

    def skipped_markers(self):
        """How often it has called a transaction ended without its markers (KAFKA-20734)."""
        return sum(log.read_bytes().count(b"likely deleted already") for log in self.logs() if log.exists())

    def coordinator_failed(self):
        """Whether Kafka has newly given up a part of its groups: after an unclean end its coordinator may fall out of step with its
        log, and then answers "not coordinator" until the broker is started again."""
        log = self.logs()[1]
        if not log.exists() or log.stat().st_size == self.log_bytes_read or state_of(self.pid()) not in "RSD":
            return False
        with log.open("rb") as file:
            file.seek(self.log_bytes_read)
            text = file.read()
        self.log_bytes_read += len(text)
        return b"is out of sync with the underlying log" in text


class Brokers:
    def __init__(self, lab, count):
        self.lab, self.nodes = lab, [Node(lab, number + 1) for number in range(count)]
        lab.endings.append(self.stop)
        self.address, self.relayed = (",".join(f"127.0.0.1:{getattr(node, port)}" for node in self.nodes) for port in ("port", "outer"))
        self.start(*self.nodes)

    def properties(self, node):
        copies = len(self.nodes)
        voters = ",".join(f"{other.number}@127.0.0.1:{other.controller}" for other in self.nodes)
        safe = min(copies, 2)
        return (*BROKER, f"node.id={node.number}", f"controller.quorum.voters={voters}", f"listeners={node.listeners(node.inner)}",
                f"advertised.listeners={node.listeners(node.outer)}",
                "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,RELAY:PLAINTEXT",
                f"default.replication.factor={copies}", f"min.insync.replicas={safe}", f"offsets.topic.replication.factor={copies}",
                f"transaction.state.log.replication.factor={copies}", f"transaction.state.log.min.isr={safe}")

    def start(self, *nodes):
        """All at once: none of three is up before another is."""
        for node in nodes:
            node.log_bytes_read = 0
            node.keep_log()
        env = {**self.lab.env, "JAVA_TOOL_OPTIONS": JAVA, "BROKER_CLUSTER_ID": "ZmF1bHRzLW9uLXB1cnBvcw", **({"BROKER_HEAP": "320m"} if len(self.nodes) > 1 else {})}
        starts = [subprocess.Popen([ROOT / "deploy/kafka/broker", "start", node.directory, str(node.port), *self.properties(node)], env=env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for node in nodes]
        failed = [text for text, start in [(start.communicate()[1], start) for start in starts] if start.returncode]
        if failed:
            raise Broken(f"a broker did not start: {failed[0][-300:]}")

    def stop(self):
        for node in self.nodes:
            self.lab.run(ROOT / "deploy/kafka/broker", "stop", node.directory, "--wipe")

    def answer(self, seconds=10):
        """Whether a record is taken: by all in-sync replicas."""
        from confluent_kafka import Producer
        taken = []
        producer = Producer({"bootstrap.servers": self.address, "acks": "all", "log_level": 0, "message.timeout.ms": int(seconds * 1000)})
        producer.produce("canary", b"?", callback=lambda error, _: taken.append(error is None))
        producer.flush(seconds)
        return taken == [True]

    def create_topics(self, names, partitions):
        from confluent_kafka.admin import AdminClient, NewTopic
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        for answer in client.create_topics([NewTopic(name, partitions, len(self.nodes)) for name in names]).values():
            answer.result(30)

    def delete_records(self, name, before):
        from confluent_kafka import TopicPartition
        delete_records(self.address, [TopicPartition(name, partition, offset) for partition, offset in before.items()])

    def topics(self):
        from confluent_kafka.admin import AdminClient
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=30).topics

    def partitions(self, topic):
        return list(self.topics()[topic].partitions)

    def delete_topics(self, names):
        from confluent_kafka.admin import AdminClient
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        for answer in client.delete_topics(names).values():
            answer.result(30)


class Servers:
    """The address of the database names both places, and whoever can be written to is the one."""

    def __init__(self, lab, brokers=1, relayed=False):
        self.lab, self.place, self.other = lab, "disk/pg", "disk/pg2"
        self.watch = Watch()
        self.disk = Disk(lab, "disk")
        self.brokers = Brokers(lab, brokers)
        self.kafka = self.brokers.address
        self.kafka_of_scorers = self.brokers.relayed if relayed else self.kafka
        self.has = {name for name, there in (("disks", self.disk.mounted), ("relay", relayed), ("one", brokers == 1)) if there}
        url = lab.postgres(self.place, *POSTGRES)
        lab.endings.append(lambda: lab.run(ROOT / "deploy/private-postgres", "stop", lab.dir / "disk/pg2", "--wipe"))
        sockets, port = f"{lab.dir}/disk/pg/socket,{lab.dir}/disk/pg2/socket", re.search(r"port=(\d+)", url)[1]
        self.database = f"postgresql:///attrition?host={sockets}&port={port},{port}&user=postgres&target_session_attrs=read-write"
        self.brokers.create_topics(["canary"], 1)

    def trouble(self):
        """What is wrong with the surroundings, or nothing: a server that does not answer others either, a machine that stands still."""
        if self.watch.late() > 3:
            return f"the machine stood still for {self.watch.late():.1f} s"
        if not self.brokers.answer():
            return "the brokers take no record of another client"
        status, _, err = self.lab.run("psql", "-XqtAc", "create temporary table t (i int)", self.database, env={"PGCONNECT_TIMEOUT": "5"})
        return f"PostgreSQL does not answer another client: {err[-100:]}" if status else None

    def postgres_pids(self):
        postmaster = int((self.lab.dir / self.place / "data/postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    def start_postgres(self):
        status, _, err = self.lab.run(ROOT / "deploy/private-postgres", "start", self.lab.dir / self.place, *POSTGRES)
        if status:
            raise Broken(f"PostgreSQL did not start: {err[-300:]}")

    def start_standby(self):
        """A copy of the server in the other place, that follows it."""
        directory = self.lab.dir / self.other
        self.lab.run(ROOT / "deploy/private-postgres", "stop", directory, "--wipe")
        owner = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups") if os.getuid() == 0 else ()
        directory.mkdir()
        if owner:
            shutil.chown(directory, "postgres", "postgres")
        self.lab.must(*owner, "mkdir", "-m", "700", directory / "socket")
        self.lab.must(*owner, self.lab.must("pg_config", "--bindir").strip() + "/pg_basebackup", "-R", "-c", "fast", "-U", "postgres",
                      "-D", directory / "data", "-h", self.lab.dir / self.place / "socket")
        return self.lab.must(ROOT / "deploy/private-postgres", "start", directory, *POSTGRES).strip()

    def promote(self, standby):
        self.place, self.other = self.other, self.place
        self.lab.must("psql", "-Xqtc", "select pg_promote()", standby)

    def new_database(self, name):
        self.lab.must("psql", "-Xqc", f"create database {name}", self.database)
        url = self.database.replace("///attrition?", f"///{name}?")
        self.lab.must(ROOT / "sql/migrate", url)
        return url

    def backends(self, database):
        """Of the sinks: every connection to the run's database but the asking one."""
        name = re.search(r"///(\w+)", database)[1]
        status, out, _ = self.lab.run("psql", "-XqtAc", f"select pid from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid() "
                                      "and backend_type = 'client backend'", self.database)
        return [int(pid) for pid in out.split()] if status == 0 else []


class Watch:
    """How long this process, and so probably the machine, was kept from running."""

    def __init__(self):
        self.seen = []  # (when, how late)
        threading.Thread(target=self.look, daemon=True).start()

    def look(self):
        while True:
            before = time.monotonic()
            time.sleep(0.2)
            now = time.monotonic()
            self.seen = [*self.seen[-600:], (now, now - before - 0.2)]

    def late(self, seconds=60):
        since = time.monotonic() - seconds
        return max((late for when, late in self.seen if when > since), default=0)

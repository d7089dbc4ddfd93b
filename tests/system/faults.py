"""Faults on purpose, on a real Kafka and PostgreSQL: which ones, to whom and when is drawn from a seed.

A `Run` is one seed: topics, group and database of its own; two scorers that are always started again when they end, as a
service manager does, and guests that come and go; traffic (ends.py) all the time. Injections follow one another, some as soon
as the one before is over, some when the scorers have committed and the sink has stored again, which they must within PATIENCE.
At the end everything is let run, all events must come to their ends, and ends.py compares.

The same seed gives the same injections with the same parameters; what they hit is a matter of the machine's timing. Points in
the C code (base/fault_point.h) need the build FLAVOUR=faults: FAULTS_BIN, else faults/bin beside BIN."""
import os
import random
import re
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import lab as toolbox
from ends import Traffic, find_faults
from lab import BIN, ROOT, free_port

FAULTS_BIN = Path(os.environ.get("FAULTS_BIN") or BIN.parent / "faults/bin")
SESSION_S, TRANSACTION_S = 4, 5
PATIENCE = float(os.environ.get("FAULTS_PATIENCE") or 60)
POSTGRES = ("-c", "log_min_messages=fatal")
BROKER = ("group.min.session.timeout.ms=1000", "transaction.abort.timed.out.transaction.cleanup.interval.ms=500")
SETTINGS = {"KAFKA_SESSION_TIMEOUT_MS": SESSION_S * 1000, "KAFKA_HEARTBEAT_INTERVAL_MS": 1000,
            "KAFKA_TRANSACTION_TIMEOUT_MS": TRANSACTION_S * 1000, "KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS": 10000,
            "SINK_ROWS": 500, "COMMIT_INTERVAL": "50ms"}
# Passed all the time, at every start, and on leaving; the others (score.abort, score.rewind) need another fault.
BUSY_POINTS = ("score.produce", "score.produced", "score.batch", "score.offsets", "score.commit", "score.committed",
               "sink.begun", "sink.copy", "sink.copied", "sink.commit", "sink.commit_sent", "sink.committed")
START_POINTS = ("score.init", "score.assign", "sink.sync")
LEAVE_POINTS = ("score.leaving", "score.revoke")
CRASHES = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL}


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


class Servers:
    """One broker and one PostgreSQL, and how they are hurt. Each hurt ends with the server well again. PostgreSQL may move to a
    standby: the address names both places, and whoever can be written to is the one."""

    def __init__(self, lab):
        self.lab, self.place, self.other = lab, "pg", "pg2"
        self.kafka = lab.kafka("kafka", *BROKER)
        url = lab.postgres(self.place, *POSTGRES)
        lab.endings.append(lambda: lab.run(ROOT / "deploy/private-postgres", "stop", lab.dir / "pg2", "--wipe"))
        sockets, port = f"{lab.dir}/pg/socket,{lab.dir}/pg2/socket", re.search(r"port=(\d+)", url)[1]
        self.database = f"postgresql:///attrition?host={sockets}&port={port},{port}&user=postgres&target_session_attrs=read-write"

    def broker_pid(self):
        return int((self.lab.dir / "kafka/pid").read_text())

    def start_broker(self):
        self.lab.must(ROOT / "deploy/kafka/broker", "start", self.lab.dir / "kafka", self.kafka.split(":")[1], *BROKER)

    def postgres_pids(self):
        postmaster = int((self.lab.dir / self.place / "data/postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    def start_postgres(self):
        self.lab.must(ROOT / "deploy/private-postgres", "start", self.lab.dir / self.place, *POSTGRES)

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


class Run:
    def __init__(self, lab, servers, seed, rate=800, slots=2, env=None):
        self.lab, self.servers, self.seed, self.env = lab, servers, seed, env or {}
        self.group = f"faults-{seed}"
        self.names = [f"{self.group}-{topic}" for topic in ("events", "predictions", "dlq", "outcomes")]
        lab.create_topics(servers.kafka, self.names, 4)
        self.database = servers.new_database(f"faults_{seed}")
        self.scorers, self.ended, self.problems, self.done, self.guests = {}, Counter(), [], Counter(), 0
        self.missed, self.grown = Counter(), False
        self.has_points = (FAULTS_BIN / "scorer").exists()
        self.slots = ["a", "b", "c"][:slots]
        self.traffic = Traffic(lab, servers.kafka, self.names[0], rate, seed)
        for slot in self.slots:
            self.start(slot)

    # --- scorers ---

    def start(self, slot, point=None):
        program = (FAULTS_BIN if self.has_points else BIN) / "scorer"
        env = dict(zip(("INPUT_TOPIC", "OUTPUT_TOPIC", "DLQ_TOPIC", "OUTCOME_TOPIC"), self.names), GROUP_ID=self.group, INSTANCE_ID=slot,
                   KAFKA_BOOTSTRAP_SERVERS=self.servers.kafka, DATABASE_URL=self.database, HTTP_LISTEN=f"127.0.0.1:{free_port()}",
                   **SETTINGS, **self.env, **({"FAULT_POINT": point} if point else {}))
        self.scorers[slot] = self.lab.start(f"{self.group}-{slot}", [program, "run"], {key: str(value) for key, value in env.items()})
        return self.scorers[slot]

    def look_after(self):
        """Those that have ended by themselves are started again; a crash is a problem."""
        for slot, scorer in list(self.scorers.items()):
            if not scorer.alive():
                self.note_end(slot, scorer.popen.returncode)
                self.start(slot)

    def note_end(self, slot, status):
        self.ended[status] += 1
        if status in CRASHES or status > 1:
            self.problems.append(f"scorer {slot} crashed: status {status}, {self.scorers[slot].text()[-200:]!r}")

    def rest(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look_after()
            time.sleep(0.1)

    def wait(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.rest(0.2)
        return True

    # --- progress ---

    def offsets(self):
        """(sum of the group's committed offsets, events behind them); None while Kafka does not say."""
        from confluent_kafka import Consumer, KafkaException, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.servers.kafka, "group.id": self.group, "log_level": 0})
        try:
            partitions = consumer.list_topics(self.names[0], 5).topics[self.names[0]].partitions
            committed = consumer.committed([TopicPartition(self.names[0], p) for p in partitions], 5)
            ends = [consumer.get_watermark_offsets(p, 5)[1] for p in committed]
            return sum(max(p.offset, 0) for p in committed), sum(end - max(p.offset, 0) for p, end in zip(committed, ends))
        except KafkaException:
            return None
        finally:
            consumer.close()

    def stored(self):
        """Sum of the sink's offsets; None while PostgreSQL does not say."""
        status, out, _ = self.lab.run("psql", "-XqtAc", "select coalesce(sum(next_offset), 0) from attrition.sink_offsets", self.database,
                                      env={"PGCONNECT_TIMEOUT": "5"})
        return int(out) if status == 0 else None

    def expect_progress(self, what):
        """Both loops move on: the scorers' offsets, then the sink's."""
        for loop, look in (("scorers", lambda: (self.offsets() or (None,))[0]), ("sink", self.stored)):
            before = []

            def moved():
                now = look()
                if now is not None:
                    before.append(now)
                return len(before) > 1 and before[-1] != before[0]
            if not self.wait(moved, PATIENCE):
                self.problems.append(f"the {loop} did not move on within {PATIENCE:.0f} s after {what}: {self.health()}")

    def health(self):
        return {slot: scorer.get("/health/ready")[0] for slot, scorer in self.scorers.items()}

    # --- the run ---

    def inject(self, count, seconds, only=()):
        deadline = time.monotonic() + seconds
        self.wait(lambda: (self.offsets() or (0,))[0] > 0, PATIENCE)
        for number in range(count):
            if time.monotonic() > deadline:
                break
            rng = random.Random(f"{self.seed}/{number}")
            kinds = {kind: weight for kind, (weight, _) in INJECTIONS.items() if not only or kind in only}
            kind = rng.choices(list(kinds), kinds.values())[0]
            pause = rng.choice((0, 0.3, 1, 2))
            hurry = rng.random() < 0.35
            began = time.monotonic()
            told = INJECTIONS[kind][1](self, rng)
            (self.done if told else self.missed)[kind] += 1
            print(f"# seed {self.seed}, {number}: {kind} {told or 'did not come about'}, {time.monotonic() - began:.1f} s", flush=True)
            if not hurry:
                self.expect_progress(f"injection {number}, {kind} {told}")
            self.rest(pause)

    def drain(self, seconds):
        """Everything well again, no more traffic: until nothing is left to score."""
        failure = self.traffic.end()
        if failure:
            self.problems.append(f"the traffic's own producer: {failure}")
        left = [None]

        def drained():
            left[0] = self.offsets()
            return left[0] is not None and left[0][1] == 0
        if not self.wait(drained, seconds):
            self.problems.append(f"not at the end within {seconds:.0f} s: {left[0] and left[0][1]} offsets left, ready {self.health()}")

    def finish(self, drain=180):
        """(faults, events by end); the scorers end too."""
        self.drain(drain)
        faults, events = find_faults(self.lab, self.servers.kafka, self.database, self.names, self.traffic.acknowledged)
        for slot, scorer in self.scorers.items():
            status = scorer.end()
            if status != 0:
                self.problems.append(f"scorer {slot}: status {status} on TERM after all faults: {scorer.text()[-200:]!r}")
        return faults, events

    def keep_logs(self):
        place = Path(os.environ.get("LOGS") or ROOT / "build/test-logs") / self.group
        place.mkdir(parents=True, exist_ok=True)
        for log in (*self.lab.dir.glob(f"{self.group}-*.log"), self.lab.dir / "kafka/server.log", *self.lab.dir.glob("pg*.log")):
            if log.exists():
                shutil.copy(log, place)
        return place

    def close(self):
        for scorer in self.scorers.values():
            if scorer.alive():
                scorer.kill()
        self.traffic.stop.set()


# --- injections: each returns what it did, or nothing when it did not come about ---

def kill(run, rng):
    slot, delay = rng.choice(run.slots), rng.choice((0, 0, 0.5, SESSION_S + 1))
    run.scorers.pop(slot).kill()
    run.rest(delay)
    run.start(slot)
    return f"{slot}, started again after {delay} s"


def kill_all(run, rng):
    delay = rng.choice((0, 1, SESSION_S + 1))
    for slot in run.slots:
        run.scorers.pop(slot).kill()
    time.sleep(delay)
    for slot in run.slots:
        run.start(slot)
    return f"started again after {delay} s"


def at_point(run, rng, names, action, counts):
    """The slot's scorer is replaced by one that is hit at the point; (slot, point, scorer, whether it was hit in time)."""
    slot = rng.choice(run.slots)
    point = f"{rng.choice(names)}:{rng.choice(counts)}:{action}:{rng.choice((0, 0, 300, 3000, 30000))}"
    run.scorers.pop(slot).kill()
    scorer = run.start(slot, point)
    del run.scorers[slot]  # not looked after: its end is what is waited for
    return slot, point, scorer, lambda seconds: run.wait(lambda: not scorer.alive() or state_of(scorer.popen.pid) == "T", seconds)


def kill_at_point(run, rng):
    leaving = rng.random() < 0.15
    names, counts = (LEAVE_POINTS, (1,)) if leaving else (START_POINTS, (1,)) if rng.random() < 0.2 else (BUSY_POINTS, (1, 1, 2, 7, 40))
    if not run.has_points:
        return None
    slot, point, scorer, hit = at_point(run, rng, names, "kill", counts)
    if leaving:
        run.rest(4)
        send_signal([scorer.popen.pid], signal.SIGTERM)
    reached = hit(25) and scorer.popen.poll() == -signal.SIGKILL
    if scorer.alive():
        scorer.kill()
    run.start(slot)
    return f"{slot} at {point}" if reached else None


def freeze(run, rng):
    slot, seconds = rng.choice(run.slots), rng.choice((0.5, 2, SESSION_S + 0.5, TRANSACTION_S + 1, TRANSACTION_S + 4))
    scorer = run.scorers[slot]
    send_signal([scorer.popen.pid], signal.SIGSTOP)
    run.rest(seconds)
    send_signal([scorer.popen.pid], signal.SIGCONT)
    return f"{slot} for {seconds} s"


def freeze_at_point(run, rng):
    if not run.has_points:
        return None
    slot, point, scorer, hit = at_point(run, rng, BUSY_POINTS, "stop", (1, 2, 7, 40))
    seconds = rng.choice((1, SESSION_S + 1, TRANSACTION_S + 3))
    reached = hit(25) and scorer.alive()
    if reached:
        run.rest(seconds)
    send_signal([scorer.popen.pid], signal.SIGCONT)
    run.scorers[slot] = scorer
    return f"{slot} at {point} for {seconds} s" if reached else None


def replace_frozen(run, rng):
    """Another process takes over the identity of a frozen one, which then goes on: the newer must win."""
    slot, before, after = rng.choice(run.slots), rng.choice((0, TRANSACTION_S + 1)), rng.choice((2, SESSION_S + 1, TRANSACTION_S + 3))
    older = run.scorers.pop(slot)
    send_signal([older.popen.pid], signal.SIGSTOP)
    run.rest(before)
    newer = run.start(slot)
    del run.scorers[slot]
    run.rest(after)
    send_signal([older.popen.pid], signal.SIGCONT)
    run.wait(lambda: not older.alive() or not newer.alive(), PATIENCE)
    run.rest(1)
    what = f"{slot}, frozen {before} s before and {after} s after"
    if not newer.alive():
        run.problems.append(f"the successor was thrown out by the process it replaced ({what}): {newer.text()[-300:]!r}")
    elif older.alive():
        run.problems.append(f"two processes of one identity live on ({what})")
    if older.alive():
        older.kill()
    run.scorers[slot] = newer
    return what


def guest(run, rng):
    """One more member for a while, so that partitions move there and back."""
    seconds, gently, run.guests = rng.choice((1, 4, 8)), rng.random() < 0.5, run.guests + 1
    name = f"guest{run.guests}"
    run.start(name)
    run.rest(seconds)
    scorer = run.scorers.pop(name)
    if gently and scorer.end() not in (0, 1):
        run.problems.append(f"{name}: status {scorer.popen.returncode} on TERM")
    if not gently:
        scorer.kill()
    return f"for {seconds} s, {'TERM' if gently else 'KILL'}"


def terminate(run, rng):
    slot = rng.choice(run.slots)
    scorer = run.scorers.pop(slot)
    status = scorer.end()
    if status not in (0, 1):
        run.problems.append(f"scorer {slot}: {status} on TERM: {scorer.text()[-200:]!r}")
    run.start(slot)
    return slot


def kill_broker(run, rng):
    delay = rng.choice((0, 0, 3, SESSION_S + TRANSACTION_S))
    pid = run.servers.broker_pid()
    send_signal([pid], signal.SIGKILL)
    run.wait(lambda: state_of(pid) == "X", 20)
    run.rest(delay)
    run.servers.start_broker()
    return f"started again after {delay} s"


def freeze_broker(run, rng):
    seconds = rng.choice((0.5, 3, SESSION_S + 1, TRANSACTION_S + 4, 20))
    pid = run.servers.broker_pid()
    send_signal([pid], signal.SIGSTOP)
    run.rest(seconds)
    send_signal([pid], signal.SIGCONT)
    return f"for {seconds} s"


def kill_postgres(run, rng):
    """Immediate shutdown: no checkpoint, recovery from the log at the next start."""
    delay = rng.choice((0, 1, 6))
    pid = run.servers.postgres_pids()[0]
    send_signal([pid], signal.SIGQUIT)
    run.wait(lambda: state_of(pid) == "X", 20)
    run.rest(delay)
    run.servers.start_postgres()
    return f"started again after {delay} s"


def kill_backends(run, rng):
    """SIGTERM ends the sink's session; SIGKILL of one backend makes the whole server recover."""
    number = rng.choice((signal.SIGTERM, signal.SIGTERM, signal.SIGKILL))
    pids = run.servers.backends(run.database)
    send_signal(pids if number == signal.SIGTERM else pids[:1], number)
    return f"{len(pids)} sessions, {number.name}" if pids else None


def freeze_postgres(run, rng):
    seconds = rng.choice((1, 5, 25))
    pids = run.servers.postgres_pids()
    send_signal(pids, signal.SIGSTOP)
    run.rest(seconds)
    send_signal(pids, signal.SIGCONT)
    return f"for {seconds} s"


def doubtful_commit(run, rng):
    """The session ends between COMMIT and its answer: only the stored offsets tell whether it happened."""
    immediate = rng.random() < 0.3
    if not run.has_points:
        return None
    slot, point, scorer, hit = at_point(run, rng, ("sink.commit_sent",), "stop", (1, 3, 10))
    reached = hit(25) and scorer.alive()
    if reached and immediate:
        kill_postgres(run, rng)
    elif reached:
        run.rest(rng.choice((0, 1)))
        send_signal(run.servers.backends(run.database), signal.SIGTERM)
    send_signal([scorer.popen.pid], signal.SIGCONT)
    run.scorers[slot] = scorer
    return f"{slot} at {point}, {'immediate shutdown' if immediate else 'sessions ended'}" if reached else None


def fail_over(run, rng):
    """To a standby that lacks the last commits: the stored offsets go back, and so must the sink."""
    lost_s, servers = rng.choice((0.3, 1, 2)), run.servers
    standby = servers.start_standby()
    run.rest(1)
    for command in ("alter system set primary_conninfo to ''", "select pg_reload_conf()"):
        run.lab.must("psql", "-Xqtc", command, standby)
    run.rest(lost_s)
    pids = servers.postgres_pids()
    send_signal(pids, signal.SIGKILL)
    run.wait(lambda: all(state_of(pid) == "X" for pid in pids), 20)
    servers.promote(standby)
    return f"without the last {lost_s} s"


def add_partitions(run, rng):
    """Once a run: of the input, and before of the dead-letter topic, whose partitions have its numbers."""
    from confluent_kafka.admin import AdminClient, NewPartitions
    if run.grown:
        return None
    run.grown, client = True, AdminClient({"bootstrap.servers": run.servers.kafka, "log_level": 0})
    for topic in (run.names[2], run.names[0]):
        for answer in client.create_partitions([NewPartitions(topic, 6)]).values():
            answer.result(30)
        run.rest(1)
    return "4 to 6"


INJECTIONS = {
    "kill": (4, kill), "kill all": (1, kill_all), "kill at point": (8, kill_at_point), "terminate": (1, terminate),
    "freeze": (3, freeze), "freeze at point": (3, freeze_at_point), "replace frozen": (2, replace_frozen), "guest": (3, guest),
    "kill broker": (1, kill_broker), "freeze broker": (2, freeze_broker), "kill postgres": (1, kill_postgres),
    "kill backends": (3, kill_backends), "freeze postgres": (1, freeze_postgres), "doubtful commit": (2, doubtful_commit),
    "fail over": (1, fail_over), "add partitions": (0.5, add_partitions),
}

"""Faults on purpose, on real Kafka brokers and PostgreSQL: which ones, to whom and when is drawn from a seed.

A `Run` is one seed: topics, group and database of its own; two scorers that are always started again when they end, as a
service manager does, and guests that come and go; traffic (ends.py) all the time. Injections (injections.py) follow one another, some
as soon as the one before is over, some when the scorers have committed and the sink has stored again, which they must within
PATIENCE while the servers (servers.py) serve others. At the end everything is let run, all events must come to their ends, and
ends.py compares. Seeds of odd numbers keep current records, unless `kept` says which do.

The same seed and servers give the same injections with the same parameters; what they hit is a matter of the machine's timing. Points
in the C code (base/failpoint.h) need the build FLAVOUR=faults: FAULTS_BIN, else faults/bin beside BIN; so does the clock that jumps."""
import os
import random
import shutil
import signal
import struct
import time
from collections import Counter
from pathlib import Path

from check_records import Kept
from ends import ERASABLE, Archive, Traffic, find_faults
from lab import BIN, ROOT, free_port
from servers import Broken, send_signal, state_of

FAULTS_BIN = Path(os.environ.get("FAULTS_BIN") or BIN.parent / "faults/bin")
SESSION_S, TRANSACTION_S = 4, 5
PATIENCE = float(os.environ.get("FAULTS_PATIENCE") or 60)
SETTINGS = {"KAFKA_SESSION_TIMEOUT_MS": SESSION_S * 1000, "KAFKA_HEARTBEAT_INTERVAL_MS": 1000,
            "KAFKA_TRANSACTION_TIMEOUT_MS": TRANSACTION_S * 1000, "KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS": 10000,
            "SINK_ROWS": 500, "COMMIT_INTERVAL": "50ms"}
HYSTERESIS = 0.05
# A sanitizer's exit status must differ from status 1, by which a scorer ends that has been replaced.
SANITIZERS = {"ASAN_OPTIONS": "exitcode=66", "UBSAN_OPTIONS": "exitcode=66:print_stacktrace=1",
              "TSAN_OPTIONS": f"exitcode=66:history_size=4:suppressions={ROOT}/tests/system/tsan.supp"}
CRASHES = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL}


class Run:
    def __init__(self, lab, servers, seed, rate=800, slots=2, env=None, kept=None):
        self.lab, self.servers, self.seed, self.env = lab, servers, seed, env or {}
        self.group = f"faults-{seed}"
        self.names = [f"{self.group}-{topic}" for topic in ("events", "predictions", "dlq", "outcomes")]
        servers.brokers.create_topics(self.names, 4)
        self.repeats, self.repeated = self.env.get("DELIVERY") == "at-least-once", Counter()
        self.kept = self.keep_records() if (seed % 2 if kept is None else kept) else None
        self.env.setdefault("STATE_TOPIC", "none")
        self.database = servers.new_database(f"faults_{seed}")
        self.scorers, self.ended, self.problems, self.done, self.guests = {}, Counter(), [], Counter(), 0
        self.missed, self.grown = Counter(), False
        self.gone, self.returning, self.hanging, self.look_again = [], {}, 0, 0  # guests that were killed; those that come back: until when
        self.archive, self.clock_shim = Archive(lab, servers.kafka), FAULTS_BIN / "clock_shift.so"
        self.has_points = (FAULTS_BIN / "scorer").exists()
        self.has = servers.has | {need for need, there in (("points", self.has_points), ("clocks", self.clock_shim.exists()),
                                                           ("records", self.kept)) if there}
        self.slots = ["a", "b", "c"][:slots]
        self.traffic = Traffic(lab, servers.kafka, self.names[0], rate, seed, partial=self.kept is not None)
        for slot in self.slots:
            self.start(slot)

    def keep_records(self):
        """Their topic and that of alerts are the run's own."""
        state, alerts = self.env["STATE_TOPIC"], self.env["ALERT_TOPIC"] = f"{self.group}-state", f"{self.group}-alerts"
        self.servers.brokers.create_topics([state, alerts], 4)
        self.env["ALERT_HYSTERESIS"] = HYSTERESIS
        return Kept(self.lab, self.servers.kafka, state, alerts, lambda: self.handled(self.names[0]), ERASABLE, HYSTERESIS)

    # --- scorers ---

    def start(self, slot, point=None):
        program = (FAULTS_BIN if self.has_points else BIN) / "scorer"
        env = dict(zip(("INPUT_TOPIC", "OUTPUT_TOPIC", "DLQ_TOPIC", "OUTCOME_TOPIC"), self.names), GROUP_ID=self.group, INSTANCE_ID=slot,
                   KAFKA_BOOTSTRAP_SERVERS=self.servers.kafka_of_scorers, DATABASE_URL=self.database, HTTP_LISTEN=f"127.0.0.1:{free_port()}",
                   **SETTINGS, **SANITIZERS, **self.clock_of(slot), **self.env, **({"FAILPOINT": point} if point else {}))
        self.scorers[slot] = self.lab.start(f"{self.group}-{slot}", [program, "run"], {key: str(value) for key, value in env.items()})
        return self.scorers[slot]

    def clock_of(self, slot):
        """Settings by which the slot's wall clock can be moved (tests/support/clock_shift.c)."""
        if not self.clock_shim.exists():
            return {}
        self.set_clock(slot, 0)
        return {"LD_PRELOAD": self.clock_shim, "CLOCK_SHIFT": self.lab.dir / f"{self.group}-{slot}.clock"}

    def set_clock(self, slot, seconds):
        with open(self.lab.dir / f"{self.group}-{slot}.clock", "r+b" if (self.lab.dir / f"{self.group}-{slot}.clock").exists() else "wb") as file:
            file.write(struct.pack("q", seconds))

    def look_after(self):
        """Those that have ended by themselves are started again; a crash is a problem."""
        self.end_hanging()
        for slot, scorer in list(self.scorers.items()):
            if not scorer.alive():
                self.note_end(slot, scorer.popen.returncode)
                self.start(slot)
        for node in self.servers.brokers.nodes:
            if node.coordinator_failed():
                print(f"# broker {node.number} is started again: its group coordinator has failed", flush=True)
                send_signal([node.pid()], signal.SIGKILL)
                self.until(lambda: state_of(node.pid()) == "X", 20)
                self.servers.brokers.start(node)

    def end_hanging(self):
        """As an operator whom the log sends to a transaction that hangs (docs/OPERATIONS.md, AttritionStalled): what instances left open
        that were killed for good, and whose markers a broker skipped, is ended by running them once more."""
        now = time.monotonic()
        if now < self.look_again or not (self.gone or self.returning):
            return
        self.look_again = now + 2
        hanging = sum(self.scorers[slot].text().count("going on without its end") for slot in self.slots if slot in self.scorers)
        if self.gone and hanging > self.hanging:
            skipped = sum(node.skipped_markers() for node in self.servers.brokers.nodes)
            print(f"# a transaction hangs, {skipped} markers were skipped: once more {', '.join(self.gone)}", flush=True)
            for name in self.gone:
                self.start(name)
                self.returning[name] = now + 3 * PATIENCE
            self.gone = []
        self.hanging = max(self.hanging, hanging)
        for name, until in list(self.returning.items()):
            ready = self.scorers[name].get("/health/ready", 5)[0] == 200
            if not ready and now < until:
                continue
            del self.returning[name]
            if not ready:  # once more, when another line says that it hangs
                self.gone.append(name)
            status = self.scorers.pop(name).end()
            if status not in (0, 1):
                self.problems.append(f"{name}, come back: status {status} on TERM")

    def note_end(self, slot, status):
        self.ended[status] += 1
        if status in CRASHES or status > 1:
            self.problems.append(f"scorer {slot} crashed: status {status}, {self.scorers[slot].text()[-200:]!r}")

    def rest(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.look_after()
            time.sleep(0.1)

    @staticmethod
    def until(condition, seconds):
        """Like wait, and nobody is looked after meanwhile."""
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.2)

    def wait(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.rest(0.2)
        return True

    # --- progress ---

    def offsets(self):
        """(sum of the group's committed offsets, records behind them, those of open transactions too); None while Kafka does not say."""
        from confluent_kafka import Consumer, KafkaException, TopicPartition
        consumer = Consumer({"bootstrap.servers": self.servers.kafka, "group.id": self.group, "isolation.level": "read_uncommitted", "log_level": 0})
        try:
            partitions = consumer.list_topics(self.names[0], 5).topics[self.names[0]].partitions
            committed = consumer.committed([TopicPartition(self.names[0], p) for p in partitions], 5)
            ends = [consumer.get_watermark_offsets(p, 5)[1] for p in committed]
            return sum(max(p.offset, 0) for p in committed), sum(end - max(p.offset, 0) for p, end in zip(committed, ends))
        except KafkaException:
            return None
        finally:
            consumer.close()

    def open_transactions(self):
        """(partition, offset at which readers of committed records stop) of the input, where a transaction is open."""
        from confluent_kafka import Consumer, KafkaException, TopicPartition
        ends = {}
        for isolation in ("read_committed", "read_uncommitted"):
            consumer = Consumer({"bootstrap.servers": self.servers.kafka, "group.id": self.group, "isolation.level": isolation, "log_level": 0})
            try:
                partitions = consumer.list_topics(self.names[0], 5).topics[self.names[0]].partitions
                ends[isolation] = {(p, consumer.get_watermark_offsets(TopicPartition(self.names[0], p), 5)[1]) for p in partitions}
            except KafkaException:
                return set()
            finally:
                consumer.close()
        return ends["read_committed"] - ends["read_uncommitted"]

    def trouble(self):
        """What is wrong with the surroundings, or nothing. A transaction of the traffic that Kafka does not end holds up every reader."""
        trouble, before = self.servers.trouble(), self.open_transactions()
        if trouble or not before:
            return trouble
        self.rest(2 * TRANSACTION_S)
        held = before & self.open_transactions()
        return f"transactions of the traffic stay open, partition and offset: {sorted(held)}" if held else None

    def handled(self, topic):
        """Partition → the offset before which nobody needs the topic's records any more: scored, or stored."""
        from confluent_kafka import Consumer, KafkaException, TopicPartition
        if topic != self.names[0]:
            return {int(p): int(offset) for p, offset in self.lab.sql(
                self.database, f"select partition, next_offset from attrition.sink_offsets where topic = '{topic}' and next_offset > 0")}
        consumer = Consumer({"bootstrap.servers": self.servers.kafka, "group.id": self.group, "log_level": 0})
        try:
            found = consumer.committed([TopicPartition(topic, p) for p in consumer.list_topics(topic, 5).topics[topic].partitions], 5)
            return {p.partition: p.offset for p in found if p.offset > 0}
        except KafkaException:
            return {}
        finally:
            consumer.close()

    def stored(self):
        """Sum of the sink's offsets; None while PostgreSQL does not say."""
        status, out, _ = self.lab.run("psql", "-XqtAc", "select coalesce(sum(next_offset), 0) from attrition.sink_offsets", self.database,
                                      env={"PGCONNECT_TIMEOUT": "5"})
        return int(out) if status == 0 else None

    def expect_progress(self, what):
        """Both loops move on: the scorers' offsets and the sink's."""
        began, looks = {}, {"scorers": lambda: (self.offsets() or (None,))[0], "sink": self.stored}

        def moved():
            for loop in list(looks):
                now = looks[loop]()
                if now is not None and began.setdefault(loop, now) != now:
                    del looks[loop]
            return not looks
        if not self.wait(moved, PATIENCE):
            trouble = self.trouble()
            if trouble:
                raise Broken(f"{trouble} after {what}")
            self.problems.append(f"the {' and the '.join(looks)} did not move on within {PATIENCE:.0f} s after {what}: {self.health()}")

    def results(self):
        """How many committed records the output topics hold."""
        return sum(len(self.lab.consume(self.servers.kafka, name)) for name in self.names[1:])

    def describe_sinks(self):
        """What is needed to see why something is not stored: who has which partitions, what each says, and what is stored."""
        from confluent_kafka.admin import AdminClient
        group = f"{self.group}-sink"
        for member in AdminClient({"bootstrap.servers": self.servers.kafka}).describe_consumer_groups([group])[group].result(30).members:
            print(f"# {member.group_instance_id or member.member_id} has", *(f"{p.topic} [{p.partition}]" for p in member.assignment.topic_partitions))
        for slot, scorer in self.scorers.items():
            print(f"# {slot}:", *(line for line in scorer.get("/metrics")[1].splitlines() if line.startswith("attrition_sink")), sep="\n#   ")
        print("# stored:", *sorted(self.lab.sql(self.database, "select topic, partition, next_offset from attrition.sink_offsets")), flush=True)

    def health(self):
        return {slot: scorer.get("/health/ready")[0] for slot, scorer in self.scorers.items()}

    # --- the run ---

    def usable(self, injections, only):
        """Kind → weight, of those for which everything is there. `only`: these, or with a minus before them all but these."""
        wanted = {kind for kind in only if kind[0] != "-"} or injections
        return {kind: weight for kind, (weight, _, *needs) in injections.items()
                if self.has.issuperset(needs) and kind in wanted and f"-{kind}" not in only}

    def inject(self, injections, count, only=()):
        kinds = self.usable(injections, only)
        self.wait(lambda: (self.offsets() or (0,))[0] > 0, PATIENCE)
        for number in range(count):
            rng = random.Random(f"{self.seed}/{number}")
            kind = rng.choices(list(kinds), kinds.values())[0]
            pause, hurry, began = rng.choice((0, 0.1, 0.3, 1)), rng.random() < 0.35, time.monotonic()
            note = self.strike(injections[kind][1], rng)
            (self.done if note else self.missed)[kind] += 1
            print(f"# seed {self.seed}, {number}: {kind} {note or 'did not come about'}, {time.monotonic() - began:.1f} s", flush=True)
            if not hurry:
                self.expect_progress(f"injection {number}, {kind} {note}")
            self.rest(pause)

    def strike(self, injection, rng):
        """What it did; nothing where an administrator's request was refused, which changes nothing."""
        from confluent_kafka import KafkaException
        try:
            return injection(self, rng)
        except KafkaException as failure:
            print(f"# refused: {failure}", flush=True)
            return None
        except RuntimeError as failure:
            trouble = self.servers.trouble()
            if trouble:
                raise Broken(f"{trouble}: {failure}") from failure
            raise

    def drain(self, seconds):
        """Everything well again, no more traffic: until nothing is left to score."""
        failure = self.traffic.end()
        if failure:
            raise Broken(f"the traffic's own producer: {failure}")
        left = [None]

        def drained():
            left[0] = self.offsets()
            return left[0] is not None and left[0][1] == 0
        if not self.wait(drained, seconds):
            trouble = self.trouble()
            if trouble:
                raise Broken(f"{trouble} at the end")
            self.problems.append(f"not at the end within {seconds:.0f} s: {left[0] and left[0][1]} offsets left, ready {self.health()}")

    def finish(self, drain=180):
        """(faults, events by end); the scorers end too."""
        self.drain(drain)
        faults, events, self.repeated = find_faults(self.lab, self.servers.kafka, self.database, self.names, self.traffic.acknowledged,
                                                    self.archive, self.kept, self.repeats)
        if any(kind.startswith("not stored") for kind in faults.counts):
            try:
                self.describe_sinks()
            except Exception as failure:  # it may not hide what was found
                print(f"# the sinks cannot be described: {failure}", flush=True)
        for slot, scorer in self.scorers.items():
            status = scorer.end()
            if status != 0:
                self.problems.append(f"scorer {slot}: status {status} on TERM after all faults: {scorer.text()[-200:]!r}")
        return faults, events

    def keep_logs(self):
        place = Path(os.environ.get("LOGS") or ROOT / "build/test-logs") / self.group
        place.mkdir(parents=True, exist_ok=True)
        for log in (*self.lab.dir.glob(f"{self.group}-*.log"), *self.lab.dir.glob("disk/pg*.log")):
            shutil.copy(log, place)
        for log in self.lab.dir.glob("disk*/kafka/*.log"):
            shutil.copy(log, place / f"{log.parent.parent.name}-{log.name}")
        return place

    def close(self):
        for scorer in self.scorers.values():
            if scorer.alive():
                scorer.kill()
        self.traffic.stop.set()

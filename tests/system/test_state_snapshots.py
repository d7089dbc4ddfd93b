#!/usr/bin/env python3
"""Local snapshots of current records (STATE_SNAPSHOT_DIR) on a real Kafka: restarts and kill -9 read only what is newer from the topic;
files that are damaged, foreign or of a recreated topic are discarded; who is erased is in no file a minute later."""
import os
import re
import shutil
import stat
import time

from lab import BIN, TOPICS, Lab, decode_prediction, encode_event, schema
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

STATE, OTHER = "attrition-scorer-state", "second-state"
NAMES = [field["name"] for field in schema("employee_event.avsc")["fields"][-1]["type"]["fields"]]
PEOPLE, PARTITIONS, STATED_SECONDS = 400, 4, 60
number = 0


class People:
    """Sends changes, and knows what each employee's next prediction must say."""

    def __init__(self, lab, kafka):
        self.lab, self.kafka, self.known, self.wanted = lab, kafka, {}, {}
        self.producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})

    def send(self, who, changed=None, **attributes):
        global number
        number += 1
        event = {"event_id": f"e{number}", "event_type": "CHANGED" if changed else "SNAPSHOT", "employee_id": who,
                 "occurred_at": 1_700_000_000_000 + number * 1000, "changed": changed, "attributes": {**{n: None for n in NAMES}, **attributes}}
        self.producer.produce("employee-events", key=who, value=encode_event(event))
        self.known[who] = {**(self.known.get(who, {}) if changed else {}), **attributes}
        self.wanted[event["event_id"]] = dict(self.known[who])
        return event["event_id"]

    def change_all(self, distance):
        for i in range(PEOPLE):
            if f"person-{i:04}" in self.known:
                self.send(f"person-{i:04}", ["DistanceFromHome"], DistanceFromHome=distance)
        self.producer.flush(30)

    def erase(self, who):
        self.producer.produce("employee-events", key=who, value=None)
        self.producer.flush(30)
        self.known.pop(who)

    def predictions(self):
        found = {}
        for message in self.lab.consume(self.kafka, TOPICS[1]):
            if message.value() is not None:
                prediction = decode_prediction(message.value())
                found.setdefault(prediction["event_id"], []).append({n: v for n, v in prediction["attributes"].items() if v is not None})
        return found

    def check(self, what):
        """Each event has one prediction, of the whole record as it is by then."""
        found = self.predictions()
        wrong = [event for event in self.wanted if found.get(event) != [self.wanted[event]]]
        self.lab.equal(f"{what}: each event has one prediction, of the merged record", (len(found), wrong[:5]), (len(self.wanted), []))


def files(directory):
    return sorted(directory.glob("*.snapshot"))


def is_in(directory, who):
    return any(who.encode() in path.read_bytes() for path in directory.iterdir() if path.exists())


def restored(scorer):
    """(taken from snapshots, read from the topic), as the log says when all is there."""
    found = re.search(r"(\d+) taken from snapshots, (\d+) records read in", scorer.text())
    return tuple(map(int, found.groups())) if found else None


def start(lab, name, env):
    scorer = lab.scorer(name, **env)
    lab.ready(scorer, 90)
    lab.need(f"{name}: its records are there", lambda: restored(scorer), 60, scorer)
    return scorer


def settle(lab, people, scorer):
    lab.need(f"{scorer.name}: all is scored", lambda: len(people.predictions()) >= len(people.wanted), 90, scorer)


with Lab() as lab:
    lab.model()
    kafka = lab.kafka()
    directory = lab.dir / "snapshots"
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "ROLES": "score", "MODEL_URI": "models:/attrition@production", "NULL_VALUE": "erase",
           "KAFKA_AUTO_OFFSET_RESET": "earliest", "INSTANCE_ID": "one", "KAFKA_SESSION_TIMEOUT_MS": "60000", "STATE_SNAPSHOT_DIR": directory}
    env = {name: str(value) for name, value in env.items()}
    people = People(lab, kafka)

    directory.mkdir()
    directory.chmod(0o755)
    open_to_all = lab.scorer("open-to-all", **env)
    lab.need("a directory that is open to others is refused", lambda: not open_to_all.alive(), 30)
    lab.one_line("and it says what to do", open_to_all.text(), "state-snapshot-dir", "chmod 700")
    directory.rmdir()

    # A clean end writes what has changed; the next start reads nothing but the positions.
    for i in range(PEOPLE):
        people.send(f"person-{i:04}", Age=30 + i % 20, DistanceFromHome=5, OverTime="Yes")
    people.producer.flush(30)
    first = start(lab, "first", env)
    settle(lab, people, first)
    lab.equal("first: it ends as ever", first.end(), 0)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files(directory)}
    lab.equal("a file for each partition, for its owner alone", (len(files(directory)), modes, stat.S_IMODE(directory.stat().st_mode)),
              (PARTITIONS, {0o600}, 0o700))
    second = start(lab, "second", env)
    taken, read = restored(second)
    lab.check("all comes from the snapshots, and positions alone from the topic", taken == PEOPLE and 0 < read <= PARTITIONS, (taken, read))
    lab.equal("metrics say the same", (second.counter("state_snapshot_records_total"), second.counter("state_restore_records_total")), (taken, read))
    people.change_all(6)
    settle(lab, people, second)
    lab.need("what was started is written again", lambda: second.counter("state_snapshots_written_total") >= PARTITIONS, 30, second)

    # kill -9: the files are of before the changes, which the topic has.
    second.kill()
    third = start(lab, "third", env)
    taken, read = restored(third)
    lab.check("after kill -9: snapshots, and what is newer", taken == PEOPLE and 0 < read <= 2 * PEOPLE, (taken, read))
    people.change_all(7)
    settle(lab, people, third)
    people.check("after kill -9")

    # Somebody is erased: in no file within the stated time, nor known to a scorer that begins with the files.
    lab.check("an employee is in a file", is_in(directory, "person-0007"))
    people.erase("person-0007")
    began = time.monotonic()
    lab.wait(f"erased: in no file within {STATED_SECONDS} s", lambda: not is_in(directory, "person-0007"), STATED_SECONDS, third)
    lab.check("the others are still there", len(files(directory)) == PARTITIONS and is_in(directory, "person-0008"), f"{time.monotonic() - began:.0f} s")
    people.erase("person-0009")
    lab.need("another is erased", lambda: third.counter("events_erased_total") >= 2, 30, third)
    third.kill()
    fourth = start(lab, "fourth", env)
    people.producer.produce("employee-events", key="person-0009", value=encode_event(
        {"event_id": "late", "event_type": "CHANGED", "employee_id": "person-0009", "occurred_at": 1_800_000_000_000 - 1, "changed": ["Age"],
         "attributes": {**{n: None for n in NAMES}, "Age": 40}}))
    people.producer.flush(30)
    lab.need("erased: a partial event finds nobody", lambda: fourth.counter("events_dead_lettered_total") >= 1, 30, fourth)
    lab.wait("erased just before kill -9: in no file either", lambda: not is_in(directory, "person-0009"), STATED_SECONDS, fourth)
    lab.equal("fourth: it ends as ever", fourth.end(), 0)

    # What is doubtful is discarded, with one line, and read from the topic.
    flipped, short, swapped, good = files(directory)
    whole = flipped.read_bytes()
    flipped.write_bytes(whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 4]) + whole[len(whole) // 2 + 1:])
    os.truncate(short, short.stat().st_size - 9)
    shutil.copy(good, swapped)
    fifth = start(lab, "fifth", env)
    lines = [line for line in fifth.text().splitlines() if "is discarded" in line]
    lab.equal("each is named once", [sum(str(path) in line for line in lines) for path in (flipped, short, swapped, good)], [1, 1, 1, 0])
    lab.one_line("a flipped bit", fifth.text(), flipped.name, "checksum is wrong")
    lab.one_line("a truncated one", fifth.text(), short.name, "cut short")
    lab.one_line("another partition's", fifth.text(), swapped.name, "of another partition")
    lab.equal("metrics count them", fifth.counter("state_snapshots_discarded_total"), 3)
    lab.check("only the good one is taken", 0 < restored(fifth)[0] < PEOPLE - 2 and restored(fifth)[1] > PEOPLE / 2, restored(fifth))
    people.change_all(8)
    settle(lab, people, fifth)
    people.check("after damage")
    lab.equal("fifth: it ends as ever", fifth.end(), 0)

    # Another group has its own files; the first one's under their names are refused.
    other = {**env, "GROUP_ID": "second", "STATE_TOPIC": OTHER, "OUTPUT_TOPIC": "second-predictions", "INSTANCE_ID": "two"}
    lab.create_topics(kafka, ["second-predictions"])
    client = AdminClient({"bootstrap.servers": kafka})
    client.create_topics([NewTopic(OTHER, PARTITIONS, 1, config={"cleanup.policy": "compact"})])[OTHER].result(30)
    mine = files(directory)
    foreign = start(lab, "foreign", other)
    lab.need("another group scores the same", lambda: foreign.counter("events_scored_total") >= len(people.wanted), 90, foreign)
    lab.equal("foreign: it ends as ever", foreign.end(), 0)
    lab.equal("its files lie beside", len(files(directory)), 2 * PARTITIONS)
    for path in set(files(directory)) - set(mine):
        shutil.copy(next(one for one in mine if one.name.split("-")[1] == path.name.split("-")[1]), path)
    foreign = start(lab, "foreign-again", other)
    lab.one_line("the first group's are refused", foreign.text(), "is discarded", "of another (state topic|group)")
    lab.equal("all of them", (foreign.counter("state_snapshots_discarded_total"), restored(foreign)[0]), (PARTITIONS, 0))
    foreign.kill()

    # Older than half of delete.retention.ms: who was erased since may be gone from the topic without a trace.
    settings = ConfigResource(ConfigResource.Type.TOPIC, STATE, set_config={"cleanup.policy": "compact", "delete.retention.ms": "1000"})
    client.alter_configs([settings])[settings].result(30)
    old = start(lab, "old", {**env, "KAFKA_SESSION_TIMEOUT_MS": "6000"})  # `state seed` waits for its session to end, for 15 s
    lab.one_line("none are used where null values go at once", old.text(), "neither used nor written", "1000 ms", "delete.retention.ms")
    lab.equal("all is read from the topic", restored(old)[0], 0)
    lab.equal("old: it ends as ever", old.end(), 0)

    # The topic is deleted and made again: its records are others', whatever their offsets.
    client.delete_topics([STATE])[STATE].result(30)
    lab.need("the state topic is gone", lambda: STATE not in client.list_topics(timeout=30).topics, 30)
    lab.one_line("it is begun without records", "".join(lab.run(BIN / "scorer", "state", "seed", "--empty", env=env)[1:]), "0 records and 0 markers")
    kept = len(files(directory))
    again = start(lab, "recreated", env)
    lab.one_line("the topic was recreated, and it says so", again.text(), "is discarded", "recreated")
    lab.equal("nothing of before is used", (again.counter("state_snapshots_discarded_total"), again.counter("state_employees")), (PARTITIONS, 0))
    lab.equal("recreated: it ends as ever", again.end(), 0)

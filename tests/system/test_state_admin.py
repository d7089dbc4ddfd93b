#!/usr/bin/env python3
"""The state topic's beginnings and moves, on a real Kafka and PostgreSQL: made by the scorer, an upgrade from a group without records,
`scorer state seed`, a topic that was deleted, an input that grows and `scorer state repartition`."""
import io
import json
import struct
import time

import fastavro
from lab import BIN, TOPICS, Lab, decode_prediction, encode_event, frame_id, schema
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

STATE = "attrition-scorer-state"
RECORD = schema("employee_state.avsc")
NAMES = [field["name"] for field in schema("employee_event.avsc")["fields"][-1]["type"]["fields"]]
PEOPLE = 60
number = 0
producers = {}  # by partition count of the input, so that the first event after it has grown finds its new partition


def send(lab, kafka, who, kind="SNAPSHOT", changed=None, partitions=4, at=None, more=False, **attributes):
    """One event, which has arrived unless `more` follow at once; returns its id."""
    global number
    number += 1
    event = {"event_id": f"e{number}", "event_type": kind, "employee_id": who, "occurred_at": at or 1_700_000_000_000 + number * 1000,
             "changed": changed, "attributes": {**{name: None for name in NAMES}, **attributes}}
    if partitions not in producers:
        producers[partitions] = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    producer = producers[partitions]
    producer.produce("employee-events", key=who, value=encode_event(event))
    if not more:
        producer.flush(20)
    return event["event_id"]


def is_event(value, event_id):
    """Whether the frame is of this event: its id is the first field."""
    return value is not None and event_id is not None and value[5:].startswith(bytes([2 * len(event_id)]) + event_id.encode())


def read_state(lab, kafka, topic=STATE):
    records, positions = {}, {}
    for message in lab.consume(kafka, topic):
        place = (message.partition(), message.key().decode())
        if message.key() == b"\x01position":
            positions[message.partition()] = json.loads(message.value())
        elif message.value() is None:
            records.pop(place, None)
        else:
            records[place] = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), RECORD, None)
    return records, positions


def drain(lab, name, **env):
    """A scorer to the end of its input: what it logged."""
    scorer = lab.scorer(name, "--exit-at-end", **env)
    lab.need(f"{name}: it comes to the end", lambda: not scorer.alive(), 90)
    lab.equal(f"{name}: exit status", scorer.popen.returncode, 0)
    return scorer.text()


def refused(lab, name, *patterns, **env):
    scorer = lab.scorer(name, "--exit-at-end", **env)
    lab.wait(f"{name}: it ends", lambda: not scorer.alive(), 60)
    lab.one_line(f"{name}: and says why", scorer.text(), *patterns)
    lab.equal(f"{name}: exit status", scorer.popen.returncode, 1)


def state(lab, *words, wanted=0, **env):
    status, out, err = lab.run(BIN / "scorer", "state", *words, env=env)
    lab.equal(f"state {' '.join(words)}: exit status", status, wanted)
    return out + err


def predictions(lab, kafka):
    return {p["event_id"]: p for p in (decode_prediction(m.value()) for m in lab.consume(kafka, TOPICS[1]) if m.value())}


def codes(lab, kafka):
    return [dict(message.headers())["attrition.error.code"].decode() for message in lab.consume(kafka, TOPICS[2])]


def delete_topic(lab, kafka):
    client = AdminClient({"bootstrap.servers": kafka})
    client.delete_topics([STATE])[STATE].result(30)
    lab.need("the state topic is gone", lambda: STATE not in client.list_topics(timeout=30).topics, 30)


with Lab() as lab:
    lab.model()
    kafka, database = lab.kafka(), lab.postgres()
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "DATABASE_URL": database, "ROLES": "score,sink", "MODEL_URI": "models:/attrition@production",
           "KAFKA_AUTO_OFFSET_RESET": "earliest", "INSTANCE_ID": "one", "KAFKA_SESSION_TIMEOUT_MS": "6000"}
    client = AdminClient({"bootstrap.servers": kafka})

    # A group that scores without records, as a version before them did.
    for i in range(PEOPLE):
        send(lab, kafka, f"p{i}", more=True, Age=30 + i % 20, DistanceFromHome=5, OverTime="Yes")
    send(lab, kafka, "p1", "TERMINATED", Age=31)
    drain(lab, "without", STATE_TOPIC="none", **env)
    lab.check("no state topic was made", STATE not in client.list_topics(timeout=30).topics)

    # An upgrade: the scorer makes the topic, begins without records, and says so; then seeded.
    lost = send(lab, kafka, "p2", "CHANGED", ["DistanceFromHome"], DistanceFromHome=7)
    text = drain(lab, "upgraded", **env)
    lab.one_line("the scorer makes the topic", text, STATE, "was missing and is made")
    lab.one_line("and says that it begins without records", text, "no current records yet", "scorer state seed")
    lab.equal("a partial event met no record", codes(lab, kafka), ["partial"])
    records, positions = read_state(lab, kafka)
    lab.equal("no records, and the position of what was handled", (records, len(positions) > 0), ({}, True))
    text = state(lab, "seed", **env)
    lab.one_line("seeded", text, f"{PEOPLE - 1} records and 1 markers", "0 employees had")
    records, positions = read_state(lab, kafka)
    lab.equal("each has a record", (len(records), sum(p["records"] for p in positions.values())), (PEOPLE, PEOPLE))
    by_name = {who: record for (_, who), record in records.items()}
    rows = dict(lab.sql(database, "SELECT employee_id, margin::text FROM attrition.latest_predictions WHERE employee_id <> 'p1'"))
    lab.equal("with the stored prediction", {who: r["prediction"]["margin"] for who, r in by_name.items() if r["prediction"]},
              {who: float(margin) for who, margin in rows.items()})
    lab.equal("who has left has a marker", by_name["p1"]["attributes"], None)
    lab.equal("attributes are those scored", {n: v for n, v in by_name["p7"]["attributes"].items() if v is not None},
              {"Age": 37, "DistanceFromHome": 5, "OverTime": "Yes"})
    lab.one_line("seeding again finds all there", state(lab, "seed", **env), "0 records and 0 markers", f"{PEOPLE} employees had")
    again = send(lab, kafka, "p2", "CHANGED", ["DistanceFromHome"], DistanceFromHome=9)
    older = send(lab, kafka, "p1", "SNAPSHOT", at=1_600_000_000_000, Age=31)
    drain(lab, "seeded", **env)
    found = predictions(lab, kafka)[again]["attributes"]
    lab.equal("a partial event meets the seeded record", (found["Age"], found["DistanceFromHome"], found["OverTime"]), (32, 9, "Yes"))
    lab.equal("an older event does not revive who has left", read_state(lab, kafka)[0][positions_of := next(
        place for place in records if place[1] == "p1")]["attributes"], None)

    # Running scorers, a deleted topic, beginning without records.
    scorer = lab.scorer("running", **env)
    lab.ready(scorer)
    lab.one_line("not beside a running scorer", state(lab, "seed", wanted=1, **env), "has 1 members", "stop its scorers")
    scorer.end()
    delete_topic(lab, kafka)
    send(lab, kafka, "p3", "CHANGED", ["DistanceFromHome"], DistanceFromHome=8)
    refused(lab, "deleted", "is empty", "scorer state seed --empty", **env)
    lab.one_line("begin without records", state(lab, "seed", "--empty", **env), "0 records and 0 markers")
    drain(lab, "emptied", **env)
    lab.equal("a partial event met no record again", codes(lab, kafka), ["partial", "partial"])
    state(lab, "seed", **env)

    # The input grows: old partitions go on, the new ones wait, until the records are moved.
    client.create_partitions([NewPartitions("employee-events", 8)])["employee-events"].result(30)
    lab.need("the input has 8 partitions", lambda: len(client.list_topics("employee-events", 10).topics["employee-events"].partitions) == 8)
    client.create_partitions([NewPartitions("employee-events-dlq", 8)])["employee-events-dlq"].result(30)
    changes = {f"p{i}": send(lab, kafka, f"p{i}", "CHANGED", ["DistanceFromHome"], partitions=8, more=i < 29, DistanceFromHome=11) for i in range(10, 30)}
    homes = {m.key().decode(): m.partition() for m in lab.consume(kafka, "employee-events")
             if is_event(m.value(), changes.get(m.key().decode()))}  # an earlier event of the same employee may lie elsewhere
    lab.equal("each change is found in the input", len(homes), len(changes))
    stay = [who for who, p in homes.items() if p < 4]
    waiting = lab.scorer("waiting", **env)
    lab.need("the old partitions go on", lambda: {changes[who] for who in stay} <= set(predictions(lab, kafka)), 90, waiting)
    scored = predictions(lab, kafka)
    lab.equal("the new ones wait", [who for who in changes if who not in stay and changes[who] in scored], [])
    lab.one_line("and it says so", waiting.text(), "partitions of employee-events wait", "scorer state repartition")
    lab.check("the process goes on", waiting.alive())
    health = json.loads(waiting.get("/health")[1])
    lab.equal("/health is degraded", health["status"], "degraded")
    waiting.end()
    lab.one_line("check says it too", "".join(lab.run(BIN / "scorer", "check", env=env)[1:]), STATE, "scorer state repartition")
    before, _ = read_state(lab, kafka)
    lab.one_line("moved", state(lab, "repartition", **env), "records were moved, from 4 partitions to 8")
    after, positions = read_state(lab, kafka)
    strip = lambda records: {who: (r["attributes"], r["prediction"], r["occurred_at"]) for (_, who), r in records.items()}
    lab.equal("the same records", strip(after), strip(before))
    lab.check("some elsewhere", any(p >= 4 for p, _ in after), sum(p >= 4 for p, _ in after))
    lab.equal("positions count them", {p: sum(q == p for q, _ in after) for p in range(8)}, {p: positions[p]["records"] for p in range(8)})
    lab.one_line("nothing to move twice", state(lab, "repartition", **env), "nothing to move")
    drain(lab, "moved", **env)
    found = predictions(lab, kafka)
    lab.equal("every change has met its record", [who for who, event in changes.items()
              if event not in found or found[event]["attributes"]["OverTime"] != "Yes"], [])
    lab.equal("usage", lab.run(BIN / "scorer", "state", "shuffle", env=env)[0], 2)

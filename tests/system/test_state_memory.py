#!/usr/bin/env python3
"""Current records and --memory-limit on a real Kafka: while the scorer runs, new employees who have no room wait with their partitions,
named and not ready; when records are read back that have no room, all of them wait; with more memory they go on, and nothing is lost."""
import re

from lab import TOPICS, Lab, decode_prediction, encode_event, schema
from confluent_kafka import Producer

NAMES = [field["name"] for field in schema("employee_event.avsc")["fields"][-1]["type"]["fields"]]
PEOPLE, EVERYBODY = 8000, 16000  # so many more than there is room for also where they are read back, which packs them closer


def event(number):
    attributes = {**{name: None for name in NAMES}, "Age": 30 + number % 20, "OverTime": "Yes"}
    return encode_event({"event_id": f"e{number}", "event_type": "SNAPSHOT", "employee_id": f"person-{number % EVERYBODY:06}",
                         "occurred_at": 1_700_000_000_000 + number, "changed": None, "attributes": attributes})


def predicted(lab, kafka):
    return [decode_prediction(message.value())["event_id"] for message in lab.consume(kafka, TOPICS[1])]


with Lab() as lab:
    lab.model()
    kafka = lab.kafka()
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})

    def send(numbers):
        for i in numbers:
            producer.produce("employee-events", key=f"person-{i % EVERYBODY:06}", value=event(i))
        producer.flush(60)
    send(range(PEOPLE))
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "ROLES": "score", "MODEL_URI": "models:/attrition@production", "KAFKA_AUTO_OFFSET_RESET": "earliest",
           "INSTANCE_ID": "one", "KAFKA_SESSION_TIMEOUT_MS": "60000"}
    refused = lab.scorer("refused", MEMORY_LIMIT="1MiB", **env)
    lab.need("a limit that holds nothing is refused", lambda: not refused.alive(), 60)
    least = int(re.search(r"at least (\d+) MiB", refused.text()).group(1))

    full = lab.scorer("full", MEMORY_LIMIT=f"{least + 2}MiB", **env)
    lab.need("it says that partitions wait", lambda: "partitions with events of new employees wait" in full.text(), 90, full)
    lab.one_line("with the sum", full.text(), r"\d+ current records of employees take [\d.]+ MiB, \d+ bytes each", r"leaves 1\.0 MiB")
    status, answer = full.get("/health/ready")[:2]
    lab.check("it is not ready", status == 503 and "memory-limit" in answer, answer)
    kept = full.counter("state_memory_bytes")
    lab.check("records stay under the limit", 0 < kept <= 1 << 20, kept)
    lab.wait("what came before is scored", lambda: 0 < full.counter("events_scored_total") < PEOPLE, 60, full)
    lab.equal("it ends as ever", full.end(), 0)
    some = predicted(lab, kafka)

    send(range(PEOPLE, EVERYBODY))
    roomy = lab.scorer("roomy", "--exit-at-end", MEMORY_LIMIT=f"{least + 64}MiB", **env)
    lab.need("with more memory it comes to the end", lambda: not roomy.alive(), 90)
    every = predicted(lab, kafka)
    lab.equal("every event has one prediction", (len(every), set(every) == {f"e{i}" for i in range(EVERYBODY)}), (EVERYBODY, True))
    lab.check("those that waited among them", len(some) < len(every), len(some))

    send(range(EVERYBODY, EVERYBODY + 10))
    tight = lab.scorer("tight", MEMORY_LIMIT=f"{least + 2}MiB", **env)
    lab.need("read back into too little memory: it says so", lambda: "the partitions wait" in tight.text(), 90, tight)
    lab.one_line("read back: with the sum, and what to do", tight.text(), r"attrition-scorer-state: \d+ current records of employees take \d+ MiB so far, and --memory-limit leaves 1 MiB for them",
                 "raise it, or start more scorers")
    status, answer = tight.get("/health/ready")[:2]
    lab.equal("read back: it is not ready", status, 503)
    lab.check("read back: partitions are still being restored", tight.counter("state_restore_partitions") > 0, tight.counter("state_restore_partitions"))
    lab.equal("read back: nothing of the input is handled", tight.counter("events_received_total"), 0)
    lab.equal("read back: it says so once", tight.text().count("the partitions wait"), 1)
    lab.equal("read back: it ends as ever", tight.end(), 0)
    last = lab.scorer("last", "--exit-at-end", MEMORY_LIMIT=f"{least + 64}MiB", **env)
    lab.need("read back into enough, it comes to the end", lambda: not last.alive(), 90)
    every = predicted(lab, kafka)
    lab.equal("every event has one prediction still", (len(every), set(every) == {f"e{i}" for i in range(EVERYBODY + 10)}), (EVERYBODY + 10, True))

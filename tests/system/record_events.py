"""Events of numbered people in an input of one partition, and scorers that keep their current records: what the tests of the state topic and of
the group's offsets share."""
from lab import TOPICS, encode_event
from current_records import NOTHING

STATE = "attrition-scorer-state"
sent = []  # every event's id


def settings(kafka):
    return {"KAFKA_BOOTSTRAP_SERVERS": kafka, "ROLES": "score", "MODEL_URI": "models:/attrition@production", "KAFKA_AUTO_OFFSET_RESET": "earliest",
            "INSTANCE_ID": "one", "KAFKA_SESSION_TIMEOUT_MS": "6000"}


def send(kafka, kind, people, changed=None, **attributes):
    """An event of each; their ids."""
    from confluent_kafka import Producer
    producer, ids = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"}), []
    for n in people:
        ids.append(f"e{len(sent)}")
        sent.append(ids[-1])
        event = {"event_id": ids[-1], "event_type": kind, "employee_id": f"p{n}", "occurred_at": 1_700_000_000_000 + len(sent) * 1000, "changed": changed,
                 "attributes": {**NOTHING, **attributes}}
        producer.produce(TOPICS[0], key=f"p{n}", value=encode_event(event))
    if producer.flush(30):
        raise RuntimeError("Kafka has not acknowledged the events")
    return ids


def ended(lab, name, status, **env):
    scorer = lab.scorer(name, "--exit-at-end", **env)
    lab.need(f"{name}: it ends", lambda: not scorer.alive(), 90)
    lab.equal(f"{name}: exit status", scorer.popen.returncode, status)
    return scorer


def drain(lab, name, **env):
    ended(lab, name, 0, **env)


def refused(lab, name, *patterns, **env):
    """Its log."""
    scorer = ended(lab, name, 1, **env)
    lab.one_line(f"{name}: it says why, and what to do", scorer.text(), "error", *patterns)
    return scorer.text()

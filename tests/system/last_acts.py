"""What no scorer can fix, done to a run after its comparison and audit: records deleted before they were read or stored, topics
recreated. Right is that the scorer ends with status 1 and one message that says what to do, or that nothing is amiss."""
import random

from confluent_kafka import Producer


def send(run, count):
    events, producer = run.traffic.more_events(), Producer({"bootstrap.servers": run.servers.kafka, "log_level": 0})
    for _ in range(count):
        key, value, headers = events.next()
        producer.produce(run.names[0], value, key, headers=headers)
    producer.flush(30)


def delete_all(run, topic):
    from confluent_kafka import OFFSET_END
    partitions = run.servers.brokers.partitions(topic)
    run.servers.brokers.delete_records(topic, {partition: OFFSET_END for partition in partitions})


def recreate(run, topic):
    partitions = len(run.servers.brokers.partitions(topic))
    run.servers.brokers.delete_topics([topic])
    run.until(lambda: topic not in run.servers.brokers.topics(), 30)
    run.servers.brokers.create_topics([topic], partitions)


def ends_saying(run, *words, seconds=60):
    """One scorer, not started again: nothing, or what is wrong."""
    scorer = run.start("a")
    run.until(lambda: not scorer.alive(), seconds)
    status, text = scorer.popen.poll(), scorer.text()
    if status is None:
        scorer.kill()
        return f"it went on for {seconds} s"
    missing = [word for word in words if word not in text]
    return f"status {status}, nothing of {missing} in its log" if status != 1 or missing else None


def delete_unread(run):
    send(run, 300)
    delete_all(run, run.names[0])
    return ends_saying(run, "messages are lost", "--reset-offsets")


def delete_unstored(run):
    score_alone(run)
    delete_all(run, run.names[1])
    return ends_saying(run, "Kafka deleted offsets", "UPDATE attrition.sink_offsets")


def score_alone(run):
    run.env["ROLES"] = "score,http"
    scorer = run.start("a")
    send(run, 300)
    run.until(lambda: (run.offsets() or (0, 1))[1] == 0, 60)
    scorer.end()
    del run.env["ROLES"]


def recreate_output(run):
    recreate(run, run.names[1])
    return ends_saying(run, "the topic was recreated", "DELETE FROM attrition.sink_offsets")


def recreate_input(run):
    """Kafka forgets a deleted topic's offsets, so the group starts over: everything that is in the topic is scored, once. Current records
    are of the topic that was."""
    before = run.results()
    recreate(run, run.names[0])
    send(run, 300)
    if run.kept:
        return ends_saying(run, "the current records in", "--reset-offsets")
    scorer = run.start("a")
    run.until(lambda: (run.offsets() or (0, 1))[1] == 0 or not scorer.alive(), 60)
    scorer.end()
    found = run.results() - before
    return None if found == 300 else f"300 events of the new topic have {found} ends; status {scorer.popen.returncode}"


ACTS = {"delete unread input": delete_unread, "delete unstored predictions": delete_unstored, "recreate predictions": recreate_output,
        "recreate input": recreate_input}


def last_act(run, name=None):
    """(its name, what went wrong or nothing)"""
    name = name or random.Random(f"{run.seed}/last").choice(list(ACTS))
    return name, ACTS[name](run)

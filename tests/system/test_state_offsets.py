#!/usr/bin/env python3
"""Current records and the group's offsets at odds, on a real Kafka: records turned off and on, offsets that are moved or have expired, a scorer
without records in the same group. The scorer ends and says what to do; done as printed, every event has its end, and none a second one that the
way does not name."""
import re
import time

from lab import TOPICS, Lab, decode_prediction
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition  # after lab, which goes on in the tests' own environment
from confluent_kafka.admin import AdminClient
from record_events import STATE, drain, refused, send, sent, settings

GROUP, PEOPLE = "attrition-scorer", 20


def ends(lab, kafka):
    """Event id → its predictions' (Age, DistanceFromHome), and how many dead letters there are of each code."""
    found, letters = {}, {}
    for message in lab.consume(kafka, TOPICS[1]):
        one = decode_prediction(message.value())
        found.setdefault(one["event_id"], []).append((one["attributes"]["Age"], one["attributes"]["DistanceFromHome"]))
    for message in lab.consume(kafka, TOPICS[2]):
        code = dict(message.headers())["attrition.error.code"].decode()
        letters[code] = letters.get(code, 0) + 1
    return found, letters


def move_offset(lab, client, partition, offset):
    """Static members leave the group late."""
    place = [ConsumerGroupTopicPartitions(GROUP, [TopicPartition(TOPICS[0], partition, offset)])]
    moved = lambda: not [found.error for answer in client.alter_consumer_group_offsets(place).values() for found in answer.result(30).topic_partitions if found.error]
    lab.need(f"the offset of partition {partition} is set to {offset}", moved, 60)


def do_as_printed(lab, client, text):
    """The command of the message, by another client: Kafka's own scripts are not installed here."""
    command = re.search(rf"kafka-consumer-groups --reset-offsets --to-offset (\d+) --group {GROUP} --topic {TOPICS[0]}:(\d+) --execute", text)
    if lab.check("the message has a command", command, text[-500:] if not command else command[0]):
        move_offset(lab, client, int(command[2]), int(command[1]))


def forget_offsets(lab, client):
    """As retention does it with a group that nobody has been a member of for long."""
    def deleted():
        try:
            return client.delete_consumer_groups([GROUP])[GROUP].result(30) is None
        except Exception as failure:
            return "GROUP_ID_NOT_FOUND" in str(failure)
    lab.need("the group's offsets have expired", deleted, 60)


def off_and_on(lab, kafka, client, env):
    whole = send(kafka, "SNAPSHOT", range(PEOPLE), Age=30, DistanceFromHome=1)
    drain(lab, "on", **env)
    meanwhile = send(kafka, "SNAPSHOT", range(5), Age=40, DistanceFromHome=2)
    partial = send(kafka, "CHANGED", range(5, 10), ["DistanceFromHome"], DistanceFromHome=3)
    drain(lab, "off", STATE_TOPIC="none", **env)
    found, letters = ends(lab, kafka)
    lab.equal("off: whole events are scored, partial ones dead letters", ({len(found[e]) for e in whole + meanwhile}, [e for e in partial if e in found], letters), ({1}, [], {"partial": 5}))
    text = refused(lab, "on again", f"the current records in {STATE}", f"those at offset {PEOPLE} of", f"committed {PEOPLE + 10} ", "STATE_TOPIC=none", "To handle the events since then again", **env)
    do_as_printed(lab, client, text)
    after = send(kafka, "CHANGED", range(10), ["Age"], Age=50)
    drain(lab, "on as printed", **env)
    found, letters = ends(lab, kafka)
    lab.equal("on again: what came while it was off is handled again, and nothing else", {e: len(found[e]) for e in sent if len(found.get(e, [])) != 1}, {e: 2 for e in meanwhile})
    lab.equal("… its partial events too: merged; there is no other dead letter", ([found[e] for e in partial], letters), ([[(30, 3)]] * 5, {"partial": 5}))
    lab.equal("… and what comes later meets all of them", [found[e] for e in after], [[(50, 2)]] * 5 + [[(50, 3)]] * 5)
    return {e: 2 for e in meanwhile}


def nothing_twice(lab, kafka, what, event_ids, twice):
    found, letters = ends(lab, kafka)
    lab.equal(f"{what}: no event is lost or handled twice", {e: len(found.get(e, [])) for e in sent if len(found.get(e, [])) != 1}, twice)
    lab.equal(f"{what}: new ones meet their records", {found[e][0] for e in event_ids}, {(30, 9)})


def moved(lab, kafka, client, env, twice):
    """Offsets that have expired, that were set forwards, and backwards: the way back leads to where the records are."""
    forget_offsets(lab, client)
    position = len(sent)
    text = refused(lab, "expired", f"the current records in {STATE}", f"those at offset {position} of", "committed 0 ", "have expired", "To go on where the records are", **env)
    do_as_printed(lab, client, text)
    new = send(kafka, "CHANGED", range(PEOPLE - 5, PEOPLE), ["DistanceFromHome"], DistanceFromHome=9)
    drain(lab, "expired, as printed", **env)
    nothing_twice(lab, kafka, "expired", new, twice)

    forget_offsets(lab, client)
    new = send(kafka, "CHANGED", range(PEOPLE - 5, PEOPLE), ["DistanceFromHome"], DistanceFromHome=9)
    text = refused(lab, "expired, latest", f"the current records in {STATE}", f"committed {len(sent)} ", "To handle the events since then again", **{**env, "KAFKA_AUTO_OFFSET_RESET": "latest"})
    do_as_printed(lab, client, text)
    drain(lab, "expired, latest, as printed", **env)
    nothing_twice(lab, kafka, "expired, latest", new, twice)

    new = send(kafka, "CHANGED", range(PEOPLE - 5, PEOPLE), ["DistanceFromHome"], DistanceFromHome=9)
    move_offset(lab, client, 0, len(sent) - 2)
    text = refused(lab, "forwards", f"the current records in {STATE}", f"those at offset {len(sent) - 5} of", f"committed {len(sent) - 2} ", "were reset", "To handle the events since then again", **env)
    do_as_printed(lab, client, text)
    drain(lab, "forwards, as printed", **env)
    nothing_twice(lab, kafka, "forwards", new, twice)

    move_offset(lab, client, 0, 3)
    text = refused(lab, "backwards", f"the current records in {STATE}", f"those at offset {len(sent)} of", "committed 3 ", "To go on where the records are", **env)
    do_as_printed(lab, client, text)
    new = send(kafka, "CHANGED", range(PEOPLE - 5, PEOPLE), ["DistanceFromHome"], DistanceFromHome=9)
    drain(lab, "backwards, as printed", **env)
    nothing_twice(lab, kafka, "backwards", new, twice)


def beside(lab, kafka, client, env, twice):
    """A scorer without records takes the partition over, handles events, and gives it back."""
    records = lab.scorer("with records", **env)
    lab.ready(records)
    other = lab.scorer("without records", **{**env, "INSTANCE_ID": "two", "STATE_TOPIC": "none"})
    lab.ready(other)
    records.end()
    before = send(kafka, "SNAPSHOT", range(PEOPLE - 5, PEOPLE), Age=30, DistanceFromHome=9)
    lab.need("without records: it goes on with the partition", lambda: set(before) <= set(ends(lab, kafka)[0]), 60, other)
    back = lab.scorer("with records again", **env)
    other.end()
    lab.need("with records again: it ends once it has the partition", lambda: not back.alive(), 90)
    lab.equal("with records again: exit status", back.popen.returncode, 1)
    lab.one_line("with records again: the message", back.text(), f"those at offset {len(sent) - 5} of", f"committed {len(sent)} ", "STATE_TOPIC=none")
    do_as_printed(lab, client, back.text())
    drain(lab, "with records, as printed", **env)
    new = send(kafka, "CHANGED", range(PEOPLE - 5, PEOPLE), ["Age"], Age=30)
    drain(lab, "with records, later", **env)
    nothing_twice(lab, kafka, "beside", new, {**twice, **{e: 2 for e in before}})


with Lab() as lab:
    lab.model()
    kafka = lab.kafka(partitions=1)
    client = AdminClient({"bootstrap.servers": kafka})
    env = settings(kafka)
    twice = off_and_on(lab, kafka, client, env)
    moved(lab, kafka, client, env, twice)
    beside(lab, kafka, client, env, twice)

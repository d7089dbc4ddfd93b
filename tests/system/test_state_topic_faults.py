#!/usr/bin/env python3
"""What can be wrong with the state topic, on a real Kafka: deleted under the running scorer, or deleted and made again there; of other partitions
than the input; held back by somebody's open transaction. The scorer waits or ends, says what to do, and loses nothing."""
import json

from lab import BIN, TOPICS, Lab, decode_prediction
from confluent_kafka import Producer  # after lab, which goes on in the tests' own environment
from confluent_kafka.admin import AdminClient, NewTopic
from record_events import STATE, drain, refused, send, sent, settings

PEOPLE = 40


def handled(lab, kafka):
    """The event ids of predictions, and the codes of dead letters."""
    ids = [decode_prediction(message.value())["event_id"] for message in lab.consume(kafka, TOPICS[1])]
    return sorted(ids), [dict(message.headers())["attrition.error.code"].decode() for message in lab.consume(kafka, TOPICS[2])]


def check_all(lab, what, kafka, letters=0):
    """Each event has one end."""
    ids, codes = handled(lab, kafka)
    lab.equal(f"{what}: each event has one end", (len(ids), len(set(ids)), len(codes)), (len(sent) - letters, len(sent) - letters, letters))


def make(client, partitions):
    client.create_topics([NewTopic(STATE, partitions, 1, config={"cleanup.policy": "compact"})])[STATE].result(30)


def delete(lab, client):
    client.delete_topics([STATE])[STATE].result(30)
    lab.need("the state topic is gone", lambda: STATE not in client.list_topics(timeout=30).topics, 30)


def check_transaction(lab, kafka, env):
    """Somebody's transaction is open in the topic: its end cannot be read."""
    drain(lab, "before the transaction", **env)
    other = Producer({"bootstrap.servers": kafka, "transactional.id": "somebody", "transaction.timeout.ms": 600000})
    other.init_transactions(30)
    other.begin_transaction()
    other.produce(STATE, "?", "p0", partition=0)
    other.flush(30)
    send(kafka, "CHANGED", range(3), ["Age"], Age=50)
    scorer = lab.scorer("waits", **env)
    lab.need("open transaction: it says that it waits, and for what", lambda: "a transaction is open there" in scorer.text(), 60, scorer)
    lab.one_line("open transaction: the line", scorer.text(), STATE, r"\[0\] can be read up to offset \d+ of \d+")
    lab.one_line("open transaction: so did its start, with the topic and the tool that finds who it is", scorer.text(), "a transaction is still open in its topics", STATE, "find-hanging")
    lab.equal("open transaction: it is not ready", scorer.get("/health/ready")[0], 503)
    lab.equal("open transaction: a partition is being restored", json.loads(scorer.get("/stream")[1])["state"]["partitions_restoring"], 1)
    lab.equal("open transaction: nothing is handled meanwhile", len(handled(lab, kafka)[0]), len(sent) - 3)
    other.abort_transaction(30)
    lab.wait("open transaction: it goes on by itself once that has ended", lambda: len(handled(lab, kafka)[0]) == len(sent), 60, scorer)
    lab.ready(scorer)
    lab.equal("open transaction: it ends in time", scorer.end(), 0)
    check_all(lab, "open transaction", kafka)


def check_deleted(lab, kafka, client, env):
    """Under the running scorer: what it cannot write, it does not commit."""
    scorer = lab.scorer("deleted under it", **env)
    lab.ready(scorer)
    delete(lab, client)
    send(kafka, "CHANGED", range(3), ["Age"], Age=51)
    lab.need("deleted under it: it ends", lambda: not scorer.alive(), 120)
    lab.equal("deleted under it: exit status", scorer.popen.returncode, 1)
    lab.one_line("deleted under it: it says what to do", scorer.text(), "error", STATE, "create-topics|does not exist")
    lab.equal("deleted under it: nothing was committed", len(handled(lab, kafka)[0]), len(sent) - 3)
    refused(lab, "deleted", f"{STATE} .* is empty", "was deleted", "scorer state seed --empty", **env)
    lab.must(BIN / "scorer", "state", "seed", "--empty", env=env)
    drain(lab, "begun without records", **env)
    check_all(lab, "deleted under it", kafka, 3)
    send(kafka, "SNAPSHOT", range(PEOPLE), Age=30)
    drain(lab, "records again", **env)
    check_all(lab, "records again", kafka, 3)


def check_recreated(lab, kafka, client, env):
    """Deleted and made again between two events: the records that are missing are missed at the next start."""
    scorer = lab.scorer("made again under it", **env)
    lab.ready(scorer)
    delete(lab, client)
    make(client, 1)
    send(kafka, "CHANGED", range(5), ["Age"], Age=52)
    lab.need("made again: the events have their ends", lambda: len(handled(lab, kafka)[0]) == len(sent) - 3, 120, scorer)
    scorer.end()
    refused(lab, "made again", f"{STATE} .*has 5 current records, and there were {PEOPLE}", "deleted", "scorer state seed", **env)
    delete(lab, client)
    lab.must(BIN / "scorer", "state", "seed", "--empty", env=env)
    send(kafka, "SNAPSHOT", range(PEOPLE), Age=30)
    drain(lab, "made again, as printed", **env)
    check_all(lab, "made again", kafka, 3)


def check_partitions(lab, kafka, client, env):
    """More than the input has, made by hand."""
    delete(lab, client)
    make(client, 3)
    refused(lab, "other partitions", f"{STATE} has 3 partitions and {TOPICS[0]} has 1", "delete", **env)
    status, out, err = lab.run(BIN / "scorer", "check", env=env)
    lab.check("other partitions: check fails", status != 0, status)
    lab.one_line("other partitions: check says so", out + err, "wrong", f"{STATE} has 3 partitions and the input has 1")


with Lab() as lab:
    lab.model()
    kafka = lab.kafka(partitions=1)
    client = AdminClient({"bootstrap.servers": kafka})
    env = settings(kafka)
    send(kafka, "SNAPSHOT", range(PEOPLE), Age=30)
    check_transaction(lab, kafka, env)
    check_deleted(lab, kafka, client, env)
    check_recreated(lab, kafka, client, env)
    check_partitions(lab, kafka, client, env)

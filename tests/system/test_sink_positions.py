#!/usr/bin/env python3
"""The sink's stored positions against what can become of a topic, on a real Kafka: commit markers at its end, emptied, cut
before it was read, recreated and refilled, read by another group, and another cluster behind the same address."""
import re

from lab import BIN, ROOT, TOPICS, Lab, delete_records, watermarks
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

OUTPUT = "attrition-predictions"
SINK_TOPICS = TOPICS[1:]


def ends(kafka, topic):
    """(low, high) of each partition."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "ends", "isolation.level": "read_uncommitted"})
    found = {p: watermarks(consumer, topic, p) for p in consumer.list_topics(topic, 10).topics[topic].partitions}
    consumer.close()
    return found


def positions(lab, database):
    rows = lab.sql(database, "select topic, partition, next_offset from attrition.sink_offsets")
    return {(topic, int(partition)): int(offset) for topic, partition, offset in rows}


def empty(kafka, topics):
    """As retention does in the end: every record goes, and the markers with them."""
    delete_records(kafka, [TopicPartition(topic, partition, high) for topic in topics for partition, (_, high) in ends(kafka, topic).items()])


def recreate(lab, kafka, topic):
    admin = AdminClient({"bootstrap.servers": kafka})
    for answer in admin.delete_topics([topic]).values():
        answer.result(30)
    lab.need(f"{topic} is gone", lambda: topic not in admin.list_topics(timeout=30).topics, 30)
    lab.create_topics(kafka, [topic])


def stored(lab, database):
    """Rows, and distinct places in Kafka that they are from."""
    return lab.number(database, "select count(*) from attrition.predictions"), lab.number(
        database, "select count(distinct (cluster_id, output_topic, output_partition, output_offset)) from attrition.predictions")


def run_to_end(lab, name, *arguments, **settings):
    scorer = lab.scorer(name, *arguments, "--exit-at-end", **settings)
    lab.wait(f"{name} comes to the end", lambda: not scorer.alive(), 90)
    return scorer


def fix(lab, database, text):
    """What the message says to do."""
    statement = re.search(r"((?:DELETE FROM|UPDATE) attrition\.sink_offsets .*)", text)[1]
    lab.sql(database, statement)


with Lab(STATE_TOPIC="none") as lab: # topics and partitions are counted here, without those of alerts
    lab.model()
    kafka, database = lab.kafka(), lab.postgres()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, SINK_INTERVAL="20ms", COMMIT_INTERVAL="20ms", INSTANCE_ID="positions",
                    KAFKA_SESSION_TIMEOUT_MS=60000)

    def send(count, seed):
        lab.must(BIN / "producer", "backfill", lab.employees(count, seed), env={"KAFKA_BOOTSTRAP_SERVERS": kafka})

    # Markers at the end, and a kill: the position lies past them.
    send(300, 2)
    scorer = lab.scorer("first", **settings)
    lab.ready(scorer)
    lab.wait("all are stored", lambda: stored(lab, database)[0] == 300, 60, scorer)
    wanted = lambda: {(topic, p): high for topic in SINK_TOPICS for p, (_, high) in ends(kafka, topic).items()}
    lab.wait("every position is the end of its partition", lambda: positions(lab, database) == wanted(), 20, scorer)
    scorer.kill()
    lab.check("the last offsets are markers", all(
        message.offset() + 1 < ends(kafka, OUTPUT)[message.partition()][1] for message in lab.consume(kafka, OUTPUT)))
    empty(kafka, SINK_TOPICS)
    lab.check("the topic is empty", all(low == high > 0 for low, high in ends(kafka, OUTPUT).values()), ends(kafka, OUTPUT))
    scorer = run_to_end(lab, "after-emptying", "--roles=sink", **settings)
    lab.equal("an emptied topic is no loss", scorer.popen.poll(), 0)
    send(100, 3)
    run_to_end(lab, "goes-on", **settings)
    lab.equal("what comes after is stored", stored(lab, database), (400, 400))

    # Another group, and the first again.
    for name, group in (("other-group", "another"), ("first-again", "attrition-scorer")):
        scorer = run_to_end(lab, name, "--roles=sink", **{**settings, "GROUP_ID": group})
        lab.equal(f"{name}: its exit status", scorer.popen.poll(), 0)
        lab.equal(f"{name}: nothing is stored twice", stored(lab, database), (400, 400))

    # Records that go before they are stored are not passed over in silence.
    send(60, 4)
    run_to_end(lab, "score-only", "--roles=score", **settings)
    empty(kafka, [OUTPUT])
    scorer = run_to_end(lab, "cut", "--roles=sink", **settings)
    lab.equal("deleted before they were stored: its exit status", scorer.popen.poll(), 1)
    lab.one_line("… and the reason", scorer.text(), "Kafka deleted offsets", "UPDATE attrition.sink_offsets")
    for attempt in range(4):
        if scorer.popen.poll() == 1:
            fix(lab, database, scorer.text())
            scorer = run_to_end(lab, f"fixed-{attempt}", "--roles=sink", **settings)
    lab.equal("fixed as it says", scorer.popen.poll(), 0)

    # A topic recreated and refilled beyond the stored positions.
    recreate(lab, kafka, OUTPUT)
    lab.sql(database, f"update attrition.sink_offsets set next_offset = 0, last_offset = null where topic = '{OUTPUT}'")
    send(200, 5)
    run_to_end(lab, "before-recreation", **settings)
    lab.equal("before recreation", stored(lab, database)[0], 600)
    recreate(lab, kafka, OUTPUT)
    send(900, 6)
    run_to_end(lab, "refill", "--roles=score", **settings)
    beyond = positions(lab, database)
    lab.check("refilled beyond the stored positions", all(high > beyond[OUTPUT, p] for p, (_, high) in ends(kafka, OUTPUT).items()))
    scorer = run_to_end(lab, "recreated", "--roles=sink", **settings)
    lab.equal("a refilled topic is noticed: its exit status", scorer.popen.poll(), 1)
    lab.one_line("… and the reason", scorer.text(), "the topic was recreated", "DELETE FROM attrition.sink_offsets")
    fix(lab, database, scorer.text())
    scorer = run_to_end(lab, "reread", "--roles=sink", **settings)
    lab.equal("read from its start", (scorer.popen.poll(), stored(lab, database)[0]), (0, 1500))

    # Topics grow while the only member, a static one, is down: it is given what it had, and its client sees nothing new.
    blind = {**settings, "KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS": 600000}
    sink = lab.scorer("before-growth", "--roles=sink,http", **blind)
    lab.wait("the sink runs", lambda: sink.counter("sink_partitions_assigned") == 12, 30, sink)
    lab.equal("it ends with status 0", sink.end(), 0)
    admin = AdminClient({"bootstrap.servers": kafka})
    for topic in (*SINK_TOPICS, TOPICS[0]):
        for answer in admin.create_partitions([NewPartitions(topic, 5)]).values():
            answer.result(30)
    send(200, 8)
    run_to_end(lab, "score-into-new", "--roles=score", **settings)
    sink = lab.scorer("after-growth", "--roles=sink,http", **blind)
    lab.wait("it has what it had", lambda: sink.counter("sink_partitions_assigned") == 12, 30, sink)
    behind = ends(kafka, OUTPUT)[4][1]
    lab.wait("new partitions are lag before they are shared out", lambda: sink.counter("sink_lag") >= behind > 0, 30, sink)
    lab.wait("… and are read within a minute", lambda: stored(lab, database)[0] == 1700, 60, sink)
    lab.wait("no lag is left", lambda: sink.counter("sink_lag") == 0, 20, sink)
    lab.equal("it ends with status 0", sink.end(), 0)

    # Another cluster behind the address while the sink runs.
    sink = lab.scorer("exchanged", "--roles=sink,http", **settings)
    lab.wait("the sink runs", lambda: sink.counter("sink_partitions_assigned") == 15, 30, sink)
    lab.stop_kafka()
    directory, broker = lab.dir / "kafka2", ROOT / "deploy/kafka/broker"
    lab.endings.append(lambda: lab.run(broker, "stop", directory, "--wipe"))
    lab.must(broker, "start", directory, kafka.rsplit(":", 1)[1])
    lab.create_topics(kafka, TOPICS)
    lab.wait("an exchanged cluster ends the sink", lambda: not sink.alive(), 90)
    lab.equal("its exit status", sink.popen.poll(), 1)
    lab.one_line("… and the reason", sink.text(), "belong to cluster")
    send(50, 7)
    run_to_end(lab, "new-cluster", **settings)
    lab.equal("the new cluster is read from its start", stored(lab, database)[0], 1750)

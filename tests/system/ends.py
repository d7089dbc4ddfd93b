"""What went in against what came out, by another implementation than the scorer's: traffic whose every event has one known
end, and the check that the topics (as read_committed readers see them) and PostgreSQL hold exactly that.

Every event carries its id and the end it shall have in headers. `Traffic` sends from two producers at once, one of them
transactional, a third of whose work is aborted; what the input topic holds in the end is the truth. `find_faults` compares
three things: each employee's records of each topic with his events, in order; PostgreSQL's rows with those records, place by
place; the newest prediction with the last record."""
import csv
import io
import random
import struct
import threading
import time
from collections import Counter, defaultdict

import lab as toolbox
from load import THROUGH_OUTAGES

SCORED, DEAD, OUTCOME, ERASED = "scored", "dead", "outcome", "erased"
EMPLOYEES, ERASABLE, LEAVERS = 300, 20, 40  # numbers below ERASABLE are erased now and then, up to LEAVERS they leave


class Events:
    """Makes events, each drawn from the seed; not for use by two threads."""

    def __init__(self, rows, seed, name):
        import fastavro
        self.fastavro, self.schema = fastavro, toolbox.schema("employee_event.avsc")
        attributes = next(field["type"] for field in self.schema["fields"] if field["name"] == "attributes")
        self.rows = [{field["name"]: self.cell(field, row.get(field["name"])) for field in attributes["fields"]} for row in rows]
        self.random, self.name, self.count = random.Random(f"{seed}/{name}"), name, 0
        self.head = struct.pack(">bI", 0, toolbox.frame_id("event"))

    @staticmethod
    def cell(field, text):
        if not text:
            return None
        return int(text) if "int" in field["type"] else float(text) if "double" in field["type"] else text

    def draw_end(self, employee):
        kind = self.random.random()
        if employee < ERASABLE:
            return ERASED if kind < 0.1 else SCORED
        if employee < LEAVERS and kind < 0.2:
            return OUTCOME
        return DEAD if kind > 0.97 else SCORED

    def next(self):
        """(key, value, headers)"""
        employee = self.random.randrange(EMPLOYEES)
        end, identity, key = self.draw_end(employee), f"{self.name}-{self.count}", f"F{employee}"
        self.count += 1
        headers = [("id", identity.encode()), ("end", end.encode())]
        if end == ERASED:
            return key, None, headers
        if end == DEAD:
            return key, self.random.choice((b"no frame", self.head, self.head + b"\x02a")), headers
        out = io.BytesIO(self.head)
        out.seek(0, io.SEEK_END)
        self.fastavro.schemaless_writer(out, self.schema, {
            "event_id": identity, "event_type": "TERMINATED" if end == OUTCOME else "SNAPSHOT", "employee_id": key,
            "occurred_at": 1_700_000_000_000 + self.count, "attributes": self.rows[employee % len(self.rows)]})
        return key, out.getvalue(), headers


class Traffic:
    """Sends `rate` events a second until it is ended, whatever becomes of the broker meanwhile."""

    def __init__(self, lab, address, topic, rate, seed):
        with open(lab.employees(200), encoding="utf-8", newline="") as table:
            rows = list(csv.DictReader(table))
        self.address, self.topic, self.rate, self.stop, self.acknowledged = address, topic, rate, threading.Event(), set()
        self.base = {"bootstrap.servers": address, "partitioner": "murmur2_random", "topic.metadata.refresh.interval.ms": 5000,
                     "linger.ms": 5, "log_level": 0, **THROUGH_OUTAGES}
        self.failure = None
        self.more_events = lambda: Events(rows, seed, "last")
        self.threads = [threading.Thread(target=self.send, args=(how, Events(rows, seed, name)), daemon=True)
                        for how, name in ((self.send_plain, "p"), (self.send_transactions, "t"))]
        for thread in self.threads:
            thread.start()

    def send(self, how, events):
        try:
            how(events)
        except Exception as failure:
            self.failure = f"{type(failure).__name__}: {failure}"

    def send_plain(self, events):
        from confluent_kafka import Producer
        producer = Producer({**self.base, "enable.idempotence": True})
        began, sent = time.monotonic(), 0
        while not self.stop.is_set():
            while sent < (time.monotonic() - began) * self.rate and len(producer) < 50_000:
                key, value, headers = events.next()
                producer.produce(self.topic, value, key, headers=headers, callback=self.noting(headers[0][1].decode()))
                sent += 1
            producer.poll(0.02)
        producer.flush(120)

    def noting(self, identity):
        return lambda error, _: None if error else self.acknowledged.add(identity)

    def send_transactions(self, events):
        """What fails here is begun again by a new producer; nothing is promised about it but what the topic holds."""
        from confluent_kafka import KafkaException, Producer
        producer = None
        while not self.stop.is_set():
            try:
                if producer is None:
                    producer = Producer({**self.base, "transactional.id": f"{self.topic}-traffic", "transaction.timeout.ms": 5000})
                    producer.init_transactions(30)
                producer.begin_transaction()
                for _ in range(events.random.randrange(1, 20)):
                    key, value, headers = events.next()
                    producer.produce(self.topic, value, key, headers=headers)
                (producer.abort_transaction if events.random.random() < 0.33 else producer.commit_transaction)(10)
            except (KafkaException, BufferError):
                producer = None
            self.stop.wait(0.3)

    def end(self):
        """What went wrong with the sending itself, or None."""
        self.stop.set()
        for thread in self.threads:
            thread.join(150)
        return "it does not end" if any(thread.is_alive() for thread in self.threads) else self.failure


class Archive:
    """A topic's committed records, those included that were deleted on purpose: kept before that."""

    def __init__(self, lab, address):
        self.lab, self.address, self.kept, self.before = lab, address, defaultdict(list), defaultdict(dict)

    def keep(self, topic, before):
        """`before`: partition → the offset up to which its records will be deleted."""
        ends = {**self.before[topic], **before}
        self.kept[topic] = [m for m in self.read(topic) if m.offset() < ends.get(m.partition(), 0)]
        self.before[topic] = ends

    def read(self, topic):
        """In the order of their partitions."""
        left = [m for m in self.lab.consume(self.address, topic, seconds=180) if m.offset() >= self.before[topic].get(m.partition(), 0)]
        return sorted(self.kept[topic] + left, key=lambda m: (m.partition(), m.offset()))


class Faults:
    """Kinds of faults with how often, and the first places of each."""

    def __init__(self):
        self.counts, self.places = Counter(), defaultdict(list)

    def add(self, kind, place, count=1):
        self.counts[kind] += count
        if len(self.places[kind]) < 3:
            self.places[kind].append(place)

    def __str__(self):
        return "; ".join(f"{count} {kind} ({', '.join(map(str, self.places[kind]))})" for kind, count in self.counts.items()) or "none"


def read_input(archive, topic):
    """Committed events in the order of their partitions: (key, partition, offset, id, end)."""
    events = []
    for message in archive.read(topic):
        headers = dict(message.headers())
        events.append((message.key().decode(), message.partition(), message.offset(), headers["id"].decode(), headers["end"].decode()))
    return events


def read_end(message, topic_end):
    """(id, end, source place where it is named) of a record of the output, dead-letter or outcome topic."""
    headers = dict(message.headers() or ())
    if topic_end == SCORED and message.value() is None:
        return None, ERASED, None
    if topic_end == SCORED:
        prediction = toolbox.decode_prediction(message.value())
        return prediction["event_id"], SCORED, (prediction["source"]["partition"], prediction["source"]["offset"])
    if topic_end == DEAD:
        place = (int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"]))
        return headers["id"].decode(), DEAD, place
    return headers["id"].decode(), OUTCOME, None


def compare_order(faults, topic, key, wanted, found, at):
    """`wanted` and `found`: one employee's ids of one topic, in order; None stands for an erasure. `at`: id → places."""
    if wanted == found:
        return
    missing, doubled = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    for identity, count in missing.items():
        faults.add("missing", f"{topic} {key} {identity}", count)
    for identity, count in doubled.items():
        faults.add("doubled" if identity in wanted else "not of the input", f"{topic} {key} {identity} at {at[topic, identity]}", count)
    seen, first = set(), [i for i in found if i in wanted and i is not None]
    first = [i for i in first if not (i in seen or seen.add(i))]
    if first != [i for i in wanted if i in seen] or not (missing or doubled):
        faults.add("out of order", f"{topic} {key}")


def check_topics(archive, faults, topics, events):
    """Returns the records by topic: [(partition, offset, key, id, end, source place)]."""
    wanted, found, records, grown, at = defaultdict(list), defaultdict(list), {}, defaultdict(set), defaultdict(list)
    places = {identity: (partition, offset) for _, partition, offset, identity, _ in events}
    for key, partition, _, identity, end in events:
        grown[key].add(partition)
        wanted[SCORED if end == ERASED else end, key].append(None if end == ERASED else identity)
    for topic, name in topics.items():
        records[topic] = rows = []
        for message in archive.read(name):
            identity, end, source = read_end(message, topic)
            rows.append((message.partition(), message.offset(), message.key().decode(), identity, end, source))
            found[topic, message.key().decode()].append(identity)
            at[topic, identity].append(f"{message.partition()}/{message.offset()} {time.strftime('%T', time.gmtime(message.timestamp()[1] / 1000))}")
            if source and places.get(identity) != source:
                faults.add("another source", f"{name} [{message.partition()}] {message.offset()}: {source}, not {places.get(identity)}")
    order = {identity: place for place, (_, _, _, identity, _) in enumerate(events)}
    for topic, key in sorted(wanted.keys() | found.keys()):
        one, other = wanted[topic, key], found[topic, key]
        if len(grown[key]) > 1:  # the topic grew: order holds within a partition alone, nothing is promised across
            one, other = (sorted(ids, key=lambda i: (order.get(i, -1), str(i))) for ids in (one, other))
        compare_order(faults, topic, key, one, other, at)
    if faults.counts["missing"]:
        count_uncommitted(archive.lab, faults, archive.address, topics, records)
    return records


def count_uncommitted(lab, faults, kafka, topics, records):
    """Helps to distinguish lost events from those behind a transaction that stays open: where readers of committed records stop."""
    for topic, name in topics.items():
        last, behind = {row[0]: row[1] for row in records[topic]}, Counter()
        for message in lab.consume(kafka, name, "read_uncommitted", 180):
            behind[message.partition()] += message.offset() > last.get(message.partition(), -1)
        for partition, count in behind.items():
            if count:
                faults.add("records after the last committed one", f"{name} [{partition}] after {last.get(partition)}: {count}", count)


def compare_rows(faults, table, wanted, rows):
    """`wanted`: place in the topic → what the row says of it."""
    counted = Counter(row[:2] for row in rows)
    for place, count in counted.items():
        if place not in wanted:
            faults.add(f"row without a record in {table}", place, count)
        elif count > 1:
            faults.add(f"stored twice in {table}", place, count - 1)
    for place in wanted.keys() - counted.keys():
        faults.add(f"not stored in {table}", place)
    for row in rows:
        if row[:2] in wanted and row[2:] != wanted[row[:2]]:
            faults.add(f"altered in {table}", f"{row}, not {wanted[row[:2]]}")


def expected_predictions(records):
    """Without those that a later erasure of the same employee removed; and who was erased."""
    wanted, of_employee, erasures = {}, defaultdict(list), {}
    for partition, offset, key, identity, end, source in records[SCORED]:
        if end == ERASED:
            erasures[partition, offset] = (key,)
            for place in of_employee.pop(key, ()):
                del wanted[place]
        else:
            wanted[partition, offset] = (identity, *source)
            of_employee[key].append((partition, offset))
    return wanted, erasures


def check_database(lab, faults, database, records):
    rows = lambda query, numbers=2: [tuple(int(cell) if place < numbers else cell for place, cell in enumerate(row)) for row in lab.sql(database, query)]
    predictions, erasures = expected_predictions(records)
    stored = rows("select output_partition, output_offset, event_id, coalesce(source_partition, -1), coalesce(source_offset, -1) from attrition.predictions")
    compare_rows(faults, "predictions", predictions, [(*row[:3], int(row[3]), int(row[4])) for row in stored])
    employees = ",".join(sorted({key for key, in erasures.values()}))
    receipts = dict(lab.sql(database, f"select id, attrition.receipt(id) from unnest('{{{employees}}}'::text[]) as id"))
    compare_rows(faults, "erasures", {place: (receipts[key],) for place, (key,) in erasures.items()},
                 rows("select output_partition, output_offset, receipt from attrition.erasures"))
    compare_rows(faults, "outcomes", {row[:2]: (row[3],) for row in records[OUTCOME]},
                 rows('select partition, "offset", event_id from attrition.outcomes'))
    compare_rows(faults, "dead_letters", {row[:2]: tuple(map(str, row[5])) for row in records[DEAD]},
                 rows("select dlq_partition, dlq_offset, partition, \"offset\" from attrition.dead_letters where stage = 'score'"))
    for code, count in lab.sql(database, "select code, count(*) from attrition.dead_letters where stage = 'sink' group by code"):
        faults.add("refused by the sink", code, int(count))
    check_latest(lab, faults, database, records)


def check_latest(lab, faults, database, records):
    """The newest by time of the event; of employees who neither leave nor are erased."""
    newest = {}
    for _, _, key, identity, end, _ in records[SCORED]:
        if end == SCORED and int(key[1:]) >= LEAVERS:
            newest[key] = max(newest.get(key, (-1, "")), (int(identity.split("-")[1]), identity))
    ambiguous = Counter((key, identity.split("-")[1]) for _, _, key, identity, end, _ in records[SCORED] if end == SCORED)
    for key, identity in lab.sql(database, "select employee_id, event_id from attrition.latest_predictions"):
        number, wanted = newest.pop(key, (None, None))
        if wanted and identity != wanted and ambiguous[key, str(number)] == 1:
            faults.add("not the newest in latest_predictions", f"{key}: {identity}, not {wanted}")
    for key in newest:
        faults.add("not stored in latest_predictions", key)


def find_faults(lab, kafka, database, names, acknowledged=(), archive=None, patience=60):
    """`names`: the four topics' names, input first. PostgreSQL is given some time to catch up."""
    topics, faults, archive = dict(zip((SCORED, DEAD, OUTCOME), names[1:])), Faults(), archive or Archive(lab, kafka)
    events = read_input(archive, names[0])
    for identity in set(acknowledged) - {event[3] for event in events}:
        faults.add("acknowledged to the sender but not in the input", identity)
    records = check_topics(archive, faults, topics, events)
    deadline = time.monotonic() + patience
    while True:
        stored = Faults()
        check_database(lab, stored, database, records)
        if not any(kind.startswith(("not stored", "row without", "not the newest")) for kind in stored.counts) or time.monotonic() > deadline:
            break
        time.sleep(2)
    for kind, count in stored.counts.items():
        faults.counts[kind] += count
        faults.places[kind] = stored.places[kind]
    return faults, Counter(event[4] for event in events)

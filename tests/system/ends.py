"""What went in against what came out, by another implementation than the scorer's: traffic whose every event has one known
end, and the check that the topics (as read_committed readers see them) and PostgreSQL hold exactly that.

Every event carries its id and the end it shall have in headers. `Traffic` sends from two producers at once, one of them
transactional, a third of whose work is aborted; what the input topic holds in the end is the truth. `find_faults` compares
three things: each employee's records of each topic with his events, in order; PostgreSQL's rows with those records, place by
place; the newest prediction with the last record.

Where current records are kept, most events are partial, and some are older than the one before: what their ends are, and what is scored,
current_records.py says, and check_records.py compares the topics of records and alerts, too. With at-least-once delivery, the same end
of the same event once more is a repeat, which is counted; another end, or another record scored, is a fault."""
import csv
import io
import random
import struct
import threading
import time
from collections import Counter, defaultdict

import lab as toolbox
from current_records import DEAD, ERASED, NAMES, NOTHING, OUTCOME, SCORED, decode_event, digest, side_of
from load import THROUGH_OUTAGES

EMPLOYEES, ERASABLE, LEAVERS = 300, 20, 40  # numbers below ERASABLE are erased now and then, up to LEAVERS they leave


class Events:
    """Makes events, each drawn from the seed but for its time; not for use by two threads. `partial`: most change some attributes."""

    def __init__(self, rows, seed, name, partial):
        import fastavro
        self.partial = partial
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
        return key, self.encode(self.draw(identity, key, end)), headers

    def draw(self, identity, key, end):
        """Each with values of a row of its own, so that whatever was merged into what is to be seen in what is scored."""
        row, late, changed = self.random.choice(self.rows), 0, None
        kind = "TERMINATED" if end == OUTCOME else "SNAPSHOT"
        if self.partial:
            late = self.random.randrange(5000) if self.random.random() < 0.05 else 0
            if end == SCORED and self.random.random() < 0.7:
                kind, changed = "CHANGED", self.random.sample(NAMES, self.random.choice((1, 1, 2, 3)))
                row = {**NOTHING, **{name: None if self.random.random() < 0.05 else row[name] for name in changed}}
            elif end == SCORED and self.random.random() < 0.1:
                kind = "HIRED"
        return self.event(identity, key, kind, changed, row, late)

    @staticmethod
    def event(identity, key, kind, changed, attributes, late=0):
        return {"event_id": identity, "event_type": kind, "employee_id": key, "changed": changed, "attributes": attributes,
                "occurred_at": 1_700_000_000_000 + time.monotonic_ns() // 1_000_000 - late}

    def encode(self, event):
        out = io.BytesIO(self.head)
        out.seek(0, io.SEEK_END)
        self.fastavro.schemaless_writer(out, self.schema, event)
        return out.getvalue()

    def everybody(self):
        """Of each employee one that changes nothing: scored is what is known of them."""
        for employee in range(EMPLOYEES):
            identity, key = f"{self.name}-all-{employee}", f"F{employee}"
            yield key, self.encode(self.event(identity, key, "CHANGED", [], NOTHING)), [("id", identity.encode()), ("end", SCORED.encode())]


class Traffic:
    """Sends `rate` events a second until it is ended, whatever becomes of the broker meanwhile."""

    def __init__(self, lab, address, topic, rate, seed, partial=False):
        with open(lab.employees(200), encoding="utf-8", newline="") as table:
            rows = list(csv.DictReader(table))
        self.address, self.topic, self.rate, self.stop, self.acknowledged = address, topic, rate, threading.Event(), set()
        self.base = {"bootstrap.servers": address, "partitioner": "murmur2_random", "topic.metadata.refresh.interval.ms": 5000,
                     "linger.ms": 5, "log_level": 0, **THROUGH_OUTAGES}
        self.failure = None
        self.partial, self.more_events = partial, lambda: Events(rows, seed, "last", partial)
        self.threads = [threading.Thread(target=self.send, args=(how, Events(rows, seed, name, partial)), daemon=True)
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
        if any(thread.is_alive() for thread in self.threads):
            return "it does not end"
        return self.failure or (self.partial and self.send_everybody()) or None

    def send_everybody(self):
        from confluent_kafka import Producer
        producer = Producer({**self.base, "enable.idempotence": True})
        for key, value, headers in self.more_events().everybody():
            producer.produce(self.topic, value, key, headers=headers, callback=self.noting(headers[0][1].decode()))
            producer.poll(0)
        return producer.flush(120) and "the last events are not sent"


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


def read_input(archive, topic, model):
    """Committed events in the order of their partitions: (key, partition, offset, id, end). `model`: of current records, or None."""
    events = []
    for message in archive.read(topic):
        headers, key, place = dict(message.headers()), message.key().decode(), (message.partition(), message.offset())
        end = headers["end"].decode()
        if model and end != DEAD:
            end = model.take(*place, key, decode_event(message.value()))
        events.append((key, *place, headers["id"].decode(), end))
    return events


def read_end(message, topic_end):
    """(id, end, source place where it is named, what it says, time) of a record of the output, dead-letter or outcome topic."""
    headers = dict(message.headers() or ())
    if topic_end == SCORED and message.value() is None:
        return None, ERASED, tuple(int(headers[f"attrition.source.{part}"]) for part in ("partition", "offset")), None, None
    if topic_end == SCORED:
        prediction = toolbox.decode_prediction(message.value())
        source = (prediction["source"]["partition"], prediction["source"]["offset"])
        return prediction["event_id"], SCORED, source, (digest(prediction["attributes"]), side_of(prediction)), prediction["occurred_at"]
    if topic_end == DEAD:
        place = (int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"]))
        return headers["id"].decode(), DEAD, place, headers["attrition.error.code"], None
    return headers["id"].decode(), OUTCOME, None, None, None


class Firsts:
    """Each event's first end, and what comes after it. The records of who was erased in a transaction that a crash left half written are
    gone (docs/STATE.md), so that events from before may then have another end."""

    def __init__(self, repeats):
        self.repeats, self.ends, self.repeated = repeats, {}, Counter()

    def is_repeat(self, faults, key, identity, this, at):
        """Where none are expected, compare_order finds them."""
        first = self.ends.setdefault(identity, this)
        if first is this or not self.repeats:
            return False
        excused = first != this and int(key[1:]) < ERASABLE
        self.repeated["of who was erased" if excused else this[0]] += 1
        if first != this and not excused:
            faults.add("a second, different end", f"{identity} {at}: {this}, not {first}")
        return True


def compare_order(faults, topic, key, wanted, found, at):
    """`wanted` and `found`: one employee's ids of one topic, in order. `at`: id → places."""
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


def read_ends(archive, faults, topics, events, firsts, kept):
    """(the records by topic: [(partition, offset, key, id, end, source place, time)], (topic, key) → ids in order, (topic, id) → places)"""
    found, records, at = defaultdict(list), {}, defaultdict(list)
    places = {identity: (partition, offset) for _, partition, offset, identity, _ in events}
    ids = {place: identity for identity, place in places.items()}
    for topic, name in topics.items():
        records[topic] = rows = []
        for message in archive.read(name):
            (identity, end, source, said, moment), key = read_end(message, topic), message.key().decode()
            identity = ids.get(source) if end == ERASED else identity
            rows.append((message.partition(), message.offset(), key, identity, end, source, moment))
            place = f"{message.partition()}/{message.offset()} {time.strftime('%T', time.gmtime(message.timestamp()[1] / 1000))}"
            if source and places.get(identity) != source:
                faults.add("another source", f"{name} {place}: {source}, not {places.get(identity)}")
            if firsts.is_repeat(faults, key, identity, (end, said), f"{name} {place}"):
                continue
            found[topic, key].append(identity)
            at[topic, identity].append(place)
            if kept:
                kept.take_end(faults, f"{name} {place}", identity, end, source, said)
    return records, found, at


def check_topics(archive, faults, topics, events, firsts, kept):
    """Returns the records by topic."""
    wanted, grown = defaultdict(list), defaultdict(set)
    for key, partition, _, identity, end in events:
        grown[key].add(partition)
        wanted[SCORED if end == ERASED else end, key].append(identity)
    records, found, at = read_ends(archive, faults, topics, events, firsts, kept)
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
    for partition, offset, key, identity, end, source, _ in records[SCORED]:
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
    erased = {(key, source[0]): source[1] for _, _, key, _, end, source, _ in records[SCORED] if end == ERASED}
    compare_rows(faults, "dead_letters", {row[:2]: tuple(map(str, row[5])) for row in records[DEAD] if row[5][1] > erased.get((row[2], row[5][0]), -1)},
                 rows("select dlq_partition, dlq_offset, partition, \"offset\" from attrition.dead_letters where stage = 'score'"))
    for code, count in lab.sql(database, "select code, count(*) from attrition.dead_letters where stage = 'sink' group by code"):
        faults.add("refused by the sink", code, int(count))
    check_latest(lab, faults, database, records)


def check_latest(lab, faults, database, records):
    """The newest by time of the event; of employees who neither leave nor are erased."""
    newest, events_of = {}, defaultdict(set)
    for _, _, key, identity, end, _, moment in records[SCORED]:
        if end == SCORED and int(key[1:]) >= LEAVERS:
            newest[key] = max(newest.get(key, (moment, "")), (moment, identity))
            events_of[key, moment].add(identity)
    for key, identity in lab.sql(database, "select employee_id, event_id from attrition.latest_predictions"):
        moment, wanted = newest.pop(key, (None, None))
        if wanted and identity != wanted and len(events_of[key, moment]) == 1:
            faults.add("not the newest in latest_predictions", f"{key}: {identity}, not {wanted}")
    for key in newest:
        faults.add("not stored in latest_predictions", key)


def find_faults(lab, kafka, database, names, acknowledged=(), archive=None, kept=None, repeats=False, patience=60):
    """`names`: the four topics' names, input first; `kept`: check_records.Kept, or None; `repeats`: at-least-once delivery. PostgreSQL may
    take `patience` seconds for each step towards it. (faults, events by end, repeats by end)"""
    topics, faults, archive = dict(zip((SCORED, DEAD, OUTCOME), names[1:])), Faults(), archive or Archive(lab, kafka)
    events, firsts = read_input(archive, names[0], kept and kept.model), Firsts(repeats)
    for identity in set(acknowledged) - {event[3] for event in events}:
        faults.add("acknowledged to the sender but not in the input", identity)
    records = check_topics(archive, faults, topics, events, firsts, kept)
    if kept:
        kept.check(faults, firsts)
    deadline, left = time.monotonic() + patience, None
    while True:
        stored = Faults()
        check_database(lab, stored, database, records)
        if kept:
            kept.check_rows(stored, database)
        late = sum(count for kind, count in stored.counts.items() if kind.startswith(("not stored", "row without", "not the newest")))
        if left is not None and late < left:
            deadline = time.monotonic() + patience
        if not late or time.monotonic() > deadline:
            break
        left = late
        time.sleep(2)
    for kind, count in stored.counts.items():
        faults.counts[kind] += count
        faults.places[kind] = stored.places[kind]
    return faults, Counter(event[4] for event in events), firsts.repeated

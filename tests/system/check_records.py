"""What a scorer group keeps of each employee, and the alerts, against current_records.py: the state topic's last record of each employee and
its positions, each alert once where one is due and nowhere else, and PostgreSQL's rows of them."""
import json
from collections import defaultdict

from current_records import ALERT, DEAD, RECORD, SCORED, Model, Side, alerts_due, decode, digest, side_of

POSITION = b"\x01position"


def read_state(lab, kafka, topic, repeats=False):
    """What the topic says once all is read: (partition, employee) → the record; and each partition's position. Where events may be
    `repeats`, records of older events may come late, and count for nothing."""
    records, positions = {}, {}
    for message in lab.consume(kafka, topic, seconds=180):
        place, value = (message.partition(), message.key().decode()), message.value()
        if message.key() == POSITION:
            offset = json.loads(value)["offset"]
            positions[message.partition()] = max(offset, positions.get(message.partition(), -1)) if repeats else offset
        elif value is None:
            records.pop(place, None)
        elif not repeats or place not in records or not 0 <= offset_of(value) < offset_of(records[place]):
            records[place] = value
    return {place: decode(value, RECORD) for place, value in records.items()}, positions


def offset_of(value):
    return decode(value, RECORD)["source"]["offset"]


def side_in_state(prediction):
    return prediction and Side(*(prediction[name] for name in Side._fields[:4]), prediction["model_name"], prediction["model_version"])


def differences(found, wanted):
    """Of two records' (occurred_at, attributes, …): what differs, of attributes those alone."""
    if found[1] and wanted[1]:
        names = [name for name in wanted[1] if found[1][name] != wanted[1][name]]
        found, wanted = ((one[0], {name: one[1][name] for name in names}, *one[2:]) for one in (found, wanted))
    return f"{found}, not {wanted}"


class Kept:
    """`committed()`: partition → the group's offset in the input. `erasable`: employees below that number may be erased."""

    def __init__(self, lab, kafka, state, alerts, committed, erasable, hysteresis):
        self.lab, self.kafka, self.state, self.alerts, self.committed, self.erasable = lab, kafka, state, alerts, committed, erasable
        self.model, self.hysteresis, self.predictions, self.rows, self.due = Model(digest), hysteresis, {}, {}, 0

    def take_end(self, faults, at, identity, end, source, said):
        """The first of the event: is it made of what the employee's record was?"""
        if end == SCORED:
            self.predictions[source] = said[1]
            if self.model.scored.get(identity, said[0]) != said[0]:
                faults.add("another record scored", f"{identity} {at}")
        if end == DEAD and self.model.letters.get(identity, said.decode()) != said.decode():
            faults.add("another code", f"{identity} {at}: {said.decode()}, not {self.model.letters[identity]}")

    def check(self, faults, firsts):
        due, said, last = alerts_due(self.model.moves, self.predictions, self.hysteresis)
        self.check_state(faults, said, last, firsts.repeats)
        self.check_alerts(faults, due, firsts)

    def check_state(self, faults, said, last, repeats):
        records, positions = read_state(self.lab, self.kafka, self.state, repeats)
        for employee in records.keys() - self.model.records.keys():
            faults.add("a record of nobody in the state topic", employee)
        for employee, (at, attributes) in self.model.records.items():
            record = records.get(employee)
            if record is None:
                faults.add("not in the state topic", employee)
                continue
            scored = (last[employee], *said[employee][:2]) if attributes and employee in last else (None,)
            wanted = (at, attributes, self.model.sources[employee], *scored)
            found = (record["occurred_at"], record["attributes"], record["source"]["offset"], side_in_state(record["prediction"]),
                     *(record["alerted"] or {}).values())
            if found != wanted:
                faults.add("altered in the state topic", f"{employee}: {differences(found, wanted)}")
        for partition, offset in self.committed().items():
            position = positions.get(partition, -1)
            if position < offset or (position > offset and not repeats):
                faults.add("another position in the state topic", f"{partition}: {position}, not {offset}")

    def check_alerts(self, faults, due, firsts):
        seen = defaultdict(list)
        for message in self.lab.consume(self.kafka, self.alerts, seconds=180):
            headers, alert = dict(message.headers()), decode(message.value(), ALERT)
            place = (int(headers["attrition.source.partition"]), int(headers["attrition.source.offset"]))
            self.rows[message.partition(), message.offset()] = (alert["employee_id"], alert["event_id"])
            this = (alert["kind"], side_of(alert["before"]), side_of(alert["after"]))
            if self.is_repeat(seen[place], this, alert["employee_id"], firsts):
                continue
            seen[place].append(this)
            if len(seen[place]) > 1:
                faults.add("doubled alert", place)
            elif place not in due:
                faults.add("an alert where none is due", f"{place}: {this}")
            elif this != due[place]:
                faults.add("another alert", f"{place}: {this}, not {due[place]}")
        for place in due.keys() - seen.keys():
            faults.add("missing alert", f"{place}: {due[place]}")
        self.due = len(due)

    def is_repeat(self, before, this, employee, firsts):
        excused = int(employee[1:]) < self.erasable
        if not firsts.repeats or not before or (this not in before and not excused):
            return False
        firsts.repeated["alert"] += 1
        return True

    def check_rows(self, faults, database):
        """Of employees who are never erased."""
        wanted = {place: event for place, (employee, event) in self.rows.items() if int(employee[1:]) >= self.erasable}
        rows = self.lab.sql(database, f'select partition, "offset", event_id from attrition.alerts where substr(employee_id, 2)::int >= {self.erasable}')
        found = defaultdict(list)
        for partition, offset, event in rows:
            found[int(partition), int(offset)].append(event)
        for place in wanted.keys() | found.keys():
            if found.get(place) != [wanted.get(place)]:
                kind = "not stored in" if place not in found else "row without a record in" if place not in wanted else "altered in"
                faults.add(f"{kind} alerts", f"{place}: {found.get(place)}, not {wanted.get(place)}")

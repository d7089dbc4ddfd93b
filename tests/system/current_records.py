"""What becomes of each event where current records are kept, in plain Python, by the rules of docs/STATE.md and docs/ALERTS.md: its end, the
record that is scored, what is known of each employee afterwards, and the alerts that are due."""
import io
from collections import namedtuple

import lab as toolbox

SCORED, DEAD, OUTCOME, ERASED = "scored", "dead", "outcome", "erased"
EVENT, RECORD, ALERT = (toolbox.schema(f"{name}.avsc") for name in ("employee_event", "employee_state", "alert"))
FIELDS = next(field["type"]["fields"] for field in EVENT["fields"] if field["name"] == "attributes")
NAMES = [field["name"] for field in FIELDS]
NOTHING = {name: None for name in NAMES}
RULES = [("YearsAtCompany", "TotalWorkingYears"), ("YearsInCurrentRole", "YearsAtCompany"),
         ("YearsSinceLastPromotion", "YearsAtCompany"), ("YearsWithCurrManager", "YearsAtCompany")]
Side = namedtuple("Side", "prediction probability margin threshold model version")


def decode(value, schema):
    """What a frame holds; its time in milliseconds."""
    import fastavro
    found = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
    return {**found, "occurred_at": round(found["occurred_at"].timestamp() * 1000)}


def alerts_of(lab, kafka):
    """In the order of the topic."""
    return [decode(message.value(), ALERT) for message in lab.consume(kafka, "attrition-alerts")]


def decode_event(value):
    return value and decode(value, EVENT)


def digest(attributes):
    """Of attributes in the schema's order."""
    return hash(tuple(attributes.values()))


def side_of(prediction):
    """What an alert says of a prediction, and what the state topic keeps of it."""
    return prediction and Side(*(prediction[name] for name in Side._fields[:4]), prediction["model"]["name"], prediction["model"]["version"])


class Model:
    """Takes the events in the order of their partitions. `records`: (partition, employee) → (occurred_at, attributes; None: has left);
    `sources`: the offsets of the events that they are of; `scored`: event_id → `keep` of the attributes scored; `letters`: event_id →
    code; `moves`: (employee, the event's place, whether nothing counts of what there was) of each event that changed a record."""

    def __init__(self, keep=lambda attributes: attributes):
        self.keep, self.records, self.sources, self.moves = keep, {}, {}, []
        self.scored, self.letters, self.outcomes, self.erased = {}, {}, set(), 0

    def take(self, partition, offset, key, event):
        """The event's end; `event` None: a null value. `changed`: the names that a partial event lists, or None."""
        employee = (partition, key)
        if event is None:
            self.records.pop(employee, None)
            self.erased += 1
            return ERASED
        known = self.records.get(employee) if key is not None else None
        if event["changed"] is not None:
            return self.take_partial(employee, offset, known, event)
        return self.take_whole(employee, offset, known, event)

    def take_whole(self, employee, offset, known, event):
        left, at, kind = known is not None and known[1] is None, event["occurred_at"], event["event_type"]
        older = known is not None and (at < known[0] or (at == known[0] and left and kind not in ("HIRED", "TERMINATED")))
        keeps = employee[1] is not None and not older
        if kind == "TERMINATED":
            self.outcomes.add(event["event_id"])
            if keeps:
                self.put(employee, offset, at, None)
            return OUTCOME
        self.scored[event["event_id"]] = self.keep(event["attributes"])
        if keeps:
            self.put(employee, offset, at, event["attributes"], known is None or left or kind == "HIRED")
        return SCORED

    def take_partial(self, employee, offset, known, event):
        code, merged = None, None
        if employee[1] is None:
            code = "null_key"
        elif known is not None and event["occurred_at"] < known[0]:
            code = "stale"
        elif known is None or known[1] is None:
            code = "partial"
        else:
            merged = {**known[1], **{name: event["attributes"][name] for name in event["changed"]}}
            broken = any(merged[a] is not None and merged[b] is not None and merged[a] > merged[b] for a, b in RULES)
            code = "rule" if broken else "missing_required" if all(value is None for value in merged.values()) else None
        if code:
            self.letters[event["event_id"]] = code
            return DEAD
        self.scored[event["event_id"]] = self.keep(merged)
        self.put(employee, offset, event["occurred_at"], merged, False)
        return SCORED

    def put(self, employee, offset, at, attributes, begins=None):
        self.records[employee], self.sources[employee] = (at, attributes), offset
        if attributes is not None:
            self.moves.append((employee, (employee[0], offset), begins))


def alerts_due(moves, predictions, hysteresis=0, delta=0.1):
    """`predictions`: an event's place → Side. (the event's place → (kind, before, after) where an alert is due, employee → what was said
    last, employee → the last prediction)"""
    due, said, last = {}, {}, {}
    for employee, place, begins in moves:
        after, before = predictions.get(place), None if begins else last.get(employee)
        if after is None:  # missing: found elsewhere
            continue
        if before is None:
            kind = "FIRST" if after.prediction == "Yes" else None
        elif said[employee].prediction == "No" and after.probability >= after.threshold + hysteresis:
            kind = "CROSSED_UP"
        elif said[employee].prediction == "Yes" and after.probability < after.threshold - hysteresis:
            kind = "CROSSED_DOWN"
        else:
            kind = "MOVED" if abs(after.probability - said[employee].probability) >= delta else None
        if kind:
            due[place] = (kind, before, after)
        if kind or before is None:
            said[employee] = after
        last[employee] = after
    return due, said, last

#!/usr/bin/env python3
"""200,000 events with 1 % poison on a real Kafka, two scorers, one of them killed and restarted five times in the middle
of its work: what readers see and what PostgreSQL holds is each event exactly once, under exactly one end."""
import re
import threading
import time
from collections import Counter

from lab import BIN, Lab, decode_prediction

EVENTS, POISON, KILLS = 200_000, "0.01", 5
PARTS, PAUSE_S = 20, 0.5  # so that there is work when a scorer is killed, however fast both are


def poison_by_code(report):
    codes = Counter()
    for count, code in re.findall(r" (\d+) \((\w+)\)", report):
        codes[code] += int(count)
    return codes


def generate(lab, kafka, codes):
    for part in range(PARTS):
        report = lab.must(BIN / "producer", "generate", "--count", EVENTS // PARTS, "--poison", POISON, "--seed", 7 + part,
                          env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
        codes.update(poison_by_code(report))
        time.sleep(PAUSE_S)


def kill_and_restart(lab, scorer, make, other, scored_by_other):
    """Kills it while it works on its partitions, once the other one has come so far; transactions are nearly always open."""
    lab.need(f"{scorer.name} is at work, the other at {scored_by_other}", lambda: scorer.counter("events_scored_total") > 1000 and
             other.counter("events_scored_total") > scored_by_other, 60, scorer)
    counters = scorer.counters()
    scorer.kill()
    return counters, make()


with Lab(STATE_TOPIC="none") as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.model()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, COMMIT_EVENTS=250, COMMIT_INTERVAL="20ms", SINK_ROWS=1000, KAFKA_SESSION_TIMEOUT_MS=60000)
    began = time.monotonic()
    steady = lab.scorer("steady", INSTANCE_ID="steady", **settings)
    start_killed = lambda: lab.scorer("killed", INSTANCE_ID="killed", **settings)
    killed = start_killed()
    lab.ready(steady)
    lab.ready(killed)
    lab.need("each has half of the partitions", lambda: steady.counter("partitions_assigned") == 2 == killed.counter("partitions_assigned"), 30)
    codes, at_kill = Counter(), []
    producing = threading.Thread(target=generate, args=(lab, kafka, codes))
    producing.start()
    for kill in range(KILLS):
        counters, killed = kill_and_restart(lab, killed, start_killed, steady, kill * EVENTS // 16)
        at_kill.append(int(counters.get("attrition_events_received_total", 0)))
    lab.check("killed with SIGKILL in the middle of its work", len(at_kill) == KILLS, f"{KILLS} times, after {at_kill} events")

    behind = lab.number(database, "select count(*) from attrition.predictions")
    producing.join()
    poison = sum(codes.values())
    valid = EVENTS - poison
    lab.check("events produced, poison among them", 0 < poison < EVENTS / 50, f"{EVENTS} and {poison}")
    stored = lambda: lab.number(database, "select (select count(*) from attrition.predictions) + (select count(*) from attrition.dead_letters)")
    lab.check("the last kill came before the end", behind < valid, f"{behind} of {valid} rows then")
    lab.wait("every event has its row", lambda: stored() >= EVENTS, 240, steady)
    print(f"# {EVENTS} events in {time.monotonic() - began:.1f} s, kills and small transactions included")
    for scorer in (steady, killed):
        lab.wait(f"{scorer.name}: nothing is in flight", lambda: scorer.counter("events_in_flight") + scorer.counter("sink_in_flight") == 0, 30, scorer)
        counters = scorer.counters()
        get = lambda name: int(counters.get(f"attrition_{name}", 0))
        ends = sum(get(f"events_{end}_total") for end in ("scored", "dead_lettered", "erased", "outcome", "returned"))
        lab.equal(f"{scorer.name}: received = scored + dead-lettered + erased + outcome + returned + in flight",
                  ends + get("events_in_flight"), get("events_received_total"))
        sunk = sum(get(f"sink_{end}_total") for end in ("predictions", "dead_letters", "erasures", "outcomes", "alerts", "refused", "skipped"))
        lab.equal(f"{scorer.name}: records read by the sink are accounted for", sunk + get("sink_in_flight"), get("sink_records_total"))
        lab.equal(f"{scorer.name} drains and ends with status 0", scorer.end(), 0)

    lab.audit(steady)

    input_places = {(m.partition(), m.offset()) for m in lab.consume(kafka, "employee-events")}
    lab.equal("events in the input topic", len(input_places), EVENTS)
    outputs = [decode_prediction(m.value()) for m in lab.consume(kafka, "attrition-predictions")]
    scored_places = [(p["source"]["partition"], p["source"]["offset"]) for p in outputs]
    lab.equal("predictions that read_committed readers see", len(outputs), valid)
    lab.equal("… each of another event (by place)", len(set(scored_places)), valid)
    lab.equal("… each of another event (by id)", len({p["event_id"] for p in outputs}), valid)

    dead = [dict(m.headers()) for m in lab.consume(kafka, "employee-events-dlq")]
    dead_places = [(int(h["__connect.errors.partition"]), int(h["__connect.errors.offset"])) for h in dead]
    lab.equal("dead letters, one for each poison event", len(dead), poison)
    lab.equal("… each of another event", len(set(dead_places)), poison)
    lab.equal("… by code as they were poisoned", Counter(h["attrition.error.code"].decode() for h in dead), codes)
    lab.check("every event has one end", set(scored_places) | set(dead_places) == input_places and
              not set(scored_places) & set(dead_places), f"{len(scored_places)} + {len(dead_places)} = {len(input_places)}")

    rows = {(int(p), int(o)) for p, o in lab.sql(database, "select source_partition, source_offset from attrition.predictions")}
    lab.equal("rows in predictions", lab.number(database, "select count(*) from attrition.predictions"), valid)
    lab.check("… are the topic's, each once", rows == set(scored_places), f"{len(rows)} places")
    letters = {(int(p), int(o)) for p, o in lab.sql(database, 'select partition, "offset" from attrition.dead_letters where stage = \'score\'')}
    lab.equal("rows in dead_letters", lab.number(database, "select count(*) from attrition.dead_letters"), poison)
    lab.check("… are the topic's, each once", letters == set(dead_places), f"{len(letters)} places")
    aborted = len(lab.consume(kafka, "attrition-predictions", "read_uncommitted")) - len(outputs)
    print(f"# records of aborted transactions, hidden from readers: {aborted}")

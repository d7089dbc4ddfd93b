#!/usr/bin/env python3
"""REASONS_FOR: the same events scored three times, by groups of their own. Who is explained has the very reasons that everyone has
with `all`; the others carry an empty list, and are counted."""
from lab import BIN, Lab, decode_prediction

EVENTS, NEAR = 2000, 0.1


def scored(lab, kafka, mode):
    topic = f"predictions-{mode.replace(':', '-')}"
    lab.create_topics(kafka, [topic])
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, ROLES="score,http", GROUP_ID=f"group-{topic}", OUTPUT_TOPIC=topic, REASONS_FOR=mode,
                    KAFKA_SESSION_TIMEOUT_MS=60000)  # what is received again is counted again
    scorer = lab.scorer(f"scorer-{topic}", **settings)
    lab.need(f"{mode}: everything is scored", lambda: scorer.counter("events_scored_total") == EVENTS, 60, scorer)
    unexplained = scorer.counter("events_unexplained_total")
    lab.equal(f"{mode}: ends with status 0", scorer.end(), 0)
    predictions = [decode_prediction(message.value()) for message in lab.consume(kafka, topic)]
    return {prediction["event_id"]: prediction for prediction in predictions}, unexplained


def check_mode(lab, kafka, mode, near, everyone):
    found, unexplained = scored(lab, kafka, mode)
    wanted = {name for name, p in everyone.items() if p["probability"] >= p["threshold"] - near}
    lab.check(f"{mode}: some are explained, some are not", 0 < len(wanted) < EVENTS, f"{len(wanted)} of {EVENTS}")
    lab.equal(f"{mode}: who is explained", {name for name, p in found.items() if p["reasons"]}, wanted)
    lab.equal(f"{mode}: the others are counted", unexplained, EVENTS - len(wanted))
    lab.check(f"{mode}: their reasons are those of `all`, bit for bit", all(found[name]["reasons"] == everyone[name]["reasons"] for name in wanted))
    same = ("probability", "margin", "base", "prediction")
    lab.check(f"{mode}: nothing else differs", all(found[name][field] == p[field] for name, p in everyone.items() for field in same))


with Lab(STATE_TOPIC="none") as lab:
    kafka = lab.kafka()
    lab.model()
    lab.must(BIN / "producer", "generate", "--count", EVENTS, "--seed", 5, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    status, _, said = lab.run(BIN / "scorer", "run", env={"KAFKA_BOOTSTRAP_SERVERS": kafka, "ROLES": "score", "REASONS_FOR": "near"})
    lab.equal("another word is a usage error", status, 2)
    lab.one_line("… which says what may be given", said, "--reasons-for must be all, flagged or near:D", "not 'near'")
    everyone, unexplained = scored(lab, kafka, "all")
    lab.equal("all: everyone has three reasons", {len(p["reasons"]) for p in everyone.values()}, {3})
    lab.equal("all: nobody is counted", (len(everyone), unexplained), (EVENTS, 0))
    check_mode(lab, kafka, "flagged", 0, everyone)
    check_mode(lab, kafka, f"near:{NEAR}", NEAR, everyone)

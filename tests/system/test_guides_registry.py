#!/usr/bin/env python3
"""The examples of docs/PUBLISHING.md and docs/CONSUMING.md that need a schema registry, run as they stand there."""
import json

from guides import CONSUMING, PUBLISHING, Guide
from lab import Lab

with Lab() as lab:
    lab.model()
    kafka, registry = lab.kafka(), lab.registry()
    scorer = lab.scorer(KAFKA_BOOTSTRAP_SERVERS=kafka, SCHEMA_REGISTRY_URL=registry, ROLES="score")
    lab.ready(scorer)
    guide = Guide(lab, scorer, KAFKA_BOOTSTRAP_SERVERS=kafka, SCHEMA_REGISTRY_URL=registry)
    guide.python(PUBLISHING, "Python, Avro with a registry")
    lab.wait("with a registry: it is scored", lambda: scorer.counter("events_scored_total") == 1, 30, scorer)
    lab.equal("… and read", list(json.loads(guide.python(CONSUMING, "Python, with a registry"))), ["1043"])
    shown = [json.loads(line)["employee_id"] for line in guide.shell(CONSUMING, "kcat").splitlines()]
    lab.equal("… with kcat too", shown, [{"string": "1043"}])
    lab.equal("it ends in time", scorer.end(), 0)

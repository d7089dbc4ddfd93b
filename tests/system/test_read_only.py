#!/usr/bin/env python3
"""PostgreSQL that takes no writes any more in the middle of work (set read-only; a standby says the same): the sink waits, says so once, and
shows it; scoring goes on; a sink that starts meanwhile waits too; when writes are taken again all goes on by itself, and nothing is lost."""
import json
import re
import time

from lab import BIN, Lab


def set_read_only(lab, database, on):
    for command in (f"alter system set default_transaction_read_only = {on}", "select pg_reload_conf()"):
        lab.sql(database, command)


def worried(scorer):
    return [line for line in scorer.text().splitlines() if re.search(r" (warn|error) ", line)]


def waits(scorer):
    status, body = scorer.get("/health")
    return (scorer.counters().get("attrition_postgresql_up") == 0 and json.loads(body)["status"] == "degraded"
            and 'attrition_loop_waiting{loop="sink",for="postgresql"} 1' in scorer.get("/metrics")[1])


def stays_waiting(lab, scorer, alone):
    scored, samples = scorer.counter("events_scored_total"), []
    for _ in range(24):
        time.sleep(0.5)
        samples.append(waits(scorer))
    lab.check("it goes on waiting, and shows it all the time", all(samples), samples)
    lab.check("scoring goes on", scorer.counter("events_scored_total") > scored, scored)
    lab.equal("ready beside a score loop; the sink alone is not", (scorer.get("/health/ready")[0], alone.get("/health/ready")[0]), (200, 503))
    for who in (scorer, alone):
        lab.check("one line, with what to do", len(worried(who)) == 1 and all(word in worried(who)[0] for word in ("read-only", "25006", "target_session_attrs=read-write")),
                  "".join(f"\n#   {line[:400]}" for line in worried(who)))


with Lab() as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.model()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, READY_TIMEOUT="3s")
    scorer = lab.scorer("scorer", INSTANCE_ID="a", **settings)
    lab.ready(scorer)
    sender = lab.start("sender", [BIN / "producer", "generate", "--count", 100000, "--rate", 50], {"KAFKA_BOOTSTRAP_SERVERS": kafka})
    stored = lambda: lab.number(database, "select count(*) from attrition.predictions")
    lab.need("it stores", lambda: stored() > 100, 60, scorer)
    set_read_only(lab, database, "on")
    lab.wait("read-only in mid-work: the sink waits", lambda: waits(scorer), 20, scorer)
    alone = lab.scorer("alone", INSTANCE_ID="b", ROLES="sink", **settings)
    lab.wait("a sink that starts meanwhile says so", lambda: worried(alone), 30, alone)
    stays_waiting(lab, scorer, alone)
    before = stored()
    set_read_only(lab, database, "off")
    lab.wait("writes are taken again: not degraded any more", lambda: '"status":"ok"' in scorer.get("/health")[1].replace(" ", "") and scorer.counters()["attrition_postgresql_up"] == 1, 40, scorer)
    lab.wait("… the other sink too", lambda: alone.get("/health/ready")[0] == 200, 60, alone)
    sender.end(5)
    lab.wait("all that was scored is stored", lambda: stored() == scorer.counter("events_scored_total") > before, 60, scorer)
    lab.one_line("… which the log says", scorer.text(), "info", "PostgreSQL works again")
    lab.equal("both end in order", (scorer.end(), alone.end()), (0, 0))
    lab.audit(scorer)

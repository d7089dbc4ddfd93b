#!/usr/bin/env python3
"""PostgreSQL that takes no writes any more in the middle of work (a standby after a failover; set read-only): the sink waits, says so once, and
shows it; scoring goes on; a sink that starts meanwhile waits too; when writes are taken again all goes on by itself, and nothing is lost."""
import json
import re
import time

from lab import BIN, ROOT, Lab


def set_read_only(lab, database, on):
    for command in (f"alter system set default_transaction_read_only = {on}", "select pg_reload_conf()"):
        lab.sql(database, command)


def worried(scorer):
    return [line for line in scorer.text().splitlines() if re.search(r" (warn|error) ", line)]


def waits(scorer):
    status, body = scorer.get("/health")
    return (scorer.counters().get("attrition_postgresql_up") == 0 and json.loads(body)["status"] == "degraded"
            and 'attrition_loop_waiting{loop="sink",for="postgresql"} 1' in scorer.get("/metrics")[1])


def become_standby(lab):
    """The same server with the same rows: it waits for a primary that there is not, and answers questions."""
    lab.must(ROOT / "deploy/private-postgres", "stop", lab.dir / "pg")
    (lab.dir / "pg/data/standby.signal").touch()
    lab.must(ROOT / "deploy/private-postgres", "start", lab.dir / "pg", "-c", "fsync=off")


def said(scorer):
    return [line for line in worried(scorer) if "25006" in line]


def stays_waiting(lab, what, scorer, alone):
    scored, samples = scorer.counter("events_scored_total"), []
    for _ in range(24):
        time.sleep(0.5)
        samples.append(waits(scorer))
    lab.check(f"{what}: it goes on waiting, and shows it, but for a moment after a rebalance", samples.count(False) <= 2, samples)
    lab.check(f"{what}: scoring goes on", scorer.counter("events_scored_total") > scored, scored)
    # A machine that stands still for READY_TIMEOUT stalls the score loop too, for a moment; a sink that waited would for as long as it waits.
    lab.wait(f"{what}: ready beside a score loop; the sink alone is not", lambda: (scorer.get("/health/ready")[0], alone.get("/health/ready")[0]) == (200, 503), 20)
    for who in (scorer, alone):
        # Another one where a rebalance has emptied the batch meanwhile, so that there was nothing to write for a moment.
        lab.check(f"{what}: a line, with what to do", 1 <= len(said(who)) <= 2 and all(word in said(who)[0] for word in ("read-only", "target_session_attrs=read-write")),
                  "".join(f"\n#   {line[:400]}" for line in worried(who)))


def goes_on(lab, what, scorer, alone):
    lab.wait(f"{what}, writes are taken again: not degraded any more", lambda: json.loads(scorer.get("/health")[1])["status"] == "ok" and scorer.counters()["attrition_postgresql_up"] == 1, 60, scorer)
    lab.wait("… the other sink too", lambda: alone.get("/health/ready")[0] == 200, 60, alone)
    lab.wait("… which the log says", lambda: scorer.text().rfind("PostgreSQL works again") > scorer.text().rfind("25006"), 10, scorer)


with Lab() as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.model()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, READY_TIMEOUT="3s", KAFKA_SESSION_TIMEOUT_MS=60000)
    scorer = lab.scorer("scorer", INSTANCE_ID="a", **settings)
    lab.ready(scorer)
    sender = lab.start("sender", [BIN / "producer", "generate", "--count", 100000, "--rate", 50], {"KAFKA_BOOTSTRAP_SERVERS": kafka})
    stored = lambda: lab.number(database, "select count(*) from attrition.predictions")
    lab.need("it stores", lambda: stored() > 100, 60, scorer)
    become_standby(lab)
    lab.wait("a standby in mid-work: the sink waits for it", lambda: waits(scorer) and said(scorer), 30, scorer)
    alone = lab.scorer("alone", INSTANCE_ID="b", ROLES="sink", **settings)
    lab.wait("a sink that starts meanwhile says so", lambda: said(alone), 40, alone)
    stays_waiting(lab, "a standby", scorer, alone)
    lab.sql(database, "select pg_promote()")
    goes_on(lab, "promoted", scorer, alone)
    alone.end()
    alone = lab.scorer("alone-again", INSTANCE_ID="b", ROLES="sink", **settings)
    lab.ready(alone)
    old = scorer
    scorer.end()
    scorer = lab.scorer("scorer-again", INSTANCE_ID="a", **settings)
    lab.ready(scorer)
    lab.wait("both sinks have their partitions", lambda: scorer.counter("sink_partitions_assigned") > 0 < alone.counter("sink_partitions_assigned"), 60, scorer)
    set_read_only(lab, database, "on")
    lab.wait("set read-only in mid-work: the sink waits", lambda: waits(scorer) and said(scorer) and said(alone), 30, scorer)
    stays_waiting(lab, "read-only", scorer, alone)
    set_read_only(lab, database, "off")
    goes_on(lab, "read-only no more", scorer, alone)
    sender.end(5)
    before = int(re.findall(r"(\d+) scored", old.text())[-1])
    lab.wait("all that was scored is stored", lambda: scorer.counter("events_in_flight") == 0 and stored() == before + scorer.counter("events_scored_total"), 60, scorer)
    lab.equal("no row is blamed for the server", lab.number(database, "select count(*) from attrition.dead_letters"), 0)
    lab.equal("both end in order", (scorer.end(), alone.end()), (0, 0))
    lab.audit(scorer)

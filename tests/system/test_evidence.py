#!/usr/bin/env python3
"""The chain of evidence: clean after work, kills and an erasure; one altered, one missing, one doubled and one made-up row, a removal by hand and a
changed chain are each located by `scorer audit`, and only they."""
import json

from lab import BIN, Lab

EVENTS = 4000


def faults_of(lab, scorer):
    """Faults of evidence by kind: (count, places), and how many the audit found in all."""
    status, found, err = lab.audit_of(scorer)
    kinds = {kind: count for kind, count in found["faults"].items() if kind.startswith("evidence") and count}
    return kinds, [(place["fault"], place["partition"], place["offset"], place["detail"]) for place in found["places"] if place["fault"].startswith("evidence")], found


def tampered(lab, scorer, database, what, sql, kind, place=None, detail=""):
    """Changes the database as its owner could, triggers off, and puts it back by a copy of the table."""
    lab.sql(database, f"begin; set local session_replication_role = replica; {sql}; commit")
    kinds, places, found = faults_of(lab, scorer)
    lab.check(f"{what}: the audit says {kind}, once, and where", kinds == {kind: 1} and not found["clean"] and (place is None or places[0][1:3] == place) and detail in places[0][3],
              f"{kinds} {places}")
    lab.sql(database, "begin; set local session_replication_role = replica; truncate attrition.predictions; insert into attrition.predictions select * from public.kept; commit")


with Lab() as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.model()
    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, ROLES="score,sink", ERASURE="pseudonymise", SINK_ROWS=300, SINK_INTERVAL="50ms", INSTANCE_ID="evidence")
    lab.must(BIN / "producer", "generate", "--count", EVENTS, "--seed", 5, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    scorer = lab.scorer("killed", **settings)
    lab.need("some rows are stored", lambda: lab.number(database, "select count(*) from attrition.predictions") > 500, 60, scorer)
    scorer.kill()
    scorer = lab.scorer("first", "--exit-at-end", **settings)
    lab.need("everything is stored", lambda: not scorer.alive(), 90, scorer)
    evidence = lab.audit(scorer)["evidence"]
    lab.equal("each row has its link", evidence, {"links": EVENTS, "rows": EVENTS, "erased": 0, "retained": 0, "without": 0})
    lab.check("by transaction, not by row", lab.number(database, "select count(*) from attrition.evidence") < EVENTS / 10)
    heads = lab.sql(database, "select partition, head from attrition.evidence_heads order by 1")
    lab.equal("a head for each partition", len(heads), 4)

    someone, partition, offset = lab.sql(database, "select employee_id, output_partition, output_offset from attrition.predictions order by output_offset limit 1 offset 100")[0]
    lab.sql(database, f"insert into attrition.erasures (employee_id, cluster_id, output_topic, output_partition, output_offset) select '{someone}', cluster_id, output_topic, {partition}, "
            "100000 from attrition.predictions limit 1; select attrition.erase_requested('pseudonymise')")
    kinds, places, found = faults_of(lab, scorer)
    lab.equal("an erasure leaves a chain that verifies, and a link that says so", (kinds, found["evidence"]["erased"], found["evidence"]["rows"]), ({}, 1, EVENTS - 1))
    lab.equal("the heads are the same", lab.sql(database, "select partition, head from attrition.evidence_heads order by 1"), heads)

    lab.sql(database, "create table public.kept as select * from attrition.predictions")
    rows = lab.sql(database, "select output_partition, output_offset, event_id from attrition.predictions where employee_id is not null order by event_id limit 6 offset 700")
    place = lambda n: (int(rows[n][0]), int(rows[n][1]))
    of = lambda n: f"event_id = '{rows[n][2]}'"
    tampered(lab, scorer, database, "one altered number", f"update attrition.predictions set probability = probability + 1e-9 where {of(0)}", "evidence_altered", place(0))
    tampered(lab, scorer, database, "one altered attribute", f"update attrition.predictions set input = jsonb_set(input, '{{Age}}', '99') where {of(1)}", "evidence_altered", place(1))
    tampered(lab, scorer, database, "one doubled row", f"insert into attrition.predictions select * from attrition.predictions where {of(3)}", "evidence_duplicate", place(3))
    tampered(lab, scorer, database, "one missing row", f"delete from attrition.predictions where {of(2)}", "evidence_missing", detail="has no row: it was between offsets")
    tampered(lab, scorer, database, "one made-up row", "insert into attrition.predictions select (p).* from (select jsonb_populate_record(p, jsonb_build_object('output_offset', 99999, "
             f"'evidence_digest', '\\x' || repeat('ab', 32))) as p from attrition.predictions as p where {of(4)}) as made", "evidence_unknown", (place(4)[0], 99999))
    kinds, places, found = faults_of(lab, scorer)
    lab.equal("put back, it is clean again", kinds, {})

    status, out, err = lab.run("psql", "-Xqc", "update attrition.evidence set digests = digests", database)
    lab.check("the chain is append-only", status != 0 and "append-only" in err, err)
    lab.sql(database, f"delete from attrition.predictions where {of(5)}")
    kinds, places, found = faults_of(lab, scorer)
    lab.check("a removal by hand is named with its user", kinds == {"evidence_missing": 1} and "by hand at" in places[0][3], f"{kinds} {places}")
    lab.sql(database, "begin; set local session_replication_role = replica; delete from attrition.evidence_removed where reason = 'by hand'; "
            "insert into attrition.predictions select * from public.kept where " + of(5) + "; "
            "update attrition.evidence set digests = set_byte(digests, 40, get_byte(digests, 40) # 1) where partition = 0 and first_number = 0; commit")
    kinds, places, found = faults_of(lab, scorer)
    lab.check("a changed link breaks its head, and its row is no link any more", kinds == {"evidence_chain": 1, "evidence_missing": 1, "evidence_unknown": 1} and places[0][1] == 0, f"{kinds} {places}")

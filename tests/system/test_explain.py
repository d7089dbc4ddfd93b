#!/usr/bin/env python3
"""`scorer explain`: 10,000 decisions of three model versions are made again from PostgreSQL alone, bit for bit and within 60 s; what was
altered afterwards is found and named; and what cannot be made again says why: a version that is gone, a row that is pseudonymised or erased."""
import json
import time

from lab import BIN, Lab

DECISIONS = 10_000
KINDS = ("logistic-regression-l2", "random-forest", "logistic-regression")


def score_with(lab, kafka, database, kind, count, seed):
    """A version of this kind becomes the one in use and scores `count` events, which are stored."""
    lab.must(BIN / "trainer", "train", lab.dir / "train.csv", "--model", kind, "--promote")
    lab.must(BIN / "producer", "generate", "--count", count, "--seed", seed, env={"KAFKA_BOOTSTRAP_SERVERS": kafka})
    scorer = lab.scorer(kind, "--exit-at-end", KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, ROLES="score,sink", REASONS=3)
    lab.need(f"{kind}: scored and stored", lambda: not scorer.alive(), 120, scorer)
    lab.equal(f"{kind}: ends with status 0", scorer.popen.poll(), 0)


def explain(lab, database, *arguments, env=None, seconds=120):
    return lab.run(BIN / "scorer", "explain", *arguments, env={"DATABASE_URL": database, **(env or {})}, seconds=seconds)


def documents(out):
    return [json.loads(line) for line in out.splitlines()]


def check_all(lab, database):
    began = time.monotonic()
    status, out, err = explain(lab, database, "--from", "24h", "--json")
    took = time.monotonic() - began
    found = documents(out)
    lab.equal("all are made again", (status, len(found)), (0, DECISIONS))
    lab.equal("each is equal", {document["result"] for document in found}, {"equal"})
    lab.equal("by three versions", {document["model"] for document in found}, {f"models:/attrition/{n}" for n in (1, 2, 3)})
    lab.equal("each with the digest of its file", len({document["sha256"] for document in found}), 3)
    lab.check("within 60 s", took < 60, f"{took:.1f} s")
    stored = {row[0]: float(row[1]) for row in lab.sql(database, "select event_id, margin from attrition.predictions")}
    lab.check("raw scores are those stored, bit for bit", all(stored[d["event_id"]] == d["replayed"]["margin"] for d in found))
    status, out, err = explain(lab, database, "--from", "24h")
    lab.check("… and for people, one line of sums", status == 0 and f"{DECISIONS} decisions made again: {DECISIONS} equal, 0 differ" in out, out[-400:])


def check_one(lab, database):
    event = lab.sql(database, "select event_id from attrition.predictions where model_version = '2' limit 1")[0][0]
    status, out, err = explain(lab, database, "--event-id", event)
    lab.check("one decision is shown whole", status == 0 and "equal, bit for bit" in out and "models:/attrition/2, sha256" in out and "sum of:" in out, out)


def check_altered(lab, database):
    """What somebody changed in the table differs, and only that."""
    ids = [row[0] for row in lab.sql(database, "select event_id from attrition.predictions where model_version = '1' order by event_id limit 4")]
    change = lambda event, what: lab.sql(database, f"update attrition.predictions set {what} where event_id = '{event}'")
    change(ids[0], "probability = probability + 1e-12")
    change(ids[1], "margin = margin * (1 + 3e-16)")
    change(ids[2], "reasons = jsonb_set(reasons, '{1,contribution}', '0.5')")
    change(ids[3], "prediction = case prediction when 'Yes' then 'No' else 'Yes' end")
    status, out, err = explain(lab, database, "--from", "24h", "--json")
    altered = {d["event_id"]: [difference["field"] for difference in d["differences"]] for d in documents(out) if d["result"] == "differs"}
    lab.equal("what was altered is named", altered, {ids[0]: ["probability"], ids[1]: ["margin"], ids[2]: ["reason 2"], ids[3]: ["prediction"]})
    lab.equal("… and ends with status 1", status, 1)
    lab.one_line("… and one line", err, f"of {DECISIONS} decisions 4 differ and 0 could not be made again")


def check_gone(lab, database):
    event = lab.sql(database, "select event_id from attrition.predictions where model_version = '3' limit 1")[0][0]
    status, out, err = explain(lab, database, "--event-id", event, env={"MLFLOW_TRACKING_URI": str(lab.dir / "elsewhere")})
    lab.check("a version that is gone is named", status == 1 and "cannot be made again" in out and "attrition" in out, out + err)
    lab.sql(database, f"update attrition.predictions set input = input || '{{\"Age\": \"old\"}}' where event_id = '{event}'")
    status, out, err = explain(lab, database, "--event-id", event)
    lab.check("an input that is no row of the schema is named", status == 1 and "no row of this schema: Age" in out, out + err)
    lab.sql(database, f"update attrition.predictions set event_id = 'erased-1', employee_id = null where event_id = '{event}'")
    status, out, err = explain(lab, database, "--event-id", "erased-1")
    lab.check("a pseudonymised row says so", status == 0 and "pseudonymised" in out, out + err)
    status, out, err = explain(lab, database, "--event-id", event)
    lab.equal("what is not there ends with status 1", status, 1)
    lab.one_line("… and says why that may be", err, "erased or removed by retention")


def check_usage(lab, database):
    for arguments in ((), ("--event-id", "a", "--from", "1h"), ("--from", "soon"), ("one", "--from", "1h")):
        lab.equal(f"explain {' '.join(arguments)}: a usage error", explain(lab, database, *arguments)[0], 2)
    status, out, err = explain(lab, "postgresql://nobody@127.0.0.1:1/none", "--from", "1h")
    lab.equal("no database: status 1", status, 1)
    lab.one_line("… and one line", err, "PostgreSQL: connecting")


with Lab(STATE_TOPIC="none") as lab:
    kafka, database = lab.kafka(), lab.postgres()
    lab.must(BIN / "producer", "generate", "--count", 2000, "--seed", 1, "--out", lab.dir / "train.csv")
    for number, kind in enumerate(KINDS):
        score_with(lab, kafka, database, kind, 3334 if number == 0 else 3333, 10 + number)
    check_all(lab, database)
    check_one(lab, database)
    check_altered(lab, database)
    check_gone(lab, database)
    check_usage(lab, database)

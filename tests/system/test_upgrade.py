#!/usr/bin/env python3
"""A rolling upgrade as docs/OPERATIONS.md says ("Upgrade, and back"), under load: a sink and three scorers of an earlier version, at an earlier
migration and with earlier schemas, are replaced one after the other, then go back in the reverse order. Events of both versions' schemas come
all the time. None may be lost, doubled or out of order, the audit is clean in between and at the end, and the longest wait of an event is printed.

EARLIER: directory of an earlier tree with build/bin/scorer, schemas and sql (`make upgrade EARLIER=REVISION` makes one). Without it the earlier
version is this tree's scorer with another version and one migration less (build/earlier/bin/scorer), and the first schemas of ids.json.
UPGRADE_RATE (200): events a second. UPGRADE_LONGEST_MS (60000): what no event may wait, generous because other tests run beside."""
import json
import os
import shutil
import time
from pathlib import Path

from lab import BIN, ROOT, Lab
from load import Load, Reader, templates

RATE, LONGEST_MS = int(os.environ.get("UPGRADE_RATE") or 200), int(os.environ.get("UPGRADE_LONGEST_MS") or 60000)
PARTITIONS = 6
ROLES = {"sink": "sink", "a": "score", "b": "score", "c": "score,http"}  # in the order in which they are replaced


def rows_of(schemas):
    ids = json.loads((schemas / "ids.json").read_text())
    return {kind: rows for kind, rows in ids.items() if kind != "doc"}


def first_schemas(target):
    """The first form of each schema under its id, as who knew no other has them."""
    shutil.copytree(ROOT / "schemas", target, ignore=shutil.ignore_patterns("*.*.avsc", "history"))
    ids = {kind: [{**rows[0], "file": f"{rows[0]['file'].split('.')[0]}.avsc"}] for kind, rows in rows_of(ROOT / "schemas").items()}
    for kind, rows in rows_of(ROOT / "schemas").items():
        shutil.copy(ROOT / "schemas" / rows[0]["file"], target / ids[kind][0]["file"])
    (target / "ids.json").write_text(json.dumps(ids))


def earlier_tree(lab):
    """Of the present one: first schemas, one migration less."""
    tree = lab.dir / "earlier"
    shutil.copytree(ROOT / "sql", tree / "sql")
    sorted((tree / "sql").glob("*.sql"))[-1].unlink()
    first_schemas(tree / "schemas")
    (tree / "build/bin").mkdir(parents=True)
    (tree / "build/bin/scorer").symlink_to(BIN.parent / "earlier/bin/scorer")
    return tree


def announce(tree, target):
    """A copy of the tree's schemas that knows the present ids too, as the document says: the files under other names, the rows."""
    shutil.copytree(tree / "schemas", target)
    ids = rows_of(target)
    known = {row["id"] for rows in ids.values() for row in rows}
    for kind, rows in rows_of(ROOT / "schemas").items():
        for row in rows:
            if kind in ids and row["id"] not in known:
                shutil.copy(ROOT / "schemas" / row["file"], target / f"later-{row['file']}")
                ids[kind].append({"id": row["id"], "file": f"later-{row['file']}"})
    (target / "ids.json").write_text(json.dumps(ids))
    return {row["id"] for rows in ids.values() for row in rows} - known


def migrate(lab, sql, database, **env):
    return lab.must(sql / "migrate", database, env=env)


def replace(lab, scorers, names, start, what, reader):
    began = time.time()
    for name in names:
        moment = time.time()
        lab.equal(f"{what}: {name} ends with status 0", scorers[name].end(), 0)
        scorers[name] = start(name)
        lab.ready(scorers[name], 120)
        ready = time.time()
        time.sleep(2)
        print(f"#   {name}: ready {ready - moment:.1f} s after TERM; {reader.between(moment - 1, time.time())}", flush=True)
    print(f"# {what}: {reader.between(began - 1, time.time())}", flush=True)


def versions(scorers):
    return {json.loads(scorer.get("/health")[1])["version"] for scorer in scorers.values()}


with Lab() as lab:
    tree = Path(os.environ["EARLIER"]) if os.environ.get("EARLIER") else earlier_tree(lab)
    program, schemas = tree / "build/bin/scorer", lab.dir / "earlier-schemas"
    later = announce(tree, schemas)
    lab.check("the present version has schemas of its own", later, sorted(later))
    kafka = lab.kafka(partitions=PARTITIONS)
    lab.endings.append(lambda: lab.run(ROOT / "deploy/private-postgres", "stop", lab.dir / "pg", *lab.wipe()))
    database = lab.must(ROOT / "deploy/private-postgres", "start", lab.dir / "pg", "-c", "fsync=off").strip()
    migrate(lab, tree / "sql", database, SCORER=str(program), SCHEMAS_DIR=str(schemas))
    lab.model()

    settings = dict(KAFKA_BOOTSTRAP_SERVERS=kafka, DATABASE_URL=database, KAFKA_COMPRESSION_TYPE="lz4")
    present = lambda name: lab.scorer(name, INSTANCE_ID=name, ROLES=ROLES[name], **settings)
    earlier = lambda name: lab.scorer(name, INSTANCE_ID=name, ROLES=ROLES[name], program=program, SCHEMAS_DIR=schemas, **settings)
    scorers = {name: earlier(name) for name in ROLES}
    for scorer in scorers.values():
        lab.ready(scorer, 120)
    before = versions(scorers)

    first_schemas(lab.dir / "first")
    made = [event for both in zip(templates(lab, kafka, topic="first", SCHEMAS_DIR=lab.dir / "first"), templates(lab, kafka)) for event in both]
    lab.equal("events are framed by two schemas", len({head for _, head, _ in made}), 2)
    reader, load = Reader(kafka), Load(kafka, made, RATE)
    stored = lambda: lab.number(database, "SELECT count(*) FROM attrition.predictions")
    lab.wait("predictions come, and are stored", lambda: reader.count > 3 * RATE and stored() > RATE, 60)

    migrated = migrate(lab, ROOT / "sql", database, SCORER=str(BIN / "scorer"))
    print("# " + migrated.strip().replace("\n", "\n# "))
    since, waits = stored(), lambda: "trying again until it works" in scorers["sink"].text()
    lab.wait("after the migrations the sink of the earlier version goes on, or says what it waits for", lambda: stored() > since + 3 * RATE or waits(), 60)
    goes_back = not waits()
    replace(lab, scorers, list(ROLES), present, "upgrade", reader)
    lab.equal("upgrade: all are of the present version", versions(scorers), {(ROOT / "VERSION").read_text().strip()})
    lab.audit(scorers["sink"], "--from", "1h")
    replace(lab, scorers, ["c", "b", "a"], earlier, "back", reader)
    ours = reader.count
    lab.wait("the present sink has stored what scorers of the present version wrote", lambda: stored() >= ours, 60)
    if goes_back:
        replace(lab, scorers, ["sink"], earlier, "back", reader)
    else:
        print("# the sink stays: the earlier one cannot write to this database", flush=True)
    lab.equal("back: the score processes are of the earlier version", versions({name: scorers[name] for name in "abc"}), before)

    sent = load.stop()
    lab.wait("every event's prediction is visible", lambda: reader.count >= sent, 60)
    reader.stop()
    lab.equal(f"of {sent} events: missing, doubled, out of order", [reader.missing(sent), reader.doubled, reader.disordered], [0, 0, 0])
    waits = reader.between(0, time.time())
    lab.check(f"no event waits for longer than {LONGEST_MS} ms", max(waits.counts) <= LONGEST_MS, waits)
    lab.wait("every prediction is stored", lambda: stored() >= sent, 120, scorers["sink"])
    lab.equal("nothing was refused", lab.number(database, "SELECT count(*) FROM attrition.dead_letters"), 0)
    lab.audit(scorers["sink"], SCHEMAS_DIR=ROOT / "schemas")
    for name, scorer in scorers.items():
        lab.equal(f"{name} ends with status 0", scorer.end(), 0)

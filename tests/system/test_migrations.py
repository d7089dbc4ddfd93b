#!/usr/bin/env python3
"""sql/migrate from each earlier migration, with rows in place that a sink of that time stored: every row is there afterwards, views and the
daily care work, and the schema is that of a database migrated from nothing. MIGRATION_STEP (4): every so many of them, from the last but one back; 1 for all."""
import difflib
import os
import shutil

from lab import ROOT, Lab

FILES = sorted((ROOT / "sql").glob("*.sql"))
FIRST = 5  # the first five came together
LEVELS = range(len(FILES) - 1, FIRST - 1, -int(os.environ.get("MIGRATION_STEP") or 4))
ROWS = """
INSERT INTO attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name,
    model_version, channel, source_topic, source_partition, source_offset, cluster_id, output_partition, output_offset, input, reasons, challengers)
SELECT 'e' || n, 'employee-' || n % 5, now() - interval '40 days', now() - n * interval '2 days', 'No', 0.1, 0.5, 1, 0, 10, 'attrition', '1', 'STREAM', 'in', 0, n, 'c', 0, n,
    '{"Department": "Sales", "Gender": "Female", "Age": 30}', '[{"feature": "Age", "contribution": 0.9}]', '[]' FROM generate_series(1, 20) AS n;
INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions WHERE source_offset <= 5;
INSERT INTO attrition.dead_letters (stage, code, message, topic, partition, "offset", cluster_id, dlq_partition, dlq_offset)
    VALUES ('score', 'malformed', 'm', 'in', 0, 21, 'c', 0, 0);
INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input)
    VALUES ('o', 'employee-9', now() - interval '1 day', 'TERMINATED', 'c', 'outcomes', 0, 0, '{}');
INSERT INTO attrition.erasures (employee_id, cluster_id, output_partition, output_offset) VALUES ('employee-8', 'c', 0, 3);
INSERT INTO attrition.sink_offsets (cluster_id, group_id, topic, partition, next_offset) VALUES ('c', 'g', 'out', 0, 21);
"""
KEPT = {"predictions": 20, "latest_predictions": 5, "dead_letters": 1, "outcomes": 1, "erasures": 1, "sink_offsets": 1, "predictions_once": 20}


def of(url, database):
    return url.replace("/attrition?", f"/{database}?")


def schema_of(lab, url):
    """Its lines in order of their text, since grants come in the order in which they were made; without what pg_dump draws for each run, and without
    partitions, which are of the day."""
    lines = lab.must("pg_dump", "--schema-only", "--schema=attrition", "--no-owner", "--exclude-table=attrition.predictions_*", url).splitlines()
    return sorted(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict", "--")))


def try_from(lab, url, level):
    database = of(url, f"from_{level}")
    lab.sql(url, f"CREATE DATABASE from_{level} TEMPLATE base")
    lab.must("psql", "-Xqv", "ON_ERROR_STOP=1", database, input=ROWS)
    lab.must(ROOT / "sql/migrate", database)
    found = {table: lab.number(database, f"SELECT count(*) FROM attrition.{table}") for table in KEPT}
    lab.equal(f"from migration {level}: rows", found, KEPT)
    work = [lab.number(database, query) for query in ("SELECT sum(employees) FROM attrition.risk_by_department", "SELECT attrition.erase_requested()",
                                                      "SELECT count(*) FROM attrition.maintain()")]
    lab.check("… views, erasure and daily care work", work[:2] == [5, 1], work)
    schema = schema_of(lab, database)
    lab.sql(url, f"DROP DATABASE from_{level}")
    return schema


with Lab() as lab:
    url = lab.postgres("pg", "-c", "autovacuum=off")
    sql = lab.dir / "sql"
    sql.mkdir()
    for file in (ROOT / "sql/migrate", ROOT / "sql/psql", *FILES[:FIRST - 1]):
        shutil.copy(file, sql)
    lab.sql(url, "CREATE DATABASE base")
    fresh, others = schema_of(lab, url), []
    for level in range(FIRST, len(FILES)):
        shutil.copy(FILES[level - 1], sql)
        if level in LEVELS:
            lab.must(sql / "migrate", of(url, "base"), env={"SCORER": "none"})
            others += [(level, line) for line in difflib.unified_diff(fresh, try_from(lab, url, level), "from nothing", "from there", n=0, lineterm="")]
    lab.equal("lines of the schema that are another than from nothing", others[:20], [])

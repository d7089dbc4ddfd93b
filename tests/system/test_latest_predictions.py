#!/usr/bin/env python3
"""latest_predictions holds nobody who has left, whichever of prediction and outcome is stored first, and by whom. PostgreSQL alone."""
import subprocess

from lab import Lab

PREDICTION = """INSERT INTO attrition.latest_predictions AS l (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold,
    margin, base, latency_us, model_name, model_version, channel, cluster_id, output_partition, output_offset, input, reasons, challengers)
    VALUES ('e', '{0}', '{1}', now(), 'No', 0.1, 0.5, 0, 0, 1, 'm', '1', 'STREAM', 'c', 0, 1, '{{}}', '[]', '[]')
    ON CONFLICT (employee_id) DO UPDATE SET occurred_at = excluded.occurred_at WHERE l.occurred_at < excluded.occurred_at;"""
OUTCOME = """INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input)
    VALUES ('o', '{0}', '{1}', 'TERMINATED', 'c', 't', 0, 1, '{{}}');"""


def session(url):
    """psql that stays open: a transaction of its own."""
    return subprocess.Popen(["psql", "-Xqt", "-v", "ON_ERROR_STOP=1", url], stdin=subprocess.PIPE, text=True)


def say(process, sql):
    process.stdin.write(sql + "\n")
    process.stdin.flush()


def end(process):
    process.stdin.close()
    return process.wait(120)


with Lab() as lab:
    url = lab.postgres()
    run = lambda *statements: [lab.sql(url, statement) for statement in statements]
    there = lambda: [row[0] for row in lab.sql(url, "SELECT employee_id FROM attrition.latest_predictions ORDER BY 1")]
    run(*(PREDICTION.format(who, "2026-02-01") for who in "abcde"))
    run(OUTCOME.format("a", "2026-03-01"))
    lab.equal("who leaves is taken out", there(), list("bcde"))
    run(OUTCOME.format("b", "2026-01-01"))
    lab.equal("a termination older than the record takes nobody out", there(), list("bcde"))
    run(PREDICTION.format("a", "2026-02-15"))
    lab.equal("an older prediction brings nobody back", there(), list("bcde"))
    run(PREDICTION.format("a", "2026-03-01"))
    lab.equal("nor one of the same time", there(), list("bcde"))
    run(OUTCOME.format("c", "2026-05-01"), PREDICTION.format("c", "2026-04-01"))
    lab.equal("an outcome that is stored first keeps the prediction out", there(), list("bde"))
    run(PREDICTION.format("a", "2026-04-01"))
    lab.equal("who is hired again comes back", there(), list("abde"))

    # Two sinks: neither sees what the other has not committed yet.
    for name, first, second in (("prediction first", PREDICTION.format("d", "2026-06-01"), OUTCOME.format("d", "2026-07-01")),
                                ("outcome first", OUTCOME.format("e", "2026-07-01"), PREDICTION.format("e", "2026-06-01"))):
        one, two = session(url), session(url)
        say(one, "BEGIN;" + first)
        lab.need(f"{name}: it is in the open transaction", lambda: lab.number(url,
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") == 1, 20)
        say(two, second)
        lab.need(f"{name}: the other waits for it", lambda: lab.number(url,
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1, 20)
        say(one, "COMMIT;")
        lab.equal(f"{name}: both are stored", (end(one), end(two)), (0, 0))
    lab.equal("neither brings who has left back", there(), list("ab"))

    # Rows from before the migration.
    run("ALTER TABLE attrition.latest_predictions DISABLE TRIGGER USER", PREDICTION.format("x", "2026-01-01"), OUTCOME.format("x", "2026-02-01"),
        "ALTER TABLE attrition.latest_predictions ENABLE TRIGGER USER")
    run(PREDICTION.format("y", "2026-01-01"))
    lab.sql(url, "ALTER TABLE attrition.outcomes DISABLE TRIGGER USER")
    run(OUTCOME.format("y", "2026-02-01"), "ALTER TABLE attrition.outcomes ENABLE TRIGGER USER")
    lab.check("who left before is there", "y" in there())
    lab.check("and removed", lab.number(url, "SELECT attrition.remove_leavers()") >= 1)
    lab.equal("without those who left before", there(), list("ab"))

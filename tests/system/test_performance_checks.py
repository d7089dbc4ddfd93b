#!/usr/bin/env python3
"""Expected performance against what came of it, on generated months: covariate shift is none of its business, concept drift is found in
its month, and 30 quiet months raise nothing."""
from lab import BIN, ROOT, Lab

MONTHS = 30
SHIFTED, DRIFTED = 15, 20  # the first month that is otherwise; 0 is the oldest
# Each model's months, employees a month, logit of risk around what, and the true logit of risk z in a month. Standard normals by Box and Muller.
MODELS = {
    "quiet": (0, MONTHS, 1500, "-1.5", "z"),
    "shifted": (SHIFTED - 1, SHIFTED + 1, 6000, f"CASE WHEN m < {SHIFTED} THEN -1.8 ELSE -0.5 END", "z"),
    "ranking": (SHIFTED, MONTHS, 1500, "-1.5", f"CASE WHEN m < {DRIFTED} THEN z ELSE -1.5 + 0.3 * (z + 1.5) END"),
    "level": (SHIFTED, MONTHS, 1500, "-1.5", f"CASE WHEN m < {DRIFTED} THEN z ELSE z + 0.7 END"),
    "uncalibrated": (DRIFTED, MONTHS, 1500, "-1.5", "0.4 * z"),
    "few": (MONTHS - 1, MONTHS, 40, "-1.5", "-z"),
}
COHORT = f"(date_trunc('month', now() AT TIME ZONE 'UTC') - interval '8 months' - ({MONTHS - 1} - m) * interval '1 month')"


def plant(lab, url):
    lab.sql(url, f"""DO $$ BEGIN FOR m IN 0..{MONTHS - 1} LOOP
        EXECUTE format('CREATE TABLE attrition.predictions_%s PARTITION OF attrition.predictions FOR VALUES FROM (%L) TO (%L)', to_char({COHORT}, 'YYYY_MM'),
            {COHORT} AT TIME ZONE 'UTC', ({COHORT} + interval '1 month') AT TIME ZONE 'UTC'); END LOOP; END $$""")
    people = " UNION ALL ".join(f"""SELECT *, {truth} AS logit FROM (SELECT '{name}' AS model, m, n, {centre} + 1.2 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS z
        FROM generate_series({first}, {end - 1}) AS m, generate_series(1, {count}) AS n) AS x""" for name, (first, end, count, centre, truth) in MODELS.items())
    lab.sql(url, f"""BEGIN; SELECT setseed(0.17);
        CREATE TABLE public.people AS SELECT row_number() OVER () AS i, model, model || '-' || m || '-' || n AS id, ({COHORT} + interval '9 days') AT TIME ZONE 'UTC' AS at,
            1 / (1 + exp(-z)) AS risk, random() < 1 / (1 + exp(-logit)) AS leaves FROM ({people}) AS p;
        INSERT INTO attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, probability, threshold, margin, base, latency_us, model_name, model_version,
            channel, source_topic, source_partition, source_offset, cluster_id, output_topic, output_partition, output_offset, input, reasons, challengers)
        SELECT id, id, at, at, CASE WHEN risk >= 0.3 THEN 'Yes' ELSE 'No' END, risk, 0.3, 0, 0, 9, model, '1', 'STREAM', 'in', 0, i, 'c', 'out', 0, i, '{{}}', '[]', '[]' FROM public.people;
        INSERT INTO attrition.outcomes (event_id, employee_id, occurred_at, event_type, cluster_id, topic, partition, "offset", input)
        SELECT 'exit-' || id, id, at + interval '100 days', 'TERMINATED', 'c', 'outcomes', 0, i, '{{}}' FROM public.people WHERE leaves; COMMIT; ANALYZE attrition.predictions; ANALYZE attrition.outcomes""")


def findings(lab, url, model):
    """By month, oldest first."""
    return [row[0] for row in lab.sql(url, f"SELECT finding FROM attrition.expected_against_realised WHERE model_name = '{model}' ORDER BY cohort")]


def figures(lab, url, view, m, columns):
    """Of each model in a month."""
    month = lab.sql(url, f"SELECT {COHORT} AT TIME ZONE 'UTC' FROM (SELECT {m} AS m) AS x")[0][0]
    return {row[0]: row[1:] for row in lab.sql(url, f"SELECT model_name, {columns} FROM attrition.{view} WHERE cohort = '{month}' AND attribute = 'all'")}


def check_shift(lab, url):
    shares = []
    for m in (SHIFTED - 1, SHIFTED):
        expected = [float(value) for value in figures(lab, url, "expected_performance", m, "expected_exits / employees, precision, recall, auc")["shifted"]]
        realised = [float(value) for value in figures(lab, url, "realised_performance", m, "exits::float8 / employees, precision, recall, auc")["shifted"]]
        shares.append(expected[0])
        lab.check(f"month {m}: share of exits, precision, recall and AUC are within .02 of the expected", all(abs(e - r) <= 0.02 for e, r in zip(expected, realised)), (expected, realised))
    lab.check("the shift was there: the share that should leave is twice that of before", shares[1] > 1.8 * shares[0], shares)


def few_people(lab, url):
    """A month of four people leaves nothing and is not read again; with a fifth, or where four are enough, it is due."""
    lab.sql(url, f"TRUNCATE attrition.performance_checks; DELETE FROM attrition.predictions WHERE employee_id NOT IN (SELECT 'quiet-{MONTHS - 1}-' || n FROM generate_series(1, 4) AS n)")
    rows = lab.sql(url, "BEGIN; SELECT attrition.check_performance(); SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_xact_user_tables WHERE relname = 'outcomes'; COMMIT")
    lab.equal("four people: nothing is checked, and no outcome is read for it", rows, [["0"], ["0"]])
    lab.equal("where four are enough the month is due", lab.sql(url, """BEGIN; UPDATE attrition.settings SET value = '4' WHERE name = 'minimum_group';
        SELECT attrition.check_performance(); ROLLBACK"""), [["1"]])
    lab.sql(url, """CREATE TABLE public.late AS SELECT * FROM attrition.predictions LIMIT 1; UPDATE public.late SET event_id = 'late', employee_id = 'late';
        INSERT INTO attrition.predictions SELECT * FROM public.late""")
    lab.equal("with a fifth, stored late, it is checked", lab.number(url, "SELECT attrition.check_performance()"), 1)
    lab.equal("… five people", lab.number(url, "SELECT employees FROM attrition.performance_checks"), 5)


with Lab() as lab:
    url = lab.postgres()
    lab.must(ROOT / "sql/migrate", url, env={"SCORER": str(BIN / "scorer")})
    plant(lab, url)
    lab.equal("each month whose horizon has passed is checked", lab.number(url, "SET ROLE attrition_owner; SELECT attrition.check_performance()"), MONTHS)
    lab.equal("30 quiet months raise nothing", findings(lab, url, "quiet"), MONTHS * ["as expected"])
    lab.equal("nor does covariate shift", findings(lab, url, "shifted"), 2 * ["as expected"])
    check_shift(lab, url)
    for model in ("ranking", "level"):
        lab.equal(f"concept drift ({model}) is found from its first month on", findings(lab, url, model),
                  (DRIFTED - SHIFTED) * ["as expected"] + (MONTHS - DRIFTED) * ["concept drift"])
    lab.equal("a model that was never right is found in its first month", findings(lab, url, "uncalibrated"), (MONTHS - DRIFTED) * ["uncalibrated"])
    lab.equal("of few nothing is said", findings(lab, url, "few"), ["too few"])
    doubts = lambda m: {model: row[0] for model, row in figures(lab, url, "expected_performance", m, "coalesce(doubt, 'none')").items()}
    lab.equal("before the drift expected figures are to be trusted", doubts(DRIFTED - 1), {"quiet": "none", "ranking": "none", "level": "none"})
    lab.equal("… and then they say why not", doubts(MONTHS - 1), {"quiet": "none", "ranking": "concept drift", "level": "concept drift", "uncalibrated": "uncalibrated", "few": "too few"})
    lab.equal("three versions count for the metric", lab.number(url, "SET ROLE attrition_writer; SELECT attrition.contradicted_versions()"), 3)
    lab.equal("a month is checked once a day at most", lab.number(url, "SELECT attrition.check_performance()"), 0)
    lab.sql(url, f"""DO $$ BEGIN FOR m IN 0..{MONTHS - 2} LOOP EXECUTE 'DROP TABLE attrition.predictions_' || to_char({COHORT}, 'YYYY_MM'); END LOOP; END $$;
        DELETE FROM attrition.predictions WHERE model_name <> 'quiet'; SELECT attrition.check_performance()""")
    lab.equal("what was found stays when rows go", findings(lab, url, "quiet"), MONTHS * ["as expected"])
    lab.sql(url, "TRUNCATE attrition.performance_checks")
    lab.equal("nothing checked, nothing confirmed", doubts(MONTHS - 1), {"quiet": "unconfirmed"})
    lines = [row[0] for row in lab.sql(url, "SET ROLE attrition_owner; SELECT attrition.maintain()")]
    lab.check("maintain() checks what is due", "performance: 1 months checked" in lines, lines)
    lab.equal("… with the same answer, for analysts too", lab.sql(url, "SET ROLE attrition_analyst; SELECT finding FROM attrition.expected_against_realised"), [["as expected"]])
    few_people(lab, url)

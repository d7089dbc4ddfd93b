-- Whether what came of a month's scores contradicts what was expected of them: once for each month, when the horizon of everybody in it
-- has passed, since looking again and again finds something in the end. Kept, so that erasure and retention change no answer.
--
-- The test is Cox's (Two further applications of a model for binary regression, Biometrika 1958; Miller, Hui and Tierney, Validation
-- techniques for logistic regression models, Statistics in Medicine 1991) in its score form: with logit of exit = a + b * logit of risk,
-- is a = 0 and b = 1? a is off where more or fewer leave than expected, b where risks rank people worse or better than expected. It is
-- given the risks, so other people alone (covariate shift) do not trouble it. The statistic has a chi-square of two degrees of freedom,
-- whose tail is exp(-x / 2). Of 36 months the chance is 1 % that one is contradicted where nothing has changed (Bonferroni; months
-- share people's exits, and that needs no independence); versions of the same month share its part.

CREATE TABLE attrition.performance_checks (
    cohort timestamptz NOT NULL,
    model_name text NOT NULL,
    model_version text NOT NULL,
    employees bigint NOT NULL,
    exits bigint NOT NULL,
    expected_exits double precision NOT NULL,
    auc double precision,
    expected_auc double precision,
    chi_square double precision NOT NULL,
    p_value double precision NOT NULL,
    significance double precision NOT NULL,
    is_enough boolean NOT NULL,
    checked_at timestamptz NOT NULL,
    PRIMARY KEY (model_name, model_version, cohort)
);
COMMENT ON TABLE attrition.performance_checks IS 'What expected_against_realised shows; written by check_performance.';
COMMENT ON COLUMN attrition.performance_checks.cohort IS 'The month of scoring: its start (UTC).';
COMMENT ON COLUMN attrition.performance_checks.model_name IS 'The model.';
COMMENT ON COLUMN attrition.performance_checks.model_version IS 'The version of that model.';
COMMENT ON COLUMN attrition.performance_checks.employees IS 'How many were scored; the horizon of each has passed.';
COMMENT ON COLUMN attrition.performance_checks.exits IS 'How many of them left within it.';
COMMENT ON COLUMN attrition.performance_checks.expected_exits IS 'Sum of their risks.';
COMMENT ON COLUMN attrition.performance_checks.auc IS 'Realised area under the ROC curve.';
COMMENT ON COLUMN attrition.performance_checks.expected_auc IS 'The same as expected from the risks alone.';
COMMENT ON COLUMN attrition.performance_checks.chi_square IS 'Cox''s test of calibration in its score form, two degrees of freedom.';
COMMENT ON COLUMN attrition.performance_checks.p_value IS 'Chance of as much, were the risks right.';
COMMENT ON COLUMN attrition.performance_checks.significance IS 'What p_value has to be below to count: 0.01 by 36 months by the versions of the month.';
COMMENT ON COLUMN attrition.performance_checks.is_enough IS 'Whether 30 exits and 30 others were expected: with fewer nothing is said.';
COMMENT ON COLUMN attrition.performance_checks.checked_at IS 'When.';

-- Exits become known late: a month is checked again for 31 days. An older one that was checked stays as it is.
-- A risk of 0 or 1, as isotonic calibration gives, counts as 0.0001 from it in the test.
CREATE FUNCTION attrition.check_performance() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET work_mem = '128MB' AS $$
DECLARE
    due timestamptz[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.check_performance'));
    due := ARRAY(
        SELECT m.month FROM attrition.scored_months AS m
        LEFT JOIN (SELECT cohort, max(checked_at) AS checked_at FROM attrition.performance_checks GROUP BY 1) AS c ON c.cohort = m.month
        CROSS JOIN LATERAL (SELECT m.month_end + attrition.horizon() AS matured_at) AS h
        WHERE h.matured_at <= now() AND (c.checked_at IS NULL
            OR (h.matured_at > now() - interval '31 days' AND c.checked_at < date_trunc('day', now(), 'UTC'))));

    INSERT INTO attrition.performance_checks AS c
    WITH levels AS (
        SELECT a.cohort, a.model_name, a.model_version, a.risk, count(*) AS employees, count(*) FILTER (WHERE a.outcome = 'left') AS exits
        FROM attrition.predicted_against_actual AS a
        WHERE a.cohort = ANY (due)
        GROUP BY 1, 2, 3, 4
    ),

    ranked AS (
        SELECT
            l.*,
            sum(employees - exits) OVER part - (employees - exits) / 2.0 AS stays_below,
            sum(employees * (1 - risk)) OVER part - employees * (1 - risk) / 2 AS expected_stays_below,
            exits - employees * r.p AS e,
            employees * r.p * (1 - r.p) AS v,
            ln(r.p / (1 - r.p)) AS x
        FROM levels AS l
        CROSS JOIN LATERAL (SELECT least(greatest(l.risk, 0.0001), 0.9999) AS p) AS r
        WINDOW part AS (PARTITION BY cohort, model_name, model_version ORDER BY risk)
    ),

    summed AS (
        SELECT
            cohort,
            model_name,
            model_version,
            sum(employees)::bigint AS employees,
            sum(exits)::bigint AS exits,
            sum(employees * risk) AS expected_exits,
            sum(exits * stays_below) / nullif(sum(exits) * sum(employees - exits), 0) AS auc,
            sum(employees * risk * expected_stays_below) / nullif(sum(employees * risk) * sum(employees * (1 - risk)), 0) AS expected_auc,
            sum(e) AS u0, sum(e * x) AS u1, sum(v) AS i00, sum(v * x) AS i01, sum(v * x * x) AS i11
        FROM ranked
        GROUP BY 1, 2, 3
        HAVING sum(employees) >= attrition.minimum_group()
    )

    SELECT s.cohort, s.model_name, s.model_version, s.employees, s.exits, s.expected_exits, s.auc, s.expected_auc, t.chi_square,
        exp(-least(t.chi_square, 1400) / 2), 0.01 / 36 / count(*) OVER (PARTITION BY s.cohort),
        s.expected_exits >= 30 AND s.employees - s.expected_exits >= 30, now()
    FROM summed AS s
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN i00 * i11 - i01 ^ 2 > 1e-9 * i00 * i11 THEN (u0 ^ 2 * i11 - 2 * u0 * u1 * i01 + u1 ^ 2 * i00) / (i00 * i11 - i01 ^ 2)
            ELSE u0 ^ 2 / i00
        END AS chi_square
    ) AS t
    ON CONFLICT (model_name, model_version, cohort) DO UPDATE SET employees = excluded.employees, exits = excluded.exits,
        expected_exits = excluded.expected_exits, auc = excluded.auc, expected_auc = excluded.expected_auc,
        chi_square = excluded.chi_square, p_value = excluded.p_value, significance = excluded.significance,
        is_enough = excluded.is_enough, checked_at = excluded.checked_at;
    RETURN (SELECT count(DISTINCT c.cohort) FROM attrition.performance_checks AS c WHERE c.checked_at = now());
END
$$;
REVOKE ALL ON FUNCTION attrition.check_performance() FROM PUBLIC;
COMMENT ON FUNCTION attrition.check_performance IS 'Checks each month whose horizon has passed for everybody in it, until 31 days after; returns how many it checked.';

CREATE VIEW attrition.expected_against_realised AS
SELECT
    c.cohort,
    c.model_name,
    c.model_version,
    c.employees,
    c.exits,
    c.expected_exits,
    c.auc,
    c.expected_auc,
    c.chi_square,
    c.p_value,
    c.significance,
    CASE
        WHEN NOT c.is_enough THEN 'too few'
        WHEN c.p_value >= c.significance THEN 'as expected'
        WHEN bool_or(c.is_enough AND c.p_value >= c.significance) OVER earlier THEN 'concept drift'
        ELSE 'uncalibrated'
    END AS finding,
    c.checked_at
FROM attrition.performance_checks AS c
WINDOW earlier AS (PARTITION BY c.model_name, c.model_version ORDER BY c.cohort ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING);

COMMENT ON VIEW attrition.expected_against_realised IS 'Where what came of a month''s scores contradicts what was expected of them, by model version; of months whose horizon has passed, as maintain() found them.';
COMMENT ON COLUMN attrition.expected_against_realised.cohort IS 'The month of scoring: its start (UTC).';
COMMENT ON COLUMN attrition.expected_against_realised.model_name IS 'The model.';
COMMENT ON COLUMN attrition.expected_against_realised.model_version IS 'The version of that model.';
COMMENT ON COLUMN attrition.expected_against_realised.employees IS 'How many were scored; the horizon of each has passed.';
COMMENT ON COLUMN attrition.expected_against_realised.exits IS 'How many of them left within it.';
COMMENT ON COLUMN attrition.expected_against_realised.expected_exits IS 'Sum of their risks.';
COMMENT ON COLUMN attrition.expected_against_realised.auc IS 'Realised area under the ROC curve.';
COMMENT ON COLUMN attrition.expected_against_realised.expected_auc IS 'The same as expected from the risks alone.';
COMMENT ON COLUMN attrition.expected_against_realised.chi_square IS 'Cox''s test of calibration in its score form, two degrees of freedom.';
COMMENT ON COLUMN attrition.expected_against_realised.p_value IS 'Chance of as much, were the risks right.';
COMMENT ON COLUMN attrition.expected_against_realised.significance IS 'What p_value has to be below to count: 0.01 by 36 months by the versions of the month.';
COMMENT ON COLUMN attrition.expected_against_realised.finding IS 'as expected; concept drift: contradicted, after a month of this version that was as expected; uncalibrated: contradicted, and no month before was as expected; too few.';
COMMENT ON COLUMN attrition.expected_against_realised.checked_at IS 'When.';

-- expected_performance as it is, with a column: why not to trust a row.
DO $$
BEGIN
    EXECUTE format($view$
        CREATE OR REPLACE VIEW attrition.expected_performance AS
        SELECT e.*, CASE WHEN NOT e.is_enough THEN 'too few' ELSE nullif(coalesce((
            SELECT c.finding FROM attrition.expected_against_realised AS c
            WHERE c.model_name = e.model_name AND c.model_version = e.model_version AND c.cohort <= e.cohort
            ORDER BY c.cohort DESC LIMIT 1
        ), 'unconfirmed'), 'as expected') END AS doubt
        FROM (%s) AS e $view$, rtrim(pg_get_viewdef('attrition.expected_performance'), ';'));
END
$$;
COMMENT ON COLUMN attrition.expected_performance.doubt IS 'Why not to trust the row: too few; unconfirmed (no month of this version up to this one is old enough to be checked); uncalibrated or concept drift (the newest that was checked is contradicted by what came of it). Null: nothing known against it.';

-- impact_ratio for those who left: equality of opportunity (Hardt, Price and Srebro 2016) by the four-fifths rule, with the same interval.
CREATE VIEW attrition.missed_ratio AS
WITH compared AS (
    SELECT
        r.*,
        first_value(r.member) OVER highest AS other_member,
        first_value(r.exits) OVER highest AS other_exits,
        first_value(r.hits) OVER highest AS other_hits,
        first_value(r.recall) OVER highest AS other_recall
    FROM attrition.realised_performance AS r
    JOIN attrition.schema_columns AS s ON s.name = r.attribute AND s.is_group
    WHERE r.member <> 'missing' AND r.exits >= (SELECT attrition.minimum_group())
    WINDOW highest AS (PARTITION BY r.cohort, r.model_name, r.model_version, r.attribute ORDER BY r.recall DESC, r.exits DESC, r.member)
)

SELECT
    c.cohort,
    c.model_name,
    c.model_version,
    c.attribute,
    c.member,
    c.exits,
    c.exits - c.hits AS missed,
    c.recall,
    c.recall / nullif(c.other_recall, 0) AS recall_ratio,
    c.other_member AS compared_with,
    exp(i.log_ratio - i.half_width) AS low,
    exp(i.log_ratio + i.half_width) AS high,
    c.recall < 0.8 * c.other_recall AND i.log_ratio + i.half_width < 0 AS disparate
FROM compared AS c
CROSS JOIN LATERAL (
    SELECT
        ln((c.hits + 0.5::double precision) / (c.exits + 0.5)) - ln((c.other_hits + 0.5::double precision) / (c.other_exits + 0.5)) AS log_ratio,
        1.959964 * sqrt(1 / (c.hits + 0.5::double precision) - 1 / (c.exits + 0.5) + 1 / (c.other_hits + 0.5) - 1 / (c.other_exits + 0.5)) AS half_width
) AS i;

COMMENT ON VIEW attrition.missed_ratio IS 'Of those who left: is any group flagged much less often before than another? By month of scoring, model version and group attribute; of months whose horizon has passed.';
COMMENT ON COLUMN attrition.missed_ratio.cohort IS 'The month of scoring: its start (UTC). A condition on it reads those partitions alone.';
COMMENT ON COLUMN attrition.missed_ratio.model_name IS 'The model.';
COMMENT ON COLUMN attrition.missed_ratio.model_version IS 'The version of that model.';
COMMENT ON COLUMN attrition.missed_ratio.attribute IS 'A group attribute of the schema.';
COMMENT ON COLUMN attrition.missed_ratio.member IS 'The group. Groups with fewer exits than minimum_group are not here.';
COMMENT ON COLUMN attrition.missed_ratio.exits IS 'How many of it left within the horizon.';
COMMENT ON COLUMN attrition.missed_ratio.missed IS 'How many of those were not flagged.';
COMMENT ON COLUMN attrition.missed_ratio.recall IS 'Share of them that was flagged.';
COMMENT ON COLUMN attrition.missed_ratio.recall_ratio IS 'That by the recall of compared_with.';
COMMENT ON COLUMN attrition.missed_ratio.compared_with IS 'The group of the greatest recall.';
COMMENT ON COLUMN attrition.missed_ratio.low IS 'Lower end of the 95 % interval of the ratio (Katz, with a half added to each count).';
COMMENT ON COLUMN attrition.missed_ratio.high IS 'Upper end.';
COMMENT ON COLUMN attrition.missed_ratio.disparate IS 'Below 0.8, and the interval wholly below 1.';

-- For the sink's gauge.
CREATE FUNCTION attrition.contradicted_versions() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM attrition.expected_against_realised AS c
    WHERE c.finding IN ('concept drift', 'uncalibrated')
        AND c.cohort = (SELECT max(x.cohort) FROM attrition.performance_checks AS x WHERE x.is_enough)
$$;
COMMENT ON FUNCTION attrition.contradicted_versions IS 'How many model versions the newest month with enough exits contradicts.';

ALTER FUNCTION attrition.maintain() RENAME TO maintain_until_29;
COMMENT ON FUNCTION attrition.maintain_until_29 IS 'What maintain does but for the checks of performance; it calls this.';
CREATE FUNCTION attrition.maintain() RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    months bigint;
BEGIN
    BEGIN
        months := attrition.check_performance();
        IF months > 0 THEN
            RETURN NEXT format('performance: %s months checked', months);
        END IF;
    EXCEPTION WHEN OTHERS THEN
        RETURN NEXT format('performance: not checked: %s', sqlerrm);
    END;
    RETURN QUERY SELECT attrition.maintain_until_29();
END
$$;
REVOKE ALL ON FUNCTION attrition.maintain() FROM PUBLIC;
COMMENT ON FUNCTION attrition.maintain IS 'Checks the months whose horizon has passed, makes the partitions of the months ahead, counts the days that are over, applies retention, computes groups and figures; to be run once a day by the owner.';

-- Rights of this migration beside those of the ones before.
REVOKE ALL ON FUNCTION attrition.contradicted_versions() FROM PUBLIC;
ALTER FUNCTION attrition.grant_roles() RENAME TO grant_roles_until_29;
COMMENT ON FUNCTION attrition.grant_roles_until_29 IS 'Rights of the roles on what migrations 1 to 29 made; grant_roles calls it.';
CREATE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM attrition.grant_roles_until_29();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_writer') THEN
        GRANT EXECUTE ON FUNCTION attrition.contradicted_versions() TO attrition_writer;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION attrition.grant_roles() FROM PUBLIC;
COMMENT ON FUNCTION attrition.grant_roles IS 'Rights of the roles that exist; sql/migrate calls it at its end.';

-- Performance before the truth is known, as CBPE of NannyML estimates it: a calibrated risk of p is an exit with the chance p,
-- so sums of p are expected counts. Of the people of predicted_against_actual, so that realised_performance of the same cohort
-- is the same question, answered.
CREATE VIEW attrition.expected_performance AS
WITH scored AS (
    SELECT
        a.cohort,
        a.model_name,
        a.model_version,
        g.attribute,
        g.member,
        a.risk,
        a.flagged
    FROM attrition.predicted_against_actual AS a
    CROSS JOIN LATERAL (
        SELECT 'all' AS attribute, 'all' AS member
        UNION ALL
        SELECT c.name, CASE
            WHEN coalesce(jsonb_typeof(v.value), 'null') = 'null' THEN 'missing'
            WHEN jsonb_typeof(v.value) = 'number' AND c.bands IS NOT NULL
                THEN c.band_names[1 + width_bucket(v.value::double precision, c.bands)]
            WHEN jsonb_typeof(v.value) = 'number' AND c.value_labels IS NOT NULL
                THEN coalesce(c.value_labels[1 + (v.value::double precision - c.lowest)::integer], v.value #>> '{}')
            ELSE v.value #>> '{}'
        END
        FROM attrition.schema_columns AS c
        CROSS JOIN LATERAL (SELECT a.input -> c.name AS value) AS v
        WHERE c.is_group OR c.is_unit
    ) AS g
),

-- Those of one risk together: of pairs of a leaver and a stayer the lower risks count whole, equal ones half.
levels AS (
    SELECT
        cohort,
        model_name,
        model_version,
        attribute,
        member,
        risk,
        count(*) AS employees,
        count(*) FILTER (WHERE flagged) AS flagged,
        sum(risk) AS exits,
        sum(1 - risk) AS stays,
        sum(risk) FILTER (WHERE flagged) AS hits,
        sum(risk * (1 - risk)) AS variance,
        sum(risk * (1 - risk)) FILTER (WHERE flagged) AS hits_variance
    FROM scored
    GROUP BY 1, 2, 3, 4, 5, 6
),

ranked AS (
    SELECT
        l.*,
        sum(stays) OVER (part ORDER BY risk) - stays / 2 AS stays_below,
        sum(employees) OVER (part ORDER BY risk DESC) - employees AS above,
        sum(employees) OVER part AS part_size
    FROM levels AS l
    WINDOW part AS (PARTITION BY cohort, model_name, model_version, attribute, member)
),

summed AS (
    SELECT
        cohort,
        model_name,
        model_version,
        attribute,
        member,
        sum(employees)::bigint AS employees,
        sum(exits) AS expected_exits,
        sum(flagged)::bigint AS flagged,
        coalesce(sum(hits), 0) AS expected_hits,
        sum(exits * stays_below) / nullif(sum(exits) * sum(stays), 0) AS auc,
        sum(variance) AS variance,
        coalesce(sum(hits_variance), 0) AS hits_variance,
        sum(exits) FILTER (WHERE above < ceil(part_size / 10.0))
            / nullif(sum(employees) FILTER (WHERE above < ceil(part_size / 10.0)), 0) AS top_share
    FROM ranked
    GROUP BY 1, 2, 3, 4, 5
    HAVING sum(employees) >= (SELECT attrition.minimum_group())
)

SELECT
    cohort,
    model_name,
    model_version,
    attribute,
    member,
    employees,
    expected_exits,
    flagged,
    expected_hits,
    m.precision,
    greatest(0, m.precision - m.precision_half_width) AS precision_low,
    least(1, m.precision + m.precision_half_width) AS precision_high,
    m.recall,
    greatest(0, m.recall - m.recall_half_width) AS recall_low,
    least(1, m.recall + m.recall_half_width) AS recall_high,
    auc,
    variance / employees AS brier_score,
    top_share / nullif(expected_exits / employees, 0) AS lift,
    expected_exits >= 30 AND employees - expected_exits >= 30 AND flagged >= 30 AS is_enough
FROM summed
CROSS JOIN LATERAL (
    SELECT expected_hits / nullif(flagged, 0) AS precision, expected_hits / nullif(expected_exits, 0) AS recall
) AS s
CROSS JOIN LATERAL (
    SELECT
        s.precision,
        s.recall,
        1.959964 * sqrt(hits_variance) / nullif(flagged, 0) AS precision_half_width,
        1.959964 * sqrt((1 - s.recall) ^ 2 * hits_variance + s.recall ^ 2 * (variance - hits_variance))
            / nullif(expected_exits, 0) AS recall_half_width
) AS m;

COMMENT ON VIEW attrition.expected_performance IS 'realised_performance estimated before the truth is known, from the risks alone (CBPE). Right as far as the risks are calibrated.';
COMMENT ON COLUMN attrition.expected_performance.cohort IS 'The month of scoring: its start (UTC). A condition on it reads those partitions alone.';
COMMENT ON COLUMN attrition.expected_performance.model_name IS 'The model.';
COMMENT ON COLUMN attrition.expected_performance.model_version IS 'The version of that model.';
COMMENT ON COLUMN attrition.expected_performance.attribute IS 'A group or unit attribute of the schema, or all.';
COMMENT ON COLUMN attrition.expected_performance.member IS 'The group: category, label or band; missing where the value is.';
COMMENT ON COLUMN attrition.expected_performance.employees IS 'How many there are, whether their horizon has passed or not.';
COMMENT ON COLUMN attrition.expected_performance.expected_exits IS 'Sum of their risks.';
COMMENT ON COLUMN attrition.expected_performance.flagged IS 'How many of them reach the threshold.';
COMMENT ON COLUMN attrition.expected_performance.expected_hits IS 'Sum of the risks of those.';
COMMENT ON COLUMN attrition.expected_performance.precision IS 'expected_hits by flagged.';
COMMENT ON COLUMN attrition.expected_performance.precision_low IS 'Lower end of its 95 % interval: chance alone, the risks taken as right.';
COMMENT ON COLUMN attrition.expected_performance.precision_high IS 'Upper end.';
COMMENT ON COLUMN attrition.expected_performance.recall IS 'expected_hits by expected_exits.';
COMMENT ON COLUMN attrition.expected_performance.recall_low IS 'Lower end of its 95 % interval, likewise (by the delta method).';
COMMENT ON COLUMN attrition.expected_performance.recall_high IS 'Upper end.';
COMMENT ON COLUMN attrition.expected_performance.auc IS 'Expected chance that who leaves has a greater risk than who stays; ties count half.';
COMMENT ON COLUMN attrition.expected_performance.brier_score IS 'Expected mean square of risk less outcome.';
COMMENT ON COLUMN attrition.expected_performance.lift IS 'Expected share of exits among the tenth of the greatest risk (ties included) by that among all.';
COMMENT ON COLUMN attrition.expected_performance.is_enough IS 'Whether 30 exits and 30 others are expected and 30 are flagged: with fewer the figures say little.';

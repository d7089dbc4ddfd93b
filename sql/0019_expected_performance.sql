-- How good decisions are expected to be before the truth is known, from the risks alone: if risks are calibrated, a share of
-- p of those with the risk p leave, so Σ p counts exits before they happen. NannyML calls it confidence-based performance
-- estimation (CBPE): https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html

-- The groups that a scored record belongs to: by each group and unit attribute of the schema, and everybody.
CREATE FUNCTION attrition.groups_of(input jsonb) RETURNS TABLE (attribute text, member text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'all', 'all'
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
    CROSS JOIN LATERAL (SELECT input -> c.name AS value) AS v
    WHERE c.is_group OR c.is_unit
$$;
COMMENT ON FUNCTION attrition.groups_of IS 'Group and unit attributes of a scored record with their members, and all.';

-- By day, model and group, in 1,000 steps of risk within which the order does not count. An employee who was scored more than
-- once on a day counts with the last one.
CREATE VIEW attrition.expected_performance AS
SELECT
    d.day,
    e.model_name,
    e.model_version,
    e.attribute,
    e.member,
    e.employees,
    e.expected_exits,
    e.flagged,
    e.expected_hits,
    e.expected_hits / nullif(e.flagged, 0) AS precision,
    e.expected_hits / nullif(e.expected_exits, 0) AS recall,
    e.auc_pairs / nullif(e.expected_exits * (e.employees - e.expected_exits), 0) AS auc,
    e.brier_score,
    CASE
        WHEN least(e.expected_exits, e.employees - e.expected_exits) < 5 THEN 'too few'
        WHEN r.calibration_low > 1 THEN 'risks have been too low'
        WHEN r.calibration_high < 1 THEN 'risks have been too high'
    END AS doubt
FROM attrition.scored_days AS d
CROSS JOIN LATERAL (
    WITH last_scored AS (
        SELECT DISTINCT ON (p.employee_id, p.model_name, p.model_version)
            p.model_name,
            p.model_version,
            p.probability AS risk,
            p.probability >= p.threshold AS is_flagged,
            p.input
        FROM attrition.predictions AS p
        WHERE p.scored_at >= d.day AND p.scored_at < d.day_end AND p.channel = 'STREAM' AND p.employee_id IS NOT NULL
        ORDER BY p.employee_id, p.model_name, p.model_version, p.scored_at DESC, p.output_offset DESC
    ),

    steps AS (
        SELECT
            s.model_name,
            s.model_version,
            g.attribute,
            g.member,
            count(*) AS employees,
            sum(s.risk) AS exits,
            count(*) FILTER (WHERE s.is_flagged) AS flagged,
            coalesce(sum(s.risk) FILTER (WHERE s.is_flagged), 0) AS hits,
            sum(s.risk * (1 - s.risk)) AS spread,
            sum(count(*) - sum(s.risk)) OVER (
                PARTITION BY s.model_name, s.model_version, g.attribute, g.member
                ORDER BY floor(s.risk * 1000) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS stayers_below
        FROM last_scored AS s
        CROSS JOIN LATERAL attrition.groups_of(s.input) AS g
        GROUP BY s.model_name, s.model_version, g.attribute, g.member, floor(s.risk * 1000)
    )

    SELECT
        model_name,
        model_version,
        attribute,
        member,
        sum(employees) AS employees,
        sum(exits) AS expected_exits,
        sum(flagged) AS flagged,
        sum(hits) AS expected_hits,
        sum(exits * (coalesce(stayers_below, 0) + (employees - exits) / 2)) AS auc_pairs,
        sum(spread) / sum(employees) AS brier_score
    FROM steps
    GROUP BY model_name, model_version, attribute, member
    HAVING sum(employees) >= (SELECT attrition.minimum_group())
) AS e
LEFT JOIN LATERAL (
    SELECT q.* FROM attrition.realised_performance AS q
    WHERE q.cohort = (
        SELECT max(m.month) FROM attrition.scored_months AS m
        WHERE m.month_end <= d.day - (SELECT attrition.horizon())
            AND EXISTS (SELECT FROM attrition.predictions AS p WHERE p.scored_at >= m.month AND p.scored_at < m.month_end)
    )
) AS r ON r.model_name = e.model_name AND r.model_version = e.model_version AND r.attribute = e.attribute AND r.member = e.member;

COMMENT ON VIEW attrition.expected_performance IS
'How good decisions are expected to be before the truth is known, by day, model and group: from calibrated risks (CBPE).';
COMMENT ON COLUMN attrition.expected_performance.day IS 'The day (UTC) on which they were scored.';
COMMENT ON COLUMN attrition.expected_performance.model_name IS 'By which model.';
COMMENT ON COLUMN attrition.expected_performance.model_version IS 'By which version of it.';
COMMENT ON COLUMN attrition.expected_performance.attribute IS 'A group or unit attribute of the schema, or all.';
COMMENT ON COLUMN attrition.expected_performance.member IS 'Its value, band or label.';
COMMENT ON COLUMN attrition.expected_performance.employees IS 'How many were scored that day, each by the last score.';
COMMENT ON COLUMN attrition.expected_performance.expected_exits IS 'Sum of their risks.';
COMMENT ON COLUMN attrition.expected_performance.flagged IS 'How many of them are flagged.';
COMMENT ON COLUMN attrition.expected_performance.expected_hits IS 'Sum of the risks of those.';
COMMENT ON COLUMN attrition.expected_performance.precision IS 'expected_hits by flagged.';
COMMENT ON COLUMN attrition.expected_performance.recall IS 'expected_hits by expected_exits.';
COMMENT ON COLUMN attrition.expected_performance.auc IS 'Chance that who leaves has a greater risk than who stays, as the risks say; within steps of 0.001 as good as tied.';
COMMENT ON COLUMN attrition.expected_performance.brier_score IS 'Mean of risk × (1 − risk), the Brier score that is expected.';
COMMENT ON COLUMN attrition.expected_performance.doubt IS
'Why not to trust the row: too few (less than 5 exits or stayers expected), or the newest matured cohort of this model and group left more or less than its risks said (realised_performance). Null: no reason known.';


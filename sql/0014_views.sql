-- Views over time. Each has a column of time that leads to the partitions of its months: scored_at itself, or a day or
-- cohort that a lateral query turns into bounds of scored_at, so that only those partitions are read.

-- Months that predictions has partitions for or rows in. UTC, like the partitions' bounds.
CREATE VIEW attrition.scored_months AS
SELECT m.month, (m.month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC' AS month_end
FROM (
    SELECT make_timestamptz(substr(c.relname, 13, 4)::integer, substr(c.relname, 18, 2)::integer, 1, 0, 0, 0, 'UTC') AS month
    FROM pg_catalog.pg_inherits AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'attrition.predictions'::regclass AND c.relname ~ '^predictions_[0-9]{4}_[0-9]{2}$'
    UNION
    SELECT date_trunc('month', d.scored_at, 'UTC') FROM attrition.predictions_default AS d
) AS m;

CREATE VIEW attrition.scored_days AS
SELECT d.day AT TIME ZONE 'UTC' AS day, d.day AT TIME ZONE 'UTC' + interval '24 hours' AS day_end
FROM attrition.scored_months AS m
CROSS JOIN LATERAL generate_series(m.month AT TIME ZONE 'UTC', m.month_end AT TIME ZONE 'UTC' - interval '1 day', '1 day') AS d (day);

-- Each prediction of the stream that came to stand, beside the one that stood before it: the newest by (occurred_at,
-- source_offset), as in latest_predictions, of those that were scored earlier. An older event that is scored late never
-- stood, and a repeat is its own predecessor: neither is here.
CREATE VIEW attrition.prediction_steps AS
SELECT
    p.scored_at,
    p.employee_id,
    p.event_id,
    p.occurred_at,
    b.scored_at AS before_scored_at,
    b.prediction AS decision_before,
    p.prediction AS decision,
    b.probability AS risk_before,
    p.probability AS risk,
    p.probability - b.probability AS risk_change,
    b.margin AS margin_before,
    p.margin,
    p.margin - b.margin AS margin_change,
    CASE
        WHEN (b.model_name, b.model_version) = (p.model_name, p.model_version) THEN 0
        WHEN a.model_change IS NOT NULL THEN a.model_change
        WHEN b.input = p.input THEN p.margin - b.margin
    END AS model_change,
    b.model_name AS model_name_before,
    b.model_version AS model_version_before,
    p.model_name,
    p.model_version,
    b.input AS input_before,
    p.input,
    p.reasons,
    a.drivers
FROM attrition.predictions AS p
LEFT JOIN LATERAL (
    SELECT q.* FROM attrition.predictions AS q
    WHERE q.employee_id = p.employee_id AND q.channel = 'STREAM' AND q.scored_at <= p.scored_at
        AND (q.scored_at, coalesce(q.output_topic, ''), q.output_partition, q.output_offset)
        < (p.scored_at, coalesce(p.output_topic, ''), p.output_partition, p.output_offset)
    ORDER BY q.occurred_at DESC, q.source_offset DESC
    LIMIT 1
) AS b ON true
LEFT JOIN LATERAL (
    SELECT al.model_change, al.drivers FROM attrition.alerts AS al
    WHERE al.event_id = p.event_id AND al.employee_id = p.employee_id AND al.source_topic = p.source_topic
        AND al.source_partition = p.source_partition AND al.source_offset = p.source_offset
    LIMIT 1
) AS a ON true
WHERE p.channel = 'STREAM' AND p.employee_id IS NOT NULL
    AND (b.employee_id IS NULL OR (p.occurred_at, p.source_offset) > (b.occurred_at, b.source_offset));

-- Changes add up: the sum of an employee's rows between two times is the change between them.
CREATE VIEW attrition.movers AS
SELECT
    scored_at,
    employee_id,
    event_id,
    occurred_at,
    risk_before,
    risk,
    risk_change,
    margin_change,
    margin_change - model_change AS record_change,
    model_change,
    decision_before,
    decision,
    model_name_before,
    model_version_before,
    model_name,
    model_version
FROM attrition.prediction_steps
WHERE before_scored_at IS NOT NULL;

CREATE VIEW attrition.crossings AS
SELECT
    scored_at,
    employee_id,
    event_id,
    occurred_at,
    decision_before,
    decision,
    risk_before,
    risk,
    record_change,
    model_change,
    model_name_before,
    model_version_before,
    model_name,
    model_version
FROM attrition.movers
WHERE decision <> decision_before;

CREATE VIEW attrition.employee_history AS
SELECT
    s.scored_at,
    s.employee_id,
    s.event_id,
    s.occurred_at,
    c.attribute,
    c.old_value,
    c.new_value,
    s.risk_before,
    s.risk,
    s.decision_before,
    s.decision,
    r.contribution,
    d.contribution_change,
    s.model_name,
    s.model_version
FROM attrition.prediction_steps AS s
LEFT JOIN LATERAL (
    SELECT k.attribute, s.input_before ->> k.attribute AS old_value, s.input ->> k.attribute AS new_value
    FROM jsonb_object_keys(s.input_before || s.input) AS k (attribute)
    WHERE (s.input_before ->> k.attribute) IS DISTINCT FROM (s.input ->> k.attribute)
) AS c ON true
LEFT JOIN LATERAL (
    SELECT (e.reason ->> 'contribution')::double precision AS contribution
    FROM jsonb_array_elements(s.reasons) AS e (reason)
    WHERE e.reason ->> 'feature' = c.attribute
    LIMIT 1
) AS r ON true
LEFT JOIN LATERAL (
    SELECT (e.driver ->> 'contribution_after')::double precision - (e.driver ->> 'contribution_before')::double precision
        AS contribution_change
    FROM jsonb_array_elements(s.drivers) AS e (driver)
    WHERE e.driver ->> 'feature' = c.attribute
    LIMIT 1
) AS d ON true;

-- An exit begins a new employment's if the employee was scored on an event of between the exit before and this one; else
-- it is the same exit again, and the record that came last says when it was.
CREATE VIEW attrition.outcomes_once AS
WITH ordered AS (
    SELECT
        o.employee_id,
        o.event_id,
        o.occurred_at,
        o.received_at,
        o.topic,
        o.partition,
        o."offset",
        lag(o.occurred_at) OVER (
            PARTITION BY o.employee_id ORDER BY o.occurred_at, o.received_at, o.topic, o.partition, o."offset"
        ) AS exit_before
    FROM attrition.outcomes AS o
    WHERE o.event_type = 'TERMINATED'
),

numbered AS (
    SELECT
        o.*,
        sum((o.exit_before IS NULL OR (o.exit_before < o.occurred_at AND EXISTS (
            SELECT FROM attrition.predictions AS p
            WHERE p.employee_id = o.employee_id AND p.channel = 'STREAM'
                AND p.occurred_at > o.exit_before AND p.occurred_at <= o.occurred_at
        )))::integer) OVER (
            PARTITION BY o.employee_id ORDER BY o.occurred_at, o.received_at, o.topic, o.partition, o."offset"
        ) AS employment
    FROM ordered AS o
)

SELECT DISTINCT ON (n.employee_id, n.employment)
    n.employee_id,
    n.employment,
    n.occurred_at AS exited_at,
    n.event_id,
    n.received_at,
    count(*) OVER (PARTITION BY n.employee_id, n.employment) AS records
FROM numbered AS n
ORDER BY n.employee_id, n.employment, n.received_at DESC, n.topic DESC, n.partition DESC, n."offset" DESC;

-- Who was scored in a month, once, by the score that stood last in it, against what came of it within the horizon. Who had
-- left when the score was made is not in it.
CREATE VIEW attrition.predicted_against_actual AS
WITH exits AS (
    SELECT employee_id, array_agg(exited_at ORDER BY exited_at) AS at FROM attrition.outcomes_once GROUP BY 1
),

held AS (
    SELECT
        m.month AS cohort,
        s.employee_id,
        s.event_id,
        s.occurred_at,
        s.scored_at,
        s.model_name,
        s.model_version,
        s.probability AS risk,
        s.threshold,
        s.probability >= s.threshold AS flagged,
        s.input,
        o.exited_at,
        s.scored_at + (SELECT attrition.horizon()) AS horizon_end,
        o.had_left
    FROM attrition.scored_months AS m
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (r.employee_id)
            r.employee_id, r.event_id, r.occurred_at, r.scored_at, r.model_name, r.model_version, r.probability, r.threshold, r.input
        FROM attrition.predictions AS r
        WHERE r.scored_at >= m.month AND r.scored_at < m.month_end AND r.channel = 'STREAM' AND r.employee_id IS NOT NULL
        ORDER BY r.employee_id, r.occurred_at DESC, r.source_offset DESC, r.scored_at
    ) AS s
    LEFT JOIN exits AS e ON e.employee_id = s.employee_id
    CROSS JOIN LATERAL (
        SELECT
            min(x.at) FILTER (WHERE x.at > s.scored_at) AS exited_at,
            coalesce(bool_or(x.at >= s.occurred_at AND x.at <= s.scored_at), false) AS had_left
        FROM unnest(e.at) AS x (at)
    ) AS o
)

SELECT
    h.cohort,
    h.employee_id,
    h.event_id,
    h.occurred_at,
    h.scored_at,
    h.model_name,
    h.model_version,
    h.risk,
    h.threshold,
    h.flagged,
    h.exited_at,
    h.horizon_end,
    h.horizon_end <= now() AS is_mature,
    CASE
        WHEN h.exited_at <= h.horizon_end AND h.exited_at <= now() THEN 'left'
        WHEN h.horizon_end <= now() THEN 'stayed'
        ELSE 'censored'
    END AS outcome,
    h.input
FROM held AS h
WHERE NOT h.had_left;

-- Wilson's interval of a proportion, 95 %: its lower (-1) or upper (1) end.
CREATE FUNCTION attrition.wilson(successes bigint, trials bigint, side integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (p + 1.920729 / n + side * 1.959964 * sqrt(p * (1 - p) / n + 0.960365 / n ^ 2)) / (1 + 3.841459 / n)
    FROM (SELECT successes / nullif(trials, 0)::double precision AS p, nullif(trials, 0)::double precision AS n) AS share
$$;
COMMENT ON FUNCTION attrition.wilson IS 'An end of Wilson''s 95 % interval of successes among trials: side -1 the lower, 1 the upper.';

-- Of those alone whose horizon has passed, early leavers like all others: who is censored counts nowhere.
CREATE VIEW attrition.realised_performance AS
WITH matured AS (
    SELECT
        a.cohort,
        a.model_name,
        a.model_version,
        g.attribute,
        g.member,
        a.risk,
        a.flagged,
        a.outcome = 'left' AS has_left
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
    WHERE a.is_mature
),

ranked AS (
    SELECT
        m.*,
        count(*) OVER part AS part_size,
        rank() OVER (PARTITION BY cohort, model_name, model_version, attribute, member ORDER BY risk)
        + (count(*) OVER (PARTITION BY cohort, model_name, model_version, attribute, member, risk) - 1) / 2.0 AS mid_rank,
        rank() OVER (PARTITION BY cohort, model_name, model_version, attribute, member ORDER BY risk DESC) AS from_top
    FROM matured AS m
    WINDOW part AS (PARTITION BY cohort, model_name, model_version, attribute, member)
),

counted AS (
    SELECT
        cohort,
        model_name,
        model_version,
        attribute,
        member,
        count(*) AS employees,
        count(*) FILTER (WHERE has_left) AS exits,
        sum(risk) AS expected_exits,
        count(*) FILTER (WHERE flagged) AS flagged,
        count(*) FILTER (WHERE flagged AND has_left) AS hits,
        sum(mid_rank) FILTER (WHERE has_left) AS exit_ranks,
        count(*) FILTER (WHERE from_top <= ceil(part_size / 10.0)) AS in_top,
        count(*) FILTER (WHERE from_top <= ceil(part_size / 10.0) AND has_left) AS exits_in_top,
        avg((risk - has_left::integer) ^ 2) AS brier_score
    FROM ranked
    GROUP BY 1, 2, 3, 4, 5
    HAVING count(*) >= (SELECT attrition.minimum_group())
),

measured AS (
    SELECT
        c.*,
        (exit_ranks - exits * (exits + 1) / 2.0)::double precision / nullif(exits * (employees - exits), 0) AS auc
    FROM counted AS c
)

SELECT
    cohort,
    model_name,
    model_version,
    attribute,
    member,
    employees,
    exits,
    expected_exits,
    flagged,
    hits,
    hits::double precision / nullif(flagged, 0) AS precision,
    attrition.wilson(hits, flagged, -1) AS precision_low,
    attrition.wilson(hits, flagged, 1) AS precision_high,
    hits::double precision / nullif(exits, 0) AS recall,
    attrition.wilson(hits, exits, -1) AS recall_low,
    attrition.wilson(hits, exits, 1) AS recall_high,
    auc,
    greatest(0, auc - e.auc_half_width) AS auc_low,
    least(1, auc + e.auc_half_width) AS auc_high,
    exits / nullif(expected_exits, 0) AS calibration,
    exits / nullif(expected_exits, 0) * exp(-e.calibration_half_width) AS calibration_low,
    exits / nullif(expected_exits, 0) * exp(e.calibration_half_width) AS calibration_high,
    brier_score,
    exits_in_top::double precision / nullif(in_top, 0) / (nullif(exits, 0)::double precision / employees) AS lift
FROM measured
CROSS JOIN LATERAL (
    SELECT
        1.959964 * sqrt((auc * (1 - auc) + (exits - 1) * (auc / (2 - auc) - auc ^ 2)
        + (employees - exits - 1) * (2 * auc ^ 2 / (1 + auc) - auc ^ 2)) / nullif(exits * (employees - exits), 0)) AS auc_half_width,
        1.959964 * sqrt((1 - exits::double precision / employees) / nullif(exits, 0)) AS calibration_half_width
) AS e;

-- Of each attribute's values: what was missing of all that came, and what was done about it. Values that a policy took for
-- missing are null in predictions as well.
CREATE VIEW attrition.data_quality AS
SELECT
    d.day,
    q.attribute,
    q.scored + q.refused_missing + q.refused AS events,
    q.imputed + q.refused_missing AS missing,
    q.imputed,
    q.refused_missing + q.refused AS refused,
    (q.imputed + q.refused_missing)::double precision / (q.scored + q.refused_missing + q.refused) AS missing_share,
    q.imputed::double precision / (q.scored + q.refused_missing + q.refused) AS imputed_share,
    (q.refused_missing + q.refused)::double precision / (q.scored + q.refused_missing + q.refused) AS refused_share
FROM attrition.scored_days AS d
CROSS JOIN LATERAL (
    SELECT
        attribute,
        coalesce(s.scored, 0) AS scored,
        coalesce(s.imputed, 0) AS imputed,
        coalesce(r.refused_missing, 0) AS refused_missing,
        coalesce(r.refused, 0) AS refused
    FROM (
        SELECT v.key AS attribute, count(*) AS scored, count(*) FILTER (WHERE jsonb_typeof(v.value) = 'null') AS imputed
        FROM attrition.predictions AS p
        CROSS JOIN LATERAL jsonb_each(p.input) AS v
        WHERE p.scored_at >= d.day AND p.scored_at < d.day_end
        GROUP BY 1
    ) AS s
    FULL JOIN (
        SELECT
            l.field AS attribute,
            count(*) FILTER (WHERE l.code = 'missing_required') AS refused_missing,
            count(*) FILTER (WHERE l.code <> 'missing_required') AS refused
        FROM attrition.dead_letters AS l
        WHERE l.stage = 'score' AND l.field IS NOT NULL AND l.received_at >= d.day AND l.received_at < d.day_end
        GROUP BY 1
    ) AS r USING (attribute)
) AS q;

CREATE VIEW attrition.dead_letter_summary AS
SELECT
    d.day,
    l.stage,
    l.code,
    l.field,
    l.dead_letters,
    l.first_received_at,
    l.last_received_at,
    l.last_id
FROM (
    SELECT n.day AT TIME ZONE 'UTC' AS day
    FROM (SELECT min(received_at) AS first, max(received_at) AS last FROM attrition.dead_letters) AS b
    CROSS JOIN LATERAL generate_series(date_trunc('day', b.first AT TIME ZONE 'UTC'), b.last AT TIME ZONE 'UTC', '1 day') AS n (day)
) AS d
CROSS JOIN LATERAL (
    SELECT
        s.stage,
        s.code,
        s.field,
        count(*) AS dead_letters,
        min(s.received_at) AS first_received_at,
        max(s.received_at) AS last_received_at,
        max(s.id) AS last_id
    FROM attrition.dead_letters AS s
    WHERE s.received_at >= d.day AND s.received_at < d.day + interval '24 hours'
    GROUP BY 1, 2, 3
) AS l;

-- Views for analysts. Names of the data set's columns stand in this file alone: they are keys of the input jsonb.

-- After a crash an at-least-once scorer may have published a decision again: same source record, later output record.
-- This view shows the first of them; the views below stand on it.
CREATE VIEW attrition.predictions_once AS
SELECT p.*
FROM attrition.predictions AS p
WHERE p.source_topic IS NULL OR NOT EXISTS (
    SELECT
    FROM attrition.predictions AS earlier
    WHERE earlier.event_id = p.event_id
        AND earlier.cluster_id = p.cluster_id
        AND earlier.source_topic = p.source_topic
        AND earlier.source_partition = p.source_partition
        AND earlier.source_offset = p.source_offset
        AND (earlier.output_partition, earlier.output_offset) < (p.output_partition, p.output_offset)
);
COMMENT ON VIEW attrition.predictions_once IS 'predictions without the repeats an at-least-once scorer may publish after a crash.';

-- Where the risk is now.
CREATE VIEW attrition.risk_by_department AS
SELECT
    input ->> 'Department' AS department,
    count(*) AS employees,
    count(*) FILTER (WHERE probability >= threshold) AS at_risk,
    avg(probability) AS mean_probability,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY probability) AS p90_probability,
    mode() WITHIN GROUP (ORDER BY reasons -> 0 ->> 'feature') FILTER (WHERE probability >= threshold) AS commonest_reason
FROM attrition.latest_predictions
GROUP BY 1;
COMMENT ON VIEW attrition.risk_by_department IS 'Employees, those at risk and mean probability by department, as of now.';

CREATE VIEW attrition.latency_by_hour AS
SELECT
    date_trunc('hour', scored_at) AS hour,
    channel,
    count(*) AS predictions,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_us) AS p50_us,
    percentile_disc(0.99) WITHIN GROUP (ORDER BY latency_us) AS p99_us,
    max(latency_us) AS max_us
FROM attrition.predictions_once
GROUP BY 1, 2;
COMMENT ON VIEW attrition.latency_by_hour IS 'Latency in microseconds by hour and channel.';

CREATE VIEW attrition.model_usage AS
SELECT
    model_name,
    model_version,
    model_alias,
    run_id,
    count(*) AS predictions,
    avg(probability) AS mean_probability,
    avg((probability >= threshold)::integer) AS share_at_risk,
    min(scored_at) AS first_scored_at,
    max(scored_at) AS last_scored_at
FROM attrition.predictions_once
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW attrition.model_usage IS 'What each model version decided, and when.';

-- One row per day and feature, and one for the probability itself.
CREATE VIEW attrition.drift_by_day AS
SELECT
    date_trunc('day', p.scored_at) AS day,
    f.feature,
    count(*) AS predictions,
    avg((jsonb_typeof(f.value) = 'null')::integer) AS share_missing,
    avg(CASE WHEN jsonb_typeof(f.value) = 'number' THEN f.value::double precision END) AS mean,
    stddev_samp(CASE WHEN jsonb_typeof(f.value) = 'number' THEN f.value::double precision END) AS deviation,
    mode() WITHIN GROUP (ORDER BY f.value #>> '{}') AS commonest
FROM attrition.predictions_once AS p
CROSS JOIN LATERAL (
    SELECT key AS feature, value FROM jsonb_each(p.input)
    UNION ALL
    SELECT 'probability', to_jsonb(p.probability)
) AS f
GROUP BY 1, 2;
COMMENT ON VIEW attrition.drift_by_day IS 'Distribution of each feature and of the probability by day.';

-- The four-fifths rule: how often a group is flagged against the group flagged most often.
CREATE VIEW attrition.impact_ratio AS
WITH groups AS (
    SELECT g.attribute, g.member, l.probability >= l.threshold AS flagged
    FROM attrition.latest_predictions AS l
    CROSS JOIN LATERAL (VALUES
        ('Gender', l.input ->> 'Gender'),
        ('MaritalStatus', l.input ->> 'MaritalStatus'),
        ('Age', CASE WHEN (l.input ->> 'Age')::double precision >= 40 THEN '40 and over' ELSE 'under 40' END)
    ) AS g (attribute, member)
    WHERE g.member IS NOT NULL
),

rates AS (
    SELECT
        attribute,
        member,
        count(*) AS employees,
        count(*) FILTER (WHERE flagged) AS flagged,
        avg(flagged::integer) AS flag_rate
    FROM groups
    GROUP BY 1, 2
)

SELECT
    attribute,
    member,
    employees,
    flagged,
    flag_rate,
    flag_rate / nullif(max(flag_rate) OVER (PARTITION BY attribute), 0) AS impact_ratio
FROM rates;
COMMENT ON VIEW attrition.impact_ratio IS 'Rate of being flagged by group, and its ratio to the group flagged most often (four-fifths rule: look below 0.8).';

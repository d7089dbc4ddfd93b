-- What has changed the raw score since the employee's prediction before: the record, or another model. The score loop says it
-- where it keeps current records.

ALTER TABLE attrition.predictions ADD COLUMN change jsonb;
ALTER TABLE attrition.latest_predictions ADD COLUMN change jsonb;
COMMENT ON COLUMN attrition.predictions.change IS 'Object {record, model}: change of margin since the employee''s prediction before, which is the sum of both; null without one, without current records, and in older rows.';
COMMENT ON COLUMN attrition.latest_predictions.change IS 'As in predictions.';

CREATE OR REPLACE VIEW attrition.predictions_once AS
SELECT
    p.event_id,
    p.employee_id,
    p.occurred_at,
    p.scored_at,
    p.prediction,
    p.probability,
    p.threshold,
    p.margin,
    p.base,
    p.latency_us,
    p.model_name,
    p.model_version,
    p.model_alias,
    p.run_id,
    p.channel,
    p.source_topic,
    p.source_partition,
    p.source_offset,
    p.cluster_id,
    p.output_partition,
    p.output_offset,
    p.input,
    p.reasons,
    p.challengers,
    p.traceparent,
    p.output_topic,
    p.evidence_salt,
    p.evidence_digest,
    p.change
FROM attrition.predictions AS p
WHERE p.source_topic IS NULL OR NOT EXISTS (
    SELECT
    FROM attrition.predictions AS earlier
    WHERE earlier.event_id = p.event_id
        AND earlier.cluster_id = p.cluster_id
        AND earlier.source_topic = p.source_topic
        AND earlier.source_partition = p.source_partition
        AND earlier.source_offset = p.source_offset
        AND (coalesce(earlier.output_topic, ''), earlier.output_partition, earlier.output_offset)
        < (coalesce(p.output_topic, ''), p.output_partition, p.output_offset)
);
COMMENT ON COLUMN attrition.predictions_once.change IS 'As in predictions.';

-- As before, and the model's part is the prediction's own word for it, where it is of the change that the row shows: the row
-- before may have been erased since, or be of another employment.
CREATE OR REPLACE VIEW attrition.prediction_steps AS
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
        WHEN abs(c.record + c.model - (p.margin - b.margin)) <= 1e-9 * greatest(1, abs(p.margin), abs(b.margin)) THEN c.model
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
CROSS JOIN LATERAL (
    SELECT (p.change ->> 'record')::double precision AS record, (p.change ->> 'model')::double precision AS model
) AS c
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
COMMENT ON COLUMN attrition.prediction_steps.model_change IS 'What another model alone has changed of the raw score: 0 with the same, else as the prediction or the alert says, or all where the record is the same; null where it cannot be parted.';
COMMENT ON COLUMN attrition.movers.model_change IS 'As in prediction_steps.';
COMMENT ON COLUMN attrition.crossings.model_change IS 'As in prediction_steps.';

CREATE OR REPLACE VIEW attrition.employee_history AS
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
    s.model_version,
    s.margin_change - s.model_change AS record_change,
    s.model_change
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
COMMENT ON COLUMN attrition.employee_history.record_change IS 'What the record has changed of the raw score, all attributes together; null where it cannot be parted.';
COMMENT ON COLUMN attrition.employee_history.model_change IS 'As in prediction_steps.';

-- As before; the parts of the change would give the margin before away to the last digit.
CREATE OR REPLACE FUNCTION attrition.pseudonym(p attrition.predictions) RETURNS attrition.predictions
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    p.employee_id := NULL;
    p.event_id := 'erased-' || gen_random_uuid();
    p.source_topic := NULL;
    p.source_partition := NULL;
    p.source_offset := NULL;
    p.traceparent := NULL;
    p.output_topic := NULL;
    p.output_partition := NULL;
    p.output_offset := NULL;
    p.evidence_salt := NULL;
    p.evidence_digest := NULL;
    p.change := NULL;
    p.scored_at := date_trunc('day', p.scored_at, 'UTC');
    p.occurred_at := date_trunc('month', p.occurred_at, 'UTC');
    p.latency_us := p.latency_us / 100 * 100;
    p.challengers := attrition.coarse_challengers(p.challengers, p.threshold);
    p.probability := attrition.coarse_probability(p.probability, p.threshold);
    p.margin := round(p.margin::numeric, 2)::double precision;
    IF (SELECT value = 'none' FROM attrition.settings WHERE name = 'pseudonyms_keep') THEN
        p.input := '{}';
        p.reasons := '[]';
    END IF;
    RETURN p;
END
$$;

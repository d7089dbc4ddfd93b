-- Challengers held against the model in use, and the trace that an event came with.

-- Nullable and without a default: no row is rewritten.
ALTER TABLE attrition.predictions ADD COLUMN traceparent text;
ALTER TABLE attrition.latest_predictions ADD COLUMN traceparent text;
COMMENT ON COLUMN attrition.predictions.traceparent IS 'W3C trace context of the event or request; null where it had none.';
COMMENT ON COLUMN attrition.latest_predictions.traceparent IS 'W3C trace context of the event; null where it had none.';

-- Each challenger beside each version it was scored with. Agreement is at the threshold of the model in use: a
-- challenger's own stands in its file alone. Left: those predictions whose employee has left since, so far as is known.
CREATE VIEW attrition.challenger_comparison AS
SELECT
    p.model_name,
    p.model_version,
    c.model AS challenger,
    count(*) AS predictions,
    avg(((c.probability >= p.threshold) = (p.probability >= p.threshold))::integer) AS agreement,
    avg(c.probability - p.probability) AS mean_difference,
    avg(abs(c.probability - p.probability)) AS mean_absolute_difference,
    max(abs(c.probability - p.probability)) AS largest_difference,
    corr(c.probability, p.probability) AS correlation,
    count(*) FILTER (WHERE l.has_left) AS left_since,
    avg(p.probability) FILTER (WHERE l.has_left) AS mean_probability_of_left,
    avg(c.probability) FILTER (WHERE l.has_left) AS mean_challenger_probability_of_left,
    min(p.scored_at) AS first_scored_at,
    max(p.scored_at) AS last_scored_at
FROM attrition.predictions_once AS p
CROSS JOIN LATERAL jsonb_to_recordset(p.challengers) AS c (model text, probability double precision)
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM attrition.outcomes AS o
        WHERE o.employee_id = p.employee_id AND o.event_type = 'TERMINATED' AND o.occurred_at >= p.occurred_at
    ) AS has_left
) AS l
GROUP BY 1, 2, 3;
COMMENT ON VIEW attrition.challenger_comparison IS 'Challengers beside the model in use, on the same rows.';

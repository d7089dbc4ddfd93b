-- What has changed the raw score since the employee's prediction before: the record, or another model. The score loop says it
-- where it keeps current records. And what people have said of decisions.

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

-- --- reviews ---

-- Somebody has looked at a decision. Rows are added, by attrition.review, and stay as they are.
CREATE TABLE attrition.reviews (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id text NOT NULL,
    employee_id text,
    scored_at timestamptz NOT NULL,
    reviewed_at timestamptz NOT NULL DEFAULT now(),
    reviewed_by text NOT NULL DEFAULT session_user,
    overridden boolean,
    reason text NOT NULL
);
COMMENT ON TABLE attrition.reviews IS 'Reviews and overrides of decisions by people: attrition.review writes them, reviews_of_decisions shows them beside the decision.';
COMMENT ON COLUMN attrition.reviews.id IS 'The row''s number; of one decision the greatest is the last word.';
COMMENT ON COLUMN attrition.reviews.event_id IS 'The decision: event_id of its row of predictions.';
COMMENT ON COLUMN attrition.reviews.employee_id IS 'Whom the decision is of; null where that was not given.';
COMMENT ON COLUMN attrition.reviews.scored_at IS 'When the decision was made.';
COMMENT ON COLUMN attrition.reviews.reviewed_at IS 'When it was reviewed.';
COMMENT ON COLUMN attrition.reviews.reviewed_by IS 'By which user.';
COMMENT ON COLUMN attrition.reviews.overridden IS 'True: the decision does not stand. False: it stands. Null: neither, the review goes on.';
COMMENT ON COLUMN attrition.reviews.reason IS 'Why, in the reviewer''s words.';
CREATE INDEX reviews_event_id ON attrition.reviews (event_id);
CREATE INDEX reviews_employee_id ON attrition.reviews (employee_id);
CREATE INDEX reviews_reviewed_at ON attrition.reviews (reviewed_at);
INSERT INTO attrition.retention_tables VALUES ('reviews', 'reviewed_at', false);

CREATE FUNCTION attrition.review(event text, overridden boolean, reason text, employee text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    employees bigint;
    whose text;
    made_at timestamptz;
    written bigint;
BEGIN
    IF coalesce(event, '') = '' OR coalesce(reason, '') = '' THEN
        RAISE EXCEPTION 'review: give the event id of the decision and the reason';
    END IF;
    PERFORM pg_advisory_xact_lock_shared(hashtext('attrition.erasures')); -- what is being erased is gone first
    SELECT count(DISTINCT coalesce(p.employee_id, '')), min(p.employee_id), min(p.scored_at) INTO employees, whose, made_at
    FROM attrition.predictions AS p WHERE p.event_id = event AND (employee IS NULL OR p.employee_id = employee);
    IF employees = 0 THEN
        RAISE EXCEPTION 'review: predictions has no such decision'
            USING HINT = 'Give event_id of a row of attrition.predictions, as it is there; it may have been erased.';
    ELSIF employees > 1 THEN
        RAISE EXCEPTION 'review: the event id is of several employees'
            USING HINT = 'Give the employee id too: attrition.review(event, overridden, reason, employee).';
    END IF;
    INSERT INTO attrition.reviews (event_id, employee_id, scored_at, overridden, reason)
    VALUES (event, whose, made_at, overridden, reason) RETURNING id INTO written;
    RETURN written;
END
$$;
REVOKE ALL ON FUNCTION attrition.review(text, boolean, text, text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.review IS 'Records that a decision was reviewed: overridden (true), upheld (false), or neither yet (null), and why; returns its number.';

CREATE VIEW attrition.reviews_of_decisions AS
SELECT
    r.reviewed_at,
    r.id AS review_id,
    r.event_id,
    r.employee_id,
    r.reviewed_by,
    r.overridden,
    r.reason,
    NOT EXISTS (
        SELECT FROM attrition.reviews AS l
        WHERE l.event_id = r.event_id AND l.employee_id IS NOT DISTINCT FROM r.employee_id AND l.id > r.id
    ) AS is_last,
    r.scored_at,
    p.occurred_at,
    p.prediction AS decision,
    p.probability AS risk,
    p.threshold,
    p.reasons,
    p.model_name,
    p.model_version
FROM attrition.reviews AS r
LEFT JOIN LATERAL (
    SELECT d.* FROM attrition.predictions AS d
    WHERE d.scored_at = r.scored_at AND d.event_id = r.event_id AND d.employee_id IS NOT DISTINCT FROM r.employee_id
    ORDER BY d.output_partition, d.output_offset
    LIMIT 1
) AS p ON true;
COMMENT ON VIEW attrition.reviews_of_decisions IS 'Reviews beside the decisions that they are of; those of decisions which retention has removed have no decision any more.';
COMMENT ON COLUMN attrition.reviews_of_decisions.reviewed_at IS 'When it was reviewed.';
COMMENT ON COLUMN attrition.reviews_of_decisions.review_id IS 'The review''s number.';
COMMENT ON COLUMN attrition.reviews_of_decisions.event_id IS 'The event''s id.';
COMMENT ON COLUMN attrition.reviews_of_decisions.employee_id IS 'Who.';
COMMENT ON COLUMN attrition.reviews_of_decisions.reviewed_by IS 'Who reviewed it.';
COMMENT ON COLUMN attrition.reviews_of_decisions.overridden IS 'True: the decision does not stand. False: it stands. Null: neither.';
COMMENT ON COLUMN attrition.reviews_of_decisions.reason IS 'Why, in the reviewer''s words.';
COMMENT ON COLUMN attrition.reviews_of_decisions.is_last IS 'Whether it is the last word on that decision.';
COMMENT ON COLUMN attrition.reviews_of_decisions.scored_at IS 'When the decision was made.';
COMMENT ON COLUMN attrition.reviews_of_decisions.occurred_at IS 'When the change took effect in the source system.';
COMMENT ON COLUMN attrition.reviews_of_decisions.decision IS 'What the model decided.';
COMMENT ON COLUMN attrition.reviews_of_decisions.risk IS 'Probability of leaving, 0 to 1.';
COMMENT ON COLUMN attrition.reviews_of_decisions.threshold IS 'The probability from which on the decision is positive.';
COMMENT ON COLUMN attrition.reviews_of_decisions.reasons IS 'Array of {feature, contribution}.';
COMMENT ON COLUMN attrition.reviews_of_decisions.model_name IS 'The model.';
COMMENT ON COLUMN attrition.reviews_of_decisions.model_version IS 'The version of that model.';

-- Erasure reaches the reviews of what it reaches, and those whose decision is there no more.
ALTER TABLE attrition.erasures ADD COLUMN reviews bigint;
COMMENT ON COLUMN attrition.erasures.reviews IS 'Rows of reviews that were erased.';

ALTER FUNCTION attrition.erase_reached(tid, text, text) RENAME TO erase_reached_until_21;
COMMENT ON FUNCTION attrition.erase_reached_until_21 IS 'What erase_reached does but for reviews; it calls this.';
CREATE FUNCTION attrition.erase_reached(place tid, employee text, how text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request attrition.erasures;
    gone bigint;
BEGIN
    SELECT e.* INTO request FROM attrition.erasures AS e WHERE e.ctid = place;
    PERFORM attrition.erase_reached_until_21(place, employee, how);
    DELETE FROM attrition.reviews AS r
    WHERE r.employee_id = employee AND NOT EXISTS (
        SELECT FROM attrition.predictions AS p WHERE p.employee_id = employee AND p.event_id = r.event_id
    );
    GET DIAGNOSTICS gone = ROW_COUNT;
    UPDATE attrition.erasures AS e SET reviews = coalesce(e.reviews, 0) + gone
    WHERE e.receipt = request.receipt AND e.cluster_id = request.cluster_id
        AND e.output_topic IS NOT DISTINCT FROM request.output_topic
        AND e.output_partition = request.output_partition AND e.output_offset = request.output_offset;
END
$$;
REVOKE ALL ON FUNCTION attrition.erase_reached(tid, text, text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.erase_reached IS 'Does one request of erasures and writes its receipt.';

ALTER FUNCTION attrition.erase_employee(text) RENAME TO erase_employee_until_21;
COMMENT ON FUNCTION attrition.erase_employee_until_21 IS 'What erase_employee does but for reviews; it calls this.';
CREATE FUNCTION attrition.erase_employee(employee text) RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    total bigint := attrition.erase_employee_until_21(employee);
    gone bigint;
BEGIN
    DELETE FROM attrition.reviews WHERE employee_id = employee;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN total + gone;
END
$$;
REVOKE ALL ON FUNCTION attrition.erase_employee(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.erase_employee IS 'Removes all rows of one employee and marks the erasure requests as done.';

ALTER FUNCTION attrition.export_employee(text) RENAME TO export_employee_until_21;
COMMENT ON FUNCTION attrition.export_employee_until_21 IS 'What export_employee gives but for reviews; it calls this.';
CREATE FUNCTION attrition.export_employee(employee text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    SELECT attrition.export_employee_until_21(employee) || jsonb_build_object(
        'reviews', (SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.id), '[]')
            FROM attrition.reviews AS r WHERE r.employee_id = employee))
$$;
REVOKE ALL ON FUNCTION attrition.export_employee(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.export_employee IS 'All rows of one employee, of every table, as JSON.';

-- As before; whoever answers people's requests records reviews. What the new functions call is nobody's to call.
ALTER FUNCTION attrition.grant_roles() RENAME TO grant_roles_until_21;
COMMENT ON FUNCTION attrition.grant_roles_until_21 IS 'Rights of the roles on what migrations 1 to 21 made; grant_roles calls it.';
CREATE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM attrition.grant_roles_until_21();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_eraser') THEN
        GRANT SELECT ON attrition.reviews_of_decisions TO attrition_eraser;
        GRANT EXECUTE ON FUNCTION attrition.review(text, boolean, text, text) TO attrition_eraser;
        REVOKE ALL ON FUNCTION attrition.erase_employee_until_21(text), attrition.export_employee_until_21(text)
            FROM attrition_eraser;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION attrition.grant_roles() FROM PUBLIC;
COMMENT ON FUNCTION attrition.grant_roles IS 'Rights of the roles that exist; sql/migrate calls it at its end.';

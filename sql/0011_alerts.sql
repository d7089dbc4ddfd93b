-- Alerts: whose risk has changed, and why. Like outcomes they come by a topic of their own and say their source in
-- headers, by which erasures reach them.

CREATE TABLE attrition.alerts (
    event_id text NOT NULL,
    employee_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    kind text NOT NULL,
    before_prediction text,
    before_probability double precision,
    before_margin double precision,
    before_threshold double precision,
    before_model_name text,
    before_model_version text,
    after_prediction text NOT NULL,
    after_probability double precision NOT NULL,
    after_margin double precision NOT NULL,
    after_threshold double precision NOT NULL,
    after_model_name text NOT NULL,
    after_model_version text NOT NULL,
    drivers jsonb,
    model_change double precision NOT NULL,
    cause text NOT NULL,
    source_topic text,
    source_partition integer,
    source_offset bigint,
    cluster_id text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE attrition.alerts IS 'One row per record of the alert topic: an employee whose risk has changed, and why.';
COMMENT ON COLUMN attrition.alerts.event_id IS 'The event that raised it.';
COMMENT ON COLUMN attrition.alerts.employee_id IS 'Whose risk has changed.';
COMMENT ON COLUMN attrition.alerts.occurred_at IS 'When the change took effect in the source system.';
COMMENT ON COLUMN attrition.alerts.kind IS 'FIRST, CROSSED_UP, CROSSED_DOWN or MOVED (docs/ALERTS.md).';
COMMENT ON COLUMN attrition.alerts.before_prediction IS 'The decision before; null, like all before_…, where there was none.';
COMMENT ON COLUMN attrition.alerts.before_probability IS 'Of leaving, before.';
COMMENT ON COLUMN attrition.alerts.before_margin IS 'Raw score of the model, before.';
COMMENT ON COLUMN attrition.alerts.before_threshold IS 'The threshold that the decision before was made with.';
COMMENT ON COLUMN attrition.alerts.before_model_name IS 'The model that made it.';
COMMENT ON COLUMN attrition.alerts.before_model_version IS 'The version of that model.';
COMMENT ON COLUMN attrition.alerts.after_prediction IS 'The decision now.';
COMMENT ON COLUMN attrition.alerts.after_probability IS 'Of leaving, now.';
COMMENT ON COLUMN attrition.alerts.after_margin IS 'Raw score of the model, now.';
COMMENT ON COLUMN attrition.alerts.after_threshold IS 'The threshold that the decision now was made with.';
COMMENT ON COLUMN attrition.alerts.after_model_name IS 'The model that made it.';
COMMENT ON COLUMN attrition.alerts.after_model_version IS 'The version of that model.';
COMMENT ON COLUMN attrition.alerts.drivers IS 'Array of {feature, before, after, contribution_before, contribution_after}, largest change first, under the model of after_…; null where that has no reference.';
COMMENT ON COLUMN attrition.alerts.model_change IS 'What the model alone has changed of the margin: with the drivers'' changes it adds up to after_margin - before_margin.';
COMMENT ON COLUMN attrition.alerts.cause IS 'RECORD, MODEL or BOTH: what differs from the prediction before.';
COMMENT ON COLUMN attrition.alerts.source_topic IS 'Where the event is on the input topic, with source_partition and source_offset; null where the record does not say.';
COMMENT ON COLUMN attrition.alerts.source_partition IS 'See source_topic.';
COMMENT ON COLUMN attrition.alerts.source_offset IS 'See source_topic.';
COMMENT ON COLUMN attrition.alerts.cluster_id IS 'The Kafka cluster whose alert topic holds the record.';
COMMENT ON COLUMN attrition.alerts.topic IS 'Where the record is, with partition and offset.';
COMMENT ON COLUMN attrition.alerts.partition IS 'See topic.';
COMMENT ON COLUMN attrition.alerts."offset" IS 'See topic.';
COMMENT ON COLUMN attrition.alerts.received_at IS 'When the row was stored.';
CREATE INDEX alerts_employee_id ON attrition.alerts (employee_id);
CREATE INDEX alerts_event_id ON attrition.alerts (event_id);
CREATE INDEX alerts_received_at ON attrition.alerts (received_at);

CREATE VIEW attrition.alerts_once AS
SELECT
    a.event_id,
    a.employee_id,
    a.occurred_at,
    a.kind,
    a.before_prediction,
    a.before_probability,
    a.before_margin,
    a.before_threshold,
    a.before_model_name,
    a.before_model_version,
    a.after_prediction,
    a.after_probability,
    a.after_margin,
    a.after_threshold,
    a.after_model_name,
    a.after_model_version,
    a.drivers,
    a.model_change,
    a.cause,
    a.source_topic,
    a.source_partition,
    a.source_offset,
    a.cluster_id,
    a.topic,
    a.partition,
    a."offset",
    a.received_at
FROM attrition.alerts AS a
WHERE a.source_topic IS NULL OR NOT EXISTS (
    SELECT
    FROM attrition.alerts AS earlier
    WHERE earlier.event_id = a.event_id
        AND earlier.cluster_id = a.cluster_id
        AND earlier.source_topic = a.source_topic
        AND earlier.source_partition = a.source_partition
        AND earlier.source_offset = a.source_offset
        AND (earlier.topic, earlier.partition, earlier."offset") < (a.topic, a.partition, a."offset")
);
COMMENT ON VIEW attrition.alerts_once IS 'Alerts without the repeats that at-least-once delivery may bring: one per event.';

ALTER TABLE attrition.erasures ADD COLUMN alerts bigint;
COMMENT ON COLUMN attrition.erasures.alerts IS 'Rows of alerts that were erased; null in receipts from before migration 11.';

-- As erase_late_outcome of migration 9.
CREATE FUNCTION attrition.erase_late_alert() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('attrition.erasures'));
    UPDATE attrition.erasures SET alerts = coalesce(alerts, 0) + 1
    WHERE ctid = (
        SELECT e.ctid FROM attrition.erasures AS e
        WHERE e.employee_id = new.employee_id AND e.erased_at IS NOT NULL
            AND attrition.is_after(new.cluster_id, new.source_topic, new.source_partition, new.source_offset,
                e.cluster_id, e.source_topic, e.source_partition, e.source_offset)
        ORDER BY e.source_offset LIMIT 1);
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER erase_late BEFORE INSERT ON attrition.alerts
FOR EACH ROW EXECUTE FUNCTION attrition.erase_late_alert();
REVOKE ALL ON FUNCTION attrition.erase_late_alert() FROM PUBLIC;

-- As in 0009_erasure_order.sql, and alerts.
CREATE OR REPLACE FUNCTION attrition.erase_requested(how text DEFAULT 'delete') RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place tid;
    request attrition.erasures;
    done bigint := 0;
    gone_latest bigint;
    gone_predictions bigint;
    gone_outcomes bigint;
    gone_letters bigint;
    gone_alerts bigint;
BEGIN
    IF how NOT IN ('delete', 'pseudonymise') THEN
        RAISE EXCEPTION 'erase_requested: % is neither delete nor pseudonymise', how;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('attrition.erasures'));
    FOR place IN
        SELECT e.ctid FROM attrition.erasures AS e WHERE e.erased_at IS NULL
        ORDER BY e.cluster_id, e.output_partition, e.output_offset FOR UPDATE
    LOOP
        SELECT e.* INTO request FROM attrition.erasures AS e WHERE e.ctid = place;
        DELETE FROM attrition.latest_predictions AS l
        WHERE l.employee_id = request.employee_id
            AND NOT attrition.prediction_is_after(request, l.cluster_id, l.output_topic, l.output_partition,
                l.output_offset, l.source_topic, l.source_partition, l.source_offset);
        GET DIAGNOSTICS gone_latest = ROW_COUNT;
        IF how = 'delete' THEN
            DELETE FROM attrition.predictions AS p
            WHERE p.employee_id = request.employee_id
                AND NOT attrition.prediction_is_after(request, p.cluster_id, p.output_topic, p.output_partition,
                    p.output_offset, p.source_topic, p.source_partition, p.source_offset);
        ELSE
            UPDATE attrition.predictions AS p
            SET employee_id = NULL, event_id = 'erased-' || gen_random_uuid(), source_topic = NULL,
                source_partition = NULL, source_offset = NULL
            WHERE p.employee_id = request.employee_id
                AND NOT attrition.prediction_is_after(request, p.cluster_id, p.output_topic, p.output_partition,
                    p.output_offset, p.source_topic, p.source_partition, p.source_offset);
        END IF;
        GET DIAGNOSTICS gone_predictions = ROW_COUNT;
        DELETE FROM attrition.outcomes AS o
        WHERE o.employee_id = request.employee_id
            AND NOT attrition.is_after(request.cluster_id, request.source_topic, request.source_partition,
                request.source_offset, o.cluster_id, o.source_topic, o.source_partition, o.source_offset);
        GET DIAGNOSTICS gone_outcomes = ROW_COUNT;
        DELETE FROM attrition.alerts AS a
        WHERE a.employee_id = request.employee_id
            AND NOT attrition.is_after(request.cluster_id, request.source_topic, request.source_partition,
                request.source_offset, a.cluster_id, a.source_topic, a.source_partition, a.source_offset);
        GET DIAGNOSTICS gone_alerts = ROW_COUNT;
        DELETE FROM attrition.dead_letters AS d
        WHERE sha256(d.key) = sha256(convert_to(request.employee_id, 'UTF8'))
            AND d.key = convert_to(request.employee_id, 'UTF8')
            AND NOT attrition.dead_letter_is_after(request, d.cluster_id, d.topic, d.partition, d."offset");
        GET DIAGNOSTICS gone_letters = ROW_COUNT;
        UPDATE attrition.erasures
        SET erased_at = now(), method = how, predictions = gone_predictions, latest_predictions = gone_latest,
            outcomes = gone_outcomes, dead_letters = gone_letters, alerts = gone_alerts
        WHERE ctid = place;
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;

-- As in 0003_functions.sql, and alerts.
CREATE OR REPLACE FUNCTION attrition.erase_employee(employee text) RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    removed bigint;
    total bigint := 0;
BEGIN
    IF employee IS NULL THEN
        RAISE EXCEPTION 'erase_employee: whom? the employee id is null';
    END IF;
    DELETE FROM attrition.latest_predictions WHERE employee_id = employee;
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    DELETE FROM attrition.predictions WHERE employee_id = employee;
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    DELETE FROM attrition.outcomes WHERE employee_id = employee;
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    DELETE FROM attrition.alerts WHERE employee_id = employee;
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    DELETE FROM attrition.dead_letters WHERE key = convert_to(employee, 'UTF8');
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    UPDATE attrition.erasures SET erased_at = now() WHERE employee_id = employee AND erased_at IS NULL;
    RETURN total;
END
$$;

-- As in 0006_erasure.sql, and alerts for the sink.
CREATE OR REPLACE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_writer') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_writer;
        GRANT SELECT ON attrition.migrations TO attrition_writer;
        GRANT INSERT ON attrition.predictions, attrition.dead_letters, attrition.erasures, attrition.outcomes,
            attrition.alerts TO attrition_writer;
        GRANT SELECT, INSERT, UPDATE ON attrition.latest_predictions, attrition.sink_offsets TO attrition_writer;
        GRANT EXECUTE ON FUNCTION attrition.erase_requested(text) TO attrition_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_eraser') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_eraser;
        GRANT SELECT ON attrition.erasures TO attrition_eraser;
        GRANT EXECUTE ON FUNCTION attrition.erase_employee(text), attrition.erase_requested(text) TO attrition_eraser;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_analyst') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA attrition TO attrition_analyst;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_owner') THEN
        GRANT ALL ON SCHEMA attrition TO attrition_owner;
        GRANT ALL ON ALL TABLES IN SCHEMA attrition TO attrition_owner;
    END IF;
END
$$;

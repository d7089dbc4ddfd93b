-- Erasure by the sink itself: it writes the requests (null values of the output topic) and calls erase_requested in the
-- same transaction. A row of erasures is then the receipt: what was erased, when, on which record's request.

ALTER TABLE attrition.erasures
    ADD COLUMN method text CHECK (method IN ('delete', 'pseudonymise')),
    ADD COLUMN predictions bigint,
    ADD COLUMN latest_predictions bigint,
    ADD COLUMN outcomes bigint,
    ADD COLUMN dead_letters bigint;
COMMENT ON TABLE attrition.erasures IS 'Requests to forget an employee, each with its receipt.';
COMMENT ON COLUMN attrition.erasures.erased_at IS 'When the rows went; null while they have not.';
COMMENT ON COLUMN attrition.erasures.method IS 'delete: the rows are gone. pseudonymise: predictions stay without employee, event and source; the rest is gone.';
COMMENT ON COLUMN attrition.erasures.predictions IS 'Rows of predictions that were erased; likewise the columns after it.';
CREATE INDEX erasures_open ON attrition.erasures (cluster_id, output_partition, output_offset) WHERE erased_at IS NULL;
CREATE INDEX dead_letters_key ON attrition.dead_letters (sha256(key));

-- Does all open requests, oldest first; returns how many. What the employee's later events brought stays: rows of the
-- request's own output partition behind it. Names nobody, so that its caller can erase only what was asked for.
CREATE FUNCTION attrition.erase_requested(how text DEFAULT 'delete') RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request record;
    done bigint := 0;
    gone_latest bigint;
    gone_predictions bigint;
    gone_outcomes bigint;
    gone_letters bigint;
BEGIN
    IF how NOT IN ('delete', 'pseudonymise') THEN
        RAISE EXCEPTION 'erase_requested: % is neither delete nor pseudonymise', how;
    END IF;
    FOR request IN
        SELECT e.ctid AS place, e.employee_id, e.cluster_id, e.output_partition, e.output_offset
        FROM attrition.erasures AS e WHERE e.erased_at IS NULL
        ORDER BY e.cluster_id, e.output_partition, e.output_offset FOR UPDATE
    LOOP
        DELETE FROM attrition.latest_predictions AS l
        WHERE l.employee_id = request.employee_id
            AND NOT (l.cluster_id = request.cluster_id AND l.output_partition = request.output_partition
                AND l.output_offset > request.output_offset);
        GET DIAGNOSTICS gone_latest = ROW_COUNT;
        IF how = 'delete' THEN
            DELETE FROM attrition.predictions AS p
            WHERE p.employee_id = request.employee_id
                AND NOT (p.cluster_id = request.cluster_id AND p.output_partition = request.output_partition
                    AND p.output_offset > request.output_offset);
        ELSE
            UPDATE attrition.predictions AS p
            SET employee_id = NULL, event_id = 'erased-' || gen_random_uuid(), source_topic = NULL,
                source_partition = NULL, source_offset = NULL
            WHERE p.employee_id = request.employee_id
                AND NOT (p.cluster_id = request.cluster_id AND p.output_partition = request.output_partition
                    AND p.output_offset > request.output_offset);
        END IF;
        GET DIAGNOSTICS gone_predictions = ROW_COUNT;
        DELETE FROM attrition.outcomes AS o WHERE o.employee_id = request.employee_id;
        GET DIAGNOSTICS gone_outcomes = ROW_COUNT;
        DELETE FROM attrition.dead_letters AS d
        WHERE sha256(d.key) = sha256(convert_to(request.employee_id, 'UTF8'))
            AND d.key = convert_to(request.employee_id, 'UTF8');
        GET DIAGNOSTICS gone_letters = ROW_COUNT;
        UPDATE attrition.erasures
        SET erased_at = now(), method = how, predictions = gone_predictions, latest_predictions = gone_latest,
            outcomes = gone_outcomes, dead_letters = gone_letters
        WHERE ctid = request.place;
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;
REVOKE ALL ON FUNCTION attrition.erase_requested(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.erase_requested IS 'Does the open requests of erasures and writes their receipts; returns how many.';

-- As in 0005_grants.sql, and erase_requested for those who erase.
CREATE OR REPLACE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_writer') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_writer;
        GRANT SELECT ON attrition.migrations TO attrition_writer;
        GRANT INSERT ON attrition.predictions, attrition.dead_letters, attrition.erasures, attrition.outcomes
            TO attrition_writer;
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
REVOKE ALL ON FUNCTION attrition.grant_roles() FROM PUBLIC;

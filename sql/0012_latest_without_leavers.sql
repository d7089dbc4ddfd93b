-- latest_predictions holds nobody who has left: an outcome takes the row of its employee away, and no prediction of an
-- event that did not occur after it brings one back. Records of one employee come by two topics and maybe two sinks, so
-- either may be stored first; the lock makes whoever comes second see the other.

CREATE FUNCTION attrition.leave_latest() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.latest_predictions'));
    DELETE FROM attrition.latest_predictions AS l
    USING added AS o
    WHERE l.employee_id = o.employee_id AND l.occurred_at <= o.occurred_at;
    RETURN NULL;
END
$$;
CREATE TRIGGER leave_latest AFTER INSERT ON attrition.outcomes
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION attrition.leave_latest();

CREATE FUNCTION attrition.lock_latest() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('attrition.latest_predictions'));
    RETURN NULL;
END
$$;
CREATE TRIGGER lock_latest BEFORE INSERT ON attrition.latest_predictions
FOR EACH STATEMENT EXECUTE FUNCTION attrition.lock_latest();

-- A function's own statement sees what was committed while the lock was waited for. By statement, not by row: that would
-- cost as much as all the rest of it.
CREATE FUNCTION attrition.keep_leavers_out() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM attrition.latest_predictions AS l
    USING added AS a, attrition.outcomes AS o
    WHERE l.employee_id = a.employee_id AND o.employee_id = a.employee_id AND o.occurred_at >= l.occurred_at;
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_inserted_leavers_out AFTER INSERT ON attrition.latest_predictions
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION attrition.keep_leavers_out();
CREATE TRIGGER keep_updated_leavers_out AFTER UPDATE ON attrition.latest_predictions
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION attrition.keep_leavers_out();

REVOKE ALL ON FUNCTION attrition.leave_latest(), attrition.lock_latest(), attrition.keep_leavers_out() FROM PUBLIC;
COMMENT ON FUNCTION attrition.leave_latest IS 'Of a trigger: takes those who have left out of latest_predictions.';
COMMENT ON FUNCTION attrition.lock_latest IS 'Of a trigger: predictions wait for outcomes that are being stored, and the other way round.';
COMMENT ON FUNCTION attrition.keep_leavers_out IS 'Of a trigger: no row for who has left by then.';
COMMENT ON TABLE attrition.latest_predictions IS 'The newest prediction of each employee, without those who have left; stream only.';

-- Those of before: who has left, and what an erasure that is done should have reached.
CREATE FUNCTION attrition.remove_leavers() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    left_over bigint;
    erased bigint;
BEGIN
    DELETE FROM attrition.latest_predictions AS l
    WHERE EXISTS (SELECT FROM attrition.outcomes AS o WHERE o.employee_id = l.employee_id AND o.occurred_at >= l.occurred_at);
    GET DIAGNOSTICS left_over = ROW_COUNT;
    DELETE FROM attrition.latest_predictions AS l
    USING attrition.erasures AS e
    WHERE e.employee_id = l.employee_id AND e.erased_at IS NOT NULL
        AND NOT attrition.prediction_is_after(e, l.cluster_id, l.output_topic, l.output_partition, l.output_offset,
            l.source_topic, l.source_partition, l.source_offset);
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN left_over + erased;
END
$$;
REVOKE ALL ON FUNCTION attrition.remove_leavers() FROM PUBLIC;
COMMENT ON FUNCTION attrition.remove_leavers IS 'Takes out of latest_predictions who has left or been erased; returns how many.';
SELECT attrition.remove_leavers();

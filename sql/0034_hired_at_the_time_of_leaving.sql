-- Who is hired again at the very time of leaving: of events of one time and partition their order decides, as in the
-- current records.

-- An exit of a row's time leaves it where a HIRED event of that time came after the exit.
CREATE FUNCTION attrition.is_gone(
    l attrition.latest_predictions, left_at timestamptz, cluster text, topic text, part integer, exit_offset bigint
) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT l.occurred_at < left_at OR (l.occurred_at = left_at
    AND ((l.cluster_id, l.source_topic, l.source_partition) = (cluster, topic, part) AND l.hired_offset > exit_offset) IS NOT TRUE)
$$;

CREATE OR REPLACE FUNCTION attrition.leave_latest() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.latest_predictions'));
    DELETE FROM attrition.latest_predictions AS l
    USING added AS o
    WHERE l.employee_id = o.employee_id
        AND attrition.is_gone(l, o.occurred_at, o.cluster_id, o.source_topic, o.source_partition, o.source_offset);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION attrition.keep_leavers_out() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM attrition.latest_predictions AS l
    USING added AS a, attrition.outcomes AS o
    WHERE l.employee_id = a.employee_id AND o.employee_id = a.employee_id
        AND attrition.is_gone(l, o.occurred_at, o.cluster_id, o.source_topic, o.source_partition, o.source_offset);
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION attrition.remove_leavers() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    left_over bigint;
    erased bigint;
BEGIN
    DELETE FROM attrition.latest_predictions AS l
    USING attrition.outcomes AS o
    WHERE o.employee_id = l.employee_id
        AND attrition.is_gone(l, o.occurred_at, o.cluster_id, o.source_topic, o.source_partition, o.source_offset);
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

REVOKE ALL ON FUNCTION attrition.is_gone(attrition.latest_predictions, timestamptz, text, text, integer, bigint) FROM PUBLIC;
COMMENT ON FUNCTION attrition.is_gone IS 'Whether an exit takes a row of latest_predictions out: it is not older, and nobody was hired at its time after it.';

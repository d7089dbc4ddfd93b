-- Who is hired again at the very time of leaving: of events of one time and partition their order decides, as in the
-- current records. Predictions of HIRED events say so; the sink keeps the offset of the last one of the row's time.

ALTER TABLE attrition.latest_predictions ADD COLUMN hired_offset bigint;
COMMENT ON COLUMN attrition.latest_predictions.hired_offset
IS 'source_offset of the last HIRED event that occurred at this time, in this source partition; null where there was none.';

-- An exit of a row's time leaves it where a HIRED event of that time came after the exit.
CREATE FUNCTION attrition.is_gone(
    l attrition.latest_predictions, left_at timestamptz, cluster text, topic text, part integer, exit_offset bigint
) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN l.occurred_at < left_at OR (l.occurred_at = left_at
    AND ((l.cluster_id, l.source_topic, l.source_partition) = (cluster, topic, part) AND l.hired_offset > exit_offset) IS NOT TRUE);

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

-- Of the columns of both tables.
CREATE OR REPLACE FUNCTION attrition.mend_latest_predictions(ahead interval DEFAULT '24 hours') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    frozen text[];
    names text;
BEGIN
    WITH gone AS (
        DELETE FROM attrition.latest_predictions WHERE occurred_at > now() + ahead RETURNING employee_id
    )
    SELECT array_agg(employee_id) INTO frozen FROM gone;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO names
    FROM pg_attribute
    WHERE attrelid = 'attrition.predictions'::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE format(
        'INSERT INTO attrition.latest_predictions (%1$s) SELECT DISTINCT ON (employee_id) %1$s '
        'FROM attrition.predictions WHERE employee_id = ANY ($1) AND channel = ''STREAM'' AND occurred_at <= now() + $2 '
        'ORDER BY employee_id, occurred_at DESC, source_offset DESC', names)
    USING frozen, ahead;
    RETURN coalesce(cardinality(frozen), 0);
END
$$;

REVOKE ALL ON FUNCTION attrition.is_gone(attrition.latest_predictions, timestamptz, text, text, integer, bigint) FROM PUBLIC;
COMMENT ON FUNCTION attrition.is_gone IS 'Whether an exit takes a row of latest_predictions out: it is not older, and nobody was hired at its time after it.';

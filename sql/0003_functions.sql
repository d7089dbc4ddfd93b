-- Functions. Each fixes its search_path, so that nobody can slip objects of his own under the owner's rights.

-- Makes the partitions of this month and of the months_ahead after it. For the owner; safe at any time and again.
-- Rows that landed in the default partition meanwhile move to where they belong.
CREATE FUNCTION attrition.make_partitions(months_ahead integer DEFAULT 3) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    month_start timestamptz;
    month_end timestamptz;
    partition_name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.make_partitions'));
    FOR month_start IN
        SELECT m FROM generate_series(date_trunc('month', now()),
            date_trunc('month', now()) + make_interval(months => months_ahead), '1 month') AS m
    LOOP
        month_end := month_start + interval '1 month';
        partition_name := 'predictions_' || to_char(month_start, 'YYYY_MM');
        CONTINUE WHEN to_regclass(format('attrition.%I', partition_name)) IS NOT NULL;
        EXECUTE format('CREATE TABLE attrition.%I (LIKE attrition.predictions INCLUDING ALL)', partition_name);
        LOCK TABLE attrition.predictions_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format(
            'WITH moved AS (DELETE FROM attrition.predictions_default WHERE scored_at >= %L AND scored_at < %L RETURNING *)'
            ' INSERT INTO attrition.%I SELECT * FROM moved', month_start, month_end, partition_name);
        EXECUTE format('ALTER TABLE attrition.predictions ATTACH PARTITION attrition.%I FOR VALUES FROM (%L) TO (%L)',
            partition_name, month_start, month_end);
        RETURN NEXT partition_name;
    END LOOP;
END
$$;
COMMENT ON FUNCTION attrition.make_partitions IS 'Makes the partitions of this month and of months_ahead more; returns the names of new ones.';

-- Removes what is known of one employee and marks the requests as done. Returns the number of rows removed.
CREATE FUNCTION attrition.erase_employee(employee text) RETURNS bigint
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
    DELETE FROM attrition.dead_letters WHERE key = convert_to(employee, 'UTF8');
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    UPDATE attrition.erasures SET erased_at = now() WHERE employee_id = employee AND erased_at IS NULL;
    RETURN total;
END
$$;
REVOKE ALL ON FUNCTION attrition.erase_employee(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.erase_employee IS 'Removes all rows of one employee and marks the erasure requests as done.';

-- A prediction's reasons as one line for people: 'OverTime=Yes (+0.91), Age=29 (+0.33)'.
CREATE FUNCTION attrition.why(reasons jsonb, input jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(format('%s=%s (%s)', r.value ->> 'feature', coalesce(input ->> (r.value ->> 'feature'), 'missing'),
        to_char((r.value ->> 'contribution')::double precision, 'FMSG990.00')), ', ' ORDER BY r.ordinality)
    FROM jsonb_array_elements(reasons) WITH ORDINALITY AS r
$$;
COMMENT ON FUNCTION attrition.why IS 'The reasons as one line: feature=value (contribution), largest first.';

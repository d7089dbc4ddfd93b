-- An event dated in the far future held its employee's place in latest_predictions against every later one. Such rows
-- give way to the newest prediction that is not in the future.
CREATE FUNCTION attrition.mend_latest_predictions(ahead interval DEFAULT '24 hours') RETURNS bigint
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
    WHERE attrelid = 'attrition.latest_predictions'::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE format(
        'INSERT INTO attrition.latest_predictions (%1$s) SELECT DISTINCT ON (employee_id) %1$s '
        'FROM attrition.predictions WHERE employee_id = ANY ($1) AND channel = ''STREAM'' AND occurred_at <= now() + $2 '
        'ORDER BY employee_id, occurred_at DESC, source_offset DESC', names)
    USING frozen, ahead;
    RETURN coalesce(cardinality(frozen), 0);
END
$$;
REVOKE ALL ON FUNCTION attrition.mend_latest_predictions(interval) FROM PUBLIC;
COMMENT ON FUNCTION attrition.mend_latest_predictions IS 'Puts the newest prediction up to now and a margin in the place of those from the future; returns how many.';
SELECT attrition.mend_latest_predictions();

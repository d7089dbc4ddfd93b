-- The sink keeps the offset of the last HIRED event of the time of an employee's row, which predictions of such events name.

ALTER TABLE attrition.latest_predictions ADD COLUMN hired_offset bigint;
COMMENT ON COLUMN attrition.latest_predictions.hired_offset
IS 'source_offset of the last HIRED event that occurred at this time, in this source partition; null where there was none.';

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

-- attrition.why wrote # for contributions of a thousand and more.
CREATE OR REPLACE FUNCTION attrition.why(reasons jsonb, input jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(format('%s=%s (%s%s)', r.value ->> 'feature', coalesce(input ->> (r.value ->> 'feature'), 'missing'),
        CASE WHEN c.contribution >= 0 THEN '+' END, c.contribution), ', ' ORDER BY r.ordinality)
    FROM jsonb_array_elements(reasons) WITH ORDINALITY AS r,
        LATERAL (SELECT round((r.value ->> 'contribution')::numeric, 2) AS contribution) AS c
$$;

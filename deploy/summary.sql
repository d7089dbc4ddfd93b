-- What `make run` says at its end, in words. Called by deploy/run.sh with the variables
--   since   when the run began; older rows of the same database are left out
--   schema  path of schemas/employee_event.avsc: labels and units come from there, no column is named here
\set QUIET on
\pset footer off
\pset tuples_only on
\pset format unaligned
\pset fieldsep ''
\set ON_ERROR_STOP on
\set document `cat "$SCHEMA_FILE"`

CREATE TEMPORARY VIEW wording AS
SELECT f ->> 'name' AS feature, coalesce(f ->> 'label', f ->> 'name') AS label, f -> 'value_labels' AS value_labels, (f -> 'range' ->> 0)::integer AS lowest
FROM jsonb_array_elements(jsonb_path_query_first(:'document'::jsonb, '$.fields[*] ? (@.name == "attributes").type.fields')) AS f;

-- One reason in words: "Overtime: Yes (+0.86)", "Job satisfaction: 1, low (+0.31)".
CREATE FUNCTION pg_temp.reason(reason jsonb, input jsonb) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT format('%s: %s%s (%s)', w.label, coalesce(v.value, 'not given'),
        CASE WHEN w.value_labels IS NOT NULL THEN coalesce(', ' || (w.value_labels ->> (v.value::double precision::integer - w.lowest)), '') END,
        to_char((reason ->> 'contribution')::double precision, 'FMSG999999990.00'))
    FROM wording AS w
    CROSS JOIN (SELECT input ->> (reason ->> 'feature') AS value) AS v
    WHERE w.feature = reason ->> 'feature'
$$;

-- "raised by A, B; lowered by C"
CREATE FUNCTION pg_temp.reasons(reasons jsonb, input jsonb) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT concat_ws('; ',
        'raised by ' || string_agg(pg_temp.reason(r, input), ', ' ORDER BY n) FILTER (WHERE (r ->> 'contribution')::double precision > 0),
        'lowered by ' || string_agg(pg_temp.reason(r, input), ', ' ORDER BY n) FILTER (WHERE (r ->> 'contribution')::double precision < 0))
    FROM jsonb_array_elements(reasons) WITH ORDINALITY AS a (r, n)
$$;

SELECT format('Dead letters by code:   %s', coalesce((
    SELECT string_agg(format('%s %s', code, n), ', ' ORDER BY n DESC, code)
    FROM (SELECT code, count(*) AS n FROM attrition.dead_letters WHERE received_at >= :'since' GROUP BY code) AS codes), 'none'));

SELECT format('Latency per event:      p50 %s ms, p99 %s ms (from leaving Kafka''s client to being scored)',
    to_char(percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_us) / 1000.0, 'FM999990.0'),
    to_char(percentile_disc(0.99) WITHIN GROUP (ORDER BY latency_us) / 1000.0, 'FM999990.0'))
FROM attrition.predictions WHERE scored_at >= :'since' HAVING count(*) > 0;

SELECT format('At risk (prediction Yes): %s of %s employees, at a threshold of %s, by model %s version %s',
    count(*) FILTER (WHERE probability >= threshold), count(*), to_char(max(threshold), 'FM0.000'), max(model_name), max(model_version))
FROM attrition.latest_predictions WHERE scored_at >= :'since' HAVING count(*) > 0;

\echo
\echo The ten employees most at risk, and why (contribution to the log-odds):
SELECT format('%s  employee %s  %s  %s', lpad(rank::text, 3), rpad(employee_id, greatest(8, length(employee_id))), lpad(to_char(100 * probability, 'FM990.0') || ' %', 7),
    coalesce(nullif(pg_temp.reasons(reasons, input), ''), 'no reasons: the model has no reference, or REASONS=0'))
FROM (
    SELECT row_number() OVER (ORDER BY probability DESC, employee_id) AS rank, *
    FROM attrition.latest_predictions WHERE scored_at >= :'since'
    ORDER BY probability DESC, employee_id LIMIT 10
) AS top ORDER BY rank;

-- What a page of the HTTP service costs does not depend on how many employees there are: it comes from an index that has its order,
-- and the functions that write its JSON are planned once a session.

-- --- orders of GET /employees ---

-- An update of a row now writes into each of these. The first also has what finding and counting those flagged, or by id, needs.
CREATE INDEX latest_predictions_risk ON attrition.latest_predictions (probability, employee_id COLLATE "C") INCLUDE (threshold);
CREATE INDEX latest_predictions_id ON attrition.latest_predictions (employee_id COLLATE "C");
CREATE INDEX latest_predictions_scored_at ON attrition.latest_predictions (scored_at, employee_id COLLATE "C");

-- Others are made where people ask for them: they cost each update as much again. Sorting by an attribute is two of them, since those
-- without a value come last either way. The keys are those of the service's statements.
CREATE FUNCTION attrition.index_sort(wanted text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key text;
    ends text[]; -- what stands for a missing value: last in this direction, and in the other
BEGIN
    IF wanted IN ('risk', 'employee_id', 'scored_at') THEN
        RETURN; -- it has its index
    END IF;
    IF wanted = 'occurred_at' THEN
        CREATE INDEX IF NOT EXISTS latest_predictions_occurred_at ON attrition.latest_predictions (occurred_at, employee_id COLLATE "C");
        RETURN;
    END IF;
    SELECT
        CASE WHEN c.type = 'string' THEN format('(coalesce(input ->> %L, %%L) COLLATE "C")', c.name)
            ELSE format('coalesce(CASE WHEN jsonb_typeof(input -> %1$L) = ''number'' THEN (input ->> %1$L)::float8 END, %%L::float8)', c.name) END,
        CASE WHEN c.type = 'string' THEN ARRAY[U&'\+10FFFF', ''] ELSE ARRAY['Infinity', '-Infinity'] END
    INTO key, ends FROM attrition.schema_columns AS c WHERE c.name = wanted;
    IF key IS NULL THEN
        RAISE EXCEPTION 'index_sort: % is no attribute of the schema', wanted
            USING HINT = 'SELECT name FROM attrition.schema_columns; or occurred_at.';
    END IF;
    EXECUTE format('DROP INDEX IF EXISTS attrition.%I, attrition.%I', -- an attribute's type may have changed
        'latest_predictions_up_' || left(md5(wanted), 8), 'latest_predictions_down_' || left(md5(wanted), 8));
    EXECUTE format('CREATE INDEX %I ON attrition.latest_predictions ((%s), employee_id COLLATE "C")',
        'latest_predictions_up_' || left(md5(wanted), 8), format(key, ends[1]));
    EXECUTE format('CREATE INDEX %I ON attrition.latest_predictions ((%s), employee_id COLLATE "C")',
        'latest_predictions_down_' || left(md5(wanted), 8), format(key, ends[2]));
    ANALYZE attrition.latest_predictions;
END
$$;
REVOKE ALL ON FUNCTION attrition.index_sort(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.index_sort IS 'Makes the indexes from which GET /employees reads a page sorted by this attribute, or occurred_at.';

-- --- records as answers show them: as in 0020_http_service.sql and 0024_daily_figures.sql, in plpgsql ---
--
-- A function in SQL that another one calls is parsed and planned at each call, which took most of the time of an answer.

CREATE OR REPLACE FUNCTION attrition.label_of(attribute text) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce((SELECT c.label FROM attrition.schema_columns AS c WHERE c.name = attribute), attribute);
END
$$;

CREATE OR REPLACE FUNCTION attrition.reasons_in_words(reasons jsonb, input jsonb) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(json_agg(json_build_object(
            'feature', f.name,
            'label', f.label,
            'value', f.value,
            'contribution', f.contribution,
            'text', format('%s is %s: %s', f.label, attrition.value_in_words(f.value, f.value_labels, f.lowest),
                attrition.effect_in_words(f.contribution))) ORDER BY f.ordinality), '[]')
        FROM (
            SELECT r.ordinality, r.value ->> 'feature' AS name, (r.value ->> 'contribution')::double precision AS contribution,
                coalesce(c.label, r.value ->> 'feature') AS label, input -> (r.value ->> 'feature') AS value, c.value_labels, c.lowest
            FROM jsonb_array_elements(reasons) WITH ORDINALITY AS r
            LEFT JOIN attrition.schema_columns AS c ON c.name = r.value ->> 'feature'
        ) AS f);
END
$$;

CREATE OR REPLACE FUNCTION attrition.drivers_json(drivers jsonb) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT json_agg(json_build_object(
            'feature', f.name,
            'label', f.label,
            'before', f.value -> 'before',
            'after', f.value -> 'after',
            'contribution_before', f.value -> 'contribution_before',
            'contribution_after', f.value -> 'contribution_after',
            'text', format('%s was %s, is %s: %s', f.label, attrition.value_in_words(f.value -> 'before', f.value_labels, f.lowest),
                attrition.value_in_words(f.value -> 'after', f.value_labels, f.lowest), attrition.effect_in_words(f.change)))
            ORDER BY f.ordinality)
        FROM (
            SELECT d.ordinality, d.value, d.value ->> 'feature' AS name, coalesce(c.label, d.value ->> 'feature') AS label,
                c.value_labels, c.lowest,
                (d.value ->> 'contribution_after')::double precision - (d.value ->> 'contribution_before')::double precision AS change
            FROM jsonb_array_elements(drivers) WITH ORDINALITY AS d
            LEFT JOIN attrition.schema_columns AS c ON c.name = d.value ->> 'feature'
        ) AS f);
END
$$;

CREATE OR REPLACE FUNCTION attrition.employee_json(l attrition.latest_predictions) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN json_build_object(
        'employee_id', l.employee_id,
        'risk', l.probability,
        'decision', l.prediction,
        'flagged', l.probability >= l.threshold,
        'threshold', l.threshold,
        'reasons', attrition.reasons_in_words(l.reasons, l.input),
        'attributes', l.input,
        'occurred_at', attrition.utc(l.occurred_at),
        'scored_at', attrition.utc(l.scored_at),
        'model', json_build_object('name', l.model_name, 'version', l.model_version));
END
$$;

-- Of a whole page at once: a partition is gone through once, not once for each of them.
CREATE FUNCTION attrition.trends_json(employees text[]) RETURNS TABLE (employee_id text, trend json)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT n.employee_id, json_agg(n.probability ORDER BY n.occurred_at, n.source_offset)
    FROM (
        SELECT p.employee_id, p.probability, p.occurred_at, p.source_offset,
            row_number() OVER (PARTITION BY p.employee_id ORDER BY p.occurred_at DESC, p.source_offset DESC) AS place
        FROM attrition.predictions AS p
        WHERE p.employee_id = ANY (employees) AND p.channel = 'STREAM'
    ) AS n
    WHERE n.place <= 12
    GROUP BY n.employee_id;
END
$$;
COMMENT ON FUNCTION attrition.trends_json IS 'The last 12 scores of each of these employees, the newest last; nobody without one.';

CREATE OR REPLACE FUNCTION attrition.changed_json(step attrition.prediction_steps) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(json_agg(json_build_object(
            'feature', k.attribute,
            'label', attrition.label_of(k.attribute),
            'before', step.input_before -> k.attribute,
            'after', step.input -> k.attribute,
            'contribution_change', d.change) ORDER BY abs(d.change) DESC NULLS LAST, k.attribute), '[]')
        FROM jsonb_object_keys(step.input_before || step.input) AS k (attribute)
        LEFT JOIN LATERAL (
            SELECT (e.driver ->> 'contribution_after')::double precision - (e.driver ->> 'contribution_before')::double precision AS change
            FROM jsonb_array_elements(step.drivers) AS e (driver)
            WHERE e.driver ->> 'feature' = k.attribute
            LIMIT 1
        ) AS d ON true
        WHERE (step.input_before ->> k.attribute) IS DISTINCT FROM (step.input ->> k.attribute));
END
$$;

CREATE OR REPLACE FUNCTION attrition.history_json(employee text, most integer) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(json_agg(json_build_object(
            'event_id', s.event_id,
            'occurred_at', attrition.utc(s.occurred_at),
            'scored_at', attrition.utc(s.scored_at),
            'risk', s.risk,
            'decision', s.decision,
            'flagged', p.flagged,
            'threshold', p.threshold,
            'model', json_build_object('name', s.model_name, 'version', s.model_version),
            'risk_change', s.risk_change,
            'record_change', s.margin_change - s.model_change,
            'model_change', CASE WHEN s.before_scored_at IS NOT NULL THEN s.model_change END,
            'model_changed', coalesce((s.model_name_before, s.model_version_before) <> (s.model_name, s.model_version), false),
            'changed', attrition.changed_json(s.step),
            'reasons', attrition.reasons_in_words(s.reasons, s.input)) ORDER BY s.scored_at DESC, s.occurred_at DESC), '[]')
        FROM (
            SELECT n AS step, n.* FROM attrition.prediction_steps AS n
            WHERE n.employee_id = employee
            ORDER BY n.scored_at DESC, n.occurred_at DESC
            LIMIT most
        ) AS s
        CROSS JOIN LATERAL (
            SELECT q.threshold, q.probability >= q.threshold AS flagged FROM attrition.predictions AS q
            WHERE q.employee_id = s.employee_id AND q.scored_at = s.scored_at AND q.event_id = s.event_id
            LIMIT 1
        ) AS p);
END
$$;

CREATE FUNCTION attrition.history_count(employee text) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT count(*) FROM attrition.prediction_steps AS s WHERE s.employee_id = employee);
END
$$;
COMMENT ON FUNCTION attrition.history_count IS 'How many scores of an employee came to stand.';

CREATE OR REPLACE FUNCTION attrition.alert_json(a attrition.alerts_once) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN json_build_object(
        'employee_id', a.employee_id,
        'event_id', a.event_id,
        'kind', a.kind,
        'cause', a.cause,
        'occurred_at', attrition.utc(a.occurred_at),
        'received_at', attrition.utc(a.received_at),
        'before', CASE WHEN a.before_probability IS NOT NULL THEN json_build_object(
            'risk', a.before_probability, 'decision', a.before_prediction, 'threshold', a.before_threshold, 'margin', a.before_margin,
            'model', json_build_object('name', a.before_model_name, 'version', a.before_model_version)) END,
        'after', json_build_object(
            'risk', a.after_probability, 'decision', a.after_prediction, 'threshold', a.after_threshold, 'margin', a.after_margin,
            'model', json_build_object('name', a.after_model_name, 'version', a.after_model_version)),
        'risk_change', a.after_probability - a.before_probability,
        'model_change', a.model_change,
        'drivers', CASE WHEN jsonb_typeof(a.drivers) = 'array' THEN coalesce(attrition.drivers_json(a.drivers), '[]') END);
END
$$;

CREATE OR REPLACE FUNCTION attrition.employee_alerts_json(employee text, most integer) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT coalesce(json_agg(attrition.alert_json(n.alert) ORDER BY n.received_at DESC), '[]')
        FROM (
            SELECT a AS alert, a.received_at FROM attrition.alerts_once AS a
            WHERE a.employee_id = employee
            ORDER BY a.received_at DESC
            LIMIT most
        ) AS n);
END
$$;

CREATE OR REPLACE FUNCTION attrition.cell_json(c attrition.group_cells) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    employees bigint := cardinality(c.people);
BEGIN
    RETURN json_build_object(
        'members', (SELECT json_object_agg(m.attribute, m.member) FROM unnest(c.attributes, c.members) AS m (attribute, member)),
        'as_of', c.as_of,
        'employees', employees,
        'expected_exits', c.expected_exits,
        'expected_low', floor(employees * attrition.wilson(c.expected_exits, employees, -1) + 1e-9),
        'expected_high', ceil(employees * attrition.wilson(c.expected_exits, employees, 1) - 1e-9),
        'flagged_share', round(c.flagged::numeric / employees, 2),
        'drivers', (
            SELECT coalesce(json_agg(json_build_object('feature', d.name, 'label', attrition.label_of(d.name)) ORDER BY d.ordinality), '[]')
            FROM unnest(c.drivers) WITH ORDINALITY AS d (name)),
        'realised_exits', c.realised_exits);
END
$$;

-- As in 0014_views.sql.
CREATE OR REPLACE FUNCTION attrition.wilson(successes bigint, trials bigint, side integer) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n double precision := nullif(trials, 0);
    p double precision := successes / n;
BEGIN
    RETURN (p + 1.920729 / n + side * 1.959964 * sqrt(p * (1 - p) / n + 0.960365 / n ^ 2)) / (1 + 3.841459 / n);
END
$$;

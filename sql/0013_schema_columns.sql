-- What the views know of the data. sql/migrate runs `scorer views`, which describes the columns of the loaded schemas to
-- describe_schema; from that come the views that name columns. Before it has run there are no columns and no groups.

CREATE TABLE attrition.settings (
    name text PRIMARY KEY,
    value text NOT NULL,
    meaning text NOT NULL,
    CHECK (name <> 'minimum_group' OR value ~ '^[1-9][0-9]{0,8}$'),
    CHECK (name <> 'horizon' OR value::interval > interval '0')
);
INSERT INTO attrition.settings (name, value, meaning) VALUES
('minimum_group', '5', 'Views withhold groups of fewer employees.'),
('horizon', '180 days', 'How long after a score an exit counts as foreseen by it.');

CREATE FUNCTION attrition.minimum_group() RETURNS integer LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT value::integer FROM attrition.settings WHERE name = 'minimum_group'
$$;
COMMENT ON FUNCTION attrition.minimum_group IS 'Of settings: the smallest group that views show.';
CREATE FUNCTION attrition.horizon() RETURNS interval LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT value::interval FROM attrition.settings WHERE name = 'horizon'
$$;
COMMENT ON FUNCTION attrition.horizon IS 'Of settings: how long after a score an exit counts.';

CREATE TABLE attrition.schema_columns (
    place integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    label text NOT NULL,
    doc text NOT NULL,
    type text NOT NULL CHECK (type IN ('int', 'long', 'float', 'double', 'string')),
    is_group boolean NOT NULL,
    is_unit boolean NOT NULL,
    lowest double precision,
    value_labels text[],
    bands double precision[],
    band_names text[]
);

-- Views that describe_schema makes, as it made them. That of migration 4 is one of them, known by its comment.
CREATE TABLE attrition.schema_views (name text PRIMARY KEY, definition text NOT NULL);
INSERT INTO attrition.schema_views (name, definition)
SELECT c.relname, '' FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'attrition'::regnamespace AND c.relname LIKE 'risk\_by\_%'
    AND obj_description(c.oid, 'pg_class') LIKE 'Employees, those at risk and mean probability by %';

-- "under 30", "30 to 39", "40 and over", as the trainer's reports name them.
CREATE FUNCTION attrition.band_names(bands double precision[], whole boolean) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(CASE
        WHEN b = 0 THEN 'under ' || bands[1]
        WHEN b = cardinality(bands) THEN bands[b] || ' and over'
        WHEN whole THEN bands[b] || ' to ' || bands[b + 1] - 1
        ELSE bands[b] || ' to under ' || bands[b + 1]
    END ORDER BY b)
    FROM generate_series(0, cardinality(bands)) AS b
$$;
COMMENT ON FUNCTION attrition.band_names IS 'A name for each band that begins at one of these numbers, and for what is below.';

-- Makes the view, unless it is there as defined. Whoever had rights on it keeps them.
CREATE FUNCTION attrition.put_view(view_name text, view_definition text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    there regclass := to_regclass(format('attrition.%I', view_name));
    rights text;
BEGIN
    IF there IS NOT NULL AND EXISTS (
        SELECT FROM attrition.schema_views AS v WHERE v.name = view_name AND v.definition = view_definition) THEN
        RETURN false;
    END IF;
    BEGIN
        EXECUTE format('CREATE OR REPLACE VIEW attrition.%I AS %s', view_name, view_definition);
    EXCEPTION WHEN invalid_table_definition THEN -- other columns than before
        SELECT string_agg(format('GRANT %s ON attrition.%I TO %s%s;', a.privilege_type, view_name,
            CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
            CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), ' ')
        INTO rights
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.oid = there AND a.grantee <> c.relowner;
        EXECUTE format('DROP VIEW attrition.%I', view_name);
        EXECUTE format('CREATE VIEW attrition.%I AS %s', view_name, view_definition);
        EXECUTE coalesce(rights, '');
    END;
    INSERT INTO attrition.schema_views AS v (name, definition) VALUES (view_name, view_definition)
    ON CONFLICT (name) DO UPDATE SET definition = excluded.definition;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION attrition.put_view(text, text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.put_view IS 'Makes a view of describe_schema, unless it is there so; says whether it has.';

-- The columns of current_employees: what each is called, and how it is read. A name that is too long for PostgreSQL, or
-- that the view has already, becomes the attribute's place.
CREATE FUNCTION attrition.attribute_columns() RETURNS TABLE (place integer, name text, column_name text, expression text, key text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.place, c.name, n.column_name,
        format(CASE c.type
            WHEN 'string' THEN 'r.%1$I #>> ''{}'''
            ELSE 'CASE WHEN jsonb_typeof(r.%1$I) = ''number'' THEN (r.%1$I)::%2$s END'
        END, n.column_name, CASE c.type WHEN 'int' THEN 'integer' WHEN 'long' THEN 'bigint' WHEN 'float' THEN 'real'
            ELSE 'double precision' END),
        CASE WHEN n.column_name = c.name THEN NULL ELSE c.name END
    FROM attrition.schema_columns AS c
    CROSS JOIN LATERAL (
        SELECT CASE WHEN octet_length(c.name) > 63 OR c.name IN ('employee_id', 'risk', 'decision', 'flagged', 'threshold',
            'reason_1', 'reason_2', 'reason_3', 'why', 'occurred_at', 'scored_at', 'model_name', 'model_version')
            THEN 'attribute_' || c.place ELSE c.name END AS column_name
    ) AS n
    ORDER BY c.place
$$;
COMMENT ON FUNCTION attrition.attribute_columns IS 'The attributes as columns of current_employees.';

CREATE FUNCTION attrition.current_employees_definition() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(
        'SELECT l.employee_id, l.probability AS risk, l.prediction AS decision, l.probability >= l.threshold AS flagged, '
        'l.threshold, l.reasons -> 0 ->> ''feature'' AS reason_1, l.reasons -> 1 ->> ''feature'' AS reason_2, '
        'l.reasons -> 2 ->> ''feature'' AS reason_3, attrition.why(l.reasons, l.input) AS why, l.occurred_at, l.scored_at, '
        'l.model_name, l.model_version%s FROM attrition.latest_predictions AS l%s',
        string_agg(format(', %s AS %I', expression, column_name), '' ORDER BY place),
        coalesce(format(' CROSS JOIN LATERAL (SELECT %s FROM jsonb_to_record(l.input) AS f (%s)) AS r',
            string_agg(CASE WHEN key IS NULL THEN format('f.%I', column_name)
                ELSE format('l.input -> %L AS %I', key, column_name) END, ', ' ORDER BY place),
            coalesce(string_agg(format('%I jsonb', column_name), ', ' ORDER BY place) FILTER (WHERE key IS NULL),
                'none jsonb')), ''))
    FROM attrition.attribute_columns()
$$;
COMMENT ON FUNCTION attrition.current_employees_definition IS 'The query of current_employees for schema_columns as they are.';

CREATE FUNCTION attrition.describe_current_employees() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    described record;
BEGIN
    COMMENT ON VIEW attrition.current_employees IS
        'Each employee''s newest prediction, one column per attribute of the schema; nobody who has left or been erased.';
    FOR described IN
        SELECT a.column_name, concat_ws(': ', nullif(c.label, c.name), nullif(c.doc, '')) AS meaning, c.name
        FROM attrition.attribute_columns() AS a JOIN attrition.schema_columns AS c USING (place)
        UNION ALL
        SELECT v.column_name, v.meaning, '' FROM (VALUES
            ('employee_id', 'Who.'), ('risk', 'Probability of leaving, 0 to 1.'), ('decision', 'What was decided.'),
            ('flagged', 'Whether the risk reaches the threshold.'), ('threshold', 'The model''s, for the decision.'),
            ('reason_1', 'The attribute that moves the risk most, up or down.'),
            ('reason_2', 'The second.'), ('reason_3', 'The third.'),
            ('why', 'All reasons as one line: attribute=value (contribution).'),
            ('occurred_at', 'When the newest change took effect in the source system.'),
            ('scored_at', 'When it was scored.'), ('model_name', 'The model that scored it.'),
            ('model_version', 'The version of that model.')) AS v (column_name, meaning)
    LOOP
        EXECUTE format('COMMENT ON COLUMN attrition.current_employees.%I IS %L', described.column_name,
            coalesce(nullif(described.meaning, ''), described.name));
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION attrition.describe_current_employees() FROM PUBLIC;
COMMENT ON FUNCTION attrition.describe_current_employees IS 'Writes the comments of current_employees.';

-- risk_by_department where the schema has a unit Department, and so on: shorter than risk_by_group.
CREATE FUNCTION attrition.unit_views() RETURNS TABLE (view_name text, unit text, column_name text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT ON (n.snake) 'risk_by_' || n.snake, c.name, n.snake
    FROM attrition.schema_columns AS c
    CROSS JOIN LATERAL (SELECT lower(regexp_replace(c.name, '([a-z0-9])([A-Z])', '\1_\2', 'g')) AS snake) AS n
    WHERE c.is_unit AND octet_length(n.snake) <= 55 AND n.snake NOT IN ('group', 'employees', 'at_risk',
        'mean_probability', 'p90_probability', 'commonest_reason')
    ORDER BY n.snake, c.place
$$;
COMMENT ON FUNCTION attrition.unit_views IS 'The views that show one unit each; units with no name for one are in risk_by_group alone.';

CREATE FUNCTION attrition.schema_columns_of(columns jsonb) RETURNS SETOF attrition.schema_columns
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.ordinality::integer, v.name, v.label, v.doc, v.type, v.is_group, v.is_unit, v.lowest, v.value_labels,
        v.bands, attrition.band_names(v.bands, v.type IN ('int', 'long'))
    FROM jsonb_array_elements(columns) WITH ORDINALITY AS c
    CROSS JOIN LATERAL jsonb_populate_record(NULL::attrition.schema_columns, c.value) AS v
$$;
COMMENT ON FUNCTION attrition.schema_columns_of IS 'Rows of schema_columns from what `scorer views` writes.';

-- Takes the schema's columns, as `scorer views` writes them; returns what it changed. All in the caller's transaction.
CREATE FUNCTION attrition.describe_schema(columns jsonb) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made record;
    stale text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.describe_schema'));
    IF EXISTS (SELECT FROM (SELECT * FROM attrition.schema_columns_of(columns) EXCEPT TABLE attrition.schema_columns) AS d)
        OR (SELECT count(*) FROM attrition.schema_columns) <> jsonb_array_length(columns) THEN
        DELETE FROM attrition.schema_columns;
        INSERT INTO attrition.schema_columns SELECT * FROM attrition.schema_columns_of(columns);
        RETURN NEXT 'took the columns of the schema';
    END IF;
    IF attrition.put_view('current_employees', attrition.current_employees_definition()) THEN
        RETURN NEXT 'made view current_employees';
    END IF;
    PERFORM attrition.describe_current_employees();
    FOR made IN SELECT * FROM attrition.unit_views() LOOP
        IF attrition.put_view(made.view_name, format(
            'SELECT g.member AS %I, g.employees, g.flagged AS at_risk, g.mean_risk AS mean_probability, '
            'g.p90_risk AS p90_probability, g.commonest_reason FROM attrition.risk_by_group AS g WHERE g.attribute = %L',
            made.column_name, made.unit)) THEN
            RETURN NEXT 'made view ' || made.view_name;
        END IF;
        EXECUTE format('COMMENT ON VIEW attrition.%I IS %L', made.view_name,
            'Employees and their risk by ' || made.unit || ', as of now; small groups are withheld.');
        EXECUTE format('COMMENT ON COLUMN attrition.%1$I.%2$I IS %3$L', made.view_name, made.column_name, 'Of ' || made.unit || '.');
        EXECUTE replace($c$
            COMMENT ON COLUMN attrition.@.employees IS 'How many there are.';
            COMMENT ON COLUMN attrition.@.at_risk IS 'How many of them reach the threshold.';
            COMMENT ON COLUMN attrition.@.mean_probability IS 'Mean of their risks.';
            COMMENT ON COLUMN attrition.@.p90_probability IS 'A tenth of them has a greater risk.';
            COMMENT ON COLUMN attrition.@.commonest_reason IS 'The commonest first reason of those at risk.';
        $c$, '@', quote_ident(made.view_name));
    END LOOP;
    FOR stale IN
        SELECT v.name FROM attrition.schema_views AS v
        WHERE v.name <> 'current_employees' AND v.name NOT IN (SELECT u.view_name FROM attrition.unit_views() AS u)
    LOOP
        EXECUTE format('DROP VIEW IF EXISTS attrition.%I', stale);
        DELETE FROM attrition.schema_views WHERE name = stale;
        RETURN NEXT 'dropped view ' || stale || ', whose unit the schema does not have';
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION attrition.describe_schema(jsonb) FROM PUBLIC;
COMMENT ON FUNCTION attrition.describe_schema IS 'Makes the views that name the schema''s columns; returns what was changed.';

-- Everybody who is there, once for each group and unit attribute.
CREATE VIEW attrition.employee_groups AS
SELECT
    l.employee_id,
    c.place,
    c.name AS attribute,
    c.is_group,
    c.is_unit,
    CASE
        WHEN coalesce(jsonb_typeof(v.value), 'null') = 'null' THEN 'missing'
        WHEN jsonb_typeof(v.value) = 'number' AND c.bands IS NOT NULL
            THEN c.band_names[1 + width_bucket(v.value::double precision, c.bands)]
        WHEN jsonb_typeof(v.value) = 'number' AND c.value_labels IS NOT NULL
            THEN coalesce(c.value_labels[1 + (v.value::double precision - c.lowest)::integer], v.value #>> '{}')
        ELSE v.value #>> '{}'
    END AS member,
    l.probability AS risk,
    l.probability >= l.threshold AS flagged,
    l.reasons -> 0 ->> 'feature' AS first_reason
FROM attrition.latest_predictions AS l
CROSS JOIN attrition.schema_columns AS c
CROSS JOIN LATERAL (SELECT l.input -> c.name AS value) AS v
WHERE c.is_group OR c.is_unit;

-- Withheld with a group that is too small: the next larger one, where the small ones could be had by subtraction.
CREATE VIEW attrition.risk_by_group AS
WITH groups AS (
    SELECT
        attribute,
        member,
        count(*) AS employees,
        count(*) FILTER (WHERE flagged) AS flagged,
        avg(risk) AS mean_risk,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY risk) AS p90_risk,
        sum(risk) AS expected_exits,
        mode() WITHIN GROUP (ORDER BY first_reason) FILTER (WHERE flagged) AS commonest_reason
    FROM attrition.employee_groups
    GROUP BY 1, 2
),

sized AS (
    SELECT
        g.*,
        (SELECT attrition.minimum_group()) AS least,
        count(*) FILTER (WHERE employees < (SELECT attrition.minimum_group())) OVER (PARTITION BY attribute) AS small,
        sum(employees) FILTER (WHERE employees < (SELECT attrition.minimum_group())) OVER (PARTITION BY attribute) AS in_small,
        row_number() OVER (PARTITION BY attribute ORDER BY employees, member) AS place
    FROM groups AS g
)

SELECT
    attribute,
    member,
    employees,
    flagged,
    flagged::double precision / employees AS flag_rate,
    mean_risk,
    p90_risk,
    expected_exits,
    commonest_reason
FROM sized
WHERE employees >= least AND NOT (small > 0 AND place = small + 1 AND (small = 1 OR in_small < least));

-- Katz's logarithmic interval of a ratio of proportions, with a half added to each count (Walter 1975), so that it
-- stands where nobody is flagged. The columns of migration 4 come first, as they were.
CREATE OR REPLACE VIEW attrition.impact_ratio AS
WITH people AS (
    SELECT
        employee_id,
        flagged,
        array_agg(attribute ORDER BY place) AS attributes,
        array_agg(member ORDER BY place) AS members
    FROM attrition.employee_groups
    WHERE is_group AND member <> 'missing'
    GROUP BY 1, 2
),

rates AS (
    SELECT
        CASE WHEN a.place = b.place THEN a.attribute ELSE a.attribute || ' × ' || b.attribute END AS attribute,
        CASE WHEN a.place = b.place THEN a.member ELSE a.member || ' × ' || b.member END AS member,
        count(*) AS employees,
        count(*) FILTER (WHERE p.flagged) AS flagged,
        avg(p.flagged::integer) AS flag_rate
    FROM people AS p
    CROSS JOIN LATERAL unnest(p.attributes, p.members) WITH ORDINALITY AS a (attribute, member, place)
    CROSS JOIN LATERAL unnest(p.attributes, p.members) WITH ORDINALITY AS b (attribute, member, place)
    WHERE b.place >= a.place
    GROUP BY 1, 2
),

sized AS (
    SELECT
        r.*,
        (SELECT attrition.minimum_group()) AS least,
        count(*) FILTER (WHERE employees < (SELECT attrition.minimum_group())) OVER (PARTITION BY attribute) AS small,
        sum(employees) FILTER (WHERE employees < (SELECT attrition.minimum_group())) OVER (PARTITION BY attribute) AS in_small,
        row_number() OVER (PARTITION BY attribute ORDER BY employees, member) AS place
    FROM rates AS r
),

compared AS (
    SELECT
        s.*,
        first_value(member) OVER highest AS compared_with,
        first_value(employees) OVER highest AS other_employees,
        first_value(flagged) OVER highest AS other_flagged,
        first_value(flag_rate) OVER highest AS other_rate
    FROM sized AS s
    WHERE employees >= least AND NOT (small > 0 AND place = small + 1 AND (small = 1 OR in_small < least))
    WINDOW highest AS (PARTITION BY attribute ORDER BY flag_rate DESC, employees DESC, member)
),

intervals AS (
    SELECT
        c.*,
        ln((flagged + 0.5) / (employees + 0.5)) - ln((other_flagged + 0.5) / (other_employees + 0.5)) AS log_ratio,
        1.959964 * sqrt(1 / (flagged + 0.5) - 1 / (employees + 0.5) + 1 / (other_flagged + 0.5)
        - 1 / (other_employees + 0.5)) AS half_width
    FROM compared AS c
)

SELECT
    attribute,
    member,
    employees,
    flagged,
    flag_rate,
    flag_rate / nullif(other_rate, 0) AS impact_ratio,
    CASE WHEN member <> compared_with THEN compared_with END AS compared_with,
    CASE WHEN member <> compared_with AND other_rate > 0 THEN exp(log_ratio - half_width)::double precision END AS low,
    CASE WHEN member <> compared_with AND other_rate > 0 THEN exp(log_ratio + half_width)::double precision END AS high,
    CASE
        WHEN other_rate > 0 THEN member <> compared_with AND flag_rate < 0.8 * other_rate AND log_ratio + half_width < 0
    END AS disparate
FROM intervals;

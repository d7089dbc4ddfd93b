-- What the HTTP service reads and writes: who saw whom, records as its answers show them, and groups that lead to nobody.

CREATE TABLE attrition.access_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    token text NOT NULL,
    address text NOT NULL,
    request_id text NOT NULL,
    request text NOT NULL,
    employees text[] NOT NULL,
    purpose text,
    written_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE attrition.access_log IS 'Who was given which names over HTTP; written before they are given. Append-only for the service.';
COMMENT ON COLUMN attrition.access_log.id IS 'Number of the row.';
COMMENT ON COLUMN attrition.access_log.at IS 'When.';
COMMENT ON COLUMN attrition.access_log.token IS 'Who: the token''s name in HTTP_TOKENS_FILE, HTTP_TOKEN, or none (loopback without tokens).';
COMMENT ON COLUMN attrition.access_log.address IS 'From which address.';
COMMENT ON COLUMN attrition.access_log.request_id IS 'The request''s id, as in the service''s log and the header X-Request-Id.';
COMMENT ON COLUMN attrition.access_log.request IS 'The path that was asked for, without ids.';
COMMENT ON COLUMN attrition.access_log.employees IS 'Whom: the ids in the answer. Of somebody who was erased, attrition.receipt of the id.';
COMMENT ON COLUMN attrition.access_log.purpose IS 'Why, from the header X-Purpose; null: not said.';
COMMENT ON COLUMN attrition.access_log.written_by IS 'The database''s user that wrote the row.';
CREATE INDEX access_log_at ON attrition.access_log (at);
CREATE INDEX access_log_employees ON attrition.access_log USING gin (employees);
INSERT INTO attrition.retention_tables VALUES ('access_log', 'at', false);

-- An erasure reaches the log too: that somebody was looked at stays, not who.
CREATE FUNCTION attrition.forget_access(employee text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE attrition.access_log SET employees = array_replace(employees, employee, attrition.receipt(employee))
    WHERE employees @> ARRAY[employee]
$$;
REVOKE ALL ON FUNCTION attrition.forget_access(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.forget_access IS 'Puts the receipt''s name in the place of an employee''s in access_log.';

CREATE FUNCTION attrition.forget_access_of_erased() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM attrition.forget_access(old.employee_id);
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION attrition.forget_access_of_erased() FROM PUBLIC;
COMMENT ON FUNCTION attrition.forget_access_of_erased IS 'Of a trigger: a request that is done reaches access_log.';
CREATE TRIGGER forget_access AFTER UPDATE ON attrition.erasures FOR EACH ROW
WHEN (old.employee_id IS NOT NULL AND new.employee_id IS NULL) EXECUTE FUNCTION attrition.forget_access_of_erased();

-- As in 0017_erasure_and_holds.sql, and access_log where there was no request.
CREATE OR REPLACE FUNCTION attrition.erase_employee(employee text) RETURNS bigint
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
    PERFORM pg_advisory_xact_lock(hashtext('attrition.erasures'));
    IF attrition.is_held(employee) THEN
        RAISE EXCEPTION 'erase_employee: the employee is under legal hold, no row goes'
            USING HINT = 'attrition.legal_release ends the hold.';
    END IF;
    PERFORM set_config('attrition.removal', 'erasure', true);
    DELETE FROM attrition.latest_predictions WHERE employee_id = employee;
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    DELETE FROM attrition.predictions WHERE employee_id = employee;
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    DELETE FROM attrition.outcomes WHERE employee_id = employee;
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    DELETE FROM attrition.alerts WHERE employee_id = employee;
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    DELETE FROM attrition.dead_letters
    WHERE sha256(key) = sha256(convert_to(employee, 'UTF8')) AND key = convert_to(employee, 'UTF8');
    GET DIAGNOSTICS removed = ROW_COUNT;
    total := total + removed;
    PERFORM set_config('attrition.removal', '', true);
    PERFORM attrition.forget_access(employee);
    UPDATE attrition.erasures SET erased_at = now(), employee_id = NULL
    WHERE employee_id = employee AND erased_at IS NULL;
    UPDATE attrition.legal_holds SET employee_id = NULL WHERE employee_id = employee AND released_at IS NOT NULL;
    RETURN total;
END
$$;

-- --- records as answers show them ---

CREATE FUNCTION attrition.utc(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
COMMENT ON FUNCTION attrition.utc IS 'A time as JSON shows it.';

CREATE FUNCTION attrition.in_words(attribute text, value jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN coalesce(jsonb_typeof(value), 'null') = 'null' THEN 'missing'
        WHEN jsonb_typeof(value) = 'number' THEN coalesce((
            SELECT c.value_labels[1 + (value::double precision - c.lowest)::integer]
            FROM attrition.schema_columns AS c WHERE c.name = attribute AND c.value_labels IS NOT NULL), value #>> '{}')
        ELSE value #>> '{}'
    END
$$;
COMMENT ON FUNCTION attrition.in_words IS 'An attribute''s value for people: its label where the schema has one.';

CREATE FUNCTION attrition.label_of(attribute text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT c.label FROM attrition.schema_columns AS c WHERE c.name = attribute), attribute)
$$;
COMMENT ON FUNCTION attrition.label_of IS 'An attribute''s label; its name where the schema has none.';

CREATE FUNCTION attrition.effect_in_words(contribution double precision) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN contribution > 0 THEN 'raises the risk' WHEN contribution < 0 THEN 'lowers the risk' ELSE 'does not change the risk' END
$$;
COMMENT ON FUNCTION attrition.effect_in_words IS 'What a contribution does.';

CREATE FUNCTION attrition.reasons_in_words(reasons jsonb, input jsonb) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(json_agg(json_build_object(
        'feature', f.name,
        'label', attrition.label_of(f.name),
        'value', input -> f.name,
        'contribution', f.contribution,
        'text', format('%s is %s: %s', attrition.label_of(f.name), attrition.in_words(f.name, input -> f.name),
            attrition.effect_in_words(f.contribution))) ORDER BY r.ordinality), '[]')
    FROM jsonb_array_elements(reasons) WITH ORDINALITY AS r
    CROSS JOIN LATERAL (
        SELECT r.value ->> 'feature' AS name, (r.value ->> 'contribution')::double precision AS contribution
    ) AS f
$$;
COMMENT ON FUNCTION attrition.reasons_in_words IS 'A prediction''s reasons with labels, values and a sentence each.';

CREATE FUNCTION attrition.employee_json(l attrition.latest_predictions) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT json_build_object(
        'employee_id', l.employee_id,
        'risk', l.probability,
        'decision', l.prediction,
        'flagged', l.probability >= l.threshold,
        'threshold', l.threshold,
        'reasons', attrition.reasons_in_words(l.reasons, l.input),
        'attributes', l.input,
        'occurred_at', attrition.utc(l.occurred_at),
        'scored_at', attrition.utc(l.scored_at),
        'model', json_build_object('name', l.model_name, 'version', l.model_version))
$$;
COMMENT ON FUNCTION attrition.employee_json IS 'An employee as GET /employees shows one.';

CREATE FUNCTION attrition.trend_json(employee text) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(json_agg(t.probability ORDER BY t.occurred_at, t.source_offset), '[]')
    FROM (
        SELECT p.probability, p.occurred_at, p.source_offset FROM attrition.predictions AS p
        WHERE p.employee_id = employee AND p.channel = 'STREAM'
        ORDER BY p.occurred_at DESC, p.source_offset DESC
        LIMIT 12
    ) AS t
$$;
COMMENT ON FUNCTION attrition.trend_json IS 'The last 12 scores of an employee, the newest last.';

CREATE FUNCTION attrition.changed_json(step attrition.prediction_steps) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
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
    WHERE (step.input_before ->> k.attribute) IS DISTINCT FROM (step.input ->> k.attribute)
$$;
COMMENT ON FUNCTION attrition.changed_json IS 'The attributes that a step of prediction_steps changed.';

CREATE FUNCTION attrition.history_json(employee text, most integer) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
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
    ) AS p
$$;
COMMENT ON FUNCTION attrition.history_json IS 'The newest scores of an employee that came to stand, with what changed; newest first.';

CREATE FUNCTION attrition.drivers_json(drivers jsonb) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT json_agg(json_build_object(
        'feature', f.name,
        'label', attrition.label_of(f.name),
        'before', d.value -> 'before',
        'after', d.value -> 'after',
        'contribution_before', d.value -> 'contribution_before',
        'contribution_after', d.value -> 'contribution_after',
        'text', format('%s was %s, is %s: %s', attrition.label_of(f.name), attrition.in_words(f.name, d.value -> 'before'),
            attrition.in_words(f.name, d.value -> 'after'), attrition.effect_in_words(f.change))) ORDER BY d.ordinality)
    FROM jsonb_array_elements(drivers) WITH ORDINALITY AS d
    CROSS JOIN LATERAL (
        SELECT
            d.value ->> 'feature' AS name,
            (d.value ->> 'contribution_after')::double precision - (d.value ->> 'contribution_before')::double precision AS change
    ) AS f
$$;
COMMENT ON FUNCTION attrition.drivers_json IS 'An alert''s drivers with labels and a sentence each; null stays null.';

CREATE FUNCTION attrition.alert_json(a attrition.alerts_once) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT json_build_object(
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
        'drivers', CASE WHEN jsonb_typeof(a.drivers) = 'array' THEN coalesce(attrition.drivers_json(a.drivers), '[]') END)
$$;
COMMENT ON FUNCTION attrition.alert_json IS 'An alert as GET /alerts shows one.';

CREATE FUNCTION attrition.employee_alerts_json(employee text, most integer) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(json_agg(attrition.alert_json(n.alert) ORDER BY n.received_at DESC), '[]')
    FROM (
        SELECT a AS alert, a.received_at FROM attrition.alerts_once AS a
        WHERE a.employee_id = employee
        ORDER BY a.received_at DESC
        LIMIT most
    ) AS n
$$;
COMMENT ON FUNCTION attrition.employee_alerts_json IS 'The newest alerts of an employee.';

-- --- groups: expected and realised exits by one or two attributes, of which nobody's own risk can be had ---
--
-- Computed once a day and kept, each cell with whom it is of: a cell is only replaced when nobody in it, or at least
-- minimum_group people, came, left or changed by a tenth or more since it was last shown. So what one person's leaving
-- changes is never a difference between two days. Figures are rounded: exits to 1, those flagged to 3.

CREATE TABLE attrition.group_cells (
    attributes text[] NOT NULL,
    members text[] NOT NULL,
    as_of date NOT NULL,
    is_withheld boolean NOT NULL,
    is_complement boolean NOT NULL DEFAULT false,
    expected_exits integer NOT NULL,
    flagged integer NOT NULL,
    drivers text[] NOT NULL,
    realised_exits integer NOT NULL,
    people bigint[] NOT NULL,
    risks real[] NOT NULL,
    PRIMARY KEY (attributes, members)
);
COMMENT ON TABLE attrition.group_cells IS 'Groups as GET /groups shows them, by one or two attributes.';
COMMENT ON COLUMN attrition.group_cells.attributes IS 'One or two attributes, in the schema''s order.';
COMMENT ON COLUMN attrition.group_cells.members IS 'The value of each, as views name it.';
COMMENT ON COLUMN attrition.group_cells.as_of IS 'The day (UTC) whose figures these are.';
COMMENT ON COLUMN attrition.group_cells.is_withheld IS 'Too few, or too much alike.';
COMMENT ON COLUMN attrition.group_cells.is_complement IS 'Withheld, because others could be had by subtraction.';
COMMENT ON COLUMN attrition.group_cells.expected_exits IS 'Sum of the risks, rounded.';
COMMENT ON COLUMN attrition.group_cells.flagged IS 'How many reach the threshold, to the nearest multiple of 3.';
COMMENT ON COLUMN attrition.group_cells.drivers IS 'Up to three, commonest first: what first raises the risk of at least minimum_group of them.';
COMMENT ON COLUMN attrition.group_cells.realised_exits IS 'Exits within the last horizon of people whose last score was in the group.';
COMMENT ON COLUMN attrition.group_cells.people IS 'Who was in it: keyed digests.';
COMMENT ON COLUMN attrition.group_cells.risks IS 'Their risks, in the same order.';

CREATE TABLE attrition.group_cells_today (LIKE attrition.group_cells INCLUDING ALL);
COMMENT ON TABLE attrition.group_cells_today IS 'Of refresh_groups, while it works.';

CREATE TABLE attrition.groups_computed (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), day date NOT NULL, computed_at timestamptz NOT NULL);
COMMENT ON TABLE attrition.groups_computed IS 'When group_cells was last brought up to date.';
COMMENT ON COLUMN attrition.groups_computed.only_row IS 'There is one row.';
COMMENT ON COLUMN attrition.groups_computed.day IS 'For which day (UTC).';
COMMENT ON COLUMN attrition.groups_computed.computed_at IS 'When.';

-- As employee_groups names the values.
CREATE FUNCTION attrition.member_of(c attrition.schema_columns, value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN coalesce(jsonb_typeof(value), 'null') = 'null' THEN 'missing'
        WHEN jsonb_typeof(value) = 'number' AND c.bands IS NOT NULL
            THEN c.band_names[1 + width_bucket(value::double precision, c.bands)]
        WHEN jsonb_typeof(value) = 'number' AND c.value_labels IS NOT NULL
            THEN coalesce(c.value_labels[1 + (value::double precision - c.lowest)::integer], value #>> '{}')
        ELSE value #>> '{}'
    END
$$;
COMMENT ON FUNCTION attrition.member_of IS 'The group of a value: its band, label or text.';

-- The mean would be everybody's risk, to a tenth.
CREATE FUNCTION attrition.is_alike(risks real[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT avg((abs(r - m.mean) <= 0.1)::integer) >= 0.9
    FROM unnest(risks) AS r CROSS JOIN (SELECT avg(u) AS mean FROM unnest(risks) AS u) AS m
$$;
COMMENT ON FUNCTION attrition.is_alike IS 'Whether nine in ten of the risks lie within a tenth of their mean.';

-- People of one cell at two times: how many came, left, or have another risk.
CREATE FUNCTION attrition.people_changed(people bigint[], risks real[], other_people bigint[], other_risks real[]) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM unnest(people, risks) AS a (person, risk)
    FULL JOIN unnest(other_people, other_risks) AS b (person, risk) USING (person)
    WHERE a.person IS NULL OR b.person IS NULL OR abs(a.risk - b.risk) >= 0.1
$$;
COMMENT ON FUNCTION attrition.people_changed IS 'How many people two states of a group differ by.';

-- The values of each group and unit attribute, in the schema's order.
CREATE FUNCTION attrition.members_of(input jsonb) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(attrition.member_of(c, input -> c.name) ORDER BY c.place) FROM attrition.schema_columns AS c WHERE c.is_group OR c.is_unit
$$;
COMMENT ON FUNCTION attrition.members_of IS 'The groups that somebody with these attributes is in, by the places of the attributes.';

-- A table is one attribute, twice, or a pair of them, by place.
CREATE FUNCTION attrition.compute_group_cells(today date) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET work_mem = '128MB' AS $$
    WITH known AS (
        SELECT array_agg(c.name ORDER BY c.place) AS names FROM attrition.schema_columns AS c WHERE c.is_group OR c.is_unit
    ),

    tables AS MATERIALIZED (
        SELECT a * 1000 + b AS id, a AS first, b AS second, CASE WHEN a = b THEN k.names[a:a] ELSE ARRAY[k.names[a], k.names[b]] END AS attributes
        FROM known AS k
        CROSS JOIN LATERAL generate_series(1, cardinality(k.names)) AS a
        CROSS JOIN LATERAL generate_series(a, cardinality(k.names)) AS b
    ),

    people AS MATERIALIZED (
        SELECT
            hashtextextended(encode(sha256(s.secret || convert_to(l.employee_id, 'UTF8')), 'hex'), 0) AS person,
            l.probability AS risk,
            l.probability >= l.threshold AS flagged,
            CASE WHEN (l.reasons -> 0 ->> 'contribution')::double precision > 0 THEN l.reasons -> 0 ->> 'feature' END AS driver,
            attrition.members_of(l.input) AS members
        FROM attrition.latest_predictions AS l CROSS JOIN attrition.receipt_secret AS s
    ),

    drivers AS (
        SELECT d.id, d.one, d.two, (array_agg(d.driver ORDER BY d.people DESC, d.driver))[1:3] AS drivers
        FROM (
            SELECT t.id, p.members[t.first] AS one, p.members[t.second] AS two, p.driver, count(*) AS people
            FROM people AS p CROSS JOIN tables AS t
            WHERE p.driver IS NOT NULL
            GROUP BY 1, 2, 3, 4
            HAVING count(*) >= (SELECT attrition.minimum_group())
        ) AS d
        GROUP BY 1, 2, 3
    ),

    exits AS (
        SELECT t.id, m.members[t.first] AS one, m.members[t.second] AS two, count(*)::integer AS realised_exits
        FROM attrition.outcomes_once AS o
        CROSS JOIN LATERAL (
            SELECT p.input FROM attrition.predictions AS p
            WHERE p.employee_id = o.employee_id AND p.channel = 'STREAM' AND p.occurred_at <= o.exited_at
            ORDER BY p.occurred_at DESC, p.source_offset DESC
            LIMIT 1
        ) AS l
        CROSS JOIN LATERAL attrition.members_of(l.input) AS m (members)
        CROSS JOIN tables AS t
        WHERE o.exited_at > now() - attrition.horizon() AND o.exited_at <= now()
        GROUP BY 1, 2, 3
    ),

    cells AS (
        SELECT
            t.id,
            p.members[t.first] AS one,
            p.members[t.second] AS two,
            count(*) AS employees,
            sum(p.risk) AS risk,
            count(*) FILTER (WHERE p.flagged) AS flagged,
            array_agg(p.person) AS people,
            array_agg(p.risk::real) AS risks
        FROM people AS p CROSS JOIN tables AS t
        GROUP BY 1, 2, 3
    )

    INSERT INTO attrition.group_cells_today (
        attributes, members, as_of, is_withheld, expected_exits, flagged, drivers, realised_exits, people, risks
    )
    SELECT
        t.attributes,
        CASE WHEN cardinality(t.attributes) = 1 THEN ARRAY[c.one] ELSE ARRAY[c.one, c.two] END,
        today,
        c.employees < (SELECT attrition.minimum_group()) OR attrition.is_alike(c.risks),
        round(c.risk::numeric),
        least(3 * round(c.flagged / 3.0), c.employees),
        coalesce(d.drivers, '{}'),
        coalesce(e.realised_exits, 0),
        c.people,
        c.risks
    FROM cells AS c
    JOIN tables AS t USING (id)
    LEFT JOIN drivers AS d USING (id, one, two)
    LEFT JOIN exits AS e USING (id, one, two)
$$;
REVOKE ALL ON FUNCTION attrition.compute_group_cells(date) FROM PUBLIC;
COMMENT ON FUNCTION attrition.compute_group_cells IS 'Fills group_cells_today.';

-- Each table is the cells of one attribute, or for two, each row and each column; its sum is known. What is withheld in it
-- must be two cells at least, of enough people, who are not alike.
CREATE FUNCTION attrition.withhold_one_more() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH lines AS (
        SELECT c.attributes, n.line, c.members, c.is_withheld OR c.is_complement AS hidden, c.risks,
            row_number() OVER (PARTITION BY c.attributes, n.line, c.is_withheld OR c.is_complement ORDER BY cardinality(c.people), c.members) AS place
        FROM attrition.group_cells AS c
        CROSS JOIN LATERAL (
            SELECT 'all' AS line WHERE cardinality(c.attributes) = 1
            UNION ALL
            SELECT m.ordinality || ' ' || m.member FROM unnest(c.members) WITH ORDINALITY AS m (member)
            WHERE cardinality(c.attributes) = 2
        ) AS n
    ),

    open_lines AS (
        SELECT l.attributes, l.line
        FROM lines AS l CROSS JOIN LATERAL unnest(l.risks) AS r
        WHERE l.hidden
        GROUP BY 1, 2
        HAVING count(DISTINCT l.members) = 1 OR count(*) < (SELECT attrition.minimum_group()) OR attrition.is_alike(array_agg(r))
    ),

    changed AS (
        UPDATE attrition.group_cells AS c SET is_complement = true
        FROM open_lines AS o JOIN lines AS l ON l.attributes = o.attributes AND l.line = o.line AND NOT l.hidden AND l.place = 1
        WHERE c.attributes = l.attributes AND c.members = l.members
        RETURNING 1
    )

    SELECT count(*) FROM changed
$$;
REVOKE ALL ON FUNCTION attrition.withhold_one_more() FROM PUBLIC;
COMMENT ON FUNCTION attrition.withhold_one_more IS 'In each table whose withheld cells could be had by subtraction, withholds the next smallest.';

-- A cell of two attributes is part of what is withheld by one of them; and where it is all of it, the other way round.
CREATE FUNCTION attrition.withhold_parts() RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH found AS (
        SELECT DISTINCT x.attributes, x.members
        FROM attrition.group_cells AS one
        JOIN attrition.group_cells AS two ON cardinality(one.attributes) = 1 AND cardinality(two.attributes) = 2
            AND ((one.attributes[1], one.members[1]) = (two.attributes[1], two.members[1])
                OR (one.attributes[1], one.members[1]) = (two.attributes[2], two.members[2]))
        CROSS JOIN LATERAL (
            SELECT two.attributes, two.members
            WHERE (one.is_withheld OR one.is_complement) AND NOT (two.is_withheld OR two.is_complement)
            UNION ALL
            SELECT one.attributes, one.members
            WHERE (two.is_withheld OR two.is_complement) AND NOT (one.is_withheld OR one.is_complement)
                AND cardinality(one.people) = cardinality(two.people)
        ) AS x
    ),

    changed AS (
        UPDATE attrition.group_cells AS c SET is_complement = true
        FROM found AS f WHERE c.attributes = f.attributes AND c.members = f.members
        RETURNING 1
    )

    SELECT count(*) FROM changed
$$;
REVOKE ALL ON FUNCTION attrition.withhold_parts() FROM PUBLIC;
COMMENT ON FUNCTION attrition.withhold_parts IS 'Carries what is withheld between tables of one and of two attributes.';

CREATE FUNCTION attrition.refresh_groups() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    IF EXISTS (SELECT FROM attrition.groups_computed AS g WHERE g.day >= today) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('attrition.refresh_groups'));
    IF EXISTS (SELECT FROM attrition.groups_computed AS g WHERE g.day >= today) THEN
        RETURN false;
    END IF;
    DELETE FROM attrition.group_cells_today;
    PERFORM attrition.compute_group_cells(today);
    DELETE FROM attrition.group_cells AS c
    WHERE NOT EXISTS (SELECT FROM attrition.group_cells_today AS t WHERE t.attributes = c.attributes AND t.members = c.members)
        AND (cardinality(c.people) >= attrition.minimum_group() OR c.is_withheld);
    INSERT INTO attrition.group_cells AS c
    SELECT t.* FROM attrition.group_cells_today AS t
    ON CONFLICT (attributes, members) DO UPDATE SET as_of = excluded.as_of, is_withheld = excluded.is_withheld,
        expected_exits = excluded.expected_exits, flagged = excluded.flagged, drivers = excluded.drivers,
        realised_exits = excluded.realised_exits, people = excluded.people, risks = excluded.risks
    WHERE attrition.people_changed(c.people, c.risks, excluded.people, excluded.risks) NOT BETWEEN 1 AND attrition.minimum_group() - 1;
    DELETE FROM attrition.group_cells_today;
    UPDATE attrition.group_cells SET is_withheld = true
    WHERE NOT is_withheld AND cardinality(people) < attrition.minimum_group();
    UPDATE attrition.group_cells SET is_complement = false WHERE is_complement;
    WHILE attrition.withhold_parts() + attrition.withhold_one_more() > 0 LOOP
    END LOOP;
    INSERT INTO attrition.groups_computed (day, computed_at) VALUES (today, now())
    ON CONFLICT (only_row) DO UPDATE SET day = excluded.day, computed_at = excluded.computed_at;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION attrition.refresh_groups() FROM PUBLIC;
COMMENT ON FUNCTION attrition.refresh_groups IS 'Brings group_cells up to date, unless that was done today (UTC); says whether it has.';

CREATE FUNCTION attrition.cell_json(c attrition.group_cells) RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT json_build_object(
        'members', (SELECT json_object_agg(m.attribute, m.member) FROM unnest(c.attributes, c.members) AS m (attribute, member)),
        'as_of', c.as_of,
        'employees', n.employees,
        'expected_exits', c.expected_exits,
        'expected_low', floor(n.employees * attrition.wilson(c.expected_exits, n.employees, -1) + 1e-9),
        'expected_high', ceil(n.employees * attrition.wilson(c.expected_exits, n.employees, 1) - 1e-9),
        'flagged_share', round(c.flagged::numeric / n.employees, 2),
        'drivers', (
            SELECT coalesce(json_agg(json_build_object('feature', d.name, 'label', attrition.label_of(d.name)) ORDER BY d.ordinality), '[]')
            FROM unnest(c.drivers) WITH ORDINALITY AS d (name)),
        'realised_exits', c.realised_exits)
    FROM (SELECT cardinality(c.people)::bigint AS employees) AS n
$$;
COMMENT ON FUNCTION attrition.cell_json IS 'A group as GET /groups shows one.';

-- The attributes in the schema's order; null where a database has no such table.
CREATE FUNCTION attrition.groups_json(wanted text[]) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM attrition.refresh_groups();
    RETURN (
        SELECT json_build_object(
            'by', wanted,
            'attributes', (SELECT coalesce(json_agg(json_build_object('name', s.name, 'label', s.label) ORDER BY s.place), '[]')
                FROM attrition.schema_columns AS s WHERE s.is_group OR s.is_unit),
            'computed_at', attrition.utc(max(g.computed_at)),
            'minimum_group', attrition.minimum_group(),
            'horizon_days', round(extract(epoch FROM attrition.horizon()) / 86400),
            'groups', coalesce(json_agg(attrition.cell_json(c)
                ORDER BY c.expected_exits::double precision / cardinality(c.people) DESC, cardinality(c.people) DESC, c.members)
                FILTER (WHERE NOT (c.is_withheld OR c.is_complement)), '[]'),
            'withheld', count(*) FILTER (WHERE c.is_withheld OR c.is_complement))
        FROM attrition.groups_computed AS g LEFT JOIN attrition.group_cells AS c ON c.attributes = wanted);
END
$$;
REVOKE ALL ON FUNCTION attrition.groups_json(text[]) FROM PUBLIC;
COMMENT ON FUNCTION attrition.groups_json IS 'The answer of GET /groups; computes the day''s groups where that was not done yet.';

-- As in 0018_retention.sql, and the groups of the day.
CREATE OR REPLACE FUNCTION attrition.maintain() RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT 'made partition ' || made FROM attrition.make_partitions() AS made;
    RETURN QUERY SELECT format('retention: %s rows of %s (%s) removed%s', a.removed, a.table_name, a.jurisdiction,
        coalesce(', with partitions ' || array_to_string(a.partitions, ', '), '')) FROM attrition.apply_retention() AS a;
    IF attrition.refresh_groups() THEN
        RETURN NEXT 'groups: computed';
    END IF;
END
$$;

-- As in 0017_erasure_and_holds.sql; the service writes access_log and asks for groups, who answers people reads the log.
CREATE OR REPLACE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_writer') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_writer;
        GRANT SELECT ON attrition.migrations TO attrition_writer;
        GRANT INSERT ON attrition.predictions, attrition.dead_letters, attrition.erasures, attrition.outcomes,
            attrition.alerts, attrition.evidence, attrition.access_log TO attrition_writer;
        GRANT SELECT, INSERT, UPDATE ON attrition.latest_predictions, attrition.sink_offsets TO attrition_writer;
        GRANT EXECUTE ON FUNCTION attrition.erase_requested(text), attrition.groups_json(text[]) TO attrition_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_eraser') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_eraser;
        GRANT SELECT ON attrition.erasures, attrition.legal_holds, attrition.access_log TO attrition_eraser;
        GRANT EXECUTE ON FUNCTION attrition.erase_employee(text), attrition.erase_requested(text), attrition.receipt(text),
            attrition.legal_hold(text, text), attrition.legal_release(text), attrition.export_employee(text)
            TO attrition_eraser;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_analyst') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA attrition TO attrition_analyst;
        REVOKE SELECT ON attrition.dead_letters, attrition.receipt_secret, attrition.legal_holds, attrition.access_log
            FROM attrition_analyst;
        GRANT SELECT (id, stage, code, field, message, topic, partition, "offset", cluster_id, dlq_partition, dlq_offset,
            received_at) ON attrition.dead_letters TO attrition_analyst;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_owner') THEN
        GRANT ALL ON SCHEMA attrition TO attrition_owner;
        GRANT ALL ON ALL TABLES IN SCHEMA attrition TO attrition_owner;
    END IF;
END
$$;

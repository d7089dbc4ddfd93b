-- Figures that take longer than a request may: groups and what is known of the model's quality are computed by maintain() and
-- kept. A question is answered from what is kept; where that is cheap it is brought up to date first.

-- Where employees are few, the first question of a day computes its groups.
CREATE FUNCTION attrition.employees_are_few() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) <= 20000 FROM (SELECT FROM attrition.latest_predictions LIMIT 20001) AS l
$$;
COMMENT ON FUNCTION attrition.employees_are_few IS 'Whether groups can be computed within a question: up to 20,000 employees.';

CREATE FUNCTION attrition.predictions_are_few() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sum(pg_relation_size(i.inhrelid)) <= 134217728 FROM pg_inherits AS i WHERE i.inhparent = 'attrition.predictions'::regclass
$$;
COMMENT ON FUNCTION attrition.predictions_are_few IS 'Whether figures over predictions can be computed within a question: up to 128 MiB of them.';

-- As in 0020_http_service.sql, from what is kept: nobody waits for who computes, and many employees are left to maintain().
CREATE OR REPLACE FUNCTION attrition.groups_json(wanted text[]) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    IF NOT EXISTS (SELECT FROM attrition.groups_computed AS g WHERE g.day >= today) AND attrition.employees_are_few()
        AND (pg_try_advisory_xact_lock(hashtext('attrition.refresh_groups')) OR NOT EXISTS (SELECT FROM attrition.groups_computed))
    THEN
        PERFORM attrition.refresh_groups();
    END IF;
    RETURN (
        SELECT json_build_object(
            'by', wanted,
            'attributes', (SELECT coalesce(json_agg(json_build_object('name', s.name, 'label', s.label) ORDER BY s.place), '[]')
                FROM attrition.schema_columns AS s WHERE s.is_group OR s.is_unit),
            'computed_at', attrition.utc(max(g.computed_at)),
            'is_current', max(g.day) >= today,
            'minimum_group', attrition.minimum_group(),
            'horizon_days', round(extract(epoch FROM attrition.horizon()) / 86400),
            'groups', coalesce(json_agg(attrition.cell_json(c)
                ORDER BY c.expected_exits::double precision / cardinality(c.people) DESC, cardinality(c.people) DESC, c.members)
                FILTER (WHERE NOT (c.is_withheld OR c.is_complement)), '[]'),
            'withheld', count(*) FILTER (WHERE c.is_withheld OR c.is_complement))
        FROM attrition.groups_computed AS g LEFT JOIN attrition.group_cells AS c ON c.attributes = wanted
        HAVING count(g.day) > 0);
END
$$;
COMMENT ON FUNCTION attrition.groups_json IS 'The answer of GET /groups; null where groups were never computed.';

-- As in 0020_http_service.sql, without a function call for each employee's groups, which took most of the time.
CREATE OR REPLACE FUNCTION attrition.compute_group_cells(today date) RETURNS void
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
            m.members
        FROM attrition.latest_predictions AS l
        CROSS JOIN attrition.receipt_secret AS s
        CROSS JOIN LATERAL (
            SELECT array_agg(attrition.member_of(c, l.input -> c.name) ORDER BY c.place) AS members
            FROM attrition.schema_columns AS c WHERE c.is_group OR c.is_unit
        ) AS m
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

-- --- the model's quality ---

CREATE TABLE attrition.daily_figures (
    part text PRIMARY KEY,
    computed_at timestamptz NOT NULL,
    figures json NOT NULL
);
COMMENT ON TABLE attrition.daily_figures IS 'What GET /model/quality shows, as it was last computed.';
COMMENT ON COLUMN attrition.daily_figures.part IS 'performance, calibration, drift or fairness.';
COMMENT ON COLUMN attrition.daily_figures.computed_at IS 'When.';
COMMENT ON COLUMN attrition.daily_figures.figures IS 'The part''s figures.';

-- Months of scoring back to one whose horizon has passed, and half a year more.
CREATE FUNCTION attrition.performance_figures() RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET work_mem = '128MB' AS $$
    SELECT coalesce(json_agg(json_build_object(
        'cohort', attrition.utc(m.month),
        'model', json_build_object('name', f.model_name, 'version', f.model_version),
        'employees', f.employees,
        'flagged', f.flagged,
        'expected', json_build_object('exits', f.expected_exits, 'precision', f.precision, 'precision_low', f.precision_low,
            'precision_high', f.precision_high, 'recall', f.recall, 'recall_low', f.recall_low, 'recall_high', f.recall_high,
            'auc', f.auc, 'lift', f.lift, 'is_enough', f.is_enough),
        'realised', f.realised) ORDER BY m.month DESC, f.model_name, f.model_version), '[]')
    FROM attrition.scored_months AS m
    CROSS JOIN LATERAL (
        SELECT e.*, CASE WHEN r.employees IS NOT NULL THEN json_build_object(
            'employees', r.employees, 'exits', r.exits, 'expected_exits', r.expected_exits, 'flagged', r.flagged, 'hits', r.hits,
            'precision', r.precision, 'precision_low', r.precision_low, 'precision_high', r.precision_high,
            'recall', r.recall, 'recall_low', r.recall_low, 'recall_high', r.recall_high,
            'auc', r.auc, 'auc_low', r.auc_low, 'auc_high', r.auc_high, 'lift', r.lift,
            'calibration', r.calibration, 'calibration_low', r.calibration_low, 'calibration_high', r.calibration_high) END AS realised
        FROM (SELECT * FROM attrition.expected_performance AS x WHERE x.cohort = m.month AND x.attribute = 'all') AS e
        LEFT JOIN (SELECT * FROM attrition.realised_performance AS x WHERE x.cohort = m.month AND x.attribute = 'all') AS r
            USING (model_name, model_version)
    ) AS f
    WHERE m.month > now() - attrition.horizon() - interval '7 months' AND m.month <= now()
$$;
COMMENT ON FUNCTION attrition.performance_figures IS 'Expected and, once the horizon has passed, realised performance by month and model version.';

-- Of those whose horizon has passed: in each tenth of risk, how many were expected to leave and how many left.
CREATE FUNCTION attrition.calibration_figures() RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET work_mem = '128MB' AS $$
    WITH bins AS (
        SELECT a.model_name, a.model_version, least(floor(a.risk * 10), 9)::integer AS bin, count(*) AS employees, avg(a.risk) AS risk,
            count(*) FILTER (WHERE a.outcome = 'left') AS exits, count(*) < (SELECT attrition.minimum_group()) AS is_withheld
        FROM attrition.predicted_against_actual AS a
        WHERE a.is_mature AND a.cohort > now() - attrition.horizon() - interval '7 months'
        GROUP BY 1, 2, 3
    ),

    models AS (
        SELECT b.model_name, b.model_version, sum(b.employees) FILTER (WHERE NOT b.is_withheld) AS employees,
            count(*) FILTER (WHERE b.is_withheld) AS withheld,
            coalesce(json_agg(json_build_object('low', b.bin / 10.0, 'high', (b.bin + 1) / 10.0, 'employees', b.employees,
                'risk', b.risk, 'exits', b.exits, 'share', b.exits::double precision / b.employees,
                'share_low', attrition.wilson(b.exits, b.employees, -1), 'share_high', attrition.wilson(b.exits, b.employees, 1))
                ORDER BY b.bin) FILTER (WHERE NOT b.is_withheld), '[]') AS bins
        FROM bins AS b
        GROUP BY 1, 2
    )

    SELECT coalesce(json_agg(json_build_object('model', json_build_object('name', m.model_name, 'version', m.model_version),
        'employees', coalesce(m.employees, 0), 'withheld', m.withheld, 'bins', m.bins) ORDER BY m.employees DESC NULLS LAST), '[]')
    FROM models AS m
$$;
COMMENT ON FUNCTION attrition.calibration_figures IS 'Realised exits by tenth of risk and model version.';

-- The last day that the stream scored anybody, within 30.
CREATE FUNCTION attrition.drift_figures() RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET work_mem = '128MB' AS $$
    WITH latest AS MATERIALIZED (
        SELECT date_trunc('day', max(p.scored_at), 'UTC') AS day FROM attrition.predictions AS p
        WHERE p.channel = 'STREAM' AND p.scored_at > now() - interval '30 days' AND p.scored_at <= now()
    ),

    models AS (
        SELECT p.model_name, p.model_version, count(*) AS events
        FROM latest AS l JOIN attrition.predictions AS p ON p.scored_at >= l.day AND p.scored_at < l.day + interval '24 hours'
        WHERE p.channel = 'STREAM'
        GROUP BY 1, 2
    )

    SELECT coalesce(json_agg(json_build_object(
        'model', json_build_object('name', m.model_name, 'version', m.model_version),
        'day', attrition.utc(l.day),
        'events', m.events,
        'columns', (
            SELECT json_agg(json_build_object('feature', d.attribute, 'label', attrition.label_of(d.attribute), 'is_score', d.is_score,
                'psi', d.psi, 'psi_by_chance', d.psi_by_chance, 'distance', d.distance, 'missing_share', d.missing_share,
                'training_missing_share', d.training_missing_share, 'has_drifted', d.has_drifted) ORDER BY d.is_score DESC, d.psi DESC)
            FROM attrition.drift_against_training AS d
            WHERE d.day = l.day AND d.model_name = m.model_name AND d.model_version = m.model_version
        )) ORDER BY m.events DESC), '[]')
    FROM latest AS l CROSS JOIN models AS m
$$;
COMMENT ON FUNCTION attrition.drift_figures IS 'The newest day against the training table, by model version; columns null without a reference.';

CREATE FUNCTION attrition.fairness_figures() RETURNS json
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET work_mem = '128MB' AS $$
    SELECT coalesce(json_agg(json_build_object('feature', i.attribute, 'label', c.label, 'member', i.member, 'employees', i.employees,
        'flagged', i.flagged, 'flagged_share', i.flag_rate, 'impact_ratio', i.impact_ratio, 'compared_with', i.compared_with,
        'low', i.low, 'high', i.high, 'disparate', i.disparate) ORDER BY c.place, i.flag_rate DESC, i.member), '[]')
    FROM attrition.impact_ratio AS i JOIN attrition.schema_columns AS c ON c.name = i.attribute
$$;
COMMENT ON FUNCTION attrition.fairness_figures IS 'Who is flagged, by the groups of the schema: impact_ratio without pairs.';

CREATE FUNCTION attrition.compute_figures(wanted text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO attrition.daily_figures AS d (part, computed_at, figures)
    SELECT wanted, now(), CASE wanted
        WHEN 'performance' THEN attrition.performance_figures()
        WHEN 'calibration' THEN attrition.calibration_figures()
        WHEN 'drift' THEN attrition.drift_figures()
        WHEN 'fairness' THEN attrition.fairness_figures()
    END
    ON CONFLICT (part) DO UPDATE SET computed_at = excluded.computed_at, figures = excluded.figures
$$;
REVOKE ALL ON FUNCTION attrition.compute_figures(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.compute_figures IS 'Brings a part of daily_figures up to date.';

-- Kept figures are good for a minute where they are cheap, else until maintain() makes new ones.
CREATE FUNCTION attrition.figures_json(wanted text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM attrition.daily_figures AS d WHERE d.part = wanted AND d.computed_at > now() - interval '1 minute')
        AND attrition.predictions_are_few() AND attrition.employees_are_few()
        AND (pg_try_advisory_xact_lock(hashtext('attrition.figures'), hashtext(wanted))
            OR NOT EXISTS (SELECT FROM attrition.daily_figures AS d WHERE d.part = wanted))
    THEN
        PERFORM attrition.compute_figures(wanted);
    END IF;
    RETURN (
        SELECT json_build_object(
            'part', d.part,
            'computed_at', attrition.utc(d.computed_at),
            'minimum_group', attrition.minimum_group(),
            'horizon_days', round(extract(epoch FROM attrition.horizon()) / 86400),
            'figures', d.figures)
        FROM attrition.daily_figures AS d WHERE d.part = wanted);
END
$$;
COMMENT ON FUNCTION attrition.figures_json IS 'The answer of GET /model/quality; null where nothing is kept and maintain() has to compute it.';

-- As in 0020_http_service.sql, and the figures. What fails there undoes nothing before it.
CREATE OR REPLACE FUNCTION attrition.maintain() RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    days bigint;
    wanted text;
BEGIN
    RETURN QUERY SELECT 'made partition ' || made FROM attrition.make_partitions() AS made;
    days := attrition.count_days();
    IF days > 0 THEN
        RETURN NEXT format('values: %s days counted', days);
    END IF;
    RETURN QUERY SELECT format('retention: %s rows of %s (%s) removed%s', a.removed, a.table_name, a.jurisdiction,
        coalesce(', with partitions ' || array_to_string(a.partitions, ', '), '')) FROM attrition.apply_retention() AS a;
    IF attrition.refresh_groups() THEN
        RETURN NEXT 'groups: computed';
    END IF;
    FOREACH wanted IN ARRAY ARRAY['performance', 'calibration', 'drift', 'fairness'] LOOP
        IF NOT EXISTS (SELECT FROM attrition.daily_figures AS d
            WHERE d.part = wanted AND d.computed_at >= date_trunc('day', now(), 'UTC')) THEN
            BEGIN
                PERFORM attrition.compute_figures(wanted);
                RETURN NEXT format('figures: %s computed', wanted);
            EXCEPTION WHEN OTHERS THEN
                RETURN NEXT format('figures: %s failed: %s', wanted, sqlerrm);
            END;
        END IF;
    END LOOP;
END
$$;

-- --- records as answers show them: as in 0020_http_service.sql, with one look at the schema for all reasons of a record ---

CREATE FUNCTION attrition.value_in_words(value jsonb, value_labels text[], lowest double precision) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN coalesce(jsonb_typeof(value), 'null') = 'null' THEN 'missing'
        WHEN jsonb_typeof(value) = 'number' AND value_labels IS NOT NULL
            THEN coalesce(value_labels[1 + (value::double precision - lowest)::integer], value #>> '{}')
        ELSE value #>> '{}'
    END
$$;
COMMENT ON FUNCTION attrition.value_in_words IS 'A value for people: its label where the attribute has one.';

CREATE OR REPLACE FUNCTION attrition.reasons_in_words(reasons jsonb, input jsonb) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
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
    ) AS f
$$;

CREATE OR REPLACE FUNCTION attrition.drivers_json(drivers jsonb) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
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
        SELECT d.ordinality, d.value, d.value ->> 'feature' AS name, coalesce(c.label, d.value ->> 'feature') AS label, c.value_labels, c.lowest,
            (d.value ->> 'contribution_after')::double precision - (d.value ->> 'contribution_before')::double precision AS change
        FROM jsonb_array_elements(drivers) WITH ORDINALITY AS d
        LEFT JOIN attrition.schema_columns AS c ON c.name = d.value ->> 'feature'
    ) AS f
$$;

-- --- dead letters, a code at a time, newest first ---

CREATE INDEX dead_letters_code ON attrition.dead_letters (code, id);

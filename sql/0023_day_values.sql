-- What each day's values were like, counted once when the day is over: drift_against_training and data_quality read a day's rows
-- only until then. Figures stay when rows are erased or retention removes them; of less than minimum_group events there is no
-- more than how many.

CREATE TABLE attrition.day_values (
    day timestamptz NOT NULL,
    channel text NOT NULL,
    model_name text NOT NULL,
    model_version text NOT NULL,
    attribute text NOT NULL,
    is_score boolean NOT NULL,
    events bigint NOT NULL,
    missing bigint NOT NULL,
    psi double precision,
    psi_by_chance double precision,
    distance double precision,
    training_missing_share double precision,
    PRIMARY KEY (day, channel, model_name, model_version, attribute, is_score)
);
COMMENT ON TABLE attrition.day_values IS 'Of each counted day the values by attribute, and how they differ from training. Written by attrition.count_days; drift_against_training and data_quality are made of it.';
COMMENT ON COLUMN attrition.day_values.day IS 'The day of scoring: its start (UTC).';
COMMENT ON COLUMN attrition.day_values.channel IS 'STREAM: events of Kafka. HTTP: requests.';
COMMENT ON COLUMN attrition.day_values.model_name IS 'The model.';
COMMENT ON COLUMN attrition.day_values.model_version IS 'The version of that model.';
COMMENT ON COLUMN attrition.day_values.attribute IS 'An attribute of the schema, or score.';
COMMENT ON COLUMN attrition.day_values.is_score IS 'Whether it is the probability.';
COMMENT ON COLUMN attrition.day_values.events IS 'How many were scored.';
COMMENT ON COLUMN attrition.day_values.missing IS 'How many of them were without a value.';
COMMENT ON COLUMN attrition.day_values.psi IS 'As in drift_against_training; null over HTTP, without a reference, and below minimum_group events.';
COMMENT ON COLUMN attrition.day_values.psi_by_chance IS 'As in drift_against_training.';
COMMENT ON COLUMN attrition.day_values.distance IS 'As in drift_against_training.';
COMMENT ON COLUMN attrition.day_values.training_missing_share IS 'As in drift_against_training.';

CREATE TABLE attrition.counted_days (day timestamptz PRIMARY KEY, counted_at timestamptz NOT NULL);
COMMENT ON TABLE attrition.counted_days IS 'The days that day_values is complete for.';
COMMENT ON COLUMN attrition.counted_days.day IS 'Its start (UTC).';
COMMENT ON COLUMN attrition.counted_days.counted_at IS 'When it was looked at last.';

CREATE VIEW attrition.value_days AS
SELECT d.day, d.day + interval '24 hours' AS day_end, CASE WHEN c.day IS NULL THEN d.day END AS rows_from
FROM (
    SELECT s.day FROM attrition.scored_days AS s WHERE s.day <= now()
    UNION
    SELECT k.day FROM attrition.counted_days AS k
) AS d
LEFT JOIN attrition.counted_days AS c ON c.day = d.day;
COMMENT ON VIEW attrition.value_days IS 'Days (UTC) that there are or have been rows of.';
COMMENT ON COLUMN attrition.value_days.day IS 'Its start (UTC).';
COMMENT ON COLUMN attrition.value_days.day_end IS 'One past its end.';
COMMENT ON COLUMN attrition.value_days.rows_from IS 'Its start, where its rows must be read; null once it is counted.';

-- From the rows of a day, by channel, version and attribute, all that day_values does not have. Compiling it (JIT) would take longer
-- than it runs.
-- Shares are of counts with a half added to each, so that an empty bin has a logarithm; bins that both lack are left out.
-- psi_by_chance: with no drift at all, PSI divided by (1/events + 1/training rows) is about chi-squared with bins - 1 degrees of
-- freedom (Yurdakul 2018); its quantile for a chance of 1 in 10,000 is Wilson and Hilferty's approximation.
CREATE FUNCTION attrition.values_of_rows(day_start timestamptz, day_end timestamptz)
RETURNS TABLE (channel text, model_name text, model_version text, attribute text, is_score boolean, events bigint, missing bigint,
    psi double precision, psi_by_chance double precision, distance double precision, training_missing_share double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH groups AS MATERIALIZED (
        SELECT row_number() OVER () AS id, g.*
        FROM (
            SELECT DISTINCT p.channel, p.model_name, p.model_version
            FROM attrition.predictions AS p
            WHERE p.scored_at >= day_start AND p.scored_at < day_end
        ) AS g
        WHERE NOT EXISTS (
            SELECT FROM attrition.day_values AS s
            WHERE s.day = day_start AND s.channel = g.channel AND s.model_name = g.model_name AND s.model_version = g.model_version
        )
    ),

    live AS MATERIALIZED (
        SELECT g.id, v.key AS attribute, false AS is_score, v.value, count(*) AS times
        FROM attrition.predictions AS p
        JOIN groups AS g ON g.channel = p.channel AND g.model_name = p.model_name AND g.model_version = p.model_version
        CROSS JOIN LATERAL jsonb_each(p.input) AS v
        WHERE p.scored_at >= day_start AND p.scored_at < day_end
        GROUP BY g.id, v.key, v.value
        UNION ALL
        SELECT g.id, 'score', true, to_jsonb(p.probability), count(*)
        FROM attrition.predictions AS p
        JOIN groups AS g ON g.channel = p.channel AND g.model_name = p.model_name AND g.model_version = p.model_version
        WHERE p.scored_at >= day_start AND p.scored_at < day_end
        GROUP BY g.id, p.probability
    ),

    totals AS MATERIALIZED (
        SELECT
            l.id,
            l.attribute,
            l.is_score,
            sum(l.times)::bigint AS events,
            coalesce(sum(l.times) FILTER (WHERE jsonb_typeof(l.value) = 'null'), 0)::bigint AS missing
        FROM live AS l
        GROUP BY 1, 2, 3
    ),

    described AS MATERIALIZED (
        SELECT g.id, c.*
        FROM groups AS g
        JOIN attrition.training_references AS r ON r.model_name = g.model_name AND r.model_version = g.model_version
        CROSS JOIN LATERAL attrition.reference_columns(r.reference) AS c
        WHERE g.channel = 'STREAM'
    ),

    placed AS MATERIALIZED (
        SELECT
            r.id,
            r.attribute,
            r.is_score,
            l.times,
            CASE WHEN r.is_numeric AND jsonb_typeof(l.value) = 'number' THEN l.value::double precision END AS number,
            CASE
                WHEN jsonb_typeof(l.value) = 'null' THEN 0
                WHEN NOT r.is_numeric
                    THEN coalesce(array_position(r.categories, l.value #>> '{}'), cardinality(r.categories) + 1)
                WHEN jsonb_typeof(l.value) = 'number'
                    THEN greatest(1, width_bucket(l.value::double precision, r.lows))
                ELSE cardinality(r.lows) + 1
            END AS place
        FROM live AS l
        JOIN described AS r USING (id, attribute, is_score)
    ),

    shares AS (
        SELECT
            r.id,
            r.attribute,
            r.is_score,
            e.place - 1 AS place,
            e.count AS expected,
            r.total,
            coalesce(b.times, 0)::double precision AS times,
            sum(coalesce(b.times, 0)) OVER column_of AS events,
            count(*) OVER column_of AS bins
        FROM described AS r
        CROSS JOIN LATERAL unnest(r.counts) WITH ORDINALITY AS e (count, place)
        LEFT JOIN (
            SELECT p.id, p.attribute, p.is_score, p.place, sum(p.times) AS times
            FROM placed AS p
            GROUP BY 1, 2, 3, 4
        ) AS b ON b.id = r.id AND b.attribute = r.attribute AND b.is_score = r.is_score AND b.place = e.place - 1
        WHERE e.count > 0 OR b.times > 0
        WINDOW column_of AS (PARTITION BY r.id, r.attribute, r.is_score)
    ),

    indices AS (
        SELECT
            s.id,
            s.attribute,
            s.is_score,
            s.bins - 1 AS freedom,
            1 / s.events::double precision + 1 / s.total AS per_row,
            sum(((s.times + 0.5) / (s.events + s.bins / 2.0) - (s.expected + 0.5) / (s.total + s.bins / 2.0))
            * ln(((s.times + 0.5) / (s.events + s.bins / 2.0)) / ((s.expected + 0.5) / (s.total + s.bins / 2.0)))) AS psi,
            coalesce(sum(s.expected) FILTER (WHERE s.place = 0), 0) / s.total AS training_missing_share
        FROM shares AS s
        WHERE s.events > 0
        GROUP BY 1, 2, 3, s.events, s.bins, s.total
    ),

    ordered AS (
        SELECT
            p.id,
            p.attribute,
            p.is_score,
            p.number,
            sum(p.times) OVER up_to AS reached,
            sum(p.times) OVER up_to - p.times AS below,
            sum(p.times) OVER (PARTITION BY p.id, p.attribute, p.is_score) AS values
        FROM placed AS p
        WHERE p.number IS NOT NULL
        WINDOW up_to AS (PARTITION BY p.id, p.attribute, p.is_score ORDER BY p.number)
    ),

    distances AS (
        SELECT
            o.id,
            o.attribute,
            o.is_score,
            avg(abs(o.number - r.quantiles[q.place])) / nullif(r.deviation, 0) AS distance
        FROM ordered AS o
        JOIN described AS r USING (id, attribute, is_score)
        CROSS JOIN LATERAL (
            SELECT
                floor(o.below * cardinality(r.quantiles) / o.values + 0.5)::integer AS passed,
                floor(o.reached * cardinality(r.quantiles) / o.values + 0.5)::integer AS covered
        ) AS c
        CROSS JOIN LATERAL generate_series(c.passed + 1, c.covered) AS q (place)
        WHERE c.covered > c.passed
        GROUP BY 1, 2, 3, r.deviation
    ),

    compared AS MATERIALIZED (
        SELECT
            i.id,
            i.attribute,
            i.is_score,
            i.psi,
            i.per_row * i.freedom
            * (1 - 2 / (9.0 * nullif(i.freedom, 0)) + 3.719016 * sqrt(2 / (9.0 * nullif(i.freedom, 0)))) ^ 3 AS psi_by_chance,
            d.distance,
            i.training_missing_share
        FROM indices AS i
        LEFT JOIN distances AS d USING (id, attribute, is_score)
    )

    SELECT
        g.channel,
        g.model_name,
        g.model_version,
        t.attribute,
        t.is_score,
        t.events,
        t.missing,
        c.psi,
        c.psi_by_chance,
        c.distance,
        c.training_missing_share
    FROM totals AS t
    JOIN groups AS g USING (id)
    LEFT JOIN compared AS c USING (id, attribute, is_score);
END
$$;
COMMENT ON FUNCTION attrition.values_of_rows IS 'Rows of day_values for a day, from the predictions of groups that it does not have.';

CREATE OR REPLACE VIEW attrition.drift_against_training AS
SELECT
    m.day,
    m.model_name,
    m.model_version,
    m.attribute,
    m.is_score,
    m.events,
    m.psi,
    m.psi_by_chance,
    m.distance,
    m.missing / m.events::double precision AS missing_share,
    m.training_missing_share,
    m.psi > 0.25 AND m.psi > m.psi_by_chance AS has_drifted
FROM (
    SELECT
        s.day, s.channel, s.model_name, s.model_version, s.attribute, s.is_score, s.events, s.missing, s.psi, s.psi_by_chance, s.distance,
        s.training_missing_share
    FROM attrition.day_values AS s
    UNION ALL
    SELECT
        d.day, v.channel, v.model_name, v.model_version, v.attribute, v.is_score, v.events, v.missing, v.psi, v.psi_by_chance, v.distance,
        v.training_missing_share
    FROM attrition.value_days AS d
    CROSS JOIN LATERAL attrition.values_of_rows(d.rows_from, d.day_end) AS v
    WHERE d.rows_from IS NOT NULL
) AS m
WHERE m.channel = 'STREAM' AND m.psi IS NOT NULL;

CREATE OR REPLACE VIEW attrition.data_quality AS
SELECT
    d.day,
    q.attribute,
    q.scored + q.refused_missing + q.refused AS events,
    q.imputed + q.refused_missing AS missing,
    q.imputed,
    q.refused_missing + q.refused AS refused,
    (q.imputed + q.refused_missing)::double precision / (q.scored + q.refused_missing + q.refused) AS missing_share,
    q.imputed::double precision / (q.scored + q.refused_missing + q.refused) AS imputed_share,
    (q.refused_missing + q.refused)::double precision / (q.scored + q.refused_missing + q.refused) AS refused_share
FROM attrition.value_days AS d
CROSS JOIN LATERAL (
    SELECT
        attribute,
        coalesce(s.scored, 0) AS scored,
        coalesce(s.imputed, 0) AS imputed,
        coalesce(r.refused_missing, 0) AS refused_missing,
        coalesce(r.refused, 0) AS refused
    FROM (
        SELECT n.attribute, sum(n.scored)::bigint AS scored, sum(n.imputed)::bigint AS imputed
        FROM (
            SELECT w.attribute, w.events AS scored, w.missing AS imputed
            FROM attrition.day_values AS w
            WHERE w.day = d.day AND NOT w.is_score
            UNION ALL
            SELECT v.key, count(*), count(*) FILTER (WHERE jsonb_typeof(v.value) = 'null')
            FROM (
                SELECT p.input
                FROM attrition.predictions AS p
                WHERE p.scored_at >= d.rows_from AND p.scored_at < d.day_end AND NOT EXISTS (
                    SELECT FROM attrition.day_values AS w
                    WHERE w.day = d.day AND w.channel = p.channel AND w.model_name = p.model_name
                        AND w.model_version = p.model_version AND w.is_score
                )
                OFFSET 0 -- rows are dropped before their values are taken apart
            ) AS r
            CROSS JOIN LATERAL jsonb_each(r.input) AS v
            GROUP BY 1
        ) AS n
        GROUP BY 1
    ) AS s
    FULL JOIN (
        SELECT
            l.field AS attribute,
            count(*) FILTER (WHERE l.code = 'missing_required') AS refused_missing,
            count(*) FILTER (WHERE l.code <> 'missing_required') AS refused
        FROM attrition.dead_letters AS l
        WHERE l.stage = 'score' AND l.field IS NOT NULL AND l.received_at >= d.day AND l.received_at < d.day_end
        GROUP BY 1
    ) AS r USING (attribute)
) AS q;

-- Counts each day that is over and was not counted yet. Of the days from `recheck` on it counts those groups again that have more
-- rows than they had: rows that were stored late.
CREATE FUNCTION attrition.count_days(recheck timestamptz DEFAULT now() - interval '8 days') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    due attrition.value_days;
    days bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.count_days'));
    FOR due IN
        SELECT d.* FROM attrition.value_days AS d
        WHERE d.day_end <= now() AND (d.rows_from IS NOT NULL OR d.day >= recheck)
        ORDER BY d.day
    LOOP
        DELETE FROM attrition.day_values AS s
        USING (
            SELECT p.channel, p.model_name, p.model_version, count(*) AS events
            FROM attrition.predictions AS p
            WHERE p.scored_at >= due.day AND p.scored_at < due.day_end
            GROUP BY 1, 2, 3
        ) AS g
        JOIN attrition.day_values AS c ON c.day = due.day AND c.channel = g.channel AND c.model_name = g.model_name
            AND c.model_version = g.model_version AND c.is_score AND c.events < g.events
        WHERE s.day = due.day AND s.channel = g.channel AND s.model_name = g.model_name AND s.model_version = g.model_version;
        INSERT INTO attrition.day_values
        SELECT due.day, v.channel, v.model_name, v.model_version, v.attribute, v.is_score, v.events, v.missing,
            CASE WHEN g.is_enough THEN v.psi END, CASE WHEN g.is_enough THEN v.psi_by_chance END,
            CASE WHEN g.is_enough THEN v.distance END, CASE WHEN g.is_enough THEN v.training_missing_share END
        FROM (SELECT r.*, max(r.events) OVER (PARTITION BY r.channel, r.model_name, r.model_version) AS most
            FROM attrition.values_of_rows(due.day, due.day_end) AS r) AS v
        CROSS JOIN LATERAL (SELECT v.most >= attrition.minimum_group() AS is_enough) AS g;
        INSERT INTO attrition.counted_days AS c (day, counted_at) VALUES (due.day, now())
        ON CONFLICT (day) DO UPDATE SET counted_at = now();
        days := days + (due.rows_from IS NOT NULL)::integer;
    END LOOP;
    RETURN days;
END
$$;
REVOKE ALL ON FUNCTION attrition.count_days(timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION attrition.count_days IS 'Counts days that are over into day_values; returns how many were not counted before.';

-- A reference that comes later, or another one: those days are counted again, of that version, from the rows that are there.
CREATE FUNCTION attrition.uncount_version() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM attrition.counted_days AS c
    WHERE EXISTS (
        SELECT FROM attrition.day_values AS s
        WHERE s.day = c.day AND s.model_name = new.model_name AND s.model_version = new.model_version
    );
    DELETE FROM attrition.day_values AS s WHERE s.model_name = new.model_name AND s.model_version = new.model_version;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION attrition.uncount_version() FROM PUBLIC;
COMMENT ON FUNCTION attrition.uncount_version IS 'Of a trigger: what was counted without the reference, or with another, is counted again.';
CREATE TRIGGER uncount_version AFTER INSERT OR UPDATE OF reference ON attrition.training_references
FOR EACH ROW EXECUTE FUNCTION attrition.uncount_version();

-- As in 0020_http_service.sql; days are counted before retention removes their rows.
CREATE OR REPLACE FUNCTION attrition.maintain() RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    days bigint;
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
END
$$;
COMMENT ON FUNCTION attrition.maintain IS 'Makes the partitions of the months ahead, counts the days that are over and applies retention; to be run once a day by the owner.';

INSERT INTO attrition.retention_tables VALUES ('day_values', 'day', false);

-- As in 0018_retention.sql; access_log has several people in a row, day_values nobody.
CREATE OR REPLACE FUNCTION attrition.retention_condition(rule attrition.retention, aged_by text, has_input boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    attribute text := (SELECT s.value FROM attrition.settings AS s WHERE s.name = 'jurisdiction');
    condition text := format('t.%I < %L::timestamptz', aged_by, now() - rule.keep);
BEGIN
    IF rule.jurisdiction <> '*' THEN
        condition := condition || format(' AND t.input ->> %L = %L', attribute, rule.jurisdiction);
    ELSIF has_input AND attribute <> '' THEN
        condition := condition || format(' AND NOT EXISTS (SELECT FROM attrition.retention AS r WHERE r.table_name = %L '
            'AND r.jurisdiction = t.input ->> %L)', rule.table_name, attribute);
    END IF;
    RETURN condition || CASE WHEN rule.table_name IN ('erasures', 'day_values') THEN '' ELSE
        ' AND NOT EXISTS (SELECT FROM attrition.legal_holds AS h WHERE h.released_at IS NULL AND ' || CASE rule.table_name
            WHEN 'dead_letters' THEN 't.key = convert_to(h.employee_id, ''UTF8'')'
            WHEN 'access_log' THEN 'h.employee_id = ANY (t.employees)'
            ELSE 'h.employee_id = t.employee_id' END || ')' END;
END
$$;

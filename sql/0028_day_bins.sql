-- Counted days keep how many events came to each bin of the training reference. Such counts add up: rows that are stored late are added
-- to them, whatever was erased since, and days are merged without reading a row.

ALTER TABLE attrition.day_values ADD COLUMN bins bigint[];
COMMENT ON COLUMN attrition.day_values.bins IS 'How many events came to each bin of the training reference: missing, its bins in order, none of them; null where psi is, and in days counted before migration 28.';

CREATE TABLE attrition.counted_offsets (
    day timestamptz NOT NULL,
    cluster_id text NOT NULL,
    output_topic text NOT NULL,
    output_partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (day, cluster_id, output_topic, output_partition)
);
COMMENT ON TABLE attrition.counted_offsets IS 'How far the records of each partition were counted into day_values. The sink stores a partition in order: what is further was stored late.';
COMMENT ON COLUMN attrition.counted_offsets.day IS 'The counted day: its start (UTC).';
COMMENT ON COLUMN attrition.counted_offsets.cluster_id IS 'The Kafka cluster.';
COMMENT ON COLUMN attrition.counted_offsets.output_topic IS 'The output topic; empty: of rows that do not say.';
COMMENT ON COLUMN attrition.counted_offsets.output_partition IS 'Its partition.';
COMMENT ON COLUMN attrition.counted_offsets.next_offset IS 'One past the last record of that day that was counted.';

-- Shares are of counts with a half added to each, so that an empty bin has a logarithm; bins that both lack are left out.
-- psi_by_chance: with no drift at all, PSI divided by (1/events + 1/training rows) is about chi-squared with bins - 1 degrees of
-- freedom (Yurdakul 2018); its quantile for a chance of 1 in 10,000 is Wilson and Hilferty's approximation.
CREATE FUNCTION attrition.stability_index(bins bigint[], expected double precision[], OUT psi double precision, OUT psi_by_chance double precision)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT
        sum((s.live - s.training) * ln(s.live / s.training)),
        s.per_row * s.freedom
        * (1 - 2 / (9.0 * nullif(s.freedom, 0)) + 3.719016 * sqrt(2 / (9.0 * nullif(s.freedom, 0)))) ^ 3
    FROM (
        SELECT
            (c.times + 0.5) / (c.events + c.size / 2.0) AS live,
            (c.rows + 0.5) / (c.total + c.size / 2.0) AS training,
            1 / c.events + 1 / c.total AS per_row,
            c.size - 1 AS freedom
        FROM (
            SELECT
                t.times::double precision AS times,
                t.rows,
                sum(t.times::double precision) OVER () AS events,
                sum(t.rows) OVER () AS total,
                count(*) OVER () AS size
            FROM unnest(bins, expected) AS t (times, rows)
            WHERE t.times > 0 OR t.rows > 0
        ) AS c
        WHERE c.events > 0
    ) AS s
    GROUP BY s.per_row, s.freedom
$$;
COMMENT ON FUNCTION attrition.stability_index IS 'PSI of counts against those of the training reference, and what it exceeds in one of 10,000 cases by chance.';

CREATE FUNCTION attrition.add_bins(one bigint[], other bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(t.a + t.b ORDER BY t.place) FROM unnest(one, other) WITH ORDINALITY AS t (a, b, place)
$$;
COMMENT ON FUNCTION attrition.add_bins IS 'Two rows of bins as one; null where either is.';
CREATE AGGREGATE attrition.sum_bins(bigint[]) (SFUNC = attrition.add_bins, STYPE = bigint[], COMBINEFUNC = attrition.add_bins, PARALLEL = SAFE);
COMMENT ON AGGREGATE attrition.sum_bins(bigint[]) IS 'The bins of several days as one.';

-- Of the rows of a day, by channel, version and attribute: all of a group that day_values does not have; of another, if they are
-- wanted, those that were stored since it was counted; pseudonymised ones say no offset and were not. distance is always that of all the rows that are there. Compiling it (JIT) would
-- take longer than it runs; a table of a day's values in memory beats sorting them.
CREATE FUNCTION attrition.counts_of_rows(day_start timestamptz, day_end timestamptz, is_late_wanted boolean)
RETURNS TABLE (channel text, model_name text, model_version text, attribute text, is_score boolean, events bigint, missing bigint,
    bins bigint[], expected double precision[], distance double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH groups AS MATERIALIZED (
        SELECT row_number() OVER () AS id, g.*
        FROM (
            SELECT p.channel, p.model_name, p.model_version,
                bool_or(p.output_offset >= coalesce(c.next_offset, 0)) AS is_late
            FROM attrition.predictions AS p
            LEFT JOIN attrition.counted_offsets AS c ON c.day = day_start AND c.cluster_id = p.cluster_id
                AND c.output_topic = coalesce(p.output_topic, '') AND c.output_partition = p.output_partition
            WHERE p.scored_at >= day_start AND p.scored_at < day_end
            GROUP BY 1, 2, 3
        ) AS g
    ),

    due AS MATERIALIZED (
        SELECT g.id, g.channel, g.model_name, g.model_version, s.is_counted
        FROM groups AS g
        CROSS JOIN LATERAL (
            SELECT EXISTS (
                SELECT FROM attrition.day_values AS v
                WHERE v.day = day_start AND v.channel = g.channel AND v.model_name = g.model_name AND v.model_version = g.model_version
            ) AS is_counted
        ) AS s
        WHERE NOT s.is_counted OR (is_late_wanted AND g.is_late)
    ),

    marked AS (
        SELECT g.id, p.input, p.probability,
            NOT g.is_counted OR coalesce(p.output_offset >= coalesce(c.next_offset, 0), false) AS is_new
        FROM attrition.predictions AS p
        JOIN due AS g ON g.channel = p.channel AND g.model_name = p.model_name AND g.model_version = p.model_version
        LEFT JOIN attrition.counted_offsets AS c ON c.day = day_start AND c.cluster_id = p.cluster_id
            AND c.output_topic = coalesce(p.output_topic, '') AND c.output_partition = p.output_partition
        WHERE p.scored_at >= day_start AND p.scored_at < day_end
    ),

    live AS MATERIALIZED (
        SELECT m.id, v.key AS attribute, false AS is_score, v.value, count(*) AS times, count(*) FILTER (WHERE m.is_new) AS new_times
        FROM marked AS m
        CROSS JOIN LATERAL jsonb_each(m.input) AS v
        GROUP BY m.id, v.key, v.value
        UNION ALL
        SELECT m.id, 'score', true, to_jsonb(m.probability), count(*), count(*) FILTER (WHERE m.is_new)
        FROM marked AS m
        GROUP BY m.id, m.probability
    ),

    totals AS MATERIALIZED (
        SELECT
            l.id,
            l.attribute,
            l.is_score,
            sum(l.new_times)::bigint AS events,
            coalesce(sum(l.new_times) FILTER (WHERE jsonb_typeof(l.value) = 'null'), 0)::bigint AS missing
        FROM live AS l
        GROUP BY 1, 2, 3
    ),

    described AS MATERIALIZED (
        SELECT g.id, c.*
        FROM due AS g
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
            l.new_times,
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

    binned AS MATERIALIZED (
        SELECT r.id, r.attribute, r.is_score, array_agg(coalesce(b.times, 0)::bigint ORDER BY e.place) AS bins, r.counts AS expected
        FROM described AS r
        CROSS JOIN LATERAL generate_subscripts(r.counts, 1) AS e (place)
        LEFT JOIN (
            SELECT p.id, p.attribute, p.is_score, p.place, sum(p.new_times) AS times
            FROM placed AS p
            GROUP BY 1, 2, 3, 4
        ) AS b ON b.id = r.id AND b.attribute = r.attribute AND b.is_score = r.is_score AND b.place = e.place - 1
        GROUP BY r.id, r.attribute, r.is_score, r.counts
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

    distances AS MATERIALIZED (
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
    )

    SELECT
        g.channel,
        g.model_name,
        g.model_version,
        t.attribute,
        t.is_score,
        t.events,
        t.missing,
        b.bins,
        b.expected,
        d.distance
    FROM totals AS t
    JOIN due AS g USING (id)
    LEFT JOIN binned AS b USING (id, attribute, is_score)
    LEFT JOIN distances AS d USING (id, attribute, is_score)
    WHERE t.events > 0;
END
$$;
COMMENT ON FUNCTION attrition.counts_of_rows IS 'What of a day''s rows is not in day_values yet, as counts.';

CREATE OR REPLACE FUNCTION attrition.values_of_rows(day_start timestamptz, day_end timestamptz)
RETURNS TABLE (channel text, model_name text, model_version text, attribute text, is_score boolean, events bigint, missing bigint,
    psi double precision, psi_by_chance double precision, distance double precision, training_missing_share double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.channel, c.model_name, c.model_version, c.attribute, c.is_score, c.events, c.missing, i.psi, i.psi_by_chance, c.distance,
        c.expected[1] / (SELECT sum(e) FROM unnest(c.expected) AS e)
    FROM attrition.counts_of_rows(day_start, day_end, false) AS c
    CROSS JOIN LATERAL attrition.stability_index(c.bins, c.expected) AS i;
END
$$;

-- In one statement, so that what is counted and how far are of one snapshot.
CREATE FUNCTION attrition.count_day(day_start timestamptz, day_end timestamptz, is_marked boolean) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH marks AS (
        INSERT INTO attrition.counted_offsets AS o (day, cluster_id, output_topic, output_partition, next_offset)
        SELECT day_start, p.cluster_id, coalesce(p.output_topic, ''), p.output_partition, max(p.output_offset) + 1
        FROM attrition.predictions AS p
        WHERE p.scored_at >= day_start AND p.scored_at < day_end AND p.output_offset IS NOT NULL
        GROUP BY 2, 3, 4
        ON CONFLICT ON CONSTRAINT counted_offsets_pkey DO UPDATE SET next_offset = excluded.next_offset
        WHERE o.next_offset < excluded.next_offset
    ),

    merged AS (
        SELECT
            c.*,
            coalesce(s.events, 0) + c.events AS all_events,
            coalesce(s.missing, 0) + c.missing AS all_missing,
            CASE WHEN s.day IS NULL THEN c.bins ELSE attrition.add_bins(s.bins, c.bins) END AS all_bins,
            s.psi,
            s.psi_by_chance
        FROM attrition.counts_of_rows(day_start, day_end, is_marked) AS c
        LEFT JOIN attrition.day_values AS s ON s.day = day_start AND s.channel = c.channel AND s.model_name = c.model_name
            AND s.model_version = c.model_version AND s.attribute = c.attribute AND s.is_score = c.is_score
    )

    INSERT INTO attrition.day_values AS s (day, channel, model_name, model_version, attribute, is_score, events, missing, bins, psi,
        psi_by_chance, distance, training_missing_share)
    SELECT day_start, m.channel, m.model_name, m.model_version, m.attribute, m.is_score, m.all_events, m.all_missing,
        CASE WHEN g.is_enough THEN m.all_bins END,
        CASE WHEN g.is_enough THEN coalesce(i.psi, m.psi) END,
        CASE WHEN g.is_enough THEN coalesce(i.psi_by_chance, m.psi_by_chance) END,
        CASE WHEN g.is_enough THEN m.distance END,
        CASE WHEN g.is_enough THEN m.expected[1] / (SELECT sum(e) FROM unnest(m.expected) AS e) END
    FROM (SELECT n.*, max(n.all_events) OVER (PARTITION BY n.channel, n.model_name, n.model_version) AS most FROM merged AS n) AS m
    CROSS JOIN LATERAL attrition.stability_index(m.all_bins, m.expected) AS i
    CROSS JOIN LATERAL (SELECT m.most >= attrition.minimum_group() AS is_enough) AS g
    ON CONFLICT ON CONSTRAINT day_values_pkey DO UPDATE SET events = excluded.events, missing = excluded.missing, bins = excluded.bins,
        psi = excluded.psi, psi_by_chance = excluded.psi_by_chance, distance = excluded.distance,
        training_missing_share = excluded.training_missing_share
$$;
REVOKE ALL ON FUNCTION attrition.count_day(timestamptz, timestamptz, boolean) FROM PUBLIC;
COMMENT ON FUNCTION attrition.count_day IS 'Counts what of a day''s rows is not in day_values; is_marked: also of groups that are.';

-- Counts each day that is over and was not counted yet. To the days from `recheck` on it adds rows that were stored since. Where that
-- cannot be told (days counted before migration 28) and in groups so small that they have no bins, groups with rows that
-- day_values does not have are counted anew.
CREATE OR REPLACE FUNCTION attrition.count_days(recheck timestamptz DEFAULT now() - interval '8 days') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    due attrition.value_days;
    is_marked boolean;
    days bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.count_days'));
    FOR due IN
        SELECT d.* FROM attrition.value_days AS d
        WHERE d.day_end <= now() AND (d.rows_from IS NOT NULL OR d.day >= recheck)
        ORDER BY d.day
    LOOP
        is_marked := EXISTS (SELECT FROM attrition.counted_offsets AS o WHERE o.day = due.day);
        DELETE FROM attrition.day_values AS s
        USING (
            SELECT p.channel, p.model_name, p.model_version, count(p.output_offset) AS events
            FROM attrition.predictions AS p
            WHERE p.scored_at >= due.day AND p.scored_at < due.day_end
            GROUP BY 1, 2, 3
        ) AS g
        JOIN attrition.day_values AS c ON c.day = due.day AND c.channel = g.channel AND c.model_name = g.model_name
            AND c.model_version = g.model_version AND c.is_score
        WHERE s.day = due.day AND s.channel = g.channel AND s.model_name = g.model_name AND s.model_version = g.model_version
            AND CASE WHEN is_marked THEN c.events < least(g.events, attrition.minimum_group()) ELSE c.events <= g.events END;
        PERFORM attrition.count_day(due.day, due.day_end, is_marked);
        INSERT INTO attrition.counted_days AS c (day, counted_at) VALUES (due.day, now())
        ON CONFLICT (day) DO UPDATE SET counted_at = now();
        days := days + (due.rows_from IS NOT NULL)::integer;
    END LOOP;
    RETURN days;
END
$$;

-- For those who ask before maintain() has run: what they would wait for is kept. Where PostgreSQL takes no writes nothing is.
CREATE FUNCTION attrition.count_due_days() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean OR NOT pg_try_advisory_xact_lock(hashtext('attrition.count_days')) THEN
        RETURN 0;
    END IF;
    RETURN attrition.count_days('infinity');
END
$$;
REVOKE ALL ON FUNCTION attrition.count_due_days() FROM PUBLIC;
COMMENT ON FUNCTION attrition.count_due_days IS 'Counts days that are over and were not counted yet, unless somebody is at it; for analysts too. Returns how many.';

CREATE FUNCTION attrition.drift_between(day_from timestamptz, day_to timestamptz)
RETURNS TABLE (model_name text, model_version text, attribute text, is_score boolean, days bigint, events bigint, psi double precision,
    psi_by_chance double precision, mean_distance double precision, missing_share double precision, training_missing_share double precision,
    has_drifted boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
    WITH merged AS MATERIALIZED (
        SELECT b.model_name, b.model_version, b.attribute, b.is_score, count(*) AS days, sum(b.events)::bigint AS events,
            sum(b.missing) AS missing, attrition.sum_bins(b.bins) AS bins, sum(b.distance * b.events) / sum(b.events) FILTER (WHERE b.distance IS NOT NULL) AS distance
        FROM (
            SELECT s.model_name, s.model_version, s.attribute, s.is_score, s.events, s.missing, s.bins, s.distance
            FROM attrition.day_values AS s
            WHERE s.day >= day_from AND s.day < day_to AND s.bins IS NOT NULL
            UNION ALL
            SELECT c.model_name, c.model_version, c.attribute, c.is_score, c.events, c.missing, c.bins, c.distance
            FROM attrition.value_days AS d
            CROSS JOIN LATERAL (
                SELECT r.*, max(r.events) OVER (PARTITION BY r.channel, r.model_name, r.model_version) AS most
                FROM attrition.counts_of_rows(d.rows_from, d.day_end, false) AS r
            ) AS c
            WHERE d.rows_from >= day_from AND d.rows_from < day_to AND c.bins IS NOT NULL AND c.most >= attrition.minimum_group()
        ) AS b
        GROUP BY 1, 2, 3, 4
    )

    SELECT m.model_name, m.model_version, m.attribute, m.is_score, m.days, m.events, i.psi, i.psi_by_chance, m.distance,
        m.missing::double precision / m.events, c.counts[1] / c.total, i.psi > 0.25 AND i.psi > i.psi_by_chance
    FROM attrition.training_references AS r
    CROSS JOIN LATERAL attrition.reference_columns(r.reference) AS c
    JOIN merged AS m ON m.model_name = r.model_name AND m.model_version = r.model_version AND m.attribute = c.attribute
        AND m.is_score = c.is_score
    CROSS JOIN LATERAL attrition.stability_index(m.bins, c.counts) AS i
    WHERE EXISTS (SELECT FROM merged AS x WHERE x.model_name = r.model_name AND x.model_version = r.model_version)
$$;
COMMENT ON FUNCTION attrition.drift_between IS 'drift_against_training of the days from day_from on and before day_to together, without those of a version that had fewer events than minimum_group and those counted before migration 28; mean_distance: of the days'' distances, by events.';

-- As before; who may read the figures may have them counted.
ALTER FUNCTION attrition.grant_roles() RENAME TO grant_roles_until_27;
COMMENT ON FUNCTION attrition.grant_roles_until_27 IS 'Rights of the roles on what migrations 1 to 27 made; grant_roles calls it.';
CREATE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM attrition.grant_roles_until_27();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_analyst') THEN
        GRANT EXECUTE ON FUNCTION attrition.count_due_days() TO attrition_analyst;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION attrition.grant_roles() FROM PUBLIC;
COMMENT ON FUNCTION attrition.grant_roles IS 'Rights of the roles that exist; sql/migrate calls it at its end.';

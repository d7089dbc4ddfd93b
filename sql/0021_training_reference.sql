-- Drift against training. Each model file carries how the columns of its training table, and the scores of rows that its model had
-- not seen, were distributed (attrition.distributions; drift_reference.json of the run). The sink stores it beside the
-- predictions of that version; the view compares each day with it.

-- One row for each column of a reference, and one for the score: its bins and how many rows came to each. Place 0 is missing, the
-- last place is what the training table did not have.
CREATE FUNCTION attrition.reference_columns(reference jsonb)
RETURNS TABLE (attribute text, is_score boolean, is_numeric boolean, deviation double precision, quantiles double precision[],
    lows double precision[], categories text[], counts double precision[], total double precision)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.attribute, c.is_score, b.is_numeric, (c.described ->> 'deviation')::double precision,
        ARRAY(SELECT q.value::double precision FROM jsonb_array_elements_text(c.described -> 'quantiles') WITH ORDINALITY AS q
            ORDER BY q.ordinality),
        b.lows, b.categories, array_prepend(m.missing, b.counts) || 0::double precision, m.missing + b.total
    FROM (
        SELECT d.value ->> 'name' AS attribute, false AS is_score, d.value AS described
        FROM jsonb_array_elements(reference -> 'columns') AS d
        UNION ALL
        SELECT 'score', true, reference -> 'score' WHERE reference ? 'score'
    ) AS c
    CROSS JOIN LATERAL (SELECT coalesce((c.described #>> '{missing,count}')::double precision, 0) AS missing) AS m
    CROSS JOIN LATERAL (
        SELECT
            c.described ->> 'kind' <> 'nominal' AS is_numeric,
            array_agg((e.bin ->> 'low')::double precision ORDER BY e.place) AS lows,
            array_agg(e.bin ->> 'value' ORDER BY e.place) AS categories,
            array_agg((e.bin ->> 'count')::double precision ORDER BY e.place) AS counts,
            sum((e.bin ->> 'count')::double precision) AS total
        FROM jsonb_array_elements(CASE c.described ->> 'kind' WHEN 'nominal' THEN c.described -> 'categories'
            ELSE c.described -> 'bins' END) WITH ORDINALITY AS e (bin, place)
    ) AS b
$$;
COMMENT ON FUNCTION attrition.reference_columns IS 'A training reference as rows, one for each column and one for the score.';

-- Whether reference_columns can be relied on; what is no number is an error already.
CREATE FUNCTION attrition.is_training_reference(reference jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) > 0 AND bool_and(
        coalesce(c.attribute <> '' AND c.total > 0 AND c.total < 'Infinity' AND c.is_numeric IS NOT NULL, false)
        AND coalesce(c.deviation, 0) BETWEEN 0 AND 1.7976931348623157e308
        AND array_position(c.counts, NULL) IS NULL AND 0 <= ALL (c.counts)
        AND CASE WHEN c.is_numeric
            THEN array_position(c.lows, NULL) IS NULL
                AND c.lows = ARRAY(SELECT l FROM unnest(c.lows) AS l ORDER BY l)
                AND array_position(c.quantiles, NULL) IS NULL
            ELSE array_position(c.categories, NULL) IS NULL END)
        AND count(*) = count(DISTINCT (c.attribute, c.is_score))
    FROM attrition.reference_columns(reference) AS c
$$;
COMMENT ON FUNCTION attrition.is_training_reference IS 'Whether this is a drift_reference.json that drift_against_training can use.';

CREATE TABLE attrition.training_references (
    model_name text NOT NULL,
    model_version text NOT NULL,
    reference jsonb NOT NULL CHECK (attrition.is_training_reference(reference)),
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model_name, model_version)
);
COMMENT ON TABLE attrition.training_references IS 'What live data are compared with: distributions of each model version''s training table. Written by the sink beside a scorer.';
COMMENT ON COLUMN attrition.training_references.model_name IS 'The model.';
COMMENT ON COLUMN attrition.training_references.model_version IS 'The version of that model.';
COMMENT ON COLUMN attrition.training_references.reference IS 'drift_reference.json of its run: counts of bins and categories, of missing values, and quantiles.';
COMMENT ON COLUMN attrition.training_references.stored_at IS 'When it was stored first.';

-- Shares are of counts with a half added to each, so that an empty bin has a logarithm; bins that both lack are left out.
-- psi_by_chance: with no drift at all, PSI divided by (1/events + 1/training rows) is about chi-squared with bins - 1 degrees of
-- freedom (Yurdakul 2018); its quantile for a chance of 1 in 10,000 is Wilson and Hilferty's approximation.
CREATE VIEW attrition.drift_against_training AS
SELECT
    d.day,
    m.model_name,
    m.model_version,
    m.attribute,
    m.is_score,
    m.events,
    m.psi,
    m.psi_by_chance,
    m.distance,
    m.missing_share,
    m.training_missing_share,
    m.psi > 0.25 AND m.psi > m.psi_by_chance AS has_drifted
FROM attrition.scored_days AS d
CROSS JOIN LATERAL (
    WITH live AS (
        SELECT p.model_name, p.model_version, v.key AS attribute, false AS is_score, v.value, count(*) AS times
        FROM attrition.predictions AS p
        CROSS JOIN LATERAL jsonb_each(p.input) AS v
        WHERE p.scored_at >= d.day AND p.scored_at < d.day_end AND p.channel = 'STREAM'
        GROUP BY 1, 2, 3, 5
        UNION ALL
        SELECT p.model_name, p.model_version, 'score', true, to_jsonb(p.probability), count(*)
        FROM attrition.predictions AS p
        WHERE p.scored_at >= d.day AND p.scored_at < d.day_end AND p.channel = 'STREAM'
        GROUP BY 1, 2, p.probability
    ),

    described AS MATERIALIZED (
        SELECT r.model_name, r.model_version, c.*
        FROM attrition.training_references AS r
        CROSS JOIN LATERAL attrition.reference_columns(r.reference) AS c
        WHERE EXISTS (
            SELECT FROM attrition.predictions AS p
            WHERE p.scored_at >= d.day AND p.scored_at < d.day_end AND p.channel = 'STREAM'
                AND p.model_name = r.model_name AND p.model_version = r.model_version
        )
    ),

    placed AS (
        SELECT
            r.model_name,
            r.model_version,
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
        JOIN described AS r USING (model_name, model_version, attribute, is_score)
    ),

    shares AS (
        SELECT
            r.model_name,
            r.model_version,
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
            SELECT p.model_name, p.model_version, p.attribute, p.is_score, p.place, sum(p.times) AS times
            FROM placed AS p
            GROUP BY 1, 2, 3, 4, 5
        ) AS b ON b.model_name = r.model_name AND b.model_version = r.model_version AND b.attribute = r.attribute
            AND b.is_score = r.is_score AND b.place = e.place - 1
        WHERE e.count > 0 OR b.times > 0
        WINDOW column_of AS (PARTITION BY r.model_name, r.model_version, r.attribute, r.is_score)
    ),

    indices AS (
        SELECT
            s.model_name,
            s.model_version,
            s.attribute,
            s.is_score,
            s.events::bigint AS events,
            s.bins - 1 AS freedom,
            1 / s.events::double precision + 1 / s.total AS per_row,
            sum(((s.times + 0.5) / (s.events + s.bins / 2.0) - (s.expected + 0.5) / (s.total + s.bins / 2.0))
            * ln(((s.times + 0.5) / (s.events + s.bins / 2.0)) / ((s.expected + 0.5) / (s.total + s.bins / 2.0)))) AS psi,
            coalesce(sum(s.times) FILTER (WHERE s.place = 0), 0) / s.events::double precision AS missing_share,
            coalesce(sum(s.expected) FILTER (WHERE s.place = 0), 0) / s.total AS training_missing_share
        FROM shares AS s
        WHERE s.events > 0
        GROUP BY 1, 2, 3, 4, s.events, s.bins, s.total
    ),

    ordered AS (
        SELECT
            p.model_name,
            p.model_version,
            p.attribute,
            p.is_score,
            p.number,
            sum(p.times) OVER up_to AS reached,
            sum(p.times) OVER up_to - p.times AS below,
            sum(p.times) OVER (PARTITION BY p.model_name, p.model_version, p.attribute, p.is_score) AS values
        FROM placed AS p
        WHERE p.number IS NOT NULL
        WINDOW up_to AS (PARTITION BY p.model_name, p.model_version, p.attribute, p.is_score ORDER BY p.number)
    ),

    distances AS (
        SELECT
            o.model_name,
            o.model_version,
            o.attribute,
            o.is_score,
            avg(abs(o.number - r.quantiles[q.place])) / nullif(r.deviation, 0) AS distance
        FROM ordered AS o
        JOIN described AS r USING (model_name, model_version, attribute, is_score)
        CROSS JOIN LATERAL (
            SELECT
                floor(o.below * cardinality(r.quantiles) / o.values + 0.5)::integer AS passed,
                floor(o.reached * cardinality(r.quantiles) / o.values + 0.5)::integer AS covered
        ) AS c
        CROSS JOIN LATERAL generate_series(c.passed + 1, c.covered) AS q (place)
        WHERE c.covered > c.passed
        GROUP BY 1, 2, 3, 4, r.deviation
    )

    SELECT
        i.model_name,
        i.model_version,
        i.attribute,
        i.is_score,
        i.events,
        i.psi,
        i.per_row * i.freedom * (1 - 2 / (9.0 * nullif(i.freedom, 0)) + 3.719016 * sqrt(2 / (9.0 * nullif(i.freedom, 0)))) ^ 3
            AS psi_by_chance,
        t.distance,
        i.missing_share,
        i.training_missing_share
    FROM indices AS i
    LEFT JOIN distances AS t USING (model_name, model_version, attribute, is_score)
) AS m;

COMMENT ON VIEW attrition.drift_against_training IS 'Each day''s events of the stream against the training table of the model that scored them. Versions without a reference in training_references are not in it.';
COMMENT ON COLUMN attrition.drift_against_training.day IS 'The day of scoring: its start (UTC). A condition on it reads those partitions alone.';
COMMENT ON COLUMN attrition.drift_against_training.model_name IS 'The model.';
COMMENT ON COLUMN attrition.drift_against_training.model_version IS 'The version of that model.';
COMMENT ON COLUMN attrition.drift_against_training.attribute IS 'An attribute of the schema, or score.';
COMMENT ON COLUMN attrition.drift_against_training.is_score IS 'Whether it is the probability, against those that the evaluation gave to rows its model had not seen.';
COMMENT ON COLUMN attrition.drift_against_training.events IS 'How many were scored by that version on that day.';
COMMENT ON COLUMN attrition.drift_against_training.psi IS 'Population stability index over the training table''s bins, missing among them: below 0.1 no shift, to 0.25 some, above it a large one.';
COMMENT ON COLUMN attrition.drift_against_training.psi_by_chance IS 'What PSI exceeds in one of 10,000 cases where nothing has changed, for so many events and bins.';
COMMENT ON COLUMN attrition.drift_against_training.distance IS 'Mean absolute difference of quantiles (Wasserstein''s distance) in standard deviations of the training table; null where a category has no order or all training values are equal.';
COMMENT ON COLUMN attrition.drift_against_training.missing_share IS 'Share of events without a value.';
COMMENT ON COLUMN attrition.drift_against_training.training_missing_share IS 'The same in the training table.';
COMMENT ON COLUMN attrition.drift_against_training.has_drifted IS 'PSI above 0.25 and above psi_by_chance.';

-- The sink stores a reference, or a new one where a file has another than before.
CREATE FUNCTION attrition.store_reference(name text, version text, stored jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO attrition.training_references AS r (model_name, model_version, reference) VALUES (name, version, stored)
    ON CONFLICT (model_name, model_version) DO UPDATE SET reference = excluded.reference
    WHERE r.reference <> excluded.reference
$$;
REVOKE ALL ON FUNCTION attrition.store_reference(text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION attrition.store_reference IS 'Stores the training reference of a model version: drift_reference.json of its run.';

-- Rights of this migration beside those of the ones before.
ALTER FUNCTION attrition.grant_roles() RENAME TO grant_roles_until_20;
COMMENT ON FUNCTION attrition.grant_roles_until_20 IS 'Rights of the roles on what migrations 1 to 20 made; grant_roles calls it.';
CREATE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM attrition.grant_roles_until_20();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_writer') THEN
        GRANT SELECT, INSERT, UPDATE ON attrition.training_references TO attrition_writer;
        GRANT EXECUTE ON FUNCTION attrition.store_reference(text, text, jsonb) TO attrition_writer;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION attrition.grant_roles() FROM PUBLIC;

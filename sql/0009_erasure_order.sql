-- An erasure reaches what came before it by source position, and never what came after. The scorer says the source of a
-- null value and of an outcome in headers; a dead letter has always had it.

ALTER TABLE attrition.erasures
    ADD COLUMN output_topic text,
    ADD COLUMN source_topic text,
    ADD COLUMN source_partition integer,
    ADD COLUMN source_offset bigint;
ALTER TABLE attrition.outcomes
    ADD COLUMN source_topic text,
    ADD COLUMN source_partition integer,
    ADD COLUMN source_offset bigint;
COMMENT ON COLUMN attrition.erasures.source_offset IS 'The request on the input topic: with source_topic and source_partition; null where the record does not say.';
COMMENT ON COLUMN attrition.outcomes.source_offset IS 'The event on the input topic: with source_topic and source_partition; null where the record does not say.';

-- Whether a record came after a request: on the same partition of the same topic, behind it. Records of different
-- partitions have no order: not after.
CREATE FUNCTION attrition.is_after(
    request_cluster text, request_topic text, request_partition integer, request_offset bigint,
    cluster text, topic text, partition integer, "offset" bigint
) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce($5 = $1 AND $6 = $2 AND $7 = $3 AND $8 > $4, false)
$$;
COMMENT ON FUNCTION attrition.is_after IS 'Whether the second place in Kafka is known to be behind the first.';

-- A prediction after a request. Its output record decides where the source positions do not: records without one, and an
-- input topic that was recreated, whose offsets have begun again (the output of one key keeps the input's order).
CREATE FUNCTION attrition.prediction_is_after(
    request attrition.erasures, cluster text, output_topic text, output_partition integer, output_offset bigint,
    source_topic text, source_partition integer, source_offset bigint
) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN attrition.is_after($2, coalesce($3, request.output_topic, ''), $4, $5, request.cluster_id,
            coalesce(request.output_topic, ''), request.output_partition, request.output_offset)
            THEN false
        WHEN $6 = request.source_topic AND $7 = request.source_partition
            THEN attrition.is_after(request.cluster_id, request.source_topic, request.source_partition,
                request.source_offset, $2, $6, $7, $8)
        ELSE attrition.is_after(request.cluster_id, coalesce(request.output_topic, ''), request.output_partition,
            request.output_offset, $2, coalesce($3, request.output_topic, ''), $4, $5)
    END
$$;
COMMENT ON FUNCTION attrition.prediction_is_after IS 'Whether a prediction is known to have come after a request to erase.';

-- Likewise a dead letter: stage score names its place on the input topic, stage sink that on the topic the sink read.
CREATE FUNCTION attrition.dead_letter_is_after(
    request attrition.erasures, cluster text, topic text, partition integer, "offset" bigint
) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT attrition.is_after(request.cluster_id, request.source_topic, request.source_partition,
            request.source_offset, $2, $3, $4, $5)
        OR attrition.is_after(request.cluster_id, request.output_topic, request.output_partition,
            request.output_offset, $2, $3, $4, $5)
$$;
COMMENT ON FUNCTION attrition.dead_letter_is_after IS 'Whether a dead letter is known to have come after a request to erase.';

-- Held by those who erase, and shared by those who bring what an erasure may reach: neither must miss the other's rows.
CREATE FUNCTION attrition.lock_erasures() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.erasures'));
    RETURN NULL;
END
$$;
CREATE TRIGGER lock_erasures BEFORE INSERT ON attrition.erasures
FOR EACH STATEMENT EXECUTE FUNCTION attrition.lock_erasures();

-- Outcomes and dead letters come by other topics than requests. What the sink reads only after the request that reaches
-- it is counted in that receipt and not stored.
CREATE FUNCTION attrition.erase_late_outcome() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('attrition.erasures'));
    UPDATE attrition.erasures SET outcomes = coalesce(outcomes, 0) + 1
    WHERE ctid = (
        SELECT e.ctid FROM attrition.erasures AS e
        WHERE e.employee_id = new.employee_id AND e.erased_at IS NOT NULL
            AND attrition.is_after(new.cluster_id, new.source_topic, new.source_partition, new.source_offset,
                e.cluster_id, e.source_topic, e.source_partition, e.source_offset)
        ORDER BY e.source_offset LIMIT 1);
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER erase_late BEFORE INSERT ON attrition.outcomes
FOR EACH ROW EXECUTE FUNCTION attrition.erase_late_outcome();

CREATE FUNCTION attrition.erase_late_dead_letter() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    employee text;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('attrition.erasures'));
    BEGIN
        employee := convert_from(new.key, 'UTF8');
    EXCEPTION WHEN character_not_in_repertoire THEN
        RETURN new; -- no text: the id of nobody
    END;
    UPDATE attrition.erasures SET dead_letters = coalesce(dead_letters, 0) + 1
    WHERE ctid = (
        SELECT e.ctid FROM attrition.erasures AS e
        WHERE e.employee_id = employee AND e.erased_at IS NOT NULL
            AND attrition.is_after(new.cluster_id, new.topic, new.partition, new."offset",
                e.cluster_id, e.source_topic, e.source_partition, e.source_offset)
        ORDER BY e.source_offset LIMIT 1);
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN new;
END
$$;
CREATE TRIGGER erase_late BEFORE INSERT ON attrition.dead_letters
FOR EACH ROW WHEN (new.stage = 'score' AND new.key IS NOT NULL AND new.topic IS NOT NULL)
EXECUTE FUNCTION attrition.erase_late_dead_letter();
REVOKE ALL ON FUNCTION attrition.lock_erasures(), attrition.erase_late_outcome(), attrition.erase_late_dead_letter()
    FROM PUBLIC;

-- Does all open requests, oldest first; returns how many. What came after a request stays. Names nobody, so that its
-- caller can erase only what was asked for.
CREATE OR REPLACE FUNCTION attrition.erase_requested(how text DEFAULT 'delete') RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place tid;
    request attrition.erasures;
    done bigint := 0;
    gone_latest bigint;
    gone_predictions bigint;
    gone_outcomes bigint;
    gone_letters bigint;
BEGIN
    IF how NOT IN ('delete', 'pseudonymise') THEN
        RAISE EXCEPTION 'erase_requested: % is neither delete nor pseudonymise', how;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('attrition.erasures'));
    FOR place IN
        SELECT e.ctid FROM attrition.erasures AS e WHERE e.erased_at IS NULL
        ORDER BY e.cluster_id, e.output_partition, e.output_offset FOR UPDATE
    LOOP
        SELECT e.* INTO request FROM attrition.erasures AS e WHERE e.ctid = place;
        DELETE FROM attrition.latest_predictions AS l
        WHERE l.employee_id = request.employee_id
            AND NOT attrition.prediction_is_after(request, l.cluster_id, l.output_topic, l.output_partition,
                l.output_offset, l.source_topic, l.source_partition, l.source_offset);
        GET DIAGNOSTICS gone_latest = ROW_COUNT;
        IF how = 'delete' THEN
            DELETE FROM attrition.predictions AS p
            WHERE p.employee_id = request.employee_id
                AND NOT attrition.prediction_is_after(request, p.cluster_id, p.output_topic, p.output_partition,
                    p.output_offset, p.source_topic, p.source_partition, p.source_offset);
        ELSE
            UPDATE attrition.predictions AS p
            SET employee_id = NULL, event_id = 'erased-' || gen_random_uuid(), source_topic = NULL,
                source_partition = NULL, source_offset = NULL
            WHERE p.employee_id = request.employee_id
                AND NOT attrition.prediction_is_after(request, p.cluster_id, p.output_topic, p.output_partition,
                    p.output_offset, p.source_topic, p.source_partition, p.source_offset);
        END IF;
        GET DIAGNOSTICS gone_predictions = ROW_COUNT;
        DELETE FROM attrition.outcomes AS o
        WHERE o.employee_id = request.employee_id
            AND NOT attrition.is_after(request.cluster_id, request.source_topic, request.source_partition,
                request.source_offset, o.cluster_id, o.source_topic, o.source_partition, o.source_offset);
        GET DIAGNOSTICS gone_outcomes = ROW_COUNT;
        DELETE FROM attrition.dead_letters AS d
        WHERE sha256(d.key) = sha256(convert_to(request.employee_id, 'UTF8'))
            AND d.key = convert_to(request.employee_id, 'UTF8')
            AND NOT attrition.dead_letter_is_after(request, d.cluster_id, d.topic, d.partition, d."offset");
        GET DIAGNOSTICS gone_letters = ROW_COUNT;
        UPDATE attrition.erasures
        SET erased_at = now(), method = how, predictions = gone_predictions, latest_predictions = gone_latest,
            outcomes = gone_outcomes, dead_letters = gone_letters
        WHERE ctid = place;
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;

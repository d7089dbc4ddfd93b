-- Erasure that leaves no way back, receipts that name nobody, legal holds, and who may ask for an erasure.

-- Receipts are found again by a digest of the id with a secret of this database, which nobody may read but the owner and
-- whoever runs `scorer audit`: without it, short ids could be tried one by one.
CREATE TABLE attrition.receipt_secret (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), secret bytea NOT NULL);
INSERT INTO attrition.receipt_secret (secret)
VALUES (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
COMMENT ON TABLE attrition.receipt_secret IS 'What receipts are made with. Whoever changes it has late records of erased employees stored.';
COMMENT ON COLUMN attrition.receipt_secret.only_row IS 'There is one row.';
COMMENT ON COLUMN attrition.receipt_secret.secret IS 'Random.';

CREATE FUNCTION attrition.receipt(employee text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(sha256(s.secret || convert_to(employee, 'UTF8')), 'hex') FROM attrition.receipt_secret AS s
$$;
REVOKE ALL ON FUNCTION attrition.receipt(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.receipt IS 'By which the receipts of an employee are found.';

ALTER TABLE attrition.erasures ALTER COLUMN employee_id DROP NOT NULL, ADD COLUMN receipt text;
COMMENT ON COLUMN attrition.erasures.employee_id IS 'Who is to be forgotten; null once that is done.';
COMMENT ON COLUMN attrition.erasures.receipt IS 'attrition.receipt of the employee.';
UPDATE attrition.erasures
SET receipt = attrition.receipt(employee_id), employee_id = CASE WHEN erased_at IS NULL THEN employee_id END;
CREATE FUNCTION attrition.set_receipt() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    new.receipt := attrition.receipt(new.employee_id);
    RETURN new;
END
$$;
REVOKE ALL ON FUNCTION attrition.set_receipt() FROM PUBLIC;
COMMENT ON FUNCTION attrition.set_receipt IS 'Of a trigger: each request has its receipt''s name from the beginning.';
CREATE TRIGGER set_receipt BEFORE INSERT ON attrition.erasures
FOR EACH ROW EXECUTE FUNCTION attrition.set_receipt();
CREATE INDEX erasures_receipt ON attrition.erasures (receipt);

-- Under hold no row of an employee goes, neither by erasure nor by retention.
CREATE TABLE attrition.legal_holds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    employee_id text,
    reason text NOT NULL,
    held_at timestamptz NOT NULL DEFAULT now(),
    held_by text NOT NULL DEFAULT session_user,
    released_at timestamptz,
    released_by text,
    CHECK (released_at IS NOT NULL OR employee_id IS NOT NULL)
);
COMMENT ON TABLE attrition.legal_holds IS 'Employees whose rows may not go, by attrition.legal_hold; until attrition.legal_release.';
COMMENT ON COLUMN attrition.legal_holds.id IS 'The row''s number.';
COMMENT ON COLUMN attrition.legal_holds.employee_id IS 'Whose; null once released and erased.';
COMMENT ON COLUMN attrition.legal_holds.reason IS 'Why.';
COMMENT ON COLUMN attrition.legal_holds.held_at IS 'Since when.';
COMMENT ON COLUMN attrition.legal_holds.held_by IS 'By which user.';
COMMENT ON COLUMN attrition.legal_holds.released_at IS 'Until when; null while it holds.';
COMMENT ON COLUMN attrition.legal_holds.released_by IS 'By which user.';
CREATE INDEX legal_holds_open ON attrition.legal_holds (employee_id) WHERE released_at IS NULL;

CREATE FUNCTION attrition.is_held(employee text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM attrition.legal_holds AS h WHERE h.employee_id = employee AND h.released_at IS NULL)
$$;
REVOKE ALL ON FUNCTION attrition.is_held(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.is_held IS 'Whether the employee is under legal hold.';

INSERT INTO attrition.settings (name, value, meaning) VALUES
('pseudonyms_keep', 'none', 'What pseudonymised predictions keep of their input and reasons: none, or values.');
ALTER TABLE attrition.settings ADD CHECK (name <> 'pseudonyms_keep' OR value IN ('none', 'values'));

ALTER TABLE attrition.predictions ALTER COLUMN output_partition DROP NOT NULL, ALTER COLUMN output_offset DROP NOT NULL;

-- To three digits, and on the side of the threshold where it was.
CREATE FUNCTION attrition.coarse_probability(probability double precision, threshold double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN (round(probability::numeric, 3)::double precision >= threshold) = (probability >= threshold)
            THEN round(probability::numeric, 3)::double precision
        WHEN probability >= threshold THEN threshold
        ELSE greatest(0, threshold - 0.001)
    END
$$;
COMMENT ON FUNCTION attrition.coarse_probability IS 'A probability as pseudonymised rows keep it.';

CREATE FUNCTION attrition.coarse_challengers(challengers jsonb, threshold double precision) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('model', c.model, 'probability',
        attrition.coarse_probability(c.probability, threshold)) ORDER BY c.model), '[]')
    FROM jsonb_to_recordset(challengers) AS c (model text, probability double precision)
$$;
COMMENT ON FUNCTION attrition.coarse_challengers IS 'Challengers as pseudonymised rows keep them.';

-- What is left of a prediction: decision, model and coarse numbers. No id, no trace, no place in Kafka; times to the day and
-- month; what was known of the person only where settings ask for it.
CREATE FUNCTION attrition.pseudonym(p attrition.predictions) RETURNS attrition.predictions
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    p.employee_id := NULL;
    p.event_id := 'erased-' || gen_random_uuid();
    p.source_topic := NULL;
    p.source_partition := NULL;
    p.source_offset := NULL;
    p.traceparent := NULL;
    p.output_topic := NULL;
    p.output_partition := NULL;
    p.output_offset := NULL;
    p.evidence_salt := NULL;
    p.evidence_digest := NULL;
    p.scored_at := date_trunc('day', p.scored_at, 'UTC');
    p.occurred_at := date_trunc('month', p.occurred_at, 'UTC');
    p.latency_us := p.latency_us / 100 * 100;
    p.challengers := attrition.coarse_challengers(p.challengers, p.threshold);
    p.probability := attrition.coarse_probability(p.probability, p.threshold);
    p.margin := round(p.margin::numeric, 2)::double precision;
    IF (SELECT value = 'none' FROM attrition.settings WHERE name = 'pseudonyms_keep') THEN
        p.input := '{}';
        p.reasons := '[]';
    END IF;
    RETURN p;
END
$$;
REVOKE ALL ON FUNCTION attrition.pseudonym(attrition.predictions) FROM PUBLIC;
COMMENT ON FUNCTION attrition.pseudonym IS 'What is left of a prediction that is pseudonymised.';

-- Pseudonymises rows of predictions: those of the employee that the request reaches, or, without a request, those that an
-- earlier version had pseudonymised halfway. Columns are those that the table has.
CREATE FUNCTION attrition.pseudonymise(request attrition.erasures, employee text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns text;
    rows_changed bigint;
BEGIN
    SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) INTO columns
    FROM pg_attribute WHERE attrelid = 'attrition.predictions'::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('UPDATE attrition.predictions AS p SET (%1$s) = (SELECT %1$s FROM attrition.pseudonym(p) AS q) WHERE %2$s',
        columns, CASE WHEN employee IS NULL
            THEN 'p.employee_id IS NULL AND starts_with(p.event_id, ''erased-'') AND p.output_offset IS NOT NULL'
            ELSE 'p.employee_id = $1 AND NOT attrition.prediction_is_after($2, p.cluster_id, p.output_topic, p.output_partition, '
                'p.output_offset, p.source_topic, p.source_partition, p.source_offset)' END)
    USING employee, request;
    GET DIAGNOSTICS rows_changed = ROW_COUNT;
    RETURN rows_changed;
END
$$;
REVOKE ALL ON FUNCTION attrition.pseudonymise(attrition.erasures, text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.pseudonymise IS 'Takes out of predictions what leads to the employee; returns how many rows.';

-- Those of before had kept trace, place, times and values.
DO $$
BEGIN
    IF EXISTS (SELECT FROM attrition.erasures WHERE method = 'pseudonymise') THEN
        PERFORM attrition.pseudonymise(NULL, NULL);
    END IF;
END
$$;

-- Does one request: rows that it reaches go, and it becomes the receipt. A second time, it adds to it.
CREATE FUNCTION attrition.erase_reached(place tid, employee text, how text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request attrition.erasures;
    gone_latest bigint;
    gone_predictions bigint;
    gone_outcomes bigint;
    gone_letters bigint;
    gone_alerts bigint;
BEGIN
    PERFORM set_config('attrition.removal', 'erasure', true); -- why rows go, for what keeps count of them
    SELECT e.* INTO request FROM attrition.erasures AS e WHERE e.ctid = place;
    DELETE FROM attrition.latest_predictions AS l
    WHERE l.employee_id = employee
        AND NOT attrition.prediction_is_after(request, l.cluster_id, l.output_topic, l.output_partition,
            l.output_offset, l.source_topic, l.source_partition, l.source_offset);
    GET DIAGNOSTICS gone_latest = ROW_COUNT;
    IF how = 'delete' THEN
        DELETE FROM attrition.predictions AS p
        WHERE p.employee_id = employee
            AND NOT attrition.prediction_is_after(request, p.cluster_id, p.output_topic, p.output_partition,
                p.output_offset, p.source_topic, p.source_partition, p.source_offset);
        GET DIAGNOSTICS gone_predictions = ROW_COUNT;
    ELSE
        gone_predictions := attrition.pseudonymise(request, employee);
    END IF;
    DELETE FROM attrition.outcomes AS o
    WHERE o.employee_id = employee
        AND NOT attrition.is_after(request.cluster_id, request.source_topic, request.source_partition,
            request.source_offset, o.cluster_id, o.source_topic, o.source_partition, o.source_offset);
    GET DIAGNOSTICS gone_outcomes = ROW_COUNT;
    DELETE FROM attrition.alerts AS a
    WHERE a.employee_id = employee
        AND NOT attrition.is_after(request.cluster_id, request.source_topic, request.source_partition,
            request.source_offset, a.cluster_id, a.source_topic, a.source_partition, a.source_offset);
    GET DIAGNOSTICS gone_alerts = ROW_COUNT;
    DELETE FROM attrition.dead_letters AS d
    WHERE sha256(d.key) = sha256(convert_to(employee, 'UTF8'))
        AND d.key = convert_to(employee, 'UTF8')
        AND NOT attrition.dead_letter_is_after(request, d.cluster_id, d.topic, d.partition, d."offset");
    GET DIAGNOSTICS gone_letters = ROW_COUNT;
    PERFORM set_config('attrition.removal', '', true);
    UPDATE attrition.erasures AS e
    SET erased_at = coalesce(e.erased_at, now()), method = how, employee_id = NULL,
        predictions = coalesce(e.predictions, 0) + gone_predictions,
        latest_predictions = coalesce(e.latest_predictions, 0) + gone_latest,
        outcomes = coalesce(e.outcomes, 0) + gone_outcomes,
        dead_letters = coalesce(e.dead_letters, 0) + gone_letters,
        alerts = coalesce(e.alerts, 0) + gone_alerts
    WHERE e.ctid = place;
    UPDATE attrition.legal_holds AS h SET employee_id = NULL WHERE h.employee_id = employee AND h.released_at IS NOT NULL;
END
$$;
REVOKE ALL ON FUNCTION attrition.erase_reached(tid, text, text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.erase_reached IS 'Does one request of erasures and writes its receipt.';

-- As before, but those under hold stay open, with the method that they came with.
CREATE OR REPLACE FUNCTION attrition.erase_requested(how text DEFAULT 'delete') RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request record;
    done bigint := 0;
BEGIN
    IF how NOT IN ('delete', 'pseudonymise') THEN
        RAISE EXCEPTION 'erase_requested: % is neither delete nor pseudonymise', how;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('attrition.erasures'));
    UPDATE attrition.erasures AS e SET method = how
    WHERE e.erased_at IS NULL AND e.method IS NULL AND attrition.is_held(e.employee_id);
    FOR request IN
        SELECT e.ctid AS place, e.employee_id FROM attrition.erasures AS e
        WHERE e.erased_at IS NULL AND NOT attrition.is_held(e.employee_id)
        ORDER BY e.cluster_id, e.output_partition, e.output_offset FOR UPDATE
    LOOP
        PERFORM attrition.erase_reached(request.place, request.employee_id, how);
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;

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
    UPDATE attrition.erasures SET erased_at = now(), employee_id = NULL
    WHERE employee_id = employee AND erased_at IS NULL;
    UPDATE attrition.legal_holds SET employee_id = NULL WHERE employee_id = employee AND released_at IS NOT NULL;
    RETURN total;
END
$$;

-- What is read only after the request that reaches it, as in migrations 9 and 11: it is counted by the receipt, and not
-- stored. Under hold it is stored, and goes when the hold is released. The receipt is locked before it is changed: another
-- sink that counts there moves its row.
CREATE FUNCTION attrition.erased_late(
    employee text, cluster text, topic text, partition integer, "offset" bigint, counter text
) RETURNS boolean
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    name text;
    place tid;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('attrition.erasures'));
    SELECT encode(sha256(s.secret || convert_to($1, 'UTF8')), 'hex') INTO name FROM attrition.receipt_secret AS s;
    SELECT e.ctid INTO place FROM attrition.erasures AS e
    WHERE e.receipt = name AND e.erased_at IS NOT NULL
        AND e.cluster_id = $2 AND e.source_topic = $3 AND e.source_partition = $4 AND e.source_offset > $5
    ORDER BY e.source_offset LIMIT 1 FOR UPDATE;
    IF place IS NULL OR attrition.is_held($1) THEN
        RETURN false;
    END IF;
    UPDATE attrition.erasures AS e
    SET outcomes = CASE counter WHEN 'outcomes' THEN coalesce(e.outcomes, 0) + 1 ELSE e.outcomes END,
        alerts = CASE counter WHEN 'alerts' THEN coalesce(e.alerts, 0) + 1 ELSE e.alerts END,
        dead_letters = CASE counter WHEN 'dead_letters' THEN coalesce(e.dead_letters, 0) + 1 ELSE e.dead_letters END
    WHERE e.ctid = place;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION attrition.erased_late(text, text, text, integer, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.erased_late IS 'Whether a record comes after the erasure that reaches it, whose receipt then counts it.';

CREATE OR REPLACE FUNCTION attrition.erase_late_outcome() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN NOT attrition.erased_late(new.employee_id, new.cluster_id, new.source_topic, new.source_partition,
        new.source_offset, 'outcomes') THEN new END;
END
$$;

CREATE OR REPLACE FUNCTION attrition.erase_late_alert() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN CASE WHEN NOT attrition.erased_late(new.employee_id, new.cluster_id, new.source_topic, new.source_partition,
        new.source_offset, 'alerts') THEN new END;
END
$$;

CREATE OR REPLACE FUNCTION attrition.erase_late_dead_letter() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    employee text;
BEGIN
    BEGIN
        employee := convert_from(new.key, 'UTF8');
    EXCEPTION WHEN character_not_in_repertoire THEN
        RETURN new; -- no text: the id of nobody
    END;
    RETURN CASE WHEN NOT attrition.erased_late(employee, new.cluster_id, new.topic, new.partition, new."offset", 'dead_letters')
        THEN new END;
END
$$;

-- --- legal hold ---

CREATE FUNCTION attrition.legal_hold(employee text, reason text) RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made bigint;
BEGIN
    IF coalesce(employee, '') = '' OR coalesce(reason, '') = '' THEN
        RAISE EXCEPTION 'legal_hold: give the employee id and the reason';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('attrition.erasures'));
    PERFORM pg_advisory_xact_lock(hashtext('attrition.legal_holds')); -- retention that is running ends first
    INSERT INTO attrition.legal_holds (employee_id, reason) VALUES (employee, reason) RETURNING id INTO made;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION attrition.legal_hold(text, text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.legal_hold IS 'From now on no row of the employee goes; returns the hold''s number.';

-- Ends all holds of the employee and does what was asked for meanwhile.
CREATE FUNCTION attrition.legal_release(employee text) RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    request record;
    done bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.erasures'));
    UPDATE attrition.legal_holds SET released_at = now(), released_by = session_user
    WHERE employee_id = employee AND released_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'legal_release: the employee is not under legal hold';
    END IF;
    FOR request IN
        SELECT e.ctid AS place, coalesce(e.method, 'delete') AS how, e.erased_at IS NULL AS is_open FROM attrition.erasures AS e
        WHERE e.receipt = attrition.receipt(employee)
        ORDER BY e.cluster_id, e.output_partition, e.output_offset FOR UPDATE
    LOOP
        PERFORM attrition.erase_reached(request.place, employee, request.how); -- a receipt too: of rows that came under hold
        done := done + request.is_open::integer;
    END LOOP;
    RETURN done;
END
$$;
REVOKE ALL ON FUNCTION attrition.legal_release(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.legal_release IS 'Ends the holds of the employee and completes the erasures that they held up; returns how many.';

-- --- who may ask ---

-- The sink stores a request in the transaction that moves the position past its record. Whoever has the writer's rights and
-- not the owner's can store none by a mere INSERT; one that is made up all the same is found by `scorer audit`, since the log
-- has no such record. A record that is read again (positions that were deleted, a restored database) is stored again.
CREATE FUNCTION attrition.check_request() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF new.erased_at IS NOT NULL OR new.receipt IS NOT NULL OR new.method IS NOT NULL OR new.employee_id IS NULL THEN
        RAISE EXCEPTION 'a request to erase comes without a receipt' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (
        SELECT FROM attrition.sink_offsets AS s
        WHERE s.cluster_id = new.cluster_id AND s.topic = new.output_topic AND s.partition = new.output_partition
            AND s.next_offset > new.output_offset AND s.xmin = pg_current_xact_id()::xid
    ) THEN
        RAISE EXCEPTION 'a request to erase is stored by the transaction that moves sink_offsets past its record'
            USING ERRCODE = 'insufficient_privilege', HINT = 'attrition.erase_employee is for people.';
    END IF;
    RETURN new;
END
$$;
REVOKE ALL ON FUNCTION attrition.check_request() FROM PUBLIC;
COMMENT ON FUNCTION attrition.check_request IS 'Of a trigger: the writer may store requests that came by Kafka, and no others.';
CREATE TRIGGER check_request BEFORE INSERT ON attrition.erasures
FOR EACH ROW WHEN (NOT has_table_privilege('attrition.erasures', 'DELETE'))
EXECUTE FUNCTION attrition.check_request();

-- --- everything of one person ---

CREATE FUNCTION attrition.export_employee(employee text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    SELECT jsonb_build_object(
        'employee_id', employee,
        'exported_at', now(),
        'predictions', (SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.scored_at, p.output_offset), '[]')
            FROM attrition.predictions AS p WHERE p.employee_id = employee),
        'latest_prediction', (SELECT to_jsonb(l) FROM attrition.latest_predictions AS l WHERE l.employee_id = employee),
        'outcomes', (SELECT coalesce(jsonb_agg(to_jsonb(o) ORDER BY o.occurred_at), '[]')
            FROM attrition.outcomes AS o WHERE o.employee_id = employee),
        'alerts', (SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.received_at), '[]')
            FROM attrition.alerts AS a WHERE a.employee_id = employee),
        'dead_letters', (SELECT coalesce(jsonb_agg(to_jsonb(d) - 'key' ORDER BY d.id), '[]')
            FROM attrition.dead_letters AS d
            WHERE sha256(d.key) = sha256(convert_to(employee, 'UTF8')) AND d.key = convert_to(employee, 'UTF8')),
        'erasures', (SELECT coalesce(jsonb_agg(to_jsonb(e) - 'receipt' ORDER BY e.received_at), '[]')
            FROM attrition.erasures AS e WHERE e.employee_id = employee OR e.receipt = attrition.receipt(employee)))
$$;
REVOKE ALL ON FUNCTION attrition.export_employee(text) FROM PUBLIC;
COMMENT ON FUNCTION attrition.export_employee IS 'All rows of one employee, of every table, as JSON.';

-- --- rights ---

-- As in 0011_alerts.sql; analysts see of dead letters why and where, not the records; nobody reads secrets and holds.
CREATE OR REPLACE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_writer') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_writer;
        GRANT SELECT ON attrition.migrations TO attrition_writer;
        GRANT INSERT ON attrition.predictions, attrition.dead_letters, attrition.erasures, attrition.outcomes,
            attrition.alerts, attrition.evidence TO attrition_writer;
        GRANT SELECT, INSERT, UPDATE ON attrition.latest_predictions, attrition.sink_offsets TO attrition_writer;
        GRANT EXECUTE ON FUNCTION attrition.erase_requested(text) TO attrition_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_eraser') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_eraser;
        GRANT SELECT ON attrition.erasures, attrition.legal_holds TO attrition_eraser;
        GRANT EXECUTE ON FUNCTION attrition.erase_employee(text), attrition.erase_requested(text), attrition.receipt(text),
            attrition.legal_hold(text, text), attrition.legal_release(text), attrition.export_employee(text)
            TO attrition_eraser;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_analyst') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA attrition TO attrition_analyst;
        REVOKE SELECT ON attrition.dead_letters, attrition.receipt_secret, attrition.legal_holds FROM attrition_analyst;
        GRANT SELECT (id, stage, code, field, message, topic, partition, "offset", cluster_id, dlq_partition, dlq_offset,
            received_at) ON attrition.dead_letters TO attrition_analyst;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_owner') THEN
        GRANT ALL ON SCHEMA attrition TO attrition_owner;
        GRANT ALL ON ALL TABLES IN SCHEMA attrition TO attrition_owner;
    END IF;
END
$$;

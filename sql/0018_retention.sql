-- How long rows stay, by table and jurisdiction, and what removes them: for the owner, no superuser is needed.

INSERT INTO attrition.settings (name, value, meaning) VALUES
('jurisdiction', '', 'The attribute of the schema that says which jurisdiction a person is in; empty: there is one for all.');

CREATE TABLE attrition.retention_tables (
    table_name text PRIMARY KEY,
    aged_by text NOT NULL,
    has_input boolean NOT NULL
);
INSERT INTO attrition.retention_tables VALUES
('predictions', 'scored_at', true),
('latest_predictions', 'scored_at', true),
('outcomes', 'received_at', true),
('alerts', 'received_at', false),
('dead_letters', 'received_at', false),
('erasures', 'erased_at', false);
COMMENT ON TABLE attrition.retention_tables IS 'The tables that attrition.retain takes.';
COMMENT ON COLUMN attrition.retention_tables.table_name IS 'The table.';
COMMENT ON COLUMN attrition.retention_tables.aged_by IS 'The column that its rows'' age is reckoned from.';
COMMENT ON COLUMN attrition.retention_tables.has_input IS 'Whether its rows hold the attributes, and so a jurisdiction.';

CREATE TABLE attrition.retention (
    table_name text NOT NULL REFERENCES attrition.retention_tables,
    jurisdiction text NOT NULL,
    keep interval NOT NULL CHECK (keep > interval '0'),
    set_at timestamptz NOT NULL DEFAULT now(),
    set_by text NOT NULL DEFAULT session_user,
    PRIMARY KEY (table_name, jurisdiction)
);
COMMENT ON TABLE attrition.retention IS 'How long rows stay, by attrition.retain. A table without a row here keeps everything.';
COMMENT ON COLUMN attrition.retention.table_name IS 'Whose rows.';
COMMENT ON COLUMN attrition.retention.jurisdiction IS 'Of people whose attribute (settings, jurisdiction) has this value; *: of all others.';
COMMENT ON COLUMN attrition.retention.keep IS 'How long.';
COMMENT ON COLUMN attrition.retention.set_at IS 'Since when.';
COMMENT ON COLUMN attrition.retention.set_by IS 'By which user.';

CREATE FUNCTION attrition.retain(table_name text, jurisdiction text, keep interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM attrition.retention_tables AS t WHERE t.table_name = $1) THEN
        RAISE EXCEPTION 'retain: no table %', coalesce($1, 'null') USING HINT = format('There are %s.',
            (SELECT string_agg(t.table_name, ', ' ORDER BY t.table_name) FROM attrition.retention_tables AS t));
    END IF;
    IF $2 IS NULL OR $3 IS NULL OR $3 <= interval '0' THEN
        RAISE EXCEPTION 'retain: give the jurisdiction (* for all others) and an interval above 0';
    END IF;
    IF $2 <> '*' AND NOT (SELECT t.has_input FROM attrition.retention_tables AS t WHERE t.table_name = $1) THEN
        RAISE EXCEPTION 'retain: rows of % have no jurisdiction, give *', $1;
    END IF;
    IF $2 <> '*' AND (SELECT s.value = '' FROM attrition.settings AS s WHERE s.name = 'jurisdiction') THEN
        RAISE EXCEPTION 'retain: no attribute says the jurisdiction'
            USING HINT = 'UPDATE attrition.settings SET value = (its name) WHERE name = ''jurisdiction''.';
    END IF;
    INSERT INTO attrition.retention AS r (table_name, jurisdiction, keep) VALUES ($1, $2, $3)
    ON CONFLICT ON CONSTRAINT retention_pkey DO UPDATE SET keep = excluded.keep, set_at = now(), set_by = session_user;
END
$$;
REVOKE ALL ON FUNCTION attrition.retain(text, text, interval) FROM PUBLIC;
COMMENT ON FUNCTION attrition.retain IS 'From now on apply_retention removes that table''s rows of that jurisdiction when they are older.';

-- The condition of the rows that a rule removes. Nobody under hold.
CREATE FUNCTION attrition.retention_condition(rule attrition.retention, aged_by text, has_input boolean) RETURNS text
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
    RETURN condition || CASE rule.table_name
        WHEN 'dead_letters' THEN ' AND NOT EXISTS (SELECT FROM attrition.legal_holds AS h WHERE h.released_at IS NULL '
            'AND t.key = convert_to(h.employee_id, ''UTF8''))'
        WHEN 'erasures' THEN ''
        ELSE ' AND NOT EXISTS (SELECT FROM attrition.legal_holds AS h WHERE h.released_at IS NULL '
            'AND h.employee_id = t.employee_id)' END;
END
$$;
REVOKE ALL ON FUNCTION attrition.retention_condition(attrition.retention, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION attrition.retention_condition IS 'Which rows a rule of retention removes.';

-- Drops months of predictions of which every row is to go: at once, and without a vacuum after it. A month that readers hold
-- for longer than five seconds is left to the deletion of rows.
CREATE FUNCTION attrition.drop_partitions(OUT partition_name text, OUT removed bigint) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '5s'
AS $$
DECLARE
    oldest timestamptz;
    is_held boolean;
BEGIN
    SELECT min(now() - r.keep) INTO oldest FROM attrition.retention AS r
    WHERE r.table_name = 'predictions' HAVING bool_or(r.jurisdiction = '*');
    FOR partition_name IN
        SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'attrition.predictions'::regclass AND c.relname ~ '^predictions_[0-9]{4}_[0-9]{2}$'
            AND make_timestamptz(substr(c.relname, 13, 4)::integer, substr(c.relname, 18, 2)::integer, 1, 0, 0, 0, 'UTC')
                + interval '1 month' <= oldest
        ORDER BY 1
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM attrition.%I AS p JOIN attrition.legal_holds AS h '
            'ON h.employee_id = p.employee_id AND h.released_at IS NULL)', partition_name) INTO is_held;
        CONTINUE WHEN is_held; -- nobody comes under hold meanwhile: apply_retention has the lock
        BEGIN
            EXECUTE format('LOCK TABLE attrition.predictions, attrition.%I IN ACCESS EXCLUSIVE MODE', partition_name);
            EXECUTE format('SELECT count(*) FROM attrition.%I', partition_name) INTO removed;
            EXECUTE format('INSERT INTO attrition.evidence_removed (reason, digests) SELECT ''retention'', '
                'string_agg(n.evidence_digest, '''') FROM (SELECT p.evidence_digest, row_number() OVER () / 10000 AS part '
                'FROM attrition.%I AS p WHERE p.evidence_digest IS NOT NULL) AS n GROUP BY n.part', partition_name);
            EXECUTE format('DROP TABLE attrition.%I', partition_name);
            RETURN NEXT;
        EXCEPTION WHEN lock_not_available THEN
            RAISE WARNING '% is in use: its rows are deleted instead of dropping it', partition_name;
        END;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION attrition.drop_partitions() FROM PUBLIC;
COMMENT ON FUNCTION attrition.drop_partitions IS 'Drops the months of predictions that no rule of retention keeps a row of; returns them.';

CREATE FUNCTION attrition.apply_retention()
RETURNS TABLE (table_name text, jurisdiction text, keep interval, removed bigint, partitions text[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rule attrition.retention;
    kind attrition.retention_tables;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('attrition.legal_holds')); -- no hold begins meanwhile
    PERFORM set_config('attrition.removal', 'retention', true);
    -- predictions last: dropping months locks it until all is done
    FOR rule IN
        SELECT r.* FROM attrition.retention AS r ORDER BY r.table_name = 'predictions', r.table_name, r.jurisdiction
    LOOP
        IF rule.table_name = 'predictions' AND rule.jurisdiction = '*' THEN
            SELECT 'predictions', '*', NULL, coalesce(sum(d.removed), 0), array_agg(d.partition_name)
            INTO table_name, jurisdiction, keep, removed, partitions
            FROM attrition.drop_partitions() AS d;
            IF partitions IS NOT NULL THEN
                RETURN NEXT;
            END IF;
            partitions := NULL;
        END IF;
        SELECT t.* INTO kind FROM attrition.retention_tables AS t WHERE t.table_name = rule.table_name;
        EXECUTE format('DELETE FROM attrition.%I AS t WHERE %s', rule.table_name,
            attrition.retention_condition(rule, kind.aged_by, kind.has_input));
        GET DIAGNOSTICS removed = ROW_COUNT;
        table_name := rule.table_name;
        jurisdiction := rule.jurisdiction;
        keep := rule.keep;
        RETURN NEXT;
    END LOOP;
    PERFORM set_config('attrition.removal', '', true);
END
$$;
REVOKE ALL ON FUNCTION attrition.apply_retention() FROM PUBLIC;
COMMENT ON FUNCTION attrition.apply_retention IS 'Removes what is older than its table and jurisdiction keep, but for people under legal hold; returns what went.';

-- What a schedule runs.
CREATE FUNCTION attrition.maintain() RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT 'made partition ' || made FROM attrition.make_partitions() AS made;
    RETURN QUERY SELECT format('retention: %s rows of %s (%s) removed%s', a.removed, a.table_name, a.jurisdiction,
        coalesce(', with partitions ' || array_to_string(a.partitions, ', '), '')) FROM attrition.apply_retention() AS a;
END
$$;
REVOKE ALL ON FUNCTION attrition.maintain() FROM PUBLIC;
COMMENT ON FUNCTION attrition.maintain IS 'Makes the partitions of the months ahead and applies retention; to be run once a day by the owner.';

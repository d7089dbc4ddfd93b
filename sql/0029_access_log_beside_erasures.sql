-- Who asks for names does not wait for erasures that take long: a row of access_log that is written while one is under way has
-- receipts alone, since who is being erased is known to that transaction only. A short one is waited for.

CREATE OR REPLACE FUNCTION attrition.name_stored() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET lock_timeout = '250ms' AS $$
DECLARE
    may_name boolean := true;
BEGIN
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(hashtext('attrition.erasures'));
    EXCEPTION WHEN lock_not_available THEN
        may_name := false;
    END;
    PERFORM set_config('lock_timeout', '10s', true); -- tables that maintain() changes are waited for
    new.employees := ARRAY(
        SELECT DISTINCT CASE
            WHEN NOT may_name THEN attrition.receipt(u.id)
            WHEN EXISTS (SELECT FROM attrition.latest_predictions AS l WHERE l.employee_id = u.id) THEN u.id
            WHEN EXISTS (SELECT FROM attrition.alerts AS a WHERE a.employee_id = u.id) THEN u.id
            WHEN EXISTS (SELECT FROM attrition.outcomes AS o WHERE o.employee_id = u.id) THEN u.id
            WHEN EXISTS (SELECT FROM attrition.reviews AS r WHERE r.employee_id = u.id) THEN u.id
            WHEN EXISTS (SELECT FROM attrition.legal_holds AS h WHERE h.employee_id = u.id AND h.released_at IS NULL) THEN u.id
            WHEN EXISTS (SELECT FROM attrition.predictions AS p WHERE p.employee_id = u.id) THEN u.id
            ELSE attrition.receipt(u.id)
        END
        FROM unnest(new.employees) AS u (id) ORDER BY 1);
    RETURN new;
END
$$;
COMMENT ON FUNCTION attrition.name_stored IS 'Of a trigger: access_log has ids of those of whom there are rows, receipts of others, and of all while an erasure takes long.';

-- As in 0023_day_values.sql; rows of access_log with the receipt of somebody under hold stay too.
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
    RETURN condition || CASE
        WHEN rule.table_name IN ('erasures', 'day_values') THEN ''
        WHEN rule.table_name = 'access_log' THEN ' AND NOT t.employees && ARRAY(SELECT unnest(ARRAY[h.employee_id, attrition.receipt(h.employee_id)]) '
            'FROM attrition.legal_holds AS h WHERE h.released_at IS NULL)'
        ELSE ' AND NOT EXISTS (SELECT FROM attrition.legal_holds AS h WHERE h.released_at IS NULL AND ' || CASE rule.table_name
            WHEN 'dead_letters' THEN 't.key = convert_to(h.employee_id, ''UTF8'')'
            ELSE 'h.employee_id = t.employee_id' END || ')' END;
END
$$;

COMMENT ON COLUMN attrition.access_log.employees IS 'Whom: the ids in the answer; where it names nobody, the id or search that was asked for; empty: neither. attrition.receipt of an id that has no row (erased, or never there), and of every id of a row that was written while an erasure took long.';

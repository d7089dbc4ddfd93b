-- Who asks of some days has those alone counted. A month of too few people is not checked again and again.

-- As count_days(recheck) in 0028_day_bins.sql, of the days from day_from on and before day_to.
CREATE FUNCTION attrition.count_days(recheck timestamptz, day_from timestamptz, day_to timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    due attrition.value_days;
    is_marked boolean;
    days bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('attrition.count_days'));
    FOR due IN
        SELECT d.* FROM attrition.value_days AS d
        WHERE d.day >= day_from AND d.day < day_to AND d.day_end <= now() AND (d.rows_from IS NOT NULL OR d.day >= recheck)
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
REVOKE ALL ON FUNCTION attrition.count_days(timestamptz, timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION attrition.count_days(timestamptz, timestamptz, timestamptz) IS 'count_days of the days from day_from on and before day_to.';

CREATE OR REPLACE FUNCTION attrition.count_days(recheck timestamptz DEFAULT now() - interval '8 days') RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT attrition.count_days(recheck, '-infinity', 'infinity')
$$;

CREATE FUNCTION attrition.count_due_days(day_from timestamptz, day_to timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean OR NOT pg_try_advisory_xact_lock(hashtext('attrition.count_days')) THEN
        RETURN 0;
    END IF;
    RETURN attrition.count_days('infinity', day_from, day_to);
END
$$;
REVOKE ALL ON FUNCTION attrition.count_due_days(timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION attrition.count_due_days(timestamptz, timestamptz) IS 'count_due_days of the days from day_from on and before day_to.';

CREATE OR REPLACE FUNCTION attrition.count_due_days() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT attrition.count_due_days('-infinity', 'infinity')
$$;

-- A month that no version has enough people in leaves no row in performance_checks. It is due when rows that are stored later,
-- or a smaller minimum_group, make them enough.
CREATE FUNCTION attrition.has_people_enough(month_start timestamptz, month_end timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM attrition.predictions AS p
        WHERE p.scored_at >= month_start AND p.scored_at < month_end AND p.channel = 'STREAM' AND p.employee_id IS NOT NULL
        GROUP BY p.model_name, p.model_version
        HAVING count(DISTINCT p.employee_id) >= attrition.minimum_group()
    )
$$;
REVOKE ALL ON FUNCTION attrition.has_people_enough(timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION attrition.has_people_enough IS 'Whether any model version scored as many people as minimum_group says.';

-- check_performance as it is, but for which months are due.
DO $$
DECLARE
    as_it_is text := pg_get_functiondef('attrition.check_performance()'::regprocedure);
    due text := replace(as_it_is, '(c.checked_at IS NULL', '((c.checked_at IS NULL AND attrition.has_people_enough(m.month, m.month_end))');
BEGIN
    ASSERT due <> as_it_is, 'attrition.check_performance is not as migration 30 left it';
    EXECUTE due;
END
$$;

-- As before; who may have all days counted may have some.
ALTER FUNCTION attrition.grant_roles() RENAME TO grant_roles_until_30;
COMMENT ON FUNCTION attrition.grant_roles_until_30 IS 'Rights of the roles on what migrations 1 to 30 made; grant_roles calls it.';
CREATE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM attrition.grant_roles_until_30();
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_analyst') THEN
        GRANT EXECUTE ON FUNCTION attrition.count_due_days(timestamptz, timestamptz) TO attrition_analyst;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION attrition.grant_roles() FROM PUBLIC;
COMMENT ON FUNCTION attrition.grant_roles IS 'Rights of the roles that exist; sql/migrate calls it at its end.';

-- access_log names those of whom there are rows, and nobody else: somebody who was erased between the reading and the writing, and
-- an id that was asked for and found nobody, are there by their receipts. An erasure has the lock to itself: it comes after the row
-- and reaches it, or before it and is seen.

CREATE FUNCTION attrition.name_stored() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('attrition.erasures'));
    new.employees := ARRAY(
        SELECT DISTINCT CASE
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
REVOKE ALL ON FUNCTION attrition.name_stored() FROM PUBLIC;
COMMENT ON FUNCTION attrition.name_stored IS 'Of a trigger: access_log has ids of those of whom there are rows, receipts of others.';
CREATE TRIGGER name_stored BEFORE INSERT ON attrition.access_log
FOR EACH ROW EXECUTE FUNCTION attrition.name_stored();

COMMENT ON TABLE attrition.access_log IS 'Who asked for names over HTTP, and which; written before they are given. Append-only for the service.';
COMMENT ON COLUMN attrition.access_log.employees IS 'Whom: the ids in the answer; where it names nobody, the id or search that was asked for; empty: neither. attrition.receipt of an id that has no row: erased, or never there.';

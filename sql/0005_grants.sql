-- Rights of the roles that exist. sql/migrate calls this at its end, so roles made later get theirs as well.
CREATE FUNCTION attrition.grant_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_writer') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_writer;
        GRANT SELECT ON attrition.migrations TO attrition_writer;
        GRANT INSERT ON attrition.predictions, attrition.dead_letters, attrition.erasures, attrition.outcomes
            TO attrition_writer;
        GRANT SELECT, INSERT, UPDATE ON attrition.latest_predictions, attrition.sink_offsets TO attrition_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_eraser') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_eraser;
        GRANT SELECT ON attrition.erasures TO attrition_eraser;
        GRANT EXECUTE ON FUNCTION attrition.erase_employee(text) TO attrition_eraser;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_analyst') THEN
        GRANT USAGE ON SCHEMA attrition TO attrition_analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA attrition TO attrition_analyst;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'attrition_owner') THEN
        GRANT ALL ON SCHEMA attrition TO attrition_owner;
        GRANT ALL ON ALL TABLES IN SCHEMA attrition TO attrition_owner;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION attrition.grant_roles() FROM PUBLIC;
REVOKE ALL ON FUNCTION attrition.make_partitions(integer) FROM PUBLIC;

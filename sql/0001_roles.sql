-- Roles: owner (migrates, makes partitions), writer (the sink), eraser (through a function), analyst (reads).
-- Roles belong to the whole server, so they may exist already. Who may not create roles works as the plain owner of
-- everything here; roles that an administrator creates later get their rights when sql/migrate runs again.
DO $$
DECLARE
    wanted name;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['attrition_owner', 'attrition_writer', 'attrition_eraser', 'attrition_analyst'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION
                WHEN insufficient_privilege THEN
                    RAISE NOTICE 'role % is skipped: % may not create roles', wanted, current_user;
                WHEN duplicate_object OR unique_violation THEN
                    NULL; -- another database of this server made it at this moment
            END;
        END IF;
    END LOOP;
END
$$;

-- What stands already (the schema and the record of migrations, made by sql/migrate) goes to the owner role, where the
-- caller may give it away; sql/migrate then works as that role.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'attrition_owner') THEN
        EXECUTE format('GRANT CREATE ON DATABASE %I TO attrition_owner', current_database());
        ALTER TABLE attrition.migrations OWNER TO attrition_owner;
        ALTER SCHEMA attrition OWNER TO attrition_owner;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'attrition_owner is not made the owner: % may not give objects to it', current_user;
END
$$;

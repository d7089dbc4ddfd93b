-- Where PostgreSQL takes no writes (a standby, or set read-only), a question is answered from the figures that are kept.

CREATE OR REPLACE FUNCTION attrition.employees_are_few() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT current_setting('transaction_read_only')::boolean AND count(*) <= 20000
    FROM (SELECT FROM attrition.latest_predictions LIMIT 20001) AS l
$$;
COMMENT ON FUNCTION attrition.employees_are_few IS 'Whether figures can be computed within a question: up to 20,000 employees, where writes are taken.';

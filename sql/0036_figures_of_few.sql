-- How many employees are few is said once: also for who reads in a transaction that takes no writes.

CREATE FUNCTION attrition.employees_within_limit() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) <= 20000 FROM (SELECT FROM attrition.latest_predictions LIMIT 20001) AS l
$$;
COMMENT ON FUNCTION attrition.employees_within_limit IS 'Whether there are at most 20,000 employees, of whom figures are computed within a question.';

CREATE OR REPLACE FUNCTION attrition.employees_are_few() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT current_setting('transaction_read_only')::boolean AND attrition.employees_within_limit()
$$;

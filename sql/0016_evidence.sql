-- Evidence: each row of predictions has a salted digest of what it says (scorer/sink/evidence.h), and the digests of each
-- partition form a chain, so that a row that is altered, missing, doubled or made up shows. What is erased loses salt
-- and digest; its link stays and says so, and leads to nobody.

ALTER TABLE attrition.predictions ADD COLUMN evidence_salt bytea, ADD COLUMN evidence_digest bytea;
ALTER TABLE attrition.latest_predictions ADD COLUMN evidence_salt bytea, ADD COLUMN evidence_digest bytea;
ALTER TABLE attrition.predictions ALTER COLUMN evidence_salt SET STORAGE PLAIN, ALTER COLUMN evidence_digest SET STORAGE PLAIN;
COMMENT ON COLUMN attrition.predictions.evidence_salt IS 'Random, of the digest; null in rows of before migration 16 and in pseudonymised ones.';
COMMENT ON COLUMN attrition.predictions.evidence_digest IS 'SHA-256 of salt and row: a link of attrition.evidence; null likewise.';
COMMENT ON COLUMN attrition.latest_predictions.evidence_salt IS 'As in predictions.';
COMMENT ON COLUMN attrition.latest_predictions.evidence_digest IS 'As in predictions.';

CREATE OR REPLACE VIEW attrition.predictions_once AS
SELECT
    p.event_id,
    p.employee_id,
    p.occurred_at,
    p.scored_at,
    p.prediction,
    p.probability,
    p.threshold,
    p.margin,
    p.base,
    p.latency_us,
    p.model_name,
    p.model_version,
    p.model_alias,
    p.run_id,
    p.channel,
    p.source_topic,
    p.source_partition,
    p.source_offset,
    p.cluster_id,
    p.output_partition,
    p.output_offset,
    p.input,
    p.reasons,
    p.challengers,
    p.traceparent,
    p.output_topic,
    p.evidence_salt,
    p.evidence_digest
FROM attrition.predictions AS p
WHERE p.source_topic IS NULL OR NOT EXISTS (
    SELECT
    FROM attrition.predictions AS earlier
    WHERE earlier.event_id = p.event_id
        AND earlier.cluster_id = p.cluster_id
        AND earlier.source_topic = p.source_topic
        AND earlier.source_partition = p.source_partition
        AND earlier.source_offset = p.source_offset
        AND (coalesce(earlier.output_topic, ''), earlier.output_partition, earlier.output_offset)
        < (coalesce(p.output_topic, ''), p.output_partition, p.output_offset)
);
COMMENT ON COLUMN attrition.predictions_once.evidence_salt IS 'As in predictions.';
COMMENT ON COLUMN attrition.predictions_once.evidence_digest IS 'As in predictions.';

-- One row for each partition of a transaction of the sink. Only digests come from there; the rest is the trigger's.
CREATE TABLE attrition.evidence (
    cluster_id text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    first_number bigint NOT NULL DEFAULT 0,
    day date NOT NULL DEFAULT current_date,
    stored_at timestamptz NOT NULL DEFAULT now(),
    digests bytea NOT NULL CHECK (octet_length(digests) > 0 AND octet_length(digests) % 32 = 0),
    previous_head bytea NOT NULL DEFAULT '',
    head bytea NOT NULL DEFAULT '',
    PRIMARY KEY (cluster_id, topic, partition, first_number)
);
ALTER TABLE attrition.evidence ALTER COLUMN digests SET STORAGE EXTERNAL;
COMMENT ON TABLE attrition.evidence IS 'The chain of predictions by output partition: append-only, checked by `scorer audit`.';
COMMENT ON COLUMN attrition.evidence.cluster_id IS 'The Kafka cluster.';
COMMENT ON COLUMN attrition.evidence.topic IS 'The output topic.';
COMMENT ON COLUMN attrition.evidence.partition IS 'Its partition: each has a chain.';
COMMENT ON COLUMN attrition.evidence.first_number IS 'Number of the first digest in the chain, from 0.';
COMMENT ON COLUMN attrition.evidence.day IS 'When they were stored (UTC).';
COMMENT ON COLUMN attrition.evidence.stored_at IS 'When exactly.';
COMMENT ON COLUMN attrition.evidence.digests IS 'One after the other, 32 bytes each: evidence_digest of the rows of one transaction.';
COMMENT ON COLUMN attrition.evidence.previous_head IS 'head of the row before; of the first: SHA-256 of the chain''s name.';
COMMENT ON COLUMN attrition.evidence.head IS 'SHA-256 of previous_head, first_number (8 bytes), day (YYYY-MM-DD) and digests.';

CREATE FUNCTION attrition.chain_evidence() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    before attrition.evidence;
BEGIN
    SELECT e.* INTO before FROM attrition.evidence AS e
    WHERE e.cluster_id = new.cluster_id AND e.topic = new.topic AND e.partition = new.partition
    ORDER BY e.first_number DESC LIMIT 1;
    new.stored_at := now();
    new.day := greatest((now() AT TIME ZONE 'UTC')::date, before.day);
    new.first_number := coalesce(before.first_number + octet_length(before.digests) / 32, 0);
    new.previous_head := coalesce(before.head,
        sha256(convert_to(concat_ws(' ', new.cluster_id, new.topic, new.partition), 'UTF8')));
    new.head := sha256(new.previous_head || int8send(new.first_number)
        || convert_to(to_char(new.day, 'YYYY-MM-DD'), 'UTF8') || new.digests);
    RETURN new;
END
$$;
REVOKE ALL ON FUNCTION attrition.chain_evidence() FROM PUBLIC;
COMMENT ON FUNCTION attrition.chain_evidence IS 'Of a trigger: numbers new digests and adds them to the end of their chain.';
CREATE TRIGGER chain_evidence BEFORE INSERT ON attrition.evidence
FOR EACH ROW EXECUTE FUNCTION attrition.chain_evidence();

CREATE FUNCTION attrition.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', tg_table_name;
END
$$;
REVOKE ALL ON FUNCTION attrition.refuse_change() FROM PUBLIC;
COMMENT ON FUNCTION attrition.refuse_change IS 'Of a trigger: rows are added, and stay as they are.';
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON attrition.evidence
FOR EACH STATEMENT EXECUTE FUNCTION attrition.refuse_change();

-- Why links have no row any more: for each statement that removed some a row, and one more for every 10,000.
CREATE TABLE attrition.evidence_removed (
    removed_at timestamptz NOT NULL DEFAULT now(),
    removed_by text NOT NULL DEFAULT session_user,
    reason text NOT NULL CHECK (reason IN ('erasure', 'retention', 'by hand')),
    digests bytea NOT NULL
);
ALTER TABLE attrition.evidence_removed ALTER COLUMN digests SET STORAGE EXTERNAL;
COMMENT ON TABLE attrition.evidence_removed IS 'Links of evidence whose rows were erased, pseudonymised, altered or removed, and by whom; append-only.';
COMMENT ON COLUMN attrition.evidence_removed.removed_at IS 'When.';
COMMENT ON COLUMN attrition.evidence_removed.removed_by IS 'By which user.';
COMMENT ON COLUMN attrition.evidence_removed.reason IS 'erasure, retention, or by hand: a statement of somebody''s own, which the audit reports.';
COMMENT ON COLUMN attrition.evidence_removed.digests IS 'Which, 32 bytes each.';
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON attrition.evidence_removed
FOR EACH STATEMENT EXECUTE FUNCTION attrition.refuse_change();

CREATE FUNCTION attrition.note_deleted() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO attrition.evidence_removed (reason, digests)
    SELECT coalesce(nullif(current_setting('attrition.removal', true), ''), 'by hand'), string_agg(n.evidence_digest, '')
    FROM (SELECT g.evidence_digest, row_number() OVER () / 10000 AS part FROM gone AS g WHERE g.evidence_digest IS NOT NULL) AS n
    GROUP BY n.part;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_deleted AFTER DELETE ON attrition.predictions
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION attrition.note_deleted();

CREATE FUNCTION attrition.note_updated() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO attrition.evidence_removed (reason, digests)
    SELECT coalesce(nullif(current_setting('attrition.removal', true), ''), 'by hand'), string_agg(n.evidence_digest, '')
    FROM (
        SELECT g.evidence_digest, row_number() OVER () / 10000 AS part FROM gone AS g
        WHERE g.evidence_digest IS NOT NULL
            AND NOT EXISTS (SELECT FROM kept AS k WHERE k.evidence_digest = g.evidence_digest)
    ) AS n
    GROUP BY n.part;
    RETURN NULL;
END
$$;
CREATE TRIGGER note_updated AFTER UPDATE ON attrition.predictions
REFERENCING OLD TABLE AS gone NEW TABLE AS kept
FOR EACH STATEMENT EXECUTE FUNCTION attrition.note_updated();
REVOKE ALL ON FUNCTION attrition.note_deleted(), attrition.note_updated() FROM PUBLIC;
COMMENT ON FUNCTION attrition.note_deleted IS 'Of a trigger: links of rows that are deleted say so.';
COMMENT ON FUNCTION attrition.note_updated IS 'Of a trigger: links of rows that lose their digest say so.';

-- The heads to write down elsewhere: whoever changes the chain up to a day changes its head.
CREATE VIEW attrition.evidence_heads AS
SELECT DISTINCT ON (e.cluster_id, e.topic, e.partition, e.day)
    e.cluster_id,
    e.topic,
    e.partition,
    e.day,
    e.first_number + octet_length(e.digests) / 32 AS links,
    encode(e.head, 'hex') AS head
FROM attrition.evidence AS e
ORDER BY e.cluster_id, e.topic, e.partition, e.day, e.first_number DESC;
COMMENT ON VIEW attrition.evidence_heads IS 'The chain''s head at the end of each day (UTC) and partition.';
COMMENT ON COLUMN attrition.evidence_heads.cluster_id IS 'The Kafka cluster.';
COMMENT ON COLUMN attrition.evidence_heads.topic IS 'The output topic.';
COMMENT ON COLUMN attrition.evidence_heads.partition IS 'Its partition.';
COMMENT ON COLUMN attrition.evidence_heads.day IS 'The day.';
COMMENT ON COLUMN attrition.evidence_heads.links IS 'How many digests the chain has by then.';
COMMENT ON COLUMN attrition.evidence_heads.head IS 'In hexadecimal.';

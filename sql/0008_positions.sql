-- One position per partition, whoever moves it: another GROUP_ID, or an earlier one that comes back, goes on where the
-- last sink was and stores nothing twice.

LOCK TABLE attrition.sink_offsets IN ACCESS EXCLUSIVE MODE;
-- Where several groups stored the same partition, the one that came furthest has stored everything before.
DELETE FROM attrition.sink_offsets AS s
USING attrition.sink_offsets AS further
WHERE further.cluster_id = s.cluster_id AND further.topic = s.topic AND further.partition = s.partition
    AND (further.next_offset, further.group_id) > (s.next_offset, s.group_id);
ALTER TABLE attrition.sink_offsets DROP CONSTRAINT sink_offsets_pkey;
ALTER TABLE attrition.sink_offsets ADD PRIMARY KEY (cluster_id, topic, partition);
ALTER TABLE attrition.sink_offsets
    ADD COLUMN last_offset bigint,
    ADD COLUMN last_digest bigint;
COMMENT ON TABLE attrition.sink_offsets IS 'Where the sink goes on, one position per partition of a topic. Whoever changes these rows loses or doubles records.';
COMMENT ON COLUMN attrition.sink_offsets.group_id IS 'The consumer group that moved the position last.';
COMMENT ON COLUMN attrition.sink_offsets.next_offset IS 'One past the last record or, where the log was read to its end, its end: commit markers take offsets as well.';
COMMENT ON COLUMN attrition.sink_offsets.last_offset IS 'The last record before next_offset; null where it is not known.';
COMMENT ON COLUMN attrition.sink_offsets.last_digest IS 'Digest of that record, by which a topic that was recreated is recognised.';

-- The record that a row was made from: with cluster_id, output_partition and output_offset. Nullable and without a
-- default: no row is rewritten.
ALTER TABLE attrition.predictions ADD COLUMN output_topic text;
ALTER TABLE attrition.latest_predictions ADD COLUMN output_topic text;
COMMENT ON COLUMN attrition.predictions.output_topic IS 'Topic of the record; null in rows that were stored before migration 8.';
COMMENT ON COLUMN attrition.latest_predictions.output_topic IS 'Topic of the record; null in rows that were stored before migration 8.';

-- Its columns were those that predictions had when the view was made. Now they are listed.
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
    p.output_topic
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

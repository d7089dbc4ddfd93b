-- The sink's tables. Every row that came from Kafka says from where: cluster_id and the record's place in its topic.

-- One row per record of the output topic.
CREATE TABLE attrition.predictions (
    event_id text NOT NULL,
    employee_id text,
    occurred_at timestamptz NOT NULL,
    scored_at timestamptz NOT NULL,
    prediction text NOT NULL,
    probability double precision NOT NULL,
    threshold double precision NOT NULL,
    margin double precision NOT NULL,
    base double precision NOT NULL,
    latency_us bigint NOT NULL,
    model_name text NOT NULL,
    model_version text NOT NULL,
    model_alias text,
    run_id text,
    channel text NOT NULL,
    source_topic text,
    source_partition integer,
    source_offset bigint,
    cluster_id text NOT NULL,
    output_partition integer NOT NULL,
    output_offset bigint NOT NULL,
    input jsonb NOT NULL,
    reasons jsonb NOT NULL,
    challengers jsonb NOT NULL
) PARTITION BY RANGE (scored_at);

COMMENT ON TABLE attrition.predictions IS 'One row per record of the output topic; by month of scored_at (UTC).';
COMMENT ON COLUMN attrition.predictions.employee_id IS 'Null where none was given (HTTP).';
COMMENT ON COLUMN attrition.predictions.occurred_at IS 'When the change took effect in the source system.';
COMMENT ON COLUMN attrition.predictions.probability IS 'Of leaving, 0 to 1.';
COMMENT ON COLUMN attrition.predictions.margin IS 'Raw score of the model: base plus the sum of all contributions.';
COMMENT ON COLUMN attrition.predictions.latency_us IS 'From leaving the Kafka client''s queue to being scored, in microseconds.';
COMMENT ON COLUMN attrition.predictions.source_offset IS 'The event scored: with source_topic and source_partition; null over HTTP.';
COMMENT ON COLUMN attrition.predictions.cluster_id IS 'The Kafka cluster whose output topic holds the record.';
COMMENT ON COLUMN attrition.predictions.input IS 'The attributes as scored, null where missing.';
COMMENT ON COLUMN attrition.predictions.reasons IS 'Array of {feature, contribution}; largest magnitude first, positive raises the risk.';
COMMENT ON COLUMN attrition.predictions.challengers IS 'Array of {model, probability}: scored on the same row, never acted on.';

CREATE TABLE attrition.predictions_default PARTITION OF attrition.predictions DEFAULT;

CREATE INDEX predictions_event_id ON attrition.predictions (event_id);
CREATE INDEX predictions_employee_id ON attrition.predictions (employee_id);
CREATE INDEX predictions_scored_at ON attrition.predictions USING brin (scored_at);

-- One row per employee: the newest (occurred_at, source_offset) of the stream. Room on the page keeps updates in place.
CREATE TABLE attrition.latest_predictions (LIKE attrition.predictions INCLUDING COMMENTS) WITH (fillfactor = 70);
ALTER TABLE attrition.latest_predictions ADD PRIMARY KEY (employee_id);
COMMENT ON TABLE attrition.latest_predictions IS 'The newest prediction of each employee; stream only.';

-- Events that could not be scored (stage score, from the dead-letter topic) and records that could not become their row
-- (stage sink: unreadable, or refused by PostgreSQL).
CREATE TABLE attrition.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage text NOT NULL CHECK (stage IN ('score', 'sink')),
    code text NOT NULL,
    field text,
    message text NOT NULL,
    topic text,
    partition integer,
    "offset" bigint,
    key bytea,
    value bytea,
    headers jsonb NOT NULL DEFAULT '[]',
    cluster_id text NOT NULL,
    dlq_partition integer,
    dlq_offset bigint,
    received_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE attrition.dead_letters IS 'What could not be handled, whole, with the reason.';
COMMENT ON COLUMN attrition.dead_letters.code IS 'Stage score: docs/ERRORS.md. Stage sink: a code of that list, or sql_ and the SQLSTATE with which the row was refused.';
COMMENT ON COLUMN attrition.dead_letters.topic IS 'Where the original record is, with partition and offset.';
COMMENT ON COLUMN attrition.dead_letters.headers IS 'Array of {key, value}, in order; value is null, text, or {"hex": …} where it is no text.';
COMMENT ON COLUMN attrition.dead_letters.dlq_offset IS 'Its place in the dead-letter topic; null for stage sink.';
CREATE INDEX dead_letters_received_at ON attrition.dead_letters (received_at);

-- A null value on the output topic: this employee asked to be forgotten.
CREATE TABLE attrition.erasures (
    employee_id text NOT NULL,
    cluster_id text NOT NULL,
    output_partition integer NOT NULL,
    output_offset bigint NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz
);
COMMENT ON COLUMN attrition.erasures.erased_at IS 'When erase_employee removed the rows; null while it has not.';
CREATE INDEX erasures_employee_id ON attrition.erasures (employee_id);

-- Terminations: who really left, to hold predictions against.
CREATE TABLE attrition.outcomes (
    event_id text NOT NULL,
    employee_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    event_type text NOT NULL,
    cluster_id text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    input jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outcomes_employee_id ON attrition.outcomes (employee_id);

-- The position after the last record handled, written by the transaction that writes the rows.
CREATE TABLE attrition.sink_offsets (
    cluster_id text NOT NULL,
    group_id text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cluster_id, group_id, topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE attrition.sink_offsets IS 'Where the sink goes on. Whoever changes these rows loses or doubles records.';

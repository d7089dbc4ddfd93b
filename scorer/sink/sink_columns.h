/* The columns that the sink writes, table by table, in the order of their rows: the statements and COPY's rows follow.
 *
 * COLUMN(name, what writes it) is expanded where `out` is the table's buffer and `record`, `prediction`, `letter`,
 * `event` or `alert` the row's source (sink_rows.c). Columns of the prediction's record are its FIELDs
 * (events/prediction.h): name, type and what writes them follow from the codec; SOURCE is FIELD, null where the
 * prediction has no source. */
#pragma once

#include "events/alert.h"
#include "events/prediction.h"
#include "events/source_position.h"

/* In the order of the table itself: its rows are also sent as values of its row type. */
/* clang-format off */
#define PREDICTION_COLUMNS(FIELD, SOURCE, COLUMN) \
    PREDICTION_EVENT(FIELD) \
    PREDICTION_TIME(FIELD) \
    PREDICTION_SCORE(FIELD) \
    PREDICTION_LATENCY(FIELD) \
    PREDICTION_MODEL(FIELD) \
    PREDICTION_CHANNEL(FIELD) \
    PREDICTION_SOURCE(SOURCE) \
    COLUMN(cluster_id, TEXT, field_text(out, rows->cluster_id)) \
    COLUMN(output_partition, INT4, field_int4(out, record->partition)) \
    COLUMN(output_offset, INT8, field_int8(out, record->offset)) \
    COLUMN(input, JSONB, sink_json_input(out, rows->schema, rows->names, prediction->cells)) \
    COLUMN(reasons, JSONB, sink_json_reasons(out, rows->names, prediction)) \
    COLUMN(challengers, JSONB, sink_json_challengers(out, prediction)) \
    COLUMN(traceparent, TEXT, field_bytes(out, valid_text(rows, traceparent_of(record)))) \
    COLUMN(output_topic, TEXT, field_text(out, record->topic_name)) \
    COLUMN(evidence_salt, BYTEA, field_bytes(out, salt)) \
    COLUMN(evidence_digest, BYTEA, field_bytes(out, digest)) \
    COLUMN(change, JSONB, sink_json_change(out, prediction)) \
    PREDICTION_ADDED(FIELD)

#define DEAD_LETTER_COLUMNS(COLUMN) \
    COLUMN("stage", field_bytes(out, letter->stage)) \
    COLUMN("code", field_bytes(out, valid_text(rows, letter->code))) \
    COLUMN("field", field_bytes(out, valid_text(rows, letter->field))) \
    COLUMN("message", field_bytes(out, valid_text(rows, letter->message))) \
    COLUMN("topic", field_bytes(out, valid_text(rows, letter->topic))) \
    COLUMN("partition", field_int4_or_null(out, letter->partition)) \
    COLUMN("\"offset\"", field_int8_or_null(out, letter->offset)) \
    COLUMN("key", field_bytes(out, letter->key)) \
    COLUMN("value", field_bytes(out, letter->value)) \
    COLUMN("headers", sink_headers_field(out, letter->headers, letter->header_count, &rows->text)) \
    COLUMN("cluster_id", field_text(out, rows->cluster_id)) \
    COLUMN("dlq_partition", field_int4_or_null(out, letter->dlq_partition)) \
    COLUMN("dlq_offset", field_int8_or_null(out, letter->dlq_offset))

/* One row for each partition of a transaction. */
#define EVIDENCE_COLUMNS(COLUMN) \
    COLUMN("cluster_id", field_text(out, rows->cluster_id)) \
    COLUMN("topic", field_text(out, group.topic)) \
    COLUMN("partition", field_int4(out, group.partition)) \
    COLUMN("digests", field_bytes(out, group.digests))

/* Null where an older scorer wrote the record. */
#define SOURCE_HEADER_COLUMNS(COLUMN) \
    COLUMN("source_topic", sink_header_text(out, record, SOURCE_TOPIC_HEADER, &rows->text)) \
    COLUMN("source_partition", sink_header_int4(out, record, SOURCE_PARTITION_HEADER)) \
    COLUMN("source_offset", sink_header_int8(out, record, SOURCE_OFFSET_HEADER))

#define ERASURE_COLUMNS(COLUMN) \
    COLUMN("employee_id", field_bytes(out, record->key)) \
    COLUMN("cluster_id", field_text(out, rows->cluster_id)) \
    COLUMN("output_topic", field_text(out, record->topic_name)) \
    COLUMN("output_partition", field_int4(out, record->partition)) \
    COLUMN("output_offset", field_int8(out, record->offset)) \
    SOURCE_HEADER_COLUMNS(COLUMN)

#define OUTCOME_COLUMNS(COLUMN) \
    COLUMN("event_id", field_bytes(out, event->event_id)) \
    COLUMN("employee_id", field_bytes(out, event->employee_id)) \
    COLUMN("occurred_at", field_time_ms(out, event->occurred_at_ms)) \
    COLUMN("event_type", field_text(out, event_type_name(rows, event))) \
    COLUMN("cluster_id", field_text(out, rows->cluster_id)) \
    COLUMN("topic", field_text(out, record->topic_name)) \
    COLUMN("partition", field_int4(out, record->partition)) \
    COLUMN("\"offset\"", field_int8(out, record->offset)) \
    COLUMN("input", sink_json_input(out, rows->schema, rows->names, event->cells)) \
    SOURCE_HEADER_COLUMNS(COLUMN)

/* BEFORE and AFTER are FIELDs of the prediction before, null where there was none, and of the present one. */
#define ALERT_COLUMNS(FIELD, BEFORE, AFTER, COLUMN) \
    ALERT_EVENT(FIELD) \
    ALERT_SCORE(BEFORE) \
    ALERT_MODEL(BEFORE) \
    ALERT_SCORE(AFTER) \
    ALERT_MODEL(AFTER) \
    COLUMN("drivers", sink_json_drivers(out, alert)) \
    ALERT_CHANGE(FIELD) \
    SOURCE_HEADER_COLUMNS(COLUMN) \
    COLUMN("cluster_id", field_text(out, rows->cluster_id)) \
    COLUMN("topic", field_text(out, record->topic_name)) \
    COLUMN("partition", field_int4(out, record->partition)) \
    COLUMN("\"offset\"", field_int8(out, record->offset))
/* clang-format on */

/* Records → COPY rows: see sink_rows.h. Called by sink_batch.c on the sink's thread, for one batch at a time.
 *
 * A row is written once, into its table's buffer; the array for latest_predictions is cut from the same bytes. After
 * warm-up nothing here allocates. It must not validate: whatever decodes is written, and PostgreSQL says what it
 * refuses. A row of dead_letters, though, must never be refused itself, so its texts are made valid first. */
#include "scorer/sink/sink_rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "events/dead_letter.h"
#include "events/decoder.h"
#include "events/prediction_versions.h"
#include "scorer/sink/copy_fields.h"
#include "scorer/sink/sink_columns.h"
#include "scorer/sink/sink_hash_chain.h"
#include "scorer/sink/sink_headers.h"
#include "scorer/sink/sink_json.h"
#include "scorer/sink/sink_latest.h"
#include "scorer/sink/sink_text.h"

enum { REGISTRY_WAIT_US = 2000000, REGISTRY_LOOK_US = 2000, TRACE_BYTES_MAX = 256 };

enum { OID_OF_label = OID_TEXT, OID_OF_channel = OID_TEXT };

struct column_name {
    const char *name;
    uint32_t oid; /* of predictions alone: its rows are sent as values, too */
};

#define FIELD_COLUMN(codec, id, ...) {#id, OID_OF_##codec},
#define OWN_COLUMN(name, type, put) {#name, OID_##type},
#define NAMED_COLUMN(name, put) {name, 0},
#define ALERT_FIELD(codec, id, ...) {#id, 0},
#define BEFORE_FIELD(codec, id, ...) {"before_" #id, 0},
#define AFTER_FIELD(codec, id, ...) {"after_" #id, 0},
static const struct column_name prediction_columns[] = {PREDICTION_COLUMNS(FIELD_COLUMN, FIELD_COLUMN, OWN_COLUMN)},
                                dead_letter_columns[] = {DEAD_LETTER_COLUMNS(NAMED_COLUMN)},
                                erasure_columns[] = {ERASURE_COLUMNS(NAMED_COLUMN)},
                                outcome_columns[] = {OUTCOME_COLUMNS(NAMED_COLUMN)},
                                evidence_columns[] = {EVIDENCE_COLUMNS(NAMED_COLUMN)},
                                alert_columns[] = {ALERT_COLUMNS(ALERT_FIELD, BEFORE_FIELD, AFTER_FIELD, NAMED_COLUMN)};
#undef FIELD_COLUMN
#undef OWN_COLUMN
#undef NAMED_COLUMN
#undef ALERT_FIELD
#undef BEFORE_FIELD
#undef AFTER_FIELD

enum prediction_column {
#define COLUMN_ID(codec, id, ...) COLUMN_##id,
#define OWN_COLUMN_ID(name, type, put) COLUMN_##name,
    PREDICTION_COLUMNS(COLUMN_ID, COLUMN_ID, OWN_COLUMN_ID)
#undef COLUMN_ID
#undef OWN_COLUMN_ID
        PREDICTION_COLUMN_COUNT
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const struct {
    const char *name;
    const struct column_name *columns;
    size_t column_count;
} tables[SINK_TABLE_COUNT] = {
    [SINK_TABLE_PREDICTIONS] = {"predictions", prediction_columns, COUNT(prediction_columns)},
    [SINK_TABLE_DEAD_LETTERS] = {"dead_letters", dead_letter_columns, COUNT(dead_letter_columns)},
    [SINK_TABLE_ERASURES] = {"erasures", erasure_columns, COUNT(erasure_columns)},
    [SINK_TABLE_OUTCOMES] = {"outcomes", outcome_columns, COUNT(outcome_columns)},
    [SINK_TABLE_ALERTS] = {"alerts", alert_columns, COUNT(alert_columns)},
    [SINK_TABLE_EVIDENCE] = {"evidence", evidence_columns, COUNT(evidence_columns)},
};

struct sink_rows {
    const struct schema *schema;
    struct decoder *decoder;
    struct prediction_versions *versions;
    struct sink_hash_chain *chain;
    struct alert_reader *alerts;      /* NULL: the schemas have none */
    struct registry_client *registry; /* NULL: none */
    struct cell *cells;
    char *cluster_id;
    struct arena arena; /* of one record */
    struct buffer tables[SINK_TABLE_COUNT];
    struct buffer array; /* for latest_predictions */
    struct buffer text;
    char *targets[SINK_TABLE_COUNT], *upsert;
    struct span *names; /* "COLUMN": with quotes and colon, by column */
    struct sink_latest latest;
};

/* Starts a row of that table; its columns are written next, by PUT_COLUMN of the table's list. */
static struct buffer *begin_row(struct sink_rows *rows, enum sink_table table)
{
    row_start(&rows->tables[table], (unsigned)tables[table].column_count);
    return &rows->tables[table];
}

#define PUT_COLUMN(name, put) put;

static struct span valid_text(struct sink_rows *rows, struct span bytes)
{
    return sink_text_valid(bytes, &rows->text);
}

/* --- dead letters --- */

/* A row of dead_letters: borrowed texts, valid or not; numbers below 0 are null. */
struct letter {
    struct span stage, code, field, message, topic;
    int64_t partition, offset;
    struct span key, value;
    const struct sink_header *headers;
    size_t header_count;
    int64_t dlq_partition, dlq_offset;
};

static void add_letter(struct sink_rows *rows, const struct letter *letter)
{
    struct buffer *out = begin_row(rows, SINK_TABLE_DEAD_LETTERS);
    DEAD_LETTER_COLUMNS(PUT_COLUMN)
}

static struct span dead_letter_value(const struct sink_record *record, enum dead_letter_header header)
{
    return sink_header_last(record, dead_letter_header_name(header));
}

static struct span or_text(struct span value, const char *otherwise)
{
    return value.data ? value : span_of(otherwise);
}

static enum sink_result add_dead_letter(struct sink_rows *rows, const struct sink_record *record)
{
    const struct letter letter = {
        .stage = SPAN_LITERAL("score"),
        .code = or_text(dead_letter_value(record, DEAD_LETTER_CODE), "unknown"),
        .field = dead_letter_value(record, DEAD_LETTER_FIELD),
        .message = or_text(dead_letter_value(record, DEAD_LETTER_MESSAGE), ""),
        .topic = dead_letter_value(record, DEAD_LETTER_TOPIC),
        .partition = dead_letter_number(dead_letter_value(record, DEAD_LETTER_PARTITION), -1),
        .offset = dead_letter_number(dead_letter_value(record, DEAD_LETTER_OFFSET), -1),
        .key = record->key,
        .value = record->value,
        .headers = record->headers,
        .header_count = record->header_count,
        .dlq_partition = record->partition,
        .dlq_offset = record->offset,
    };
    add_letter(rows, &letter);
    return SINK_RESULT_DEAD_LETTER;
}

void sink_rows_refuse(struct sink_rows *rows, const struct sink_record *record, const struct sink_refusal *refusal)
{
    const struct letter letter = {
        .stage = SPAN_LITERAL("sink"),
        .code = span_of(refusal->code),
        .field = refusal->field ? span_of(refusal->field) : SPAN_NULL,
        .message = span_of(refusal->message),
        .topic = span_of(record->topic_name),
        .partition = record->partition,
        .offset = record->offset,
        .key = refusal->bare ? SPAN_NULL : record->key,
        .value = refusal->bare ? SPAN_NULL : record->value,
        .headers = record->headers,
        .header_count = refusal->bare ? 0 : record->header_count,
        .dlq_partition = -1,
        .dlq_offset = -1,
    };
    add_letter(rows, &letter);
}

static enum sink_result refuse_fault(struct sink_rows *rows, const struct sink_record *record,
                                     const struct fault *fault)
{
    bool known = fault->column >= 0 && (size_t)fault->column < rows->schema->column_count;
    const struct sink_refusal refusal = {
        .code = event_code_name(fault->code),
        .field = known ? rows->schema->columns[fault->column].name : NULL,
        .message = fault->text,
    };
    sink_rows_refuse(rows, record, &refusal);
    return SINK_RESULT_REFUSED;
}

static enum sink_result refuse_record(struct sink_rows *rows, const struct sink_record *record, enum event_code code,
                                      const char *message)
{
    struct fault fault = {.code = code, .column = FAULT_NO_COLUMN};
    snprintf(fault.text, sizeof fault.text, "%s", message);
    return refuse_fault(rows, record, &fault);
}

/* --- predictions --- */

/* SPAN_NULL: the record has none. */
static struct span traceparent_of(const struct sink_record *record)
{
    struct span trace = sink_header_last(record, "traceparent");
    return trace.bytes <= TRACE_BYTES_MAX ? trace : SPAN_NULL;
}

#define field_of_label(out, label) field_bytes(out, rows->schema->target_values[label])
#define field_of_channel(out, channel) field_bytes(out, channel_name(channel))
#define PUT_FIELD(codec, id, name, member) field_of_##codec(out, prediction->member);
#define PUT_SOURCE(codec, id, name, member) \
    if (prediction->source_topic.data) \
        field_of_##codec(out, prediction->member); \
    else \
        field_null(out);
#define PUT_OWN(name, type, put) put;

/* Fills in the digest of a row that is complete but for it. */
static void add_evidence(struct sink_rows *rows, char *row, const struct sink_record *record,
                         const struct prediction *prediction)
{
    struct sink_hash_chain *chain = rows->chain;
    sink_hash_chain_begin(chain, row_field(row, COLUMN_evidence_salt));
    const struct buffer *table = &rows->tables[SINK_TABLE_PREDICTIONS];
    struct cursor at = cursor_of((struct span){row + 2, (size_t)(table->data + table->bytes - row - 2)});
    for (size_t c = 0; c < PREDICTION_COLUMN_COUNT; c++) {
        uint32_t bytes = 0;
        struct span value = SPAN_NULL;
        bool whole = cursor_u32_be(&at, &bytes) && (bytes == UINT32_MAX || cursor_span(&at, bytes, &value));
        assert(whole);
        if (c == COLUMN_input)
            sink_hash_chain_add_input(chain, prediction->cells);
        else if (c == COLUMN_reasons)
            sink_hash_chain_add_reasons(chain, prediction);
        else if (c == COLUMN_challengers)
            sink_hash_chain_add_challengers(chain, prediction);
        else if (c == COLUMN_change && value.data)
            sink_hash_chain_add_change(chain, prediction);
        else if (c != COLUMN_evidence_salt && c != COLUMN_evidence_digest && value.data)
            sink_hash_chain_add(chain, span_of(prediction_columns[c].name), value);
    }
    size_t digest_at = (size_t)(row_field(row, COLUMN_evidence_digest).data - row);
    sink_hash_chain_end(chain, record->topic_name, record->partition, row + digest_at);
}

static void add_prediction_row(struct sink_rows *rows, const struct sink_record *record,
                               const struct prediction *prediction)
{
    static const char no_digest[ROW_DIGEST_BYTES];
    char drawn[ROW_DIGEST_SALT_BYTES];
    const struct span salt = {drawn, sizeof drawn}, digest = {no_digest, sizeof no_digest};
    size_t row = rows->tables[SINK_TABLE_PREDICTIONS].bytes;
    sink_hash_chain_draw_salt(rows->chain, drawn);
    struct buffer *out = begin_row(rows, SINK_TABLE_PREDICTIONS);
    PREDICTION_COLUMNS(PUT_FIELD, PUT_SOURCE, PUT_OWN)
    add_evidence(rows, out->data + row, record, prediction);
}

/* --- the newest of each employee --- */

static void add_hired_offset(struct buffer *out, int64_t offset)
{
    add_u32(out, OID_INT8);
    if (offset < 0)
        field_null(out);
    else
        field_int8(out, offset);
}

/* COPY's row, with each field's type before it: the binary form of a row of latest_predictions, where hired_offset
 * comes after change. */
static void add_row_value(struct buffer *out, struct cursor row, int64_t hired_offset)
{
    size_t start = out->bytes;
    add_u32(out, 0); /* length, filled in below */
    add_u32(out, PREDICTION_COLUMN_COUNT + 1);
    struct span skip;
    bool whole = cursor_span(&row, 2, &skip);
    for (size_t c = 0; c < PREDICTION_COLUMN_COUNT && whole; c++) {
        uint32_t bytes = 0;
        struct span value = {"", 0};
        whole = cursor_u32_be(&row, &bytes) && (bytes == UINT32_MAX || cursor_span(&row, bytes, &value));
        add_u32(out, prediction_columns[c].oid);
        add_u32(out, bytes);
        buffer_add(out, value.data, value.bytes);
        if (c == COLUMN_change)
            add_hired_offset(out, hired_offset);
    }
    assert(whole && !cursor_left(&row));
    uint32_t length = __builtin_bswap32((uint32_t)(out->bytes - start - 4));
    memcpy(out->data + start, &length, sizeof length);
}

/* In the order of the keys, so that two sinks which update the same employees wait for each other instead of dying of a
 * deadlock. Sorted here, where a row is a few numbers, and not by PostgreSQL, where it is all its columns. */
struct span sink_rows_latest(struct sink_rows *rows, uint32_t row_type)
{
    if (!rows->latest.count)
        return SPAN_NULL;
    sink_latest_sort(&rows->latest);
    struct buffer *out = &rows->array;
    buffer_clear(out);
    add_u32(out, 1); /* dimensions */
    add_u32(out, 0); /* no nulls */
    add_u32(out, row_type);
    add_u32(out, (uint32_t)rows->latest.count);
    add_u32(out, 1); /* the first index */
    const struct buffer *table = &rows->tables[SINK_TABLE_PREDICTIONS];
    for (size_t i = 0; i < rows->latest.count; i++) {
        const struct sink_latest_row *row = &rows->latest.rows[i];
        add_row_value(out, cursor_of((struct span){table->data + row->at, row->bytes}), row->hired_offset);
    }
    return buffer_span(out);
}

/* --- records --- */

typedef enum event_code value_read(struct sink_rows *rows, const struct sink_record *record, void *out,
                                   struct fault *fault, bool *waits);

/* While its schema is being asked for, the registry's answer is worth a moment. False: *result is what the record came
 * to. */
static bool read_value(struct sink_rows *rows, const struct sink_record *record, value_read *read, void *out,
                       enum sink_result *result)
{
    struct fault fault = {.column = FAULT_NO_COLUMN};
    int64_t since_us = clock_steady_us(&clock_system);
    bool waits;
    enum event_code code = read(rows, record, out, &fault, &waits);
    while (waits && rows->registry && registry_client_up(rows->registry) &&
           clock_steady_us(&clock_system) - since_us <= REGISTRY_WAIT_US) {
        usleep(REGISTRY_LOOK_US);
        code = read(rows, record, out, &fault, &waits);
    }
    if (!waits && !code)
        return true;
    *result = waits ? SINK_RESULT_WAIT : refuse_fault(rows, record, &fault);
    return false;
}

static enum event_code read_prediction(struct sink_rows *rows, const struct sink_record *record, void *out,
                                       struct fault *fault, bool *waits)
{
    return prediction_versions_read(rows->versions, record->value, sink_header_last(record, FRAME_HEADER), &rows->arena,
                                    out, fault, waits);
}

static bool is_hired(const struct sink_record *record)
{
    return span_equal(sink_header_last(record, EVENT_TYPE_HEADER), SPAN_LITERAL(EVENT_TYPE_HEADER_HIRED));
}

static enum sink_result add_prediction(struct sink_rows *rows, const struct sink_record *record)
{
    struct prediction prediction;
    enum sink_result result;
    if (!read_value(rows, record, read_prediction, &prediction, &result))
        return result;
    const struct buffer *table = &rows->tables[SINK_TABLE_PREDICTIONS];
    size_t row = table->bytes;
    add_prediction_row(rows, record, &prediction);
    if (prediction.channel != CHANNEL_STREAM || !prediction.employee_id.data || !prediction.source_topic.data)
        return SINK_RESULT_PREDICTION;
    struct span key = row_field(table->data + row, COLUMN_employee_id);
    const struct sink_latest_row seen = {
        .at = row,
        .bytes = table->bytes - row,
        .key = (size_t)(key.data - table->data),
        .key_bytes = key.bytes,
        .occurred_at_ms = prediction.occurred_at_ms,
        .source_offset = prediction.source_offset,
        .scored_at_us = prediction.scored_at_us,
        .hired_offset = is_hired(record) ? prediction.source_offset : -1,
        .source_partition = prediction.source_partition,
    };
    sink_latest_note(&rows->latest, &seen);
    return SINK_RESULT_PREDICTION;
}

static enum sink_result add_erasure(struct sink_rows *rows, const struct sink_record *record)
{
    if (!record->key.data)
        return refuse_record(rows, record, EVENT_NULL_KEY,
                             "a null value without a key on the output topic: nobody to erase");
    struct buffer *out = begin_row(rows, SINK_TABLE_ERASURES);
    ERASURE_COLUMNS(PUT_COLUMN)
    sink_latest_forget(&rows->latest, record->key);
    return SINK_RESULT_ERASURE;
}

static const char *event_type_name(const struct sink_rows *rows, const struct event *event)
{
    bool known = event->type >= 0 && (size_t)event->type < rows->schema->event_type_count;
    return known ? rows->schema->event_types[event->type] : "";
}

static void add_outcome_row(struct sink_rows *rows, const struct sink_record *record, const struct event *event)
{
    struct buffer *out = begin_row(rows, SINK_TABLE_OUTCOMES);
    OUTCOME_COLUMNS(PUT_COLUMN)
}

static enum event_code read_outcome(struct sink_rows *rows, const struct sink_record *record, void *out,
                                    struct fault *fault, bool *waits)
{
    return decoder_read(rows->decoder, record->value, sink_header_last(record, FRAME_HEADER), out, fault, waits);
}

static enum sink_result add_outcome(struct sink_rows *rows, const struct sink_record *record)
{
    if (!record->value.data)
        return refuse_record(rows, record, EVENT_BAD_FRAME, "a null value on the outcome topic");
    struct event event = {.cells = rows->cells};
    enum sink_result result;
    if (!read_value(rows, record, read_outcome, &event, &result))
        return result;
    add_outcome_row(rows, record, &event);
    return SINK_RESULT_OUTCOME;
}

#define field_of_kind(out, kind) field_bytes(out, alert_kind_name(kind))
#define field_of_cause(out, cause) field_bytes(out, alert_cause_name(cause))
#define PUT_ALERT(codec, id, name, member) field_of_##codec(out, alert->member);
#define PUT_BEFORE(codec, id, name, member) \
    if (alert->has_before) \
        field_of_##codec(out, alert->before.member); \
    else \
        field_null(out);
#define PUT_AFTER(codec, id, name, member) field_of_##codec(out, alert->after.member);

static void add_alert_row(struct sink_rows *rows, const struct sink_record *record, const struct alert *alert)
{
    struct buffer *out = begin_row(rows, SINK_TABLE_ALERTS);
    ALERT_COLUMNS(PUT_ALERT, PUT_BEFORE, PUT_AFTER, PUT_COLUMN)
}

static enum event_code read_alert(struct sink_rows *rows, const struct sink_record *record, void *out,
                                  struct fault *fault, bool *waits)
{
    return alert_read(rows->alerts, record->value, sink_header_last(record, FRAME_HEADER), &rows->arena, out, fault,
                      waits);
}

static enum sink_result add_alert(struct sink_rows *rows, const struct sink_record *record)
{
    if (!record->value.data)
        return refuse_record(rows, record, EVENT_BAD_FRAME, "a null value on the alert topic");
    struct alert alert;
    enum sink_result result;
    if (!read_value(rows, record, read_alert, &alert, &result))
        return result;
    add_alert_row(rows, record, &alert);
    return SINK_RESULT_ALERT;
}

enum sink_result sink_rows_add(struct sink_rows *rows, const struct sink_record *record)
{
    arena_reset(&rows->arena);
    switch (record->topic) {
    case SINK_TOPIC_DLQ:
        return add_dead_letter(rows, record);
    case SINK_TOPIC_OUTCOME:
        return add_outcome(rows, record);
    case SINK_TOPIC_ALERT:
        return add_alert(rows, record);
    default:
        return record->value.data ? add_prediction(rows, record) : add_erasure(rows, record);
    }
}

struct span sink_rows_table(const struct sink_rows *rows, enum sink_table table)
{
    return buffer_span(&rows->tables[table]);
}

void sink_rows_end(struct sink_rows *rows)
{
    for (size_t g = 0; g < sink_hash_chain_groups(rows->chain); g++) {
        const struct sink_link_group group = sink_hash_chain_group(rows->chain, g);
        struct buffer *out = begin_row(rows, SINK_TABLE_EVIDENCE);
        EVIDENCE_COLUMNS(PUT_COLUMN)
    }
}

const char *sink_rows_target(const struct sink_rows *rows, enum sink_table table)
{
    return rows->targets[table];
}

const char *sink_rows_upsert(const struct sink_rows *rows)
{
    return rows->upsert;
}

void sink_rows_clear(struct sink_rows *rows)
{
    for (size_t t = 0; t < SINK_TABLE_COUNT; t++)
        buffer_clear(&rows->tables[t]);
    sink_hash_chain_clear(rows->chain);
    sink_latest_clear(&rows->latest);
}

/* --- life --- */

/* The columns of a table, each as `format` says: % is its name. */
static void add_column_list(struct buffer *out, enum sink_table table, const char *format)
{
    for (size_t c = 0; c < tables[table].column_count; c++) {
        buffer_add_text(out, c ? ", " : "");
        for (const char *at = format; *at; at++)
            if (*at == '%')
                buffer_add_text(out, tables[table].columns[c].name);
            else
                buffer_add_u8(out, (uint8_t)*at);
    }
}

static void make_statements(struct sink_rows *rows)
{
    struct buffer text = {0};
    for (enum sink_table table = 0; table < SINK_TABLE_COUNT; table++) {
        buffer_clear(&text);
        buffer_printf(&text, "%s (", tables[table].name);
        add_column_list(&text, table, "%");
        buffer_add_text(&text, ")");
        rows->targets[table] = mem_text_n(text.data, text.bytes);
    }
    buffer_clear(&text);
    buffer_add_text(&text, "INSERT INTO attrition.latest_predictions AS l (");
    add_column_list(&text, SINK_TABLE_PREDICTIONS, "%");
    buffer_add_text(&text, ", hired_offset) SELECT ");
    add_column_list(&text, SINK_TABLE_PREDICTIONS, "%");
    buffer_add_text(&text, ", hired_offset FROM unnest($1) AS r ON CONFLICT (employee_id) DO UPDATE SET ");
    add_column_list(&text, SINK_TABLE_PREDICTIONS, "% = excluded.%");
    buffer_add_text(&text, ", hired_offset = coalesce(excluded.hired_offset, CASE WHEN l.occurred_at = "
                           "excluded.occurred_at AND l.source_partition = excluded.source_partition THEN "
                           "l.hired_offset END)");
    buffer_add_text(&text, " WHERE l.occurred_at < excluded.occurred_at OR (l.occurred_at = excluded.occurred_at AND "
                           "CASE WHEN l.source_partition = excluded.source_partition THEN l.source_offset < "
                           "excluded.source_offset ELSE l.scored_at < excluded.scored_at END)");
    rows->upsert = mem_text_n(text.data, text.bytes);
    buffer_free(&text);
}

static void make_names(struct sink_rows *rows)
{
    rows->names = mem_zeroed(rows->schema->column_count + 1, sizeof *rows->names);
    for (size_t c = 0; c < rows->schema->column_count; c++) {
        buffer_clear(&rows->text);
        json_add_text(&rows->text, span_of(rows->schema->columns[c].name));
        buffer_add_u8(&rows->text, ':');
        rows->names[c] = (struct span){mem_text_n(rows->text.data, rows->text.bytes), rows->text.bytes};
    }
}

enum status sink_rows_new(const struct schema *schema, const char *cluster_id, struct sink_rows **out,
                          struct error *err)
{
    struct decoder *decoder;
    if (decoder_new(schema, &decoder, err) != STATUS_OK)
        return err->status;
    struct sink_rows *rows = mem_zeroed(1, sizeof *rows);
    rows->schema = schema;
    rows->decoder = decoder;
    rows->versions = prediction_versions_new(schema);
    rows->chain = sink_hash_chain_new(schema);
    rows->alerts = schema->alert ? alert_reader_new(schema) : NULL;
    rows->cells = mem_zeroed(schema->column_count + 1, sizeof *rows->cells);
    rows->cluster_id = mem_text(cluster_id);
    make_statements(rows);
    make_names(rows);
    sink_latest_init(&rows->latest, &rows->tables[SINK_TABLE_PREDICTIONS]);
    *out = rows;
    return STATUS_OK;
}

void sink_rows_use_registry(struct sink_rows *rows, struct registry_client *registry)
{
    rows->registry = registry;
    decoder_use_registry(rows->decoder, registry);
    prediction_versions_use_registry(rows->versions, registry);
    if (rows->alerts)
        alert_reader_use_registry(rows->alerts, registry);
}

void sink_rows_free(struct sink_rows *rows)
{
    if (!rows)
        return;
    for (size_t t = 0; t < SINK_TABLE_COUNT; t++) {
        buffer_free(&rows->tables[t]);
        free(rows->targets[t]);
    }
    for (size_t c = 0; c < rows->schema->column_count; c++)
        free((void *)rows->names[c].data);
    decoder_free(rows->decoder);
    prediction_versions_free(rows->versions);
    sink_hash_chain_free(rows->chain);
    alert_reader_free(rows->alerts);
    buffer_free(&rows->array);
    buffer_free(&rows->text);
    arena_free(&rows->arena);
    free(rows->names);
    free(rows->cells);
    free(rows->cluster_id);
    free(rows->upsert);
    sink_latest_free(&rows->latest);
    free(rows);
}

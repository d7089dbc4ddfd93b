/* Record → place and digest: see audit_rows.h. Called by audit.c on the main thread.
 *
 * A jsonb field is a byte 1 and text, and PostgreSQL writes the text its own way: members in another order, numbers
 * without exponent. So such a field is parsed and hashed by content: members add up, in whatever order; numbers by
 * their double. A field that only looks like one and cannot be parsed is hashed by its bytes, the same on both sides.
 */
#include "scorer/audit/audit_rows.h"

#include <jansson.h>
#include <stdlib.h>

#include "events/dead_letter.h"
#include "events/source_position.h"
#include "scorer/sink/copy_fields.h"
#include "scorer/sink/sink_columns.h"
#include "scorer/sink/sink_headers.h"

/* Columns of predictions. The event's stand first, as in outcomes. */
#define COLUMN_OF_FIELD(codec, id, name, member) COLUMN_##id,
#define COLUMN_OF_SINK(id, type, what) COLUMN_##id,
enum { PREDICTION_COLUMNS(COLUMN_OF_FIELD, COLUMN_OF_FIELD, COLUMN_OF_SINK) };
enum { EVIDENCE_COLUMNS_COUNT = 2 };

struct audit_rows {
    struct sink_rows *rows;
    const char *input_topic;
    struct audit_receipts *receipts; /* borrowed; NULL: none */
    struct buffer fields;            /* of the record at hand, as they are compared */
};

/* --- digests --- */

static uint64_t json_hash(const json_t *value);

static uint64_t object_hash(const json_t *object)
{
    uint64_t sum = 0;
    const char *name;
    const json_t *member;
    json_object_foreach ((json_t *)(uintptr_t)object, name, member) {
        const uint64_t parts[] = {audit_hash(0, span_of(name)), json_hash(member)};
        sum += audit_hash(0, (struct span){(const char *)parts, sizeof parts});
    }
    return sum;
}

static uint64_t array_hash(const json_t *array)
{
    uint64_t hash = 1;
    for (size_t i = 0; i < json_array_size(array); i++) {
        uint64_t item = json_hash(json_array_get(array, i));
        hash = audit_hash(hash, (struct span){(const char *)&item, sizeof item});
    }
    return hash;
}

/* Numbers are read as reals; both zeros are one. */
static uint64_t json_hash(const json_t *value)
{
    double number;
    uint64_t seed = (uint64_t)json_typeof(value) + 1;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return seed ^ object_hash(value);
    case JSON_ARRAY:
        return seed ^ array_hash(value);
    case JSON_STRING:
        return audit_hash(seed, (struct span){json_string_value(value), json_string_length(value)});
    case JSON_REAL:
    case JSON_INTEGER:
        number = json_number_value(value) == 0 ? 0 : json_number_value(value);
        return audit_hash(seed, (struct span){(const char *)&number, sizeof number});
    default:
        return seed;
    }
}

static uint64_t field_hash(uint64_t seed, struct span field)
{
    bool like_jsonb = field.bytes > 1 && field.data[0] == 1 && (field.data[1] == '{' || field.data[1] == '[');
    json_t *value =
        like_jsonb ? json_loadb(field.data + 1, field.bytes - 1, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL) : NULL;
    if (!value)
        return audit_hash(audit_hash(seed, (struct span){(const char *)&field.bytes, sizeof field.bytes}), field);
    uint64_t hash = json_hash(value);
    json_decref(value);
    return audit_hash(seed, (struct span){(const char *)&hash, sizeof hash});
}

bool audit_field(struct cursor *fields, struct span *out)
{
    uint32_t bytes;
    *out = SPAN_NULL;
    return cursor_u32_be(fields, &bytes) && (bytes == UINT32_MAX || cursor_span(fields, bytes, out));
}

bool audit_field_integer(struct cursor *fields, int64_t *out)
{
    struct span field;
    if (!audit_field(fields, &field))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < field.bytes && i < sizeof value; i++)
        value = value << 8 | (unsigned char)field.data[i];
    *out = field.data ? (int64_t)value : -1;
    return !field.data || field.bytes == 4 || field.bytes == 8;
}

bool audit_digest(struct cursor *fields, size_t count, uint64_t *out)
{
    uint64_t hash = 0;
    for (size_t f = 0; f < count; f++) {
        struct span field;
        if (!audit_field(fields, &field))
            return false;
        hash = field.data ? field_hash(hash, field) : audit_hash(hash + 1, SPAN_LITERAL("null"));
    }
    *out = hash;
    return true;
}

/* --- sources --- */

static enum audit_source source_of(const struct audit_rows *rows, struct span topic)
{
    return span_equal(topic, span_of(rows->input_topic)) ? AUDIT_SOURCE_KNOWN : AUDIT_SOURCE_OTHER;
}

/* Fills the source from three headers; false where one of them is missing. */
static bool by_headers(const struct audit_rows *rows, const struct sink_record *record, const char *topic_name,
                       const char *partition_name, const char *offset_name, struct audit_record *out)
{
    struct span topic = sink_header_last(record, topic_name);
    int64_t partition = dead_letter_number(sink_header_last(record, partition_name), -1);
    out->source_offset = dead_letter_number(sink_header_last(record, offset_name), -1);
    if (!topic.data || partition < 0 || partition > INT32_MAX || out->source_offset < 0)
        return false;
    out->source_partition = (int32_t)partition;
    out->source = source_of(rows, topic);
    return true;
}

static struct span field_at(struct cursor fields, int column)
{
    struct span field = SPAN_NULL;
    for (int c = 0; c <= column; c++)
        if (!audit_field(&fields, &field))
            return SPAN_NULL;
    return field;
}

static int64_t integer_of(struct span field)
{
    uint64_t value = 0;
    for (size_t i = 0; i < field.bytes && i < sizeof value; i++)
        value = value << 8 | (unsigned char)field.data[i];
    return (int64_t)value;
}

static double number_of(struct span field)
{
    int64_t bits = integer_of(field);
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* PostgreSQL counts microseconds from 2000 on. */
static int64_t time_ms_of(struct span field)
{
    return integer_of(field) / 1000 + INT64_C(946684800000);
}

static void find_said(struct cursor fields, struct audit_record *out)
{
    out->occurred_at_ms = time_ms_of(field_at(fields, COLUMN_occurred_at));
    out->said = audit_said(number_of(field_at(fields, COLUMN_probability)), number_of(field_at(fields, COLUMN_margin)),
                           number_of(field_at(fields, COLUMN_threshold)), field_at(fields, COLUMN_model_version));
}

/* From the prediction's own columns. */
static void by_columns(const struct audit_rows *rows, struct cursor fields, struct audit_record *out)
{
    struct span field = SPAN_NULL, topic = SPAN_NULL;
    int64_t partition = -1;
    for (int c = 0; cursor_left(&fields); c++) {
        struct cursor at = fields;
        if (!audit_field(&fields, &field))
            return;
        if (c == COLUMN_employee_id && field.data)
            out->employee = audit_employee(rows->receipts, field);
        else if (c == COLUMN_channel && span_equal(field, SPAN_LITERAL("HTTP")))
            out->source = AUDIT_SOURCE_HTTP;
        else if (c == COLUMN_source_topic)
            topic = field;
        else if (c == COLUMN_source_partition)
            (void)audit_field_integer(&at, &partition);
        else if (c == COLUMN_source_offset)
            (void)audit_field_integer(&at, &out->source_offset);
    }
    if (!topic.data || out->source == AUDIT_SOURCE_HTTP)
        return;
    out->source = source_of(rows, topic);
    out->source_partition = (int32_t)partition;
}

static uint64_t hash_or_nobody(struct span key)
{
    return key.data ? audit_hash(0, key) : 0;
}

static void find_outcome(const struct audit_rows *rows, const struct sink_record *record, struct cursor fields,
                         struct audit_record *out)
{
    struct span employee = field_at(fields, COLUMN_employee_id);
    if (employee.data)
        out->employee = audit_employee(rows->receipts, employee);
    out->match = hash_or_nobody(record->value);
    out->occurred_at_ms = time_ms_of(field_at(fields, COLUMN_occurred_at));
}

static void find_source(const struct audit_rows *rows, const struct sink_record *record, struct cursor fields,
                        struct audit_record *out)
{
    out->source = AUDIT_SOURCE_NONE;
    out->employee = audit_employee(rows->receipts, record->key);
    switch (out->end) {
    case AUDIT_DEAD_LETTER:
        (void)by_headers(rows, record, dead_letter_header_name(DEAD_LETTER_TOPIC),
                         dead_letter_header_name(DEAD_LETTER_PARTITION), dead_letter_header_name(DEAD_LETTER_OFFSET),
                         out);
        return;
    case AUDIT_PREDICTION:
        by_columns(rows, fields, out);
        find_said(fields, out);
        return;
    case AUDIT_ALERT:
        (void)by_headers(rows, record, SOURCE_TOPIC_HEADER, SOURCE_PARTITION_HEADER, SOURCE_OFFSET_HEADER, out);
        return;
    case AUDIT_OUTCOME:
        find_outcome(rows, record, fields, out);
        break;
    default:
        out->match = out->employee;
    }
    if (!by_headers(rows, record, SOURCE_TOPIC_HEADER, SOURCE_PARTITION_HEADER, SOURCE_OFFSET_HEADER, out))
        out->source = AUDIT_SOURCE_UNKNOWN;
}

/* --- records --- */

static enum audit_end end_of(const struct sink_record *record)
{
    if (record->topic == SINK_TOPIC_DLQ)
        return AUDIT_DEAD_LETTER;
    if (record->topic == SINK_TOPIC_OUTCOME)
        return AUDIT_OUTCOME;
    if (record->topic == SINK_TOPIC_ALERT)
        return AUDIT_ALERT;
    return record->value.data ? AUDIT_PREDICTION : AUDIT_ERASURE;
}

static const enum sink_table table_of[AUDIT_END_COUNT] = {
    [AUDIT_PREDICTION] = SINK_TABLE_PREDICTIONS, [AUDIT_DEAD_LETTER] = SINK_TABLE_DEAD_LETTERS,
    [AUDIT_ERASURE] = SINK_TABLE_ERASURES,       [AUDIT_OUTCOME] = SINK_TABLE_OUTCOMES,
    [AUDIT_ALERT] = SINK_TABLE_ALERTS,
};

/* A prediction without its evidence, which is drawn for each row and checked against the chain instead. */
static struct cursor without_evidence(struct audit_rows *rows, struct cursor fields, size_t columns)
{
    buffer_clear(&rows->fields);
    for (size_t c = 0; c < columns; c++) {
        struct cursor start = fields;
        struct span field;
        if (!audit_field(&fields, &field))
            return fields;
        if (c != COLUMN_evidence_salt && c != COLUMN_evidence_digest)
            buffer_add(&rows->fields, start.at, cursor_left(&start) - cursor_left(&fields));
    }
    return cursor_of(buffer_span(&rows->fields));
}

/* The database knows a request by its receipt; the employee is the row's first column. */
static struct cursor named_by_receipt(struct audit_rows *rows, struct span employee, struct cursor fields)
{
    struct span skipped;
    char receipt[SHA256_HEX_BYTES];
    if (!rows->receipts || !audit_field(&fields, &skipped))
        return fields;
    audit_receipt(rows->receipts, employee, receipt);
    buffer_clear(&rows->fields);
    field_text(&rows->fields, receipt);
    buffer_add(&rows->fields, fields.at, cursor_left(&fields));
    return cursor_of(buffer_span(&rows->fields));
}

enum status audit_rows_read(struct audit_rows *rows, const struct sink_record *record, struct audit_record *out,
                            struct error *err)
{
    sink_rows_clear(rows->rows);
    enum sink_result made = sink_rows_add(rows->rows, record);
    if (made == SINK_RESULT_WAIT)
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s [%d] %lld: the schema registry does not return the record's schema; run the audit again "
                         "when it answers",
                         record->topic_name, (int)record->partition, (long long)record->offset);
    *out = (struct audit_record){.topic = record->topic,
                                 .partition = record->partition,
                                 .offset = record->offset,
                                 .end = end_of(record),
                                 .refused = made == SINK_RESULT_REFUSED};
    struct cursor fields = {NULL, NULL};
    struct span count;
    if (!out->refused) {
        fields = cursor_of(sink_rows_table(rows->rows, table_of[out->end]));
        if (!cursor_span(&fields, 2, &count))
            return error_set(err, STATUS_INVALID, "%s [%d] %lld: no row was made of it", record->topic_name,
                             (int)record->partition, (long long)record->offset);
        struct cursor at = out->end == AUDIT_ERASURE ? named_by_receipt(rows, record->key, fields) : fields;
        size_t columns = (size_t)((unsigned char)count.data[0] << 8 | (unsigned char)count.data[1]);
        if (out->end == AUDIT_PREDICTION) {
            at = without_evidence(rows, fields, columns);
            columns -= EVIDENCE_COLUMNS_COUNT;
        }
        if (!audit_digest(&at, columns, &out->digest))
            return error_set(err, STATUS_INVALID, "%s: a row of the sink's own is malformed", record->topic_name);
    }
    find_source(rows, record, fields, out);
    return STATUS_OK;
}

const char *audit_rows_target(const struct audit_rows *rows, enum sink_table table)
{
    return sink_rows_target(rows->rows, table);
}

/* --- life --- */

enum status audit_rows_new(const struct schema *schema, const char *cluster_id, const char *input_topic,
                           struct registry_client *registry, struct audit_rows **out, struct error *err)
{
    struct sink_rows *made;
    if (sink_rows_new(schema, cluster_id, &made, err) != STATUS_OK)
        return err->status;
    sink_rows_use_registry(made, registry);
    struct audit_rows *rows = mem_zeroed(1, sizeof *rows);
    *rows = (struct audit_rows){.rows = made, .input_topic = input_topic};
    *out = rows;
    return STATUS_OK;
}

void audit_rows_use_receipts(struct audit_rows *rows, struct audit_receipts *receipts)
{
    rows->receipts = receipts;
}

void audit_rows_free(struct audit_rows *rows)
{
    if (!rows)
        return;
    sink_rows_free(rows->rows);
    buffer_free(&rows->fields);
    free(rows);
}

/* bench: ns per event of decoding, validating and encoding, beside a decoder written by hand for exactly this schema,
 * avro-c and fastavro. Events come as the reader's schema writes them, and as an older schema does: a field under its
 * former name, int and float where the reader has long and double, a field less, two more, all in another order.
 * VENV: where fastavro is (build/venv); DATA: a CSV file to take rows from. */
#include <avro.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/json.h"
#include "avro/type.h"
#include "avro/write.h"
#include "events/decoder.h"
#include "events/event_encoder.h"
#include "events/prediction.h"
#include "events/validate.h"

enum { EVENTS = 4096, ROUNDS = 4, REPEATS = 150, REPEATS_SLOW = 15, COLUMNS_MAX = 64, OLDER_ID = 7 };

struct fixture {
    struct schema *schema;
    struct decoder *decoder;
    struct arena arena;
    struct buffer bytes;
    struct span values[EVENTS];
    struct cell cells[COLUMNS_MAX];
};

static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* --- data: rows of the CSV file named by DATA, else random ones that keep the schema's ranges and rules --- */

/* Lowers what a rule holds to be at most another, until all rules are kept. */
static void keep_rules(const struct schema *schema, struct cell *cells)
{
    for (size_t round = 0; round < schema->rule_count; round++)
        for (size_t r = 0; r < schema->rule_count; r++) {
            const struct rule *rule = &schema->rules[r];
            cells[rule->left].number = fmin(cells[rule->left].number, cells[rule->right].number);
        }
}

static void fill_cells(const struct schema *schema, struct cell *cells)
{
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        if (column->kind == COLUMN_NOMINAL) {
            size_t v = random_below(column->value_count);
            cells[c] = (struct cell){
                .text = column->values[v].data, .text_bytes = (uint32_t)column->values[v].bytes, .code = (int32_t)v};
        } else {
            double span = column->high - column->low;
            cells[c] = cell_number(column->low + (double)random_below((uint64_t)(span < 30000 ? span : 30000) + 1));
        }
    }
    keep_rules(schema, cells);
}

/* Fills cells from the next record, going round at the end of the file. Fields are taken by the header's names. */
static void read_cells(const struct schema *schema, FILE *file, struct csv **csv, struct cell *cells,
                       struct arena *arena)
{
    static int32_t columns[COLUMNS_MAX];
    struct csv_record record;
    struct error err;
    struct fault fault;
    bool more = false;
    static struct byte_reader *reader;
    while (!*csv || csv_next(*csv, &record, &more, &err) != STATUS_OK || !more) {
        csv_free(*csv);
        byte_reader_free(reader);
        rewind(file);
        reader = byte_reader_of_descriptor(fileno(file), "DATA");
        *csv = csv_new(reader, "DATA", 0);
        if (csv_next(*csv, &record, &more, &err) != STATUS_OK || record.field_count > COLUMNS_MAX)
            abort();
        for (size_t f = 0; f < record.field_count; f++)
            columns[f] = schema_column(schema, record.fields[f]);
    }
    for (size_t f = 0; f < record.field_count; f++) {
        struct span text = record.fields[f];
        text.data = arena_text(arena, text.data, text.bytes);
        if (columns[f] >= 0 && validate_text_cell(&schema->columns[columns[f]], text, true, &cells[columns[f]], &fault,
                                                  columns[f]) != EVENT_OK)
            abort();
    }
}

static const char *schemas_directory(void)
{
    return getenv("SCHEMAS_DIR") ? getenv("SCHEMAS_DIR") : "schemas";
}

static void fixture_load(struct fixture *fixture, const char *directory)
{
    struct error err;
    if (schema_load(directory, &fixture->schema, &err) == STATUS_OK &&
        decoder_new(fixture->schema, &fixture->decoder, &err) == STATUS_OK)
        return;
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

static void fixture_free(struct fixture *fixture)
{
    decoder_free(fixture->decoder);
    schema_free(fixture->schema);
    buffer_free(&fixture->bytes);
    arena_free(&fixture->arena);
}

/* Once all bytes are there. */
static void fixture_cut(struct fixture *fixture, const size_t *ends)
{
    for (size_t e = 0, start = 0; e < EVENTS; start = ends[e++])
        fixture->values[e] = (struct span){fixture->bytes.data + start, ends[e] - start};
}

static void fixture_encode(struct fixture *fixture, size_t number)
{
    char id[40], employee[16];
    struct event event = {
        .type = EVENT_TYPE_SNAPSHOT, .occurred_at_ms = 1700000000000 + (int64_t)number, .cells = fixture->cells};
    snprintf(id, sizeof id, "%08x-0000-4000-8000-%012zx", (unsigned)random_below(UINT32_MAX), number);
    snprintf(employee, sizeof employee, "%zu", number);
    event.event_id = span_of(id);
    event.employee_id = span_of(employee);
    event_encode(fixture->schema, &event, &fixture->bytes);
}

static void fixture_make(struct fixture *fixture)
{
    size_t ends[EVENTS];
    FILE *file = getenv("DATA") ? fopen(getenv("DATA"), "rb") : NULL;
    struct csv *csv = NULL;
    fixture_load(fixture, schemas_directory());
    for (size_t e = 0; e < EVENTS; e++) {
        if (file)
            read_cells(fixture->schema, file, &csv, fixture->cells, &fixture->arena);
        else
            fill_cells(fixture->schema, fixture->cells);
        fixture_encode(fixture, e);
        ends[e] = fixture->bytes.bytes;
    }
    csv_free(csv);
    if (file)
        fclose(file);
    fixture_cut(fixture, ends);
}

/* The same events as JSON. */
static void fixture_make_json(struct fixture *fixture, struct fixture *same)
{
    static const struct json_settings settings = {.time_unit = TIME_UNIT_NONE};
    size_t ends[EVENTS];
    fixture_load(fixture, schemas_directory());
    decoder_take_json(fixture->decoder, INPUT_FORMAT_AUTO, &settings);
    for (size_t e = 0; e < EVENTS; e++) {
        struct event event = {.cells = fixture->cells};
        struct fault fault;
        if (decoder_decode(same->decoder, same->values[e], &event, &fault) != EVENT_OK)
            abort();
        buffer_printf(&fixture->bytes,
                      "{\"event_id\":\"%.*s\",\"event_type\":\"SNAPSHOT\",\"employee_id\":\"%.*s\",\"occurred_at\":"
                      "\"2023-11-14T22:13:20.%03zuZ\",\"attributes\":",
                      (int)event.event_id.bytes, event.event_id.data, (int)event.employee_id.bytes,
                      event.employee_id.data, e % 1000);
        json_add_row(&fixture->bytes, fixture->schema->columns, fixture->schema->column_count, fixture->cells);
        buffer_add_u8(&fixture->bytes, '}');
        ends[e] = fixture->bytes.bytes;
    }
    fixture_cut(fixture, ends);
}

/* --- an older schema and the reader that has grown from it, both made from the shipped one, in a directory --- */

#define FORMER_NAME "former_name"

struct directory {
    char path[64];
};

static const char *const directory_files[] = {"shipped.avsc",
                                              "employee_event.avsc",
                                              "employee_event.2.avsc",
                                              "prediction.avsc",
                                              "older.avsc",
                                              "ids.json",
                                              "same.bin",
                                              "older.bin"};

static const char *path_of(const struct directory *directory, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory->path, name);
    return path;
}

static json_t *shipped_json(const char *name)
{
    char path[512];
    json_error_t why;
    snprintf(path, sizeof path, "%s/%s", schemas_directory(), name);
    json_t *json = json_load_file(path, 0, &why);
    if (!json)
        abort();
    return json;
}

static void put_json(const struct directory *directory, const char *name, json_t *json)
{
    if (json_dump_file(json, path_of(directory, name), 0) != 0)
        abort();
}

static bool text_is(const json_t *object, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value && strcmp(value, text) == 0;
}

static json_t *type_of(json_t *schema, const char *name) /* of a field */
{
    json_t *field;
    size_t f;
    json_array_foreach (json_object_get(schema, "fields"), f, field)
        if (text_is(field, "name", name))
            return json_object_get(field, "type");
    abort();
}

static json_t *attributes_of(json_t *schema)
{
    return json_object_get(type_of(schema, "attributes"), "fields");
}

/* Of three numeric fields one stays as it is, one becomes `whole`, one `real`. */
static void retype(json_t *fields, const char *whole, const char *real)
{
    json_t *field;
    size_t f, numbers = 0;
    json_array_foreach (fields, f, field) {
        size_t turn = text_is(field, "kind", "numeric") ? numbers++ % 3 : 0;
        if (turn)
            json_array_set_new(json_object_get(field, "type"), 1, json_string(turn == 1 ? whole : real));
    }
}

static void alias_text_field(json_t *fields)
{
    for (size_t f = json_array_size(fields); f-- > 0;) {
        json_t *field = json_array_get(fields, f);
        if (!text_is(field, "kind", "nominal"))
            continue;
        json_object_set_new(field, "aliases", json_pack("[s]", FORMER_NAME));
        return;
    }
}

static void reverse(json_t *array)
{
    json_t *copy = json_copy(array);
    json_array_clear(array);
    for (size_t i = json_array_size(copy); i-- > 0;)
        json_array_append(array, json_array_get(copy, i));
    json_decref(copy);
}

/* What the reader's schema was before it grew. */
static void remove_field(json_t *fields, const char *name)
{
    for (size_t f = json_array_size(fields); f-- > 0;)
        if (text_is(json_array_get(fields, f), "name", name))
            json_array_remove(fields, f);
}

static json_t *older_of(const json_t *reader)
{
    json_t *older = json_deep_copy(reader), *fields = attributes_of(older), *field;
    size_t f;
    retype(fields, "int", "float");
    remove_field(json_object_get(older, "fields"), "changed");
    json_array_foreach (fields, f, field)
        if (json_object_del(field, "aliases") == 0)
            json_object_set_new(field, "name", json_string(FORMER_NAME));
    json_array_remove(fields, json_array_size(fields) - 1);
    json_array_insert_new(fields, json_array_size(fields) / 2,
                          json_pack("{s:s, s:[s, s]}", "name", "remark", "type", "null", "string"));
    json_array_insert_new(json_object_get(older, "fields"), 1,
                          json_pack("{s:s, s:s}", "name", "sender", "type", "string"));
    reverse(fields);
    reverse(json_object_get(older, "fields"));
    reverse(json_object_get(type_of(older, "event_type"), "symbols"));
    return older;
}

static void grow_prediction(const struct directory *directory, json_t *reader)
{
    json_t *prediction = shipped_json("prediction.avsc"), *field;
    size_t f;
    json_array_foreach (attributes_of(prediction), f, field)
        json_object_set(field, "type", json_object_get(json_array_get(attributes_of(reader), f), "type"));
    put_json(directory, "prediction.avsc", prediction);
    json_decref(prediction);
}

static void directory_make(struct directory *directory)
{
    strcpy(directory->path, "/tmp/bench_decode.XXXXXX");
    if (!mkdtemp(directory->path))
        abort();
    json_t *reader = shipped_json("employee_event.avsc"), *ids = shipped_json("ids.json");
    put_json(directory, "shipped.avsc", reader);
    retype(attributes_of(reader), "long", "double");
    alias_text_field(attributes_of(reader));
    json_t *older = older_of(reader);
    json_array_insert_new(json_object_get(ids, "event"), 0,
                          json_pack("{s:i, s:s}", "id", OLDER_ID, "file", "older.avsc"));
    json_object_del(ids, "state"); /* not kept here */
    grow_prediction(directory, reader);
    put_json(directory, "employee_event.avsc", reader);
    put_json(directory, "older.avsc", older);
    put_json(directory, "employee_event.2.avsc", reader);
    put_json(directory, "ids.json", ids);
    json_decref(reader);
    json_decref(older);
    json_decref(ids);
}

static void directory_remove(const struct directory *directory)
{
    for (size_t f = 0; f < sizeof directory_files / sizeof *directory_files; f++)
        (void)unlink(path_of(directory, directory_files[f]));
    (void)rmdir(directory->path);
}

/* --- the same events as the older schema writes them --- */

static int32_t older_column(const struct schema *schema, const char *name)
{
    const struct avro_type *reader = schema->event->fields[schema->event->field_count - 1].type;
    bool former = strcmp(name, FORMER_NAME) == 0;
    for (size_t f = 0; f < reader->field_count; f++)
        if (former ? reader->fields[f].alias_count > 0 : strcmp(reader->fields[f].name, name) == 0)
            return (int32_t)f;
    return -1;
}

static char *older_attributes(char *at, const struct schema *schema, const struct avro_type *record,
                              const struct cell *cells)
{
    for (size_t f = 0; f < record->field_count; f++) {
        const struct avro_field *field = &record->fields[f];
        int32_t column = older_column(schema, field->name);
        const struct cell cell = column < 0 ? (struct cell){.text = "as agreed", .text_bytes = 9} : cells[column];
        *at++ = cell.code == CELL_MISSING ? 0 : 2;
        if (cell.code == CELL_MISSING)
            continue;
        if (field->type->branches[1]->kind == AVRO_KIND_INT)
            at = avro_put_long(at, (int64_t)cell.number);
        else if (field->type->branches[1]->kind == AVRO_KIND_FLOAT)
            at = avro_put_float(at, (float)cell.number);
        else
            at = avro_put_text(at, (struct span){cell.text, cell.text_bytes});
    }
    return at;
}

static void older_encode(const struct schema *schema, const struct avro_type *older, const struct event *event,
                         struct buffer *out)
{
    static char room[4096];
    char *at = avro_put_frame(room, OLDER_ID);
    for (size_t f = 0; f < older->field_count; f++) {
        const struct avro_field *field = &older->fields[f];
        if (field->type->kind == AVRO_KIND_ENUM)
            at = avro_put_long(at, (int64_t)field->type->symbol_count - 1 - event->type);
        else if (field->type->kind == AVRO_KIND_LONG)
            at = avro_put_long(at, event->occurred_at_ms);
        else if (field->type->kind == AVRO_KIND_RECORD)
            at = older_attributes(at, schema, field->type, event->cells);
        else if (strcmp(field->name, "sender") == 0)
            at = avro_put_text(at, SPAN_LITERAL("payroll"));
        else
            at = avro_put_text(at, strcmp(field->name, "event_id") == 0 ? event->event_id : event->employee_id);
    }
    buffer_add(out, room, (size_t)(at - room));
}

/* The reader must see what was sent, but for the last column, which the older schema lacks. */
static void older_check(struct fixture *fixture, size_t number, const struct event *sent)
{
    struct event event = {.cells = fixture->cells};
    struct fault fault;
    size_t last = fixture->schema->column_count - 1;
    bool fine = decoder_decode(fixture->decoder, fixture->values[number], &event, &fault) == EVENT_OK &&
                event.type == sent->type && event.occurred_at_ms == sent->occurred_at_ms &&
                span_equal(event.event_id, sent->event_id) && span_equal(event.employee_id, sent->employee_id) &&
                event.cells[last].code == CELL_MISSING;
    for (size_t c = 0; c < last && fine; c++) {
        const struct cell *a = &event.cells[c], *b = &sent->cells[c];
        fine = a->code == b->code && (a->code == CELL_MISSING || fixture->schema->columns[c].kind == COLUMN_NOMINAL ||
                                      a->number == b->number);
    }
    if (!fine)
        abort();
}

static void older_make(struct fixture *fixture, struct fixture *same, const struct directory *directory)
{
    size_t ends[EVENTS];
    struct avro_schema *older;
    struct event event = {.cells = same->cells};
    struct fault fault;
    struct error err;
    fixture_load(fixture, directory->path);
    if (avro_schema_read(path_of(directory, "older.avsc"), &older, &err) != STATUS_OK)
        abort();
    for (size_t e = 0; e < EVENTS; e++) {
        if (decoder_decode(same->decoder, same->values[e], &event, &fault) != EVENT_OK)
            abort();
        older_encode(fixture->schema, avro_schema_type(older), &event, &fixture->bytes);
        ends[e] = fixture->bytes.bytes;
    }
    avro_schema_free(older);
    fixture_cut(fixture, ends);
    for (size_t e = 0; e < EVENTS; e++) {
        (void)decoder_decode(same->decoder, same->values[e], &event, &fault);
        older_check(fixture, e, &event);
    }
}

/* --- the rival: one function that knows the shipped schema by heart --- */

struct flat_event {
    struct span event_id, employee_id;
    int64_t type, occurred_at;
    int64_t whole[COLUMNS_MAX];
    struct span text[COLUMNS_MAX];
    bool present[COLUMNS_MAX];
};

static inline __attribute__((always_inline)) bool flat_long(const uint8_t **at, const uint8_t *end, int64_t *out)
{
    uint64_t raw = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        raw |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
            return true;
        }
    }
    return false;
}

static inline __attribute__((always_inline)) bool flat_text(const uint8_t **at, const uint8_t *end, struct span *out)
{
    int64_t bytes;
    if (!flat_long(at, end, &bytes) || bytes < 0 || bytes > end - *at)
        return false;
    *out = (struct span){(const char *)*at, (size_t)bytes};
    *at += bytes;
    return true;
}

static inline __attribute__((always_inline)) bool flat_optional(const uint8_t **at, const uint8_t *end,
                                                                struct flat_event *out, size_t column)
{
    int64_t branch;
    if (!flat_long(at, end, &branch) || branch < 0 || branch > 1)
        return false;
    out->present[column] = branch;
    return true;
}

#define WHOLE(c) (flat_optional(&at, end, out, c) && (!out->present[c] || flat_long(&at, end, &out->whole[c])))
#define TEXT(c) (flat_optional(&at, end, out, c) && (!out->present[c] || flat_text(&at, end, &out->text[c])))

static __attribute__((noinline)) bool flat_decode(struct span value, struct flat_event *out)
{
    const uint8_t *at = (const uint8_t *)value.data + 5, *end = (const uint8_t *)value.data + value.bytes;
    int64_t changed;
    return value.bytes > 5 && flat_text(&at, end, &out->event_id) && flat_long(&at, end, &out->type) &&
           flat_text(&at, end, &out->employee_id) && flat_long(&at, end, &out->occurred_at) &&
           flat_long(&at, end, &changed) && changed == 0 && WHOLE(0) && TEXT(1) && WHOLE(2) && TEXT(3) && WHOLE(4) &&
           WHOLE(5) && TEXT(6) && WHOLE(7) && TEXT(8) && WHOLE(9) && WHOLE(10) && WHOLE(11) && TEXT(12) && WHOLE(13) &&
           TEXT(14) && WHOLE(15) && WHOLE(16) && WHOLE(17) && TEXT(18) && WHOLE(19) && WHOLE(20) && WHOLE(21) &&
           WHOLE(22) && WHOLE(23) && WHOLE(24) && WHOLE(25) && WHOLE(26) && WHOLE(27) && WHOLE(28) && WHOLE(29) &&
           at == end;
}

/* --- measuring: the best of some repeats --- */

static bool run_flat(struct fixture *fixture, size_t e)
{
    static struct flat_event out;
    return flat_decode(fixture->values[e], &out);
}

static bool run_decode(struct fixture *fixture, size_t e)
{
    struct event event = {.cells = fixture->cells};
    struct fault fault;
    return decoder_decode(fixture->decoder, fixture->values[e], &event, &fault) == EVENT_OK;
}

static bool run_validated(struct fixture *fixture, size_t e)
{
    struct event event = {.cells = fixture->cells};
    struct fault fault;
    return decoder_decode(fixture->decoder, fixture->values[e], &event, &fault) == EVENT_OK &&
           (validate_event(fixture->schema, &event, event.employee_id, INT64_MAX, &fault) | true);
}

/* jansson's tree of the same bytes, of which nothing is read yet. */
static bool run_tree(struct fixture *fixture, size_t e)
{
    json_t *tree = json_loadb(fixture->values[e].data, fixture->values[e].bytes, JSON_REJECT_DUPLICATES, NULL);
    json_decref(tree);
    return tree != NULL;
}

static bool run_json(struct fixture *fixture, size_t e)
{
    decoder_reset(fixture->decoder);
    return run_decode(fixture, e);
}

static void encode(struct fixture *fixture, struct span attributes)
{
    static struct buffer out, stamp;
    static const struct reason reasons[] = {{0, 0.5}, {3, -0.25}, {18, 0.125}};
    struct prediction prediction = {
        .event_id = SPAN_LITERAL("00000000-0000-4000-8000-000000000000"),
        .employee_id = SPAN_LITERAL("1234"),
        .occurred_at_ms = 1700000000000,
        .label = 1,
        .probability = 0.75,
        .threshold = 0.5,
        .margin = 1.1,
        .base = -2,
        .reasons = reasons,
        .reason_count = 3,
        .model = {SPAN_LITERAL("attrition"), SPAN_LITERAL("7"), SPAN_LITERAL("production"),
                  SPAN_LITERAL("0123456789abcdef0123456789abcdef")},
        .scored_at_us = 1700000000000000,
        .latency_us = 1500,
        .source_topic = SPAN_LITERAL("employee-events"),
        .source_partition = 3,
        .source_offset = 123456,
        .cells = fixture->cells,
        .attributes = attributes,
    };
    if (!stamp.bytes) /* once for a model */
        model_stamp_encode(&prediction.model, &stamp);
    prediction.model.encoded = buffer_span(&stamp);
    buffer_clear(&out);
    prediction_encode(fixture->schema, &prediction, &out);
}

static bool run_encode_cells(struct fixture *fixture, size_t e)
{
    (void)e;
    encode(fixture, SPAN_NULL);
    return true;
}

static bool run_encode_copied(struct fixture *fixture, size_t e)
{
    encode(fixture, (struct span){fixture->values[e].data + 5, 130});
    return true;
}

/* avro-c's generic value, of the same schema. Its resolver is wrong about older ones. */
struct generic {
    avro_value_t value;
    avro_reader_t reader;
};
static struct generic generic;

static bool run_generic(struct fixture *fixture, size_t e)
{
    struct span value = fixture->values[e];
    avro_reader_memory_set_source(generic.reader, value.data + AVRO_FRAME_BYTES,
                                  (int64_t)(value.bytes - AVRO_FRAME_BYTES));
    return avro_value_read(generic.reader, &generic.value) == 0;
}

static double measure_repeats(struct fixture *fixture, bool (*run)(struct fixture *, size_t), int repeats)
{
    double best = 1e30;
    for (int repeat = 0; repeat < repeats; repeat++) {
        double start = now_ns();
        for (size_t round = 0; round < ROUNDS; round++)
            for (size_t e = 0; e < EVENTS; e++)
                if (!run(fixture, e))
                    abort();
        double each = (now_ns() - start) / ((double)ROUNDS * EVENTS);
        best = each < best ? each : best;
    }
    return best;
}

static double measure(struct fixture *fixture, bool (*run)(struct fixture *, size_t))
{
    return measure_repeats(fixture, run, REPEATS);
}

static double measure_generic(struct fixture *fixture)
{
    avro_schema_t schema;
    json_t *json = shipped_json("employee_event.avsc");
    char *text = json_dumps(json, 0);
    if (avro_schema_from_json_length(text, strlen(text), &schema) != 0)
        abort();
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    avro_generic_value_new(class, &generic.value);
    generic.reader = avro_reader_memory("", 0);
    double best = measure_repeats(fixture, run_generic, REPEATS_SLOW);
    avro_reader_free(generic.reader);
    avro_value_decref(&generic.value);
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
    json_decref(json);
    free(text);
    return best;
}

/* --- fastavro, in a process of its own: tests/bench/decode_rival.py --- */

static void put_values(const struct directory *directory, const char *name, const struct fixture *fixture)
{
    FILE *file = fopen(path_of(directory, name), "wb");
    for (size_t e = 0; file && e < EVENTS; e++) {
        uint32_t bytes = (uint32_t)fixture->values[e].bytes - AVRO_FRAME_BYTES;
        fwrite(&bytes, sizeof bytes, 1, file);
        fwrite(fixture->values[e].data + AVRO_FRAME_BYTES, 1, bytes, file);
    }
    if (!file || fclose(file) != 0)
        abort();
}

static void print_line(const char *name, double ns, double flat)
{
    printf("%-58s %9.1f ns per event, %7.2f times by hand\n", name, ns, ns / flat);
}

static void print_rival(const struct directory *directory, double flat)
{
    const char *venv = getenv("VENV") ? getenv("VENV") : "build/venv";
    char command[512];
    double same, older;
    snprintf(command, sizeof command, "%s/bin/python", venv);
    if (access(command, X_OK) != 0) {
        printf("fastavro: not measured, there is no %s (VENV names another environment)\n", command);
        return;
    }
    snprintf(command, sizeof command, "'%s/bin/python' tests/bench/decode_rival.py %s", venv, directory->path);
    FILE *rival = popen(command, "r");
    bool fine = rival && fscanf(rival, "%lf %lf", &same, &older) == 2;
    if (!rival || pclose(rival) != 0 || !fine) {
        fprintf(stderr, "tests/bench/decode_rival.py has failed; it needs tests/system/requirements.txt's fastavro\n");
        directory_remove(directory);
        exit(1);
    }
    print_line("fastavro, same schema", same, flat);
    print_line("fastavro, older schema", older, flat);
}

static void print_json(struct fixture *same, double flat)
{
    static struct fixture json;
    fixture_make_json(&json, same);
    printf("the same as JSON: %.0f bytes on average\n", (double)json.bytes.bytes / EVENTS);
    print_line("decode JSON (aim: 600 ns)", measure(&json, run_json), flat);
    print_line("jansson's tree of the same bytes", measure_repeats(&json, run_tree, REPEATS_SLOW), flat);
    fixture_free(&json);
}

static void print_decoding(struct fixture *same, struct fixture *older, const struct directory *directory)
{
    double flat = measure(same, run_flat);
    print_line("decode by hand, without categories and checks of text", flat, flat);
    print_line("decode, same schema (aim: 120 ns)", measure(same, run_decode), flat);
    print_line("decode, older schema (aim: 200 ns)", measure(older, run_decode), flat);
    print_line("decode and validate, same schema", measure(same, run_validated), flat);
    print_line("avro-c, same schema, its fields not yet read", measure_generic(same), flat);
    print_json(same, flat);
    put_values(directory, "same.bin", same);
    put_values(directory, "older.bin", older);
    fflush(stdout);
    print_rival(directory, flat);
}

int main(void)
{
    static struct fixture same, older;
    struct directory directory;
    fixture_make(&same);
    directory_make(&directory);
    older_make(&older, &same, &directory);
    printf("events of %.0f bytes on average, %.0f as the older schema writes them\n", (double)same.bytes.bytes / EVENTS,
           (double)older.bytes.bytes / EVENTS);
    print_decoding(&same, &older, &directory);
    printf("encode a prediction with 3 reasons: %.1f ns from cells, %.1f ns with attributes copied\n",
           measure(&same, run_encode_cells), measure(&same, run_encode_copied));
    directory_remove(&directory);
    fixture_free(&same);
    fixture_free(&older);
    return 0;
}

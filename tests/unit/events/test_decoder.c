/* events/decoder.h and event_encoder.h: what is encoded decodes to the same event; whatever else is fed is refused,
 * without reading beyond it. */
#include "tests/unit/events/unit.h"

#include "events/decoder.h"
#include "events/event_encoder.h"

struct fixture {
    struct schema *schema;
    struct decoder *decoder;
    struct cell cells[64];
    struct event event;
    struct buffer bytes;
    struct fault fault;
};

static int make(void **state)
{
    struct fixture *fixture = mem_zeroed(1, sizeof *fixture);
    struct error err;
    fixture->schema = unit_schema();
    if (decoder_new(fixture->schema, &fixture->decoder, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    unit_row(fixture->schema, fixture->cells);
    fixture->event = (struct event){.event_id = SPAN_LITERAL("e-1"),
                                    .employee_id = SPAN_LITERAL("Zo\xc3\xab"),
                                    .occurred_at_ms = -5,
                                    .type = EVENT_TYPE_CHANGED,
                                    .cells = fixture->cells};
    event_encode(fixture->schema, &fixture->event, &fixture->bytes);
    *state = fixture;
    return 0;
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;
    decoder_free(fixture->decoder);
    schema_free(fixture->schema);
    buffer_free(&fixture->bytes);
    free(fixture);
    return 0;
}

/* Decodes a copy that ends where its memory ends; out's spans are void afterwards. */
static enum event_code decode(struct fixture *fixture, struct span bytes, struct event *out, struct cell *cells)
{
    struct span copy = unit_copy(bytes);
    *out = (struct event){.cells = cells};
    enum event_code code = decoder_decode(fixture->decoder, copy, out, &fixture->fault);
    free((char *)copy.data);
    return code;
}

static void assert_cells_equal(const struct column *columns, const struct cell *a, const struct cell *b, size_t count)
{
    for (size_t c = 0; c < count; c++) {
        assert_int_equal(a[c].code, b[c].code);
        if (a[c].code == CELL_MISSING)
            continue;
        if (columns[c].kind == COLUMN_NOMINAL)
            assert_true(
                span_equal((struct span){a[c].text, a[c].text_bytes}, (struct span){b[c].text, b[c].text_bytes}));
        else
            assert_memory_equal(&a[c].number, &b[c].number, sizeof(double));
    }
}

static void assert_round_trip(struct fixture *fixture)
{
    struct cell cells[UNIT_COLUMNS];
    struct event out = {.cells = cells};
    buffer_clear(&fixture->bytes);
    event_encode(fixture->schema, &fixture->event, &fixture->bytes);
    assert_int_equal(decoder_decode(fixture->decoder, buffer_span(&fixture->bytes), &out, &fixture->fault), EVENT_OK);
    assert_true(span_equal(out.event_id, fixture->event.event_id));
    assert_true(span_equal(out.employee_id, fixture->event.employee_id));
    assert_int_equal(out.occurred_at_ms, fixture->event.occurred_at_ms);
    assert_int_equal(out.type, fixture->event.type);
    assert_cells_equal(fixture->schema->columns, fixture->cells, cells, UNIT_COLUMNS);
    struct buffer again = {0};
    attributes_encode(fixture->schema, cells, &again);
    assert_true(span_equal(out.attributes, buffer_span(&again)));
    buffer_free(&again);
}

static void test_round_trip(void **state)
{
    struct fixture *fixture = *state;
    static const double whole[] = {0,    -1,      63,      -64,       64,        -65,        8191,
                                   8192, 1048575, 1048576, 134217727, 134217728, 2147483647, -2147483648.0};
    assert_round_trip(fixture);
    for (size_t n = 0; n < sizeof whole / sizeof *whole; n++) {
        fixture->cells[UNIT_COUNT] = fixture->cells[UNIT_LEVEL] = cell_number(whole[n]);
        fixture->cells[UNIT_TOTAL] = cell_number(whole[n] * 4194304); /* up to 2^53 */
        assert_round_trip(fixture);
    }
    static const char *const texts[] = {
        "x", "yy", "", "other", "a long category, on", "a long category, three", "\xf0\x9f\x98\x80"};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        fixture->cells[UNIT_GRADE] = unit_text(fixture->schema, UNIT_GRADE, texts[t]);
        assert_round_trip(fixture);
    }
    char longer[301] = {0};
    memset(longer, 'k', 300);
    fixture->cells[UNIT_GRADE] = unit_text(fixture->schema, UNIT_GRADE, longer);
    assert_round_trip(fixture);
    for (size_t c = 0; c < UNIT_COLUMNS; c++)
        if (c != UNIT_SCORE)
            fixture->cells[c] = cell_missing(&fixture->schema->columns[c]);
    assert_round_trip(fixture);
}

static void test_sent_nan_is_not_missing(void **state)
{
    struct fixture *fixture = *state;
    fixture->cells[UNIT_SCORE] = (struct cell){.number = NAN, .code = 0};
    fixture->cells[UNIT_SHARE] = (struct cell){.number = INFINITY, .code = 0};
    assert_round_trip(fixture);
}

static void test_every_prefix_and_tail_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct cell cells[UNIT_COLUMNS];
    struct event out;
    struct span whole = buffer_span(&fixture->bytes);
    for (size_t bytes = 0; bytes < whole.bytes; bytes++)
        assert_int_equal(decode(fixture, (struct span){whole.data, bytes}, &out, cells),
                         bytes < 5 ? EVENT_BAD_FRAME : EVENT_MALFORMED);
    assert_int_equal(decode(fixture, whole, &out, cells), EVENT_OK);
    buffer_add_u8(&fixture->bytes, 0);
    assert_int_equal(decode(fixture, buffer_span(&fixture->bytes), &out, cells), EVENT_MALFORMED);
    assert_non_null(strstr(fixture->fault.text, "left over"));
    assert_int_equal(fixture->fault.column, FAULT_NO_COLUMN);
}

static void test_any_byte_changed_does_no_harm(void **state)
{
    struct fixture *fixture = *state;
    struct cell cells[UNIT_COLUMNS];
    struct event out;
    for (size_t at = 0; at < fixture->bytes.bytes; at++) {
        char kept = fixture->bytes.data[at];
        for (int byte = 0; byte < 256; byte++) {
            fixture->bytes.data[at] = (char)byte;
            enum event_code code = decode(fixture, buffer_span(&fixture->bytes), &out, cells);
            assert_true(code == EVENT_OK || code == EVENT_MALFORMED || (at < 5 && code != EVENT_OK));
        }
        fixture->bytes.data[at] = kept;
    }
}

static void test_frames(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *data;
        size_t bytes;
        enum event_code code;
    } cases[] = {
        {"", 0, EVENT_BAD_FRAME},
        {"\0\0\0\0", 4, EVENT_BAD_FRAME},
        {"\0\0\0\0\7", 5, EVENT_MALFORMED},
        {"\0\0\0\0\x8", 5, EVENT_UNKNOWN_SCHEMA_ID},
        {"\2\0\0\0\7", 5, EVENT_BAD_FRAME},
        {"{\"a\":1}", 7, EVENT_BAD_FRAME},
        {"\1"
         "0123456789abcdef",
         17, EVENT_UNKNOWN_SCHEMA_ID},
        {"\1"
         "0123456789abcde",
         16, EVENT_BAD_FRAME},
    };
    struct cell cells[UNIT_COLUMNS];
    struct event out;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_int_equal(decode(fixture, (struct span){cases[c].data, cases[c].bytes}, &out, cells), cases[c].code);
}

/* Writes a frame, an envelope and these bytes as attributes. */
static struct span message(struct fixture *fixture, const char *attributes, size_t bytes)
{
    buffer_clear(&fixture->bytes);
    buffer_add(&fixture->bytes, "\0\0\0\0\7\2e\4\2n\0", 11);
    buffer_add(&fixture->bytes, attributes, bytes);
    return buffer_span(&fixture->bytes);
}

#define ATTRIBUTES(COUNT, GRADE) \
    COUNT GRADE "\0\0\0\0\0\0\0\0" \
                "\0" \
                "\0" \
                "\0"

static enum event_code decode_attributes(struct fixture *fixture, const char *attributes, size_t bytes, bool *canonical)
{
    struct cell cells[UNIT_COLUMNS];
    struct event out;
    enum event_code code = decode(fixture, message(fixture, attributes, bytes), &out, cells);
    *canonical = code == EVENT_OK && out.attributes.data != NULL;
    return code;
}

#define DECODE(COUNT, GRADE) \
    decode_attributes(fixture, ATTRIBUTES(COUNT, GRADE), sizeof ATTRIBUTES(COUNT, GRADE) - 1, &canonical)

static void test_padded_varints_decode_but_are_not_copied(void **state)
{
    struct fixture *fixture = *state;
    bool canonical;
    assert_int_equal(DECODE("\2\x54", "\0\2x"), EVENT_OK);
    assert_true(canonical);
    assert_int_equal(DECODE("\2\xd4\x00", "\0\2x"), EVENT_OK); /* a number in two bytes instead of one */
    assert_false(canonical);
    assert_int_equal(DECODE("\2\xd4\x80\x80\x80\x00", "\0\2x"), EVENT_OK);
    assert_false(canonical);
    assert_int_equal(DECODE("\2\xd4\x80\x80\x80\x80\x00", "\0\2x"), EVENT_MALFORMED); /* six bytes are no int */
    assert_int_equal(DECODE("\2\xff\xff\xff\xff\x1f", "\0\2x"), EVENT_MALFORMED);     /* beyond 32 bits */
    assert_int_equal(DECODE("\2\xff\xff\xff\xff\x0f", "\0\2x"), EVENT_OK);
    assert_true(canonical);
    assert_int_equal(DECODE("\x82\x00\x54", "\0\2x"), EVENT_OK); /* a padded branch */
    assert_false(canonical);
    assert_int_equal(DECODE("\0", "\0\x82\x00x"), EVENT_OK); /* a padded length */
    assert_false(canonical);
    assert_int_equal(DECODE("\0", "\2"), EVENT_OK);
    assert_true(canonical);
}

/* An event as a writer with another type of occurred_at writes it, by itself: envelope, then the attributes. */
static int64_t time_as_written(const char *type, const char *bytes, size_t count, enum time_unit unit)
{
    static const char schema[] = UNIT_EVENT(UNIT_RECORD, UNIT_FIELDS), ours[] = "{\"type\":\"long\",\"logicalType\":"
                                                                                "\"timestamp-millis\"}";
    struct buffer text = {0}, value = {0};
    struct schema *target = unit_schema();
    struct decoder *decoder;
    struct cell cells[UNIT_COLUMNS];
    struct event event = {.event_id = SPAN_LITERAL("e"), .employee_id = SPAN_LITERAL("n"), .cells = cells}, out = event;
    struct fault fault;
    struct error err;
    const char *at = strstr(schema, ours), path[] = "/tmp/unit-writer.avsc";
    char file[64];
    snprintf(file, sizeof file, "%s.%d", path, (int)getpid());
    buffer_add(&text, schema, (size_t)(at - schema));
    buffer_add_text(&text, type);
    buffer_add_text(&text, at + sizeof ours - 1);
    FILE *writer = fopen(file, "w");
    assert_true(writer && fwrite(text.data, 1, text.bytes, writer) == text.bytes && fclose(writer) == 0);
    assert_int_equal(decoder_new(target, &decoder, &err), STATUS_OK);
    if (decoder_take_unframed(decoder, file, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    decoder_use_time_unit(decoder, unit);
    unit_row(target, cells);
    event_encode(target, &event, &value); /* frame, "e", type, "n", time 0, attributes */
    buffer_clear(&text);
    buffer_add(&text, value.data + 5, 5);
    buffer_add(&text, bytes, count);
    buffer_add(&text, value.data + 11, value.bytes - 11);
    enum event_code code = decoder_decode(decoder, buffer_span(&text), &out, &fault);
    if (code != EVENT_OK)
        fail_msg("%s", fault.text);
    unlink(file);
    decoder_free(decoder);
    schema_free(target);
    buffer_free(&text);
    buffer_free(&value);
    return out.occurred_at_ms;
}

static void assert_time(const char *type, int64_t number, enum time_unit unit, int64_t ms)
{
    char bytes[10];
    size_t count = 0;
    for (uint64_t raw = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);; raw >>= 7) {
        bytes[count++] = (char)(raw < 0x80 ? raw : (raw & 0x7f) | 0x80);
        if (raw < 0x80)
            break;
    }
    if (time_as_written(type, bytes, count, unit) != ms)
        fail_msg("%s: %lld", type, (long long)number);
}

#define LOGICAL(kind, name) "{\"type\":\"" kind "\",\"logicalType\":\"" name "\"}"
#define CONNECT(kind, name) "{\"type\":\"" kind "\",\"connect.name\":\"" name "\"}"

static void test_times_of_writers(void **state)
{
    const int64_t day = 1741046400000;
    (void)state;
    assert_time(LOGICAL("long", "timestamp-millis"), day, TIME_UNIT_NONE, day);
    assert_time(LOGICAL("long", "timestamp-micros"), day * 1000 + 999, TIME_UNIT_NONE, day);
    assert_time(LOGICAL("long", "timestamp-nanos"), day * 1000000, TIME_UNIT_NONE, day);
    assert_time(LOGICAL("long", "local-timestamp-millis"), day, TIME_UNIT_NONE, day);
    assert_time(LOGICAL("long", "local-timestamp-micros"), -1, TIME_UNIT_NONE, -1);
    assert_time(LOGICAL("long", "local-timestamp-nanos"), day * 1000000, TIME_UNIT_S, day);
    assert_time(LOGICAL("int", "date"), 20151, TIME_UNIT_NONE, day);
    assert_time(CONNECT("long", "io.debezium.time.MicroTimestamp"), day * 1000, TIME_UNIT_NONE, day);
    assert_time(CONNECT("int", "io.debezium.time.Date"), 20151, TIME_UNIT_NONE, day);
    assert_time("\"long\"", day, TIME_UNIT_NONE, day);
    assert_time("\"long\"", day / 1000, TIME_UNIT_S, day);
    assert_time("\"int\"", (int32_t)(day / 1000), TIME_UNIT_S, day);
    assert_time("\"int\"", (int32_t)(day / 1000), TIME_UNIT_NONE, INT64_MIN);
    assert_time(LOGICAL("int", "time-millis"), 5, TIME_UNIT_NONE, INT64_MIN);
    assert_time(LOGICAL("long", "time-micros"), 5, TIME_UNIT_NONE, INT64_MIN);
    assert_time(LOGICAL("long", "timestamp-seconds"), day / 1000, TIME_UNIT_NONE, INT64_MIN);
    assert_time("\"long\"", INT64_MIN, TIME_UNIT_NONE, INT64_MIN + 1);
    assert_time(LOGICAL("long", "timestamp-millis"), INT64_MIN, TIME_UNIT_NONE, INT64_MIN + 1);
}

static void test_wrong_bytes_are_malformed(void **state)
{
    struct fixture *fixture = *state;
    bool canonical;
    assert_int_equal(DECODE("\4", "\0\2x"), EVENT_MALFORMED);            /* branch 2 of 2 */
    assert_int_equal(DECODE("\1", "\0\2x"), EVENT_MALFORMED);            /* branch −1 */
    assert_int_equal(DECODE("\0", "\0\1x"), EVENT_MALFORMED);            /* length −1 */
    assert_int_equal(DECODE("\0", "\0\x7ex"), EVENT_MALFORMED);          /* length past the end */
    assert_int_equal(DECODE("\0", "\0\2\xff"), EVENT_MALFORMED);         /* not UTF-8 */
    assert_int_equal(DECODE("\0", "\0\6\xed\xa0\x80"), EVENT_MALFORMED); /* a surrogate */
    assert_int_equal(DECODE("\0", "\0\4\xc0\x80"), EVENT_MALFORMED);     /* overlong */
    assert_int_equal(DECODE("\0", "\0\2\0"), EVENT_OK);                  /* U+0000 is text */
}

/* Random rows of the shipped schema, beside a plain reading of the specification's rules by the encoder's inverse. */
static void test_shipped_schema_round_trips(void **state)
{
    (void)state;
    struct schema *schema = unit_shipped();
    struct decoder *decoder;
    struct error err;
    struct fault fault;
    struct cell cells[64], back[64];
    struct buffer bytes = {0};
    assert_int_equal(decoder_new(schema, &decoder, &err), STATUS_OK);
    srand(1);
    for (int round = 0; round < 3000; round++) {
        for (size_t c = 0; c < schema->column_count; c++) {
            const struct column *column = &schema->columns[c];
            if (rand() % 8 == 0)
                cells[c] = cell_missing(column);
            else if (column->kind == COLUMN_NOMINAL)
                cells[c] = unit_text(schema, c, column->values[(size_t)rand() % column->value_count].data);
            else
                cells[c] = cell_number((rand() - RAND_MAX / 2) >> (rand() % 31));
        }
        struct event event = {.event_id = SPAN_LITERAL("e"), .employee_id = SPAN_LITERAL("n"), .cells = cells},
                     out = {.cells = back};
        buffer_clear(&bytes);
        event_encode(schema, &event, &bytes);
        struct span copy = unit_copy(buffer_span(&bytes));
        assert_int_equal(decoder_decode(decoder, copy, &out, &fault), EVENT_OK);
        assert_cells_equal(schema->columns, cells, back, schema->column_count);
        assert_non_null(out.attributes.data);
        free((char *)copy.data);
    }
    buffer_free(&bytes);
    decoder_free(decoder);
    schema_free(schema);
}

/* An older writer: other order, an alias's name, narrower types, a field nobody reads, a field less. */
#define OLDER \
    "{\"type\":\"record\",\"name\":\"old.E\",\"fields\":[{\"name\":\"employee_id\",\"type\":[\"null\",\"string\"]}," \
    "{\"name\":\"extra\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":\"bytes\"}}}," \
    "{\"name\":\"attributes\",\"type\":{\"type\":\"record\",\"name\":\"A\",\"fields\":[" \
    "{\"name\":\"score\",\"type\":[\"int\",\"double\",\"null\"]},{\"name\":\"grade\",\"type\":\"bytes\"}," \
    "{\"name\":\"gone\",\"type\":\"string\"},{\"name\":\"total\",\"type\":\"int\"}," \
    "{\"name\":\"share\",\"type\":[\"long\",\"null\"]},{\"name\":\"level\",\"type\":[\"int\",\"null\"]}]}}," \
    "{\"name\":\"event_id\",\"type\":\"string\"},{\"name\":\"occurred_at\",\"type\":\"long\"}," \
    "{\"name\":\"event_type\",\"type\":{\"type\":\"enum\",\"name\":\"T\",\"symbols\":[\"LOST\",\"HIRED\"]}}]}"
#define OLDER_IDS \
    "{\"event\":[{\"id\":6,\"file\":\"older.avsc\"},{\"id\":7,\"file\":\"employee_event.avsc\"}]," \
    "\"prediction\":[{\"id\":8,\"file\":\"prediction.avsc\"}]}"

struct older {
    struct schema *schema;
    struct decoder *decoder;
    struct cell cells[UNIT_COLUMNS];
    struct event out;
    struct fault fault;
};

static enum event_code older_decode(struct older *older, const char *datum, size_t bytes)
{
    static char kept[256];
    memcpy(kept, "\0\0\0\0\6", 5);
    memcpy(kept + 5, datum, bytes);
    older->out = (struct event){.cells = older->cells};
    return decoder_decode(older->decoder, (struct span){kept, bytes + 5}, &older->out, &older->fault);
}

#define OLDER_DATUM(EMPLOYEE, SCORE, TYPE) \
    EMPLOYEE "\2\2\2k\4ab\0\0" SCORE "\4yy" \
             "\6xyz" \
             "\xc8\1" \
             "\0\3" \
             "\0\4" \
             "\4id" \
             "\x10" TYPE
#define OLDER_DECODE(...) older_decode(&older, OLDER_DATUM(__VA_ARGS__), sizeof OLDER_DATUM(__VA_ARGS__) - 1)

static void test_older_writers_are_resolved(void **state)
{
    (void)state;
    struct older older = {0};
    struct error err = {0};
    assert_int_equal(unit_load(unit_event, OLDER, unit_prediction, OLDER_IDS, &older.schema, &err), STATUS_OK);
    if (decoder_new(older.schema, &older.decoder, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(OLDER_DECODE("\2\2n", "\0\5", "\2"), EVENT_OK);
    assert_true(span_equal(older.out.employee_id, SPAN_LITERAL("n")));
    assert_true(span_equal(older.out.event_id, SPAN_LITERAL("id")));
    assert_int_equal(older.out.occurred_at_ms, 8);
    assert_int_equal(older.out.type, EVENT_TYPE_HIRED);
    assert_int_equal(older.cells[UNIT_COUNT].code, CELL_MISSING); /* the default */
    assert_int_equal(older.cells[UNIT_GRADE].code, 1);
    assert_true(older.cells[UNIT_SCORE].number == -3);
    assert_true(older.cells[UNIT_TOTAL].number == 100);
    assert_true(older.cells[UNIT_SHARE].number == -2);
    assert_true(older.cells[UNIT_LEVEL].number == 2);
    assert_null(older.out.attributes.data);
    assert_int_equal(OLDER_DECODE("\0", "\0\5", "\2"), EVENT_UNRESOLVABLE);    /* no employee */
    assert_int_equal(OLDER_DECODE("\2\2n", "\4", "\2"), EVENT_UNRESOLVABLE);   /* null for a column that has none */
    assert_int_equal(OLDER_DECODE("\2\2n", "\0\5", "\0"), EVENT_UNRESOLVABLE); /* a type of event nobody knows */
    assert_int_equal(OLDER_DECODE("\0", "\0\5", "\2x"), EVENT_MALFORMED);      /* malformed counts for more */
    assert_int_equal(OLDER_DECODE("\2\2n", "\0\5", "\4"), EVENT_MALFORMED);
    decoder_free(older.decoder);
    schema_free(older.schema);
}

static void test_writer_that_never_fits_is_reported(void **state)
{
    (void)state;
    struct older older = {0};
    struct error err = {0};
    assert_int_equal(unit_load(unit_event, "{\"type\":\"record\",\"name\":\"E\",\"fields\":[]}", unit_prediction,
                               OLDER_IDS, &older.schema, &err),
                     STATUS_OK);
    assert_int_equal(decoder_new(older.schema, &older.decoder, &err), STATUS_OK);
    assert_int_equal(older_decode(&older, "", 0), EVENT_UNRESOLVABLE_SCHEMA);
    assert_non_null(strstr(older.fault.text, "schema 6: "));
    decoder_free(older.decoder);
    schema_free(older.schema);
}

static void test_encodable(void **state)
{
    struct fixture *fixture = *state;
    assert_true(event_is_encodable(fixture->schema, fixture->cells));
    fixture->cells[UNIT_SCORE] = cell_missing(&fixture->schema->columns[UNIT_SCORE]);
    assert_false(event_is_encodable(fixture->schema, fixture->cells));
    unit_row(fixture->schema, fixture->cells);
    fixture->cells[UNIT_COUNT] = cell_number(0.5);
    assert_false(event_is_encodable(fixture->schema, fixture->cells));
    fixture->cells[UNIT_COUNT] = cell_number(2147483648.0);
    assert_false(event_is_encodable(fixture->schema, fixture->cells));
    fixture->cells[UNIT_COUNT] = (struct cell){.number = NAN, .code = 0};
    assert_false(event_is_encodable(fixture->schema, fixture->cells));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, make, unmake),
        cmocka_unit_test_setup_teardown(test_sent_nan_is_not_missing, make, unmake),
        cmocka_unit_test_setup_teardown(test_every_prefix_and_tail_is_refused, make, unmake),
        cmocka_unit_test_setup_teardown(test_any_byte_changed_does_no_harm, make, unmake),
        cmocka_unit_test_setup_teardown(test_frames, make, unmake),
        cmocka_unit_test_setup_teardown(test_padded_varints_decode_but_are_not_copied, make, unmake),
        cmocka_unit_test_setup_teardown(test_times_of_writers, make, unmake),
        cmocka_unit_test_setup_teardown(test_wrong_bytes_are_malformed, make, unmake),
        cmocka_unit_test_setup_teardown(test_encodable, make, unmake),
        cmocka_unit_test(test_shipped_schema_round_trips),
        cmocka_unit_test(test_older_writers_are_resolved),
        cmocka_unit_test(test_writer_that_never_fits_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

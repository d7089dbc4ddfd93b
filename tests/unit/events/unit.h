/* What the tests of events/ share: schema directories made on the spot. */
#pragma once

#include "tests/support/bytes.h"

#include <unistd.h>

#include "base/memory.h"
#include "events/error_codes.h"
#include "events/schema.h"

/* Columns of every kind and type, nulls on either side and not at all. */
enum { UNIT_COUNT, UNIT_GRADE, UNIT_SCORE, UNIT_TOTAL, UNIT_SHARE, UNIT_LEVEL, UNIT_COLUMNS };

#define UNIT_FIELD_TYPES(COUNT, GRADE, SCORE, TOTAL, SHARE, LEVEL) \
    "{\"name\":\"count\",\"type\":[\"null\",\"int\"]" COUNT "}," \
    "{\"name\":\"grade\",\"type\":[\"string\",\"null\"]" GRADE "}," \
    "{\"name\":\"score\",\"type\":\"double\"" SCORE "}," \
    "{\"name\":\"total\",\"type\":[\"null\",\"long\"]" TOTAL "}," \
    "{\"name\":\"share\",\"type\":[\"null\",\"float\"]" SHARE "}," \
    "{\"name\":\"level\",\"type\":[\"null\",\"int\"]" LEVEL "}"

#define UNIT_FIELDS \
    UNIT_FIELD_TYPES( \
        ",\"default\":null,\"kind\":\"numeric\",\"range\":[0,100]", \
        ",\"kind\":\"nominal\",\"values\":[\"x\",\"yy\",\"a long category, one\",\"a long category, two\"]", \
        ",\"kind\":\"numeric\"", ",\"kind\":\"numeric\",\"label\":\"The total\"", \
        ",\"kind\":\"numeric\",\"range\":[0,1]", \
        ",\"kind\":\"ordinal\",\"range\":[1,3],\"value_labels\":[\"low\",\"middle\",\"high\"]")

#define UNIT_RECORD \
    "\"target\":{\"name\":\"left\",\"values\":[\"No\",\"Yes\"]},\"id\":{\"name\":\"number\"},\"ignored\":[\"other\"]," \
    "\"rules\":[{\"at_most\":[\"count\",\"total\"]}]"

#define UNIT_EVENT(RECORD, FIELDS) \
    "{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"event_id\",\"type\":\"string\"}," \
    "{\"name\":\"event_type\",\"type\":{\"type\":\"enum\",\"name\":\"T\",\"symbols\":[\"SNAPSHOT\",\"HIRED\"," \
    "\"CHANGED\",\"TERMINATED\",\"MOVED\"]}},{\"name\":\"employee_id\",\"type\":\"string\"}," \
    "{\"name\":\"occurred_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}}," \
    "{\"name\":\"attributes\",\"type\":{\"type\":\"record\",\"name\":\"A\"," RECORD ",\"fields\":[" FIELDS "]}}]}"

#define UNIT_CHANGE \
    "{\"name\":\"change\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"D\",\"fields\":[" \
    "{\"name\":\"record\",\"type\":\"double\"},{\"name\":\"model\",\"type\":\"double\"}]}],\"default\":null},"

/* CHANGE: UNIT_CHANGE, or "" as in schemas of before there was that field. */
#define UNIT_PREDICTION(CHANGE, FIELDS) \
    "{\"type\":\"record\",\"name\":\"P\",\"fields\":[{\"name\":\"event_id\",\"type\":\"string\"}," \
    "{\"name\":\"employee_id\",\"type\":[\"null\",\"string\"]}," \
    "{\"name\":\"occurred_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}}," \
    "{\"name\":\"prediction\",\"type\":{\"type\":\"enum\",\"name\":\"L\",\"symbols\":[\"No\",\"Yes\"]}}," \
    "{\"name\":\"probability\",\"type\":\"double\"},{\"name\":\"threshold\",\"type\":\"double\"}," \
    "{\"name\":\"margin\",\"type\":\"double\"},{\"name\":\"base\",\"type\":\"double\"}," \
    "{\"name\":\"reasons\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"R\",\"fields\":[" \
    "{\"name\":\"feature\",\"type\":\"string\"},{\"name\":\"contribution\",\"type\":\"double\"}]}}}," \
    "{\"name\":\"model\",\"type\":{\"type\":\"record\",\"name\":\"M\",\"fields\":[{\"name\":\"name\",\"type\":" \
    "\"string\"},{\"name\":\"version\",\"type\":\"string\"},{\"name\":\"alias\",\"type\":[\"null\",\"string\"]}," \
    "{\"name\":\"run_id\",\"type\":[\"null\",\"string\"]}]}}," \
    "{\"name\":\"challengers\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"C\"," \
    "\"fields\":[{\"name\":\"model\",\"type\":\"string\"},{\"name\":\"probability\",\"type\":\"double\"}]}}}," \
    "{\"name\":\"scored_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}," \
    "{\"name\":\"latency_us\",\"type\":\"long\"}," \
    "{\"name\":\"source\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"S\",\"fields\":[{\"name\":\"topic\"," \
    "\"type\":\"string\"},{\"name\":\"partition\",\"type\":\"int\"},{\"name\":\"offset\",\"type\":\"long\"}]}]}," \
    "{\"name\":\"channel\",\"type\":{\"type\":\"enum\",\"name\":\"H\",\"symbols\":[\"STREAM\",\"HTTP\"]}}," CHANGE \
    "{\"name\":\"attributes\",\"type\":{\"type\":\"record\",\"name\":\"A\",\"fields\":[" FIELDS "]}}]}"

#define UNIT_IDS \
    "{\"event\":[{\"id\":7,\"file\":\"employee_event.avsc\"}],\"prediction\":[{\"id\":8,\"file\":" \
    "\"prediction.avsc\"}]}"

static const char unit_event[] = UNIT_EVENT(UNIT_RECORD, UNIT_FIELDS);
static const char unit_prediction[] = UNIT_PREDICTION(UNIT_CHANGE, UNIT_FIELD_TYPES("", "", "", "", "", ""));

static inline void unit_remove(const char *directory)
{
    static const char *const names[] = {"employee_event.avsc", "older.avsc", "prediction.avsc", "ids.json"};
    char path[256];
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[n]);
        (void)unlink(path);
    }
    rmdir(directory);
}

/* Loads a directory made of these texts. `older`, if given, is a second event schema named in `ids`. */
static inline enum status unit_load(const char *event, const char *older, const char *prediction, const char *ids,
                                    struct schema **out, struct error *err)
{
    char directory[] = "/tmp/unit-schemas-XXXXXX";
    assert_non_null(mkdtemp(directory));
    unit_write(directory, "employee_event.avsc", event);
    unit_write(directory, "prediction.avsc", prediction);
    unit_write(directory, "ids.json", ids);
    if (older)
        unit_write(directory, "older.avsc", older);
    enum status status = schema_load(directory, out, err);
    unit_remove(directory);
    return status;
}

static inline struct schema *unit_schema_of(const char *event)
{
    struct schema *schema = NULL;
    struct error err = {0};
    if (unit_load(event, NULL, unit_prediction, UNIT_IDS, &schema, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return schema;
}

static inline struct schema *unit_schema(void)
{
    return unit_schema_of(unit_event);
}

/* The shipped schemas; tests run from the project's root. */
static inline struct schema *unit_shipped(void)
{
    struct schema *schema = NULL;
    struct error err = {0};
    if (schema_load("schemas", &schema, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return schema;
}

static inline struct cell unit_text(const struct schema *schema, size_t column, const char *text)
{
    return (struct cell){.text = text,
                         .text_bytes = (uint32_t)strlen(text),
                         .code = column_code(&schema->columns[column], span_of(text))};
}

/* A row that passes every check. */
static inline void unit_row(const struct schema *schema, struct cell *cells)
{
    cells[UNIT_COUNT] = cell_number(42);
    cells[UNIT_GRADE] = unit_text(schema, UNIT_GRADE, "a long category, two");
    cells[UNIT_SCORE] = cell_number(-0.5);
    cells[UNIT_TOTAL] = cell_number(1234567890123);
    cells[UNIT_SHARE] = cell_number(0.25);
    cells[UNIT_LEVEL] = cell_number(3);
}

/* A record of ours in `bytes`, which `read` reads: cut anywhere, longer, of another schema or without its frame it is
 * refused. */
static inline void unit_assert_nothing_else_is_read(struct buffer *bytes, enum event_code (*read)(void *),
                                                    void *context)
{
    size_t whole = bytes->bytes;
    assert_int_equal(read(context), EVENT_OK);
    for (bytes->bytes = 0; bytes->bytes < whole; bytes->bytes++)
        assert_int_not_equal(read(context), EVENT_OK);
    buffer_add_u8(bytes, 0);
    assert_int_equal(read(context), EVENT_MALFORMED);
    bytes->data[4] ^= 1; /* another id */
    assert_int_equal(read(context), EVENT_UNKNOWN_SCHEMA_ID);
    buffer_clear(bytes);
    buffer_add_text(bytes, "{\"a\":1}");
    assert_int_equal(read(context), EVENT_BAD_FRAME);
}

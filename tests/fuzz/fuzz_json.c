/* fuzz: any bytes as an event in JSON, in each form, and as a key. What is malformed is what jansson refuses, too; what
 * is read encodes, and the same document is read twice alike. */
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "events/decoder.h"
#include "events/event_encoder.h"
#include "events/key_json.h"
#include "events/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { COLUMNS_MAX = 256 };

static struct schema *schema;
static struct input_map *map;
static struct json_events *doors[3]; /* the stream's, one with a mapping, and that of files */

static void load_map(void)
{
    static const char text[] =
        "{\"employee_id\":\"/e\",\"occurred_at\":{\"path\":\"/t\",\"unit\":\"s\"},\"event_type\":{\"path\":"
        "\"/d/y\",\"values\":{\"H\":\"HIRED\"}},\"ignore\":[\"/d/i\",\"/l/0\"]}";
    char path[] = "/tmp/fuzz-map-XXXXXX";
    struct error err;
    int file = mkstemp(path);
    assert(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    assert(input_map_load(path, schema, &map, &err) == STATUS_OK);
    unlink(path);
}

static void load(void)
{
    struct error err;
    const char *directory = getenv("SCHEMAS_DIR");
    if (schema_load(directory ? directory : "schemas", &schema, &err) != STATUS_OK ||
        schema->column_count > COLUMNS_MAX) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    load_map();
    doors[0] = json_events_new(schema, &(const struct json_settings){0});
    doors[1] = json_events_new(schema, &(const struct json_settings){.map = map, .refuse_deletes = true});
    doors[2] = json_events_new(schema, &(const struct json_settings){.rows = true, .time_unit = TIME_UNIT_MS});
}

/* jansson knows no NaN, no number beyond a double and no name with a NUL, and overlooks a NUL behind a number. */
static bool jansson_may_differ(const json_error_t *why)
{
    enum json_error_code code = json_error_code(why);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
}

static void compare(struct span input)
{
    static struct json_reader reader;
    struct json_value value;
    json_error_t why;
    json_reader_reset(&reader);
    json_reader_start(&reader, input);
    if (json_read_value(&reader, &value))
        json_skip_rest(&reader, &value);
    bool taken = json_reader_end(&reader) == JSON_FLAW_NONE;
    json_t *tree = json_loadb(input.data, input.bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    bool odd = memchr(input.data, 0, input.bytes) || memmem(input.data, input.bytes, "NaN", 3) ||
               memmem(input.data, input.bytes, "Infinity", 8);
    assert(taken == (tree != NULL) || odd || (!tree && jansson_may_differ(&why)));
    json_decref(tree);
}

static void read_twice(struct json_events *events, struct span input, const struct record_context *context)
{
    static struct buffer bytes;
    struct cell cells[COLUMNS_MAX], again_cells[COLUMNS_MAX];
    struct event event = {.cells = cells}, again = {.cells = again_cells};
    struct fault list[4];
    struct json_faults faults = {.list = list, .capacity = 4}, none = {0};
    json_events_reset(events);
    enum event_code code = json_events_read(events, input, context, &event, &faults);
    assert((code == EVENT_OK) == (faults.count == 0));
    (void)json_events_read(events, input, context, &again, &none);
    assert(event.form == again.form);
    if (code != EVENT_OK || event.ignored || validate_event(schema, &event, SPAN_NULL, INT64_MAX, list) != EVENT_OK)
        return;
    buffer_clear(&bytes);
    event_encode(schema, &event, &bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct json_reader reader;
    const struct span input = {(const char *)data, bytes};
    struct record_context context = {.topic = SPAN_LITERAL("t"), .timestamp_ms = 1};
    char storage[ID_BYTES_MAX];
    struct span id;
    if (!schema)
        load();
    compare(input);
    for (size_t d = 0; d < sizeof doors / sizeof *doors; d++)
        read_twice(doors[d], input, &context);
    context.ce_specversion = SPAN_LITERAL("1.0");
    context.ce_subject = input;
    read_twice(doors[0], input, &context);
    if (key_json_read(&reader, input, input_map_root(map), storage, &id))
        (void)id_flaw(id);
    return 0;
}

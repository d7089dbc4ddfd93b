/* The alert into bytes and back, as its table says (alert.h). Encoded on a score loop, once an alert; read by the sink.
 */
#include "events/alert.h"

#include <assert.h>
#include <stdlib.h>

#include "events/fault.h"
#include "events/frame.h"
#include "events/record_codec.h"
#include "events/record_versions.h"

struct span alert_kind_name(enum alert_kind kind)
{
    static const struct span names[] = {
#define KIND_NAME(id) [ALERT_##id] = {#id, sizeof #id - 1},
        ALERT_KIND_TABLE(KIND_NAME)
#undef KIND_NAME
    };
    return names[kind];
}

struct span alert_cause_name(enum alert_cause cause)
{
    static const struct span names[] = {
#define CAUSE_NAME(id) [ALERT_CAUSE_##id] = {#id, sizeof #id - 1},
        ALERT_CAUSE_TABLE(CAUSE_NAME)
#undef CAUSE_NAME
    };
    return names[cause];
}

/* --- into bytes --- */

#define record_put_kind avro_put_long
#define record_put_cause avro_put_long
#define record_bytes_kind(value) AVRO_VARINT_MAX
#define record_bytes_cause(value) AVRO_VARINT_MAX

static char *put_model(const struct schema_parts *parts, const struct alert_assessment *record, char *at)
{
    (void)parts;
    ALERT_MODEL(RECORD_PUT)
    return at;
}

static size_t bytes_model(const struct schema_parts *parts, const struct alert_assessment *record)
{
    (void)parts;
    return 0 ALERT_MODEL(RECORD_BYTES);
}

static char *put_assessment(const struct schema_parts *parts, const struct alert_assessment *record, char *at)
{
    ALERT_ASSESSMENT(RECORD_PUT, RECORD_PUT_PART)
    return at;
}

static size_t bytes_assessment(const struct schema_parts *parts, const struct alert_assessment *record)
{
    return 0 ALERT_ASSESSMENT(RECORD_BYTES, RECORD_BYTES_PART);
}

static char *put_before(const struct schema_parts *parts, const struct alert *alert, char *at)
{
    at = avro_put_branch(at, alert->has_before);
    return alert->has_before ? put_assessment(parts, &alert->before, at) : at;
}

static size_t bytes_before(const struct schema_parts *parts, const struct alert *alert)
{
    return AVRO_BRANCH_BYTES + (alert->has_before ? bytes_assessment(parts, &alert->before) : 0);
}

static char *put_after(const struct schema_parts *parts, const struct alert *alert, char *at)
{
    return put_assessment(parts, &alert->after, at);
}

static size_t bytes_after(const struct schema_parts *parts, const struct alert *alert)
{
    return bytes_assessment(parts, &alert->after);
}

static char *put_drivers(const struct schema_parts *parts, const struct alert *alert, char *at)
{
    (void)parts;
    at = avro_put_branch(at, alert->has_drivers);
    if (!alert->has_drivers)
        return at;
    if (alert->driver_count)
        at = avro_put_long(at, (int64_t)alert->driver_count);
    for (size_t i = 0; i < alert->driver_count; i++) {
        const struct alert_driver *record = &alert->drivers[i];
        ALERT_DRIVER(RECORD_PUT)
    }
    *at++ = 0;
    return at;
}

static size_t bytes_drivers(const struct schema_parts *parts, const struct alert *alert)
{
    (void)parts;
    size_t bytes = AVRO_BRANCH_BYTES + AVRO_ARRAY_BYTES;
    for (size_t i = 0; i < alert->driver_count; i++) {
        const struct alert_driver *record = &alert->drivers[i];
        bytes += 0 ALERT_DRIVER(RECORD_BYTES);
    }
    return bytes;
}

void alert_encode(const struct schema *schema, const struct alert *record, struct buffer *out)
{
    const struct schema_parts *parts = schema_parts(schema);
    size_t bytes = FRAME_BYTES ALERT_RECORD(RECORD_BYTES, RECORD_BYTES_PART);
    char *at = frame_put(buffer_reserve(out, bytes), schema->alert_schema_id);
    ALERT_RECORD(RECORD_PUT, RECORD_PUT_PART)
    buffer_end_at(out, at);
}

/* --- out of bytes --- */

struct alert_reader {
    const struct schema *schema;
    struct record_versions *records;
};

struct alert_reader *alert_reader_new(const struct schema *schema)
{
    struct alert_reader *reader = mem_zeroed(1, sizeof *reader);
    assert(schema->alert);
    reader->schema = schema;
    reader->records = record_versions_new(schema->alert, &schema_parts(schema)->alerts, &schema->alert_schema_id);
    return reader;
}

void alert_reader_free(struct alert_reader *reader)
{
    if (!reader)
        return;
    record_versions_free(reader->records);
    free(reader);
}

void alert_reader_use_registry(struct alert_reader *reader, struct registry_client *registry)
{
    record_versions_use_registry(reader->records, registry);
}

static bool read_symbol(struct record_reading *reading, size_t count, uint32_t *out)
{
    return avro_read_symbol(&reading->in, (uint32_t)count, out, &reading->padded);
}

static bool record_read_kind(struct record_reading *reading, enum alert_kind *out)
{
    uint32_t symbol = 0;
    bool known = read_symbol(reading, ALERT_KIND_COUNT, &symbol);
    *out = (enum alert_kind)symbol;
    return known;
}

static bool record_read_cause(struct record_reading *reading, enum alert_cause *out)
{
    uint32_t symbol = 0;
    bool known = read_symbol(reading, ALERT_CAUSE_COUNT, &symbol);
    *out = (enum alert_cause)symbol;
    return known;
}

static bool read_model(struct record_reading *reading, struct alert_assessment *record)
{
    return true ALERT_MODEL(RECORD_READ);
}

static bool read_assessment(struct record_reading *reading, struct alert_assessment *record)
{
    return true ALERT_ASSESSMENT(RECORD_READ, RECORD_READ_PART);
}

static bool read_before(struct record_reading *reading, struct alert *alert)
{
    return record_read_present(reading, &alert->has_before) &&
           (!alert->has_before || read_assessment(reading, &alert->before));
}

static bool read_after(struct record_reading *reading, struct alert *alert)
{
    return read_assessment(reading, &alert->after);
}

static bool read_driver(struct record_reading *reading, void *item)
{
    struct alert_driver *record = item;
    return true ALERT_DRIVER(RECORD_READ);
}

static bool read_drivers(struct record_reading *reading, struct alert *alert)
{
    static const struct record_array drivers = {
        .item_bytes = sizeof *alert->drivers,
        .least = 0 ALERT_DRIVER(RECORD_LEAST),
        .read_item = read_driver,
    };
    void *items = NULL;
    bool fine = record_read_present(reading, &alert->has_drivers) &&
                (!alert->has_drivers || record_read_array(reading, &drivers, &items, &alert->driver_count));
    alert->drivers = items;
    return fine;
}

static bool read_record(struct record_reading *reading, struct alert *record)
{
    return true ALERT_RECORD(RECORD_READ, RECORD_READ_PART) && cursor_left(&reading->in) == 0;
}

enum event_code alert_read(struct alert_reader *reader, struct span value, struct span header, struct arena *arena,
                           struct alert *out, struct fault *fault, bool *waits)
{
    struct span datum;
    struct alert decoded = {0};
    enum event_code code = record_versions_read(reader->records, value, header, arena, &datum, fault, waits);
    if (code != EVENT_OK)
        return code;
    struct record_reading reading = {.parts = schema_parts(reader->schema), .in = cursor_of(datum), .arena = arena};
    if (!read_record(&reading, &decoded))
        return fault_set(fault, EVENT_MALFORMED, FAULT_NO_COLUMN, "not an alert, near byte %zu of the datum",
                         (size_t)((const char *)reading.in.at - datum.data));
    *out = decoded;
    return EVENT_OK;
}

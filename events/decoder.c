/* Framed message → event: see decoder.h. One per thread; the plans of the shipped schemas are compiled when it is made.
 */
#include "events/decoder.h"

#include <stdlib.h>

#include "events/fault.h"
#include "events/plan.h"

enum { MAGIC_ID = 0, MAGIC_GUID = 1, GUID_BYTES = 16 };

/* A writer schema and how it is read; plan NULL: it can never be read as the event schema, for the reason given. */
struct known_writer {
    uint32_t id;
    struct plan *plan;
    struct error why;
};

struct decoder {
    const struct schema_parts *parts;
    struct machine *machine;
    struct known_writer *writers;
    size_t writer_count;
    const struct known_writer *last; /* most messages are of one schema */
};

enum status decoder_new(const struct schema *schema, struct decoder **out, struct error *err)
{
    const struct schema_parts *parts = schema_parts(schema);
    struct decoder *decoder = mem_zeroed(1, sizeof *decoder);
    decoder->parts = parts;
    decoder->machine = machine_new();
    decoder->writers = mem_zeroed(parts->version_count, sizeof *decoder->writers);
    for (; decoder->writer_count < parts->version_count; decoder->writer_count++) {
        const struct schema_version *version = &parts->versions[decoder->writer_count];
        struct known_writer *writer = &decoder->writers[decoder->writer_count];
        writer->id = version->id;
        enum status status =
            plan_compile(avro_schema_type(version->schema), schema->event, parts, &writer->plan, &writer->why);
        if (status == STATUS_OK || version->schema != parts->event)
            continue; /* ids are never taken off the list, so an old one may be of no use any more */
        error_set(err, status, "%s cannot be read as itself: %.300s", version->file, writer->why.text);
        decoder_free(decoder);
        return status;
    }
    decoder->last = decoder->writers;
    *out = decoder;
    return STATUS_OK;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    for (size_t w = 0; w < decoder->writer_count; w++)
        plan_free(decoder->writers[w].plan);
    free(decoder->writers);
    machine_free(decoder->machine);
    free(decoder);
}

static const struct known_writer *writer_find(struct decoder *decoder, uint32_t id)
{
    if (decoder->last->id == id)
        return decoder->last;
    for (size_t w = 0; w < decoder->writer_count; w++)
        if (decoder->writers[w].id == id)
            return decoder->last = &decoder->writers[w];
    return NULL;
}

static enum event_code frame_refuse(struct span value, struct fault *fault)
{
    uint8_t magic = value.bytes ? (uint8_t)value.data[0] : 0;
    if (value.bytes == 0)
        return fault_set(fault, EVENT_BAD_FRAME, FAULT_NO_COLUMN, "the value is empty");
    if (magic == MAGIC_GUID && value.bytes >= 1 + GUID_BYTES)
        return fault_set(fault, EVENT_UNKNOWN_SCHEMA_ID, FAULT_NO_COLUMN, "no schema is known under the frame's GUID");
    if (magic > MAGIC_GUID)
        return fault_set(fault, EVENT_BAD_FRAME, FAULT_NO_COLUMN,
                         "the value starts with byte %u, not with a schema frame", magic);
    return fault_set(fault, EVENT_BAD_FRAME, FAULT_NO_COLUMN, "%zu bytes are too short for a schema frame",
                     value.bytes);
}

enum event_code decoder_decode(struct decoder *decoder, struct span value, struct event *out, struct fault *fault)
{
    struct cursor in = cursor_of(value);
    uint8_t magic;
    uint32_t id;
    if (!cursor_u8(&in, &magic) || magic != MAGIC_ID || !cursor_u32_be(&in, &id))
        return frame_refuse(value, fault);
    const struct known_writer *writer = writer_find(decoder, id);
    if (!writer)
        return fault_set(fault, EVENT_UNKNOWN_SCHEMA_ID, FAULT_NO_COLUMN, "no schema is known under the id %u", id);
    if (!writer->plan)
        return fault_set(fault, EVENT_UNRESOLVABLE_SCHEMA, FAULT_NO_COLUMN, "schema %u: %.120s", id, writer->why.text);
    struct span datum = {(const char *)in.at, cursor_left(&in)};
    return plan_run_row(writer->plan, decoder->machine, datum, out, fault);
}

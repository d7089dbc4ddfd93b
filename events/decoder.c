/* Framed message → event: see decoder.h. One per thread; the plans of the shipped schemas are compiled when it is made,
 * those of a registry when they are first met. */
#include "events/decoder.h"

#include <stdlib.h>

#include "events/writer_schemas.h"

struct decoder {
    const struct schema_parts *parts;
    struct machine *machine;
    enum time_unit time_unit;
    struct row_changed changed;
    struct writer_schemas *writers;
    bool unframed;
    struct schema_key unframed_key;
    enum input_format format;
    struct json_events *json; /* NULL: JSON is not taken */
};

enum status decoder_new(const struct schema *schema, struct decoder **out, struct error *err)
{
    const struct schema_parts *parts = schema_parts(schema);
    struct decoder *decoder = mem_zeroed(1, sizeof *decoder);
    decoder->parts = parts;
    decoder->machine = machine_new();
    decoder->changed.columns = mem_zeroed((schema->column_count + 63) / 64, sizeof *decoder->changed.columns);
    decoder->writers = writer_schemas_new(schema->event, parts);
    for (size_t v = 0; v < parts->events.count; v++) {
        const struct schema_version *version = &parts->events.items[v];
        const struct schema_key key = schema_key_of_id(version->id);
        const struct writer_schema *writer =
            writer_schemas_add(decoder->writers, &key, avro_schema_type(version->schema), NULL);
        if (writer->plan || version->schema != parts->event)
            continue; /* ids are never taken off the list, so an old one may be of no use any more */
        enum status status =
            error_set(err, writer->why.status, "%s cannot be read as itself: %.300s", version->file, writer->why.text);
        decoder_free(decoder);
        return status;
    }
    *out = decoder;
    return STATUS_OK;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    writer_schemas_free(decoder->writers);
    machine_free(decoder->machine);
    free(decoder->changed.columns);
    json_events_free(decoder->json);
    free(decoder);
}

void decoder_use_registry(struct decoder *decoder, struct registry_client *registry)
{
    writer_schemas_use_registry(decoder->writers, registry);
}

void decoder_use_time_unit(struct decoder *decoder, enum time_unit unit)
{
    decoder->time_unit = unit;
}

/* An id is all digits; a file gets a key that no frame can have. */
enum status decoder_take_unframed(struct decoder *decoder, const char *id_or_file, struct error *err)
{
    char *end;
    struct avro_schema *schema;
    unsigned long long id = strtoull(id_or_file, &end, 10);
    decoder->unframed = true;
    if (*id_or_file >= '0' && *id_or_file <= '9' && !*end) {
        if (id == 0 || id > UINT32_MAX)
            return error_set(err, STATUS_INVALID, "--unframed: %s is no schema id", id_or_file);
        decoder->unframed_key = schema_key_of_id((uint32_t)id);
        return STATUS_OK;
    }
    decoder->unframed_key = (struct schema_key){.is_guid = 2};
    if (avro_schema_read(id_or_file, &schema, err) != STATUS_OK)
        return error_prefix(err, "--unframed");
    const struct writer_schema *writer =
        writer_schemas_add(decoder->writers, &decoder->unframed_key, avro_schema_type(schema), schema);
    if (!writer->plan)
        return error_set(err, writer->why.status, "--unframed: %.100s cannot be read as the event schema: %.300s",
                         id_or_file, writer->why.text);
    return STATUS_OK;
}

void decoder_take_json(struct decoder *decoder, enum input_format format, const struct json_settings *settings)
{
    json_events_free(decoder->json);
    decoder->format = format;
    decoder->json = json_events_new(&decoder->parts->schema, settings);
    writer_schemas_take_json(decoder->writers);
}

void decoder_reset(struct decoder *decoder)
{
    if (decoder->json)
        json_events_reset(decoder->json);
}

static enum event_code json_read(struct decoder *decoder, struct span value, const struct record_context *context,
                                 struct event *out, struct fault *fault)
{
    struct json_faults faults = {.list = fault, .capacity = 1};
    out->type = EVENT_TYPE_SNAPSHOT;
    return json_events_read(decoder->json, value, context, out, &faults);
}

/* Neither in a frame, nor with a schema in a header. */
static bool is_json(const struct decoder *decoder, struct span value, struct span header)
{
    if (!decoder->json || decoder->format == INPUT_FORMAT_AVRO || header.data || value.bytes == 0 ||
        (uint8_t)value.data[0] <= 1)
        return false;
    return decoder->format == INPUT_FORMAT_JSON || (!decoder->unframed && json_events_recognize(value));
}

enum event_code decoder_read_record(struct decoder *decoder, struct span value, struct span header,
                                    const struct record_context *context, struct event *out, struct fault *fault,
                                    bool *waits)
{
    struct frame frame = {.key = decoder->unframed_key, .datum = value};
    const struct writer_schema *writer;
    *waits = out->partial = false;
    if (is_json(decoder, value, header))
        return json_read(decoder, value, context, out, fault);
    out->form = EVENT_FORM_AVRO;
    out->ignored = out->without_attributes = false;
    if (!decoder->unframed || header.data || value.bytes == 0) {
        enum event_code code = frame_read(value, header, &frame, fault);
        if (code != EVENT_OK)
            return code;
    }
    enum event_code code = writer_schemas_find(decoder->writers, &frame.key, &writer, fault, waits);
    if (code != EVENT_OK)
        return code;
    if (writer->json)
        return json_read(decoder, frame.datum, context, out, fault);
    return row_plan_run(writer->plan, decoder->machine, decoder->time_unit, &decoder->changed, frame.datum, out, fault);
}

enum event_code decoder_read(struct decoder *decoder, struct span value, struct span header, struct event *out,
                             struct fault *fault, bool *waits)
{
    const struct record_context context = {.timestamp_ms = -1};
    return decoder_read_record(decoder, value, header, &context, out, fault, waits);
}

enum event_code decoder_decode(struct decoder *decoder, struct span value, struct event *out, struct fault *fault)
{
    bool waits;
    return decoder_read(decoder, value, SPAN_NULL, out, fault, &waits);
}

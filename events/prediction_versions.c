/* Reading predictions of other versions: see prediction_versions.h. On the sink's thread. Older versions take the way
 * through Avro's JSON form: slow and simple, for what lies in a topic from before an upgrade. */
#include "events/prediction_versions.h"

#include <stdlib.h>

#include "avro/from_json.h"
#include "events/fault.h"
#include "events/frame.h"
#include "events/writer_schemas.h"

struct prediction_versions {
    const struct schema_parts *parts;
    struct writer_schemas *writers;
    struct machine *machine;
    struct buffer json, ours; /* of one datum */
};

struct prediction_versions *prediction_versions_new(const struct schema *schema)
{
    const struct schema_parts *parts = schema_parts(schema);
    struct prediction_versions *versions = mem_zeroed(1, sizeof *versions);
    versions->parts = parts;
    versions->machine = machine_new();
    versions->writers = writer_schemas_new(schema->prediction, NULL);
    for (size_t v = 0; v < parts->predictions.count; v++) {
        const struct schema_key key = schema_key_of_id(parts->predictions.items[v].id);
        (void)writer_schemas_add(versions->writers, &key, avro_schema_type(parts->predictions.items[v].schema), NULL);
    }
    return versions;
}

void prediction_versions_free(struct prediction_versions *versions)
{
    if (!versions)
        return;
    writer_schemas_free(versions->writers);
    machine_free(versions->machine);
    buffer_free(&versions->json);
    buffer_free(&versions->ours);
    free(versions);
}

void prediction_versions_use_registry(struct prediction_versions *versions, struct registry_client *registry)
{
    writer_schemas_use_registry(versions->writers, registry);
}

/* Resolved, and written again in our own layout: no field is named here. The arena has the datum, so that what is
 * decoded may borrow from it. */
static enum event_code versions_read_other(struct prediction_versions *versions, const struct writer_schema *writer,
                                           struct span datum, struct arena *arena, struct prediction *out,
                                           struct fault *fault)
{
    const struct schema *schema = &versions->parts->schema;
    buffer_clear(&versions->json);
    struct datum_fault why;
    if (plan_run_json(writer->plan, versions->machine, datum, &versions->json, &why) != DATUM_OK)
        return fault_set_datum(fault, &why);
    json_t *json = json_loadb(versions->json.data, versions->json.bytes, JSON_ALLOW_NUL, NULL);
    if (!json)
        return fault_set(fault, EVENT_LIMIT, FAULT_NO_COLUMN, "nested deeper than can be read");
    buffer_clear(&versions->ours);
    avro_from_json(schema->prediction, json, &versions->ours);
    json_decref(json);
    struct span ours = {arena_text(arena, versions->ours.data, versions->ours.bytes), versions->ours.bytes};
    return prediction_decode_datum(schema, ours, arena, out, fault);
}

enum event_code prediction_versions_read(struct prediction_versions *versions, struct span value, struct span header,
                                         struct arena *arena, struct prediction *out, struct fault *fault, bool *waits)
{
    const struct schema *schema = &versions->parts->schema;
    struct frame frame;
    const struct writer_schema *writer;
    *waits = false;
    enum event_code code = frame_read(value, header, &frame, fault);
    if (code != EVENT_OK)
        return code;
    uint32_t ours = schema->prediction_schema_id;
    if (ours && !frame.key.is_guid && frame.key.id == ours)
        return prediction_decode_datum(schema, frame.datum, arena, out, fault);
    code = writer_schemas_find(versions->writers, &frame.key, &writer, fault, waits);
    if (code != EVENT_OK)
        return code;
    if (writer->same)
        return prediction_decode_datum(schema, frame.datum, arena, out, fault);
    return versions_read_other(versions, writer, frame.datum, arena, out, fault);
}

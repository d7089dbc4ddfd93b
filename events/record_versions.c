/* Reading records of other versions: see record_versions.h. On the sink's thread, and a score loop's while current
 * records are restored. Older versions take the way through Avro's JSON form: slow and simple, for what lies in a topic
 * from before an upgrade. */
#include "events/record_versions.h"

#include <stdlib.h>

#include "avro/from_json.h"
#include "events/fault.h"
#include "events/frame.h"
#include "events/writer_schemas.h"

struct record_versions {
    const struct avro_type *type;
    const _Atomic uint32_t *id;
    struct writer_schemas *writers;
    struct machine *machine;
    struct buffer json, ours; /* of one datum */
};

struct record_versions *record_versions_new(const struct avro_type *ours, const struct schema_versions *versions,
                                            const _Atomic uint32_t *id)
{
    struct record_versions *made = mem_zeroed(1, sizeof *made);
    made->type = ours;
    made->id = id;
    made->machine = machine_new();
    made->writers = writer_schemas_new(ours, NULL);
    for (size_t v = 0; v < versions->count; v++) {
        const struct schema_key key = schema_key_of_id(versions->items[v].id);
        (void)writer_schemas_add(made->writers, &key, avro_schema_type(versions->items[v].schema), NULL);
    }
    return made;
}

void record_versions_free(struct record_versions *versions)
{
    if (!versions)
        return;
    writer_schemas_free(versions->writers);
    machine_free(versions->machine);
    buffer_free(&versions->json);
    buffer_free(&versions->ours);
    free(versions);
}

void record_versions_use_registry(struct record_versions *versions, struct registry_client *registry)
{
    writer_schemas_use_registry(versions->writers, registry);
}

/* Resolved, and written again in our own layout: no field is named here. The arena has the datum, so that what is
 * decoded may borrow from it. */
static enum event_code rewrite(struct record_versions *versions, const struct writer_schema *writer, struct span datum,
                               struct arena *arena, struct span *out, struct fault *fault)
{
    buffer_clear(&versions->json);
    struct datum_fault why;
    if (plan_run_json(writer->plan, versions->machine, datum, &versions->json, &why) != DATUM_OK)
        return fault_set_datum(fault, &why);
    json_t *json = json_loadb(versions->json.data, versions->json.bytes, JSON_ALLOW_NUL, NULL);
    if (!json)
        return fault_set(fault, EVENT_LIMIT, FAULT_NO_COLUMN, "nested deeper than can be read");
    buffer_clear(&versions->ours);
    avro_from_json(versions->type, json, &versions->ours);
    json_decref(json);
    *out = (struct span){arena_text(arena, versions->ours.data, versions->ours.bytes), versions->ours.bytes};
    return EVENT_OK;
}

enum event_code record_versions_read(struct record_versions *versions, struct span value, struct span header,
                                     struct arena *arena, struct span *out, struct fault *fault, bool *waits)
{
    struct frame frame;
    const struct writer_schema *writer;
    *waits = false;
    enum event_code code = frame_read(value, header, &frame, fault);
    if (code != EVENT_OK)
        return code;
    *out = frame.datum;
    uint32_t ours = *versions->id;
    if (ours && !frame.key.is_guid && frame.key.id == ours)
        return EVENT_OK;
    code = writer_schemas_find(versions->writers, &frame.key, &writer, fault, waits);
    if (code != EVENT_OK || writer->same)
        return code;
    return rewrite(versions, writer, frame.datum, arena, out, fault);
}

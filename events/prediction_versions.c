/* Reading predictions of any version: see prediction_versions.h. On the sink's thread and the producer's. */
#include "events/prediction_versions.h"

#include <stdlib.h>

#include "events/record_versions.h"

struct prediction_versions {
    const struct schema *schema;
    struct record_versions *records;
};

struct prediction_versions *prediction_versions_new(const struct schema *schema)
{
    struct prediction_versions *versions = mem_zeroed(1, sizeof *versions);
    versions->schema = schema;
    versions->records =
        record_versions_new(schema->prediction, &schema_parts(schema)->predictions, &schema->prediction_schema_id);
    return versions;
}

void prediction_versions_free(struct prediction_versions *versions)
{
    if (!versions)
        return;
    record_versions_free(versions->records);
    free(versions);
}

void prediction_versions_use_registry(struct prediction_versions *versions, struct registry_client *registry)
{
    record_versions_use_registry(versions->records, registry);
}

enum event_code prediction_versions_read(struct prediction_versions *versions, struct span value, struct span header,
                                         struct arena *arena, struct prediction *out, struct fault *fault, bool *waits)
{
    struct span datum;
    enum event_code code = record_versions_read(versions->records, value, header, arena, &datum, fault, waits);
    return code == EVENT_OK ? prediction_decode_datum(versions->schema, datum, arena, out, fault) : code;
}

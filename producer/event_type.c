/* The --event-type option: see event_type.h. Called once by each command. */
#include "producer/event_type.h"

enum status event_type_resolve(const struct options *options, const struct schema *schema, int32_t *out,
                               struct error *err)
{
    const char *name = options_text(options, OPTION_EVENT_TYPE);
    struct buffer known = {0};
    for (size_t t = 0; t < schema->event_type_count; t++) {
        if (strcmp(schema->event_types[t], name) == 0) {
            buffer_free(&known);
            *out = (int32_t)t;
            return STATUS_OK;
        }
        buffer_printf(&known, "%s%s", t ? ", " : "", schema->event_types[t]);
    }
    enum status status = error_set(err, STATUS_INVALID, "--event-type %s: the event schema has %.*s", name,
                                   (int)known.bytes, known.data ? known.data : "");
    buffer_free(&known);
    return status;
}

/* Lists of records → jsonb fields: see sink_json.h. Called by sink_rows.c on the sink's thread. */
#include "scorer/sink/sink_json.h"

#include "base/json.h"
#include "scorer/sink/copy_fields.h"

void sink_json_challengers(struct buffer *out, const struct prediction *prediction)
{
    size_t at = jsonb_start(out);
    buffer_add_u8(out, '[');
    for (size_t c = 0; c < prediction->challenger_count; c++) {
        buffer_add_text(out, c ? ",{\"model\":" : "{\"model\":");
        json_add_text(out, prediction->challengers[c].model);
        buffer_add_text(out, ",\"probability\":");
        json_add_double(out, prediction->challengers[c].probability);
        buffer_add_u8(out, '}');
    }
    buffer_add_u8(out, ']');
    jsonb_end(out, at);
}

/* The values are JSON already; whether they are is PostgreSQL's to check. */
void sink_json_drivers(struct buffer *out, const struct alert *alert)
{
    if (!alert->has_drivers) {
        field_null(out);
        return;
    }
    size_t at = jsonb_start(out);
    buffer_add_u8(out, '[');
    for (size_t d = 0; d < alert->driver_count; d++) {
        const struct alert_driver *driver = &alert->drivers[d];
        buffer_add_text(out, d ? ",{\"feature\":" : "{\"feature\":");
        json_add_text(out, driver->feature);
        buffer_add_text(out, ",\"before\":");
        buffer_add(out, driver->before.data, driver->before.bytes);
        buffer_add_text(out, ",\"after\":");
        buffer_add(out, driver->after.data, driver->after.bytes);
        buffer_add_text(out, ",\"contribution_before\":");
        json_add_double(out, driver->contribution_before);
        buffer_add_text(out, ",\"contribution_after\":");
        json_add_double(out, driver->contribution_after);
        buffer_add_u8(out, '}');
    }
    buffer_add_u8(out, ']');
    jsonb_end(out, at);
}

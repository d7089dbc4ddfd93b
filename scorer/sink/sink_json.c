/* Lists of records → jsonb fields: see sink_json.h. Called by sink_rows.c on the sink's thread. */
#include "scorer/sink/sink_json.h"

#include "base/json_writer.h"
#include "scorer/sink/copy_fields.h"

void sink_json_input(struct buffer *out, const struct schema *schema, const struct span *names,
                     const struct cell *cells)
{
    size_t at = jsonb_start(out);
    for (size_t c = 0; c < schema->column_count; c++) {
        buffer_add_u8(out, c ? ',' : '{');
        buffer_add(out, names[c].data, names[c].bytes);
        json_add_cell(out, &schema->columns[c], &cells[c]);
    }
    buffer_add_text(out, schema->column_count ? "}" : "{}");
    jsonb_end(out, at);
}

void sink_json_reasons(struct buffer *out, const struct span *names, const struct prediction *prediction)
{
    size_t at = jsonb_start(out);
    buffer_add_u8(out, '[');
    for (size_t r = 0; r < prediction->reason_count; r++) {
        const struct reason *reason = &prediction->reasons[r];
        buffer_add_text(out, r ? ",{\"feature\":" : "{\"feature\":");
        struct span name = names[reason->column];
        buffer_add(out, name.data, name.bytes - 1);
        buffer_add_text(out, ",\"contribution\":");
        json_add_double(out, reason->contribution);
        buffer_add_u8(out, '}');
    }
    buffer_add_u8(out, ']');
    jsonb_end(out, at);
}

void sink_json_challengers(struct buffer *out, const struct prediction *prediction)
{
    size_t at = jsonb_start(out);
    struct json_writer json = json_writer_of(out);
    json_begin_array(&json, NULL);
    for (size_t c = 0; c < prediction->challenger_count; c++) {
        json_begin_object(&json, NULL);
        json_write_text(&json, "model", prediction->challengers[c].model);
        json_write_double(&json, "probability", prediction->challengers[c].probability);
        json_end_object(&json);
    }
    json_end_array(&json);
    jsonb_end(out, at);
}

void sink_json_change(struct buffer *out, const struct prediction *prediction)
{
    if (!prediction->has_change) {
        field_null(out);
        return;
    }
    size_t at = jsonb_start(out);
    struct json_writer json = json_writer_of(out);
    json_begin_object(&json, NULL);
    json_write_double(&json, "record", prediction->change.record);
    json_write_double(&json, "model", prediction->change.model);
    json_end_object(&json);
    jsonb_end(out, at);
}

/* Its values are JSON already; whether they are is PostgreSQL's to check. */
static void write_driver(struct json_writer *json, const struct alert_driver *driver)
{
    json_begin_object(json, NULL);
    json_write_text(json, "feature", driver->feature);
    buffer_add(json_write_raw(json, "before"), driver->before.data, driver->before.bytes);
    buffer_add(json_write_raw(json, "after"), driver->after.data, driver->after.bytes);
    json_write_double(json, "contribution_before", driver->contribution_before);
    json_write_double(json, "contribution_after", driver->contribution_after);
    json_end_object(json);
}

void sink_json_drivers(struct buffer *out, const struct alert *alert)
{
    if (!alert->has_drivers) {
        field_null(out);
        return;
    }
    size_t at = jsonb_start(out);
    struct json_writer json = json_writer_of(out);
    json_begin_array(&json, NULL);
    for (size_t d = 0; d < alert->driver_count; d++)
        write_driver(&json, &alert->drivers[d]);
    json_end_array(&json);
    jsonb_end(out, at);
}

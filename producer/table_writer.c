/* Writing CSV: see table_writer.h. Called by generate; allocates nothing once `out` has grown. */
#include "producer/table_writer.h"

#include "base/json.h"
#include "events/dead_letter.h"

void table_add_field(struct buffer *out, struct span text)
{
    bool quote = false;
    for (size_t i = 0; i < text.bytes; i++)
        quote |= strchr(",\"\r\n", text.data[i]) != NULL;
    if (!quote) {
        buffer_add(out, text.data, text.bytes);
        return;
    }
    buffer_add_u8(out, '"');
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == '"')
            buffer_add_u8(out, '"');
        buffer_add_u8(out, (uint8_t)text.data[i]);
    }
    buffer_add_u8(out, '"');
}

/* A table without an id column in its schema gets the event schema's own name for it. */
static struct span id_name(const struct schema *schema)
{
    return schema->id_name ? span_of(schema->id_name) : SPAN_LITERAL("employee_id");
}

static void write_names(const struct schema *schema, struct buffer *out)
{
    for (size_t c = 0; c < schema->column_count; c++) {
        buffer_add_u8(out, ',');
        table_add_field(out, span_of(schema->columns[c].name));
    }
}

void table_write_header(const struct schema *schema, struct buffer *out)
{
    table_add_field(out, id_name(schema));
    write_names(schema, out);
    buffer_add_u8(out, ',');
    table_add_field(out, span_of(schema->target_name));
    buffer_add_u8(out, '\n');
}

static void write_cells(const struct schema *schema, const struct cell *cells, struct buffer *out)
{
    for (size_t c = 0; c < schema->column_count; c++) {
        buffer_add_u8(out, ',');
        if (cells[c].code == CELL_MISSING)
            continue;
        if (schema->columns[c].kind == COLUMN_NOMINAL)
            table_add_field(out, (struct span){cells[c].text, cells[c].text_bytes});
        else
            json_add_double(out, cells[c].number);
    }
}

void table_write_row(const struct schema *schema, struct span id, const struct cell *cells, uint32_t label,
                     struct buffer *out)
{
    table_add_field(out, id);
    write_cells(schema, cells, out);
    buffer_add_u8(out, ',');
    table_add_field(out, schema->target_values[label]);
}

void table_write_event_header(const struct schema *schema, struct buffer *out)
{
    table_add_field(out, id_name(schema));
    buffer_add_text(out, ",event_id,event_type,occurred_at");
    write_names(schema, out);
    buffer_add_u8(out, '\n');
}

void table_write_event(const struct schema *schema, const struct event *event, struct buffer *out)
{
    char time[DEAD_LETTER_TIME_BYTES];
    dead_letter_time(event->occurred_at_ms * 1000, time);
    table_add_field(out, event->employee_id);
    buffer_add_u8(out, ',');
    table_add_field(out, event->event_id);
    buffer_printf(out, ",%s,%s", schema->event_types[event->type], time);
    write_cells(schema, event->cells, out);
}

/* `scorer views`: prints the SQL by which the database learns the columns of the loaded schemas and makes the views
 * that name them (attrition.describe_schema, sql/0013_schema_columns.sql). sql/migrate runs it. On the main thread;
 * needs no server. */
#include <errno.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "events/schema.h"
#include "scorer/commands.h"

static void numbers_write(struct json_writer *json, const char *name, const double *numbers, size_t count)
{
    if (!count) {
        json_write_null(json, name);
        return;
    }
    json_begin_array(json, name);
    for (size_t n = 0; n < count; n++)
        json_write_double(json, NULL, numbers[n]);
    json_end_array(json);
}

static void labels_write(struct json_writer *json, const struct column *column)
{
    if (!column->value_labels) {
        json_write_null(json, "value_labels");
        return;
    }
    json_begin_array(json, "value_labels");
    for (size_t v = 0; v < column->value_count; v++)
        json_write_string(json, NULL, column->value_labels[v]);
    json_end_array(json);
}

/* Members are columns of attrition.schema_columns. */
static void column_write(struct json_writer *json, const struct column *column)
{
    static const char *const types[] = {[COLUMN_INT] = "int",
                                        [COLUMN_LONG] = "long",
                                        [COLUMN_FLOAT] = "float",
                                        [COLUMN_DOUBLE] = "double",
                                        [COLUMN_TEXT] = "string"};
    json_begin_object(json, NULL);
    json_write_string(json, "name", column->name);
    json_write_string(json, "label", column->label);
    json_write_string(json, "doc", column->doc);
    json_write_string(json, "type", types[column->type]);
    json_write_bool(json, "is_group", column->group);
    json_write_bool(json, "is_unit", column->unit);
    json_write_finite(json, "lowest", column->kind == COLUMN_NOMINAL ? NAN : column->low);
    labels_write(json, column);
    numbers_write(json, "bands", column->bands, column->band_count);
    json_end_object(json);
}

/* As a literal of standard_conforming_strings. */
static void literal_add(struct buffer *out, struct span text)
{
    buffer_add_u8(out, '\'');
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == '\'')
            buffer_add_u8(out, '\'');
        buffer_add_u8(out, (uint8_t)text.data[i]);
    }
    buffer_add_u8(out, '\'');
}

enum status command_views(const struct options *options, struct error *err)
{
    struct schema *schema;
    struct buffer columns = {0}, sql = {0};
    struct json_writer json = json_writer_of(&columns);
    enum status status = schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, err);
    if (status != STATUS_OK)
        return status;
    json_begin_array(&json, NULL);
    for (size_t c = 0; c < schema->column_count; c++)
        column_write(&json, &schema->columns[c]);
    json_end_array(&json);
    buffer_printf(&sql, "SELECT 'migrate: ' || changed AS line FROM attrition.describe_schema(");
    literal_add(&sql, buffer_span(&columns));
    buffer_printf(&sql, ") AS changed\n");
    if (fwrite(sql.data, 1, sql.bytes, stdout) < sql.bytes || fflush(stdout) != 0)
        status = error_set(err, STATUS_IO, "standard output cannot be written: %s", strerror(errno));
    buffer_free(&columns);
    buffer_free(&sql);
    schema_free(schema);
    return status;
}

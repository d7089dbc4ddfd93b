/* schema_load: the three files of the schema directory, read once at start on the main thread; see schema.h. */
#include "events/schema_private.h"

#include <avro.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sha256.h"
#include "avro/write.h"
#include "events/event_encoder_private.h"

static enum status path_make(const char *directory, const char *file, char *path, size_t bytes, struct error *err)
{
    int wrote = snprintf(path, bytes, "%s/%s", directory, file);
    return wrote < (int)bytes ? STATUS_OK : error_set(err, STATUS_LIMIT, "%.200s: the path is too long", directory);
}

/* A second opinion on the structure, from the library that other C programs will read the file with. */
static enum status check_with_avro_c(const struct avro_schema *schema, const char *file, struct error *err)
{
    char *text = avro_schema_text(schema);
    avro_schema_t parsed;
    enum status status = STATUS_OK;
    if (!text || avro_schema_from_json_length(text, strlen(text), &parsed) != 0)
        status = error_set(err, STATUS_INVALID, "%s: avro-c refuses it: %.200s", file, avro_strerror());
    else
        avro_schema_decref(parsed);
    free(text);
    return status;
}

static enum status file_load(const char *directory, const char *file, struct avro_schema **out, struct error *err)
{
    char path[4096];
    if (path_make(directory, file, path, sizeof path, err) != STATUS_OK ||
        avro_schema_read(path, out, err) != STATUS_OK)
        return err->status;
    return check_with_avro_c(*out, path, err);
}

/* --- ids.json --- */

static enum status id_read(const json_t *row, uint32_t *id, const char **file, struct error *err)
{
    json_int_t number = json_integer_value(json_object_get(row, "id"));
    *file = json_string_value(json_object_get(row, "file"));
    if (number <= 0 || number > UINT32_MAX || !*file || strchr(*file, '/'))
        return error_set(err, STATUS_INVALID,
                         "ids.json: each row must be {\"id\": number, \"file\": name of a file beside it}");
    *id = (uint32_t)number;
    return STATUS_OK;
}

static bool id_is_taken(const struct schema_versions *versions, uint32_t id)
{
    for (size_t v = 0; v < versions->count; v++)
        if (versions->items[v].id == id)
            return true;
    return false;
}

/* The rows of "event", "prediction", "state" or "alert" into `out`; *ours and *our_id: of the file that the daemon
 * reads and writes itself. */
static enum status versions_load(struct schema_parts *parts, const char *directory, const json_t *ids, const char *kind,
                                 const char *our_file, struct schema_versions *out, struct avro_schema **ours,
                                 _Atomic uint32_t *our_id, struct error *err)
{
    const json_t *rows = json_object_get(ids, kind);
    out->items = arena_zeroed(&parts->arena, json_array_size(rows), sizeof *out->items);
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const char *file;
        struct schema_version *version = &out->items[r];
        enum status status = id_read(json_array_get(rows, r), &version->id, &file, err);
        if (status == STATUS_OK &&
            (id_is_taken(&parts->events, version->id) || id_is_taken(&parts->predictions, version->id) ||
             id_is_taken(&parts->states, version->id) || id_is_taken(&parts->alerts, version->id)))
            status =
                error_set(err, STATUS_INVALID, "ids.json: id %u is a duplicate; ids are never reused", version->id);
        if (status == STATUS_OK)
            status = file_load(directory, file, &version->schema, err);
        out->count += version->schema != NULL;
        if (status != STATUS_OK)
            return status;
        version->file = arena_text(&parts->arena, file, strlen(file));
        if (strcmp(file, our_file) == 0) {
            *ours = version->schema;
            *our_id = version->id;
        }
    }
    return *ours ? STATUS_OK : error_set(err, STATUS_INVALID, "ids.json: \"%s\" has no row for %s", kind, our_file);
}

static enum status ids_load(struct schema_parts *parts, const char *directory, struct error *err)
{
    char path[4096];
    if (path_make(directory, "ids.json", path, sizeof path, err) != STATUS_OK)
        return err->status;
    json_error_t where;
    json_t *ids = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!ids)
        return where.line > 0 ? error_set(err, STATUS_INVALID, "ids.json: line %d: %s", where.line, where.text)
                              : error_set(err, STATUS_NOT_FOUND, "%s", where.text);
    enum status status = versions_load(parts, directory, ids, "event", "employee_event.avsc", &parts->events,
                                       &parts->event, &parts->schema.event_schema_id, err);
    if (status == STATUS_OK)
        status = versions_load(parts, directory, ids, "prediction", "prediction.avsc", &parts->predictions,
                               &parts->prediction, &parts->schema.prediction_schema_id, err);
    if (status == STATUS_OK && json_object_get(ids, "state")) /* schemas without current records have no such row */
        status = versions_load(parts, directory, ids, "state", "employee_state.avsc", &parts->states, &parts->state,
                               &parts->schema.state_schema_id, err);
    if (status == STATUS_OK && json_object_get(ids, "alert"))
        status = versions_load(parts, directory, ids, "alert", "alert.avsc", &parts->alerts, &parts->alert,
                               &parts->schema.alert_schema_id, err);
    json_decref(ids);
    return status;
}

/* --- tables that need every column --- */

static struct span text_encode(struct schema_parts *parts, struct span text)
{
    char *start = arena_zeroed(&parts->arena, 1, AVRO_VARINT_MAX + text.bytes + ENCODED_ROOM);
    return (struct span){start, (size_t)(avro_put_text(start, text) - start)};
}

/* What event_encoder.c copies: names, and values of texts. */
static void texts_encode(struct schema_parts *parts)
{
    size_t count = parts->schema.column_count;
    parts->encoded_names = arena_take(&parts->arena, count * sizeof *parts->encoded_names);
    parts->encoded_values = arena_zeroed(&parts->arena, count, sizeof *parts->encoded_values);
    parts->text_columns = arena_take(&parts->arena, count * sizeof *parts->text_columns);
    for (size_t c = 0; c < count; c++) {
        const struct column *column = &parts->schema.columns[c];
        parts->encoded_names[c] = text_encode(parts, span_of(column->name));
        if (column->type != COLUMN_TEXT)
            continue;
        parts->text_columns[parts->text_column_count++] = (uint32_t)c;
        struct span *values = parts->encoded_values[c] =
            arena_zeroed(&parts->arena, column->value_count, sizeof *values);
        for (size_t v = 0; v < column->value_count; v++)
            values[v] = text_encode(parts, column->values[v]);
    }
}

/* What json_scan_name expects. */
static void names_quote(struct schema_parts *parts)
{
    size_t count = parts->schema.column_count;
    parts->quoted_names = arena_take(&parts->arena, count * sizeof *parts->quoted_names);
    for (size_t c = 0; c < count; c++) {
        size_t bytes = strlen(parts->schema.columns[c].name);
        char *at = arena_zeroed(&parts->arena, bytes + 3 + sizeof(uint64_t), 1);
        at[0] = at[bytes + 1] = '"';
        at[bytes + 2] = ':';
        memcpy(at + 1, parts->schema.columns[c].name, bytes);
        parts->quoted_names[c] = (struct span){at, bytes + 3};
    }
}

/* Names, types, kinds and values: each text with its length before it, so that no two schemas write the same. */
static void digest_make(struct schema *schema)
{
    struct buffer text = {0};
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        buffer_printf(&text, "%zu:%s %d %d %zu", strlen(column->name), column->name, (int)column->type,
                      (int)column->kind, column->values ? column->value_count : 0);
        for (size_t v = 0; column->values && v < column->value_count; v++)
            buffer_printf(&text, " %zu:%s", column->values[v].bytes, column->values[v].data);
        buffer_add_u8(&text, '\n');
    }
    sha256_hex(buffer_span(&text), schema->digest);
    buffer_free(&text);
}

enum status schema_load(const char *directory, struct schema **out, struct error *err)
{
    struct error why = {0};
    struct schema_parts *parts = mem_zeroed(1, sizeof *parts);
    enum status status = ids_load(parts, directory, &why);
    if (status == STATUS_OK)
        status = schema_read_event(parts, &why);
    if (status == STATUS_OK)
        status = schema_check_prediction(parts, &why);
    if (status == STATUS_OK && parts->state)
        status = schema_check_state(parts, &why);
    if (status == STATUS_OK && parts->alert)
        status = schema_check_alert(parts, &why);
    if (status != STATUS_OK) {
        schema_free(&parts->schema);
        return error_set(err, status, "schemas in %.150s: %s", directory, why.text);
    }
    parts->schema.event = avro_schema_type(parts->event);
    parts->schema.prediction = avro_schema_type(parts->prediction);
    parts->schema.state = parts->state ? avro_schema_type(parts->state) : NULL;
    parts->schema.alert = parts->alert ? avro_schema_type(parts->alert) : NULL;
    texts_encode(parts);
    names_quote(parts);
    digest_make(&parts->schema);
    *out = &parts->schema;
    return STATUS_OK;
}

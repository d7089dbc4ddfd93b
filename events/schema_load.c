/* schema_load: the three files of the schema directory, read once at start on the main thread; see schema.h. */
#include "events/schema_private.h"

#include <avro.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sha256.h"

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
    enum status status = path_make(directory, file, path, sizeof path, err);
    if (status == STATUS_OK)
        status = avro_schema_read(path, out, err);
    if (status == STATUS_OK)
        status = check_with_avro_c(*out, path, err);
    return status;
}

/* --- ids.json --- */

static enum status id_read(const json_t *row, uint32_t *id, const char **file, struct error *err)
{
    json_int_t number = json_integer_value(json_object_get(row, "id"));
    *file = json_string_value(json_object_get(row, "file"));
    if (number <= 0 || number > UINT32_MAX || !*file || strchr(*file, '/'))
        return error_set(err, STATUS_INVALID,
                         "ids.json: each row must be {\"id\": number, \"file\": name of a file beside "
                         "it}");
    *id = (uint32_t)number;
    return STATUS_OK;
}

static bool id_is_taken(const struct schema_parts *parts, uint32_t id)
{
    for (size_t v = 0; v < parts->version_count; v++)
        if (parts->versions[v].id == id)
            return true;
    for (size_t v = 0; v < parts->prediction_count; v++)
        if (parts->predictions[v].id == id)
            return true;
    return false;
}

/* The rows of "event" or "prediction"; *current and *current_id: the one of the file that the daemon reads and writes
 * itself. */
static enum status versions_load(struct schema_parts *parts, const char *directory, const json_t *rows,
                                 const char *current_file, struct schema_version **out, size_t *count,
                                 struct avro_schema **current, _Atomic uint32_t *current_id, struct error *err)
{
    struct schema_version *versions = arena_take(&parts->arena, (json_array_size(rows) + 1) * sizeof *versions);
    *out = versions;
    for (size_t r = 0; r < json_array_size(rows); r++) {
        struct schema_version version = {0};
        enum status status = id_read(json_array_get(rows, r), &version.id, &version.file, err);
        if (status == STATUS_OK && id_is_taken(parts, version.id))
            status = error_set(err, STATUS_INVALID, "ids.json: id %u is a duplicate; ids are never reused", version.id);
        if (status == STATUS_OK)
            status = file_load(directory, version.file, &version.schema, err);
        if (version.schema)
            versions[(*count)++] = version;
        if (status != STATUS_OK)
            return status;
        if (strcmp(version.file, current_file) == 0) {
            *current = version.schema;
            *current_id = version.id;
        }
    }
    return STATUS_OK;
}

static enum status events_load(struct schema_parts *parts, const char *directory, const json_t *rows, struct error *err)
{
    enum status status = versions_load(parts, directory, rows, "employee_event.avsc", &parts->versions,
                                       &parts->version_count, &parts->event, &parts->schema.event_schema_id, err);
    if (status == STATUS_OK && !parts->event)
        return error_set(err, STATUS_INVALID, "ids.json: \"event\" has no row for employee_event.avsc");
    return status;
}

static enum status predictions_load(struct schema_parts *parts, const char *directory, const json_t *rows,
                                    struct error *err)
{
    enum status status =
        versions_load(parts, directory, rows, "prediction.avsc", &parts->predictions, &parts->prediction_count,
                      &parts->prediction, &parts->schema.prediction_schema_id, err);
    if (status == STATUS_OK && !parts->prediction)
        return error_set(err, STATUS_INVALID, "ids.json: \"prediction\" has no row for prediction.avsc");
    return status;
}

/* Keeps the JSON's texts: file names are copied into the arena before it is freed. */
static void names_keep(struct schema_parts *parts)
{
    for (size_t v = 0; v < parts->version_count; v++)
        parts->versions[v].file = arena_text(&parts->arena, parts->versions[v].file, strlen(parts->versions[v].file));
    for (size_t v = 0; v < parts->prediction_count; v++)
        parts->predictions[v].file =
            arena_text(&parts->arena, parts->predictions[v].file, strlen(parts->predictions[v].file));
}

static enum status ids_load(struct schema_parts *parts, const char *directory, struct error *err)
{
    char path[4096];
    enum status status = path_make(directory, "ids.json", path, sizeof path, err);
    if (status != STATUS_OK)
        return status;
    json_error_t where;
    json_t *ids = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!ids)
        return where.line > 0 ? error_set(err, STATUS_INVALID, "ids.json: line %d: %s", where.line, where.text)
                              : error_set(err, STATUS_NOT_FOUND, "%s", where.text);
    status = events_load(parts, directory, json_object_get(ids, "event"), err);
    if (status == STATUS_OK)
        status = predictions_load(parts, directory, json_object_get(ids, "prediction"), err);
    names_keep(parts);
    json_decref(ids);
    return status;
}

/* --- tables that need every column --- */

static void names_encode(struct schema_parts *parts)
{
    size_t count = parts->schema.column_count;
    parts->encoded_names = arena_take(&parts->arena, count * sizeof *parts->encoded_names);
    for (size_t c = 0; c < count; c++) {
        size_t bytes = strlen(parts->schema.columns[c].name);
        char *at = arena_take(&parts->arena, bytes + 10), *start = at;
        for (uint64_t raw = (uint64_t)bytes << 1;; raw >>= 7) {
            *at++ = (char)(raw < 0x80 ? raw : (raw & 0x7f) | 0x80);
            if (raw < 0x80)
                break;
        }
        memcpy(at, parts->schema.columns[c].name, bytes);
        parts->encoded_names[c] = (struct span){start, (size_t)(at - start) + bytes};
    }
}

static void names_quote(struct schema_parts *parts)
{
    size_t count = parts->schema.column_count;
    parts->quoted_names = arena_take(&parts->arena, count * sizeof *parts->quoted_names);
    for (size_t c = 0; c < count; c++) {
        size_t bytes = strlen(parts->schema.columns[c].name);
        char *at = arena_take(&parts->arena, bytes + 2 + sizeof(uint64_t));
        memset(at, 0, bytes + 2 + sizeof(uint64_t));
        at[0] = at[bytes + 1] = '"';
        memcpy(at + 1, parts->schema.columns[c].name, bytes);
        parts->quoted_names[c] = (struct span){at, bytes + 2};
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
    if (status != STATUS_OK) {
        schema_free(&parts->schema);
        return error_set(err, status, "schemas in %.150s: %s", directory, why.text);
    }
    parts->schema.event = avro_schema_type(parts->event);
    parts->schema.prediction = avro_schema_type(parts->prediction);
    names_encode(parts);
    names_quote(parts);
    digest_make(&parts->schema);
    *out = &parts->schema;
    return STATUS_OK;
}

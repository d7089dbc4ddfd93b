/* Mappings: see input_map.h. Compiled at start, on one thread; looked up on the score loops' threads, where nothing is
 * allocated. */
#include "events/input_map.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "events/error_codes.h"

enum { NUMBER_BYTES = 40 };

struct input_map {
    struct arena arena;
    struct map_node root, key;
    bool has_key;
};

struct compiling {
    struct input_map *map;
    const struct schema *schema;
    const char *file;
    struct error *err;
};

static enum status PRINTF_LIKE(3, 4) refuse(struct compiling *compiling, const char *key, const char *format, ...)
{
    char why[300];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return error_set(compiling->err, STATUS_INVALID, "%.200s: \"%.100s\": %s", compiling->file, key, why);
}

static struct span span_keep(struct input_map *map, const char *text, size_t bytes)
{
    return (struct span){arena_text(&map->arena, text, bytes), bytes};
}

/* --- pointers --- */

static struct map_node *find_below(const struct map_node *node, struct span name)
{
    for (size_t n = 0; n < node->below_count; n++)
        if (span_equal(node->below[n].name, name))
            return &node->below[n];
    return NULL;
}

const struct map_node *map_node_find(const struct map_node *node, struct span name)
{
    return find_below(node, name);
}

static struct map_node *step_into(struct input_map *map, struct map_node *node, struct span name)
{
    struct map_node *found = find_below(node, name);
    if (found)
        return found;
    struct map_node *below = arena_take(&map->arena, (node->below_count + 1) * sizeof *below);
    if (node->below_count)
        memcpy(below, node->below, node->below_count * sizeof *below);
    below[node->below_count] = (struct map_node){.name = span_keep(map, name.data, name.bytes)};
    node->below = below;
    return &below[node->below_count++];
}

/* One step without its escapes: ~1 is a slash, ~0 a tilde. False: another ~. */
static bool unescape(struct span step, struct buffer *out)
{
    buffer_clear(out);
    for (size_t i = 0; i < step.bytes; i++) {
        char c = step.data[i];
        if (c == '~') {
            if (++i == step.bytes || (step.data[i] != '0' && step.data[i] != '1'))
                return false;
            c = step.data[i] == '0' ? '~' : '/';
        }
        buffer_add_u8(out, (uint8_t)c);
    }
    return true;
}

/* The node of a pointer, made where it is new. */
static enum status pointer_add(struct compiling *compiling, const char *key, const char *pointer, struct map_node *root,
                               struct map_node **out)
{
    struct buffer name = {0};
    struct map_node *node = root;
    if (!pointer || !*pointer)
        return refuse(compiling, key, "no path: give a JSON pointer such as \"/emp_no\", or a column's name");
    if (*pointer != '/') {
        *out = step_into(compiling->map, root, span_of(pointer));
        return STATUS_OK;
    }
    while (*pointer) {
        const char *end = strchrnul(++pointer, '/');
        if (!unescape((struct span){pointer, (size_t)(end - pointer)}, &name)) {
            buffer_free(&name);
            return refuse(compiling, key, "a ~ that is neither ~0 nor ~1");
        }
        node = step_into(compiling->map, node, buffer_span(&name));
        pointer = end;
    }
    buffer_free(&name);
    *out = node;
    return STATUS_OK;
}

/* --- targets --- */

/* As the reader would have it; JSON_KIND_NONE: no scalar that may stand there. */
static struct json_value value_of(struct input_map *map, const json_t *ours)
{
    char number[NUMBER_BYTES];
    if (json_is_string(ours))
        return (struct json_value){.kind = JSON_KIND_TEXT,
                                   .text = span_keep(map, json_string_value(ours), json_string_length(ours))};
    if (!json_is_number(ours))
        return (struct json_value){.kind = json_is_null(ours) ? JSON_KIND_NULL : JSON_KIND_NONE};
    bool whole = json_is_integer(ours);
    int bytes = whole ? snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(ours))
                      : snprintf(number, sizeof number, "%.17g", json_real_value(ours));
    return (struct json_value){.kind = JSON_KIND_NUMBER,
                               .whole = whole,
                               .number = json_number_value(ours),
                               .text = span_keep(map, number, (size_t)bytes)};
}

static bool is_event_type(const struct schema *schema, struct span text)
{
    for (size_t t = 0; t < schema->event_type_count; t++)
        if (span_equal(text, span_of(schema->event_types[t])))
            return true;
    return false;
}

/* Why a value can never be one of the column or field; NULL: it can. */
static const char *value_flaw(const struct schema *schema, int32_t column, const struct json_value *value)
{
    if (value->kind == JSON_KIND_NONE)
        return "neither a text, a number nor null";
    if (value->kind == JSON_KIND_NULL)
        return NULL;
    if (column == FAULT_EVENT_TYPE)
        return value->kind == JSON_KIND_TEXT && is_event_type(schema, value->text) ? NULL
                                                                                   : "no symbol of the event schema";
    if (value->kind != JSON_KIND_NUMBER)
        return NULL;
    if (column < 0)
        return value->whole ? NULL : "no integer";
    return schema->columns[column].kind == COLUMN_NOMINAL ? "a number, and the column takes texts" : NULL;
}

static enum status value_read(struct compiling *compiling, const char *key, int32_t column, const char *theirs,
                              const json_t *ours, struct map_value *out)
{
    out->theirs = span_keep(compiling->map, theirs, strlen(theirs));
    out->ours = value_of(compiling->map, ours);
    const char *flaw = value_flaw(compiling->schema, column, &out->ours);
    return flaw ? refuse(compiling, key, "the value for \"%.60s\" is %s", theirs, flaw) : STATUS_OK;
}

static enum status values_read(struct compiling *compiling, const char *key, const json_t *values,
                               struct map_target *target)
{
    const char *theirs;
    json_t *ours;
    if (!json_is_object(values))
        return refuse(compiling, key, "\"values\" is not an object");
    struct map_value *list =
        arena_take(&compiling->map->arena, (json_object_size(values) + 1) * sizeof *target->values);
    json_object_foreach ((json_t *)values, theirs, ours)
        if (value_read(compiling, key, target->column, theirs, ours, &list[target->value_count++]) != STATUS_OK)
            return compiling->err->status;
    target->values = list;
    return STATUS_OK;
}

/* "/path", or {"path": …, "unit": …, "values": {…}}. */
static enum status rule_read(struct compiling *compiling, const char *key, const json_t *rule,
                             struct map_target *target, const char **path)
{
    const char *name;
    json_t *value;
    *path = json_string_value(json_is_object(rule) ? json_object_get(rule, "path") : rule);
    if (!json_is_object(rule))
        return STATUS_OK;
    json_object_foreach ((json_t *)rule, name, value) {
        bool is_unit = strcmp(name, "unit") == 0 && target->column == FAULT_OCCURRED_AT;
        if (strcmp(name, "values") == 0) {
            if (values_read(compiling, key, value, target) != STATUS_OK)
                return compiling->err->status;
        } else if (is_unit) {
            target->unit = time_unit_find(json_string_value(value));
            if (target->unit == TIME_UNIT_NONE)
                return refuse(compiling, key, "\"unit\" must be " TIME_UNIT_NAMES);
        } else if (strcmp(name, "path") != 0) {
            return refuse(compiling, key, "\"%.60s\" is none of path, values%s", name,
                          target->column == FAULT_OCCURRED_AT ? ", unit" : "");
        }
    }
    return STATUS_OK;
}

static enum status target_add(struct compiling *compiling, const char *key, int32_t column, const json_t *rule)
{
    struct input_map *map = compiling->map;
    struct map_target *target = arena_take(&map->arena, sizeof *target);
    struct map_node *node;
    const char *path;
    *target = (struct map_target){.column = column};
    if (rule_read(compiling, key, rule, target, &path) != STATUS_OK ||
        pointer_add(compiling, key, path, &map->root, &node) != STATUS_OK)
        return compiling->err->status;
    if (node->target)
        return refuse(compiling, key, "%.100s is the path of another field too", path);
    node->target = target;
    return STATUS_OK;
}

static enum status attributes_add(struct compiling *compiling, const json_t *attributes)
{
    const char *name;
    json_t *rule;
    if (!json_is_object(attributes))
        return refuse(compiling, "attributes", "not an object of column names and paths");
    json_object_foreach ((json_t *)attributes, name, rule) {
        int32_t column = schema_column(compiling->schema, span_of(name));
        if (column < 0)
            return refuse(compiling, name, "the event schema has no such attribute");
        if (target_add(compiling, name, column, rule) != STATUS_OK)
            return compiling->err->status;
    }
    return STATUS_OK;
}

static enum status ignored_add(struct compiling *compiling, const json_t *list)
{
    size_t i;
    json_t *path;
    if (!json_is_array(list))
        return refuse(compiling, "ignore", "not a list of paths");
    json_array_foreach ((json_t *)list, i, path) {
        struct map_node *node;
        if (pointer_add(compiling, "ignore", json_string_value(path), &compiling->map->root, &node) != STATUS_OK)
            return compiling->err->status;
        node->ignored = true;
    }
    return STATUS_OK;
}

static enum status member_add(struct compiling *compiling, const char *name, const json_t *value)
{
    struct map_node *node;
    if (strcmp(name, "attributes") == 0)
        return attributes_add(compiling, value);
    if (strcmp(name, "ignore") == 0)
        return ignored_add(compiling, value);
    if (strcmp(name, "key") == 0) {
        compiling->map->has_key = true;
        return pointer_add(compiling, name, json_string_value(value), &compiling->map->key, &node);
    }
    for (int32_t column = FAULT_EVENT_ID; envelope_field_name(column); column--)
        if (strcmp(name, envelope_field_name(column)) == 0)
            return target_add(compiling, name, column, value);
    return refuse(compiling, name,
                  "no field of an event; there are key, event_id, event_type, employee_id, occurred_at, "
                  "attributes, ignore");
}

/* --- the whole --- */

/* What is read or ignored has no steps below it, which would be read twice or never. */
static enum status check_nodes(struct compiling *compiling, const struct map_node *node)
{
    for (size_t n = 0; n < node->below_count; n++) {
        const struct map_node *below = &node->below[n];
        if ((below->target || below->ignored) && (below->below_count || (below->target && below->ignored)))
            return refuse(compiling, below->name.data, "this step is read or ignored itself, and by another path too");
        if (check_nodes(compiling, below) != STATUS_OK)
            return compiling->err->status;
    }
    return STATUS_OK;
}

static bool has_target(const struct map_node *node, int32_t column)
{
    bool found = node->target && node->target->column == column;
    for (size_t n = 0; n < node->below_count && !found; n++)
        found = has_target(&node->below[n], column);
    return found;
}

static enum status map_compile(struct compiling *compiling, const json_t *root)
{
    const char *name;
    json_t *value;
    if (!json_is_object(root))
        return error_set(compiling->err, STATUS_INVALID, "%.200s: not a JSON object", compiling->file);
    json_object_foreach ((json_t *)root, name, value)
        if (member_add(compiling, name, value) != STATUS_OK)
            return compiling->err->status;
    if (!has_target(&compiling->map->root, FAULT_EMPLOYEE_ID))
        return refuse(compiling, "employee_id", "no path is given: nobody could be scored");
    return check_nodes(compiling, &compiling->map->root);
}

enum status input_map_load(const char *path, const struct schema *schema, struct input_map **out, struct error *err)
{
    json_error_t where;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return where.line > 0 ? error_set(err, STATUS_INVALID, "%.200s: line %d, column %d: %s", path, where.line,
                                          where.column, where.text)
                              : error_set(err, STATUS_NOT_FOUND, "the mapping cannot be read: %s", where.text);
    struct input_map *map = mem_zeroed(1, sizeof *map);
    struct compiling compiling = {map, schema, path, err};
    enum status status = map_compile(&compiling, root);
    json_decref(root);
    if (status == STATUS_OK)
        *out = map;
    else
        input_map_free(map);
    return status;
}

void input_map_free(struct input_map *map)
{
    if (!map)
        return;
    arena_free(&map->arena);
    free(map);
}

const struct map_node *input_map_root(const struct input_map *map)
{
    return &map->root;
}

const struct map_node *input_map_key(const struct input_map *map)
{
    return map->has_key ? &map->key : NULL;
}

void map_target_translate(const struct map_target *target, struct json_value *value)
{
    if (value->kind == JSON_KIND_OBJECT || value->kind == JSON_KIND_ARRAY)
        return;
    for (size_t v = 0; v < target->value_count; v++)
        if (span_equal(target->values[v].theirs, value->text)) {
            *value = target->values[v].ours;
            return;
        }
}

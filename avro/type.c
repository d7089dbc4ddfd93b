/* JSON text → struct avro_type. Called at load only (schema_load, decoder's new writer schemas, `scorer decode`), on
 * the caller's thread. The text may come from anybody: depth, size and number of types are bounded, and nothing is
 * believed before it was checked. */
#include "avro/type.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "avro/read.h"
#include "base/order.h"

struct avro_schema {
    struct arena arena;
    json_t *json;
    const struct avro_type *type;
    size_t type_count;
};

struct named {
    const char *name;
    struct avro_type *type;
};

/* One parse. `where` is the path to the type at hand, for messages. */
struct parser {
    struct avro_schema *schema;
    struct named *named; /* sorted by arrival; looked up through `buckets` */
    size_t named_count;
    int32_t *buckets, *chain; /* hash of the full name → index into named, or -1 */
    struct avro_type *primitives[AVRO_KIND_STRING + 1];
    char where[256];
    size_t where_bytes;
    int depth;
    struct error *err;
};

enum { NAME_BUCKETS = 1024 };

static const char *const kind_names[] = {
    [AVRO_KIND_NULL] = "null",   [AVRO_KIND_BOOLEAN] = "boolean", [AVRO_KIND_INT] = "int",
    [AVRO_KIND_LONG] = "long",   [AVRO_KIND_FLOAT] = "float",     [AVRO_KIND_DOUBLE] = "double",
    [AVRO_KIND_BYTES] = "bytes", [AVRO_KIND_STRING] = "string",   [AVRO_KIND_RECORD] = "record",
    [AVRO_KIND_ENUM] = "enum",   [AVRO_KIND_FIXED] = "fixed",     [AVRO_KIND_ARRAY] = "array",
    [AVRO_KIND_MAP] = "map",     [AVRO_KIND_UNION] = "union",
};

static enum status parse_type(struct parser *parser, const json_t *json, const char *space,
                              const struct avro_type **out);

/* --- where we are, and what is wrong there --- */

static enum status parser_refuse(struct parser *parser, enum status status, const char *format, ...) PRINTF_LIKE(3, 4);

static enum status parser_refuse(struct parser *parser, enum status status, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return error_set(parser->err, status, "schema, at %s: %s", parser->where_bytes ? parser->where : "its top", what);
}

static size_t where_push(struct parser *parser, const char *step)
{
    size_t before = parser->where_bytes;
    int bytes = snprintf(parser->where + before, sizeof parser->where - before, "%s%.100s", before ? "." : "", step);
    size_t room = sizeof parser->where - before - 1;
    parser->where_bytes += (size_t)bytes < room ? (size_t)bytes : room;
    return before;
}

static void where_pop(struct parser *parser, size_t before)
{
    parser->where_bytes = before;
    parser->where[before] = '\0';
}

/* --- names --- */

static bool name_part_is_valid(const char *name, size_t bytes)
{
    if (bytes == 0 || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

/* Parts of letters, digits and underscores, joined by dots where `dotted`. */
static bool name_is_valid(const char *name, bool dotted)
{
    for (;;) {
        size_t bytes = dotted ? strcspn(name, ".") : strlen(name);
        if (!name_part_is_valid(name, bytes))
            return false;
        if (name[bytes] == '\0')
            return true;
        name += bytes + 1;
    }
}

static const char *json_text_of(const json_t *json) /* NULL where it is no string, or holds a NUL */
{
    const char *text = json_string_value(json);
    return text && strlen(text) == json_string_length(json) ? text : NULL;
}

static const char *name_in_space(struct parser *parser, const char *name, const char *space)
{
    size_t space_bytes = strchr(name, '.') ? 0 : strlen(space), name_bytes = strlen(name);
    if (space_bytes == 0)
        return arena_text(&parser->schema->arena, name, name_bytes);
    char *full = arena_take(&parser->schema->arena, space_bytes + name_bytes + 2);
    memcpy(full, space, space_bytes);
    full[space_bytes] = '.';
    memcpy(full + space_bytes + 1, name, name_bytes + 1);
    return full;
}

static const char *space_of(struct parser *parser, const char *full)
{
    const char *dot = strrchr(full, '.');
    return dot ? arena_text(&parser->schema->arena, full, (size_t)(dot - full)) : "";
}

const char *avro_short_name(const char *full)
{
    const char *dot = strrchr(full, '.');
    return dot ? dot + 1 : full;
}

static uint32_t name_hash(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash % NAME_BUCKETS;
}

static struct avro_type *parser_find_named(const struct parser *parser, const char *full)
{
    for (int32_t i = parser->buckets[name_hash(full)]; i >= 0; i = parser->chain[i])
        if (strcmp(parser->named[i].name, full) == 0)
            return parser->named[i].type;
    return NULL;
}

static int kind_of(const char *name, int last) /* -1: none */
{
    for (int kind = 0; kind <= last; kind++)
        if (strcmp(kind_names[kind], name) == 0)
            return kind;
    return -1;
}

static enum status named_add(struct parser *parser, struct avro_type *type)
{
    if (kind_of(type->name, AVRO_KIND_STRING) >= 0)
        return parser_refuse(parser, STATUS_INVALID, "\"%.100s\" is a primitive type and cannot be defined",
                             type->name);
    if (parser_find_named(parser, type->name))
        return parser_refuse(parser, STATUS_INVALID, "\"%.100s\" is defined twice; refer to it by its name",
                             type->name);
    if (parser->named_count == AVRO_NAMED_MAX)
        return parser_refuse(parser, STATUS_LIMIT, "more than %d named types", AVRO_NAMED_MAX);
    uint32_t bucket = name_hash(type->name);
    size_t index = parser->named_count++;
    parser->named[index] = (struct named){type->name, type};
    parser->chain[index] = parser->buckets[bucket];
    parser->buckets[bucket] = (int32_t)index;
    return STATUS_OK;
}

/* --- nodes --- */

static struct avro_type *type_new(struct parser *parser, enum avro_kind kind, const json_t *json)
{
    struct avro_type *type = arena_zeroed(&parser->schema->arena, 1, sizeof *type);
    *type = (struct avro_type){.kind = kind,
                               .index = (uint32_t)parser->schema->type_count++,
                               .name = kind_names[kind],
                               .short_name = kind_names[kind],
                               .default_symbol = AVRO_NO_SYMBOL,
                               .json = json};
    return type;
}

/* Decimal as the specification says; a logical type that is not valid is ignored, as it also says. */
static void logical_read(struct avro_type *type, const json_t *json)
{
    type->logical = json_text_of(json_object_get(json, "logicalType"));
    if (!type->logical || strcmp(type->logical, "decimal") != 0)
        return;
    const json_t *precision = json_object_get(json, "precision"), *scale = json_object_get(json, "scale");
    if ((type->kind != AVRO_KIND_BYTES && type->kind != AVRO_KIND_FIXED) || json_integer_value(precision) <= 0)
        return;
    if (scale && (!json_is_integer(scale) || json_integer_value(scale) < 0 ||
                  json_integer_value(scale) > json_integer_value(precision)))
        return;
    type->is_decimal = true;
    type->scale = scale ? json_integer_value(scale) : 0;
}

static enum status parser_read_texts(struct parser *parser, const json_t *json, const char *what,
                                     const char *const **out, size_t *count)
{
    if (!json)
        return STATUS_OK;
    if (!json_is_array(json))
        return parser_refuse(parser, STATUS_INVALID, "%s must be an array of strings", what);
    const char **texts = arena_zeroed(&parser->schema->arena, json_array_size(json), sizeof *texts);
    for (size_t i = 0; i < json_array_size(json); i++)
        if (!(texts[i] = json_text_of(json_array_get(json, i))))
            return parser_refuse(parser, STATUS_INVALID, "%s must be an array of strings", what);
    *out = texts;
    *count = json_array_size(json);
    return STATUS_OK;
}

static const char *text_twice(const char *const *texts, size_t count) /* a duplicate, or NULL */
{
    const char **sorted = mem_zeroed(count, sizeof *sorted), *twice = NULL;
    for (size_t i = 0; i < count; i++)
        sorted[i] = texts[i];
    qsort(sorted, count, sizeof *sorted, order_texts);
    for (size_t i = 1; i < count && !twice; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            twice = sorted[i];
    free(sorted);
    return twice;
}

/* --- the kinds --- */

static enum status parse_enum(struct parser *parser, const json_t *json, struct avro_type *type)
{
    const json_t *symbols = json_object_get(json, "symbols"), *fallback = json_object_get(json, "default");
    if (!symbols)
        return parser_refuse(parser, STATUS_INVALID, "an enum needs \"symbols\"");
    enum status status = parser_read_texts(parser, symbols, "\"symbols\"", &type->symbols, &type->symbol_count);
    if (status != STATUS_OK)
        return status;
    for (size_t s = 0; s < type->symbol_count; s++)
        if (!name_is_valid(type->symbols[s], false))
            return parser_refuse(parser, STATUS_INVALID, "\"%.100s\" is not a legal enum symbol (letters, digits, _)",
                                 type->symbols[s]);
    const char *twice = text_twice(type->symbols, type->symbol_count);
    if (twice)
        return parser_refuse(parser, STATUS_INVALID, "symbol \"%.100s\" is a duplicate", twice);
    if (!fallback)
        return STATUS_OK;
    for (size_t s = 0; s < type->symbol_count; s++)
        if (json_text_of(fallback) && strcmp(type->symbols[s], json_text_of(fallback)) == 0)
            type->default_symbol = (int32_t)s;
    if (type->default_symbol == AVRO_NO_SYMBOL)
        return parser_refuse(parser, STATUS_INVALID, "the enum's default is not one of its symbols");
    return STATUS_OK;
}

static enum status parse_fixed(struct parser *parser, const json_t *json, struct avro_type *type)
{
    const json_t *size = json_object_get(json, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 0 || json_integer_value(size) > INT32_MAX)
        return parser_refuse(parser, STATUS_INVALID, "a fixed needs a \"size\" from 0 to 2147483647");
    type->fixed_bytes = (uint64_t)json_integer_value(size);
    return STATUS_OK;
}

static enum status parse_field(struct parser *parser, const json_t *json, const char *space, struct avro_field *field)
{
    const char *name = json_is_object(json) ? json_text_of(json_object_get(json, "name")) : NULL;
    if (!name || !name_is_valid(name, false))
        return parser_refuse(parser, STATUS_INVALID, "a field needs a \"name\" of letters, digits and _");
    size_t before = where_push(parser, name);
    field->name = name;
    field->json = json;
    field->value_if_absent = json_object_get(json, "default");
    enum status status = parser_read_texts(parser, json_object_get(json, "aliases"), "\"aliases\"", &field->aliases,
                                           &field->alias_count);
    if (status == STATUS_OK && !json_object_get(json, "type"))
        status = parser_refuse(parser, STATUS_INVALID, "a field needs a \"type\"");
    if (status == STATUS_OK)
        status = parse_type(parser, json_object_get(json, "type"), space, &field->type);
    if (status == STATUS_OK)
        where_pop(parser, before);
    return status;
}

static enum status parser_read_record(struct parser *parser, const json_t *json, const char *space,
                                      struct avro_type *type)
{
    const json_t *list = json_object_get(json, "fields");
    if (!json_is_array(list))
        return parser_refuse(parser, STATUS_INVALID, "a record needs \"fields\", an array");
    size_t count = json_array_size(list);
    struct avro_field *fields = arena_zeroed(&parser->schema->arena, count, sizeof *fields);
    const char **names = arena_zeroed(&parser->schema->arena, count, sizeof *names);
    for (size_t f = 0; f < count; f++) {
        enum status status = parse_field(parser, json_array_get(list, f), space, &fields[f]);
        if (status != STATUS_OK)
            return status;
        names[f] = fields[f].name;
    }
    const char *twice = text_twice(names, count);
    if (twice)
        return parser_refuse(parser, STATUS_INVALID, "field \"%.100s\" is a duplicate", twice);
    type->fields = fields;
    type->field_count = count;
    return STATUS_OK;
}

static enum status name_read(struct parser *parser, const json_t *json, const char *space, struct avro_type *type)
{
    const char *name = json_text_of(json_object_get(json, "name"));
    const json_t *own_space = json_object_get(json, "namespace");
    if (!name || !name_is_valid(name, true))
        return parser_refuse(parser, STATUS_INVALID, "%s needs a \"name\" of letters, digits and _",
                             kind_names[type->kind]);
    if (own_space && !json_is_null(own_space)) {
        space = json_text_of(own_space);
        if (!space || (*space && !name_is_valid(space, true)))
            return parser_refuse(parser, STATUS_INVALID, "\"namespace\" must be names joined by dots");
    }
    type->name = name_in_space(parser, name, space);
    type->short_name = avro_short_name(type->name);
    return STATUS_OK;
}

static enum status parse_named(struct parser *parser, const json_t *json, const char *space, enum avro_kind kind,
                               const struct avro_type **out)
{
    struct avro_type *type = type_new(parser, kind, json);
    enum status status = name_read(parser, json, space, type);
    if (status == STATUS_OK)
        status = named_add(parser, type);
    if (status == STATUS_OK)
        status = parser_read_texts(parser, json_object_get(json, "aliases"), "\"aliases\"", &type->aliases,
                                   &type->alias_count);
    if (status != STATUS_OK)
        return status;
    const char *here = space_of(parser, type->name);
    for (size_t a = 0; a < type->alias_count; a++)
        ((const char **)type->aliases)[a] = name_in_space(parser, type->aliases[a], here);
    logical_read(type, json);
    *out = type;
    if (kind == AVRO_KIND_ENUM)
        return parse_enum(parser, json, type);
    if (kind == AVRO_KIND_FIXED)
        return parse_fixed(parser, json, type);
    return parser_read_record(parser, json, here, type);
}

static enum status parse_container(struct parser *parser, const json_t *json, const char *space, enum avro_kind kind,
                                   const struct avro_type **out)
{
    const char *key = kind == AVRO_KIND_ARRAY ? "items" : "values";
    const json_t *items = json_object_get(json, key);
    if (!items)
        return parser_refuse(parser, STATUS_INVALID, "%s needs \"%s\"", kind_names[kind], key);
    struct avro_type *type = type_new(parser, kind, json);
    *out = type;
    size_t before = where_push(parser, key);
    enum status status = parse_type(parser, items, space, &type->items);
    if (status == STATUS_OK)
        where_pop(parser, before);
    return status;
}

/* At most one branch of each unnamed kind; named ones differ by name. */
static enum status check_branches(struct parser *parser, const struct avro_type *type)
{
    const char **names = mem_zeroed(type->branch_count, sizeof *names);
    for (size_t b = 0; b < type->branch_count; b++)
        names[b] = type->branches[b]->name;
    const char *twice = text_twice(names, type->branch_count);
    free(names);
    if (twice)
        return parser_refuse(parser, STATUS_INVALID, "\"%.100s\" is a duplicate in a union", twice);
    return STATUS_OK;
}

static enum status parse_union(struct parser *parser, const json_t *json, const char *space,
                               const struct avro_type **out)
{
    struct avro_type *type = type_new(parser, AVRO_KIND_UNION, NULL);
    type->branch_count = json_array_size(json);
    const struct avro_type **branches = arena_zeroed(&parser->schema->arena, type->branch_count, sizeof(void *));
    type->branches = branches;
    *out = type;
    for (size_t b = 0; b < type->branch_count; b++) {
        char step[32];
        snprintf(step, sizeof step, "[%zu]", b);
        size_t before = where_push(parser, step);
        enum status status = parse_type(parser, json_array_get(json, b), space, &branches[b]);
        if (status == STATUS_OK && branches[b]->kind == AVRO_KIND_UNION)
            status = parser_refuse(parser, STATUS_INVALID, "a union may not contain a union directly");
        if (status != STATUS_OK)
            return status;
        where_pop(parser, before);
    }
    return check_branches(parser, type);
}

/* A bare name: a primitive, or a type defined before. `json` is the object around it, or NULL. */
static enum status parse_name(struct parser *parser, const char *name, const json_t *json, const char *space,
                              const struct avro_type **out)
{
    int kind = kind_of(name, AVRO_KIND_STRING);
    if (kind >= 0 && json) {
        struct avro_type *type = type_new(parser, (enum avro_kind)kind, json);
        logical_read(type, json);
        *out = type;
        return STATUS_OK;
    }
    if (kind >= 0) {
        if (!parser->primitives[kind])
            parser->primitives[kind] = type_new(parser, (enum avro_kind)kind, NULL);
        *out = parser->primitives[kind];
        return STATUS_OK;
    }
    const struct avro_type *type = parser_find_named(parser, name_in_space(parser, name, space));
    if (!type)
        return parser_refuse(parser, STATUS_INVALID, "no type \"%.100s\" is defined before this point", name);
    *out = type;
    return STATUS_OK;
}

static enum status parse_object(struct parser *parser, const json_t *json, const char *space,
                                const struct avro_type **out)
{
    const json_t *type = json_object_get(json, "type");
    if (json_is_object(type) || json_is_array(type))
        return parse_type(parser, type, space, out);
    const char *name = json_text_of(type);
    if (!name)
        return parser_refuse(parser, STATUS_INVALID, "a type needs \"type\"");
    int kind = strcmp(name, "error") == 0 ? AVRO_KIND_RECORD : kind_of(name, AVRO_KIND_MAP);
    if (kind >= 0 && avro_kind_is_named((enum avro_kind)kind))
        return parse_named(parser, json, space, (enum avro_kind)kind, out);
    if (kind == AVRO_KIND_ARRAY || kind == AVRO_KIND_MAP)
        return parse_container(parser, json, space, (enum avro_kind)kind, out);
    return parse_name(parser, name, json, space, out);
}

static enum status parse_type(struct parser *parser, const json_t *json, const char *space,
                              const struct avro_type **out)
{
    if (parser->depth == AVRO_DEPTH_MAX)
        return parser_refuse(parser, STATUS_LIMIT, "types are nested deeper than %d", AVRO_DEPTH_MAX);
    enum status status;
    parser->depth++;
    if (json_is_object(json))
        status = parse_object(parser, json, space, out);
    else if (json_is_array(json))
        status = parse_union(parser, json, space, out);
    else if (json_text_of(json))
        status = parse_name(parser, json_text_of(json), NULL, space, out);
    else
        status = parser_refuse(parser, STATUS_INVALID, "a type is a name, an object or an array");
    parser->depth--;
    return status;
}

/* --- lower bounds of sizes --- */

enum { SIZE_BOUND_MAX = 1 << 24 };

/* Each type is met first where it was defined. One within itself counts as nothing: its bound is still 0 then. */
static uint32_t size_bound(const struct avro_type *type, bool *seen)
{
    if (seen[type->index])
        return type->min_bytes;
    seen[type->index] = true;
    uint64_t bytes = 0;
    for (size_t f = 0; f < type->field_count; f++)
        bytes += size_bound(type->fields[f].type, seen);
    for (size_t b = 0; b < type->branch_count; b++)
        (void)size_bound(type->branches[b], seen);
    if (type->items)
        (void)size_bound(type->items, seen);
    if (type->kind == AVRO_KIND_FLOAT)
        bytes = 4;
    else if (type->kind == AVRO_KIND_DOUBLE)
        bytes = 8;
    else if (type->kind == AVRO_KIND_FIXED)
        bytes = type->fixed_bytes;
    else if (type->kind != AVRO_KIND_NULL && type->kind != AVRO_KIND_RECORD)
        bytes = 1; /* a varint, a boolean, a branch, an empty block */
    uint32_t bound = bytes < SIZE_BOUND_MAX ? (uint32_t)bytes : SIZE_BOUND_MAX;
    ((struct avro_type *)type)->min_bytes = bound; /* the tree is still being built: nobody else has it yet */
    return bound;
}

/* --- the schema --- */

static enum status schema_read(struct avro_schema *schema, struct error *err)
{
    struct parser parser = {.schema = schema, .err = err};
    parser.named = mem_zeroed(AVRO_NAMED_MAX, sizeof *parser.named);
    parser.chain = mem_zeroed(AVRO_NAMED_MAX, sizeof *parser.chain);
    parser.buckets = mem_zeroed(NAME_BUCKETS, sizeof *parser.buckets);
    memset(parser.buckets, 0xff, NAME_BUCKETS * sizeof *parser.buckets);
    enum status status = parse_type(&parser, schema->json, "", &schema->type);
    free(parser.named);
    free(parser.chain);
    free(parser.buckets);
    if (status != STATUS_OK)
        return status;
    bool *seen = mem_zeroed(schema->type_count, sizeof *seen);
    (void)size_bound(schema->type, seen);
    free(seen);
    return STATUS_OK;
}

enum status avro_schema_parse(struct span text, struct avro_schema **out, struct error *err)
{
    if (text.bytes > AVRO_TEXT_BYTES_MAX)
        return error_set(err, STATUS_LIMIT, "schema: longer than %d bytes", AVRO_TEXT_BYTES_MAX);
    struct avro_schema *schema = mem_zeroed(1, sizeof *schema);
    json_error_t where;
    schema->json = json_loadb(text.bytes ? text.data : "", text.bytes,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
    enum status status = STATUS_OK;
    if (!schema->json)
        status = error_set(err, STATUS_INVALID, "schema: not JSON, line %d column %d: %s", where.line, where.column,
                           where.text);
    else
        status = schema_read(schema, err);
    if (status == STATUS_OK)
        *out = schema;
    else
        avro_schema_free(schema);
    return status;
}

enum status avro_schema_read(const char *path, struct avro_schema **out, struct error *err)
{
    struct buffer text = {0};
    struct error why = {0};
    enum status status = file_read(path, AVRO_TEXT_BYTES_MAX, &text, err);
    if (status == STATUS_OK) {
        status = avro_schema_parse(buffer_span(&text), out, &why);
        if (status != STATUS_OK)
            error_set(err, status, "%s: %s", path, why.text);
    }
    buffer_free(&text);
    return status;
}

char *avro_schema_text(const struct avro_schema *schema)
{
    return json_dumps(schema->json, JSON_COMPACT | JSON_ENCODE_ANY);
}

void avro_schema_free(struct avro_schema *schema)
{
    if (!schema)
        return;
    json_decref(schema->json);
    arena_free(&schema->arena);
    free(schema);
}

const struct avro_type *avro_schema_type(const struct avro_schema *schema)
{
    return schema->type;
}

static void type_describe(const struct avro_type *type, struct buffer *out, int depth)
{
    if (depth == 0) {
        buffer_add_text(out, "\u2026");
    } else if (type->kind == AVRO_KIND_UNION) {
        for (size_t b = 0; b < type->branch_count; b++) {
            buffer_add_text(out, b ? "," : "[");
            type_describe(type->branches[b], out, depth - 1);
        }
        buffer_add_text(out, type->branch_count ? "]" : "[]");
    } else if (type->kind == AVRO_KIND_RECORD) {
        for (size_t f = 0; f < type->field_count; f++) {
            buffer_printf(out, "%s%s:", f ? "," : "{", type->fields[f].name);
            type_describe(type->fields[f].type, out, depth - 1);
        }
        buffer_add_text(out, type->field_count ? "}" : "{}");
    } else if (type->items) {
        buffer_printf(out, "%s<", kind_names[type->kind]);
        type_describe(type->items, out, depth - 1);
        buffer_add_text(out, ">");
    } else {
        buffer_printf(out, "%s%s%s", kind_names[type->kind], type->logical ? ":" : "",
                      type->logical ? type->logical : "");
    }
}

void avro_type_describe(const struct avro_type *type, struct buffer *out)
{
    type_describe(type, out, 8);
}

bool avro_type_take_branch(struct cursor *in, const struct avro_type **type)
{
    uint32_t branch;
    bool padded;
    if ((*type)->kind != AVRO_KIND_UNION)
        return true;
    if (!avro_read_branch(in, (uint32_t)(*type)->branch_count, &branch, &padded))
        return false;
    *type = (*type)->branches[branch];
    return true;
}

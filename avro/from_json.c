/* See avro_from_json.h. Called by prediction_versions.c on the sink's thread, for records of another version alone. */
#include "avro/from_json.h"

#include <assert.h>
#include <math.h>

#include "avro/write.h"

/* NaN and the infinities are strings. */
static double json_number_of(const json_t *json)
{
    const char *text = json_string_value(json);
    if (text)
        return *text == 'N' ? NAN : *text == '-' ? -INFINITY : INFINITY;
    return json_number_value(json);
}

static void add_float(struct buffer *out, const json_t *json)
{
    float number = (float)json_number_of(json);
    buffer_add(out, &number, sizeof number);
}

static void add_double(struct buffer *out, const json_t *json)
{
    double number = json_number_of(json);
    buffer_add(out, &number, sizeof number);
}

static void add_symbol(struct buffer *out, const struct avro_type *type, const json_t *json)
{
    size_t symbol = 0;
    while (symbol < type->symbol_count && strcmp(type->symbols[symbol], json_string_value(json)) != 0)
        symbol++;
    assert(symbol < type->symbol_count);
    avro_add_long(out, (int64_t)symbol);
}

static void add_record(struct buffer *out, const struct avro_type *type, const json_t *json)
{
    for (size_t f = 0; f < type->field_count; f++)
        avro_from_json(type->fields[f].type, json_object_get(json, type->fields[f].name), out);
}

static void add_array(struct buffer *out, const struct avro_type *type, const json_t *json)
{
    size_t count = json_array_size(json);
    if (count)
        avro_add_long(out, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        avro_from_json(type->items, json_array_get(json, i), out);
    avro_add_long(out, 0);
}

/* null, or an object whose one member is named after the branch. */
static void add_union(struct buffer *out, const struct avro_type *type, const json_t *json)
{
    void *member = json_object_iter((json_t *)(uintptr_t)json);
    const char *name = member ? json_object_iter_key(member) : "null";
    size_t branch = 0;
    while (branch < type->branch_count && strcmp(type->branches[branch]->name, name) != 0)
        branch++;
    assert(branch < type->branch_count);
    avro_add_long(out, (int64_t)branch);
    avro_from_json(type->branches[branch], member ? json_object_iter_value(member) : json, out);
}

void avro_from_json(const struct avro_type *type, const json_t *json, struct buffer *out)
{
    assert(json);
    switch (type->kind) {
    case AVRO_KIND_NULL:
        break;
    case AVRO_KIND_BOOLEAN:
        buffer_add_u8(out, json_is_true(json));
        break;
    case AVRO_KIND_INT:
    case AVRO_KIND_LONG:
        avro_add_long(out, json_integer_value(json));
        break;
    case AVRO_KIND_FLOAT:
        add_float(out, json);
        break;
    case AVRO_KIND_DOUBLE:
        add_double(out, json);
        break;
    case AVRO_KIND_STRING:
        avro_add_text(out, (struct span){json_string_value(json), json_string_length(json)});
        break;
    case AVRO_KIND_ENUM:
        add_symbol(out, type, json);
        break;
    case AVRO_KIND_RECORD:
        add_record(out, type, json);
        break;
    case AVRO_KIND_ARRAY:
        add_array(out, type, json);
        break;
    case AVRO_KIND_UNION:
        add_union(out, type, json);
        break;
    case AVRO_KIND_BYTES:
    case AVRO_KIND_FIXED:
    case AVRO_KIND_MAP:
        assert(!"no type of our records");
    }
}

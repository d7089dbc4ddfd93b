/* GET /schema: what a form needs to know of the columns, and sample employees. See docs/HTTP.md. On the server's
 * threads; everything comes from the schema as it was read at the start, and from the model in use. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "events/avro_type.h"
#include "scorer/http/rows.h"

/* The event's field of attributes is the last of its envelope. */
static const struct avro_type *attributes_type(const struct schema *schema)
{
    return schema->event->fields[schema->event->field_count - 1].type;
}

static const char *section_of(const struct schema *schema, size_t column)
{
    const char *section = json_string_value(json_object_get(attributes_type(schema)->fields[column].json, "section"));
    return section ? section : "Other";
}

static void add_bound(struct buffer *out, double bound)
{
    if (isfinite(bound))
        json_add_double(out, bound);
    else
        buffer_add_text(out, "null");
}

static void add_texts(struct buffer *out, const struct column *column, bool nominal)
{
    bool has = column->value_count && (column->kind == COLUMN_NOMINAL) == nominal;
    if (!has) {
        buffer_add_text(out, "null");
        return;
    }
    for (size_t v = 0; v < column->value_count; v++) {
        buffer_add_u8(out, v ? ',' : '[');
        json_add_text(out, nominal ? column->values[v] : span_of(column->value_labels[v]));
    }
    buffer_add_u8(out, ']');
}

/* The training mean, or the most frequent category. */
static void add_default(struct buffer *out, const struct column *column, const json_t *reference)
{
    const json_t *known = json_object_get(reference, column->name), *share;
    const char *category = NULL, *best = NULL;
    double most = -1;
    json_object_foreach((json_t *)known, category, share) if (json_number_value(share) > most)
    {
        most = json_number_value(share);
        best = category;
    }
    if (column->kind == COLUMN_NOMINAL && best)
        json_add_text(out, span_of(best));
    else if (column->kind != COLUMN_NOMINAL && json_is_number(known))
        json_add_double(out, column_is_whole(column) ? round(json_number_value(known)) : json_number_value(known));
    else
        buffer_add_text(out, "null");
}

static void add_column(struct buffer *out, const struct schema *schema, size_t index, const json_t *reference)
{
    static const char *const kinds[] = {"numeric", "ordinal", "nominal"};
    static const char *const types[] = {"int", "long", "float", "double", "string"};
    const struct column *column = &schema->columns[index];
    buffer_add_text(out, index ? ",\n{\"name\":" : "{\"name\":");
    json_add_text(out, span_of(column->name));
    buffer_add_text(out, ",\"label\":");
    json_add_text(out, span_of(column->label ? column->label : column->name));
    buffer_add_text(out, ",\"doc\":");
    json_add_text(out, span_of(column->doc ? column->doc : ""));
    buffer_add_text(out, ",\"group\":");
    json_add_text(out, span_of(section_of(schema, index)));
    buffer_printf(out, ",\"kind\":\"%s\",\"type\":\"%s\",\"range\":", kinds[column->kind], types[column->type]);
    if (column->kind == COLUMN_NOMINAL) {
        buffer_add_text(out, "null");
    } else {
        buffer_add_u8(out, '[');
        add_bound(out, column->low);
        buffer_add_u8(out, ',');
        add_bound(out, column->high);
        buffer_add_u8(out, ']');
    }
    buffer_printf(out, ",\"step\":%s,\"values\":", column_is_whole(column) ? "1" : "null");
    add_texts(out, column, true);
    buffer_add_text(out, ",\"value_labels\":");
    add_texts(out, column, false);
    buffer_printf(out, ",\"required\":%s,\"default\":", column->required ? "true" : "false");
    add_default(out, column, reference);
    buffer_add_u8(out, '}');
}

static void add_groups(struct buffer *out, const struct schema *schema)
{
    size_t told = 0;
    buffer_add_u8(out, '[');
    for (size_t c = 0; c < schema->column_count; c++) {
        size_t before = 0;
        while (before < c && strcmp(section_of(schema, before), section_of(schema, c)))
            before++;
        if (before < c)
            continue;
        if (told++)
            buffer_add_u8(out, ',');
        json_add_text(out, span_of(section_of(schema, c)));
    }
    buffer_add_u8(out, ']');
}

static void add_target(struct buffer *out, const struct schema *schema, const struct model *model)
{
    const json_t *target = json_object_get(attributes_type(schema)->json, "target");
    const char *label = json_string_value(json_object_get(target, "label"));
    buffer_add_text(out, "{\"target\":{\"name\":");
    json_add_text(out, span_of(schema->target_name));
    buffer_add_text(out, ",\"label\":");
    json_add_text(out, span_of(label ? label : schema->target_name));
    buffer_add_text(out, ",\"values\":");
    for (size_t v = 0; v < schema->target_count; v++) {
        buffer_add_u8(out, v ? ',' : '[');
        json_add_text(out, schema->target_values[v]);
    }
    buffer_add_text(out, "],\"positive\":");
    json_add_text(out, schema->target_values[model ? model->labels.positive : schema->target_count - 1]);
    buffer_add_text(out, "},\"id\":");
    json_add_text(out, span_of(schema->id_name));
}

static void add_model(struct buffer *out, const struct model *model)
{
    if (!model) {
        buffer_add_text(out, ",\"threshold\":null,\"model\":null");
        return;
    }
    buffer_add_text(out, ",\"threshold\":");
    json_add_double(out, model->threshold);
    buffer_add_text(out, ",\"model\":");
    stamp_write(&model->stamp, out);
}

static void add_rules(struct buffer *out, const struct schema *schema)
{
    buffer_add_text(out, "],\n\"rules\":[");
    for (size_t r = 0; r < schema->rule_count; r++) {
        buffer_add_text(out, r ? ",{\"at_most\":[" : "{\"at_most\":[");
        json_add_text(out, span_of(schema->columns[schema->rules[r].left].name));
        buffer_add_u8(out, ',');
        json_add_text(out, span_of(schema->columns[schema->rules[r].right].name));
        buffer_add_text(out, "]}");
    }
    buffer_add_u8(out, ']');
}

void schema_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    const struct schema *schema = service->view.settings->schema;
    const struct model *model = service->view.models ? model_acquire(service->view.models) : NULL;
    const char *metadata = model ? pipeline_metadata(model->pipeline, "attrition.reference") : NULL;
    json_t *root = metadata ? json_loads(metadata, 0, NULL) : NULL;
    struct buffer *out = &answer->body;
    add_target(out, schema, model);
    add_model(out, model);
    buffer_printf(out, ",\"digest\":\"%s\",\"reasons\":%u,\"groups\":", schema->digest,
                  service->view.settings->reasons);
    add_groups(out, schema);
    buffer_add_text(out, ",\n\"attributes\":[");
    for (size_t c = 0; c < schema->column_count; c++)
        add_column(out, schema, c, json_object_get(root, "columns"));
    add_rules(out, schema);
    buffer_add_text(out, ",\n\"samples\":");
    buffer_add(out, service->samples.data, service->samples.bytes);
    buffer_add_text(out, service->samples.bytes ? "}\n" : "[]}\n");
    answer->status = 200;
    json_decref(root);
    if (model)
        model_release(model);
}

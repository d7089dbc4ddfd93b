/* GET /schema: what a form needs to know of the columns, and sample employees. See docs/HTTP.md. On the server's
 * threads; everything comes from the schema as it was read at the start, and from the model in use. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "avro/type.h"
#include "base/file.h"
#include "base/log.h"
#include "scorer/http/body.h"
#include "scorer/http/rows.h"

enum { SAMPLES_MAX = 1 << 20 };

void schema_read_samples(const struct settings *settings, struct buffer *out)
{
    char path[4096];
    struct error err;
    snprintf(path, sizeof path, "%s/samples.json", options_text(settings->options, OPTION_SCHEMAS_DIR));
    enum status status = file_read(path, SAMPLES_MAX, out, &err);
    if (status == STATUS_OK && !body_is_list(buffer_span(out)))
        status = error_set(&err, STATUS_INVALID, "%s is no JSON list", path);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        return;
    buffer_clear(out);
    log_warn("http", "%s: the page has no samples", err.text);
}

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

static void add_texts(struct json_writer *json, const char *name, const struct column *column, bool nominal)
{
    bool has = column->value_count && (column->kind == COLUMN_NOMINAL) == nominal;
    if (!has) {
        json_write_null(json, name);
        return;
    }
    json_begin_array(json, name);
    for (size_t v = 0; v < column->value_count; v++)
        json_write_text(json, NULL, nominal ? column->values[v] : span_of(column->value_labels[v]));
    json_end_array(json);
}

/* The training mean, or the most frequent category. */
static void add_default(struct json_writer *json, const struct column *column, const json_t *reference)
{
    const json_t *known = json_object_get(reference, column->name), *share;
    const char *category = NULL, *best = NULL;
    double most = -1;
    json_object_foreach ((json_t *)known, category, share)
        if (json_number_value(share) > most) {
            most = json_number_value(share);
            best = category;
        }
    if (column->kind == COLUMN_NOMINAL && best)
        json_write_string(json, "default", best);
    else if (column->kind != COLUMN_NOMINAL && json_is_number(known))
        json_write_double(json, "default",
                          column_is_whole(column) ? round(json_number_value(known)) : json_number_value(known));
    else
        json_write_null(json, "default");
}

static void add_range(struct json_writer *json, const struct column *column)
{
    if (column->kind == COLUMN_NOMINAL) {
        json_write_null(json, "range");
        return;
    }
    json_begin_array(json, "range");
    json_write_finite(json, NULL, column->low);
    json_write_finite(json, NULL, column->high);
    json_end_array(json);
}

static void add_column(struct json_writer *json, const struct schema *schema, size_t index, const json_t *reference)
{
    static const char *const kinds[] = {"numeric", "ordinal", "nominal"};
    static const char *const types[] = {"int", "long", "float", "double", "string"};
    const struct column *column = &schema->columns[index];
    json_begin_object(json, NULL);
    json_write_string(json, "name", column->name);
    json_write_string(json, "label", column->label ? column->label : column->name);
    json_write_string(json, "doc", column->doc ? column->doc : "");
    json_write_string(json, "group", section_of(schema, index));
    json_write_string(json, "kind", kinds[column->kind]);
    json_write_string(json, "type", types[column->type]);
    add_range(json, column);
    json_write_finite(json, "step", column_is_whole(column) ? 1 : NAN);
    add_texts(json, "values", column, true);
    add_texts(json, "value_labels", column, false);
    json_write_bool(json, "required", column->required);
    json_write_bool(json, "unit", column->unit);
    json_write_bool(json, "groupable", column->unit || column->group);
    add_default(json, column, reference);
    json_end_object(json);
}

static void add_groups(struct json_writer *json, const struct schema *schema)
{
    json_begin_array(json, "groups");
    for (size_t c = 0; c < schema->column_count; c++) {
        size_t before = 0;
        while (before < c && strcmp(section_of(schema, before), section_of(schema, c)))
            before++;
        if (before == c)
            json_write_string(json, NULL, section_of(schema, c));
    }
    json_end_array(json);
}

/* A value of the file's own JSON, or null. */
static void add_json(struct json_writer *json, const char *name, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    buffer_add_text(json_write_raw(json, name), text ? text : "null");
    free(text);
}

static void add_target(struct json_writer *json, const struct schema *schema, const struct model *model)
{
    const json_t *target = json_object_get(attributes_type(schema)->json, "target");
    const char *label = json_string_value(json_object_get(target, "label"));
    json_begin_object(json, "target");
    json_write_string(json, "name", schema->target_name);
    json_write_string(json, "label", label ? label : schema->target_name);
    json_begin_array(json, "values");
    for (size_t v = 0; v < schema->target_count; v++)
        json_write_text(json, NULL, schema->target_values[v]);
    json_end_array(json);
    json_write_text(json, "positive", schema->target_values[model ? model->labels.positive : schema->target_count - 1]);
    json_end_object(json);
    json_write_string(json, "id", schema->id_name);
    add_json(json, "words", json_object_get(attributes_type(schema)->json, "words"));
}

/* What is known of the model besides its name. */
static void add_card(struct json_writer *json, const struct pipeline *pipeline)
{
    const char *text = pipeline_metadata(pipeline, "attrition.metrics");
    json_t *found = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const struct pipeline_input *inputs;
    json_begin_object(json, "card");
    json_write_uint(json, "trees", pipeline_tree_count(pipeline));
    json_write_uint(json, "inputs", pipeline_inputs(pipeline, &inputs));
    json_write_bool(json, "reasons", pipeline_has_reasons(pipeline));
    add_json(json, "metrics", json_is_object(found) ? found : NULL);
    json_end_object(json);
    json_decref(found);
}

static void add_model(struct json_writer *json, const struct model *model)
{
    if (!model) {
        json_write_null(json, "threshold");
        json_write_null(json, "model");
        json_write_null(json, "margin");
        json_write_null(json, "card");
        return;
    }
    json_write_double(json, "threshold", model->threshold);
    stamp_write(&model->stamp, json);
    json_write_string(json, "margin", pipeline_margin_is_log_odds(model->pipeline) ? "log-odds" : "probability");
    add_card(json, model->pipeline);
}

static void add_rules(struct json_writer *json, const struct schema *schema)
{
    json_begin_array(json, "rules");
    for (size_t r = 0; r < schema->rule_count; r++) {
        json_begin_object(json, NULL);
        json_begin_array(json, "at_most");
        json_write_string(json, NULL, schema->columns[schema->rules[r].left].name);
        json_write_string(json, NULL, schema->columns[schema->rules[r].right].name);
        json_end_array(json);
        json_end_object(json);
    }
    json_end_array(json);
}

void schema_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    const struct schema *schema = service->view.settings->schema;
    const struct model *model = service->view.models ? model_acquire(service->view.models) : NULL;
    const char *metadata = model ? pipeline_metadata(model->pipeline, "attrition.reference") : NULL;
    json_t *root = metadata ? json_loads(metadata, 0, NULL) : NULL;
    struct json_writer json = json_begin_document(&answer->body);
    add_target(&json, schema, model);
    add_model(&json, model);
    json_write_string(&json, "digest", schema->digest);
    json_write_uint(&json, "reasons", service->view.settings->reasons);
    add_groups(&json, schema);
    json_break(&json);
    json_begin_array(&json, "attributes");
    for (size_t c = 0; c < schema->column_count; c++) {
        if (c)
            json_break(&json);
        add_column(&json, schema, c, json_object_get(root, "columns"));
    }
    json_end_array(&json);
    json_break(&json);
    add_rules(&json, schema);
    json_break(&json);
    buffer_add_text(json_write_raw(&json, "samples"), service->samples.bytes ? "" : "[]");
    buffer_add(&answer->body, service->samples.data, service->samples.bytes);
    json_end_document(&json);
    answer->status = 200;
    json_decref(root);
    if (model)
        model_release(model);
}

/* Finding a counterfactual and writing it down, for cmd_score.c and http/rows.c: on request, never on the stream. */
#include "scorer/counterfactual_json.h"

#include "pipeline/counterfactual.h"

static void value_write(const struct column *column, const struct cell *value, struct json_writer *json)
{
    if (column->kind == COLUMN_NOMINAL)
        json_write_text(json, "value", column->values[value->code]);
    else if (column_is_whole(column))
        json_write_int(json, "value", (int64_t)value->number);
    else
        json_write_double(json, "value", value->number);
}

void counterfactual_json(const struct schema *schema, const struct pipeline *pipeline, const struct cell *row,
                         bool ruled, struct json_writer *json)
{
    struct counterfactual found;
    if (!pipeline_counterfactual(pipeline, schema->rules, ruled ? schema->rule_count : 0, row, &found)) {
        json_write_null(json, "counterfactual");
        return;
    }
    json_begin_object(json, "counterfactual");
    json_write_string(json, "feature", schema->columns[found.column].name);
    value_write(&schema->columns[found.column], &found.value, json);
    json_write_double(json, "probability", found.probability);
    json_end_object(json);
}

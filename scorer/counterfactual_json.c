/* Finding a counterfactual and writing it down, for cmd_score.c and http/rows.c: on request, never on the stream. */
#include "scorer/counterfactual_json.h"

#include "base/json.h"
#include "pipeline/counterfactual.h"

static void value_write(const struct column *column, const struct cell *value, struct buffer *out)
{
    if (column->kind == COLUMN_NOMINAL)
        json_add_text(out, column->values[value->code]);
    else if (column_is_whole(column))
        json_add_int(out, (int64_t)value->number);
    else
        json_add_double(out, value->number);
}

void counterfactual_json(const struct schema *schema, const struct pipeline *pipeline, const struct cell *row,
                         bool ruled, struct buffer *out)
{
    struct counterfactual found;
    if (!pipeline_counterfactual(pipeline, schema->rules, ruled ? schema->rule_count : 0, row, &found)) {
        buffer_add_text(out, "null");
        return;
    }
    buffer_add_text(out, "{\"feature\":");
    json_add_text(out, span_of(schema->columns[found.column].name));
    buffer_add_text(out, ",\"value\":");
    value_write(&schema->columns[found.column], &found.value, out);
    buffer_add_text(out, ",\"probability\":");
    json_add_double(out, found.probability);
    buffer_add_u8(out, '}');
}

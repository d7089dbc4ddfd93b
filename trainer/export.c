/* Model → ONNX bytes with metadata: see export.h. Called once per training. */
#include "trainer/export.h"

#include <stdlib.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "pipeline/onnx/onnx_write.h"
#include "trainer/kinds/kinds.h"
#include "trainer/report/drift.h"

enum { GOLDEN_ROWS = 20 };

static bool row_has_blanks(const struct table *table, size_t row)
{
    for (size_t c = 0; c < table->schema->column_count; c++)
        if (table_row(table, row)[c].code == CELL_MISSING)
            return true;
    return false;
}

/* Takes `wanted` of the rows that have (or have not) blanks, evenly over those given. */
static size_t golden_pick(const struct table *table, const uint32_t *rows, size_t row_count, bool blanks, size_t wanted,
                          uint32_t *out)
{
    size_t all = 0, seen = 0, taken = 0;
    for (size_t r = 0; r < row_count; r++)
        all += row_has_blanks(table, rows[r]) == blanks;
    for (size_t r = 0; r < row_count && taken < wanted; r++) {
        if (row_has_blanks(table, rows[r]) != blanks)
            continue;
        if (seen++ * wanted >= taken * all)
            out[taken++] = rows[r];
    }
    return taken;
}

/* {"tolerance":1e-12,"rows":[{"attributes":{…},"probability":0.1},…]} */
static void golden_json(const struct model *model, const struct table *table, const uint32_t *fitted,
                        size_t fitted_count, struct buffer *out)
{
    uint32_t rows[GOLDEN_ROWS];
    double probabilities[GOLDEN_ROWS];
    size_t count = golden_pick(table, fitted, fitted_count, true, GOLDEN_ROWS / 2, rows);
    count += golden_pick(table, fitted, fitted_count, false, GOLDEN_ROWS - count, rows + count);
    model_predict(model, table, rows, count, probabilities, NULL);
    struct json_writer json = json_begin_document(out);
    buffer_printf(json_write_raw(&json, "tolerance"), "%g", model_tolerance(model));
    json_begin_array(&json, "rows");
    for (size_t r = 0; r < count; r++) {
        json_begin_object(&json, NULL);
        json_add_row(json_write_raw(&json, "attributes"), table->schema->columns, table->schema->column_count,
                     table_row(table, rows[r]));
        json_write_double(&json, "probability", probabilities[r]);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
}

static void metrics_json(const struct metrics *metrics, struct buffer *out)
{
    struct json_writer json = json_begin_document(out);
    for (size_t m = 0; m < METRIC_COUNT; m++)
        json_write_double(&json, metric_names[m], metric_value(metrics, m));
    json_end_object(&json);
}

/* `weights`: scratch for as many as there are features; a calibration is a part of them. */
static void describe_columns(const struct model *model, double *weights, struct fitted_column *out)
{
    const struct preprocessor *preprocessor = &model->preprocessor;
    const double *fitted_weights = model->kind->weights ? model->kind->weights(model) : NULL;
    for (size_t f = 0; fitted_weights && f < preprocessor->feature_count; f++)
        weights[f] = model->sigmoid.slope * fitted_weights[f];
    for (size_t c = 0; c < preprocessor->column_count; c++) {
        const struct fitted *fitted = &preprocessor->columns[c];
        out[c] = (struct fitted_column){.column = &preprocessor->schema->columns[fitted->column],
                                        .median = fitted->median,
                                        .mean = fitted->mean,
                                        .scale = fitted->scale,
                                        .categories = fitted->categories,
                                        .category_count = fitted->category_count,
                                        .mode = fitted->mode,
                                        .weights = fitted_weights ? weights + fitted->first : NULL};
    }
}

static enum status export_write_model(const struct model *model, const struct schema *schema,
                                      const struct model_property *properties, size_t property_count,
                                      struct buffer *out, struct error *err)
{
    struct fitted_column *columns = mem_zeroed(model->preprocessor.column_count + 1, sizeof *columns);
    double *weights = mem_zeroed(model->preprocessor.feature_count + 1, sizeof *weights);
    describe_columns(model, weights, columns);
    const struct written_isotonic isotonic = {model->isotonic.scores, model->isotonic.shares, model->isotonic.count};
    const struct linear_model frame = {.columns = columns,
                                       .column_count = model->preprocessor.column_count,
                                       .intercept =
                                           model->sigmoid.slope * model->fit.intercept + model->sigmoid.intercept,
                                       .isotonic = model->isotonic.count ? &isotonic : NULL,
                                       .labels = schema->target_values,
                                       .properties = properties,
                                       .property_count = property_count,
                                       .producer_version = VERSION};
    enum status status = model->kind->write_onnx(model, &frame, out, err);
    free(columns);
    free(weights);
    return status;
}

enum status export_model(const struct model *model, const struct table *table, const uint32_t *rows, size_t row_count,
                         const struct evaluation *evaluation, struct buffer *out, struct error *err)
{
    const struct schema *schema = table->schema;
    struct buffer reference = {0}, golden = {0}, metrics = {0}, threshold = {0}, distributions = {0};
    model->kind->write_reference(model, table, rows, row_count, &reference);
    golden_json(model, table, rows, row_count, &golden);
    metrics_json(&evaluation_main(evaluation)->metrics, &metrics);
    json_add_double(&threshold, evaluation->threshold);
    drift_write_reference(table, evaluation, &distributions);
    const struct model_property properties[] = {
        {"attrition.threshold", buffer_span(&threshold)},
        {"attrition.positive_label", schema->target_values[schema->target_count - 1]},
        {"attrition.golden", buffer_span(&golden)},
        {"attrition.metrics", buffer_span(&metrics)},
        {"attrition.distributions", buffer_span(&distributions)},
        {"attrition.schema", span_of(schema->digest)},
        {"attrition.data_sha256", span_of(table->sha256)},
        {"attrition.reference", buffer_span(&reference)},
    };
    size_t property_count = sizeof properties / sizeof *properties;
    if (model->calibration == CALIBRATION_ISOTONIC)
        property_count--; /* no reasons: no reference of theirs */
    enum status status = export_write_model(model, schema, properties, property_count, out, err);
    struct buffer *buffers[] = {&reference, &golden, &metrics, &threshold, &distributions};
    for (size_t b = 0; b < sizeof buffers / sizeof *buffers; b++)
        buffer_free(buffers[b]);
    return status;
}

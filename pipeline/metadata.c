/* Reading a model's metadata; the only file of this module that sees jansson. Called by pipeline_load, at load only.
 * What is there but wrong refuses the model: a threshold, a reference or golden rows that cannot be trusted are worse
 * than none. */
#include "pipeline/metadata.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

enum status metadata_threshold(const char *text, double *out, struct error *err)
{
    char *end = NULL;
    double threshold = *text && strspn(text, "0123456789.eE+-") == strlen(text) ? strtod(text, &end) : NAN;
    if (!end || *end || !(threshold >= 0 && threshold <= 1))
        return error_set(err, STATUS_INVALID, "attrition.threshold is '%.40s', not a number from 0 to 1: train again",
                         text);
    *out = threshold;
    return STATUS_OK;
}

static enum status metadata_parse(const char *json, const char *key, json_t **out, struct error *err)
{
    json_error_t where;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(root)) {
        json_decref(root);
        return error_set(err, STATUS_INVALID, "%s is not a JSON object (column %d): train again", key,
                         root ? 0 : where.column);
    }
    *out = root;
    return STATUS_OK;
}

static struct cell metadata_cell_of(const struct column *column, const char *text, size_t bytes)
{
    if (bytes == 0)
        return cell_missing(column);
    return (struct cell){
        .text = text, .text_bytes = (uint32_t)bytes, .code = column_code(column, (struct span){text, bytes})};
}

/* NaN unless the value is a number. */
static double metadata_number_of(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The term of `position` when its column holds this cell and all others are missing. */
static double term_at(const struct linear *linear, struct cell *cells, size_t position, struct cell cell, double *terms)
{
    cells[linear_term_column(linear, position)] = cell;
    (void)linear_terms(linear, cells, terms);
    return terms[position];
}

static enum status reference_nominal(const struct linear *linear, const struct column *column, const json_t *shares,
                                     struct cell *cells, size_t position, double *scratch, double *out,
                                     struct error *err)
{
    const char *text;
    json_t *share;
    double total = 0, sum = 0;
    json_object_foreach ((json_t *)shares, text, share) {
        double frequency = metadata_number_of(share);
        if (!(frequency >= 0 && frequency <= 1))
            return error_set(err, STATUS_INVALID,
                             "attrition.reference: a frequency of column %s is not a number from 0 to 1", column->name);
        total += frequency;
        sum += frequency * term_at(linear, cells, position, metadata_cell_of(column, text, strlen(text)), scratch);
    }
    if (!(fabs(total - 1) <= 1e-6))
        return error_set(err, STATUS_INVALID, "attrition.reference: the frequencies of column %s add up to %.9g, not 1",
                         column->name, total);
    *out = sum;
    return STATUS_OK;
}

static enum status reference_term(const struct linear *linear, const struct column *column, const json_t *given,
                                  struct cell *cells, size_t position, double *scratch, double *out, struct error *err)
{
    if (column->kind == COLUMN_NOMINAL && json_is_object(given))
        return reference_nominal(linear, column, given, cells, position, scratch, out, err);
    if (column->kind == COLUMN_NOMINAL || !json_is_number(given))
        return error_set(err, STATUS_INVALID, "attrition.reference: column %s has no %s: train again", column->name,
                         column->kind == COLUMN_NOMINAL ? "frequencies" : "mean");
    *out = term_at(linear, cells, position, cell_number(metadata_number_of(given)), scratch);
    if (!isfinite(*out))
        return error_set(err, STATUS_INVALID, "attrition.reference: column %s has no finite term", column->name);
    return STATUS_OK;
}

static enum status reference_terms(const json_t *root, const struct column *columns, size_t column_count,
                                   const struct linear *linear, double *terms, struct error *err)
{
    const json_t *kind = json_object_get(root, "kind"), *given = json_object_get(root, "columns");
    if (!json_is_string(kind) || strcmp(json_string_value(kind), "linear") != 0 || !json_is_object(given))
        return error_set(err, STATUS_INVALID,
                         "attrition.reference is not of the kind 'linear' with columns: train again");
    double *scratch = mem_zeroed(linear_term_count(linear), sizeof *scratch);
    struct cell *cells = mem_zeroed(column_count, sizeof *cells);
    for (size_t c = 0; c < column_count; c++)
        cells[c] = cell_missing(&columns[c]);
    enum status status = STATUS_OK;
    for (size_t t = 0; t < linear_term_count(linear) && status == STATUS_OK; t++) {
        const struct column *column = &columns[linear_term_column(linear, t)];
        status =
            reference_term(linear, column, json_object_get(given, column->name), cells, t, scratch, &terms[t], err);
        cells[linear_term_column(linear, t)] = cell_missing(column);
    }
    free(scratch);
    free(cells);
    return status;
}

enum status metadata_reference(const char *json, const struct column *columns, size_t column_count,
                               struct linear *linear, struct error *err)
{
    json_t *root = NULL;
    if (metadata_parse(json, "attrition.reference", &root, err) != STATUS_OK)
        return err->status;
    double *terms = mem_zeroed(linear_term_count(linear), sizeof *terms);
    enum status status = reference_terms(root, columns, column_count, linear, terms, err);
    if (status == STATUS_OK)
        linear_set_reference(linear, terms);
    free(terms);
    json_decref(root);
    return status;
}

/* {"kind":"tree","covers":[[rows that came to each leaf of the first tree, in the file's order],…]} */
static enum status covers_read(const json_t *root, const struct trees *trees, double *covers, struct error *err)
{
    const json_t *kind = json_object_get(root, "kind"), *lists = json_object_get(root, "covers");
    if (!json_is_string(kind) || strcmp(json_string_value(kind), "tree") != 0 ||
        json_array_size(lists) != trees_tree_count(trees))
        return error_set(
            err, STATUS_INVALID,
            "attrition.reference is not of the kind 'tree' with covers for each tree: import the model again");
    size_t at = 0;
    for (size_t t = 0; t < trees_tree_count(trees); t++) {
        const json_t *list = json_array_get(lists, t);
        if (json_array_size(list) != trees_tree_leaves(trees, t))
            return error_set(err, STATUS_INVALID,
                             "attrition.reference: tree %zu has %zu leaves, not %zu: import the model again", t,
                             trees_tree_leaves(trees, t), json_array_size(list));
        for (size_t l = 0; l < json_array_size(list); l++)
            covers[at++] = metadata_number_of(json_array_get(list, l));
    }
    return STATUS_OK;
}

enum status metadata_covers(const char *json, struct trees *trees, struct error *err)
{
    json_t *root = NULL;
    if (metadata_parse(json, "attrition.reference", &root, err) != STATUS_OK)
        return err->status;
    double *covers = mem_zeroed(trees_leaf_count(trees), sizeof *covers);
    enum status status = covers_read(root, trees, covers, err);
    json_decref(root); /* before the tables are made: it is as large as a part of them */
    if (status == STATUS_OK)
        status = trees_set_covers(trees, covers, err);
    free(covers);
    return status;
}

static enum status golden_cells(const json_t *attributes, size_t row, const struct column *columns, size_t column_count,
                                struct cell *cells, struct error *err)
{
    for (size_t c = 0; c < column_count; c++) {
        const json_t *value = json_object_get(attributes, columns[c].name);
        bool text = columns[c].kind == COLUMN_NOMINAL;
        if (!value || json_is_null(value))
            cells[c] = cell_missing(&columns[c]);
        else if (text && json_is_string(value))
            cells[c] = metadata_cell_of(&columns[c], json_string_value(value), json_string_length(value));
        else if (!text && json_is_number(value))
            cells[c] = cell_number(json_number_value(value));
        else
            return error_set(err, STATUS_INVALID, "attrition.golden: row %zu, column %s: a value of another type", row,
                             columns[c].name);
    }
    return STATUS_OK;
}

static enum status golden_row(const json_t *golden, size_t row, const struct column *columns, size_t column_count,
                              const struct pipeline *pipeline, struct cell *cells, struct pipeline_golden *found,
                              struct error *err)
{
    double tolerance = found->tolerance;
    const json_t *attributes = json_object_get(golden, "attributes"),
                 *expected = json_object_get(golden, "probability");
    if (!json_is_object(attributes) || !json_is_number(expected))
        return error_set(err, STATUS_INVALID, "attrition.golden: row %zu has no attributes or probability: train again",
                         row);
    if (golden_cells(attributes, row, columns, column_count, cells, err) != STATUS_OK)
        return err->status;
    struct score score;
    pipeline_score(pipeline, cells, 1, 0, &score, NULL);
    double difference = fabs(score.probability - metadata_number_of(expected));
    if (!(difference <= tolerance))
        return error_set(err, STATUS_INVALID,
                         "golden row %zu: the model gives %.17g here, %.17g where it was made (difference %.3g, "
                         "allowed %.3g): the file was changed, or this program scores it wrongly: train again",
                         row, score.probability, metadata_number_of(expected), difference, tolerance);
    found->rows = row + 1;
    found->worst = fmax(found->worst, difference);
    return STATUS_OK;
}

enum status metadata_golden(const char *json, const struct column *columns, size_t column_count,
                            const struct pipeline *pipeline, struct pipeline_golden *out, struct error *err)
{
    json_t *root = NULL;
    enum status status = metadata_parse(json, "attrition.golden", &root, err);
    if (status != STATUS_OK)
        return status;
    const json_t *rows = json_object_get(root, "rows");
    double tolerance = metadata_number_of(json_object_get(root, "tolerance"));
    if (!json_is_array(rows) || json_array_size(rows) > METADATA_GOLDEN_MAX_ROWS ||
        !(tolerance >= 0 && tolerance <= 1e-3))
        status = error_set(err, STATUS_INVALID,
                           "attrition.golden has no rows (at most %d) or no tolerance (0 to 0.001): train again",
                           METADATA_GOLDEN_MAX_ROWS);
    struct cell *cells = mem_zeroed(column_count, sizeof *cells);
    struct pipeline_golden found = {.tolerance = tolerance};
    for (size_t r = 0; status == STATUS_OK && r < json_array_size(rows); r++)
        status = golden_row(json_array_get(rows, r), r, columns, column_count, pipeline, cells, &found, err);
    if (status == STATUS_OK)
        *out = found;
    free(cells);
    json_decref(root);
    return status;
}

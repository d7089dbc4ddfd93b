/* Rows → attrition.reference. Called by pipeline_reference, for the registry tool, on one thread; never while scoring.
 *
 * Linear models: a number's mean counts a missing value as what the model imputes for it; where that is not known
 * (features other than a shifted and scaled number), the mean is of the values that are there. Of nominals, the missing
 * value is a category of its own, the empty text, so nothing needs to be known of how it is imputed.
 *
 * Trees: each row walks every tree as it would when scored. A leaf that no row came to has the cover 0: treeshap.c
 * gives it no share, or half of it to each side where nobody came to the branch above either, so reasons stay defined.
 */
#include "pipeline/background.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_writer.h"
#include "base/order.h"
#include "pipeline/linear_program.h"
#include "pipeline/trees.h"
#include "pipeline/trees_program.h"

bool background_has(const struct background *background, uint32_t column)
{
    for (size_t r = 0; r < background->row_count; r++)
        if (background->cells[r * background->column_count + column].code != CELL_MISSING)
            return true;
    return false;
}

bool background_linear_uses(const struct linear *linear, uint32_t column)
{
    for (size_t t = 0; t < linear->term_count; t++)
        if (linear->columns[t] == column)
            return true;
    return false;
}

bool background_trees_use(const struct trees *trees, uint32_t column)
{
    const struct ensemble *ensemble = trees->ensemble;
    for (size_t n = 0; n < ensemble->node_count; n++)
        if (ensemble->nodes[n].left && features_column(trees->features, ensemble->nodes[n].feature) == (int32_t)column)
            return true;
    return false;
}

/* The number whose term is the term of a missing one, or NaN. */
static double imputed_number(const struct linear *linear, uint32_t column)
{
    for (size_t t = 0; t < linear->numbers.count; t++)
        if (linear->numbers.columns[t] == column)
            return linear->numbers.missing[t] / linear->numbers.weights[t] * linear->numbers.divisors[t] +
                   linear->numbers.offsets[t];
    for (size_t t = 0; t < linear->formula_count; t++) {
        const struct formula_term *term = &linear->formulas[t];
        double scaled = term->missing / term->weight;
        if (term->column == column)
            return (term->multiply ? scaled / term->factor : scaled * term->factor) + term->offset;
    }
    return NAN;
}

static double number_mean(const struct linear *linear, const struct background *background, uint32_t column)
{
    double sum = 0, imputed = imputed_number(linear, column);
    size_t count = 0;
    for (size_t r = 0; r < background->row_count; r++) {
        struct cell cell = background->cells[r * background->column_count + column];
        double number = cell.code == CELL_MISSING ? imputed : cell.number;
        sum += isfinite(number) ? number : 0;
        count += isfinite(number);
    }
    return sum / (double)count;
}

static void frequencies_add(const struct background *background, uint32_t column, struct json_writer *json)
{
    const struct column *schema = &background->columns[column];
    size_t *counts = mem_zeroed(schema->value_count + 1, sizeof *counts); /* the missing one first */
    for (size_t r = 0; r < background->row_count; r++) {
        int32_t code = background->cells[r * background->column_count + column].code;
        counts[code >= 0 ? (size_t)code + 1 : 0]++;
    }
    json_begin_object(json, schema->name);
    for (size_t v = 0; v <= schema->value_count; v++) {
        if (counts[v] == 0)
            continue;
        json_key_span(json, v ? schema->values[v - 1] : SPAN_LITERAL(""));
        json_write_double(json, NULL, (double)counts[v] / (double)background->row_count);
    }
    json_end_object(json);
    free(counts);
}

void background_means(const struct linear *linear, const struct background *background, struct buffer *out)
{
    struct json_writer json = json_begin_document(out);
    json_write_string(&json, "kind", "linear");
    json_begin_object(&json, "columns");
    for (size_t t = 0; t < linear->term_count; t++) {
        const struct column *column = &background->columns[linear->columns[t]];
        if (column->kind == COLUMN_NOMINAL)
            frequencies_add(background, linear->columns[t], &json);
        else
            json_write_double(&json, column->name, number_mean(linear, background, linear->columns[t]));
    }
    json_end_object(&json);
    json_end_object(&json);
}

/* What the walk compares: the slot that each node reads and its threshold there. */
struct comparison {
    uint32_t slot;
    float threshold;
};

static struct comparison *comparisons_make(const struct trees *trees)
{
    const struct ensemble *ensemble = trees->ensemble;
    struct comparison *comparisons = mem_zeroed(ensemble->node_count, sizeof *comparisons);
    for (size_t n = 0; n < ensemble->node_count; n++) {
        const struct tree_node *node = &ensemble->nodes[n];
        if (!node->left)
            continue;
        struct feature_slot at = features_slot(trees->features, node->feature);
        comparisons[n].slot = node->missing_left ? at.low : at.slot;
        comparisons[n].threshold = features_threshold(trees->features, node->feature, node->threshold);
    }
    return comparisons;
}

/* counts[source] of the leaf that the row comes to, in each tree. */
static void row_count(const struct ensemble *ensemble, const struct comparison *comparisons, const float *x,
                      uint32_t *counts)
{
    for (size_t t = 0; t < ensemble->tree_count; t++) {
        uint32_t start = ensemble->starts[t], at = start;
        while (ensemble->nodes[at].left) {
            bool left = x[comparisons[at].slot * FEATURE_LANES] <= comparisons[at].threshold;
            at = start + ensemble->nodes[at].left + !left;
        }
        counts[ensemble->nodes[at].source]++;
    }
}

/* Leaves stand in the order of the file. */
static void covers_add(const struct ensemble *ensemble, const uint32_t *counts, struct buffer *out)
{
    uint32_t *sources = mem_zeroed(ensemble->node_count, sizeof *sources);
    struct json_writer json = json_begin_document(out);
    json_write_string(&json, "kind", "tree");
    json_begin_array(&json, "covers");
    for (size_t t = 0; t < ensemble->tree_count; t++) {
        size_t leaves = 0;
        for (size_t n = ensemble->starts[t]; n < ensemble->starts[t + 1]; n++)
            if (!ensemble->nodes[n].left)
                sources[leaves++] = ensemble->nodes[n].source;
        qsort(sources, leaves, sizeof *sources, order_indices);
        json_begin_array(&json, NULL);
        for (size_t l = 0; l < leaves; l++)
            json_write_uint(&json, NULL, counts[sources[l]]);
        json_end_array(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    free(sources);
}

void background_covers(const struct trees *trees, const struct background *background, struct buffer *out)
{
    const struct ensemble *ensemble = trees->ensemble;
    struct comparison *comparisons = comparisons_make(trees);
    uint32_t *counts = mem_zeroed(ensemble->node_count, sizeof *counts);
    float *x = mem_zeroed(features_slot_count(trees->features) * FEATURE_LANES, sizeof *x);
    for (size_t r = 0; r < background->row_count; r++) {
        features_write(trees->features, background->cells + r * background->column_count, x);
        row_count(ensemble, comparisons, x, counts);
    }
    covers_add(ensemble, counts, out);
    free(x);
    free(counts);
    free(comparisons);
}

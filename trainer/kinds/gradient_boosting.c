/* Gradient boosting: see kinds.h; rounds are boosting.c's, trees boost_tree.c's. Numbers and categories are taken as
 * they are, missing ones included; in the file a set of categories that a node asks for is a feature. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "pipeline/onnx/onnx_write.h"
#include "trainer/fold.h"
#include "trainer/kinds/kinds.h"
#include "trainer/kinds/param.h"
#include "trainer/model.h"
#include "trainer/random.h"

/* The number of trees is chosen on so many folds; of larger tables one of them is assessed. */
enum { CHOICE_FOLDS = 5, CHOICE_STREAM = 5000011, ALL_FOLDS_ROWS_MOST = 20000 };

/* --- parameters --- */

static const char none[] = "None";

#define BOOST_INTEGER(name, least, most, unbounded) \
    static bool boost_read_##name(const char *value, struct train_settings *out) \
    { \
        out->boost.name = 0; \
        return ((unbounded) && strcmp(value, none) == 0) || param_read_integer(value, least, most, &out->boost.name); \
    } \
    static void boost_show_##name(const struct train_settings *settings, double chosen, char *out) \
    { \
        unsigned number = settings->boost.name; \
        (void)chosen; \
        snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, number ? "%u" : "None", number); \
    }

#define BOOST_NUMBER(name, good) \
    static bool boost_read_##name(const char *value, struct train_settings *out) \
    { \
        double *number = &out->boost.name; \
        return param_read_number(value, number) && (good); \
    } \
    static void boost_show_##name(const struct train_settings *settings, double chosen, char *out) \
    { \
        (void)chosen; \
        snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%.15g", settings->boost.name); \
    }

BOOST_INTEGER(max_depth, 1, 64, true)
BOOST_INTEGER(max_leaves, 2, 4096, true)
BOOST_INTEGER(max_bin, 2, 255, false)
BOOST_INTEGER(early_stopping_rounds, 1, BOOST_ROUNDS_MOST, false)
BOOST_NUMBER(learning_rate, *number > 0 && *number <= 1)
BOOST_NUMBER(min_child_weight, *number >= 0 && isfinite(*number))
BOOST_NUMBER(reg_lambda, *number >= 0 && isfinite(*number))
BOOST_NUMBER(min_split_gain, *number >= 0 && isfinite(*number))
BOOST_NUMBER(subsample, *number > 0 && *number <= 1)
BOOST_NUMBER(colsample_bytree, *number > 0 && *number <= 1)

static bool boost_read_n_estimators(const char *value, struct train_settings *out)
{
    out->boost.n_estimators = 0;
    return strcmp(value, "auto") == 0 || param_read_integer(value, 1, 65536, &out->boost.n_estimators);
}

static void boost_show_n_estimators(const struct train_settings *settings, double chosen, char *out)
{
    unsigned count = settings->boost.n_estimators ? settings->boost.n_estimators : (unsigned)chosen;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%u", count);
    if (count == 0)
        snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "auto");
}

static bool boost_read_monotone(const char *value, struct train_settings *out)
{
    out->monotone = value;
    return strlen(value) < TRAIN_SETTINGS_TEXT_BYTES;
}

static void boost_show_monotone(const struct train_settings *settings, double chosen, char *out)
{
    (void)chosen;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%s", settings->monotone ? settings->monotone : "");
}

static const struct model_param params[] = {
    {"n_estimators", boost_read_n_estimators, boost_show_n_estimators,
     "an integer from 1 to 65536, or auto: as many as folds find best"},
    {"learning_rate", boost_read_learning_rate, boost_show_learning_rate, "a number above 0, up to 1"},
    {"max_depth", boost_read_max_depth, boost_show_max_depth, "an integer from 1 to 64, or None"},
    {"max_leaves", boost_read_max_leaves, boost_show_max_leaves, "an integer from 2 to 4096, or None"},
    {"min_child_weight", boost_read_min_child_weight, boost_show_min_child_weight, "a number from 0"},
    {"reg_lambda", boost_read_reg_lambda, boost_show_reg_lambda, "a number from 0"},
    {"min_split_gain", boost_read_min_split_gain, boost_show_min_split_gain, "a number from 0"},
    {"subsample", boost_read_subsample, boost_show_subsample, "a number above 0, up to 1"},
    {"colsample_bytree", boost_read_colsample_bytree, boost_show_colsample_bytree, "a number above 0, up to 1"},
    {"max_bin", boost_read_max_bin, boost_show_max_bin, "an integer from 2 to 255"},
    {"early_stopping_rounds", boost_read_early_stopping_rounds, boost_show_early_stopping_rounds,
     "an integer from 1 to 2000"},
    {"monotone_constraints", boost_read_monotone, boost_show_monotone,
     "columns with 1 or -1, such as FIELD:1,FIELD:-1, in fewer than 256 bytes"},
    {"class_weight", param_read_class_weight, param_show_class_weight, "balanced or None"},
};

static const struct search_range space[] = {
    {"learning_rate", 0.01, 0.3, .logarithmic = true},  {"max_depth", 2, 8, .whole = true},
    {"min_child_weight", 0.1, 30, .logarithmic = true}, {"reg_lambda", 0.01, 100, .logarithmic = true},
    {"subsample", 0.5, 1, .logarithmic = false},        {"colsample_bytree", 0.2, 1, .logarithmic = false},
};

static void boost_set_defaults(struct train_settings *out)
{
    out->boost = (struct boost_settings){.max_depth = 3,
                                         .max_bin = 255,
                                         .early_stopping_rounds = 50,
                                         .learning_rate = 0.05,
                                         .min_child_weight = 1,
                                         .reg_lambda = 1,
                                         .subsample = 0.8,
                                         .colsample_bytree = 0.5,
                                         .seed = out->seed};
}

/* --- fit --- */

/* One FIELD:1 or FIELD:-1 of the list. */
static enum status constrain(struct bins *bins, const struct schema *schema, struct span text, struct error *err)
{
    const char *colon = memchr(text.data, ':', text.bytes);
    struct span name = {text.data, colon ? (size_t)(colon - text.data) : text.bytes};
    struct span way = {text.data + name.bytes, text.bytes - name.bytes};
    int8_t monotone = span_equal(way, SPAN_LITERAL(":1")) ? 1 : span_equal(way, SPAN_LITERAL(":-1")) ? -1 : 0;
    for (size_t c = 0; c < bins->column_count && monotone; c++) {
        struct bin_column *column = &bins->columns[c];
        if (column->nominal || !span_equal(span_of(schema->columns[column->column].name), name))
            continue;
        column->monotone = monotone;
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID,
                     "--param monotone_constraints: \"%.*s\" is no number of the model with :1 or :-1",
                     (int)(text.bytes < 80 ? text.bytes : 80), text.data);
}

static enum status constrain_all(struct bins *bins, const struct schema *schema, const char *list, struct error *err)
{
    enum status status = STATUS_OK;
    while (list && *list && status == STATUS_OK) {
        size_t bytes = strcspn(list, ",");
        status = constrain(bins, schema, (struct span){list, bytes}, err);
        list += bytes + (list[bytes] == ',');
    }
    return status;
}

static enum status choose_count(const struct table *table, const uint32_t *rows, const struct boost_problem *problem,
                                const struct boost_settings *settings, unsigned *out, struct error *err)
{
    size_t row_count = problem->bins->row_count, most = fold_most(table, rows, row_count);
    size_t fold_count = most < CHOICE_FOLDS ? most : CHOICE_FOLDS;
    if (fold_count < 2)
        return error_set(err, STATUS_INVALID,
                         "--param n_estimators=auto: one class has a single row to choose by: give a number, such as "
                         "n_estimators=100");
    uint8_t *folds = mem_zeroed(row_count + 1, 1);
    fold_assign(table, rows, row_count, fold_count, random_stream(settings->seed, CHOICE_STREAM), folds);
    *out = boosting_choose_count(problem, settings, folds, row_count > ALL_FOLDS_ROWS_MOST ? 1 : fold_count);
    free(folds);
    return STATUS_OK;
}

/* Each class weighs the same in sum where that is asked for. */
static void weigh_rows(const struct table *table, const uint32_t *rows, size_t row_count, bool balanced,
                       uint8_t *labels, double *weights)
{
    double of_class[2] = {0, 0};
    for (size_t r = 0; r < row_count; r++) {
        labels[r] = table->labels[rows[r]];
        of_class[labels[r]]++;
    }
    for (size_t r = 0; r < row_count; r++)
        weights[r] = balanced ? (double)row_count / (2 * of_class[labels[r]]) : 1;
}

static enum status fit_boosting(const struct table *table, const uint32_t *rows, size_t row_count,
                                const struct train_settings *settings, struct model *out, struct error *err)
{
    struct boost_settings boost = settings->boost;
    uint8_t *labels = mem_zeroed(row_count + 1, sizeof *labels);
    double *weights = mem_zeroed(row_count + 1, sizeof *weights);
    const struct boost_problem problem = {&out->bins, labels, weights};
    bins_make(&out->preprocessor, table, rows, row_count, boost.max_bin, &out->bins);
    weigh_rows(table, rows, row_count, settings->balanced, labels, weights);
    enum status status = constrain_all(&out->bins, table->schema, settings->monotone, err);
    if (status == STATUS_OK && boost.n_estimators == 0) {
        status = choose_count(table, rows, &problem, &boost, &boost.n_estimators, err);
        out->chosen_name = "n_estimators";
        out->chosen = boost.n_estimators;
    }
    if (status == STATUS_OK)
        boosting_fit(&problem, &boost, &out->boosting);
    free(labels);
    free(weights);
    if (status == STATUS_OK)
        bins_free_codes(&out->bins);
    else
        bins_free(&out->bins);
    return status;
}

static void clear_boosting(struct model *model)
{
    boosting_free(&model->boosting);
    bins_free(&model->bins);
}

static void settle_count(const struct model *model, struct train_settings *settings)
{
    settings->boost.n_estimators = (unsigned)model->chosen;
}

/* --- prediction --- */

static bool cell_goes_left(const struct model *model, const struct boost_node *node, const struct cell *cell)
{
    if (!node->nominal)
        return cell->code == CELL_MISSING ? node->missing_left : (float)cell->number <= node->threshold;
    const struct boost_set *set = &model->boosting.sets.items[node->set];
    if (cell->code == CELL_MISSING)
        return boost_set_has(set, 0);
    int32_t category = cell->code >= 0 ? model->preprocessor.columns[node->column].positions[cell->code] : -1;
    return category >= 0 && boost_set_has(set, model->bins.columns[node->column].code_of[category]);
}

/* In floats, tree after tree, as the file's is added. */
static double boosting_score(const struct model *model, const struct cell *cells, const struct model_scratch *scratch)
{
    float sum = 0;
    (void)scratch;
    for (size_t t = 0; t < model->boosting.tree_count; t++) {
        const struct boost_node *nodes = model->boosting.trees[t].nodes, *node = nodes;
        while (node->left) {
            const struct cell *cell = &cells[model->bins.columns[node->column].column];
            node = &nodes[cell_goes_left(model, node, cell) ? node->left : node->right];
        }
        sum += node->weight;
    }
    return (double)(sum + (float)model->boosting.base);
}

/* --- file --- */

/* {"kind":"tree","covers":[[12,40,7],…]}: the rows of the leaves, in the order of the file. */
static void boosting_reference(const struct model *model, const struct table *table, const uint32_t *rows,
                               size_t row_count, struct buffer *out)
{
    (void)table, (void)rows, (void)row_count;
    struct json_writer json = json_begin_document(out);
    json_write_string(&json, "kind", "tree");
    json_begin_array(&json, "covers");
    for (size_t t = 0; t < model->boosting.tree_count; t++) {
        const struct boost_tree *tree = &model->boosting.trees[t];
        json_begin_array(&json, NULL);
        for (size_t n = 0; n < tree->node_count; n++)
            if (!tree->nodes[n].left)
                json_write_uint(&json, NULL, tree->nodes[n].rows);
        json_end_array(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
}

/* A set's texts: the categories whose codes it has. Yours to free. */
static void list_texts(const struct model *model, const struct boost_set *set, struct written_set *out)
{
    const struct fitted *fitted = &model->preprocessor.columns[set->column];
    struct span *texts = mem_zeroed(fitted->category_count + 1, sizeof *texts);
    *out = (struct written_set){.column = set->column, .texts = texts};
    if (boost_set_has(set, 0))
        texts[out->text_count++] = SPAN_LITERAL("");
    for (size_t k = 0; k < fitted->category_count; k++)
        if (boost_set_has(set, model->bins.columns[set->column].code_of[k]))
            texts[out->text_count++] = fitted->categories[k];
}

static struct written_node *list_boosting(const struct model *model, size_t numbers, size_t *count)
{
    const struct boosting *boosting = &model->boosting;
    size_t nodes = 0, at = 0;
    for (size_t t = 0; t < boosting->tree_count; t++)
        nodes += boosting->trees[t].node_count;
    struct written_node *list = mem_zeroed(nodes + 1, sizeof *list);
    for (size_t t = 0; t < boosting->tree_count; t++)
        for (uint32_t n = 0; n < boosting->trees[t].node_count; n++) {
            const struct boost_node *node = &boosting->trees[t].nodes[n];
            list[at++] = (struct written_node){.tree = (uint32_t)t,
                                               .id = n,
                                               .leaf = !node->left,
                                               .missing_left = node->missing_left,
                                               .feature = node->nominal ? (uint32_t)numbers + node->set : node->column,
                                               .left = node->left,
                                               .right = node->right,
                                               .threshold = node->nominal ? 0.5F : node->threshold,
                                               .weight = (float)(model->sigmoid.slope * (double)node->weight)};
        }
    *count = nodes;
    return list;
}

static enum status boosting_write_onnx(const struct model *model, const struct linear_model *frame, struct buffer *out,
                                       struct error *err)
{
    const struct boosting *boosting = &model->boosting;
    const struct boost_set unused = {.codes = {2}}; /* a file has a feature, whether a tree reads it or not */
    size_t numbers = 0, set_count = boosting->sets.count;
    while (numbers < model->bins.column_count && !model->bins.columns[numbers].nominal)
        numbers++;
    struct written_set *sets = mem_zeroed(set_count + 1, sizeof *sets);
    for (size_t s = 0; s < set_count; s++)
        list_texts(model, &boosting->sets.items[s], &sets[s]);
    if (numbers + set_count == 0)
        list_texts(model, &unused, &sets[set_count++]);
    struct written_trees trees = {.as_given = true, .sets = sets, .set_count = set_count, .logistic = true};
    struct written_node *nodes = list_boosting(model, numbers, &trees.node_count);
    trees.nodes = nodes;
    trees.base = model->sigmoid.slope * boosting->base + model->sigmoid.intercept;
    enum status status = onnx_write_trees(frame, &trees, out, err);
    for (size_t s = 0; s < set_count; s++)
        free((void *)sets[s].texts);
    free(sets);
    free(nodes);
    return status;
}

const struct model_kind kind_gradient_boosting = {
    .name = "gradient-boosting",
    .reasons = "Reasons are exact path-dependent TreeSHAP values; the covers of the nodes are training rows. Base plus "
               "all reasons is the raw score, in log-odds.",
    .params = params,
    .param_count = sizeof params / sizeof *params,
    .space = space,
    .space_count = sizeof space / sizeof *space,
    .set_defaults = boost_set_defaults,
    .golden_tolerance = 2e-6, /* trees add up to as many floats as there are trees */
    .fit = fit_boosting,
    .clear = clear_boosting,
    .settle = settle_count,
    .takes_cells = true,
    .share_step = 1e-4,
    .score = boosting_score,
    .write_reference = boosting_reference,
    .write_onnx = boosting_write_onnx,
};

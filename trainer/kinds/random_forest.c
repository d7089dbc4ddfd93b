/* Random forest: see kinds.h; trees are grown in forest.c and tree_grow.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "base/memory.h"
#include "pipeline/onnx/onnx_write.h"
#include "trainer/kinds/kinds.h"
#include "trainer/kinds/param.h"
#include "trainer/model.h"

/* --- parameters --- */

static const char *const class_weights[] = {"None", "balanced", "balanced_subsample"}; /* by enum forest_weight */

static bool forest_read_class_weight(const char *value, struct train_settings *out)
{
    for (size_t w = 0; w < sizeof class_weights / sizeof *class_weights; w++)
        if (strcmp(value, class_weights[w]) == 0) {
            out->forest.class_weight = (enum forest_weight)w;
            return true;
        }
    return false;
}

static void forest_show_class_weight(const struct train_settings *settings, double chosen, char *out)
{
    (void)chosen;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%s", class_weights[settings->forest.class_weight]);
}

static bool read_max_features(const char *value, struct train_settings *out)
{
    static const char *const names[] = {"sqrt", "log2", "None"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        if (strcmp(value, names[n]) == 0) {
            out->forest.feature_rule = (enum forest_features)n;
            return true;
        }
    double number;
    if (!param_read_number(value, &number) || !(number > 0))
        return false;
    bool whole = !strpbrk(value, ".eE");
    out->forest.feature_rule = whole ? FOREST_COUNT : FOREST_FRACTION;
    out->forest.max_features = number;
    return whole ? number <= 1e6 : number <= 1;
}

static void show_max_features(const struct train_settings *settings, double chosen, char *out)
{
    static const char *const forms[] = {"sqrt", "log2", "None", "%.15g", "%.15g"};
    (void)chosen;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, forms[settings->forest.feature_rule], settings->forest.max_features);
    if (settings->forest.feature_rule == FOREST_FRACTION && !strpbrk(out, ".e"))
        strcat(out, ".0");
}

static bool read_bootstrap(const char *value, struct train_settings *out)
{
    out->forest.bootstrap = strcmp(value, "True") == 0 || strcmp(value, "true") == 0;
    return out->forest.bootstrap || strcmp(value, "False") == 0 || strcmp(value, "false") == 0;
}

static void show_bootstrap(const struct train_settings *settings, double chosen, char *out)
{
    (void)chosen;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%s", settings->forest.bootstrap ? "True" : "False");
}

static bool read_max_depth(const char *value, struct train_settings *out)
{
    out->forest.max_depth = 0;
    return strcmp(value, "None") == 0 || param_read_integer(value, 1, 1000, &out->forest.max_depth);
}

static void show_max_depth(const struct train_settings *settings, double chosen, char *out)
{
    (void)chosen;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, settings->forest.max_depth ? "%u" : "None", settings->forest.max_depth);
}

#define INTEGER_PARAM(name, least, most) \
    static bool read_##name(const char *value, struct train_settings *out) \
    { \
        return param_read_integer(value, least, most, &out->forest.name); \
    } \
    static void show_##name(const struct train_settings *settings, double chosen, char *out) \
    { \
        (void)chosen; \
        snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%u", settings->forest.name); \
    }
INTEGER_PARAM(n_estimators, 1, 65536)
INTEGER_PARAM(min_samples_leaf, 1, 1e9)
INTEGER_PARAM(min_samples_split, 2, 1e9)

static const struct model_param params[] = {
    {"class_weight", forest_read_class_weight, forest_show_class_weight,
     "balanced or None (random-forest also balanced_subsample)"},
    {"n_estimators", read_n_estimators, show_n_estimators, "an integer from 1 to 65536"},
    {"max_depth", read_max_depth, show_max_depth, "an integer from 1 to 1000, or None"},
    {"min_samples_split", read_min_samples_split, show_min_samples_split, "an integer from 2"},
    {"min_samples_leaf", read_min_samples_leaf, show_min_samples_leaf, "an integer from 1"},
    {"max_features", read_max_features, show_max_features,
     "sqrt, log2, None, an integer from 1, or a share such as 0.5"},
    {"bootstrap", read_bootstrap, show_bootstrap, "True or False"},
};

static const struct search_range space[] = {
    {"max_depth", 3, 32, .logarithmic = true, .whole = true},
    {"min_samples_leaf", 1, 50, .logarithmic = true, .whole = true},
    {"max_features", 0.03, 0.9, .logarithmic = true},
};

static void set_defaults(struct train_settings *out)
{
    out->forest = (struct forest_settings){.n_estimators = 100,
                                           .min_samples_split = 2,
                                           .min_samples_leaf = 1,
                                           .feature_rule = FOREST_SQRT,
                                           .bootstrap = true,
                                           .seed = out->seed};
}

/* --- fit --- */

static enum status fit_forest(const struct table *table, const uint32_t *rows, size_t row_count,
                              const struct train_settings *settings, struct model *out, struct error *err)
{
    struct ranks ranks;
    size_t features = out->preprocessor.feature_count;
    float *values = mem_zeroed(row_count + 1, sizeof *values);
    uint8_t *labels = mem_zeroed(row_count + 1, 1);
    ranks_begin(&ranks, row_count, features);
    for (size_t f = 0; f < features; f++) {
        preprocess_feature(&out->preprocessor, table, rows, row_count, f, values);
        ranks_set(&ranks, f, values);
    }
    for (size_t r = 0; r < row_count; r++)
        labels[r] = table->labels[rows[r]];
    const struct forest_problem problem = {&ranks, labels};
    free(values);
    enum status status = forest_fit(&problem, &settings->forest, &out->forest, err);
    free(labels);
    ranks_free(&ranks);
    return status;
}

static void clear_forest(struct model *model)
{
    forest_free(&model->forest);
}

static double forest_score(const struct model *model, const struct cell *cells, const struct model_scratch *scratch)
{
    preprocess_row(&model->preprocessor, cells, scratch->features);
    for (size_t f = 0; f < model->preprocessor.feature_count; f++)
        scratch->floats[f] = (float)scratch->features[f];
    return forest_probability(&model->forest, scratch->floats);
}

/* --- file --- */

static void add_cover(struct json_writer *json, const struct forest_node *node)
{
    if (!node->right)
        json_write_double(json, NULL, (double)node->cover);
}

/* Of the leaves in the order of the file: of its own list, or (TreeEnsemble) as branches name them, a lone leaf twice.
 */
static void add_covers(struct json_writer *json, const struct forest_tree *tree, bool by_branch)
{
    const struct forest_node *nodes = tree->nodes;
    for (size_t n = 0; n < tree->node_count; n++) {
        if (!by_branch) {
            add_cover(json, &nodes[n]);
        } else if (nodes[n].right || tree->node_count == 1) {
            add_cover(json, &nodes[nodes[n].right ? n + 1 : n]);
            add_cover(json, &nodes[nodes[n].right ? nodes[n].right : n]);
        }
    }
}

/* {"kind":"tree","covers":[[12,40,7],…]} */
static void forest_reference(const struct model *model, const struct table *table, const uint32_t *rows,
                             size_t row_count, struct buffer *out)
{
    const struct forest *forest = &model->forest;
    (void)table, (void)rows, (void)row_count;
    struct json_writer json = json_begin_document(out);
    json_write_string(&json, "kind", "tree");
    json_begin_array(&json, "covers");
    for (size_t t = 0; t < forest->tree_count; t++) {
        json_begin_array(&json, NULL);
        add_covers(&json, &forest->trees[t], model->calibration != CALIBRATION_SIGMOID);
        json_end_array(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
}

/* What a leaf adds: its part of the mean, or of the calibrated score. */
static float leaf_weight(const struct model *model, double share)
{
    double trees = (double)model->forest.tree_count;
    return (float)(model->calibration == CALIBRATION_SIGMOID ? share * (model->sigmoid.slope / trees) : share / trees);
}

/* The forest's nodes as the file lists them. Yours to free. */
static struct written_node *list_nodes(const struct model *model, size_t *count)
{
    const struct forest *forest = &model->forest;
    size_t nodes = 0, at = 0;
    for (size_t t = 0; t < forest->tree_count; t++)
        nodes += forest->trees[t].node_count;
    struct written_node *list = mem_zeroed(nodes + 1, sizeof *list);
    for (size_t t = 0; t < forest->tree_count; t++)
        for (uint32_t n = 0; n < forest->trees[t].node_count; n++) {
            const struct forest_node *node = &forest->trees[t].nodes[n];
            list[at++] = (struct written_node){.tree = (uint32_t)t,
                                               .id = n,
                                               .leaf = !node->right,
                                               .feature = node->right ? node->feature : 0,
                                               .left = n + 1,
                                               .right = node->right,
                                               .threshold = node->right ? node->threshold : 0,
                                               .weight = node->right ? 0 : leaf_weight(model, node->share)};
        }
    *count = nodes;
    return list;
}

static enum status forest_write_onnx(const struct model *model, const struct linear_model *frame, struct buffer *out,
                                     struct error *err)
{
    size_t count;
    struct written_node *nodes = list_nodes(model, &count);
    const struct written_trees trees = {.nodes = nodes,
                                        .node_count = count,
                                        .logistic = model->calibration == CALIBRATION_SIGMOID,
                                        .base = model->sigmoid.intercept};
    enum status status = onnx_write_trees(frame, &trees, out, err);
    free(nodes);
    return status;
}

const struct model_kind kind_random_forest = {
    .name = "random-forest",
    .reasons = "Reasons are exact path-dependent TreeSHAP values; the covers of the nodes are weighted training rows. "
               "Base plus all reasons is the raw score.",
    .params = params,
    .param_count = sizeof params / sizeof *params,
    .space = space,
    .space_count = sizeof space / sizeof *space,
    .set_defaults = set_defaults,
    .golden_tolerance = 2e-6, /* trees add up to as many floats as there are trees */
    .fit = fit_forest,
    .clear = clear_forest,
    .score = forest_score,
    .score_is_share = true,
    .share_step = 1e-4,
    .write_reference = forest_reference,
    .write_onnx = forest_write_onnx,
};

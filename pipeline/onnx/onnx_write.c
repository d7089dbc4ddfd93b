/* A fitted linear model or trees as one ONNX file: see onnx_write.h for the form and docs/MODELS.md for the graph.
 *
 * Called by the trainer, once per model, on its only thread. The same model gives the same bytes: nothing here reads a
 * clock, an address or a hash. Must never write a graph that pipeline_load or onnxruntime would refuse; what cannot be
 * written so is refused here.
 *
 * Memory: every message lives in one arena (lifetime: the call); protobuf-c only packs. */
#include "pipeline/onnx/onnx_write.h"

#include <math.h>
#include <string.h>

#include "pipeline/onnx/onnx_write_ensemble.h"

enum { IR_VERSION = 8, OPSET = 15, OPSET_ML = 2 }; /* the newest that both Debian 12's libonnx and onnxruntime read */

static void write_inputs(struct onnx_writer *writer)
{
    const struct linear_model *model = writer->model;
    writer->graph.n_input = model->column_count;
    writer->graph.input = arena_zeroed(&writer->arena, model->column_count, sizeof *writer->graph.input);
    for (size_t c = 0; c < model->column_count; c++) {
        const struct column *column = model->columns[c].column;
        int32_t type = column->kind == COLUMN_NOMINAL ? TEXT : FLOAT64;
        writer->graph.input[c] = writer_value(writer, column->name, type, 1);
    }
}

/* numbers: Concat, NaN → median, (x − mean) / scale */
static void write_numbers(struct onnx_writer *writer)
{
    size_t count = writer->number_count;
    char **names = arena_zeroed(&writer->arena, count, sizeof *names);
    double *median = writer_doubles(writer, "number.median", 1, (int64_t)count);
    double *mean = writer_doubles(writer, "number.mean", 1, (int64_t)count);
    double *scale = writer_doubles(writer, "number.scale", 1, (int64_t)count);
    for (size_t c = 0; c < count; c++) {
        const struct fitted_column *fitted = &writer->model->columns[c];
        names[c] = writer_text(writer, fitted->column->name);
        median[c] = fitted->median;
        mean[c] = fitted->mean;
        scale[c] = fitted->scale;
    }
    Onnx__NodeProto *concat = writer_node_list(writer, "Concat", NULL, names, count, "number.given");
    node_int(writer, concat, "axis", 1);
    writer_node(writer, "IsNaN", NULL, "number.given", NULL, NULL, "number.missing");
    writer_node(writer, "Where", NULL, "number.missing", "number.median", "number.given", "number.imputed");
    writer_node(writer, "Sub", NULL, "number.imputed", "number.mean", NULL, "number.centred");
    writer_node(writer, "Div", NULL, "number.centred", "number.scale", NULL, "number.scaled");
}

/* One nominal column: text → index of its category ('' → the mode's, unknown → −1) → one-hot, [N, 1, categories]. */
static char *write_category(struct onnx_writer *writer, const struct fitted_column *fitted)
{
    size_t count = fitted->category_count;
    struct buffer name = {0};
    buffer_printf(&name, "text.%s.index", fitted->column->name);
    char *index = arena_text(&writer->arena, name.data, name.bytes);
    buffer_clear(&name);
    buffer_printf(&name, "text.%s.onehot", fitted->column->name);
    char *onehot = arena_text(&writer->arena, name.data, name.bytes);
    buffer_free(&name);

    Onnx__NodeProto *encode =
        writer_node(writer, "LabelEncoder", "ai.onnx.ml", fitted->column->name, NULL, NULL, index);
    Onnx__AttributeProto *keys =
        node_attribute(writer, encode, "keys_strings", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
    keys->n_strings = count + 1;
    keys->strings = arena_zeroed(&writer->arena, count + 1, sizeof *keys->strings);
    int64_t *values = node_ints(writer, encode, "values_int64s", count + 1);
    keys->strings[0] = writer_bytes(writer, SPAN_LITERAL(""));
    values[0] = (int64_t)fitted->mode;
    for (size_t v = 0; v < count; v++) {
        keys->strings[v + 1] = writer_bytes(writer, fitted->categories[v]);
        values[v + 1] = (int64_t)v;
    }
    node_int(writer, encode, "default_int64", -1);

    Onnx__NodeProto *indicate = writer_node(writer, "OneHotEncoder", "ai.onnx.ml", index, NULL, NULL, onehot);
    int64_t *categories = node_ints(writer, indicate, "cats_int64s", count);
    for (size_t v = 0; v < count; v++)
        categories[v] = (int64_t)v;
    node_int(writer, indicate, "zeros", 1);
    return onehot;
}

/* texts: each one-hot, side by side as [N, indicators] of doubles */
static void write_texts(struct onnx_writer *writer)
{
    size_t count = writer->model->column_count - writer->number_count;
    char **names = arena_zeroed(&writer->arena, count, sizeof *names);
    for (size_t c = 0; c < count; c++)
        names[c] = write_category(writer, &writer->model->columns[writer->number_count + c]);
    Onnx__NodeProto *concat = writer_node_list(writer, "Concat", NULL, names, count, "text.onehot");
    node_int(writer, concat, "axis", 2);
    int64_t rank = 2;
    Onnx__TensorProto *shape = writer_tensor(writer, "text.shape", INT64, &rank, 1);
    shape->n_int64_data = 2;
    shape->int64_data = arena_zeroed(&writer->arena, 2, sizeof(int64_t));
    shape->int64_data[0] = -1;
    shape->int64_data[1] = (int64_t)(writer->feature_count - writer->number_count);
    writer_node(writer, "Reshape", NULL, "text.onehot", "text.shape", NULL, "text.flat");
    Onnx__NodeProto *cast = writer_node(writer, "Cast", NULL, "text.flat", NULL, NULL, "text.features");
    node_int(writer, cast, "to", FLOAT64);
}

static const char *write_features(struct onnx_writer *writer)
{
    bool numbers = writer->number_count > 0, texts = writer->number_count < writer->model->column_count;
    if (numbers)
        write_numbers(writer);
    if (texts)
        write_texts(writer);
    if (!numbers || !texts)
        return numbers ? "number.scaled" : "text.features";
    Onnx__NodeProto *concat =
        writer_node(writer, "Concat", NULL, "number.scaled", "text.features", NULL, "model.features");
    node_int(writer, concat, "axis", 1);
    return "model.features";
}

/* raw scores [N, 2]: column 0 is the negated column 1, so that the two probabilities add up to one */
static void write_classifier(struct onnx_writer *writer, const char *features)
{
    const struct linear_model *model = writer->model;
    double *weights = writer_doubles(writer, "model.weights", (int64_t)writer->feature_count, 2);
    double *intercept = writer_doubles(writer, "model.intercept", 1, 2);
    size_t row = 0;
    for (size_t c = 0; c < model->column_count; c++) {
        const struct fitted_column *fitted = &model->columns[c];
        size_t count = fitted->column->kind == COLUMN_NOMINAL ? fitted->category_count : 1;
        for (size_t v = 0; v < count; v++, row++) {
            weights[2 * row] = -fitted->weights[v];
            weights[2 * row + 1] = fitted->weights[v];
        }
    }
    intercept[0] = -model->intercept;
    intercept[1] = model->intercept;
    writer_node(writer, "MatMul", NULL, features, "model.weights", NULL, "model.product");
    writer_node(writer, "Add", NULL, "model.product", "model.intercept", NULL, "model.scores");
    writer_node(writer, "Sigmoid", NULL, "model.scores", NULL, NULL,
                model->isotonic ? "model.probabilities" : "probabilities");
}

/* the label: the class of the larger score, as scikit-learn's predict; the threshold is metadata */
static void write_label(struct onnx_writer *writer, const char *scores, int32_t type)
{
    Onnx__NodeProto *argmax = writer_node(writer, "ArgMax", NULL, scores, NULL, NULL, "model.class");
    node_int(writer, argmax, "axis", 1);
    node_int(writer, argmax, "keepdims", 0);
    int64_t count = 2;
    Onnx__TensorProto *labels = writer_tensor(writer, "model.labels", TEXT, &count, 1);
    labels->n_string_data = 2;
    labels->string_data = arena_zeroed(&writer->arena, 2, sizeof *labels->string_data);
    for (size_t l = 0; l < 2; l++)
        labels->string_data[l] = writer_bytes(writer, writer->model->labels[l]);
    Onnx__NodeProto *gather = writer_node(writer, "Gather", NULL, "model.labels", "model.class", NULL, "label");
    node_int(writer, gather, "axis", 0);
    writer->graph.n_output = 2;
    writer->graph.output = arena_zeroed(&writer->arena, 2, sizeof *writer->graph.output);
    writer->graph.output[0] = writer_value(writer, "label", TEXT, 0);
    writer->graph.output[1] = writer_value(writer, "probabilities", type, 2);
}

/* --- trees --- */

static float *node_floats(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name, size_t count)
{
    Onnx__AttributeProto *attribute = node_attribute(writer, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    attribute->n_floats = count;
    attribute->floats = arena_zeroed(&writer->arena, count, sizeof *attribute->floats);
    return attribute->floats;
}

static ProtobufCBinaryData *node_texts(struct onnx_writer *writer, Onnx__NodeProto *node, const char *name,
                                       size_t count)
{
    Onnx__AttributeProto *attribute =
        node_attribute(writer, node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
    attribute->n_strings = count;
    attribute->strings = arena_zeroed(&writer->arena, count, sizeof *attribute->strings);
    return attribute->strings;
}

static void write_branches(struct onnx_writer *writer, Onnx__NodeProto *ensemble)
{
    size_t count = writer->trees->node_count, tracked = 0;
    static char branch[] = "BRANCH_LEQ", leaf[] = "LEAF"; /* shared by all nodes: only packed, never freed */
    int64_t *trees = node_ints(writer, ensemble, "nodes_treeids", count);
    int64_t *ids = node_ints(writer, ensemble, "nodes_nodeids", count);
    int64_t *features = node_ints(writer, ensemble, "nodes_featureids", count);
    int64_t *trues = node_ints(writer, ensemble, "nodes_truenodeids", count);
    int64_t *falses = node_ints(writer, ensemble, "nodes_falsenodeids", count);
    float *values = node_floats(writer, ensemble, "nodes_values", count);
    ProtobufCBinaryData *modes = node_texts(writer, ensemble, "nodes_modes", count);
    for (size_t n = 0; n < count; n++) {
        const struct written_node *node = &writer->trees->nodes[n];
        tracked += node->missing_left;
        trees[n] = node->tree;
        ids[n] = node->id;
        features[n] = node->leaf ? 0 : node->feature;
        trues[n] = node->leaf ? 0 : node->left;
        falses[n] = node->leaf ? 0 : node->right;
        values[n] = node->leaf ? 0 : node->threshold;
        modes[n] = node->leaf ? (ProtobufCBinaryData){sizeof leaf - 1, (uint8_t *)leaf}
                              : (ProtobufCBinaryData){sizeof branch - 1, (uint8_t *)branch};
    }
    if (tracked == 0)
        return;
    int64_t *missing = node_ints(writer, ensemble, "nodes_missing_value_tracks_true", count);
    for (size_t n = 0; n < count; n++)
        missing[n] = writer->trees->nodes[n].missing_left;
}

/* onnxruntime leaves the sigmoid out where no weight is negative: then the leaves of the first tree get so much less
 * that all of them are, and the base as much more. */
static float base_shift(const struct written_trees *trees)
{
    bool negative = !trees->logistic;
    float largest = 0;
    for (size_t n = 0; n < trees->node_count && !negative; n++) {
        negative = trees->nodes[n].leaf && trees->nodes[n].weight < 0;
        if (trees->nodes[n].leaf && trees->nodes[n].tree == trees->nodes[0].tree)
            largest = fmaxf(largest, trees->nodes[n].weight);
    }
    return negative ? 0 : 1 + largest;
}

/* One weight a leaf, under class 0: with two labels it is the second one's probability. */
static void write_leaves(struct onnx_writer *writer, Onnx__NodeProto *ensemble)
{
    size_t leaves = 0, at = 0;
    const struct written_node *nodes = writer->trees->nodes;
    float shift = base_shift(writer->trees);
    for (size_t n = 0; n < writer->trees->node_count; n++)
        leaves += nodes[n].leaf;
    int64_t *trees = node_ints(writer, ensemble, "class_treeids", leaves);
    int64_t *ids = node_ints(writer, ensemble, "class_nodeids", leaves);
    float *weights = node_floats(writer, ensemble, "class_weights", leaves);
    node_ints(writer, ensemble, "class_ids", leaves);
    for (size_t n = 0; n < writer->trees->node_count; n++) {
        if (!nodes[n].leaf)
            continue;
        trees[at] = nodes[n].tree;
        ids[at] = nodes[n].id;
        weights[at++] = nodes[n].weight - (nodes[n].tree == nodes[0].tree ? shift : 0);
    }
}

/* One set of categories as a column of floats. */
static char *write_set(struct onnx_writer *writer, const struct written_set *set, size_t number)
{
    struct buffer name = {0};
    buffer_printf(&name, "set.%zu", number);
    char *output = arena_text(&writer->arena, name.data, name.bytes);
    buffer_free(&name);
    Onnx__NodeProto *encode = writer_node(writer, "LabelEncoder", "ai.onnx.ml",
                                          writer->model->columns[set->column].column->name, NULL, NULL, output);
    ProtobufCBinaryData *keys = node_texts(writer, encode, "keys_strings", set->text_count);
    node_floats(writer, encode, "values_floats", set->text_count);
    for (size_t t = 0; t < set->text_count; t++)
        keys[t] = writer_bytes(writer, set->texts[t]);
    Onnx__AttributeProto *other =
        node_attribute(writer, encode, "default_float", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    other->has_f = 1;
    other->f = 1;
    return output;
}

/* model.floats: numbers as they are given, then the sets */
static void write_given(struct onnx_writer *writer)
{
    size_t numbers = writer->number_count, sets = writer->trees->set_count;
    char **names = arena_zeroed(&writer->arena, numbers + 1, sizeof *names);
    char **parts = arena_zeroed(&writer->arena, sets + 1, sizeof *parts);
    size_t part_count = 0;
    if (numbers) {
        for (size_t c = 0; c < numbers; c++)
            names[c] = writer_text(writer, writer->model->columns[c].column->name);
        Onnx__NodeProto *concat = writer_node_list(writer, "Concat", NULL, names, numbers, "number.given");
        node_int(writer, concat, "axis", 1);
        Onnx__NodeProto *cast = writer_node(writer, "Cast", NULL, "number.given", NULL, NULL, "number.floats");
        node_int(writer, cast, "to", FLOAT32);
        parts[part_count++] = writer_text(writer, "number.floats");
    }
    for (size_t s = 0; s < sets; s++)
        parts[part_count++] = write_set(writer, &writer->trees->sets[s], s);
    Onnx__NodeProto *all = writer_node_list(writer, "Concat", NULL, parts, part_count, "model.floats");
    node_int(writer, all, "axis", 1);
}

static void write_link(struct onnx_writer *writer, Onnx__NodeProto *ensemble)
{
    const struct written_trees *trees = writer->trees;
    Onnx__AttributeProto *transform =
        node_attribute(writer, ensemble, "post_transform", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    transform->has_s = 1;
    transform->s = writer_bytes(writer, trees->logistic ? SPAN_LITERAL("LOGISTIC") : SPAN_LITERAL("NONE"));
    if (trees->logistic)
        *node_floats(writer, ensemble, "base_values", 1) = (float)(trees->base + (double)base_shift(trees));
}

/* model.floats → TreeEnsembleClassifier = label, probabilities */
static void onnx_write_ensemble(struct onnx_writer *writer)
{
    Onnx__NodeProto *ensemble = writer_node(writer, "TreeEnsembleClassifier", "ai.onnx.ml", "model.floats", NULL, NULL,
                                            writer->model->isotonic ? "model.label" : "label");
    ensemble->n_output = 2;
    ensemble->output = arena_zeroed(&writer->arena, 2, sizeof *ensemble->output);
    ensemble->output[0] = ensemble->name;
    ensemble->output[1] = writer_text(writer, writer->model->isotonic ? "model.probabilities" : "probabilities");
    write_branches(writer, ensemble);
    write_leaves(writer, ensemble);
    ProtobufCBinaryData *labels = node_texts(writer, ensemble, "classlabels_strings", 2);
    for (size_t l = 0; l < 2; l++)
        labels[l] = writer_bytes(writer, writer->model->labels[l]);
    write_link(writer, ensemble);
    if (writer->model->isotonic)
        return;
    writer->graph.n_output = 2;
    writer->graph.output = arena_zeroed(&writer->arena, 2, sizeof *writer->graph.output);
    writer->graph.output[0] = writer_value(writer, "label", TEXT, 0);
    writer->graph.output[1] = writer_value(writer, "probabilities", FLOAT32, 2);
}

/* --- isotonic calibration --- */

/* Each piece's width and slope; one piece without slope for a constant. */
static void write_pieces(struct onnx_writer *writer)
{
    const struct written_isotonic *isotonic = writer->model->isotonic;
    size_t count = isotonic->count > 1 ? isotonic->count - 1 : 1;
    double *from = writer_doubles(writer, "isotonic.from", 1, (int64_t)count);
    double *width = writer_doubles(writer, "isotonic.width", 1, (int64_t)count);
    double *slope = writer_doubles(writer, "isotonic.slope", (int64_t)count, 2);
    from[0] = isotonic->scores[0];
    for (size_t k = 0; k + 1 < isotonic->count; k++) {
        from[k] = isotonic->scores[k];
        width[k] = isotonic->scores[k + 1] - isotonic->scores[k];
        slope[2 * k + 1] = (isotonic->shares[k + 1] - isotonic->shares[k]) / width[k];
        slope[2 * k] = -slope[2 * k + 1];
    }
}

/* probability = first share + Σ slope × min(max(probability before − from, 0), width), the two classes' side by side */
static void write_isotonic(struct onnx_writer *writer)
{
    const char *before = "model.probabilities";
    if (writer->trees) {
        Onnx__NodeProto *cast = writer_node(writer, "Cast", NULL, before, NULL, NULL, "model.shares");
        node_int(writer, cast, "to", FLOAT64);
        before = "model.shares";
    }
    writer_doubles(writer, "isotonic.positive", 2, 1)[1] = 1;
    (void)writer_doubles(writer, "isotonic.zero", 1, 1);
    double *first = writer_doubles(writer, "isotonic.first", 1, 2);
    first[1] = writer->model->isotonic->shares[0];
    first[0] = 1 - first[1];
    write_pieces(writer);
    writer_node(writer, "MatMul", NULL, before, "isotonic.positive", NULL, "isotonic.share");
    writer_node(writer, "Sub", NULL, "isotonic.share", "isotonic.from", NULL, "isotonic.beyond");
    writer_node(writer, "Max", NULL, "isotonic.beyond", "isotonic.zero", NULL, "isotonic.above");
    writer_node(writer, "Min", NULL, "isotonic.above", "isotonic.width", NULL, "isotonic.within");
    writer_node(writer, "MatMul", NULL, "isotonic.within", "isotonic.slope", NULL, "isotonic.rise");
    writer_node(writer, "Add", NULL, "isotonic.rise", "isotonic.first", NULL, "probabilities");
    write_label(writer, "probabilities", FLOAT64);
}

static void write_model(struct onnx_writer *writer)
{
    if (writer->trees && writer->trees->as_given) {
        write_given(writer);
        onnx_write_ensemble(writer);
        return;
    }
    const char *features = write_features(writer);
    if (writer->trees) {
        Onnx__NodeProto *cast = writer_node(writer, "Cast", NULL, features, NULL, NULL, "model.floats");
        node_int(writer, cast, "to", FLOAT32);
        if (writer->trees->logistic) {
            onnx_write_ensemble(writer);
            return;
        }
        onnx_write_shares(writer, writer->model->isotonic ? "model.probabilities" : "probabilities");
        if (!writer->model->isotonic)
            write_label(writer, "probabilities", FLOAT32);
        return;
    }
    write_classifier(writer, features);
    if (!writer->model->isotonic)
        write_label(writer, "model.scores", FLOAT64);
}

static void write_graph(struct onnx_writer *writer)
{
    onnx__graph_proto__init(&writer->graph);
    writer->graph.name = writer_text(writer, "attrition");
    size_t nodes = 2 * writer->model->column_count + (writer->trees ? writer->trees->set_count : 0) + 24;
    writer->graph.node = arena_zeroed(&writer->arena, nodes, sizeof *writer->graph.node);
    writer->graph.initializer = arena_zeroed(&writer->arena, 16, sizeof *writer->graph.initializer);
    write_inputs(writer);
    write_model(writer);
    if (writer->model->isotonic)
        write_isotonic(writer);
}

static Onnx__OperatorSetIdProto *writer_opset(struct onnx_writer *writer, const char *domain, int64_t version)
{
    Onnx__OperatorSetIdProto *opset = arena_zeroed(&writer->arena, 1, sizeof *opset);
    onnx__operator_set_id_proto__init(opset);
    opset->domain = writer_text(writer, domain);
    opset->has_version = 1;
    opset->version = version;
    return opset;
}

static void onnx_write_proto(struct onnx_writer *writer, Onnx__ModelProto *file)
{
    const struct linear_model *model = writer->model;
    onnx__model_proto__init(file);
    file->has_ir_version = 1;
    file->ir_version = IR_VERSION;
    file->producer_name = writer_text(writer, "attrition-trainer");
    file->producer_version = writer_text(writer, model->producer_version ? model->producer_version : "");
    file->n_opset_import = 2;
    file->opset_import = arena_zeroed(&writer->arena, 2, sizeof *file->opset_import);
    file->opset_import[0] = writer_opset(writer, "", OPSET);
    file->opset_import[1] = writer_opset(writer, "ai.onnx.ml", writer->opset_ml);
    file->graph = &writer->graph;
    file->n_metadata_props = model->property_count;
    file->metadata_props = arena_zeroed(&writer->arena, model->property_count, sizeof *file->metadata_props);
    for (size_t p = 0; p < model->property_count; p++) {
        Onnx__StringStringEntryProto *entry = file->metadata_props[p] = arena_zeroed(&writer->arena, 1, sizeof *entry);
        onnx__string_string_entry_proto__init(entry);
        entry->key = writer_text(writer, model->properties[p].key);
        entry->value = arena_text(&writer->arena, model->properties[p].value.data, model->properties[p].value.bytes);
    }
}

static enum status onnx_check_number(const struct fitted_column *fitted, struct error *err)
{
    if (!isfinite(fitted->median) || !isfinite(fitted->mean) || !isfinite(fitted->scale) || fitted->scale == 0)
        return error_set(
            err, STATUS_INVALID,
            "column %s: median, mean and scale must be finite and the scale not 0: check the training data",
            fitted->column->name);
    return STATUS_OK;
}

static enum status check_categories(const struct fitted_column *fitted, struct error *err)
{
    const char *name = fitted->column->name;
    if (fitted->category_count == 0 || fitted->mode >= fitted->category_count)
        return error_set(err, STATUS_INVALID, "column %s: has no category to impute: leave the column out", name);
    for (size_t v = 0; v < fitted->category_count; v++) {
        if (fitted->categories[v].bytes == 0)
            return error_set(err, STATUS_INVALID, "column %s: the empty text means missing and is no category", name);
        for (size_t other = 0; other < v; other++)
            if (span_equal(fitted->categories[v], fitted->categories[other]))
                return error_set(err, STATUS_INVALID, "column %s: duplicate category", name);
    }
    return STATUS_OK;
}

/* Also counts what the graph needs. */
static enum status check_columns(struct onnx_writer *writer, struct error *err)
{
    const struct linear_model *model = writer->model;
    for (size_t c = 0; c < model->column_count; c++) {
        const struct fitted_column *fitted = &model->columns[c];
        bool nominal = fitted->column->kind == COLUMN_NOMINAL;
        enum status status = nominal ? check_categories(fitted, err) : onnx_check_number(fitted, err);
        if (status != STATUS_OK)
            return status;
        if (!nominal && writer->number_count < c)
            return error_set(err, STATUS_INVALID, "column %s: numbers must come before nominals", fitted->column->name);
        size_t count = nominal ? fitted->category_count : 1;
        for (size_t v = 0; v < count && !writer->trees; v++)
            if (!isfinite(fitted->weights[v]))
                return error_set(err, STATUS_INVALID, "column %s: a weight is not finite", fitted->column->name);
        writer->number_count += !nominal;
        writer->feature_count += count;
    }
    return STATUS_OK;
}

static enum status onnx_check_model(struct onnx_writer *writer, struct error *err)
{
    const struct linear_model *model = writer->model;
    if (model->column_count == 0)
        return error_set(err, STATUS_INVALID, "a model needs at least one column");
    if (!writer->trees && !isfinite(model->intercept))
        return error_set(err, STATUS_INVALID, "the intercept is not finite");
    for (size_t c = 0; c < model->column_count; c++)
        if (!strcmp(model->columns[c].column->name, "label") ||
            !strcmp(model->columns[c].column->name, "probabilities"))
            return error_set(err, STATUS_INVALID, "column %s: the model's output has that name: rename the column",
                             model->columns[c].column->name);
    if (span_equal(model->labels[0], model->labels[1]))
        return error_set(err, STATUS_INVALID, "the two class labels are the same");
    for (size_t p = 0; p < model->property_count; p++)
        if (model->properties[p].value.bytes &&
            memchr(model->properties[p].value.data, 0, model->properties[p].value.bytes))
            return error_set(err, STATUS_INVALID, "property %s holds a NUL byte", model->properties[p].key);
    return check_columns(writer, err);
}

static enum status write(struct onnx_writer *writer, struct buffer *out, struct error *err)
{
    if (onnx_check_model(writer, err) != STATUS_OK)
        return err->status;
    Onnx__ModelProto file;
    write_graph(writer);
    onnx_write_proto(writer, &file);
    size_t bytes = onnx__model_proto__get_packed_size(&file);
    out->bytes += onnx__model_proto__pack(&file, (uint8_t *)buffer_reserve(out, bytes));
    for (size_t p = 0; p < writer->packed_count; p++)
        buffer_free(&writer->packed[p]);
    arena_free(&writer->arena);
    return STATUS_OK;
}

enum status onnx_write_linear(const struct linear_model *model, struct buffer *out, struct error *err)
{
    struct onnx_writer writer = {.opset_ml = OPSET_ML, .model = model};
    return write(&writer, out, err);
}

enum status onnx_write_trees(const struct linear_model *model, const struct written_trees *trees, struct buffer *out,
                             struct error *err)
{
    struct onnx_writer writer = {.opset_ml = OPSET_ML, .model = model, .trees = trees};
    if (trees->node_count == 0)
        return error_set(err, STATUS_INVALID, "a forest needs at least one node");
    return write(&writer, out, err);
}

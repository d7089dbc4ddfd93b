/* Fuzz: the graph compiler. The bytes steer a generator that writes a model as exporters do (columns, imputers,
 * scalers, encoders, a linear classifier or trees), bent here and there: wrong arities, lists of other lengths, odd
 * numbers, types mixed, names that are duplicates or missing, children out of range, loops, shapes beyond all bounds.
 * Bytes of 0 take the plain way, so an empty input is a sound model. Loading must refuse in words or compile; what
 * compiles must score any row, alone and in a batch to the same bits, with contributions that add up to the margin. */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "pipeline/pipeline.h"
#include "tests/support/graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct span CITIES[] = {SPAN_LITERAL("Ulm"), SPAN_LITERAL("Bonn")};
static const struct column COLUMNS[] = {
    {.name = "a", .kind = COLUMN_NUMERIC, .type = COLUMN_DOUBLE},
    {.name = "age", .kind = COLUMN_NUMERIC, .type = COLUMN_INT},
    {.name = "city", .kind = COLUMN_NOMINAL, .type = COLUMN_TEXT, .values = CITIES, .value_count = 2},
    {.name = "pay", .kind = COLUMN_ORDINAL, .type = COLUMN_INT},
    {.name = "shift", .kind = COLUMN_NOMINAL, .type = COLUMN_TEXT},
};
enum {
    COUNT = sizeof COLUMNS / sizeof *COLUMNS,
    ROWS = 19,
    LIVE_MAX = 56,
    STEPS_MAX = 14,
    NODES_MAX = 40,
    TREES_MAX = 9
};

/* A tensor that later nodes may read. */
struct live {
    char name[12];
    int dtype;
    int64_t width; /* of one row */
    bool rows;
};

struct maker {
    struct graph g;
    const uint8_t *at, *end;
    struct live live[LIVE_MAX];
    size_t live_count;
    int real; /* the graph's type of number */
    struct buffer covers;
};

static uint8_t dice(struct maker *m)
{
    return m->at < m->end ? *m->at++ : 0;
}

static size_t pick(struct maker *m, size_t count)
{
    return dice(m) % count;
}

/* Whether to bend this place. */
static bool odd(struct maker *m)
{
    return dice(m) >= 248;
}

static double number(struct maker *m)
{
    static const double NUMBERS[] = {0, 1, -1, NAN, INFINITY, -INFINITY, 1e30, -1e30, 5e-324, 1e-30, 3.5, 41};
    uint8_t byte = dice(m);
    return byte < 240 ? ((double)byte - 100) / 16 : NUMBERS[byte % (sizeof NUMBERS / sizeof *NUMBERS)];
}

/* A list's length: the right one, or another. */
static size_t length(struct maker *m, size_t right)
{
    return odd(m) ? pick(m, 2 * right + 3) : right;
}

static struct live *live_new(struct maker *m, const struct live *like)
{
    struct live *live = &m->live[m->live_count < LIVE_MAX ? m->live_count++ : LIVE_MAX - 1];
    size_t at = (size_t)(live - m->live);
    *live = *like;
    snprintf(live->name, sizeof live->name, "t%zu", odd(m) ? pick(m, LIVE_MAX) : at);
    return live;
}

/* One that suits: of this type (DTYPE_NONE: any number), from the newest back; NULL: none. */
static const struct live *live_find(struct maker *m, int dtype, bool rows)
{
    size_t skip = pick(m, 8);
    const struct live *found = NULL;
    if (odd(m) && m->live_count)
        return &m->live[pick(m, m->live_count)];
    for (size_t l = m->live_count; l-- > 0;)
        if (m->live[l].rows == rows &&
            (m->live[l].dtype == dtype || (dtype == DTYPE_NONE && m->live[l].dtype == m->real))) {
            found = &m->live[l];
            if (skip-- == 0)
                break;
        }
    return found;
}

static int64_t whole(struct maker *m)
{
    static const int64_t WHOLES[] = {INT64_MIN, INT64_MAX, INT32_MAX, INT64_C(1) << 53, 1000000, -1000000};
    uint8_t byte = dice(m);
    return byte < 240 ? (int64_t)byte - 100 : WHOLES[byte % (sizeof WHOLES / sizeof *WHOLES)];
}

static const float *floats(struct maker *m, size_t count)
{
    float *list = arena_take(&m->g.arena, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = (float)number(m);
    return list;
}

static const int64_t *wholes(struct maker *m, size_t count)
{
    int64_t *list = arena_take(&m->g.arena, (count + 1) * sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = odd(m) ? (int64_t)(pick(m, 2) ? INT64_MIN : INT64_MAX) >> pick(m, 60) : (int64_t)i;
    return list;
}

static const char *texts(struct maker *m, size_t count)
{
    static const char *const WORDS[] = {"Ulm", "Bonn", "day", "night", "x", "", "Yes", "No"};
    char *list = arena_take(&m->g.arena, count * 8 + 8);
    size_t shift = pick(m, 8);
    *list = 0;
    for (size_t i = 0; i < count; i++)
        strcat(strcat(list, WORDS[(i + shift) % 8]), i + 1 < count ? "," : "");
    return list;
}

/* A constant of the graph; its claimed shape may be another than its data's. */
static const struct live *constant(struct maker *m, int dtype, int64_t rows, int64_t columns)
{
    static const int64_t SHAPES[] = {0, -1, 3, 1 << 20, INT64_C(1) << 40, INT64_MAX};
    struct live *live = live_new(m, &(struct live){.dtype = dtype, .width = columns});
    size_t count = length(m, (size_t)(rows * columns));
    int64_t dims[4] = {rows, columns, 1, 1};
    if (odd(m))
        dims[pick(m, 2)] = SHAPES[pick(m, 6)];
    Onnx__TensorProto *tensor = graph_tensor(&m->g, live->name, dtype, odd(m) ? pick(m, 5) : rows ? 2 : 1, dims);
    if (!rows) {
        tensor->dims[0] = columns;
        count = length(m, (size_t)columns);
    }
    if (dtype == DTYPE_INT64) {
        tensor->n_int64_data = count;
        tensor->int64_data = (int64_t *)wholes(m, count);
    } else if (dtype == DTYPE_FLOAT) {
        tensor->n_float_data = count;
        tensor->float_data = (float *)floats(m, count);
    } else {
        double *list = arena_take(&m->g.arena, (count + 1) * sizeof *list);
        for (size_t i = 0; i < count; i++)
            list[i] = number(m);
        tensor->has_raw_data = 1;
        tensor->raw_data = (ProtobufCBinaryData){count * sizeof *list, (uint8_t *)list};
    }
    return live;
}

static const char *join(struct maker *m, const char *a, const char *b, const char *c)
{
    char *list = arena_take(&m->g.arena, 64);
    snprintf(list, 64, "%s%s%s%s%s", a, b ? "," : "", b ? b : "", c ? "," : "", c ? c : "");
    return list;
}

/* A node; bent: an input more, or one fewer, or itself. */
static Onnx__NodeProto *node(struct maker *m, const char *op, const char *inputs, const struct live *out)
{
    if (odd(m))
        inputs = pick(m, 2) ? join(m, inputs, out->name, NULL) : pick(m, 2) ? "" : "nowhere";
    Onnx__NodeProto *made = graph_node(&m->g, op, inputs, out->name);
    if (odd(m))
        graph_int(&m->g, made, pick(m, 2) ? "axis" : "stranger", (int64_t)pick(m, 9) - 4);
    return made;
}

static void int_give(struct maker *m, Onnx__NodeProto *to, const char *name, int64_t value)
{
    if (odd(m) && pick(m, 2))
        graph_float(&m->g, to, name, 1);
    else if (!odd(m))
        graph_int(&m->g, to, name, odd(m) ? whole(m) : value);
}

static void step_concat(struct maker *m)
{
    int dtype = pick(m, 4) == 3 ? DTYPE_TEXT : DTYPE_NONE;
    const struct live *a = live_find(m, dtype, true), *b = live_find(m, dtype, true);
    if (!a || !b)
        return;
    const struct live *out = live_new(m, &(struct live){.dtype = a->dtype, .width = a->width + b->width, .rows = true});
    int_give(m, node(m, "Concat", join(m, a->name, b->name, NULL), out), "axis", pick(m, 2) ? -1 : 1);
}

static void step_impute(struct maker *m)
{
    const struct live *in = live_find(m, DTYPE_NONE, true);
    if (!in)
        return;
    Onnx__NodeProto *made = node(m, "ml.Imputer", in->name, live_new(m, in));
    size_t count = length(m, pick(m, 2) ? 1 : (size_t)in->width);
    graph_floats(&m->g, made, "imputed_value_floats", floats(m, count), count);
    graph_float(&m->g, made, "replaced_value_float", odd(m) ? (float)number(m) : NAN);
}

static void step_scale(struct maker *m)
{
    const struct live *in = live_find(m, DTYPE_NONE, true);
    if (!in)
        return;
    Onnx__NodeProto *made = node(m, "ml.Scaler", in->name, live_new(m, in));
    size_t count = length(m, (size_t)in->width), other = length(m, (size_t)in->width);
    graph_floats(&m->g, made, "offset", floats(m, count), count);
    graph_floats(&m->g, made, "scale", floats(m, other), other);
}

static void step_arithmetic(struct maker *m)
{
    static const char *const OPS[] = {"Sub", "Div", "Mul", "Add"};
    const struct live *in = live_find(m, DTYPE_NONE, true);
    if (!in)
        return;
    const struct live *by =
        pick(m, 4) == 3 ? live_find(m, DTYPE_NONE, true) : constant(m, in->dtype, 1, pick(m, 2) ? 1 : in->width);
    if (!by)
        return;
    node(m, OPS[pick(m, 4)], pick(m, 4) == 3 ? join(m, by->name, in->name, NULL) : join(m, in->name, by->name, NULL),
         live_new(m, in));
}

static void step_fill(struct maker *m)
{
    const struct live *in = live_find(m, DTYPE_NONE, true);
    if (!in)
        return;
    struct live flag = *in;
    flag.dtype = DTYPE_BOOL;
    const struct live *missing = live_new(m, &flag), *by = constant(m, in->dtype, 1, in->width);
    node(m, "IsNaN", in->name, missing);
    node(m, "Where", join(m, missing->name, by->name, in->name), live_new(m, in));
}

/* Texts to integers, texts or floats. */
static const struct live *encode(struct maker *m, const struct live *in)
{
    static const struct {
        const char *values;
        int dtype;
    } FORMS[] = {{"values_int64s", DTYPE_INT64}, {"values_strings", DTYPE_TEXT}, {"values_floats", DTYPE_FLOAT}};
    size_t form = pick(m, 3), count = 1 + pick(m, 6), given = length(m, count);
    const struct live *out =
        live_new(m, &(struct live){.dtype = FORMS[form].dtype, .width = in->width, .rows = in->rows});
    Onnx__NodeProto *made = node(m, "ml.LabelEncoder", in->name, out);
    if (in->dtype == DTYPE_TEXT)
        graph_texts(&m->g, made, "keys_strings", texts(m, count));
    else
        graph_ints(&m->g, made, "keys_int64s", wholes(m, count), count);
    if (form == 0)
        graph_ints(&m->g, made, FORMS[form].values, wholes(m, given), given);
    else if (form == 1)
        graph_texts(&m->g, made, FORMS[form].values, texts(m, given));
    else
        graph_floats(&m->g, made, FORMS[form].values, floats(m, given), given);
    if (pick(m, 2))
        int_give(m, made, "default_int64", -1);
    return out;
}

static void step_encode(struct maker *m)
{
    const struct live *in = live_find(m, pick(m, 4) == 3 ? DTYPE_INT64 : DTYPE_TEXT, true);
    if (in)
        encode(m, in);
}

static void step_one_hot(struct maker *m)
{
    const struct live *in = live_find(m, pick(m, 4) == 3 ? DTYPE_INT64 : DTYPE_TEXT, true);
    if (!in)
        return;
    size_t count = 1 + pick(m, 6);
    int64_t width = in->width * (int64_t)count;
    const struct live *hot = live_new(m, &(struct live){.dtype = DTYPE_FLOAT, .width = width, .rows = true});
    Onnx__NodeProto *made = node(m, "ml.OneHotEncoder", in->name, hot);
    if (in->dtype == DTYPE_TEXT)
        graph_texts(&m->g, made, "cats_strings", texts(m, count));
    else
        graph_ints(&m->g, made, "cats_int64s", wholes(m, count), count);
    char name[12];
    snprintf(name, sizeof name, "s%zu", m->live_count);
    graph_int64s(&m->g, arena_text(&m->g.arena, name, strlen(name)),
                 (const int64_t[]){odd(m) ? 0 : -1, odd(m) ? whole(m) : width}, odd(m) ? 1 : 2);
    const struct live *flat = live_new(m, hot);
    node(m, "Reshape", join(m, hot->name, arena_text(&m->g.arena, name, strlen(name)), NULL), flat);
    if (m->real == DTYPE_DOUBLE) {
        struct live wide = *flat;
        wide.dtype = DTYPE_DOUBLE;
        int_give(m, node(m, "Cast", flat->name, live_new(m, &wide)), "to", DTYPE_DOUBLE);
    }
}

static void step_cast(struct maker *m)
{
    static const int TYPES[] = {DTYPE_FLOAT, DTYPE_DOUBLE, DTYPE_BOOL, DTYPE_INT64, DTYPE_INT32, DTYPE_TEXT, 10, 999};
    const struct live *in = pick(m, 2) ? live_find(m, DTYPE_INT64, true) : live_find(m, DTYPE_NONE, true);
    if (!in)
        return;
    struct live out = *in;
    out.dtype = TYPES[pick(m, 8)];
    int_give(m, node(m, "Cast", in->name, live_new(m, &out)), "to", out.dtype);
}

static void step_gather(struct maker *m)
{
    const struct live *in = live_find(m, pick(m, 2) ? DTYPE_TEXT : DTYPE_NONE, true);
    if (!in)
        return;
    bool gather = pick(m, 2);
    const struct live *at = constant(m, DTYPE_INT64, 0, 1 + (int64_t)pick(m, (size_t)in->width));
    struct live out = *in;
    out.width = at->width;
    Onnx__NodeProto *made =
        node(m, gather ? "Gather" : "ml.ArrayFeatureExtractor", join(m, in->name, at->name, NULL), live_new(m, &out));
    if (gather)
        int_give(m, made, "axis", pick(m, 2) ? -1 : 1);
}

static void step_clip(struct maker *m)
{
    const struct live *in = live_find(m, DTYPE_NONE, true);
    if (!in)
        return;
    const struct live *low = constant(m, in->dtype, 1, 1), *high = constant(m, in->dtype, 1, 1);
    node(m, "Clip", join(m, in->name, odd(m) ? "" : low->name, pick(m, 3) ? high->name : NULL), live_new(m, in));
}

static void step_matmul(struct maker *m)
{
    const struct live *in = live_find(m, DTYPE_NONE, true);
    if (!in)
        return;
    struct live out = *in;
    out.width = 1 + (int64_t)pick(m, 3);
    const struct live *by = constant(m, in->dtype, in->width, out.width);
    node(m, "MatMul", join(m, in->name, by->name, NULL), live_new(m, &out));
}

static void step_unary(struct maker *m)
{
    static const char *const OPS[] = {"ReduceSum",     "ReduceMean",
                                      "ReduceMax",     "ReduceLogSumExp",
                                      "ArgMax",        "ArgMin",
                                      "Identity",      "Abs",
                                      "Sigmoid",       "IsNaN",
                                      "Softmax",       "Exp",
                                      "Log",           "Sqrt",
                                      "Tanh",          "Neg",
                                      "Not",           "Relu",
                                      "Reciprocal",    "Flatten",
                                      "Shape",         "LpNormalization",
                                      "ml.Normalizer", "ml.Binarizer"};
    size_t op = pick(m, sizeof OPS / sizeof *OPS);
    const struct live *in = live_find(m, DTYPE_NONE, true);
    if (!in)
        return;
    struct live out = *in;
    out.width = op < 4 ? 1 : in->width;
    Onnx__NodeProto *made = node(m, OPS[op], in->name, live_new(m, &out));
    if (op < 4)
        graph_ints(&m->g, made, "axes", (const int64_t[]){odd(m) ? 0 : 1}, 1);
    if (op == 4 || op == 5)
        int_give(m, made, "axis", 1);
    if (!strcmp(OPS[op], "ml.Normalizer"))
        graph_text(&m->g, made, "norm", odd(m) ? "MAX" : pick(m, 2) ? "L1" : "L2");
}

/* Of two columns, so that what follows mixes them; of comparisons, numbers again. */
static void step_join(struct maker *m)
{
    static const char *const OPS[] = {"Sum", "Max",  "Mean",           "Min",   "Mul", "Add",
                                      "Pow", "Less", "GreaterOrEqual", "Equal", "And"};
    size_t op = pick(m, sizeof OPS / sizeof *OPS);
    const struct live *a = live_find(m, DTYPE_NONE, true), *b = a ? live_find(m, a->dtype, true) : NULL;
    if (!a || !b)
        return;
    struct live out = *a;
    out.width = a->width > b->width ? a->width : b->width;
    out.dtype = op < 7 ? a->dtype : DTYPE_BOOL;
    struct live *made = live_new(m, &out);
    node(m, OPS[op], join(m, a->name, b->name, NULL), made);
    if (op < 7 || m->live_count >= LIVE_MAX - 2)
        return;
    struct live number = *made;
    number.dtype = m->real;
    int_give(m, node(m, "Cast", made->name, live_new(m, &number)), "to", m->real);
}

static void inputs_make(struct maker *m)
{
    static const int TYPES[] = {DTYPE_FLOAT, DTYPE_DOUBLE, DTYPE_TEXT, DTYPE_INT64, 10, DTYPE_BOOL};
    for (size_t c = 0; c < COUNT; c++) {
        if (pick(m, 4) == 3)
            continue;
        bool text = COLUMNS[c].kind == COLUMN_NOMINAL;
        bool whole = COLUMNS[c].type == COLUMN_INT && pick(m, 8) == 7;
        int dtype = odd(m) ? TYPES[pick(m, 6)] : text ? DTYPE_TEXT : whole ? DTYPE_INT64 : m->real;
        struct live *live = &m->live[m->live_count++];
        *live = (struct live){.dtype = dtype, .width = 1, .rows = true};
        snprintf(live->name, sizeof live->name, "%s", odd(m) ? "b" : COLUMNS[c].name);
        graph_input(&m->g, live->name, dtype);
    }
}

/* Everything that the classifier reads: all rows of numbers so far, or the last. */
static const struct live *features_make(struct maker *m)
{
    const struct live *last = live_find(m, DTYPE_NONE, true);
    if (!last)
        last = constant(m, m->real, 1, 2);
    return last;
}

static void linear_make(struct maker *m, const struct live *in)
{
    static const char *const LINKS[] = {"LOGISTIC", "SOFTMAX", "NONE", "PROBIT"};
    size_t width = (size_t)in->width, single = pick(m, 4) == 3, count = length(m, (single ? 1 : 2) * width);
    size_t offsets = length(m, single ? 1 : 2);
    float *weights = (float *)floats(m, count);
    if (!single && !odd(m))
        for (size_t w = 0; w < width && w + width < count; w++)
            weights[w] = -weights[w + width];
    Onnx__NodeProto *made = graph_node(&m->g, "ml.LinearClassifier", in->name, "label,shares");
    graph_floats(&m->g, made, "coefficients", weights, count);
    graph_floats(&m->g, made, "intercepts", floats(m, offsets), offsets);
    graph_text(&m->g, made, "post_transform", LINKS[pick(m, 8) < 5 ? 0 : pick(m, 4)]);
    graph_texts(&m->g, made, "classlabels_strings", odd(m) ? "Yes" : pick(m, 2) ? "Yes,No" : "No,Yes");
}

/* A tree's nodes and weights, appended to the lists. */
struct forest {
    size_t count, leaves;
    int64_t trees[TREES_MAX * 16], ids[TREES_MAX * 16], features[TREES_MAX * 16], yes[TREES_MAX * 16],
        no[TREES_MAX * 16], missing[TREES_MAX * 16], leaf_trees[TREES_MAX * 16], leaf_ids[TREES_MAX * 16],
        classes[TREES_MAX * 16];
    float values[TREES_MAX * 16], weights[TREES_MAX * 16];
    ProtobufCBinaryData modes[TREES_MAX * 16];
};

static void leaf_make(struct maker *m, struct forest *f, size_t tree, bool logistic)
{
    size_t w = f->leaves++;
    f->leaf_trees[w] = (int64_t)tree;
    f->leaf_ids[w] = f->ids[f->count - 1];
    f->classes[w] = odd(m) ? (int64_t)pick(m, 4) - 1 : 0;
    f->weights[w] = odd(m)     ? (float)number(m)
                    : logistic ? ((float)dice(m) - 128) / 64
                               : (float)dice(m) / 256 / TREES_MAX;
    buffer_printf(&m->covers, "%s%d",
                  f->count == 1 || f->trees[f->count - 2] != (int64_t)tree || m->covers.data[m->covers.bytes - 1] == '['
                      ? ""
                      : ",",
                  dice(m) + 1);
}

static void tree_make(struct maker *m, struct forest *f, size_t tree, int64_t width, bool logistic)
{
    static const char *const MODES[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE", "BRANCH_EQ", ""};
    size_t branches = pick(m, 8), nodes = 2 * branches + 1;
    buffer_printf(&m->covers, "%s[", tree ? "," : "");
    for (size_t n = 0, placed = 1; n < nodes; n++) {
        size_t at = f->count++;
        bool leaf = n >= branches ? placed == nodes || n + 1 == nodes : pick(m, 4) == 3 && placed > n + 1;
        leaf = leaf || placed + 2 > nodes;
        const char *mode = leaf ? "LEAF" : MODES[odd(m) ? pick(m, 6) : pick(m, 4)];
        f->modes[at] = (ProtobufCBinaryData){strlen(mode), (uint8_t *)mode};
        f->trees[at] = odd(m) ? (int64_t)pick(m, 4) : (int64_t)tree;
        f->ids[at] = odd(m) ? (int64_t)pick(m, 16) : (int64_t)n;
        f->features[at] = odd(m) ? whole(m) : (int64_t)pick(m, (size_t)width);
        f->values[at] = (float)number(m);
        f->missing[at] = pick(m, 4) == 3;
        f->yes[at] = odd(m) ? (int64_t)pick(m, 16) - 1 : leaf ? 0 : (int64_t)placed;
        f->no[at] = odd(m) ? (int64_t)pick(m, 16) - 1 : leaf ? 0 : (int64_t)placed + 1;
        placed += leaf ? 0 : 2;
        if (leaf)
            leaf_make(m, f, tree, logistic);
    }
    buffer_printf(&m->covers, "]");
}

static void ints_give(struct maker *m, Onnx__NodeProto *to, const char *name, const int64_t *list, size_t count)
{
    if (!odd(m))
        graph_ints(&m->g, to, name, list, odd(m) && count ? count - 1 : count);
}

static void trees_make(struct maker *m, const struct live *in)
{
    static struct forest f;
    bool logistic = pick(m, 2);
    size_t trees = 1 + pick(m, TREES_MAX);
    f.count = f.leaves = 0;
    for (size_t t = 0; t < trees; t++)
        tree_make(m, &f, t, in->width, logistic);
    Onnx__NodeProto *made = graph_node(&m->g, "ml.TreeEnsembleClassifier", in->name, "label,shares");
    Onnx__AttributeProto *modes = graph_attribute(&m->g, made, "nodes_modes", ATTRIBUTE_TEXTS);
    modes->n_strings = f.count;
    modes->strings = f.modes;
    ints_give(m, made, "nodes_treeids", f.trees, f.count);
    ints_give(m, made, "nodes_nodeids", f.ids, f.count);
    ints_give(m, made, "nodes_featureids", f.features, f.count);
    ints_give(m, made, "nodes_truenodeids", f.yes, f.count);
    ints_give(m, made, "nodes_falsenodeids", f.no, f.count);
    ints_give(m, made, "nodes_missing_value_tracks_true", f.missing, f.count);
    graph_floats(&m->g, made, "nodes_values", f.values, odd(m) ? f.count - 1 : f.count);
    ints_give(m, made, "class_treeids", f.leaf_trees, f.leaves);
    ints_give(m, made, "class_nodeids", f.leaf_ids, f.leaves);
    ints_give(m, made, "class_ids", f.classes, f.leaves);
    graph_floats(&m->g, made, "class_weights", f.weights, odd(m) ? 0 : f.leaves);
    graph_text(&m->g, made, "post_transform", logistic ? "LOGISTIC" : "NONE");
    if (logistic && pick(m, 2))
        graph_floats(&m->g, made, "base_values", floats(m, 1), 1);
    graph_texts(&m->g, made, "classlabels_strings", pick(m, 2) ? "Yes,No" : "No,Yes");
}

/* The classifier in ai.onnx: MatMul, Add, Sigmoid; the class by ArgMax. */
static void sigmoid_make(struct maker *m, const struct live *in)
{
    const struct live *weights = constant(m, in->dtype, in->width, 2), *bias = constant(m, in->dtype, 1, 2);
    graph_node(&m->g, "MatMul", join(m, in->name, weights->name, NULL), "product");
    graph_node(&m->g, "Add", join(m, "product", bias->name, NULL), "raw");
    graph_node(&m->g, "Sigmoid", "raw", pick(m, 2) ? "shares" : "both");
    graph_node(&m->g, "Abs", "both", "positive");
    graph_ints(&m->g, graph_node(&m->g, "ReduceSum", "positive", "sum"), "axes", (const int64_t[]){1}, 1);
    graph_node(&m->g, "Div", "both,sum", "shares");
    if (pick(m, 4) < 3) /* "both" is not made where "shares" is made at once: one of the two must go */
        m->g.graph.n_node -= strcmp(m->g.nodes[m->g.graph.n_node - 4].output[0], "both") ? 3 : 0;
    graph_int(&m->g, graph_node(&m->g, "ArgMax", "raw", "index"), "axis", odd(m) ? 0 : 1);
    graph_int64s(&m->g, "classes", (const int64_t[]){0, 1}, 2);
    graph_node(&m->g, "ml.ArrayFeatureExtractor", "classes,index", "label");
}

static void properties_make(struct maker *m, size_t kind)
{
    static const char LINEAR[] =
        "{\"kind\":\"linear\",\"columns\":{\"a\":1,\"age\":2,\"pay\":3,\"city\":{\"Ulm\":0.5,\"x\":0.5},"
        "\"shift\":{\"day\":1}}}";
    Onnx__StringStringEntryProto *entry = arena_take(&m->g.arena, sizeof *entry);
    Onnx__StringStringEntryProto **list = arena_take(&m->g.arena, sizeof *list);
    struct buffer text = {0};
    onnx__string_string_entry_proto__init(entry);
    buffer_printf(&text, "{\"kind\":\"tree\",\"covers\":[%.*s]}", (int)m->covers.bytes,
                  m->covers.bytes ? m->covers.data : "");
    entry->key = (char *)"attrition.reference";
    entry->value = kind == 1 ? arena_text(&m->g.arena, text.data, text.bytes) : (char *)LINEAR;
    buffer_free(&text);
    list[0] = entry;
    m->g.model.metadata_props = list;
    m->g.model.n_metadata_props = pick(m, 4) < 3;
}

static void model_make(struct maker *m)
{
    static void (*const STEPS[])(struct maker *) = {step_concat, step_impute,  step_scale, step_arithmetic, step_fill,
                                                    step_encode, step_one_hot, step_cast,  step_gather,     step_clip,
                                                    step_matmul, step_unary,   step_join,  step_unary,      step_join};
    graph_init(&m->g, odd(m) ? dice(m) : 9 + (int64_t)pick(m, 20), odd(m) ? dice(m) : 1 + (int64_t)pick(m, 3));
    m->real = pick(m, 4) == 3 ? DTYPE_DOUBLE : DTYPE_FLOAT;
    inputs_make(m);
    for (size_t s = pick(m, STEPS_MAX); s > 0 && m->g.graph.n_node < NODES_MAX && m->live_count < LIVE_MAX - 12; s--)
        STEPS[pick(m, sizeof STEPS / sizeof *STEPS)](m);
    const struct live *features = features_make(m);
    size_t kind = pick(m, 3);
    (kind == 0 ? linear_make : kind == 1 ? trees_make : sigmoid_make)(m, features);
    properties_make(m, kind);
    graph_output(&m->g, "label", kind == 2 ? DTYPE_INT64 : DTYPE_TEXT);
    graph_output(&m->g, odd(m) ? "nowhere" : "shares", m->real);
}

static void rows_make(struct cell *cells)
{
    static const double NUMBERS[] = {0, 41, -1e308, 5e-324, 1, -1, 3.5, 0.1, 1e30, 2147483647.0};
    static const char *const WORDS[] = {"Ulm", "Bonn", "day", "x", "elsewhere"};
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COUNT; c++) {
            const char *word = WORDS[(r + c) % 5];
            struct cell *cell = &cells[r * COUNT + c];
            *cell = cell_missing(&COLUMNS[c]);
            if ((r + c) % 4 == 0)
                continue;
            if (COLUMNS[c].kind != COLUMN_NOMINAL)
                *cell = cell_number(NUMBERS[(r * 3 + c) % 10]);
            else
                *cell = (struct cell){.text = word,
                                      .text_bytes = (uint32_t)strlen(word),
                                      .code = column_code(&COLUMNS[c], span_of(word))};
        }
}

static bool same(double a, double b)
{
    return isnan(a) ? isnan(b) : memcmp(&a, &b, sizeof a) == 0;
}

/* Where a margin is a small number, its contributions must add up to it. */
static void reasons_check(const struct pipeline *pipeline, const struct score *score, const struct reason *reasons)
{
    double sum = score->base, size = fabs(score->base) + fabs(score->margin);
    for (uint32_t k = 0; k < score->reason_count; k++) {
        assert(reasons[k].column < COUNT);
        sum += reasons[k].contribution;
        size += fabs(reasons[k].contribution);
    }
    if (pipeline_has_reasons(pipeline) && isfinite(size))
        assert(fabs(sum - score->margin) <= 1e-9 * fmax(1, size));
}

static void score(const struct pipeline *pipeline)
{
    struct cell cells[ROWS * COUNT];
    struct score batch[ROWS], alone;
    struct reason reasons[ROWS * COUNT], own[COUNT];
    rows_make(cells);
    pipeline_score(pipeline, cells, ROWS, COUNT, batch, reasons);
    for (size_t r = 0; r < ROWS; r++) {
        pipeline_score(pipeline, cells + r * COUNT, 1, COUNT, &alone, own);
        assert(isnan(alone.probability) || (alone.probability >= 0 && alone.probability <= 1));
        assert(same(alone.probability, batch[r].probability) && same(alone.margin, batch[r].margin));
        assert(same(alone.base, batch[r].base) && alone.reason_count == batch[r].reason_count);
        for (uint32_t k = 0; k < alone.reason_count; k++)
            assert(own[k].column == reasons[r * COUNT + k].column &&
                   same(own[k].contribution, reasons[r * COUNT + k].contribution));
        reasons_check(pipeline, &alone, own);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct maker m;
    static struct buffer file;
    const struct pipeline_options options = {.default_positive = "Yes"};
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    m.at = data;
    m.end = data + bytes;
    m.live_count = 0;
    buffer_clear(&m.covers);
    buffer_clear(&file);
    model_make(&m);
    graph_pack(&m.g, &file);
    enum status status = pipeline_load(buffer_span(&file), COLUMNS, COUNT, &options, &pipeline, &err);
    if (status) {
        assert(!pipeline && *err.text && !strchr(err.text, '\n'));
        return 0;
    }
    score(pipeline);
    pipeline_free(pipeline);
    return 0;
}

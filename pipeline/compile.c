/* The symbolic walk: names → values, node by node, from the inputs (bound to the schema's columns by name) to the label
 * and the probabilities. Called by pipeline_load, at load only. Nodes that neither output needs are left out, so an
 * operator that nobody asks for is no reason to refuse. Must refuse, by operator and node name, whatever it cannot
 * follow exactly. */
#include "pipeline/compile.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/estimators.h"
#include "pipeline/operators.h"

enum { NODE_MAX_INPUTS = 4096, NODE_MAX_ATTRIBUTES = 64, NAMES_MAX = 1 << 18 };

/* Names of tensors, sorted; a name's place is its id. */
struct name_table {
    struct span *names;
    size_t count;
};

/* Names for the columns of tables, taken one after the other. */
struct table_names {
    struct span rest;
    bool known;
};

struct compiler {
    const struct onnx_graph *graph;
    size_t column_count;
    struct expr_pool *pool;
    struct name_table names;
    struct value *values; /* by name id */
    bool *needed;
    struct table_names tables;
    struct compiled_input *inputs; /* what is bound, in the pool */
    size_t input_count;
    bool has_table;
    struct error *err;
};

static int name_order(const void *a, const void *b)
{
    const struct span *left = a, *right = b;
    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? -1 : 1;
    return left->bytes ? memcmp(left->data, right->data, left->bytes) : 0;
}

/* −1 if no tensor has that name. */
static int64_t name_find(const struct name_table *table, struct span name)
{
    const struct span *found =
        table->count ? bsearch(&name, table->names, table->count, sizeof name, name_order) : NULL;
    return found ? found - table->names : -1;
}

static void names_gather(struct name_table *table, const struct onnx_graph *graph)
{
    for (size_t i = 0; i < graph->input_count; i++)
        table->names[table->count++] = graph->inputs[i].name;
    for (size_t i = 0; i < graph->initializer_count; i++)
        table->names[table->count++] = graph->initializers[i].name;
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t o = 0; o < graph->nodes[n].output_count; o++)
            if (graph->nodes[n].outputs[o].bytes)
                table->names[table->count++] = graph->nodes[n].outputs[o];
    if (table->count)
        qsort(table->names, table->count, sizeof *table->names, name_order);
}

static enum status compiler_init(struct compiler *compiler)
{
    const struct onnx_graph *graph = compiler->graph;
    struct name_table *names = &compiler->names;
    size_t most = graph->input_count + graph->initializer_count;
    for (size_t n = 0; n < graph->node_count; n++)
        most += graph->nodes[n].output_count;
    if (most > NAMES_MAX)
        return error_set(compiler->err, STATUS_LIMIT, "the graph has %zu tensors, more than %d", most, NAMES_MAX);
    names->names = mem_zeroed(most, sizeof *names->names);
    compiler->values = mem_zeroed(most, sizeof *compiler->values);
    compiler->needed = mem_zeroed(most, sizeof *compiler->needed);
    names_gather(names, graph);
    for (size_t n = 1; n < names->count; n++)
        if (name_order(&names->names[n - 1], &names->names[n]) == 0)
            return error_set(compiler->err, STATUS_INVALID, "the tensor '%.100s' is made twice: export the model again",
                             names->names[n].data);
    return STATUS_OK;
}

static void compiler_clear(struct compiler *compiler)
{
    free(compiler->names.names);
    free(compiler->values);
    free(compiler->needed);
}

static const struct value *compiler_value(const struct compiler *compiler, struct span name)
{
    int64_t id = name_find(&compiler->names, name);
    return id < 0 || compiler->values[id].kind == VALUE_NONE ? NULL : &compiler->values[id];
}

static int64_t input_column(const struct compiler *compiler, struct span name)
{
    for (size_t c = 0; c < compiler->column_count; c++)
        if (span_equal(span_of(compiler->pool->columns[c].name), name))
            return (int64_t)c;
    return -1;
}

/* A table [N, k]: its columns are named from outside, since ONNX has no names for them. */
static bool input_is_table(const struct compiler *compiler, const struct onnx_value *input)
{
    if (!input->is_tensor || !input->has_shape || input->rank != 2 || input->dims[1] == 0)
        return false;
    bool single = input->dims[1] == 1 || input->dims[1] == -1;
    return input_column(compiler, input->name) < 0 && (!single || compiler->tables.known);
}

static enum status table_unnamed(struct compiler *compiler, const struct onnx_value *input)
{
    return error_set(
        compiler->err, STATUS_UNSUPPORTED,
        "the model's input '%.60s' is one table of unnamed columns: say which they are, in its order, with "
        "--columns A,B,C, or export with one input [N, 1] for each column, named as in the schema "
        "(docs/MODELS.md)",
        input->name.data);
}

/* All inputs that the schema lacks, in one message. */
static enum status inputs_present(struct compiler *compiler)
{
    struct buffer missing = {0};
    for (size_t i = 0; i < compiler->graph->input_count; i++) {
        const struct onnx_value *input = &compiler->graph->inputs[i];
        bool table = input_is_table(compiler, input), lacks = !table && input_column(compiler, input->name) < 0;
        if (table && !compiler->tables.known) {
            buffer_free(&missing);
            return table_unnamed(compiler, input);
        }
        if (lacks && missing.bytes < 300)
            buffer_printf(&missing, "%s%.60s", missing.bytes ? ", " : "", input->name.bytes ? input->name.data : "''");
    }
    if (missing.bytes == 0)
        return STATUS_OK;
    enum status status =
        error_set(compiler->err, STATUS_NOT_FOUND,
                  "the model needs columns that the schema lacks: %.*s: train with this schema's columns",
                  (int)missing.bytes, missing.data);
    buffer_free(&missing);
    return status;
}

static enum status column_fits(const struct compiler *compiler, const struct onnx_value *input,
                               const struct column *column)
{
    bool text = column->kind == COLUMN_NOMINAL;
    bool whole = column_is_whole(column) && dtype_is_whole(input->dtype);
    if (input->is_tensor && (text ? input->dtype == DTYPE_TEXT : dtype_is_real(input->dtype) || whole))
        return STATUS_OK;
    return error_set(compiler->err, STATUS_UNSUPPORTED,
                     "the model's input %s takes %s, but the column is %s: retrain, or correct the schema",
                     column->name, input->is_tensor ? dtype_name(input->dtype) : "no tensor",
                     text                      ? "text"
                     : column_is_whole(column) ? "an integer (float, double or int64)"
                                               : "a number (float or double)");
}

/* Column `index` as element `at` of the input's cells. */
static enum status column_bind(struct compiler *compiler, const struct onnx_value *input, int64_t index, uint32_t *cell)
{
    const struct column *column = &compiler->pool->columns[index];
    if (column_fits(compiler, input, column) != STATUS_OK)
        return compiler->err->status;
    for (size_t i = 0; i < compiler->input_count; i++)
        if (compiler->inputs[i].column == (uint32_t)index)
            return error_set(compiler->err, STATUS_INVALID, "column %s is named twice: name each of them once",
                             column->name);
    compiler->inputs[compiler->input_count++] = (struct compiled_input){(uint32_t)index, input->dtype};
    *cell = expr_input(compiler->pool, (uint32_t)index, input->dtype);
    return STATUS_OK;
}

static void input_value_set(struct compiler *compiler, const struct onnx_value *input, size_t rank, size_t count,
                            const uint32_t *cells)
{
    compiler->values[name_find(&compiler->names, input->name)] = (struct value){.kind = VALUE_TENSOR,
                                                                                .dtype = input->dtype,
                                                                                .rows = true,
                                                                                .rank = rank,
                                                                                .dims = {1, count},
                                                                                .count = count,
                                                                                .cells = cells};
}

/* "A,B" and ["A","B"] alike. False at the end. */
static bool table_name_next(struct table_names *tables, struct span *name)
{
    static const char AROUND[] = " \t\r\n\"[]";
    struct span rest = tables->rest;
    if (rest.bytes == 0)
        return false;
    const char *comma = memchr(rest.data, ',', rest.bytes);
    size_t bytes = comma ? (size_t)(comma - rest.data) : rest.bytes, taken = bytes + (comma != NULL);
    tables->rest = (struct span){rest.data + taken, rest.bytes - taken};
    while (bytes && strchr(AROUND, rest.data[bytes - 1]))
        bytes--;
    while (bytes && strchr(AROUND, *rest.data))
        rest.data++, bytes--;
    *name = (struct span){rest.data, bytes};
    return true;
}

static enum status table_bind(struct compiler *compiler, const struct onnx_value *input)
{
    size_t width = input->dims[1] < 0 ? compiler->column_count : (size_t)input->dims[1], count = 0;
    struct span name;
    if (width > compiler->column_count)
        return error_set(compiler->err, STATUS_INVALID,
                         "the model's input '%.60s' has %zu columns, more than the schema: export the pipeline with "
                         "the steps that make them",
                         input->name.data, width);
    uint32_t *cells = expr_pool_take(compiler->pool, width, sizeof *cells);
    while (count < width && table_name_next(&compiler->tables, &name)) {
        int64_t index = input_column(compiler, name);
        if (index < 0)
            return error_set(compiler->err, STATUS_NOT_FOUND,
                             "--columns: the schema has no column '%.*s': correct the name",
                             (int)(name.bytes < 60 ? name.bytes : 60), name.data);
        if (column_bind(compiler, input, index, &cells[count++]) != STATUS_OK)
            return compiler->err->status;
    }
    if (input->dims[1] >= 0 ? count != width : count == 0)
        return error_set(compiler->err, STATUS_INVALID,
                         "--columns names %zu columns for the model's input '%.60s', which has %lld: name each of "
                         "them, in its order",
                         count, input->name.data, (long long)input->dims[1]);
    input_value_set(compiler, input, 2, count, cells);
    return STATUS_OK;
}

/* One tensor per column: [N, 1] or [N]; or a table. */
static enum status input_bind(struct compiler *compiler, const struct onnx_value *input)
{
    if (input_is_table(compiler, input))
        return table_bind(compiler, input);
    int64_t index = input_column(compiler, input->name);
    const struct column *column = &compiler->pool->columns[index];
    bool flat =
        !input->has_shape || (input->rank == 2 && (input->dims[1] == 1 || input->dims[1] == -1)) || input->rank == 1;
    if (column_fits(compiler, input, column) != STATUS_OK)
        return compiler->err->status;
    if (!flat || (input->has_shape && input->dims[0] > 1))
        return error_set(compiler->err, STATUS_UNSUPPORTED,
                         "the model's input %s is not [N, 1]: export with one input for each column", column->name);
    uint32_t *cells = expr_pool_take(compiler->pool, 1, sizeof *cells);
    enum status status = column_bind(compiler, input, index, cells);
    input_value_set(compiler, input, input->has_shape ? input->rank : 2, 1, cells);
    return status;
}

static enum status inputs_bind(struct compiler *compiler)
{
    enum status status = inputs_present(compiler);
    struct span left;
    compiler->inputs = expr_pool_take(compiler->pool, compiler->column_count, sizeof *compiler->inputs);
    for (size_t i = 0; i < compiler->graph->input_count && status == STATUS_OK; i++)
        status = input_bind(compiler, &compiler->graph->inputs[i]);
    for (size_t i = 0; i < compiler->graph->input_count; i++)
        compiler->has_table |= input_is_table(compiler, &compiler->graph->inputs[i]);
    if (status == STATUS_OK && compiler->has_table && table_name_next(&compiler->tables, &left))
        return error_set(compiler->err, STATUS_INVALID,
                         "--columns names more columns than the model's inputs have, from '%.*s' on: name each of "
                         "them once, in its order",
                         (int)(left.bytes < 60 ? left.bytes : 60), left.data);
    return status;
}

static void initializer_bind(struct compiler *compiler, const struct onnx_tensor *tensor)
{
    struct value *value = &compiler->values[name_find(&compiler->names, tensor->name)];
    *value = (struct value){.kind = VALUE_TENSOR, .dtype = tensor->dtype, .rank = tensor->rank, .count = tensor->count};
    for (size_t d = 0; d < tensor->rank; d++)
        value->dims[d] = (size_t)tensor->dims[d];
    if (!expr_pool_room(compiler->pool, tensor->count, sizeof(uint32_t)))
        return;
    uint32_t *cells = expr_pool_take(compiler->pool, tensor->count, sizeof *cells);
    value->cells = cells;
    for (size_t c = 0; c < tensor->count && !compiler->pool->overflow; c++)
        cells[c] = tensor->texts ? expr_text(compiler->pool, tensor->texts[c])
                                 : expr_number(compiler->pool, tensor->dtype, tensor->numbers[c]);
}

/* NULL: none. */
static const struct onnx_node *node_making(const struct onnx_graph *graph, struct span name)
{
    for (size_t n = 0; n < graph->node_count; n++)
        for (size_t o = 0; o < graph->nodes[n].output_count; o++)
            if (span_equal(graph->nodes[n].outputs[o], name))
                return &graph->nodes[n];
    return NULL;
}

/* The outputs that say the label and the probabilities. */
static enum status outputs_find(const struct compiler *compiler, const struct onnx_value **label,
                                const struct onnx_value **probabilities)
{
    for (size_t o = compiler->graph->output_count; o-- > 0;) {
        const struct onnx_value *output = &compiler->graph->outputs[o];
        bool names_class = output->is_tensor && (output->dtype == DTYPE_TEXT || dtype_is_whole(output->dtype));
        *(names_class ? label : probabilities) = output;
    }
    if (*label && *probabilities)
        return STATUS_OK;
    const struct onnx_value *only = *label ? *label : *probabilities;
    const struct onnx_node *maker = only ? node_making(compiler->graph, only->name) : NULL;
    enum status status =
        error_set(compiler->err, STATUS_UNSUPPORTED,
                  "the model's outputs must be a label and the probabilities of its classes: export a classifier");
    return maker ? error_prefix(compiler->err, "operator %s (node '%.60s')", maker->op, maker->name) : status;
}

static void name_need(struct compiler *compiler, struct span name)
{
    int64_t id = name_find(&compiler->names, name);
    if (id >= 0)
        compiler->needed[id] = true;
}

static bool node_needed(const struct compiler *compiler, const struct onnx_node *node)
{
    for (size_t o = 0; o < node->output_count; o++) {
        int64_t id = node->outputs[o].bytes ? name_find(&compiler->names, node->outputs[o]) : -1;
        if (id >= 0 && compiler->needed[id])
            return true;
    }
    return false;
}

/* Nodes stand in the order of their making, so one pass from the end finds all that an output needs. */
static void nodes_need(struct compiler *compiler)
{
    for (size_t n = compiler->graph->node_count; n-- > 0;) {
        const struct onnx_node *node = &compiler->graph->nodes[n];
        if (node_needed(compiler, node))
            for (size_t i = 0; i < node->input_count; i++)
                name_need(compiler, node->inputs[i]);
    }
}

static enum status node_check(struct compiler *compiler, const struct onnx_node *node, const struct operator_row *row)
{
    if (!(node->ml ? compiler->graph->opset_ml : compiler->graph->opset))
        return error_set(compiler->err, STATUS_INVALID, "the file does not import the operator set %s",
                         node->ml ? "ai.onnx.ml" : "ai.onnx");
    if (node->input_count < row->inputs_min || node->input_count > row->inputs_max ||
        node->input_count > NODE_MAX_INPUTS || node->output_count < 1 || node->output_count > row->outputs_max ||
        node->attribute_count > NODE_MAX_ATTRIBUTES)
        return error_set(compiler->err, STATUS_UNSUPPORTED, "%zu inputs, %zu outputs and %zu attributes",
                         node->input_count, node->output_count, node->attribute_count);
    for (size_t a = 0; a < node->attribute_count; a++) {
        const char *name = node->attributes[a].name;
        if (onnx_attribute_find(node, name) != &node->attributes[a])
            return error_set(compiler->err, STATUS_INVALID, "duplicate attribute '%.60s': export the model again",
                             name);
        if (!operator_list_has(row->attributes, name))
            return error_set(compiler->err, STATUS_UNSUPPORTED, "attribute '%.60s' is not supported (docs/MODELS.md)",
                             name);
    }
    return STATUS_OK;
}

static enum status node_inputs(struct compiler *compiler, const struct onnx_node *node, const struct operator_row *row,
                               const struct value **inputs)
{
    for (size_t i = 0; i < node->input_count; i++) {
        if (i >= row->inputs_min && row->inputs_max != SIZE_MAX && node->inputs[i].bytes == 0)
            continue; /* an optional one, left out */
        inputs[i] = compiler_value(compiler, node->inputs[i]);
        if (!inputs[i])
            return error_set(compiler->err, STATUS_INVALID,
                             "reads '%.60s', which nothing before it makes: export the model again",
                             node->inputs[i].data);
    }
    return STATUS_OK;
}

/* The number of the larger of two scores, where an operator computes with it: the first of equal ones. */
static void class_index(struct compiler *compiler, const struct value *chosen, struct value *out)
{
    uint32_t *cells = expr_pool_take(compiler->pool, 1, sizeof *cells);
    uint32_t second = expr_arithmetic(compiler->pool, EXPR_LESS, DTYPE_BOOL, chosen->cells[0], chosen->cells[1]);
    *out = (struct value){.kind = VALUE_TENSOR,
                          .dtype = chosen->dtype,
                          .rows = true,
                          .rank = chosen->rank,
                          .dims = {1, 1},
                          .count = 1,
                          .cells = cells};
    if (!compiler->pool->overflow)
        cells[0] = expr_unary(compiler->pool, EXPR_CAST, chosen->dtype, second);
}

static bool any_flat(const struct value *const *inputs, size_t count)
{
    bool flat = false;
    for (size_t i = 0; i < count; i++)
        flat |= inputs[i] && inputs[i]->flat;
    return flat;
}

/* Rows in one line meet only their like, element by element, and single constants; Gather's list and Reshape's shape
 * are those operators' own. */
static enum status flat_suits(struct compiler *compiler, const struct operator_row *row,
                              const struct value *const *inputs, size_t count)
{
    bool suits = operator_takes_flat(row) && !(row->compile == compile_gather && inputs[0] && inputs[0]->flat);
    bool own = row->compile == compile_gather || row->compile == compile_reshape;
    for (size_t i = 0; i < count && !own; i++)
        suits &= !inputs[i] || inputs[i]->flat || (!inputs[i]->rows && inputs[i]->count == 1);
    return suits ? STATUS_OK
                 : error_set(compiler->err, STATUS_UNSUPPORTED,
                             "computing with all rows in one line is not supported (docs/MODELS.md)");
}

/* What the operator's body does not take: a class as a number, a batch behind axis 0. */
static enum status inputs_suit(struct compiler *compiler, const struct onnx_node *node, const struct operator_row *row,
                               const struct value **inputs)
{
    if (any_flat(inputs, node->input_count) && flat_suits(compiler, row, inputs, node->input_count) != STATUS_OK)
        return compiler->err->status;
    for (size_t i = 0; i < node->input_count; i++) {
        if (inputs[i] && inputs[i]->rows && inputs[i]->batch && !operator_takes_stack(row))
            return error_set(compiler->err, STATUS_UNSUPPORTED, "a stack of batches is not supported (docs/MODELS.md)");
        if (inputs[i] && inputs[i]->has_row_count && !operator_takes_row_count(row))
            return error_set(compiler->err, STATUS_UNSUPPORTED,
                             "computing with the number of rows is not supported (docs/MODELS.md)");
        if (!inputs[i] || inputs[i]->kind != VALUE_CLASS || operator_takes_class(row))
            continue;
        if (!inputs[i]->is_index || inputs[i]->count != CLASS_COUNT)
            return error_set(compiler->err, STATUS_UNSUPPORTED,
                             "computing with the predicted class is not supported (docs/MODELS.md)");
        struct value *index = expr_pool_take(compiler->pool, 1, sizeof *index);
        class_index(compiler, inputs[i], index);
        inputs[i] = index;
    }
    return STATUS_OK;
}

/* Whether the number of rows went from a node's inputs into what it made. */
static bool row_count_passes(const struct compiler *compiler, const struct value *const *inputs, size_t input_count,
                             const struct value *output)
{
    bool given = false, passed = false;
    for (size_t i = 0; i < input_count; i++)
        given |= inputs[i] && inputs[i]->has_row_count;
    for (size_t c = 0; given && !output->rows && output->kind == VALUE_TENSOR && c < output->count; c++) {
        const struct expr *expr = expr_at(compiler->pool, output->cells[c]);
        passed |= expr->op == EXPR_NUMBER && isnan(expr->number);
    }
    return passed;
}

static enum status node_run(struct compiler *compiler, const struct onnx_node *node, const struct operator_row *row,
                            const struct value **inputs)
{
    struct value outputs[OPERATOR_MAX_OUTPUTS] = {{0}};
    struct operation operation = {.pool = compiler->pool,
                                  .node = node,
                                  .inputs = inputs,
                                  .input_count = node->input_count,
                                  .outputs = outputs,
                                  .output_count = node->output_count,
                                  .opset = node->ml ? compiler->graph->opset_ml : compiler->graph->opset,
                                  .err = compiler->err};
    expr_pool_enter(compiler->pool, node->op, node->name);
    enum status status = row->compile(&operation);
    if (status == STATUS_OK && compiler->pool->overflow)
        status = error_set(compiler->err, STATUS_LIMIT, "the graph is too large or too deep to compile");
    for (size_t o = 0; o < node->output_count && status == STATUS_OK; o++)
        if (node->outputs[o].bytes) {
            outputs[o].flat |= row->compile != compile_reshape && any_flat(inputs, node->input_count);
            outputs[o].has_row_count |= row_count_passes(compiler, inputs, node->input_count, &outputs[o]);
            compiler->values[name_find(&compiler->names, node->outputs[o])] = outputs[o];
        }
    return status;
}

/* In the words of who trained it, where they are known. */
static enum status node_refuse(struct compiler *compiler, const struct onnx_node *node)
{
    const struct estimator_row *estimator = estimator_of(node);
    const char *around = estimator_around(compiler->graph);
    if (estimator)
        return error_set(compiler->err, STATUS_UNSUPPORTED,
                         "%s%s%s is not supported: %s (operator %s%s%s, node '%.60s'; docs/MODELS.md)",
                         around ? around : "", around ? " of " : "", estimator->name, estimator->way_out, node->domain,
                         *node->domain ? "." : "", node->op, node->name);
    return error_set(compiler->err, STATUS_UNSUPPORTED,
                     "operator %s%s%s (node '%.60s') is not supported: see docs/MODELS.md", node->domain,
                     *node->domain ? "." : "", node->op, node->name);
}

static enum status node_compile(struct compiler *compiler, const struct onnx_node *node)
{
    const struct operator_row *row = operator_find(node);
    if (!row)
        return node_refuse(compiler, node);
    const struct value **inputs = mem_zeroed(node->input_count, sizeof *inputs);
    enum status status = node_check(compiler, node, row);
    if (status == STATUS_OK)
        status = node_inputs(compiler, node, row, inputs);
    if (status == STATUS_OK)
        status = inputs_suit(compiler, node, row, inputs);
    if (status == STATUS_OK)
        status = node_run(compiler, node, row, inputs);
    free(inputs);
    if (status == STATUS_UNSUPPORTED && estimator_of(node)) /* another form of an operator that is known elsewhere */
        return node_refuse(compiler, node);
    return status != STATUS_OK ? error_prefix(compiler->err, "operator %s (node '%.60s')", node->op, node->name)
                               : STATUS_OK;
}

static enum status compiler_walk(struct compiler *compiler)
{
    const struct onnx_graph *graph = compiler->graph;
    enum status status = inputs_bind(compiler);
    for (size_t i = 0; i < graph->initializer_count && status == STATUS_OK; i++)
        if (compiler->needed[name_find(&compiler->names, graph->initializers[i].name)])
            initializer_bind(compiler, &graph->initializers[i]);
    if (status == STATUS_OK && compiler->pool->overflow)
        return error_set(compiler->err, STATUS_LIMIT, "the model holds more than %d constants", EXPR_MAX);
    for (size_t n = 0; n < graph->node_count && status == STATUS_OK; n++)
        if (node_needed(compiler, &graph->nodes[n]))
            status = node_compile(compiler, &graph->nodes[n]);
    return status;
}

/* The probabilities' columns must be the scores that the label is chosen by, class by class, or what rises with them:
 * their sigmoids, exponentials, quotients, differences from the same number, positive multiples. */
static bool classes_agree(const struct expr_pool *pool, const uint32_t *scores, uint32_t first, uint32_t second)
{
    const struct expr *a = expr_at(pool, first), *b = expr_at(pool, second);
    if (scores[0] == first && scores[1] == second)
        return true;
    if (a->op != b->op)
        return false;
    bool shared = expr_is_binary(a) && a->b == b->b;
    bool scaled =
        shared && a->op == EXPR_MUL && expr_at(pool, a->b)->op == EXPR_NUMBER && expr_at(pool, a->b)->number > 0;
    bool divided =
        shared && a->op == EXPR_DIV && !(expr_at(pool, a->b)->op == EXPR_NUMBER && expr_at(pool, a->b)->number < 0);
    if (a->op == EXPR_SIGMOID || a->op == EXPR_EXP || scaled || divided || (shared && a->op == EXPR_SUB))
        return classes_agree(pool, scores, a->a, b->a);
    return false;
}

static enum status compiler_result(struct compiler *compiler, const struct onnx_value *label,
                                   const struct onnx_value *probabilities, struct compiled *out)
{
    const struct value *chosen = compiler_value(compiler, label->name);
    const struct value *shares = compiler_value(compiler, probabilities->name);
    if (!chosen || chosen->kind != VALUE_CLASS || chosen->count != CLASS_COUNT)
        return error_set(compiler->err, STATUS_UNSUPPORTED, "output '%.60s' is not the class of the larger score",
                         label->name.data);
    if (!shares || shares->kind == VALUE_CLASS || !shares->rows || shares->flat || shares->count != CLASS_COUNT)
        return error_set(compiler->err, STATUS_UNSUPPORTED,
                         "output '%.60s' is not the probabilities of two classes: LinearSVC, RidgeClassifier and "
                         "regressors have none: train a classifier with predict_proba, or calibrate it "
                         "(CalibratedClassifierCV)",
                         probabilities->name.data);
    for (size_t k = 0; k < CLASS_COUNT; k++) {
        if (shares->kind == VALUE_MAP && !span_equal(shares->labels->texts[k], chosen->labels->texts[k]))
            return error_set(compiler->err, STATUS_UNSUPPORTED,
                             "output '%.60s' names the classes otherwise than output '%.60s': export the model again",
                             probabilities->name.data, label->name.data);
        out->probabilities[k] = shares->cells[k];
    }
    if (!classes_agree(compiler->pool, chosen->cells, shares->cells[0], shares->cells[1]))
        return error_set(compiler->err, STATUS_UNSUPPORTED, "the label is not chosen by the probabilities' own scores");
    out->labels = *chosen->labels;
    out->inputs = compiler->inputs;
    out->input_count = compiler->input_count;
    out->has_table = compiler->has_table;
    return STATUS_OK;
}

enum status compile_graph(const struct onnx_graph *graph, size_t column_count, struct span names,
                          struct expr_pool *pool, struct compiled *out, struct error *err)
{
    struct compiler compiler = {
        .graph = graph, .column_count = column_count, .pool = pool, .tables = {names, names.data != NULL}, .err = err};
    const struct onnx_value *label = NULL, *probabilities = NULL;
    enum status status = compiler_init(&compiler);
    if (status == STATUS_OK)
        status = outputs_find(&compiler, &label, &probabilities);
    if (status == STATUS_OK) {
        name_need(&compiler, label->name);
        name_need(&compiler, probabilities->name);
        nodes_need(&compiler);
        status = compiler_walk(&compiler);
    }
    if (status == STATUS_OK)
        status = compiler_result(&compiler, label, probabilities, out);
    compiler_clear(&compiler);
    return status;
}

/* Expressions → struct steps. Called by pipeline_load, at load only.
 *
 * What the result needs is found from the end, since operands stand before what reads them; each such expression gets
 * a place and one step. Functions of one nominal column are tabulated (tabulation.h), so that no text is compared while
 * scoring. */
#include "pipeline/steps_program.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/ensemble.h"
#include "pipeline/support_vectors.h"

struct listing {
    const struct expr_pool *pool;
    struct steps *steps;
    bool *needed;     /* by expression */
    uint32_t *places; /* likewise */
    uint32_t *last;   /* likewise: the last expression that reads it */
    uint32_t *free;   /* places that nobody reads any more */
    size_t free_count;
    uint32_t reader; /* at work */
    struct tabulation tabulation;
    size_t work;
    struct error *err;
};

static void *steps_take(struct steps *steps, size_t count, size_t size)
{
    steps->bytes += count * size;
    return arena_zeroed(&steps->arena, count, size);
}

static bool is_tabulated(const struct listing *listing, const struct expr *expr)
{
    return expr->column >= 0 && listing->pool->columns[expr->column].kind == COLUMN_NOMINAL;
}

typedef void operand_visit(struct listing *listing, uint32_t id);

/* Of trees those inputs that some node reads; an operand may come more than once. */
static void operands_each(struct listing *listing, const struct expr *expr, operand_visit *visit)
{
    if (expr->op == EXPR_NUMBER || expr->op == EXPR_INPUT || is_tabulated(listing, expr))
        return;
    if (expr->op == EXPR_TREES) {
        for (size_t n = 0; n < expr->trees->node_count; n++)
            if (expr->trees->nodes[n].left)
                visit(listing, expr->trees->inputs[expr->trees->nodes[n].feature]);
    } else if (expr->op == EXPR_VECTORS) {
        for (size_t i = 0; i < expr->vectors->width; i++)
            visit(listing, expr->vectors->inputs[i]);
    } else if (expr->op == EXPR_LINEAR) {
        for (size_t t = 0; t < expr->terms->count; t++)
            visit(listing, expr->terms->terms[t].expr);
    } else {
        visit(listing, expr->a);
        if (expr->op == EXPR_WHERE || expr_is_binary(expr))
            visit(listing, expr->b);
        if (expr->op == EXPR_WHERE)
            visit(listing, expr->c);
    }
}

static void operand_need(struct listing *listing, uint32_t id)
{
    if (!listing->needed[id])
        listing->last[id] = listing->reader;
    listing->needed[id] = true;
}

/* A value's slot is reused after the last step that reads it. Constants keep theirs: they are written once for all
 * blocks. */
static void operand_release(struct listing *listing, uint32_t id)
{
    if (listing->last[id] != listing->reader || expr_at(listing->pool, id)->op == EXPR_NUMBER)
        return;
    listing->last[id] = UINT32_MAX;
    listing->free[listing->free_count++] = listing->places[id];
}

static uint32_t place_take(struct listing *listing)
{
    return listing->free_count ? listing->free[--listing->free_count] : (uint32_t)listing->steps->place_count++;
}

/* Marks what the result needs, and checks that it can be computed in places. */
static enum status steps_need(struct listing *listing, uint32_t result)
{
    size_t places = 1;
    listing->needed[result] = true;
    for (uint32_t id = result + 1; id-- > 0;) {
        const struct expr *expr = expr_at(listing->pool, id);
        if (!listing->needed[id])
            continue;
        if (expr->dtype == DTYPE_TEXT)
            return error_set(listing->err, STATUS_UNSUPPORTED,
                             "texts that depend on numbers or on several columns are not supported (docs/MODELS.md)");
        listing->reader = id;
        operands_each(listing, expr, operand_need);
        listing->work += expr->op == EXPR_LINEAR    ? expr->terms->count
                         : expr->op == EXPR_VECTORS ? expr->vectors->count * (expr->vectors->width + 1)
                         : expr->op == EXPR_ENCODE && !is_tabulated(listing, expr) ? expr->map->count
                                                                                   : 1;
        places++;
    }
    if (places > STEPS_MAX_PLACES || listing->work > STEPS_MAX_WORK)
        return error_set(listing->err, STATUS_LIMIT,
                         "the model takes %zu numbers and %zu terms for a row, more than %d or %d: train a smaller one",
                         places, listing->work, STEPS_MAX_PLACES, STEPS_MAX_WORK);
    return STATUS_OK;
}

static enum status table_make(struct listing *listing, uint32_t column, const uint32_t *ids, struct step_texts *texts)
{
    struct tabulation *tabulation = &listing->tabulation;
    tabulation_begin(tabulation);
    for (uint32_t t = 0; t < texts->count; t++)
        tabulation_add(tabulation, ids[t]);
    if (tabulation_end(tabulation, column, texts->count, &texts->texts, listing->err) != STATUS_OK)
        return listing->err->status;
    double *rows = steps_take(listing->steps, text_rows_count(&texts->texts) * texts->count, sizeof *rows);
    for (size_t row = 0; row < text_rows_count(&texts->texts); row++) {
        tabulation_set_row(tabulation, &texts->texts, row);
        for (uint32_t t = 0; t < texts->count; t++)
            rows[row * texts->count + t] = tabulation_value(tabulation, ids[t]);
    }
    tabulation_set_missing(tabulation, column);
    texts->rows = rows;
    return STATUS_OK;
}

/* Every needed function of one nominal column. */
static enum status texts_list(struct listing *listing, uint32_t column, uint32_t *ids)
{
    struct steps *steps = listing->steps;
    struct step_texts texts = {.first = (uint32_t)steps->place_count};
    for (uint32_t id = 0; id < listing->pool->count; id++)
        if (listing->needed[id] && expr_at(listing->pool, id)->column == (int32_t)column) {
            ids[texts.count++] = id;
            listing->places[id] = (uint32_t)steps->place_count++;
        }
    if (texts.count == 0)
        return STATUS_OK;
    enum status status = table_make(listing, column, ids, &texts);
    steps->texts[steps->text_count++] = texts;
    return status;
}

static enum status trees_list(struct listing *listing, struct step *step)
{
    const struct ensemble *ensemble = step->expr->trees;
    if (ensemble->input_count > STEPS_MAX_INPUTS)
        return error_set(listing->err, STATUS_LIMIT, "trees of %zu features, more than %d", ensemble->input_count,
                         STEPS_MAX_INPUTS);
    uint32_t *from = steps_take(listing->steps, ensemble->input_count, sizeof *from);
    for (size_t i = 0; i < ensemble->input_count; i++)
        from[i] = listing->places[ensemble->inputs[i]];
    step->from = from;
    listing->steps->tree_count += ensemble->tree_count;
    return trees_compile_member(listing->pool, ensemble, step->expr->b, &step->members, listing->err);
}

static enum status step_list(struct listing *listing, uint32_t id)
{
    struct steps *steps = listing->steps;
    const struct expr *expr = expr_at(listing->pool, id);
    uint32_t to = expr->op == EXPR_NUMBER ? (uint32_t)steps->place_count++ : place_take(listing);
    listing->places[id] = to;
    if (expr->op == EXPR_NUMBER) {
        steps->constants[steps->constant_count++] = (struct step_constant){to, expr->number};
        return STATUS_OK;
    }
    struct step *step = &steps->list[steps->count++];
    *step = (struct step){.expr = expr,
                          .to = to,
                          .kind = expr->op == EXPR_INPUT     ? STEP_NUMBER
                                  : expr->op == EXPR_LINEAR  ? STEP_LINEAR
                                  : expr->op == EXPR_TREES   ? STEP_TREES
                                  : expr->op == EXPR_VECTORS ? STEP_VECTORS
                                  : expr->op == EXPR_WHERE   ? STEP_WHERE
                                                             : STEP_APPLY};
    if (step->kind == STEP_TREES)
        return trees_list(listing, step);
    if (step->kind == STEP_LINEAR || step->kind == STEP_VECTORS) {
        size_t count = step->kind == STEP_LINEAR ? expr->terms->count : expr->vectors->width;
        uint32_t *from = steps_take(steps, count, sizeof *from);
        for (size_t t = 0; t < count; t++)
            from[t] =
                listing->places[step->kind == STEP_LINEAR ? expr->terms->terms[t].expr : expr->vectors->inputs[t]];
        step->from = from;
    } else if (step->kind != STEP_NUMBER) {
        step->a = listing->places[expr->a];
        step->b = step->kind == STEP_WHERE || expr_is_binary(expr) ? listing->places[expr->b] : 0;
        step->c = step->kind == STEP_WHERE ? listing->places[expr->c] : 0;
    }
    return STATUS_OK;
}

static enum status steps_list(struct listing *listing, uint32_t result, uint32_t *ids)
{
    struct steps *steps = listing->steps;
    enum status status = steps_need(listing, result);
    if (status != STATUS_OK)
        return status;
    steps->place_count = 1; /* place 0: read by nobody */
    listing->last[result] = UINT32_MAX;
    steps->list = steps_take(steps, STEPS_MAX_PLACES, sizeof *steps->list);
    steps->constants = steps_take(steps, STEPS_MAX_PLACES, sizeof *steps->constants);
    steps->texts = steps_take(steps, steps->column_count, sizeof *steps->texts);
    for (uint32_t c = 0; c < steps->column_count && status == STATUS_OK; c++)
        if (listing->pool->columns[c].kind == COLUMN_NOMINAL)
            status = texts_list(listing, c, ids);
    for (uint32_t id = 0; id <= result && status == STATUS_OK; id++)
        if (listing->needed[id] && !is_tabulated(listing, expr_at(listing->pool, id))) {
            listing->reader = id;
            status = step_list(listing, id);
            operands_each(listing, expr_at(listing->pool, id), operand_release);
        }
    size_t rows = STEPS_NUMBERS / steps->place_count;
    rows = rows >= 8 ? rows / 8 * 8 : rows;
    steps->rows = rows < STEPS_MAX_ROWS ? rows : STEPS_MAX_ROWS;
    steps->result = listing->places[result];
    return status;
}

enum status steps_compile(const struct expr_pool *pool, const struct compiled *compiled, size_t positive,
                          size_t column_count, struct steps **out, struct error *err)
{
    struct steps *steps = mem_zeroed(1, sizeof *steps);
    steps->column_count = column_count;
    steps->bytes = sizeof *steps;
    struct listing listing = {.pool = pool, .steps = steps, .err = err};
    listing.needed = mem_zeroed(pool->count, sizeof *listing.needed);
    listing.places = mem_zeroed(pool->count, sizeof *listing.places);
    listing.last = mem_zeroed(pool->count, sizeof *listing.last);
    listing.free = mem_zeroed(pool->count, sizeof *listing.free);
    uint32_t *ids = mem_zeroed(pool->count, sizeof *ids);
    tabulation_init(&listing.tabulation, pool, column_count, &steps->arena, &steps->bytes);
    enum status status = steps_list(&listing, compiled->probabilities[positive], ids);
    free(listing.needed);
    free(listing.places);
    free(listing.last);
    free(listing.free);
    free(ids);
    tabulation_free(&listing.tabulation);
    if (status != STATUS_OK)
        steps_free(steps);
    else
        *out = steps;
    return status;
}

/* A row within the schema's ranges, the same at every load. */
static void probe_row(const struct expr_pool *pool, size_t column_count, uint64_t *state, struct cell *cells)
{
    for (size_t c = 0; c < column_count; c++) {
        const struct column *column = &pool->columns[c];
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        double share = (double)(*state >> 11) / 9007199254740992.0;
        double low = isfinite(column->low) ? column->low : -10, high = isfinite(column->high) ? column->high : 10;
        double number = low + share * (high - low);
        if (column->kind != COLUMN_NOMINAL)
            cells[c] = cell_number(column_is_whole(column) ? trunc(number) : number);
        else
            cells[c] = (struct cell){.code = (int32_t)(share * (double)column->value_count)};
        if (column->kind == COLUMN_NOMINAL && column->value_count == 0)
            cells[c] = cell_missing(column);
    }
}

enum status steps_check(const struct steps *steps, const struct expr_pool *pool, const struct compiled *compiled,
                        size_t positive, struct error *err)
{
    struct steps *others = NULL;
    enum { PROBES = 64 };
    struct score scores[PROBES], rest[PROBES];
    size_t columns = steps->column_count, outside = 0;
    if (steps_compile(pool, compiled, 1 - positive, columns, &others, err) != STATUS_OK)
        return err->status;
    struct cell *cells = mem_zeroed(PROBES * columns, sizeof *cells);
    uint64_t state = 1;
    for (size_t r = 0; r < PROBES; r++)
        probe_row(pool, columns, &state, cells + r * columns);
    steps_score(steps, cells, PROBES, scores);
    steps_score(others, cells, PROBES, rest);
    for (size_t r = 0; r < PROBES; r++)
        outside += !(fabs(scores[r].probability + rest[r].probability - 1) <= 1e-4);
    steps_free(others);
    free(cells);
    if (outside <= PROBES / 4) /* where both are equal to the last bit, floats of naive Bayes may say 1 twice */
        return STATUS_OK;
    const struct expr_origin *origin = expr_origin_of(pool, compiled->probabilities[positive]);
    return error_set(err, STATUS_UNSUPPORTED,
                     "operator %s (node '%.60s'): the model's two outputs are no probabilities, as those of LinearSVC, "
                     "Perceptron, SGDClassifier(loss='hinge') and SVC without probability=True (they do not add up to "
                     "1 in %zu of %d rows within the schema's ranges): export a classifier with predict_proba, or "
                     "calibrate it (CalibratedClassifierCV)",
                     origin ? origin->op : "?", origin ? origin->name : "?", outside, PROBES);
}

void steps_free(struct steps *steps)
{
    if (!steps)
        return;
    for (size_t s = 0; s < steps->count; s++)
        trees_free(steps->list[s].members);
    arena_free(&steps->arena);
    free(steps);
}

bool steps_use(const struct steps *steps, uint32_t column)
{
    bool used = false;
    for (size_t t = 0; t < steps->text_count; t++)
        used |= steps->texts[t].texts.column == column;
    for (size_t s = 0; s < steps->count; s++)
        used |= steps->list[s].kind == STEP_NUMBER && steps->list[s].expr->column == (int32_t)column;
    return used;
}

size_t steps_tree_count(const struct steps *steps)
{
    return steps->tree_count;
}

size_t steps_bytes(const struct steps *steps)
{
    size_t bytes = steps->bytes;
    for (size_t s = 0; s < steps->count; s++)
        bytes += steps->list[s].members ? trees_bytes(steps->list[s].members) : 0;
    return bytes;
}

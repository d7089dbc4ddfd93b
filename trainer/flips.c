/* The flip test: see flips.h. Called once a model. Which columns make groups is the schema's word. */
#include "trainer/flips.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "events/people_group.h"
#include "trainer/parallel.h"

enum { UP, DOWN, WAYS };

struct testing {
    const struct predictor *predictor;
    const struct table *table;
    const uint32_t *rows;
    size_t row_count;
    const double *probabilities; /* as the rows are */
    double threshold;
    const uint32_t *columns; /* that make groups */
    struct flips *found;     /* of each of these */
};

/* One column at work: its rows' groups, and what has flipped. */
struct turn {
    const struct testing *testing;
    const struct column *column;
    uint32_t index;
    size_t places;
    uint32_t *place;           /* of each row */
    size_t *counts;            /* rows of each group */
    size_t (*pairs)[WAYS];     /* from · places + to */
    uint8_t *flipped;          /* row: by some value */
    double *values, *outcomes; /* room for a number a row */
};

static bool decide(const struct testing *testing, double probability)
{
    return probability >= testing->threshold;
}

static double median_of(const struct turn *turn, size_t place)
{
    const struct testing *testing = turn->testing;
    size_t count = 0;
    for (size_t r = 0; r < testing->row_count; r++)
        if (turn->place[r] == place)
            turn->values[count++] = table_row(testing->table, testing->rows[r])[turn->index].number;
    qsort(turn->values, count, sizeof *turn->values, order_doubles);
    return turn->values[(count - 1) / 2];
}

/* Gives every row the group's value. */
static void turn_to(const struct turn *turn, size_t to)
{
    const struct testing *testing = turn->testing;
    double value = turn->column->kind == COLUMN_NOMINAL ? (double)to : median_of(turn, to);
    const struct replacement replacement = {.column = turn->index, .cell = predictor_cell(turn->column, value)};
    predictor_run(testing->predictor, testing->table, testing->rows, testing->row_count, &replacement, turn->outcomes);
    for (size_t r = 0; r < testing->row_count; r++) {
        double before = testing->probabilities[r], after = turn->outcomes[r];
        bool was = decide(testing, before);
        if (turn->place[r] == to || isnan(before) || isnan(after) || decide(testing, after) == was)
            continue;
        turn->pairs[turn->place[r] * turn->places + to][was ? DOWN : UP]++;
        turn->flipped[r] = 1;
    }
}

static struct flip *flips_add(const struct turn *turn, size_t from, size_t to, struct flips *out)
{
    out->items = mem_resize(out->items, out->count + 1, sizeof *out->items);
    out->items[out->count] = (struct flip){
        .column = turn->index,
        .from = from < turn->places ? people_group_name(turn->column, from) : NULL,
        .to = to < turn->places ? people_group_name(turn->column, to) : NULL,
    };
    return &out->items[out->count++];
}

/* Rows of a group (places: all) that flip by some value. */
static void sum_up(const struct turn *turn, size_t from, struct flips *out)
{
    const struct testing *testing = turn->testing;
    struct flip *flip = flips_add(turn, from, turn->places, out);
    for (size_t r = 0; r < testing->row_count; r++) {
        if (from < turn->places && turn->place[r] != from)
            continue;
        flip->count++;
        if (turn->flipped[r])
            *(decide(testing, testing->probabilities[r]) ? &flip->down : &flip->up) += 1;
    }
}

static void list_pairs(const struct turn *turn, size_t from, struct flips *out)
{
    for (size_t to = 0; to < turn->places; to++) {
        const size_t *ways = turn->pairs[from * turn->places + to];
        if (ways[UP] + ways[DOWN] == 0)
            continue;
        struct flip *flip = flips_add(turn, from, to, out);
        flip->count = turn->counts[from];
        flip->up = ways[UP];
        flip->down = ways[DOWN];
    }
}

static void test_column(void *context, size_t number)
{
    const struct testing *testing = context;
    uint32_t index = testing->columns[number];
    const struct column *column = &testing->table->schema->columns[index];
    size_t places = people_group_count(column), count = testing->row_count;
    struct turn turn = {.testing = testing, .column = column, .index = index, .places = places};
    turn.place = mem_zeroed(count + 1, sizeof *turn.place);
    turn.counts = mem_zeroed(places, sizeof *turn.counts);
    turn.pairs = mem_zeroed(places * places, sizeof *turn.pairs);
    turn.flipped = mem_zeroed(count + 1, 1);
    turn.values = mem_zeroed(count + 1, sizeof *turn.values);
    turn.outcomes = mem_zeroed(count + 1, sizeof *turn.outcomes);
    for (size_t r = 0; r < count; r++) {
        turn.place[r] = (uint32_t)people_group_of(column, &table_row(testing->table, testing->rows[r])[index]);
        turn.counts[turn.place[r]]++;
    }
    for (size_t to = 0; to + 1 < places; to++) /* the last group has no value */
        if (turn.counts[to])
            turn_to(&turn, to);
    sum_up(&turn, places, &testing->found[number]);
    for (size_t from = 0; from < places; from++) {
        if (turn.counts[from] == 0)
            continue;
        sum_up(&turn, from, &testing->found[number]);
        list_pairs(&turn, from, &testing->found[number]);
    }
    free(turn.place);
    free(turn.counts);
    free(turn.pairs);
    free(turn.flipped);
    free(turn.values);
    free(turn.outcomes);
}

static void flips_append(struct flips *out, struct flips *more)
{
    out->items = mem_resize(out->items, out->count + more->count + 1, sizeof *out->items);
    for (size_t i = 0; i < more->count; i++)
        out->items[out->count++] = more->items[i];
    free(more->items);
}

void flips_measure(const struct predictor *predictor, const struct table *table, const uint32_t *rows, size_t row_count,
                   double threshold, size_t threads, struct flips *out)
{
    const struct schema *schema = table->schema;
    uint32_t *columns = mem_zeroed(schema->column_count + 1, sizeof *columns);
    double *probabilities = mem_zeroed(row_count + 1, sizeof *probabilities);
    size_t count = 0;
    for (uint32_t c = 0; c < schema->column_count; c++)
        if (schema->columns[c].group)
            columns[count++] = c;
    struct flips *found = mem_zeroed(count + 1, sizeof *found);
    const struct replacement nothing = {.givers = rows};
    predictor_run(predictor, table, rows, row_count, &nothing, probabilities);
    struct testing testing = {predictor, table, rows, row_count, probabilities, threshold, columns, found};
    parallel_run(threads, count, test_column, &testing);
    *out = (struct flips){.row_count = row_count};
    for (size_t n = 0; n < count; n++)
        flips_append(out, &found[n]);
    free(columns);
    free(probabilities);
    free(found);
}

void flips_clear(struct flips *flips)
{
    for (size_t i = 0; i < flips->count; i++) {
        free(flips->items[i].from);
        free(flips->items[i].to);
    }
    free(flips->items);
    *flips = (struct flips){0};
}

bool flip_is_total(const struct flip *flip)
{
    return !flip->from && !flip->to;
}

double flips_most(const struct flips *flips)
{
    double most = NAN;
    for (size_t i = 0; i < flips->count; i++) {
        const struct flip *flip = &flips->items[i];
        if (flip_is_total(flip) && flip->count)
            most = fmax(most, (double)(flip->up + flip->down) / (double)flip->count);
    }
    return most;
}

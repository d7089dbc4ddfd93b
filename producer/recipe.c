/* Drawing synthetic employees from a loaded recipe. Called by generate, on one thread, for each row.
 * Must never call libm's inexact functions or allocate: the same seed gives the same row on every machine. */
#include "producer/recipe.h"

#include <stdlib.h>

#include "producer/recipe_parts.h"

static const struct draw_case *draw_choose(const struct recipe *recipe, const struct draw *draw,
                                           const struct cell *cells)
{
    if (draw->given < 0)
        return draw->cases;
    const struct cell *given = &cells[draw->given];
    bool nominal = recipe->schema->columns[draw->given].kind == COLUMN_NOMINAL;
    const struct draw_case *at = draw->cases, *last = at + draw->case_count - 1;
    while (at < last && !(nominal ? at->codes >> given->code & 1 : given->number <= at->up_to))
        at++;
    return at;
}

static struct cell draw_from_table(const struct draw_case *from, struct random *random)
{
    double point = random_uniform(random) * from->cumulative[from->value_count - 1];
    size_t v = 0;
    while (v + 1 < from->value_count && point >= from->cumulative[v])
        v++;
    return from->values[v];
}

static double draw_from_law(const struct draw_case *from, bool whole, struct random *random)
{
    double number = from->first;
    if (from->law == LAW_NORMAL)
        number += from->second * random_normal(random);
    else if (from->law == LAW_EXPONENTIAL)
        number *= random_exponential(random);
    else if (whole)
        number += (double)random_index(random, (size_t)(from->second - from->first) + 1);
    else
        number += (from->second - from->first) * random_uniform(random);
    if (whole)
        number = floor(number + 0.5);
    return number < from->low ? from->low : number > from->high ? from->high : number;
}

/* A number within its column, and not above the columns that bound it. */
static void draw_limit(const struct recipe *recipe, const struct draw *draw, struct cell *cells)
{
    const struct column *column = &recipe->schema->columns[draw->column];
    double number = cells[draw->column].number;
    if (column->kind == COLUMN_NOMINAL)
        return;
    number = column_is_whole(column) ? floor(number + 0.5) : number;
    number = fmin(fmax(number, fmax(column->low, -column_most(column))), fmin(column->high, column_most(column)));
    for (size_t b = 0; b < draw->bound_count; b++) {
        double most = cells[draw->bounds[b]].number;
        number = fmin(number, column_is_whole(column) ? floor(most) : most);
    }
    cells[draw->column].number = number;
}

static void recipe_draw_cell(const struct recipe *recipe, const struct draw *draw, struct random *random,
                             struct cell *cells)
{
    const struct column *column = &recipe->schema->columns[draw->column];
    const struct draw_case *from = draw_choose(recipe, draw, cells);
    bool whole = column_is_whole(column);
    cells[draw->column] =
        from->law == LAW_TABLE ? draw_from_table(from, random) : cell_number(draw_from_law(from, whole, random));
    draw_limit(recipe, draw, cells);
}

void recipe_limit(const struct recipe *recipe, struct cell *cells)
{
    for (size_t d = 0; d < recipe->schema->column_count; d++)
        draw_limit(recipe, &recipe->draws[d], cells);
}

void recipe_redraw(const struct recipe *recipe, uint32_t column, struct random *random, struct cell *cells)
{
    for (size_t d = 0; d < recipe->schema->column_count; d++)
        if (recipe->draws[d].column == column)
            recipe_draw_cell(recipe, &recipe->draws[d], random, cells);
}

static double term_value(const struct term *term, const struct cell *cell)
{
    if (term->weights)
        return term->weights[cell->code];
    return term->per_sd * (cell->number - term->mean) / term->sd;
}

void recipe_draw_row(const struct recipe *recipe, struct random *random, struct cell *cells)
{
    for (size_t d = 0; d < recipe->schema->column_count; d++)
        recipe_draw_cell(recipe, &recipe->draws[d], random, cells);
}

double recipe_margin(const struct recipe *recipe, const struct cell *cells)
{
    double margin = recipe->intercept;
    for (size_t t = 0; t < recipe->term_count; t++)
        margin += term_value(&recipe->terms[t], &cells[recipe->terms[t].column]);
    return margin;
}

uint32_t recipe_draw_label(const struct recipe *recipe, double margin, struct random *random)
{
    bool positive = random_uniform(random) < 1 / (1 + random_exp(-margin));
    return (uint32_t)(positive ? recipe->schema->target_count - 1 : 0);
}

bool recipe_has_life(const struct recipe *recipe)
{
    return recipe->life != NULL;
}

void recipe_free(struct recipe *recipe)
{
    if (!recipe)
        return;
    arena_free(&recipe->arena);
    free(recipe);
}

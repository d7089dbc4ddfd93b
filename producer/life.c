/* The staff's life: see life.h. Called by generate for each event. Allocates nothing once the staff is there. Must
 * never make a row that the schema refuses. */
#include "producer/life.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "producer/recipe_parts.h"

enum { STREAM_LIFE = 4 };
#define DAY_MS 86400000.0
#define YEAR_MS (365 * DAY_MS)

/* What an employee's next event is: one of the recipe's changes (its number), or … */
enum { NEXT_SNAPSHOT = -1, NEXT_HIRED = -2, NEXT_EXIT = -3, NEXT_YEAR = -4 };

struct employee {
    uint64_t index;
    double due_ms, year_ms; /* since the start: the next event; the next time a year is full */
    uint32_t number;        /* of the next event */
    int32_t next;
    struct random random;
    struct cell cells[];
};

struct lives {
    struct life_settings settings;
    const struct life *life;
    uint64_t employees; /* that there have been */
    size_t employee_bytes;
    char *block;             /* the staff */
    struct employee **queue; /* a heap: the first is due first */
    size_t queue_count;
    struct cell *before, *shown;
};

/* --- the queue --- */

static bool is_before(const struct employee *left, const struct employee *right)
{
    return left->due_ms != right->due_ms ? left->due_ms < right->due_ms : left->index < right->index;
}

static void queue_sink(struct lives *lives, size_t at)
{
    struct employee *moved = lives->queue[at];
    for (size_t child; (child = 2 * at + 1) < lives->queue_count; at = child) {
        if (child + 1 < lives->queue_count && is_before(lives->queue[child + 1], lives->queue[child]))
            child++;
        if (!is_before(lives->queue[child], moved))
            break;
        lives->queue[at] = lives->queue[child];
    }
    lives->queue[at] = moved;
}

/* --- one employee --- */

/* In the place of somebody who has left, or as one of the first. */
static void employee_come(struct lives *lives, struct employee *employee, double from_ms, double mean_wait_ms)
{
    employee->index = lives->employees++;
    employee->number = 0;
    random_seed(&employee->random, lives->settings.seed, STREAM_LIFE, employee->index);
    employee->due_ms = from_ms + mean_wait_ms * random_exponential(&employee->random);
}

static int64_t time_of(const struct lives *lives, double due_ms)
{
    double shaped = arrival_at(lives->settings.arrival, due_ms, 7 * DAY_MS, DAY_MS);
    return lives->settings.start_ms + (int64_t)shaped;
}

static void employee_draw(struct lives *lives, struct employee *employee)
{
    recipe_draw_row(lives->settings.recipe, &employee->random, employee->cells);
    drift_apply(lives->settings.planted, -1, time_of(lives, employee->due_ms), &employee->random, employee->cells);
}

static void apply_effect(struct lives *lives, struct employee *employee, const struct life_effect *effect)
{
    struct cell *cell = &employee->cells[effect->column];
    double amount = effect->least;
    if (effect->greatest > effect->least)
        amount += (effect->greatest - effect->least) * random_uniform(&employee->random);
    switch (effect->kind) {
    case EFFECT_DRAW:
        recipe_redraw(lives->settings.recipe, effect->column, &employee->random, employee->cells);
        drift_apply(lives->settings.planted, (int32_t)effect->column, time_of(lives, employee->due_ms),
                    &employee->random, employee->cells);
        break;
    case EFFECT_SET:
        *cell = effect->value;
        break;
    case EFFECT_ADD:
        cell->number += amount;
        break;
    case EFFECT_SCALE:
        cell->number *= amount;
        break;
    }
}

static void apply_change(struct lives *lives, struct employee *employee, const struct life_change *change)
{
    for (size_t e = 0; e < change->effect_count; e++)
        apply_effect(lives, employee, &change->effects[e]);
}

static void apply_next(struct lives *lives, struct employee *employee)
{
    const struct life *life = lives->life;
    if (employee->next == NEXT_SNAPSHOT || employee->next == NEXT_HIRED)
        employee_draw(lives, employee);
    if (employee->next == NEXT_HIRED)
        apply_change(lives, employee, &life->hired);
    for (size_t c = 0; c < life->change_count; c++)
        if (employee->next == NEXT_YEAR ? isinf(life->changes[c].per_year) : employee->next == (int32_t)c)
            apply_change(lives, employee, &life->changes[c]);
    recipe_limit(lives->settings.recipe, employee->cells);
}

/* The change whose turn it is, of those that may come at any time. */
static int32_t choose_change(const struct life *life, double point)
{
    int32_t chosen = NEXT_YEAR;
    for (size_t c = 0; c < life->change_count; c++) {
        if (isinf(life->changes[c].per_year))
            continue;
        chosen = (int32_t)c;
        if ((point -= life->changes[c].per_year) < 0)
            break;
    }
    return chosen;
}

/* The logistic function p of the margin is the probability of leaving within a year, so ln(1 / (1 - p)) a year. */
static double exits_per_year(const struct lives *lives, const struct employee *employee, int64_t time_ms)
{
    return random_softplus(recipe_margin(lives->settings.recipe, employee->cells) +
                           bias_margin(lives->settings.planted, time_ms, employee->cells));
}

/* Waiting has no memory: where a bias begins first, the wait begins again there at the new rate, and where a year ends
 * first, with the next one. */
static void employee_schedule(struct lives *lives, struct employee *employee)
{
    double exits, all, due_ms = employee->due_ms, next_ms = due_ms;
    do {
        int64_t time_ms = lives->settings.start_ms + (int64_t)next_ms;
        exits = exits_per_year(lives, employee, time_ms);
        all = exits + lives->life->total_per_year;
        due_ms = next_ms + random_exponential(&employee->random) / all * YEAR_MS;
        next_ms = (double)bias_next_ms(lives->settings.planted, time_ms) - (double)lives->settings.start_ms;
    } while (due_ms > next_ms && next_ms < employee->year_ms);
    double point = random_uniform(&employee->random) * all;
    if (due_ms >= employee->year_ms) {
        employee->due_ms = employee->year_ms;
        employee->year_ms += YEAR_MS;
        employee->next = NEXT_YEAR;
        return;
    }
    employee->due_ms = due_ms;
    employee->next = point < exits ? NEXT_EXIT : choose_change(lives->life, point - exits);
}

/* --- all --- */

struct lives *lives_new(const struct life_settings *settings)
{
    struct lives *lives = mem_zeroed(1, sizeof *lives);
    size_t columns = settings->schema->column_count;
    lives->settings = *settings;
    lives->life = settings->recipe->life;
    lives->employee_bytes = sizeof(struct employee) + columns * sizeof(struct cell);
    lives->block = mem_zeroed(settings->staff, lives->employee_bytes);
    lives->queue = mem_zeroed(settings->staff, sizeof *lives->queue);
    lives->before = mem_zeroed(columns, sizeof *lives->before);
    lives->shown = mem_zeroed(columns, sizeof *lives->shown);
    for (size_t e = 0; e < settings->staff; e++) {
        struct employee *employee = (struct employee *)(void *)(lives->block + e * lives->employee_bytes);
        employee_come(lives, employee, 0, 0);
        employee->next = NEXT_SNAPSHOT;
        lives->queue[lives->queue_count++] = employee; /* all are due at once, in their order: a heap */
    }
    return lives;
}

void lives_free(struct lives *lives)
{
    if (!lives)
        return;
    free(lives->block);
    free(lives->queue);
    free(lives->before);
    free(lives->shown);
    free(lives);
}

static bool cells_equal(const struct column *column, const struct cell *left, const struct cell *right)
{
    return left->code == right->code && (column->kind == COLUMN_NOMINAL || left->number == right->number);
}

/* What the event shows: all cells, or those that differ from before. False: none does. */
static bool show_cells(struct lives *lives, const struct employee *employee, struct life_event *out)
{
    const struct schema *schema = lives->settings.schema;
    size_t changed = 0;
    out->partial = lives->settings.partial && out->type == EVENT_TYPE_CHANGED;
    out->cells = lives->shown;
    for (size_t c = 0; c < schema->column_count; c++) {
        bool equal = cells_equal(&schema->columns[c], &employee->cells[c], &lives->before[c]);
        lives->shown[c] = employee->cells[c];
        if (out->partial && equal)
            lives->shown[c].code = CELL_UNLISTED;
        changed += !equal;
    }
    return changed || out->type != EVENT_TYPE_CHANGED;
}

static void employee_go_on(struct lives *lives, struct employee *employee)
{
    int32_t was = employee->next;
    if (was == NEXT_EXIT) {
        employee_come(lives, employee, employee->due_ms, lives->life->vacant_days * DAY_MS);
        employee->next = NEXT_HIRED;
        return;
    }
    if (was == NEXT_HIRED)
        employee->year_ms = employee->due_ms + YEAR_MS;
    else if (was == NEXT_SNAPSHOT)
        employee->year_ms = employee->due_ms + random_uniform(&employee->random) * YEAR_MS;
    employee_schedule(lives, employee);
}

bool lives_next(struct lives *lives, struct life_event *out)
{
    for (bool shows = false; !shows;) {
        struct employee *employee = lives->queue[0];
        int64_t time_ms = time_of(lives, employee->due_ms);
        if (time_ms >= lives->settings.end_ms)
            return false;
        memcpy(lives->before, employee->cells, lives->settings.schema->column_count * sizeof *lives->before);
        apply_next(lives, employee);
        *out = (struct life_event){.index = employee->index,
                                   .number = employee->number,
                                   .type = employee->next == NEXT_SNAPSHOT ? EVENT_TYPE_SNAPSHOT
                                           : employee->next == NEXT_HIRED  ? EVENT_TYPE_HIRED
                                           : employee->next == NEXT_EXIT   ? EVENT_TYPE_TERMINATED
                                                                           : EVENT_TYPE_CHANGED,
                                   .time_ms = time_ms};
        shows = show_cells(lives, employee, out);
        employee->number += shows;
        employee_go_on(lives, employee);
        queue_sink(lives, 0);
    }
    return true;
}

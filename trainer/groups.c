/* The same model assessed group by group: see groups.h. Pure. Which columns make groups is the schema's word. */
#include "trainer/groups.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text_print.h"

/* Groups of a column: its categories, bands or ordinal values, and the rows without a value. */
static size_t group_places(const struct column *column)
{
    if (column->kind == COLUMN_NOMINAL)
        return column->value_count + 1;
    return (column->band_count ? column->band_count + 1 : (size_t)fmin(column->high - column->low + 1, 64)) + 1;
}

static size_t groups_group_of(const struct column *column, const struct cell *cell)
{
    size_t last = group_places(column) - 1, band = 0;
    if (cell->code < 0)
        return last;
    if (column->kind == COLUMN_NOMINAL)
        return (size_t)cell->code;
    if (!column->band_count)
        return (size_t)fmin(fmax(cell->number - column->low, 0), (double)last - 1);
    while (band < column->band_count && cell->number >= column->bands[band])
        band++;
    return band;
}

static char *band_name(const struct column *column, size_t band)
{
    bool whole = column_is_whole(column);
    const double *bands = column->bands;
    if (band == 0)
        return text_print("under %g", bands[0]);
    if (band == column->band_count)
        return text_print("%g and over", bands[band - 1]);
    return text_print(whole ? "%g to %g" : "%g to under %g", bands[band - 1], bands[band] - whole);
}

static char *group_name(const struct column *column, size_t place)
{
    if (place + 1 == group_places(column))
        return mem_text("missing");
    if (column->kind == COLUMN_NOMINAL)
        return mem_text_n(column->values[place].data, column->values[place].bytes);
    if (column->band_count)
        return band_name(column, place);
    if (column->value_labels && place < column->value_count)
        return mem_text(column->value_labels[place]);
    return text_print("%g", column->low + (double)place);
}

/* A group's rows side by side. */
struct part {
    uint8_t *labels, *calls;
    double *probabilities;
    size_t count;
};

static void part_take(const struct predictions *given, uint32_t column, size_t place, struct part *part)
{
    const struct table *table = given->table;
    part->count = 0;
    for (size_t r = 0; r < given->count; r++) {
        if (groups_group_of(&table->schema->columns[column], &table_row(table, given->rows[r])[column]) != place)
            continue;
        part->labels[part->count] = given->labels[r];
        part->calls[part->count] = given->calls[r];
        part->probabilities[part->count++] = given->probabilities[r];
    }
}

static struct group group_assess(const struct part *part, const struct column *column, uint32_t index, size_t place)
{
    struct group group = {.column = index, .name = group_name(column, place), .count = part->count};
    group.confusion = confusion_count(part->labels, part->calls, part->count);
    group.positives = group.confusion.true_positives + group.confusion.false_negatives;
    group.metrics = metrics_measure(part->labels, part->calls, part->probabilities, part->count);
    if (group.positives == 0 || group.positives == part->count)
        group.metrics.roc_auc = group.metrics.pr_auc = NAN;
    size_t called = group.confusion.true_positives + group.confusion.false_positives;
    group.selection_rate = (double)called / (double)part->count;
    return group;
}

/* Each group's selection rate by the largest of the column's. */
static void compare_groups(struct group *groups, size_t count)
{
    double most = 0;
    for (size_t g = 0; g < count; g++)
        most = fmax(most, groups[g].selection_rate);
    for (size_t g = 0; g < count; g++)
        groups[g].impact_ratio = most > 0 ? groups[g].selection_rate / most : NAN;
}

static void assess_column(const struct predictions *given, uint32_t index, struct part *part, struct assessment *out)
{
    const struct column *column = &given->table->schema->columns[index];
    size_t places = group_places(column), first = out->group_count;
    out->groups = mem_resize(out->groups, first + places, sizeof *out->groups);
    for (size_t place = 0; place < places; place++) {
        part_take(given, index, place, part);
        if (part->count)
            out->groups[out->group_count++] = group_assess(part, column, index, place);
    }
    compare_groups(out->groups + first, out->group_count - first);
}

void groups_assess(const struct predictions *given, struct assessment *out)
{
    struct part part = {.labels = mem_zeroed(given->count + 1, 1),
                        .calls = mem_zeroed(given->count + 1, 1),
                        .probabilities = mem_zeroed(given->count + 1, sizeof(double))};
    for (uint32_t c = 0; c < given->table->schema->column_count; c++)
        if (given->table->schema->columns[c].group)
            assess_column(given, c, &part, out);
    free(part.labels);
    free(part.calls);
    free(part.probabilities);
}

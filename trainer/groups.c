/* The same model assessed group by group: see groups.h. Pure. Which columns make groups is the schema's word. */
#include "trainer/groups.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "events/people_group.h"

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
        if (people_group_of(&table->schema->columns[column], &table_row(table, given->rows[r])[column]) != place)
            continue;
        part->labels[part->count] = given->labels[r];
        part->calls[part->count] = given->calls[r];
        part->probabilities[part->count++] = given->probabilities[r];
    }
}

static struct group group_assess(const struct part *part, const struct column *column, uint32_t index, size_t place)
{
    struct group group = {.column = index, .name = people_group_name(column, place), .count = part->count};
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
    size_t places = people_group_count(column), first = out->group_count;
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

/* Distributions of two tables → how far they are apart: see comparison.h. Pure. */
#include "trainer/report/comparison.h"

#include <math.h>
#include <stdlib.h>

enum { EDGES = 9 };
static const double shift_psi = 0.25, label_points = 0.05, label_deviations = 3.890592; /* normal, 1 in 10,000 */
static const double chance_deviations = 3.719016;                                       /* likewise, one side */

/* --- bins: how many rows of either table are in each --- */

struct bin {
    double now, before;
};

struct bins {
    struct bin *bins; /* the first: missing */
    size_t count;
    struct bin total;
};

static void bin_add(struct bins *bins, size_t place, size_t now, size_t before)
{
    bins->bins[place].now += (double)now;
    bins->bins[place].before += (double)before;
    bins->total.now += (double)now;
    bins->total.before += (double)before;
}

/* Deciles of the other table, each once: bins are left-closed. */
static size_t decile_edges(const struct value_counts *before, double *edges)
{
    size_t count = 0;
    for (int d = 1; d <= EDGES && before->count; d++) {
        double edge = value_counts_quantile(before, d / 10.0);
        if (count == 0 || edge > edges[count - 1])
            edges[count++] = edge;
    }
    return count;
}

static void bins_of_numbers(const struct value_counts *now, const struct value_counts *before, struct bins *bins)
{
    double edges[EDGES];
    size_t count = decile_edges(before, edges);
    for (size_t e = 0, place = 1; e < now->count; e++) {
        while (place <= count && now->entries[e].number >= edges[place - 1])
            place++;
        bin_add(bins, place, value_count_total(&now->entries[e]), 0);
    }
    for (size_t e = 0, place = 1; e < before->count; e++) {
        while (place <= count && before->entries[e].number >= edges[place - 1])
            place++;
        bin_add(bins, place, 0, value_count_total(&before->entries[e]));
    }
    bins->count = count + 2;
}

static void difference_add(struct category_difference *difference, struct span category)
{
    if (difference->count < CATEGORIES_SHOWN)
        difference->first[difference->count] = category;
    difference->count++;
}

/* Both are sorted: a bin for each category of either. */
static void bins_of_categories(struct column_comparison *column, struct bins *bins)
{
    const struct value_counts *now = &column->now->values, *before = &column->before->values;
    for (size_t n = 0, b = 0; n < now->count || b < before->count;) {
        int order = n == now->count      ? 1
                    : b == before->count ? -1
                                         : value_count_compare(&now->entries[n], &before->entries[b]);
        if (order < 0)
            difference_add(&column->added, now->entries[n].text);
        else if (order > 0)
            difference_add(&column->vanished, before->entries[b].text);
        bin_add(bins, bins->count++, order <= 0 ? value_count_total(&now->entries[n]) : 0,
                order >= 0 ? value_count_total(&before->entries[b]) : 0);
        n += order <= 0;
        b += order >= 0;
    }
}

/* --- measures --- */

/* Its quantile of a chance of 1 in 10,000 (chi-squared, by Wilson and Hilferty 1931). */
static double psi_by_chance(double bins, const struct bin *total)
{
    double freedom = bins - 1, part = 2 / (9 * freedom);
    if (bins < 2)
        return 0;
    return (1 / total->now + 1 / total->before) * freedom * pow(1 - part + chance_deviations * sqrt(part), 3);
}

static void measure_psi(struct column_comparison *column, const struct bins *bins)
{
    const struct bin *total = &bins->total;
    double used = 0, sum = 0;
    for (size_t b = 0; b < bins->count; b++)
        used += bins->bins[b].now + bins->bins[b].before > 0;
    for (size_t b = 0; b < bins->count; b++) {
        const struct bin *bin = &bins->bins[b];
        double now = (bin->now + 0.5) / (total->now + used / 2),
               before = (bin->before + 0.5) / (total->before + used / 2);
        if (bin->now + bin->before > 0)
            sum += (now - before) * log(now / before);
    }
    column->missing = bins->bins[0].now / total->now;
    column->missing_before = bins->bins[0].before / total->before;
    column->psi = sum;
    column->psi_by_chance = psi_by_chance(used, total);
    column->shifted = sum > shift_psi && sum > column->psi_by_chance;
}

static double kept(const struct value_counts *values)
{
    return (double)(values->total - values->beyond);
}

static double measure_ks(const struct value_counts *now, const struct value_counts *before)
{
    double below_now = 0, below_before = 0, worst = 0;
    for (size_t n = 0, b = 0; n < now->count && b < before->count;) {
        double at = fmin(now->entries[n].number, before->entries[b].number);
        for (; n < now->count && now->entries[n].number == at; n++)
            below_now += (double)value_count_total(&now->entries[n]);
        for (; b < before->count && before->entries[b].number == at; b++)
            below_before += (double)value_count_total(&before->entries[b]);
        worst = fmax(worst, fabs(below_now / kept(now) - below_before / kept(before)));
    }
    return now->count && before->count ? worst : NAN;
}

static void compare_column(const struct column_facts *now, const struct column_facts *before,
                           struct column_comparison *out)
{
    size_t most = now->values.count + before->values.count + EDGES + 2;
    struct bins bins = {.bins = mem_zeroed(most, sizeof *bins.bins), .count = 1};
    *out = (struct column_comparison){now, before, .missing = NAN, .missing_before = NAN, .psi = NAN, .ks = NAN};
    bin_add(&bins, 0, now->missing, before->missing);
    if (now->column->kind == COLUMN_NOMINAL)
        bins_of_categories(out, &bins);
    else
        bins_of_numbers(&now->values, &before->values, &bins);
    if (now->present && before->present && bins.total.now > 0 && bins.total.before > 0) {
        measure_psi(out, &bins);
        if (now->column->kind != COLUMN_NOMINAL)
            out->ks = measure_ks(&now->values, &before->values);
    } else {
        out->added.count = out->vanished.count = 0;
    }
    free(bins.bins);
}

static int largest_first(const void *a, const void *b)
{
    const struct column_comparison *left = a, *right = b;
    double here = isnan(left->psi) ? -1 : left->psi, there = isnan(right->psi) ? -1 : right->psi;
    if (here != there)
        return (here < there) - (here > there);
    return (left->now->index > right->now->index) - (left->now->index < right->now->index);
}

static double labelled_rows(const struct description *description)
{
    return (double)(description->labels[VALUE_POSITIVE] + description->labels[VALUE_NEGATIVE]);
}

static void compare_labels(struct comparison *out)
{
    double now = labelled_rows(out->now), before = labelled_rows(out->before);
    double positives = (double)out->now->labels[VALUE_POSITIVE],
           positives_before = (double)out->before->labels[VALUE_POSITIVE];
    double pooled = (positives + positives_before) / (now + before);
    double deviation = sqrt(pooled * (1 - pooled) * (1 / now + 1 / before));
    out->label_share = now > 0 ? positives / now : NAN;
    out->label_share_before = before > 0 ? positives_before / before : NAN;
    double difference = fabs(out->label_share - out->label_share_before);
    out->label_shifted = difference >= label_points && difference > label_deviations * deviation;
}

void comparison_make(const struct description *now, const struct description *before, struct comparison *out)
{
    size_t columns = now->schema->column_count;
    *out = (struct comparison){now, before, .columns = mem_zeroed(columns, sizeof *out->columns)};
    for (size_t c = 0; c < columns; c++)
        compare_column(&now->columns[c], &before->columns[c], &out->columns[c]);
    qsort(out->columns, columns, sizeof *out->columns, largest_first);
    compare_labels(out);
}

void comparison_clear(struct comparison *comparison)
{
    free(comparison->columns);
    *comparison = (struct comparison){0};
}

/* What follows from the counts of a column: summary, association, words. See describe.h. Pure. */
#include "trainer/report/describe_facts.h"

#include <math.h>
#include <stdio.h>

const double describe_quantiles[QUANTILE_COUNT] = {0.05, 0.25, 0.5, 0.75, 0.95};
static const double outlier_ranges = 1.5, undrawn_ranges = 6, undrawn_share = 0.01;

const char *const role_names[] = {"feature", "label", "identifier", "ignored", "unknown"};
const char *const kind_names[] = {"numeric", "ordinal", "nominal"};
const char *const type_names[] = {"int", "long", "float", "double", "string"};

const char *describe_encoding_of(enum column_kind kind)
{
    switch (kind) {
    case COLUMN_NUMERIC:
        return "as a number, standardised; missing becomes the median";
    case COLUMN_ORDINAL:
        return "as its rank (the order counts), standardised; missing becomes the median";
    case COLUMN_NOMINAL:
        break;
    }
    return "one-hot (no order), a column per category seen; missing becomes the most frequent";
}

static void summarise(struct column_facts *facts)
{
    const struct value_counts *values = &facts->values;
    double sum = 0, squares = 0, count = 0;
    facts->low = facts->high = facts->mean = facts->sd = NAN;
    for (size_t q = 0; q < QUANTILE_COUNT; q++)
        facts->quantiles[q] = NAN;
    if (values->count == 0 || values->entries[0].text.data)
        return;
    facts->low = values->entries[0].number;
    facts->high = values->entries[values->count - 1].number;
    for (size_t e = 0; e < values->count; e++) {
        double times = (double)value_count_total(&values->entries[e]);
        sum += times * values->entries[e].number;
        count += times;
    }
    facts->mean = sum / count;
    for (size_t e = 0; e < values->count; e++) {
        double off = values->entries[e].number - facts->mean;
        squares += (double)value_count_total(&values->entries[e]) * off * off;
    }
    facts->sd = sqrt(squares / count);
    for (size_t q = 0; q < QUANTILE_COUNT; q++)
        facts->quantiles[q] = value_counts_quantile(values, describe_quantiles[q]);
}

/* The distinct values within so many interquartile ranges of the quartiles: [*from, *to). Values outside. */
static size_t values_outside(const struct column_facts *facts, double ranges, size_t *from, size_t *to)
{
    const struct value_counts *values = &facts->values;
    double reach = ranges * (facts->quantiles[3] - facts->quantiles[1]);
    size_t outside = 0;
    *from = 0;
    *to = values->count;
    if (!(reach > 0))
        return 0;
    for (; values->entries[*from].number < facts->quantiles[1] - reach; ++*from)
        outside += value_count_total(&values->entries[*from]);
    for (; values->entries[*to - 1].number > facts->quantiles[3] + reach; --*to)
        outside += value_count_total(&values->entries[*to - 1]);
    return outside;
}

/* Few values far outside would leave all others one bar: they are counted, not drawn. */
static void draw_values(struct column_facts *facts)
{
    struct value_counts drawn = facts->values;
    size_t from, to;
    if (!isnan(facts->low)) {
        facts->outliers = values_outside(facts, outlier_ranges, &from, &to);
        facts->undrawn = values_outside(facts, undrawn_ranges, &from, &to);
        if ((double)facts->undrawn > undrawn_share * (double)drawn.total)
            facts->undrawn = 0;
        if (facts->undrawn) {
            drawn.entries += from;
            drawn.count = to - from;
            drawn.total -= facts->undrawn;
        }
    }
    histogram_make(facts->column, &drawn, &facts->histogram);
}

static void class_sums(const struct value_counts *values, double *negatives, double *positives)
{
    *negatives = *positives = 0;
    for (size_t e = 0; e < values->count; e++) {
        *negatives += (double)values->entries[e].counts[VALUE_NEGATIVE];
        *positives += (double)values->entries[e].counts[VALUE_POSITIVE];
    }
}

/* Chance that a positive row has the larger value, ties counted half (Mann and Whitney 1947). */
static double measure_auc(const struct value_counts *values, double negatives, double positives)
{
    double below = 0, wins = 0;
    for (size_t e = 0; e < values->count; e++) {
        const size_t *counts = values->entries[e].counts;
        wins += (double)counts[VALUE_POSITIVE] * (below + (double)counts[VALUE_NEGATIVE] / 2);
        below += (double)counts[VALUE_NEGATIVE];
    }
    return wins / negatives / positives;
}

/* Cramér 1946, without a correction; the label has two values, so V is the root of chi-square by rows. */
static double measure_cramer(const struct value_counts *values, double negatives, double positives)
{
    double rows = negatives + positives, chi = 0;
    for (size_t e = 0; e < values->count; e++) {
        const size_t *counts = values->entries[e].counts;
        double no = (double)counts[VALUE_NEGATIVE], yes = (double)counts[VALUE_POSITIVE];
        if (no + yes == 0)
            continue;
        double expected_no = (no + yes) * negatives / rows, expected_yes = (no + yes) * positives / rows;
        chi += (no - expected_no) * (no - expected_no) / expected_no;
        chi += (yes - expected_yes) * (yes - expected_yes) / expected_yes;
    }
    return sqrt(chi / rows);
}

static void associate(struct column_facts *facts)
{
    double negatives, positives;
    class_sums(&facts->values, &negatives, &positives);
    if (!facts->column || negatives == 0 || positives == 0)
        return;
    bool nominal = facts->column->kind == COLUMN_NOMINAL;
    facts->association_kind = nominal ? ASSOCIATION_CRAMER : ASSOCIATION_AUC;
    facts->association = (nominal ? measure_cramer : measure_auc)(&facts->values, negatives, positives);
}

void describe_finish(struct column_facts *facts, size_t rows)
{
    struct value_counts *values = &facts->values;
    value_counts_sort(values);
    facts->constant = values->count == 1 && facts->missing == 0 && rows > 1;
    facts->identifier = values->count == rows && rows > 1 && values->beyond == 0;
    summarise(facts);
    if (facts->column)
        draw_values(facts);
    associate(facts);
}

void describe_lines(const struct offence *offence, char *out, size_t bytes)
{
    int used = snprintf(out, bytes, "line%s", offence->count == 1 ? "" : "s");
    for (size_t l = 0; l < offence->count && l < LINES_SHOWN; l++)
        used += snprintf(out + used, bytes - (size_t)used, "%s %zu", l ? "," : "", offence->lines[l]);
    if (offence->count > LINES_SHOWN)
        snprintf(out + used, bytes - (size_t)used, " and %zu more", offence->count - LINES_SHOWN);
}

void describe_domain(const struct column_facts *facts, char *out, size_t bytes)
{
    const struct column *column = facts->column;
    if (column && column->kind == COLUMN_NOMINAL) {
        size_t seen = 0;
        for (size_t b = 0; b < facts->histogram.count && b < column->value_count; b++)
            seen += bar_count(&facts->histogram.bars[b]) > 0;
        snprintf(out, bytes, "%zu of %zu known%s", seen, column->value_count,
                 facts->histogram.count > column->value_count ? " + others" : "");
    } else if (column && !isnan(facts->low)) {
        char range[64] = "";
        if (isfinite(column->low) || isfinite(column->high))
            snprintf(range, sizeof range, " (%.6g…%.6g)", column->low, column->high);
        snprintf(out, bytes, "%.6g…%.6g%s", facts->low, facts->high, range);
    } else {
        snprintf(out, bytes, "-");
    }
}

void describe_print_cut(const char *text, int columns)
{
    int used = 0;
    for (const char *at = text; *at && used < columns; used++) {
        size_t bytes = 1;
        while ((at[bytes] & 0xC0) == 0x80)
            bytes++;
        fwrite(at, 1, bytes, stdout);
        at += bytes;
    }
    printf("%*s", columns - used, "");
}

/* What follows from the counts of a column: summary, association, words. See describe.h. Pure. */
#include "trainer/report/describe_facts.h"

#include <math.h>
#include <stdio.h>

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
    facts->low = facts->high = facts->mean = facts->sd = facts->median = NAN;
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
    facts->median = value_counts_quantile(values, 0.5);
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
    if (facts->column)
        histogram_make(facts->column, values, &facts->histogram);
    summarise(facts);
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

/* The training table's distributions as JSON: see drift.h. Called once a training. Pure. */
#include "trainer/report/drift.h"

#include <math.h>

#include "base/json_writer.h"
#include "trainer/report/report_parts.h"

enum { QUANTILES = 20, SCORE_BINS = 10, SCORE_BINS_MOST = SCORE_BINS + 1 };

/* What is known of numbers beside their bins: quantiles in the middle of each twentieth, the smallest value that so
 * large a share reaches, as the view takes them of the live data; and the standard deviation. */
struct spread {
    double quantiles[QUANTILES];
    double count, sum, squares;
    size_t filled;
};

/* Ascending. */
static void spread_add(struct spread *spread, double value, double times, double total)
{
    spread->count += times;
    spread->sum += times * value;
    spread->squares += times * value * value;
    while (spread->filled < QUANTILES && ((double)spread->filled + 0.5) / QUANTILES * total <= spread->count)
        spread->quantiles[spread->filled++] = value;
}

static void spread_write(struct json_writer *json, const struct spread *spread)
{
    double mean = spread->sum / spread->count, variance = spread->squares / spread->count - mean * mean;
    json_write_finite(json, "deviation", sqrt(variance > 0 ? variance : 0));
    json_begin_array(json, "quantiles");
    for (size_t q = 0; q < spread->filled; q++)
        json_write_double(json, NULL, spread->quantiles[q]);
    json_end_array(json);
}

/* --- columns --- */

static void add_share(struct json_writer *json, size_t count, size_t rows)
{
    json_write_double(json, "share", (double)count / (double)rows);
    json_write_uint(json, "count", count);
}

static void drift_add_bar(struct json_writer *json, const struct column *column, const struct bar *bar, size_t place,
                          size_t rows)
{
    json_begin_object(json, NULL);
    if (column->kind == COLUMN_NOMINAL) {
        json_write_text(json, "value", column->values[place]);
    } else {
        json_write_double(json, "low", bar->low);
        json_write_double(json, "high", bar->high);
    }
    add_share(json, bar_count(bar), rows);
    json_end_object(json);
}

static void drift_add_spread(struct json_writer *json, const struct value_counts *values)
{
    struct spread spread = {0};
    for (size_t e = 0; e < values->count; e++)
        spread_add(&spread, values->entries[e].number, (double)value_count_total(&values->entries[e]),
                   (double)(values->total - values->beyond));
    spread_write(json, &spread);
}

static void drift_add_missing(struct json_writer *json, size_t count, size_t rows)
{
    json_begin_object(json, "missing");
    json_write_null(json, "value");
    add_share(json, count, rows);
    json_end_object(json);
}

static void drift_add_column(struct json_writer *json, const struct table *table, size_t c)
{
    static const char *const kinds[] = {"numeric", "ordinal", "nominal"};
    const struct column *column = &table->schema->columns[c];
    struct value_counts values;
    struct histogram histogram;
    size_t missing = report_count_values(table, c, &values);
    histogram_make(column, &values, &histogram);
    json_begin_object(json, NULL);
    json_write_string(json, "name", column->name);
    json_write_string(json, "kind", kinds[column->kind]);
    drift_add_missing(json, missing, table->row_count);
    json_begin_array(json, column->kind == COLUMN_NOMINAL ? "categories" : "bins");
    for (size_t b = 0; b < histogram.count; b++)
        drift_add_bar(json, column, &histogram.bars[b], b, table->row_count);
    json_end_array(json);
    if (column->kind != COLUMN_NOMINAL)
        drift_add_spread(json, &values);
    json_end_object(json);
    histogram_clear(&histogram);
    value_counts_free(&values);
}

/* --- the score --- */

static size_t calls_of(const struct curve_point *point)
{
    return point->confusion.true_positives + point->confusion.false_positives;
}

/* Bins of a tenth of the rows each, from the curve, whose points count the rows at and above their thresholds. Returns
 * how many; the first is the lowest. */
static size_t score_bins(const struct assessment *assessment, struct bar *bins)
{
    size_t count = 0, taken = 0;
    double high = 1;
    for (size_t p = 0; p < assessment->point_count && count < SCORE_BINS_MOST; p++) {
        size_t calls = calls_of(&assessment->points[p]);
        bool last = p + 1 == assessment->point_count;
        if (calls == taken || (!last && (calls - taken) * SCORE_BINS < assessment->count))
            continue;
        bins[count] = (struct bar){.low = last ? 0 : assessment->points[p].threshold, .high = high};
        bins[count++].counts[VALUE_UNLABELLED] = calls - taken;
        high = assessment->points[p].threshold;
        taken = calls;
    }
    for (size_t b = 0; b < count / 2; b++) {
        struct bar swapped = bins[b];
        bins[b] = bins[count - 1 - b];
        bins[count - 1 - b] = swapped;
    }
    return count;
}

static void drift_add_score(struct json_writer *json, const struct assessment *assessment)
{
    struct bar bins[SCORE_BINS_MOST];
    struct spread spread = {0};
    size_t count = score_bins(assessment, bins);
    json_begin_object(json, "score");
    json_write_string(json, "kind", "numeric");
    drift_add_missing(json, 0, assessment->count);
    json_begin_array(json, "bins");
    for (size_t b = 0; b < count; b++) {
        json_begin_object(json, NULL);
        json_write_double(json, "low", bins[b].low);
        json_write_double(json, "high", bins[b].high);
        add_share(json, bar_count(&bins[b]), assessment->count);
        json_end_object(json);
    }
    json_end_array(json);
    for (size_t p = assessment->point_count; p-- > 1;) {
        size_t times = calls_of(&assessment->points[p]) - calls_of(&assessment->points[p - 1]);
        if (times)
            spread_add(&spread, assessment->points[p].threshold, (double)times, (double)assessment->count);
    }
    spread_write(json, &spread);
    json_end_object(json);
}

void drift_write_reference(const struct table *table, const struct evaluation *evaluation, struct buffer *out)
{
    const struct assessment *assessment = evaluation_main(evaluation);
    struct json_writer json = json_begin_document(out);
    json_write_string(&json, "data_sha256", table->sha256);
    json_write_string(&json, "schema_digest", table->schema->digest);
    json_write_uint(&json, "rows", table->row_count);
    json_begin_array(&json, "columns");
    for (size_t c = 0; c < table->schema->column_count; c++) {
        json_break(&json);
        drift_add_column(&json, table, c);
    }
    json_break(&json);
    json_end_array(&json);
    if (assessment->count)
        drift_add_score(&json, assessment);
    json_end_document(&json);
}

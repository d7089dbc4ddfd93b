/* Tally → bars: see histogram.h. Pure. */
#include "trainer/report/histogram.h"

#include <stdio.h>
#include <stdlib.h>

/* 1, 2, 2.5 or 5 times a power of ten: a width by which `span` has at most `most` steps. */
static double round_step(double span, unsigned most)
{
    static const double steps[] = {1, 2, 2.5, 5, 10};
    double power = pow(10, floor(log10(span / most)));
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
        if (steps[s] * power * most >= span * (1 - 1e-9))
            return steps[s] * power;
    return 10 * power;
}

static void bar_add(struct bar *bar, const struct value_count *entry)
{
    for (int class = 0; class < VALUE_CLASSES; class ++)
        bar->counts[class] += entry->counts[class];
}

static void label_text(struct bar *bar, struct span text)
{
    snprintf(bar->label, sizeof bar->label, "%.*s", (int)text.bytes, text.data);
    text_flatten(bar->label);
}

static void by_category(const struct column *column, const struct value_counts *values, struct histogram *out)
{
    out->bars = mem_zeroed(column->value_count + 1, sizeof *out->bars);
    out->count = column->value_count;
    for (size_t v = 0; v < column->value_count; v++)
        label_text(&out->bars[v], column->values[v]);
    struct bar *other = &out->bars[column->value_count];
    label_text(other, SPAN_LITERAL("(other)"));
    for (size_t e = 0; e < values->count; e++) {
        int32_t code = column_code(column, values->entries[e].text);
        bar_add(code >= 0 ? &out->bars[code] : other, &values->entries[e]);
    }
    out->count += bar_count(other) > 0;
}

/* An ordinal's own label beside its number. */
static void label_value(const struct column *column, double value, struct bar *bar)
{
    double place = value - column->low;
    if (column->value_labels && place >= 0 && place < (double)column->value_count)
        snprintf(bar->label, sizeof bar->label, "%.6g %s", value, column->value_labels[(size_t)place]);
    else
        snprintf(bar->label, sizeof bar->label, "%.6g", value);
    text_flatten(bar->label);
}

static void by_value(const struct column *column, const struct value_counts *values, struct histogram *out)
{
    out->bars = mem_zeroed(values->count + 1, sizeof *out->bars);
    out->count = values->count;
    for (size_t e = 0; e < values->count; e++) {
        double value = values->entries[e].number;
        out->bars[e].low = out->bars[e].high = value;
        label_value(column, value, &out->bars[e]);
        bar_add(&out->bars[e], &values->entries[e]);
    }
}

static void by_width(const struct column *column, const struct value_counts *values, struct histogram *out)
{
    double least = values->entries[0].number, most = values->entries[values->count - 1].number;
    double width = round_step(most - least, HISTOGRAM_MOST - 1);
    if (column_is_whole(column))
        width = ceil(width);
    double start = floor(least / width) * width;
    size_t count = (size_t)floor((most - start) / width) + 1;
    out->bars = mem_zeroed(count + 1, sizeof *out->bars);
    out->count = count;
    for (size_t b = 0; b < count; b++) {
        out->bars[b].low = start + (double)b * width;
        out->bars[b].high = start + (double)(b + 1) * width;
        snprintf(out->bars[b].label, sizeof out->bars[b].label, "%.6g", out->bars[b].low);
    }
    for (size_t e = 0; e < values->count; e++) {
        double place = floor((values->entries[e].number - start) / width);
        size_t bar = place < 0 ? 0 : place < (double)count ? (size_t)place : count - 1;
        bar_add(&out->bars[bar], &values->entries[e]);
    }
}

/* Every value an integer that may stand for itself. */
static bool is_few(const struct value_counts *values)
{
    if (values->count > HISTOGRAM_MOST)
        return false;
    for (size_t e = 0; e < values->count; e++)
        if (values->entries[e].number != floor(values->entries[e].number))
            return values->count == 1;
    return true;
}

void histogram_make(const struct column *column, const struct value_counts *values, struct histogram *out)
{
    *out = (struct histogram){.total = values->total - values->beyond};
    if (column->kind == COLUMN_NOMINAL)
        by_category(column, values, out);
    else if (is_few(values))
        by_value(column, values, out);
    else
        by_width(column, values, out);
}

size_t histogram_highest(const struct histogram *histogram)
{
    size_t highest = 0;
    for (size_t b = 0; b < histogram->count; b++)
        highest = bar_count(&histogram->bars[b]) > highest ? bar_count(&histogram->bars[b]) : highest;
    return highest;
}

void histogram_clear(struct histogram *histogram)
{
    free(histogram->bars);
    *histogram = (struct histogram){0};
}

/* Drift and bias: see drift_and_bias.h. Called by generate. Must never name what the schema does not have. */
#include "producer/drift_and_bias.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "events/timestamp.h"

/* An item of a list: NAME=WHAT. */
struct item {
    const struct column *column;
    uint32_t index;
    struct span what;
};

/* The next item of *list, which it moves past it. */
static enum status next_item(const struct schema *schema, const char *flag, struct span *list, struct item *out,
                             struct error *err)
{
    const char *comma = memchr(list->data, ',', list->bytes);
    struct span item = {list->data, comma ? (size_t)(comma - list->data) : list->bytes};
    const char *equals = memchr(item.data, '=', item.bytes);
    *list = (struct span){item.data + item.bytes + (comma != NULL), list->bytes - item.bytes - (comma != NULL)};
    if (!equals)
        return error_set(err, STATUS_INVALID, "--%s %.*s: not of the form FEATURE=…", flag, (int)item.bytes, item.data);
    struct span name = {item.data, (size_t)(equals - item.data)};
    int32_t column = schema_column(schema, name);
    if (column < 0)
        return error_set(err, STATUS_INVALID, "--%s: the schema has no column \"%.*s\"", flag, (int)name.bytes,
                         name.data);
    out->index = (uint32_t)column;
    out->column = &schema->columns[column];
    out->what = (struct span){equals + 1, item.bytes - name.bytes - 1};
    return STATUS_OK;
}

static bool number_of(struct span text, double *out)
{
    char copy[64], *end;
    if (!text.bytes || text.bytes >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%.*s", (int)text.bytes, text.data);
    *out = strtod(copy, &end);
    return *end == '\0' && isfinite(*out);
}

/* "CATEGORY:NUMBER" */
static enum status read_category(const char *flag, const struct item *item, int32_t *code, double *number,
                                 struct error *err)
{
    const char *colon = memrchr(item->what.data, ':', item->what.bytes);
    struct span category = {item->what.data, colon ? (size_t)(colon - item->what.data) : item->what.bytes};
    if (item->column->kind != COLUMN_NOMINAL)
        return error_set(err, STATUS_INVALID, "--%s: %s has numbers; a column with categories is needed", flag,
                         item->column->name);
    *code = column_code(item->column, category);
    if (*code < 0)
        return error_set(err, STATUS_INVALID, "--%s: \"%.*s\" is not one of the categories of %s", flag,
                         (int)category.bytes, category.data, item->column->name);
    struct span rest = {category.data + category.bytes + 1, colon ? item->what.bytes - category.bytes - 1 : 0};
    if (!number_of(rest, number))
        return error_set(err, STATUS_INVALID, "--%s %s: a number must follow the category: %.*s:0.5", flag,
                         item->column->name, (int)category.bytes, category.data);
    return STATUS_OK;
}

/* "@TIME" at the end, which is taken off the item. */
static enum status read_time(const char *flag, struct item *item, int64_t *out, struct error *err)
{
    const char *at = memrchr(item->what.data, '@', item->what.bytes);
    *out = INT64_MIN;
    if (!at)
        return STATUS_OK;
    struct span time = {at + 1, item->what.bytes - (size_t)(at + 1 - item->what.data)};
    item->what.bytes = (size_t)(at - item->what.data);
    return timestamp_parse(time, out)
               ? STATUS_OK
               : error_set(err, STATUS_INVALID, "--%s %s: \"%.*s\" is no time such as 2026-03-01T00:00:00Z", flag,
                           item->column->name, (int)time.bytes, time.data);
}

static enum status read_drift(struct item *item, struct drift *out, struct error *err)
{
    *out = (struct drift){.column = item->index};
    if (read_time("drift", item, &out->from_ms, err) != STATUS_OK)
        return err->status;
    if (item->column->kind != COLUMN_NOMINAL)
        return number_of(item->what, &out->amount)
                   ? STATUS_OK
                   : error_set(err, STATUS_INVALID, "--drift %s: \"%.*s\" is no number", item->column->name,
                               (int)item->what.bytes, item->what.data);
    int32_t code;
    if (read_category("drift", item, &code, &out->amount, err) != STATUS_OK)
        return err->status;
    if (!(out->amount >= 0 && out->amount <= 1))
        return error_set(err, STATUS_INVALID, "--drift %s: the share must lie from 0 to 1", item->column->name);
    const struct span *text = &item->column->values[code];
    out->value = (struct cell){.text = text->data, .text_bytes = (uint32_t)text->bytes, .code = code};
    return STATUS_OK;
}

enum status drift_read(struct drift_and_bias *planted, const struct schema *schema, const char *text, struct error *err)
{
    struct span list = text ? span_of(text) : SPAN_NULL;
    struct item item;
    while (list.bytes) {
        if (planted->drift_count == DRIFT_AND_BIAS_MAX)
            return error_set(err, STATUS_INVALID, "--drift takes %d features at most", DRIFT_AND_BIAS_MAX);
        if (next_item(schema, "drift", &list, &item, err) != STATUS_OK ||
            read_drift(&item, &planted->drifts[planted->drift_count], err) != STATUS_OK)
            return err->status;
        planted->drift_count++;
    }
    return STATUS_OK;
}

enum status bias_read(struct drift_and_bias *planted, const struct schema *schema, const char *text, struct error *err)
{
    struct span list = text ? span_of(text) : SPAN_NULL;
    struct item item;
    while (list.bytes) {
        if (planted->bias_count == DRIFT_AND_BIAS_MAX)
            return error_set(err, STATUS_INVALID, "--bias takes %d groups at most", DRIFT_AND_BIAS_MAX);
        struct bias *bias = &planted->biases[planted->bias_count];
        if (next_item(schema, "bias", &list, &item, err) != STATUS_OK ||
            read_time("bias", &item, &bias->from_ms, err) != STATUS_OK ||
            read_category("bias", &item, &bias->code, &bias->margin, err) != STATUS_OK)
            return err->status;
        bias->column = item.index;
        planted->bias_count++;
    }
    return STATUS_OK;
}

void drift_apply(const struct drift_and_bias *planted, int32_t only, int64_t time_ms, struct random *random,
                 struct cell *cells)
{
    for (size_t d = 0; d < planted->drift_count; d++) {
        const struct drift *drift = &planted->drifts[d];
        struct cell *cell = &cells[drift->column];
        if (time_ms < drift->from_ms || (only >= 0 && (uint32_t)only != drift->column))
            continue;
        if (!drift->value.text)
            cell->number += drift->amount;
        else if (random_uniform(random) < drift->amount)
            *cell = drift->value;
    }
}

double bias_margin(const struct drift_and_bias *planted, int64_t time_ms, const struct cell *cells)
{
    double margin = 0;
    for (size_t b = 0; b < planted->bias_count; b++) {
        const struct bias *bias = &planted->biases[b];
        if (time_ms >= bias->from_ms && cells[bias->column].code == bias->code)
            margin += bias->margin;
    }
    return margin;
}

int64_t bias_next_ms(const struct drift_and_bias *planted, int64_t time_ms)
{
    int64_t next_ms = INT64_MAX;
    for (size_t b = 0; b < planted->bias_count; b++) {
        int64_t from_ms = planted->biases[b].from_ms;
        if (from_ms > time_ms && from_ms < next_ms)
            next_ms = from_ms;
    }
    return next_ms;
}

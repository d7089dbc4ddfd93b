/* Records as the score role writes them, made from the shipped schema: for tests and benches of the sink. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "events/alert.h"
#include "events/event_encoder.h"
#include "events/prediction.h"

/* What the tests vary; the rest is filled in. */
struct record_plan {
    int64_t number;        /* event-NUMBER, source offset NUMBER */
    const char *event_id;  /* or this */
    size_t event_id_bytes; /* 0: strlen */
    int64_t employee;      /* employee-NUMBER */
    int64_t occurred_at_ms;
    enum channel channel;
    int32_t partition;    /* of the source; 0: 2 */
    int64_t scored_at_us; /* after the usual time */
    bool has_change;      /* 0.375 by the record, -0.125 by the model */
};

static inline void record_cells(const struct schema *schema, int64_t number, struct cell *cells)
{
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        if (column->kind == COLUMN_NOMINAL) {
            int32_t code = (int32_t)((uint64_t)(number + (int64_t)c) % column->value_count);
            cells[c] = (struct cell){
                .text = column->values[code].data, .text_bytes = (uint32_t)column->values[code].bytes, .code = code};
        } else {
            double room = column->high - column->low;
            cells[c] =
                cell_number(column->low + (double)((number * 7 + (int64_t)c) % (room < 100 ? (int64_t)room + 1 : 100)));
        }
    }
}

/* Appends a framed prediction. */
static inline void record_prediction(const struct schema *schema, const struct record_plan *plan, struct buffer *out)
{
    char event_id[40], employee_id[40];
    struct cell *cells = mem_zeroed(schema->column_count, sizeof *cells);
    const struct reason reasons[] = {{0, -0.75}, {1, 0.5}, {2, 0.125}};
    snprintf(event_id, sizeof event_id, "event-%lld", (long long)plan->number);
    snprintf(employee_id, sizeof employee_id, "employee-%lld", (long long)plan->employee);
    record_cells(schema, plan->number, cells);
    struct span id = span_of(event_id);
    if (plan->event_id)
        id = (struct span){plan->event_id, plan->event_id_bytes ? plan->event_id_bytes : strlen(plan->event_id)};
    const struct prediction prediction = {
        .event_id = id,
        .employee_id = span_of(employee_id),
        .occurred_at_ms = plan->occurred_at_ms ? plan->occurred_at_ms : INT64_C(1790000000000) + plan->number,
        .label = 1,
        .probability = 0.625,
        .threshold = 0.5,
        .margin = 0.875,
        .base = 1.0,
        .reasons = reasons,
        .reason_count = 3,
        .model = {SPAN_LITERAL("attrition"), SPAN_LITERAL("3"), SPAN_LITERAL("production"), SPAN_NULL},
        .scored_at_us = INT64_C(1795000000000000) + plan->number + plan->scored_at_us,
        .latency_us = 120,
        .source_topic = plan->channel == CHANNEL_STREAM ? SPAN_LITERAL("employee-events") : SPAN_NULL,
        .source_partition = plan->partition ? plan->partition : 2,
        .source_offset = plan->number,
        .channel = plan->channel,
        .has_change = plan->has_change,
        .change = {0.375, -0.125},
        .cells = cells,
    };
    prediction_encode(schema, &prediction, out);
    free(cells);
}

/* Appends a framed event of type TERMINATED. */
/* `before`: NULL: it is the employee's first prediction. */
static inline void record_alert(const struct schema *schema, int64_t number, const struct alert_assessment *before,
                                struct buffer *out)
{
    char event_id[40], employee_id[40];
    static const struct alert_driver drivers[] = {
        {SPAN_LITERAL("Age"), SPAN_LITERAL("41"), SPAN_LITERAL("29"), -0.25, 0.5},
        {SPAN_LITERAL("OverTime"), SPAN_LITERAL("null"), SPAN_LITERAL("\"Yes\""), 0, 0.125}};
    snprintf(event_id, sizeof event_id, "event-%lld", (long long)number);
    snprintf(employee_id, sizeof employee_id, "employee-%lld", (long long)number);
    struct alert alert = {
        .event_id = span_of(event_id),
        .employee_id = span_of(employee_id),
        .occurred_at_ms = INT64_C(1790000000000),
        .kind = before ? ALERT_CROSSED_UP : ALERT_FIRST,
        .has_before = before != NULL,
        .after = {1, 0.75, 1.25, 0.5, SPAN_LITERAL("attrition"), SPAN_LITERAL("4")},
        .has_drivers = before != NULL,
        .drivers = drivers,
        .driver_count = 2,
        .cause = ALERT_CAUSE_RECORD,
    };
    if (before)
        alert.before = *before;
    alert_encode(schema, &alert, out);
}

static inline void record_outcome(const struct schema *schema, int64_t number, struct buffer *out)
{
    char event_id[40], employee_id[40];
    struct cell *cells = mem_zeroed(schema->column_count, sizeof *cells);
    snprintf(event_id, sizeof event_id, "outcome-%lld", (long long)number);
    snprintf(employee_id, sizeof employee_id, "employee-%lld", (long long)number);
    record_cells(schema, number, cells);
    const struct event event = {
        .event_id = span_of(event_id),
        .employee_id = span_of(employee_id),
        .occurred_at_ms = INT64_C(1790000000000),
        .type = EVENT_TYPE_TERMINATED,
        .cells = cells,
        .attributes = SPAN_NULL,
    };
    event_encode(schema, &event, out);
    free(cells);
}

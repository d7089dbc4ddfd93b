/* Current records: draws whole and partial events, and works out once more, plainly, what each must have been scored
 * with, what the state topic must hold in the end, and which alerts are due. */
#include "tests/sim/changes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "events/alert.h"
#include "events/employee_state.h"
#include "events/prediction.h"

enum { KEPT = 2 }; /* columns that are looked at */

/* One event as it was sent. */
struct change {
    enum { CHANGE_NO_EVENT, CHANGE_WHOLE, CHANGE_PARTIAL, CHANGE_LEAVES } kind;
    int64_t occurred_at_ms;
    double values[KEPT];
    bool listed[KEPT];
    bool refused;         /* by the model of it: must be a dead letter */
    double scored[KEPT];  /* … or scored with these */
    bool predicted;       /* its prediction is there: it was not too large */
    bool follows;         /* … and one counts before it */
    double moved;         /* … whose margin was so much less */
    bool alerts, alerted; /* an alert is due; is there */
    enum alert_kind kind_due;
};

/* An employee's record by that model. */
struct known {
    bool there, left;
    int64_t occurred_at_ms, source;
    double values[KEPT];
    bool said; /* a prediction counts; what was said of it last */
    double probability, margin;
};

static struct change *changes;
static const struct schema *schema;
static size_t columns[KEPT];

static bool in_rule(size_t column)
{
    for (size_t r = 0; r < schema->rule_count; r++)
        if (schema->rules[r].left == column || schema->rules[r].right == column)
            return true;
    return false;
}

void changes_begin(const struct schema *given, int64_t events)
{
    size_t found = 0;
    schema = given;
    changes = mem_zeroed((size_t)events, sizeof *changes);
    for (size_t c = 0; c < schema->column_count && found < KEPT; c++)
        if (schema->columns[c].kind == COLUMN_NUMERIC && !in_rule(c) && schema->columns[c].high >= 1000)
            columns[found++] = c;
}

double changes_probability(const struct cell *cells, size_t row)
{
    return plan.state ? cells[row * schema->column_count + columns[0]].number / 1000 : 0.25;
}

double changes_margin(double probability)
{
    return 4 * probability - 1.1;
}

/* --- sending --- */

static void draw_values(struct change *change, struct cell *cells)
{
    for (size_t k = 0; k < KEPT; k++) {
        change->values[k] = (double)chance_between(0, 999);
        change->listed[k] = change->kind != CHANGE_PARTIAL || chance_one_in(2);
        if (change->listed[k])
            cells[columns[k]] = cell_number(change->values[k]);
    }
}

void changes_draw(int64_t number, struct event *event, struct cell *cells)
{
    struct change *change = &changes[number];
    change->kind = event->type == EVENT_TYPE_TERMINATED ? CHANGE_LEAVES
                   : chance_one_in(3)                   ? CHANGE_WHOLE
                                                        : CHANGE_PARTIAL;
    if (chance_one_in(8))
        event->occurred_at_ms -= chance_between(0, 40);
    change->occurred_at_ms = event->occurred_at_ms;
    event->partial = change->kind == CHANGE_PARTIAL;
    for (size_t c = 0; c < schema->column_count && event->partial; c++)
        cells[c] = (struct cell){.code = CELL_UNLISTED};
    draw_values(change, cells);
}

/* --- the model of it --- */

/* The threshold is 0.5, a move 0.1. */
static void take_prediction(struct known *known, struct change *change)
{
    double now = change->scored[0] / 1000, last = known->probability;
    bool said = known->said, crosses = said && (now >= 0.5) != (last >= 0.5);
    change->alerts = crosses || (said ? fabs(now - last) >= 0.1 : now >= 0.5);
    change->kind_due = !said        ? ALERT_FIRST
                       : !crosses   ? ALERT_MOVED
                       : now >= 0.5 ? ALERT_CROSSED_UP
                                    : ALERT_CROSSED_DOWN;
    change->follows = said;
    change->moved = changes_margin(now) - known->margin;
    known->said = true;
    known->margin = changes_margin(now);
    known->probability = change->alerts || !said ? now : last;
}

static void take_record(struct known *known, struct change *change, int64_t offset)
{
    bool counts = known->there && !known->left;
    *known = (struct known){.there = true,
                            .occurred_at_ms = change->occurred_at_ms,
                            .source = offset,
                            .said = counts && known->said,
                            .probability = known->probability,
                            .margin = known->margin};
    memcpy(known->values, change->scored, sizeof known->values);
    if (change->predicted)
        take_prediction(known, change);
}

static void take_partial(struct known *known, struct change *change, int64_t offset)
{
    change->refused = !known->there || known->left || change->occurred_at_ms < known->occurred_at_ms;
    if (change->refused)
        return;
    for (size_t k = 0; k < KEPT; k++)
        change->scored[k] = change->listed[k] ? change->values[k] : known->values[k];
    take_record(known, change, offset);
}

static void take_change(struct known *known, struct change *change, int64_t offset)
{
    bool older = known->there && change->occurred_at_ms < known->occurred_at_ms;
    if (change->kind == CHANGE_PARTIAL)
        take_partial(known, change, offset);
    else if (change->kind == CHANGE_LEAVES && !older)
        *known =
            (struct known){.there = true, .left = true, .occurred_at_ms = change->occurred_at_ms, .source = offset};
    if (change->kind != CHANGE_WHOLE)
        return;
    memcpy(change->scored, change->values, sizeof change->scored);
    if (!older && !(known->left && change->occurred_at_ms == known->occurred_at_ms))
        take_record(known, change, offset);
}

/* --- comparing --- */

static bool is_committed(const struct record *record)
{
    return !record->control && !(record->txn && record->txn->state != TXN_COMMITTED);
}

static void check_prediction(const struct record *record, struct arena *arena)
{
    const struct change *change = &changes[record->input];
    struct prediction prediction;
    struct fault fault;
    const struct span value = {record->value, record->value_bytes};
    if (!record->value)
        return;
    if (change->refused)
        violation("scored without a record", "event %lld has nothing to be merged with", (long long)record->input);
    if (prediction_decode(schema, value, arena, &prediction, &fault) != EVENT_OK)
        violation("unreadable", "a prediction of event %lld: %s", (long long)record->input, fault.text);
    for (size_t k = 0; k < KEPT; k++)
        if (prediction.cells[columns[k]].number != change->scored[k])
            violation("merged wrongly", "event %lld was scored with %g instead of %g", (long long)record->input,
                      prediction.cells[columns[k]].number, change->scored[k]);
    if (prediction.has_change != change->follows ||
        (change->follows && (prediction.change.record != change->moved || prediction.change.model != 0)))
        violation("change of margin", "event %lld has %d %g, due is %d %g", (long long)record->input,
                  (int)prediction.has_change, prediction.change.record, (int)change->follows, change->moved);
}

static void note_prediction(const struct record *record, struct arena *arena)
{
    (void)arena;
    changes[record->input].predicted |= record->value != NULL;
}

static struct alert_reader *alert_reader;

static void check_alert(const struct record *record, struct arena *arena)
{
    struct change *change = &changes[record->input];
    struct alert alert;
    struct fault fault;
    bool waits;
    const struct span value = {record->value, record->value_bytes};
    if (alert_read(alert_reader, value, SPAN_NULL, arena, &alert, &fault, &waits) != EVENT_OK)
        violation("unreadable", "an alert of event %lld: %s", (long long)record->input, fault.text);
    if (!change->alerts || alert.kind != change->kind_due || alert.after.probability != change->scored[0] / 1000)
        violation("alert", "event %lld has one of kind %d; %s is due, of kind %d", (long long)record->input,
                  (int)alert.kind, change->alerts ? "one" : "none", (int)change->kind_due);
    change->alerted = true;
}

static void check_topic(enum topic_id topic, void (*check)(const struct record *record, struct arena *arena))
{
    struct arena arena = {0};
    for (int p = 0; p < topics[topic].partitions; p++)
        for (int64_t at = 0; at < topics[topic].logs[p].end; at++)
            if (audit_counts(topics[topic].logs[p].records[at]))
                check(topics[topic].logs[p].records[at], &arena);
    arena_free(&arena);
}

static void check_alerts(void)
{
    alert_reader = alert_reader_new(schema);
    check_topic(ALERT, check_alert);
    for (int64_t i = 0; i < input_count; i++)
        if (changes[i].alerts && !changes[i].alerted)
            violation("alert", "event %lld has none, and one is due", (long long)i);
    alert_reader_free(alert_reader);
}

/* The last record of this key that readers see; NULL: there is none. */
static const struct record *newest(int32_t partition, const char *key)
{
    const struct log *log = &topics[STATE].logs[partition];
    for (int64_t at = log->end; at-- > 0;)
        if (is_committed(log->records[at]) && log->records[at]->key && !strcmp(log->records[at]->key, key))
            return log->records[at];
    return NULL;
}

static void check_record(struct employee_state_reader *reader, int32_t partition, int employee,
                         const struct known *known)
{
    char key[24];
    struct employee_state state;
    struct fault fault;
    snprintf(key, sizeof key, "E%d", employee);
    const struct record *record = newest(partition, key);
    if (!known->there && !record)
        return;
    if (!known->there || !record)
        violation("record", "%s of partition %d is %sin the state topic", key, partition, record ? "" : "not ");
    if (employee_state_read(reader, (struct span){record->value, record->value_bytes}, &state, &fault) != EVENT_OK)
        violation("unreadable", "the record of %s: %s", key, fault.text);
    bool same = state.source_offset == known->source && state.occurred_at_ms == known->occurred_at_ms &&
                known->left == !state.cells;
    for (size_t k = 0; k < KEPT && same && state.cells; k++)
        same = state.cells[columns[k]].number == known->values[k];
    if (!same)
        violation("record", "that of %s in partition %d is of offset %lld, due is offset %lld", key, partition,
                  (long long)state.source_offset, (long long)known->source);
}

static void check_partition(struct employee_state_reader *reader, int32_t partition)
{
    const struct log *log = &topics[INPUT].logs[partition];
    int employees = plan.employees * PARTITIONS_MOST;
    struct known *known = mem_zeroed((size_t)employees, sizeof *known);
    for (int64_t at = 0; at < log->end; at++) {
        int64_t input = log->records[at]->input;
        if (input >= 0 && changes[input].kind != CHANGE_NO_EVENT)
            take_change(&known[inputs[input].employee], &changes[input], at);
    }
    for (int e = 0; e < employees; e++)
        check_record(reader, partition, e, &known[e]);
    free(known);
}

void changes_check(void)
{
    struct employee_state_reader *reader = employee_state_reader_new(schema);
    check_topic(OUTPUT, note_prediction);
    for (int p = 0; p < topics[INPUT].partitions; p++)
        check_partition(reader, p);
    check_topic(OUTPUT, check_prediction);
    check_alerts();
    employee_state_reader_free(reader);
}

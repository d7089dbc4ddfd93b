/* Kinds of alerts and their drivers: see alerts.h. Called by record_changes.c on a score loop's thread; allocates
 * nothing once warm. */
#include "scorer/stream/alerts.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "events/validate.h"
#include "pipeline/reasons.h"
#include "scorer/state/state_row.h"

enum { BEFORE, AFTER, ROWS };

struct alerts {
    const struct schema *schema;
    const struct alert_rules *rules;
    struct cell *cells; /* ROWS rows */
    struct score scores[ROWS];
    struct reason *reasons;
    double *contributions;  /* ROWS rows, by column */
    struct reason *changes; /* of contributions, largest first */
    struct alert_driver *drivers;
    size_t *ends; /* in `texts`: of each driver's two values */
    struct buffer texts, value;
};

/* --- kinds --- */

enum alert_kind alert_kind_of(const struct alert_rules *rules, const struct alert_score *last,
                              const struct alert_score *now)
{
    if (!last)
        return now->positive ? ALERT_FIRST : ALERT_KIND_COUNT;
    if (!last->positive && now->probability >= now->threshold + rules->hysteresis)
        return ALERT_CROSSED_UP;
    if (last->positive && now->probability < now->threshold - rules->hysteresis)
        return ALERT_CROSSED_DOWN;
    return fabs(now->probability - last->probability) >= rules->delta ? ALERT_MOVED : ALERT_KIND_COUNT;
}

/* What the last alert said; a record from before there were alerts has its last prediction in its place. */
static bool last_alert(const struct alert_subject *subject, struct alert_score *out)
{
    const struct state_record *before = subject->before;
    if (!before)
        return false;
    uint32_t label = before->alerted ? before->alerted_label : before->label;
    *out = (struct alert_score){
        .probability = before->alerted ? before->alerted_probability : before->probability,
        .positive = label == subject->model->labels.positive,
    };
    return true;
}

/* --- drivers --- */

static bool same_cell(const struct column *column, const struct cell *a, const struct cell *b)
{
    if (a->code != b->code || a->code == CELL_MISSING)
        return a->code == b->code;
    if (column->kind != COLUMN_NOMINAL)
        return a->number == b->number;
    return span_equal((struct span){a->text, a->text_bytes}, (struct span){b->text, b->text_bytes});
}

static bool same_record(const struct alerts *alerts)
{
    const struct schema *schema = alerts->schema;
    for (size_t c = 0; c < schema->column_count; c++)
        if (!same_cell(&schema->columns[c], &alerts->cells[c], &alerts->cells[schema->column_count + c]))
            return false;
    return true;
}

static void fill_rows(struct alerts *alerts, const struct alert_subject *subject)
{
    size_t columns = alerts->schema->column_count;
    state_row_unpack(alerts->schema, subject->before->row.data, alerts->cells);
    (void)validate_impute(alerts->schema, alerts->cells); /* the policy may be newer than the record */
    memcpy(alerts->cells + columns, subject->event->cells, columns * sizeof *alerts->cells);
}

/* Both rows under the present model, each contribution by its column. */
static void explain_rows(struct alerts *alerts, const struct model *model)
{
    size_t columns = alerts->schema->column_count;
    uint32_t most = pipeline_has_reasons(model->pipeline) ? (uint32_t)columns : 0;
    pipeline_score(model->pipeline, alerts->cells, ROWS, most, alerts->scores, alerts->reasons);
    memset(alerts->contributions, 0, ROWS * columns * sizeof *alerts->contributions);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t r = 0; r < alerts->scores[row].reason_count; r++) {
            const struct reason *reason = &alerts->reasons[row * columns + r];
            alerts->contributions[row * columns + reason->column] = reason->contribution;
        }
}

/* The buffer moves while it grows: texts are known by their ends until all are there. */
static void write_values(struct alerts *alerts, size_t count)
{
    size_t columns = alerts->schema->column_count;
    buffer_clear(&alerts->texts);
    for (size_t d = 0; d < count; d++)
        for (size_t row = 0; row < ROWS; row++) {
            uint32_t column = alerts->changes[d].column;
            json_add_cell(&alerts->texts, &alerts->schema->columns[column], &alerts->cells[row * columns + column]);
            alerts->ends[ROWS * d + row] = alerts->texts.bytes;
        }
}

static struct span value_at(const struct alerts *alerts, size_t n)
{
    size_t start = n ? alerts->ends[n - 1] : 0;
    return (struct span){alerts->texts.data + start, alerts->ends[n] - start};
}

static uint32_t find_changes(struct alerts *alerts)
{
    size_t columns = alerts->schema->column_count;
    const double *before = alerts->contributions, *after = before + columns;
    uint32_t count = 0;
    for (uint32_t c = 0; c < columns; c++)
        if (before[c] != after[c])
            count = reason_place(alerts->changes, count, (uint32_t)columns, (struct reason){c, after[c] - before[c]});
    return count;
}

static void fill_drivers(struct alerts *alerts, struct alert *alert)
{
    size_t columns = alerts->schema->column_count;
    uint32_t count = find_changes(alerts);
    write_values(alerts, count);
    for (size_t d = 0; d < count; d++) {
        uint32_t column = alerts->changes[d].column;
        alerts->drivers[d] = (struct alert_driver){
            .feature = span_of(alerts->schema->columns[column].name),
            .before = value_at(alerts, ROWS * d + BEFORE),
            .after = value_at(alerts, ROWS * d + AFTER),
            .contribution_before = alerts->contributions[column],
            .contribution_after = alerts->contributions[columns + column],
        };
    }
    alert->drivers = alerts->drivers;
    alert->driver_count = count;
}

/* --- the whole --- */

static bool same_model(const struct alert_assessment *a, const struct alert_assessment *b)
{
    return a->threshold == b->threshold && span_equal(a->model_version, b->model_version) &&
           span_equal(a->model_name, b->model_name);
}

static enum alert_cause cause_of(const struct alerts *alerts, const struct alert *alert)
{
    if (same_model(&alert->before, &alert->after))
        return ALERT_CAUSE_RECORD;
    return same_record(alerts) ? ALERT_CAUSE_MODEL : ALERT_CAUSE_BOTH;
}

/* The record before may have no number under the present model: then nothing can be said of what changed it. */
static void fill_change(struct alerts *alerts, const struct alert_subject *subject, struct alert *alert)
{
    const struct state_record *before = subject->before;
    alert->has_before = true;
    alert->before = (struct alert_assessment){
        .label = before->label,
        .probability = before->probability,
        .margin = before->margin,
        .threshold = subject->model_before->threshold,
        .model_name = subject->model_before->name,
        .model_version = subject->model_before->version,
    };
    fill_rows(alerts, subject);
    explain_rows(alerts, subject->model);
    alert->cause = cause_of(alerts, alert);
    alert->has_drivers &= isfinite(alerts->scores[BEFORE].margin);
    if (isfinite(alerts->scores[BEFORE].margin))
        alert->model_change = alerts->scores[BEFORE].margin - before->margin;
    if (alert->has_drivers)
        fill_drivers(alerts, alert);
}

static void write_alert(struct alerts *alerts, const struct alert_subject *subject, enum alert_kind kind)
{
    const struct prediction *scored = subject->scored;
    struct alert alert = {
        .event_id = scored->event_id,
        .employee_id = scored->employee_id,
        .occurred_at_ms = scored->occurred_at_ms,
        .kind = kind,
        .after =
            {
                .label = scored->label,
                .probability = scored->probability,
                .margin = scored->margin,
                .threshold = scored->threshold,
                .model_name = scored->model.name,
                .model_version = scored->model.version,
            },
        .has_drivers = pipeline_has_reasons(subject->model->pipeline),
        .cause = ALERT_CAUSE_RECORD,
    };
    if (subject->before)
        fill_change(alerts, subject, &alert);
    buffer_clear(&alerts->value);
    alert_encode(alerts->schema, &alert, &alerts->value);
}

/* Where no alert is due, what counts as the last one stays; of the first prediction it becomes that. */
enum alert_kind alerts_check(struct alerts *alerts, const struct alert_subject *subject, struct state_record *record,
                             struct span *value)
{
    const struct prediction *scored = subject->scored;
    const struct alert_score now = {scored->probability, scored->threshold,
                                    scored->label == subject->model->labels.positive};
    struct alert_score last;
    bool has_last = last_alert(subject, &last);
    enum alert_kind kind = alert_kind_of(alerts->rules, has_last ? &last : NULL, &now);
    if (kind != ALERT_KIND_COUNT || !has_last) {
        record->alerted_label = (uint8_t)scored->label;
        record->alerted_probability = scored->probability;
    } else if (!record->alerted) {
        record->alerted_label = subject->before->label;
        record->alerted_probability = last.probability;
    }
    record->alerted = true;
    if (kind == ALERT_KIND_COUNT)
        return kind;
    write_alert(alerts, subject, kind);
    *value = buffer_span(&alerts->value);
    return kind;
}

struct alerts *alerts_new(const struct schema *schema, const struct alert_rules *rules)
{
    struct alerts *alerts = mem_zeroed(1, sizeof *alerts);
    size_t columns = schema->column_count;
    alerts->schema = schema;
    alerts->rules = rules;
    alerts->cells = mem_zeroed(ROWS * columns + 1, sizeof *alerts->cells);
    alerts->reasons = mem_zeroed(ROWS * columns + 1, sizeof *alerts->reasons);
    alerts->contributions = mem_zeroed(ROWS * columns + 1, sizeof *alerts->contributions);
    alerts->changes = mem_zeroed(columns + 1, sizeof *alerts->changes);
    alerts->drivers = mem_zeroed(columns + 1, sizeof *alerts->drivers);
    alerts->ends = mem_zeroed(ROWS * columns + 1, sizeof *alerts->ends);
    return alerts;
}

void alerts_free(struct alerts *alerts)
{
    if (!alerts)
        return;
    free(alerts->cells);
    free(alerts->reasons);
    free(alerts->contributions);
    free(alerts->changes);
    free(alerts->drivers);
    free(alerts->ends);
    buffer_free(&alerts->texts);
    buffer_free(&alerts->value);
    free(alerts);
}

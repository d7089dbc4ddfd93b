/* Changes of current records: see record_changes.h. Called by score_batch.c on a score loop's thread; allocates nothing
 * once warm. */
#include "scorer/stream/record_changes.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "events/employee_state.h"
#include "events/validate.h"
#include "scorer/state/state_row.h"

struct record_changes {
    const struct settings *settings;
    struct state *state;
    struct state_merge *merge;
    struct alerts *alerts; /* NULL: there are none */
    struct cell *cells;    /* of a record before */
    struct buffer value;
};

struct record_changes *record_changes_new(const struct settings *settings, struct state *state)
{
    struct record_changes *changes = mem_zeroed(1, sizeof *changes);
    changes->settings = settings;
    changes->state = state;
    changes->merge = state_merge_new(settings->schema, state);
    changes->cells = mem_zeroed(settings->schema->column_count + 1, sizeof *changes->cells);
    if (settings->alert_topic)
        changes->alerts = alerts_new(settings->schema, &settings->alert_rules);
    return changes;
}

void record_changes_free(struct record_changes *changes)
{
    if (!changes)
        return;
    state_merge_free(changes->merge);
    alerts_free(changes->alerts);
    free(changes->cells);
    buffer_free(&changes->value);
    free(changes);
}

bool record_changes_has(const struct record_changes *changes, int32_t partition)
{
    return state_has(changes->state, partition);
}

bool record_changes_is_repeated(const struct record_changes *changes, const struct input_message *message)
{
    return message->offset < state_position(changes->state, message->partition);
}

/* Where the change is in the log of the open transaction, so that what it has replaced is found when it is scored. */
static struct record_change note_change(const struct record_changes *changes, enum state_change how)
{
    struct record_change change = {.how = how};
    if (how != STATE_CHANGE_RECORD)
        return change;
    change.begins = state_merge_begins(changes->merge);
    change.place = state_last_change(changes->state);
    return change;
}

struct record_change record_changes_merge(struct record_changes *changes, const struct input_message *message,
                                          bool keyed, struct event *event, struct fault *fault)
{
    const struct state_source source = {message->partition, message->offset, keyed};
    return note_change(changes, state_merge_event(changes->merge, &source, event, fault));
}

struct record_change record_changes_erase(struct record_changes *changes, const struct input_message *message,
                                          struct span employee_id)
{
    bool removed = state_remove(changes->state, message->partition, employee_id);
    return (struct record_change){.how = removed ? STATE_CHANGE_REMOVED : STATE_CHANGE_NONE};
}

/* What has been said of the employee before this event; false: nothing that counts. */
static bool find_before(const struct record_changes *changes, const struct record_change *change,
                        struct state_record *out)
{
    return change->how == STATE_CHANGE_RECORD && !change->begins &&
           state_replaced(changes->state, change->place, out) && out->scored;
}

static bool is_of_model(const struct record_changes *changes, const struct state_record *record,
                        const struct model_stamp *stamp)
{
    const struct state_model *model = state_model_at(changes->state, record->model);
    return span_equal(model->version, stamp->version) && span_equal(model->name, stamp->name);
}

/* The margin that the model gives the record; not finite: none. */
static double score_again(struct record_changes *changes, const struct state_record *record, const struct model *model)
{
    struct score score;
    state_row_unpack(changes->settings->schema, record->row.data, changes->cells);
    (void)validate_impute(changes->settings->schema, changes->cells); /* the policy may be newer than the record */
    pipeline_score(model->pipeline, changes->cells, 1, 0, &score, NULL);
    return score.margin;
}

void record_changes_split(struct record_changes *changes, const struct record_change *change, const struct model *model,
                          struct prediction *scored)
{
    struct state_record before;
    scored->has_change = false;
    if (!find_before(changes, change, &before))
        return;
    double under_present =
        is_of_model(changes, &before, &scored->model) ? before.margin : score_again(changes, &before, model);
    scored->has_change = isfinite(under_present);
    scored->change = (struct margin_change){scored->margin - under_present, under_present - before.margin};
}

static void take_prediction(struct record_changes *changes, const struct prediction *scored,
                            struct state_record *record)
{
    const struct state_model model = {scored->model.name, scored->model.version, scored->threshold};
    record->label = (uint8_t)scored->label;
    record->model = state_model_number(changes->state, &model);
    record->probability = scored->probability;
    record->margin = scored->margin;
    record->scored = true;
}

/* The alert of this event, where one is due. */
static enum alert_kind publish_alert_of(struct record_changes *changes, struct publish *publish,
                                        const struct record_result *result, const struct state_record *before,
                                        struct state_record *record)
{
    const struct alert_subject subject = {
        .event = result->event,
        .scored = result->scored,
        .model = result->model,
        .before = before,
        .model_before = before ? state_model_at(changes->state, before->model) : NULL,
    };
    struct span value;
    enum alert_kind kind = alerts_check(changes->alerts, &subject, record, &value);
    if (kind != ALERT_KIND_COUNT)
        publish_alert(publish, result->message, result->event->employee_id, value);
    return kind;
}

static void fill_score(const struct record_changes *changes, const struct state_record *record,
                       struct employee_state *out)
{
    out->alerted = record->alerted;
    out->alerted_label = record->alerted_label;
    out->alerted_probability = record->alerted_probability;
    if (!record->scored)
        return;
    const struct state_model *model = state_model_at(changes->state, record->model);
    out->scored = true;
    out->label = record->label;
    out->probability = record->probability;
    out->margin = record->margin;
    out->threshold = model->threshold;
    out->model_name = model->name;
    out->model_version = model->version;
}

/* What is said of the record now: by this event's prediction, or else what was said of the one before. */
static enum alert_kind score_record(struct record_changes *changes, struct publish *publish,
                                    const struct record_change *change, const struct record_result *result,
                                    struct employee_state *out)
{
    enum alert_kind kind = ALERT_KIND_COUNT;
    struct state_record before, record = {0};
    bool has_before = find_before(changes, change, &before);
    if (has_before)
        record = before;
    record.employee_id = out->employee_id;
    record.source_offset = out->source_offset;
    if (result->scored && changes->alerts)
        kind = publish_alert_of(changes, publish, result, has_before ? &before : NULL, &record);
    if (result->scored)
        take_prediction(changes, result->scored, &record);
    state_set_score(changes->state, out->source_partition, change->place, &record);
    fill_score(changes, &record, out);
    return kind;
}

enum alert_kind record_changes_publish(struct record_changes *changes, struct publish *publish,
                                       const struct record_change *change, const struct record_result *result)
{
    const struct input_message *message = result->message;
    const struct event *event = result->event;
    enum alert_kind kind = ALERT_KIND_COUNT;
    if (change->how == STATE_CHANGE_REMOVED)
        publish_state(publish, message, event->employee_id, SPAN_NULL);
    if (change->how != STATE_CHANGE_RECORD && change->how != STATE_CHANGE_MARKER)
        return kind;
    struct employee_state record = {
        .employee_id = event->employee_id,
        .occurred_at_ms = event->occurred_at_ms,
        .source_topic = span_of(changes->settings->input_topic),
        .source_partition = message->partition,
        .source_offset = message->offset,
    };
    if (change->how == STATE_CHANGE_RECORD) {
        record.cells = event->cells;
        record.attributes = event->attributes;
        kind = score_record(changes, publish, change, result, &record);
    }
    buffer_clear(&changes->value);
    employee_state_encode(changes->settings->schema, &record, &changes->value);
    publish_state(publish, message, event->employee_id, buffer_span(&changes->value));
    return kind;
}

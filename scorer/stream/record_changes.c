/* Changes of current records: see record_changes.h. Called by score_batch.c on a score loop's thread; allocates nothing
 * once warm. */
#include "scorer/stream/record_changes.h"

#include <stdlib.h>

#include "base/memory.h"
#include "events/employee_state.h"

struct record_changes {
    const struct settings *settings;
    struct state *state;
    struct state_merge *merge;
    struct buffer value;
};

struct record_changes *record_changes_new(const struct settings *settings, struct state *state)
{
    struct record_changes *changes = mem_zeroed(1, sizeof *changes);
    changes->settings = settings;
    changes->state = state;
    changes->merge = state_merge_new(settings->schema, state);
    return changes;
}

void record_changes_free(struct record_changes *changes)
{
    if (!changes)
        return;
    state_merge_free(changes->merge);
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

enum state_change record_changes_merge(struct record_changes *changes, const struct input_message *message, bool keyed,
                                       struct event *event, struct fault *fault)
{
    const struct state_source source = {message->partition, message->offset, keyed};
    return state_merge_event(changes->merge, &source, event, fault);
}

enum state_change record_changes_erase(struct record_changes *changes, const struct input_message *message,
                                       struct span employee_id)
{
    return state_remove(changes->state, message->partition, employee_id) ? STATE_CHANGE_REMOVED : STATE_CHANGE_NONE;
}

/* With this event a record begins or ends, and the batch may hold later ones of the same employee, which the record in
 * memory is of already: the prediction of an event before this one, just kept with it, is none of its own. */
static void forget_score(struct record_changes *changes, const struct input_message *message, struct span employee_id)
{
    struct state_record record;
    if (!state_find(changes->state, message->partition, employee_id, &record))
        return;
    record.scored = false;
    state_set_score(changes->state, message->partition, employee_id, &record);
}

/* The prediction of this event, kept with the record; or the one that was kept. */
static void fill_score(struct record_changes *changes, const struct input_message *message,
                       const struct prediction *scored, struct employee_state *out)
{
    struct state_record record;
    if (!state_find(changes->state, message->partition, out->employee_id, &record) || record.left)
        return; /* a later event of the batch has ended it */
    if (scored) {
        const struct state_model model = {scored->model.name, scored->model.version, scored->threshold};
        record.label = (uint8_t)scored->label;
        record.model = state_model_number(changes->state, &model);
        record.probability = scored->probability;
        record.margin = scored->margin;
        record.scored = true;
        state_set_score(changes->state, message->partition, out->employee_id, &record);
    }
    out->alerted = record.alerted;
    out->alerted_label = record.alerted_label;
    out->alerted_probability = record.alerted_probability;
    if (!record.scored)
        return;
    const struct state_model *model = state_model_at(changes->state, record.model);
    out->scored = true;
    out->label = record.label;
    out->probability = record.probability;
    out->margin = record.margin;
    out->threshold = model->threshold;
    out->model_name = model->name;
    out->model_version = model->version;
}

void record_changes_publish(struct record_changes *changes, struct publish *publish,
                            const struct input_message *message, enum state_change change, const struct event *event,
                            const struct prediction *scored)
{
    if (change == STATE_CHANGE_NONE)
        return;
    if (change != STATE_CHANGE_RECORD || event->type == EVENT_TYPE_HIRED)
        forget_score(changes, message, event->employee_id);
    if (change == STATE_CHANGE_REMOVED)
        publish_state(publish, message, event->employee_id, SPAN_NULL);
    if (change != STATE_CHANGE_RECORD && change != STATE_CHANGE_MARKER)
        return;
    struct employee_state record = {
        .employee_id = event->employee_id,
        .occurred_at_ms = event->occurred_at_ms,
        .source_topic = span_of(changes->settings->input_topic),
        .source_partition = message->partition,
        .source_offset = message->offset,
    };
    if (change == STATE_CHANGE_RECORD) {
        record.cells = event->cells;
        fill_score(changes, message, scored, &record);
    }
    buffer_clear(&changes->value);
    employee_state_encode(changes->settings->schema, &record, &changes->value);
    publish_state(publish, message, event->employee_id, buffer_span(&changes->value));
}

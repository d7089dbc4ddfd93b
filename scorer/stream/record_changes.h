/* What the events of a batch change in the current records, and what is written of it to the state topic.
 *
 * Changes are made while the batch is decoded, event by event, since the next may be of the same employee; they are
 * written when it is scored, each with its event's prediction. What is valid changes the record, whatever comes of its
 * prediction. One owner, the score batch. */
#pragma once

#include "events/prediction.h"
#include "scorer/state/state_merge.h"
#include "scorer/stream/publish.h"

struct record_changes;

/* Borrows both. */
struct record_changes *record_changes_new(const struct settings *settings, struct state *state);
void record_changes_free(struct record_changes *changes);

/* False: its partition has no records, because the input has grown (scorer state repartition): it waits. */
bool record_changes_has(const struct record_changes *changes, int32_t partition);
/* At least once: whether it was done by an earlier process, as the position beside the records says. */
bool record_changes_is_repeated(const struct record_changes *changes, const struct input_message *message);
/* `keyed`: its key names the employee. As state_merge_event. */
enum state_change record_changes_merge(struct record_changes *changes, const struct input_message *message, bool keyed,
                                       struct event *event, struct fault *fault);
/* A null value. */
enum state_change record_changes_erase(struct record_changes *changes, const struct input_message *message,
                                       struct span employee_id);
/* In the order of the messages. `scored`: the event's prediction; NULL: it has none that counts. */
void record_changes_publish(struct record_changes *changes, struct publish *publish,
                            const struct input_message *message, enum state_change change, const struct event *event,
                            const struct prediction *scored);

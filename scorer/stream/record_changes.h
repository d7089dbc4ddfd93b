/* What the events of a batch change in the current records, what is written of it to the state topic, and the alerts
 * that follow.
 *
 * Changes are made while the batch is decoded, event by event, since the next may be of the same employee; they are
 * written when it is scored, each with its event's prediction. What is valid changes the record, whatever comes of its
 * prediction. One owner, the score batch. */
#pragma once

#include "events/prediction.h"
#include "scorer/state/state_merge.h"
#include "scorer/stream/alerts.h"
#include "scorer/stream/publish.h"

struct record_changes;

/* What an event has changed, until its batch is done. Plain data; zeroed: nothing. */
struct record_change {
    enum state_change how;
    bool begins;  /* the record is the first, or begins again */
    size_t place; /* of the change in the open transaction (state.h) */
};

/* Borrows both. */
struct record_changes *record_changes_new(const struct settings *settings, struct state *state);
void record_changes_free(struct record_changes *changes);

/* False: its partition has no records, because the input has grown (scorer state repartition): it waits. */
bool record_changes_has(const struct record_changes *changes, int32_t partition);
/* At least once: whether it was done by an earlier process, as the position beside the records says. */
bool record_changes_is_repeated(const struct record_changes *changes, const struct input_message *message);
/* `keyed`: its key names the employee. As state_merge_event. */
struct record_change record_changes_merge(struct record_changes *changes, const struct input_message *message,
                                          bool keyed, struct event *event, struct fault *fault);
/* A null value. */
struct record_change record_changes_erase(struct record_changes *changes, const struct input_message *message,
                                          struct span employee_id);

/* Fills in what has changed the margin of `scored` since what was said of the employee before this event, if there was
 * something. Before record_changes_publish. */
void record_changes_split(struct record_changes *changes, const struct record_change *change, const struct model *model,
                          struct prediction *scored);

/* What has come of an event. Plain data; borrows everything. */
struct record_result {
    const struct input_message *message;
    const struct event *event;
    const struct prediction *scored; /* NULL: it has none that counts */
    const struct model *model;
};

/* In the order of the messages. Returns the kind of the alert that it has raised; ALERT_KIND_COUNT: none. */
enum alert_kind record_changes_publish(struct record_changes *changes, struct publish *publish,
                                       const struct record_change *change, const struct record_result *result);

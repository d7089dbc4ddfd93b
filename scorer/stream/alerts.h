/* Alerts: when one is due, and what it says of why.
 *
 * Each event asks whether one is due, which is a comparison of numbers. Only then are the record before and the present
 * one scored and explained once more, both under the present model. One owner, the score batch's record_changes. */
#pragma once

#include "events/alert.h"
#include "events/event.h"
#include "events/prediction.h"
#include "scorer/model/model_holder.h"
#include "scorer/settings.h"
#include "scorer/state/state.h"

/* A prediction as the rules see it. Plain data. */
struct alert_score {
    double probability, threshold;
    bool positive;
};

/* What is to be said of an employee's next prediction: ALERT_KIND_COUNT is nothing. `last`: what the last alert said,
 * or else the first prediction; NULL: this one is the first. */
enum alert_kind alert_kind_of(const struct alert_rules *rules, const struct alert_score *last,
                              const struct alert_score *now);

struct alerts;

/* Borrows both. */
struct alerts *alerts_new(const struct schema *schema, const struct alert_rules *rules);
void alerts_free(struct alerts *alerts);

/* What an alert is of. Plain data; borrows everything. */
struct alert_subject {
    const struct event *event;              /* its cells are the present record */
    const struct prediction *scored;        /* … and its prediction */
    const struct model *model;              /* … by this model */
    const struct state_record *before;      /* NULL: no prediction counts before this one */
    const struct state_model *model_before; /* … which made it */
};

/* Sets what the last alert said in `record`, the subject's own record in the state, and returns the kind of the alert
 * that is due; its frame and Avro binary are *value then, until the next call. */
enum alert_kind alerts_check(struct alerts *alerts, const struct alert_subject *subject, struct state_record *record,
                             struct span *value);

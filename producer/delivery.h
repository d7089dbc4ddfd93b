/* Events on their way: encoded, handed to the sender, counted, shown; and the summary at the end. Used by backfill and
 * generate, on one thread. */
#pragma once

#include "base/options.h"
#include "base/progress.h"
#include "events/event.h"
#include "events/schema.h"
#include "producer/arrival.h"
#include "producer/follow.h"
#include "producer/poison.h"
#include "producer/rejects.h"
#include "producer/sender.h"

/* read = sent before + sent + rejected, unless the run was stopped. Plain data, owned by the command; zero-initialise
 * it and set the first part. */
struct delivery {
    const struct options *options;
    const struct schema *schema;
    struct poison *poison; /* NULL: none */
    const char *where;     /* the command, in logs */
    const char *group;     /* keeps the position of the input; NULL: there is none */
    bool dry_run;          /* everything but sending */
    enum arrival arrival;  /* the shape of --rate */
    bool may_be_ignored;   /* with --wait: the scorer ignores some, which is an end too */
    /* Names a message for people by its tag: "people.csv:17". */
    void (*name_tag)(void *context, uintptr_t tag, char *out, size_t capacity);
    void *context;

    struct sender *sender; /* NULL: a dry run, or not open */
    struct follow *follow; /* NULL: without --wait */
    struct progress progress;
    uint64_t read, sent;               /* sent: by this run, or in a dry run what would be */
    uint64_t sent_before;              /* by earlier runs of the same input */
    struct resume_position position;   /* of what was read */
    struct resume_position resumed_at; /* rows up to there are not sent again */
    struct reject_totals rejected;
    struct buffer value;
    uint64_t failures_shown;
    int64_t rate_origin_us; /* steady clock: with --rate, the time from which … */
    double rate_us;         /* … the next event is due */
    uint64_t done_seen;     /* acknowledged or failed … */
    int64_t done_us;        /* … and since when, by the steady clock */
    bool stalled;           /* said that nothing is acknowledged */
    bool broken;            /* said why: nothing more can be sent */
};

/* Waits for the broker and begins the progress line; total 0: unknown. */
MUST_USE enum status delivery_open(struct delivery *delivery, uint64_t total, struct error *err);

/* Whether the next row was sent by an earlier run. */
bool delivery_has_sent(const struct delivery *delivery);

/* Counts one row read: rejected, or sent before. Now and then reports failures and redraws. Its bytes are for the
 * position. */
void delivery_pass(struct delivery *delivery, struct span raw, bool valid);

/* Sends one event and counts it as read. `tag` comes back through name_tag if it is not delivered. */
MUST_USE enum status delivery_send(struct delivery *delivery, struct event *event, struct span raw, uintptr_t tag,
                                   struct error *err);

/* The same to a partition of the input topic. */
MUST_USE enum status delivery_send_to(struct delivery *delivery, struct event *event, int32_t partition,
                                      struct span raw, uintptr_t tag, struct error *err);

/* Waits for what is under way, prints the summary to `out`, releases everything. `complete`: the input came to its end.
 * True when every row read was rejected or acknowledged, and with --wait every event came to its end. */
bool delivery_close(struct delivery *delivery, bool complete, FILE *out);

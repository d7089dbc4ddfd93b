/* Events on their way: encoded, handed to the sender, counted, shown; and the summary at the end. Used by backfill and
 * generate, on one thread. */
#pragma once

#include "base/options.h"
#include "base/progress.h"
#include "events/event.h"
#include "events/schema.h"
#include "producer/poison.h"
#include "producer/rejects.h"
#include "producer/sender.h"

/* read = sent + rejected, unless the run was stopped. Plain data, owned by the command; zero-initialise it. */
struct delivery {
    const struct schema *schema;
    struct sender *sender;
    struct progress progress;
    struct poison *poison; /* NULL: none */
    uint64_t read;
    struct reject_totals rejected;
    struct buffer value;
    /* Names a message for people by its tag: "people.csv:17". Set before delivery_open. */
    void (*name_tag)(void *context, uintptr_t tag, char *out, size_t capacity);
    void *context;
    uint64_t failures_shown;
};

/* Waits for the broker and begins the progress line; total 0: unknown. */
MUST_USE enum status delivery_open(struct delivery *delivery, const struct options *options, uint64_t total,
                                   struct error *err);

/* Counts one row read that is not sent; now and then serves delivery reports and redraws. */
void delivery_turn(struct delivery *delivery);

/* Sends one event and counts it as read. `tag` comes back through name_tag if it is not delivered. */
MUST_USE enum status delivery_send(struct delivery *delivery, struct event *event, uintptr_t tag, struct error *err);

/* Waits for what is under way, prints the summary to `out`, releases everything. True when every row read was rejected
 * or acknowledged. */
bool delivery_close(struct delivery *delivery, FILE *out);

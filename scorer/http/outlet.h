/* HTTP's own way to the output topic: one idempotent producer, apart from the score loops' transactions.
 *
 * A request's records are sent together and reported together: once all are acknowledged, or one is lost or was not
 * acknowledged in time. The queue is bounded; a full one refuses at once. Any thread. */
#ifndef SCORER_HTTP_OUTLET_H
#define SCORER_HTTP_OUTLET_H

#include "base/bytes.h"
#include "base/status.h"
#include "scorer/settings.h"

/* Plain data; zero-initialised is empty. Positions are in `bytes`. */
struct outlet_record {
    size_t key_at, key_bytes, value_at, value_bytes;
    bool has_key;
};

struct outlet_records {
    struct buffer bytes;
    struct outlet_record *items;
    size_t count, capacity;
    char traceparent[64]; /* header of each record; "": none */
};

/* Starts a record whose value the caller then appends to records->bytes; outlet_end_record closes it. */
void outlet_begin_record(struct outlet_records *records, struct span key);
void outlet_end_record(struct outlet_records *records);
void outlet_records_clear(struct outlet_records *records); /* frees what it holds */

struct outlet;

/* Called once for each outlet_send that returned true, on the outlet's thread. */
typedef void outlet_done(void *context, bool acknowledged);

/* Connects in the background. Borrows settings. */
MUST_USE enum status outlet_new(const struct settings *settings, struct outlet **out, struct error *err);
void outlet_free(struct outlet *outlet); /* reports what is under way, at the latest when its time is over */

/* Copies the records. false: the queue is full or the producer is gone; nothing will be reported. */
MUST_USE bool outlet_send(struct outlet *outlet, const struct outlet_records *records, outlet_done *done,
                          void *context);

#endif

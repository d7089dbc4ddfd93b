/* HTTP's own way to the output topic: one idempotent producer, apart from the score loops' transactions.
 *
 * A request's records are sent together and reported together: once all are acknowledged, or one is lost or was not
 * acknowledged in time. The queue is bounded; a full one refuses at once. Any thread. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"
#include "scorer/settings.h"

/* Plain data; zero-initialised is empty. Positions are in `bytes`. */
struct prediction_log_record {
    size_t key_at, key_bytes, value_at, value_bytes;
    bool has_key;
};

struct prediction_log_records {
    struct buffer bytes;
    struct prediction_log_record *items;
    size_t count, capacity;
    char traceparent[64]; /* header of each record; "": none */
};

/* Starts a record whose value the caller then appends to records->bytes; prediction_log_end_record closes it. */
void prediction_log_begin_record(struct prediction_log_records *records, struct span key);
void prediction_log_end_record(struct prediction_log_records *records);
void prediction_log_records_clear(struct prediction_log_records *records); /* frees what it holds */

struct prediction_log;

/* Called once for each prediction_log_send that returned true, on the prediction log's thread. */
typedef void prediction_log_done(void *context, bool acknowledged);

/* Connects in the background. Borrows settings. */
MUST_USE enum status prediction_log_new(const struct settings *settings, struct prediction_log **out,
                                        struct error *err);
/* Takes nothing more. What is under way has a second to be acknowledged, then it is reported as not. NULL is fine. */
void prediction_log_stop(struct prediction_log *prediction_log);
void prediction_log_free(struct prediction_log *prediction_log); /* stops it and waits; NULL is fine */

/* Copies the records. false: the queue is full or the producer is gone; nothing will be reported. */
MUST_USE bool prediction_log_send(struct prediction_log *prediction_log, const struct prediction_log_records *records,
                                  prediction_log_done *done, void *context);

/* HTTP's way to the input topic: events that were posted, in Kafka transactions of one producer (kafka/transaction.h).
 *
 * What is posted while a transaction is under way waits, and goes into the next one together: each request's events are
 * committed all or none. The first post opens the producer; only what an earlier process of this instance left open is
 * ended at the start. Every post ends within HTTP_LOG_TIMEOUT, whatever Kafka does. Any thread. */
#pragma once

#include "scorer/http/prediction_log.h"
#include "scorer/metrics.h"

struct event_sender;

enum event_sent {
    EVENTS_COMMITTED,
    EVENTS_UNWRITTEN, /* nothing of it counts */
    EVENTS_UNKNOWN,   /* not known: it may still be committed */
};

/* Connects in the background. Borrows settings. */
MUST_USE enum status event_sender_new(const struct settings *settings, struct event_sender **out, struct error *err);
/* Takes nothing more and reports what is under way as soon as it can. NULL is fine. */
void event_sender_stop(struct event_sender *sender);
void event_sender_free(struct event_sender *sender); /* ends what is under way */

/* Called once for each event_sender_send that returned NULL, on the sender's thread. */
typedef void event_sender_done(void *context, enum event_sent result);

/* Takes the records. NULL, or at once why nothing is sent (records stay the caller's, nothing will be reported). */
MUST_USE const char *event_sender_send(struct event_sender *sender, struct prediction_log_records *records,
                                       event_sender_done *done, void *context);

/* METRIC_HTTP_EVENTS */
void event_sender_write_metric(const struct event_sender *sender, struct buffer *out);

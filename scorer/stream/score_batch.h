/* The messages of one poll on their way to published results: decode and validate, score, explain, publish.
 *
 * One owner, the score loop, on its thread; its arrays are used again for each batch. Messages are borrowed from the
 * input consumer until the next poll. */
#pragma once

#include "scorer/stream/input_consumer.h"
#include "scorer/model/model_holder.h"
#include "scorer/stream/publish.h"
#include "scorer/stream/result_counts.h"

struct score_batch;

/* Borrows all three. Failure: the writer's schema of --unframed cannot be read or resolved. */
MUST_USE enum status score_batch_new(const struct settings *settings, struct model_holder *models,
                                     struct counters *counters, struct score_batch **out, struct error *err);
void score_batch_free(struct score_batch *batch);

/* Takes the next messages, as many as a batch holds (512), and never more than `most`, within timeout_ms; *count may be
 * 0. */
MUST_USE enum status score_batch_poll(struct score_batch *batch, struct input_consumer *input, int64_t most,
                                      int timeout_ms, size_t *count, struct error *err);
/* Steady clock, microseconds: when they left the client library's queue. */
int64_t score_batch_left_us(const struct score_batch *batch);

/* Publishes each message's result, counts it, and accepts the messages. Returns how many have a result:
 * those that wait for a schema will be handed out again. */
size_t score_batch_handle(struct score_batch *batch, struct input_consumer *input, struct publish *publish,
                          struct result_counts *counts);

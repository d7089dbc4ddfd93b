/* Results that leave nothing in the scorer's topics: what it ignores. Its group's offsets pass them; once the topics
 * are read up to where they ended after that, whatever was passed and has no result was ignored. Part of follow.c; one
 * thread. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/options.h"
#include "base/status.h"
#include "producer/event_results.h"

struct follow_ignored;

/* `consumer` is of the scorer's group, read_committed, and reports the ends of partitions; `list`: what it reads.
 * Borrows all but the list. */
MUST_USE enum status follow_ignored_new(const struct options *options, rd_kafka_t *consumer, const char *where,
                                        size_t input_partitions, const rd_kafka_topic_partition_list_t *list,
                                        const _Atomic bool *stop, struct follow_ignored **out, struct error *err);
void follow_ignored_free(struct follow_ignored *ignored);

/* A partition has been read before this offset: one past a record, or that of a report of its end. */
void follow_ignored_note_read(struct follow_ignored *ignored, const rd_kafka_message_t *message, int64_t offset);
/* Now and then while events have no result: asks the brokers at most once a second, and notes whatever was ignored. */
void follow_ignored_turn(struct follow_ignored *ignored, struct event_results *results);

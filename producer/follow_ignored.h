/* Ends that leave nothing in the scorer's topics: what it ignores. Its group's offsets pass them; once the topics are
 * read up to where they ended after that, whatever was passed and has no end was ignored. Part of follow.c; one
 * thread. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/status.h"
#include "producer/ends.h"

struct follow_ignored;

/* `consumer` is of the scorer's group, read_committed, and reports the ends of partitions; `list`: what it reads.
 * Borrows all but the list. */
struct follow_ignored *follow_ignored_new(rd_kafka_t *consumer, const char *where, const char *input_topic,
                                          size_t input_partitions, const rd_kafka_topic_partition_list_t *list,
                                          const _Atomic bool *stop);
void follow_ignored_free(struct follow_ignored *ignored);

/* A partition has been read up to this offset: the one of a report of its end. */
void follow_ignored_note_end(struct follow_ignored *ignored, const rd_kafka_message_t *report);
/* Now and then while events have no end: asks the brokers at most once a second, and notes whatever was ignored. */
void follow_ignored_turn(struct follow_ignored *ignored, struct ends *ends);

/* What a transactional producer is made of; read by transaction.c and hanging_transactions.c. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/options.h"
#include "kafka/last_offsets.h"

enum { TRANSACTION_TOPICS_MAX = 8 };

/* Plain data; the texts, and what the pointers name, must outlive the transaction. */
struct transaction_setup {
    const struct options *options;
    const char *where;         /* the caller, in logs: "score" */
    const char *name;          /* which of them: "worker 0" */
    const char *identity;      /* transactional.id; NULL: no transactions, at least once */
    const char *timeout_ms;    /* transaction.timeout.ms; NULL: the options' */
    const char *instance;      /* group.instance.id's owner, for the message to a fenced process */
    const char *group;         /* consumer group of the offsets */
    const char *offsets_topic; /* the topic they are of */
    rd_kafka_t *member;        /* its consumer, where the identity belongs to a static member; NULL: never checked */
    const char *const *topics; /* names; their index is the topic's number in every call */
    size_t topic_count;
    struct last_offsets *last; /* notes the acknowledged records of its topic; NULL: nobody wants that */
    bool all_reports;          /* report acknowledged records too, not failed ones alone */
    const _Atomic bool *stop;  /* ends waiting for brokers to answer at all */
    bool stop_at_once;         /* … and a full queue and calls under way: nobody else will */
    /* A record's end: within send, commit and abort. Not called for records of an aborted transaction. */
    void (*report)(void *context, const rd_kafka_message_t *message);
    void *context;
};

/* The time-out of a call that commits, in milliseconds; -1: none.
 *
 * Where a step of such a call runs out of time, its result is still to come, and librdkafka (2.0.2 to 2.15) takes it
 * for that of a later step; in the end it forgets that it is committing and ends the process by an assertion. Its waits
 * follow the wall clock, so a jump of that is enough. What has to stop while brokers are unavailable runs that risk. */
static inline int transaction_commit_ms(const struct transaction_setup *setup)
{
    return setup->stop_at_once ? 10000 : -1;
}

/* What a transactional producer is made of; read by transaction.c and hanging_transactions.c. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "base/options.h"

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
    bool all_reports;         /* report acknowledged records too, not failed ones alone */
    const _Atomic bool *stop; /* ends waiting for brokers to answer at all */
    bool stop_at_once;        /* … and a full queue and calls under way: nobody else will */
    /* A record's end: within send, commit and abort. Not called for records of an aborted transaction. */
    void (*report)(void *context, const rd_kafka_message_t *message);
    void *context;
};

/* What `producer dlq list` and `producer dlq replay` share: the filters. */
#ifndef PRODUCER_DLQ_H
#define PRODUCER_DLQ_H

#include "producer/dlq_kafka.h"

/* Plain data; texts are borrowed from the options. */
struct dlq_filter {
    const char *code, *field; /* NULL: any */
    int64_t since_ms;         /* failed then or later */
    int64_t partition;        /* -1: all; the reader's own */
};

bool dlq_filter_passes(const struct dlq_filter *filter, const struct dlq_letter *letter);

/* Both return the program's exit status. */
int dlq_list(const struct options *options, const struct dlq_filter *filter);
int dlq_replay(const struct options *options, const struct dlq_filter *filter);

#endif

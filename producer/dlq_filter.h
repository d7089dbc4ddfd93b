/* Which letters `producer dlq list` and `producer dlq replay` are asked for. */
#pragma once

#include "producer/dlq_kafka.h"

/* Plain data; texts are borrowed from the options. */
struct dlq_filter {
    const char *code, *field; /* NULL: any */
    int64_t since_ms;         /* failed then or later */
    int64_t partition;        /* -1: all; the reader's own */
};

/* STATUS_INVALID: an option that is none; the text says which. */
MUST_USE enum status dlq_filter_read(const struct options *options, struct dlq_filter *filter, struct error *err);

bool dlq_filter_passes(const struct dlq_filter *filter, const struct dlq_letter *letter);

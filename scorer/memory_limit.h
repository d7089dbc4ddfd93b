/* --memory-limit: what each queue and batch may hold so that the process stays below it. */
#pragma once

#include <stdbool.h>

#include "base/options.h"

/* Plain data. Bytes; 0 in all: no limit. */
struct memory_shares {
    int64_t consumer;   /* of each consumer: what is fetched ahead, the answer under way, the batch at hand */
    int64_t producer;   /* of each producer: what is not acknowledged yet */
    int64_t state;      /* of each score loop: current records, where they are kept */
    int64_t staged;     /* of each score loop: results of the next transaction while a commit is under way */
    int64_t sink_batch; /* keys and values of one PostgreSQL transaction */
};

/* What a process runs. Plain data. */
struct memory_needs {
    int64_t limit; /* 0: none */
    int64_t consumers, producers;
    int64_t states; /* score loops that keep current records */
    bool sink;
};

/* Splits the limit. STATUS_INVALID: too small for what this process runs (err says the least), or a
 * property that it sets is given too. */
MUST_USE enum status memory_split(const struct options *options, const struct memory_needs *needs,
                                  struct memory_shares *out, struct error *err);

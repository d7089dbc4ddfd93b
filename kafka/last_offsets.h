/* Where the last acknowledged record of each partition of one topic lies, as a producer's broker threads see it. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "base/status.h"

struct last_offsets;

/* Borrows the name. */
struct last_offsets *last_offsets_new(const char *topic);
void last_offsets_free(struct last_offsets *last);

/* For a client that is made of this configuration; `last` must outlive it. */
MUST_USE enum status last_offsets_watch(struct last_offsets *last, rd_kafka_conf_t *conf, struct error *err);
/* -1: none, or not known. Exact once nothing more is under way. */
int64_t last_offsets_of(const struct last_offsets *last, int32_t partition);

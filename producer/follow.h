/* `--wait`: follows predictions, dead letters and outcomes until every event that this run has sent has its end, and
 * sums up. Opened before the first event is sent, so that no end is older than what is read. */
#pragma once

#include <stdio.h>

#include "base/options.h"
#include "events/schema.h"

struct follow;

/* Looks up where the topics end now. Borrows options and schema; `where`: the command, for messages.
 * may_be_ignored: the scorer may ignore some (follow_ignored.h); --group-id is its group. */
MUST_USE enum status follow_new(const struct options *options, const struct schema *schema, const char *where,
                                bool may_be_ignored, const _Atomic bool *stop, struct follow **out, struct error *err);
void follow_free(struct follow *follow);

/* An event that the brokers have, at this place of the input topic. Any thread. */
void follow_sent(void *follow, int32_t partition, int64_t offset);

/* Once all is sent: reads until every event has its end, *stop, or --wait-timeout without progress. True: all have. */
MUST_USE enum status follow_run(struct follow *follow, struct error *err);

/* What `make run` sums up, of this run: `read` rows of which `rejected`; since `started_us` (steady clock). */
void follow_print_summary(const struct follow *follow, uint64_t read, uint64_t rejected, int64_t started_us, FILE *out);

/* A group's current records as `scorer state` changes them, while its scorers are stopped: read whole, then written in
 * one transaction, so that what is interrupted has never been. */
#pragma once

#include "scorer/audit/audit_kafka.h"
#include "scorer/settings.h"
#include "scorer/state/state.h"

struct state_group;

/* Waits for a broker. Makes the state topic where it is missing. STATUS_CONFLICT: the group has members. */
MUST_USE enum status state_group_new(const struct settings *settings, struct state_group **out, struct error *err);
void state_group_free(struct state_group *group);

const char *state_group_cluster(const struct state_group *group);
int32_t state_group_inputs(const struct state_group *group); /* partitions of the input */
int32_t state_group_parts(const struct state_group *group);  /* … and of the state topic */
/* Events that the group has not handled yet. */
MUST_USE enum status state_group_lag(struct state_group *group, int64_t *out, struct error *err);
/* The state topic gets as many partitions as the input. */
MUST_USE enum status state_group_widen(struct state_group *group, struct error *err);

/* The records of every partition for which the group has committed offsets, and their positions. */
MUST_USE enum status state_group_read(struct state_group *group, struct error *err);
struct state *state_group_records(struct state_group *group);
/* The partitions that they are spread over: the topic's, or as many as it had before it was given more. */
int32_t state_group_spread(const struct state_group *group);

/* Into the one transaction, which the first of them begins. `value` SPAN_NULL removes. */
MUST_USE enum status state_group_write(struct state_group *group, int32_t partition, struct span employee_id,
                                       struct span value, struct error *err);
/* What is in memory, encoded: as state_group_write. */
MUST_USE enum status state_group_write_record(struct state_group *group, int32_t partition,
                                              const struct state_record *record, struct error *err);
/* Writes the positions, with counts[partition] records each, and commits all. Partitions of the input that the group
 * has no offset of yet start at their beginning. */
MUST_USE enum status state_group_commit(struct state_group *group, const int64_t *counts, struct error *err);

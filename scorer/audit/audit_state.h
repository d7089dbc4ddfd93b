/* The audit's part for the topic of current records: whether they are what the output says. No server is known here.
 *
 * Calls come in this order: part of each partition; record of the state topic, in the order of offsets; output (records
 * of output and outcome topics, in their order); source; close. One entry an employee. Not thread-safe. */
#pragma once

#include "events/schema.h"
#include "scorer/audit/audit_ledger.h"

/* Whose state it is. Plain data; borrows everything. */
struct audit_state_of {
    const char *group, *input, *topic;
    bool exactly_once;               /* else records may be ahead of their position */
    struct audit_receipts *receipts; /* borrowed; NULL: no database */
};

/* One partition of the state topic. Plain data. */
struct audit_state_part {
    int64_t low, end;       /* of the log */
    int64_t committed;      /* of the group in the input; -1: none */
    int64_t position;       /* that the records are good for; -1: the topic has none */
    int64_t counted;        /* records, as the position says */
    uint64_t records, left; /* of these: markers of who has left */
    uint64_t proven;        /* whose last prediction is the output's */
    uint64_t unproven;      /* … whose output record is not there any more */
    uint64_t ahead;         /* from past what the group has committed, not looked at */
    uint64_t faults;
};

struct audit_state;

/* Faults go to the ledger. Borrows everything. */
struct audit_state *audit_state_new(const struct schema *schema, const struct audit_state_of *of,
                                    struct audit_ledger *ledger);
void audit_state_free(struct audit_state *state);

/* In the order of their numbers, from 0. */
void audit_state_add_part(struct audit_state *state, int64_t low, int64_t end, int64_t committed);
void audit_state_record(struct audit_state *state, int32_t partition, int64_t offset, struct span key,
                        struct span value);
/* Records from here on complete a transaction that the reading has cut: up to its position they count. */
void audit_state_extend(struct audit_state *state);
/* The topic is read: what no position completes counts as it is. */
void audit_state_read(struct audit_state *state);
/* A prediction, erasure or outcome. */
void audit_state_output(struct audit_state *state, const struct audit_record *record);
void audit_state_source(struct audit_state *state, int32_t partition, int64_t offset, struct span key);
/* `complete`: no output has been deleted by Kafka. */
void audit_state_close(struct audit_state *state, bool complete);

const char *audit_state_topic(const struct audit_state *state);
size_t audit_state_parts(const struct audit_state *state, const struct audit_state_part **out);

/* The chain of digests (sql/0016_evidence.sql) against the rows of predictions: no Kafka is needed, so it holds beyond
 * the topic's retention. No server is known here.
 *
 * Calls come in this order: block (by partition and number), removed, row, close. Memory: some 60 bytes a link. */
#pragma once

#include "base/status.h"
#include "scorer/audit/audit_ledger.h"

/* What was found, beside faults. Plain data. */
struct audit_hash_chain_report {
    uint64_t links, rows;      /* of the chain; rows that have one */
    uint64_t erased, retained; /* links whose row an erasure or retention took */
    uint64_t older;            /* rows without evidence: of before migration 16, or pseudonymised */
};

struct audit_hash_chain;

/* Faults go to the ledger, under the topic's name (borrowed). `target` is "predictions (event_id, …)". */
struct audit_hash_chain *audit_hash_chain_new(struct audit_ledger *ledger, const char *cluster_id, const char *topic,
                                              const char *target);
void audit_hash_chain_free(struct audit_hash_chain *chain);

/* Rows in COPY's binary form; the statements that bring them are audit_hash_chain_*_columns. */
MUST_USE enum status audit_hash_chain_block(struct audit_hash_chain *chain, struct cursor fields, struct error *err);
MUST_USE enum status audit_hash_chain_removed(struct audit_hash_chain *chain, struct cursor fields, struct error *err);
MUST_USE enum status audit_hash_chain_row(struct audit_hash_chain *chain, struct cursor fields, struct error *err);
void audit_hash_chain_close(struct audit_hash_chain *chain, struct audit_hash_chain_report *out);

/* What audit_hash_chain_block, _removed and _row take: columns of the tables; conditions are the caller's. */
extern const char audit_hash_chain_block_columns[], audit_hash_chain_removed_columns[];
/* "output_partition, output_offset, evidence_salt, evidence_digest, event_id, …"; appended. */
void audit_hash_chain_row_columns(const struct audit_hash_chain *chain, struct buffer *out);

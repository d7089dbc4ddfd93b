/* The chain of evidence (sql/0016_evidence.sql) against the rows of predictions: no Kafka is needed, so it holds beyond
 * the topic's retention. No server is known here.
 *
 * Calls come in this order: block (by partition and number), removed, row, close. Memory: some 60 bytes a link. */
#pragma once

#include "base/status.h"
#include "scorer/audit/audit_ledger.h"

/* What was found, beside faults. Plain data. */
struct audit_evidence_report {
    uint64_t links, rows;      /* of the chain; rows that have one */
    uint64_t erased, retained; /* links whose row an erasure or retention took */
    uint64_t older;            /* rows without evidence: of before migration 16, or pseudonymised */
};

struct audit_evidence;

/* Faults go to the ledger, under the topic's name (borrowed). `target` is "predictions (event_id, …)". */
struct audit_evidence *audit_evidence_new(struct audit_ledger *ledger, const char *cluster_id, const char *topic,
                                          const char *target);
void audit_evidence_free(struct audit_evidence *evidence);

/* Rows in COPY's binary form; the statements that bring them are audit_evidence_*_sql. */
MUST_USE enum status audit_evidence_block(struct audit_evidence *evidence, struct cursor fields, struct error *err);
MUST_USE enum status audit_evidence_removed(struct audit_evidence *evidence, struct cursor fields, struct error *err);
MUST_USE enum status audit_evidence_row(struct audit_evidence *evidence, struct cursor fields, struct error *err);
void audit_evidence_close(struct audit_evidence *evidence, struct audit_evidence_report *out);

/* What audit_evidence_block, _removed and _row take: columns of the tables; conditions are the caller's. */
extern const char audit_evidence_block_columns[], audit_evidence_removed_columns[];
/* "output_partition, output_offset, evidence_salt, evidence_digest, event_id, …"; appended. */
void audit_evidence_row_columns(const struct audit_evidence *evidence, struct buffer *out);

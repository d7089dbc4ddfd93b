/* What the audit's ledger cannot decide at once: output records that name no source, input records without an end, and
 * records of employees whom an erasure names. Used by audit_ledger.c alone. */
#pragma once

#include "scorer/audit/audit_receipts.h"
#include "scorer/audit/audit_record.h"

struct audit_pairs;

struct audit_pairs *audit_pairs_new(void);
/* Borrowed, and before anything is added: what employees are called by the database. */
void audit_pairs_use_receipts(struct audit_pairs *pairs, struct audit_receipts *receipts);
void audit_pairs_free(struct audit_pairs *pairs);

void audit_pairs_add_record(struct audit_pairs *pairs, const struct audit_record *record);
void audit_pairs_add_source(struct audit_pairs *pairs, int32_t partition, int64_t offset, struct span key,
                            struct span value);

/* Erasures are all added before the first record is noted. An erasure's own record names its source. */
void audit_pairs_add_erasure(struct audit_pairs *pairs, uint64_t employee, int32_t partition, int64_t offset);
void audit_pairs_note_employee(struct audit_pairs *pairs, const struct audit_record *record);

/* Gives records and sources of the same hash to each other, in the order of their places: on_pair gets the record with
 * its source filled in, on_single one that is left over. */
void audit_pairs_match(struct audit_pairs *pairs, void (*on_pair)(void *, const struct audit_record *),
                       void (*on_single)(void *, const struct audit_record *), void *context);

/* After it: the records whose row an erasure may have removed, because it did not come before them. */
void audit_pairs_erasable(struct audit_pairs *pairs, void (*on_erasable)(void *, const struct audit_record *),
                          void *context);

/* After it: input records without an end whose key an erasure names and reaches. */
void audit_pairs_erased_sources(struct audit_pairs *pairs, void (*on_erased)(void *, int32_t, int64_t), void *context);

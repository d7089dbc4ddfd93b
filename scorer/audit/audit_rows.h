/* What an output record is to the audit: which input offset it is the end of, and the digest of the row it should have.
 * The row is made by the sink's own code (sink_rows.h), so a digest of COPY's bytes on both sides compares every column
 * that the sink writes: texts and numbers by their bits, jsonb by its content. No server is known here. */
#pragma once

#include "scorer/audit/audit_ledger.h"
#include "scorer/sink/sink_rows.h"

struct audit_rows;

/* Borrows everything. */
MUST_USE enum status audit_rows_new(const struct schema *schema, const char *cluster_id, const char *input_topic,
                                    struct registry_client *registry, struct audit_rows **out, struct error *err);
/* Borrowed. */
void audit_rows_use_receipts(struct audit_rows *rows, struct audit_receipts *receipts);
void audit_rows_free(struct audit_rows *rows);

/* STATUS_UNAVAILABLE: the schema registry has not returned the record's schema. */
MUST_USE enum status audit_rows_read(struct audit_rows *rows, const struct sink_record *record,
                                     struct audit_record *out, struct error *err);

/* "predictions (event_id, …)": the columns whose bytes the digest covers, in this order. */
const char *audit_rows_target(const struct audit_rows *rows, enum sink_table table);

/* Of `count` fields in COPY's binary form; the cursor moves past them. False: malformed. */
bool audit_digest(struct cursor *fields, size_t count, uint64_t *out);

/* The next field of a row; SPAN_NULL for null. */
bool audit_field(struct cursor *fields, struct span *out);
/* The next field as an integer of 4 or 8 bytes; -1 for null. */
bool audit_field_integer(struct cursor *fields, int64_t *out);

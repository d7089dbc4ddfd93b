/* PostgreSQL for the audit: one connection, one read-only transaction whose snapshot everything is seen in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "scorer/audit/audit_receipts.h"

struct audit_database;

/* Connects and takes the snapshot. `conninfo` "" leaves everything to libpq's own variables. */
MUST_USE enum status audit_database_new(const char *conninfo, const char *cluster_id, struct audit_database **out,
                                        struct error *err);
void audit_database_free(struct audit_database *database);

/* The position up to which each partition of the topic is stored, whoever's sink stored it; -1: not at all. */
MUST_USE enum status audit_database_stored(struct audit_database *database, const char *topic, int64_t *out,
                                           size_t count, struct error *err);

typedef enum status audit_copy_take(void *context, struct cursor fields, struct error *err);

/* Each row's fields, in COPY's binary form, in any order.
 * Of a table that holds a topic's records: partition, offset, source partition, source offset (null where the table
 * has none), then the columns of `target` ("predictions (event_id, …)"). */
struct audit_table {
    const char *target;
    const char *partition, *offset; /* columns: the record's place */
    const char *source;             /* two columns, or "NULL::integer, NULL::bigint" */
    const char *topic_column;       /* used where the table has it */
    const char *topic;
    const char *where; /* a condition more, or NULL */
};
MUST_USE enum status audit_database_rows(struct audit_database *database, const struct audit_table *table,
                                         audit_copy_take *take, void *context, struct error *err);
/* Rows of any statement, in the order it gives. `select` is used up. */
MUST_USE enum status audit_database_select(struct audit_database *database, const char *doing, struct buffer *select,
                                           audit_copy_take *take, void *context, struct error *err);
/* " WHERE cluster_id = …", appended. */
void audit_database_add_cluster(const struct audit_database *database, struct buffer *select);
/* Refused records: topic, partition, offset of each row of dead_letters with stage sink. */
MUST_USE enum status audit_database_refused(struct audit_database *database, audit_copy_take *take, void *context,
                                            struct error *err);
/* What the database names its receipts with; yours to free with audit_receipts_free. */
MUST_USE enum status audit_database_receipts(struct audit_database *database, struct audit_receipts **out,
                                             struct error *err);
/* Erasures that are done: receipt, output partition, output offset. */
MUST_USE enum status audit_database_erasures(struct audit_database *database, audit_copy_take *take, void *context,
                                             struct error *err);

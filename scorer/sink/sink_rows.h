/* Records of the output, dead-letter, outcome and alert topics → rows in PostgreSQL's COPY BINARY form. No server is
 * known here. */
#pragma once

#include "base/memory.h"
#include "events/schema.h"
#include "scorer/sink/sink_record.h"

enum sink_table {
    SINK_TABLE_PREDICTIONS,
    SINK_TABLE_DEAD_LETTERS,
    SINK_TABLE_ERASURES,
    SINK_TABLE_OUTCOMES,
    SINK_TABLE_ALERTS,
    SINK_TABLE_EVIDENCE, /* made by sink_rows_end */
    SINK_TABLE_COUNT
};

/* What becomes of a record; each has its counter (metrics.h). */
enum sink_result {
    SINK_RESULT_PREDICTION,
    SINK_RESULT_DEAD_LETTER,
    SINK_RESULT_ERASURE,
    SINK_RESULT_OUTCOME,
    SINK_RESULT_ALERT,
    SINK_RESULT_REFUSED,
    SINK_RESULT_COUNT,
    SINK_RESULT_WAIT, /* none yet: the schema registry has not returned its schema */
};

/* Why a record goes to dead_letters with stage sink. */
struct sink_refusal {
    const char *code;    /* of docs/ERRORS.md, or "sql_22021" */
    const char *field;   /* NULL: none */
    const char *message; /* one line, no payload */
    bool bare;           /* leave key, value and headers out: they are what cannot be stored */
};

struct sink_rows;
struct registry_client;

/* Borrows the schema; copies cluster_id (shown in every row). */
MUST_USE enum status sink_rows_new(const struct schema *schema, const char *cluster_id, struct sink_rows **out,
                                   struct error *err);
void sink_rows_free(struct sink_rows *rows);
/* Schemas beyond ids.json are looked up there from now on. Borrows it; NULL: none. */
void sink_rows_use_registry(struct sink_rows *rows, struct registry_client *registry);
void sink_rows_clear(struct sink_rows *rows);

/* Appends the record's row to its table; what cannot be decoded becomes a dead letter of stage sink. SINK_RESULT_WAIT:
 * try again when the schema registry answers. */
enum sink_result sink_rows_add(struct sink_rows *rows, const struct sink_record *record);
void sink_rows_refuse(struct sink_rows *rows, const struct sink_record *record, const struct sink_refusal *refusal);

/* The batch's rows are complete: adds those that cover all of it. */
void sink_rows_end(struct sink_rows *rows);

/* The rows added since sink_rows_clear, without header and trailer. */
struct span sink_rows_table(const struct sink_rows *rows, enum sink_table table);
/* "predictions (event_id, …)": where they go. */
const char *sink_rows_target(const struct sink_rows *rows, enum sink_table table);

/* The newest prediction of each employee among the rows added, as a binary array of row_type (latest_predictions);
 * SPAN_NULL when there is none. Valid until the next call on rows. */
struct span sink_rows_latest(struct sink_rows *rows, uint32_t row_type);
const char *sink_rows_upsert(const struct sink_rows *rows); /* the statement whose $1 that array is */

/* A labelled training table out of the prediction log, as it was known at dates: `trainer table` and `retrain`. */
#pragma once

#include "base/options.h"
#include "events/schema.h"
#include "registry/log_reader.h"

/* What a record of the log comes to at a date. */
enum log_row { LOG_ROW_KEPT, LOG_ROW_LEFT, LOG_ROW_CENSORED, LOG_ROW_ERASED, LOG_ROW_REFUSED, LOG_ROW_COUNT };

/* What one date gave. Plain data. */
struct log_table_date {
    const char *as_of; /* as it was given, or as it was computed */
    size_t rows[LOG_ROW_COUNT];
    size_t positives;    /* of the kept: exits within the horizon */
    size_t stale;        /* of the kept: scored (by_occurrence: of a time) more than a horizon before the date */
    size_t unseen_exits; /* exits within the horizon of people who had no record at the date */
    size_t models;       /* versions that scored the kept */
    size_t unknown;      /* of the kept: records with attributes that the schema does not have */
    char refused[200];   /* the first refused record's fault; "" */
};

/* How rows are made. Plain data. */
struct log_table_rules {
    int64_t horizon_us;
    bool by_occurrence; /* a record is known from its occurred_at on, whenever it was scored */
};

struct log_table_rules log_table_rules_of(const struct options *options);

/* Appends the header: the id, the schema's columns, the target. */
void log_table_header(const struct schema *schema, struct buffer *out);

/* Appends a row for everyone whose record, as it had been scored by the date and was in force then (by_occurrence: as
 * it was in force then), is known; the label is whether they left within the horizon after it. Left out, and counted:
 * who had left by then; all, where the horizon has not passed; whose erasure is pending; records that `train` would
 * refuse under this schema. Every number and text reads back as it was scored. as_of: a time as PostgreSQL reads it,
 * UTC without a zone. */
MUST_USE enum status log_table_add(struct log_reader *rows, const struct schema *schema, const char *as_of,
                                   const struct log_table_rules *rules, struct buffer *out, struct log_table_date *date,
                                   struct error *err);

/* One line a date, and what deserves a warning, to the log. */
void log_table_report(const struct log_table_date *date);

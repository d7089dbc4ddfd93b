/* Questions to the database for `scorer report`: one month's, in one snapshot, read
 * only but for attrition.count_due_days, which is called first. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* "2026-11" as the times that it lasts from and to (UTC), and in words. Plain data. */
struct report_month {
    char text[8], begin[32], end[32];
    int days;
    int64_t begin_us, end_us; /* real clock */
};

struct report_database;

MUST_USE enum status report_database_open(const char *conninfo, const struct report_month *month,
                                          struct report_database **out, struct error *err);
void report_database_close(struct report_database *database);

/* An answer: a table of texts. Free with report_rows_free. */
struct report_rows;

/* $1 and $2 of the statements are the month's begin and end; $3 of sql is the one value, JSON, that source gives, which
 * is asked once while calls give the same one. source may be NULL; it is compared as a pointer, and has to outlive the
 * database. */
MUST_USE enum status report_query(struct report_database *database, const char *source, const char *sql,
                                  struct report_rows **out, struct error *err);
void report_rows_free(struct report_rows *rows);

size_t report_rows_count(const struct report_rows *rows);
size_t report_columns(const struct report_rows *rows);
const char *report_column_name(const struct report_rows *rows, size_t column);
const char *report_text(const struct report_rows *rows, size_t row, size_t column); /* null: "" */
double report_number(const struct report_rows *rows, size_t row, size_t column);    /* null: NaN */

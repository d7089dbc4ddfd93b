/* The page of a month, from what the database holds. */
#pragma once

#include "base/bytes.h"
#include "scorer/report/report_query.h"

/* Appends the whole page. A month of which nothing is stored has one that says so. `now_us`: real clock. */
MUST_USE enum status report_write(struct report_database *database, const struct report_month *month, int64_t now_us,
                                  struct buffer *out, struct error *err);

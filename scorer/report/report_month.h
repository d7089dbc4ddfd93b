/* --month. */
#pragma once

#include "scorer/report/report_query.h"

/* STATUS_INVALID: none given, not "2026-11", or one that has not begun. */
MUST_USE enum status report_month_read(const char *text, int64_t now_us, struct report_month *out, struct error *err);

/* Connection strings of PostgreSQL, as URL or as keywords. */
#pragma once

#include "base/status.h"

/* Whether libpq will read it as it is meant: its own words for what it cannot read may quote the string, password and
 * all. STATUS_INVALID says that `named` (as "DATABASE_URL") is none. */
MUST_USE enum status conninfo_check(const char *named, const char *conninfo, struct error *err);

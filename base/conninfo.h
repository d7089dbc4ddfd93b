/* Connection strings of PostgreSQL, as URL or as keywords. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "base/status.h"

/* Whether libpq will read it as it is meant: its own words for what it cannot read may quote the string, password and
 * all. STATUS_INVALID says that `named` (as "DATABASE_URL") is none. */
MUST_USE enum status conninfo_check(const char *named, const char *conninfo, struct error *err);

/* Whether it has a password in it; true too where libpq cannot read it. */
bool conninfo_has_password(const char *conninfo);

/* What libpq makes of it together with the variables PG* and a service file. Plain data. */
struct conninfo_tls {
    bool is_unverified; /* beyond loopback and this machine's sockets, any server can pass for PostgreSQL there */
    /* Files that are read for TLS, which a socket never speaks; "": none. */
    char certificate[PATH_MAX], authorities[PATH_MAX];
};
/* Connects nothing. Where libpq cannot read it, nothing is unverified. */
void conninfo_read_tls(const char *conninfo, struct conninfo_tls *out);

/* Connection strings of PostgreSQL: see conninfo.h. */
#include "base/conninfo.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

static const char *conninfo_value(const PQconninfoOption *parsed, const char *keyword)
{
    while (parsed->keyword && strcmp(parsed->keyword, keyword))
        parsed++;
    return parsed->keyword && parsed->val ? parsed->val : "";
}

/* "postgresql://me:pa/ss@h/d" is to libpq the port "pa", and "…p@ss@h/d" the host "ss@h": it would quote them. */
static bool is_misread(const PQconninfoOption *parsed)
{
    const char *port = conninfo_value(parsed, "port");
    return port[strspn(port, "0123456789, ")] || strchr(conninfo_value(parsed, "host"), '@') ||
           strchr(conninfo_value(parsed, "dbname"), '@');
}

enum status conninfo_check(const char *named, const char *conninfo, struct error *err)
{
    PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
    bool is_url = !strncmp(conninfo, "postgresql://", 13) || !strncmp(conninfo, "postgres://", 11);
    bool sound = parsed && !(is_url && is_misread(parsed));
    PQconninfoFree(parsed);
    return sound ? STATUS_OK
                 : error_set(err, STATUS_INVALID,
                             "%s is no connection string: write postgresql://user@host:5432/database or host=… "
                             "dbname=…, and characters of a password as %%XX, but for letters and digits",
                             named);
}

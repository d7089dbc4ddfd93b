/* SQLSTATEs by class: see sink_sqlstate.h. Pure. Classes: PostgreSQL's documentation, appendix A. */
#include "scorer/sink/sink_sqlstate.h"

#include <stddef.h>
#include <string.h>

static const struct class
{
    const char *prefix;
    enum status status;
    enum sink_suspicion suspicion;
} classes[] = {
    {"42501", STATUS_DENIED, SINK_SUSPECT_SETUP},        /* insufficient_privilege, of a row policy too */
    {"28", STATUS_DENIED, SINK_SUSPECT_NOTHING},         /* invalid authorization */
    {"25", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING},    /* 25006 read-only: a standby, after a failover */
    {"22", STATUS_INVALID, SINK_SUSPECT_ROW},            /* data */
    {"23", STATUS_INVALID, SINK_SUSPECT_ROW},            /* integrity */
    {"54", STATUS_INVALID, SINK_SUSPECT_ROW},            /* a limit: too wide for its index, … */
    {"P0001", STATUS_INVALID, SINK_SUSPECT_ROW},         /* a trigger said no */
    {"42", STATUS_NOT_FOUND, SINK_SUSPECT_SETUP},        /* table, column, function */
    {"3D", STATUS_NOT_FOUND, SINK_SUSPECT_NOTHING},      /* database */
    {"3F", STATUS_NOT_FOUND, SINK_SUSPECT_SETUP},        /* schema */
    {"08", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING},    /* connection */
    {"40", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING},    /* rolled back: deadlock, serialization */
    {"53", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING},    /* resources: disk full, memory, connections */
    {"55", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING},    /* locked, in use */
    {"57", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING},    /* an operator: shutdown, cancelled */
    {"58", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING},    /* system: input and output */
    {"XX001", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING}, /* corrupted data */
    {"XX002", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING}, /* corrupted index */
    {"F0", STATUS_UNAVAILABLE, SINK_SUSPECT_NOTHING},    /* configuration file */
    {"", STATUS_UNAVAILABLE, SINK_SUSPECT_ROW},          /* nobody has foreseen it */
};

static const struct class *class_of(const char *sqlstate)
{
    size_t c = 0;
    while (strncmp(sqlstate, classes[c].prefix, strlen(classes[c].prefix)))
        c++;
    return &classes[c];
}

enum status sink_sqlstate_status(const char *sqlstate)
{
    return class_of(sqlstate)->status;
}

enum sink_suspicion sink_sqlstate_suspicion(const char *sqlstate)
{
    return *sqlstate ? class_of(sqlstate)->suspicion : SINK_SUSPECT_NOTHING;
}

void sink_sqlstate_find(const char *text, char code[static 6])
{
    for (const char *at = text; (at = strstr(at, ":  ")); at++) {
        size_t n = strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (n == 5 && at[8] == ':') {
            memcpy(code, at + 3, 5);
            code[5] = 0;
            return;
        }
    }
    code[0] = 0;
}

const char *sink_sqlstate_advice(const char *sqlstate, enum status status)
{
    if (!strcmp(sqlstate, "25006"))
        return "; a standby: name all hosts in DATABASE_URL with target_session_attrs=read-write; else set "
               "default_transaction_read_only off";
    switch (status) {
    case STATUS_DENIED:
        return "; check DATABASE_URL's user and password, and that the user is a member of attrition_writer";
    case STATUS_NOT_FOUND:
        return "; make the database and run sql/migrate on it, or upgrade this program where the database is newer";
    default:
        return "";
    }
}

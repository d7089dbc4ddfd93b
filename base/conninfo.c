/* Connection strings of PostgreSQL: see conninfo.h. */
#include "base/conninfo.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

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

bool conninfo_has_password(const char *conninfo)
{
    PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
    bool has = !parsed || *conninfo_value(parsed, "password") || *conninfo_value(parsed, "sslpassword");
    PQconninfoFree(parsed);
    return has;
}

static bool is_loopback(struct span place)
{
    return span_equal(place, SPAN_LITERAL("localhost")) || span_equal(place, SPAN_LITERAL("::1")) ||
           (place.bytes > 4 && strncmp(place.data, "127.", 4) == 0 && strspn(place.data, "0123456789.") >= place.bytes);
}

/* The next element of a list with commas; an empty one where the list has ended. */
static struct span next_place(const char **list)
{
    struct span place = {*list, strcspn(*list, ",")};
    *list += place.bytes + ((*list)[place.bytes] == ',');
    return place;
}

/* Whether libpq speaks TCP to a place of the lists `hosts` and `addresses`, and to one beyond this machine. An address
 * is connected to in the place of its host; neither is the default socket; "/…" and "@…" are sockets. */
static void look_at_places(const char *hosts, const char *addresses, bool *tcp, bool *far)
{
    do {
        struct span host = next_place(&hosts), address = next_place(&addresses);
        struct span place = address.bytes ? address : host;
        bool is_socket = !place.bytes || *place.data == '/' || *place.data == '@';
        *tcp |= !is_socket;
        *far |= !is_socket && !is_loopback(place);
    } while (*hosts || *addresses);
}

/* The file of a keyword, or libpq's own where there is one. */
static void find_file(const PQconninfoOption *parsed, const char *keyword, const char *usual, char out[PATH_MAX])
{
    const char *value = conninfo_value(parsed, keyword), *home = getenv("HOME");
    if (*value || !home)
        snprintf(out, PATH_MAX, "%s", value);
    else
        snprintf(out, PATH_MAX, "%s/.postgresql/%s", home, usual);
}

void conninfo_read_tls(const char *conninfo, struct conninfo_tls *out)
{
    /* The last value is refused, so that libpq ends with everything resolved and nothing connected. */
    const char *const keywords[] = {"dbname", "channel_binding", NULL};
    const char *const values[] = {conninfo, "none of it", NULL};
    PGconn *handle = PQconnectStartParams(keywords, values, 1);
    PQconninfoOption *parsed = handle ? PQconninfo(handle) : NULL;
    bool tcp = false, far = false;
    *out = (struct conninfo_tls){0};
    if (parsed)
        look_at_places(conninfo_value(parsed, "host"), conninfo_value(parsed, "hostaddr"), &tcp, &far);
    if (tcp && strcmp(conninfo_value(parsed, "sslmode"), "disable")) {
        find_file(parsed, "sslcert", "postgresql.crt", out->certificate);
        find_file(parsed, "sslrootcert", "root.crt", out->authorities);
    }
    out->is_unverified = far && strcmp(conninfo_value(parsed, "sslmode"), "verify-full");
    PQconninfoFree(parsed);
    PQfinish(handle);
}

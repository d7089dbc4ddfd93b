/* Content-Type: see media_type.h. On the server's threads. */
#include "scorer/http/media_type.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool media_type_is(const char *header, const char *type)
{
    static const char utf8[] = "utf-8";
    size_t bytes = strlen(type);
    if (!header || strncasecmp(header, type, bytes) != 0)
        return false;
    const char *rest = header + bytes;
    const char *charset = strcasestr(rest, "charset=");
    if (*rest && *rest != ';' && *rest != ' ')
        return false;
    if (!charset)
        return true;
    charset += strlen("charset=");
    return !strncasecmp(charset + (*charset == '"'), utf8, sizeof utf8 - 1);
}

const char *media_types_of(const char *path)
{
    return strcmp(path, "/events") != 0 ? "application/json"
                                        : "application/json, application/x-ndjson, application/cloudevents+json, "
                                          "application/cloudevents-batch+json";
}

/* Clients of Open Inference Protocol V2 name no type for JSON. Browsers send what has none from any page, without
 * asking here first; but they say from which. */
static bool may_be_absent(const char *origin, const char *path)
{
    return !origin && strncmp(path, "/v2/", 4) == 0;
}

bool media_type_fits(const char *header, const char *origin, const char *path)
{
    char type[64];
    size_t bytes;
    if (!header)
        return may_be_absent(origin, path);
    for (const char *types = media_types_of(path); *types; types += bytes + strspn(types + bytes, ", ")) {
        bytes = strcspn(types, ",");
        snprintf(type, sizeof type, "%.*s", (int)bytes, types);
        if (media_type_is(header, type))
            return true;
    }
    return false;
}

/* Error texts: see status.h. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"

enum status error_set(struct error *err, enum status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_vprint(err->text, sizeof err->text, format, args);
    va_end(args);
    err->status = status;
    return status;
}

enum status error_prefix(struct error *err, const char *format, ...)
{
    char context[sizeof err->text], whole[sizeof err->text * 2 + 3];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "%s: %s", context, err->text);
    snprintf(err->text, sizeof err->text, "%.*s", (int)sizeof err->text - 1, whole);
    text_flatten(err->text);
    return err->status;
}

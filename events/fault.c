/* See fault.h. Pure; any thread. */
#include "events/fault.h"

#include <stdio.h>

enum { NAME_BYTES_MAX = 64 };

static enum event_code fault_write(struct fault *fault, enum event_code code, int32_t column, const char *format,
                                   va_list args)
{
    vsnprintf(fault->text + fault->named, sizeof fault->text - fault->named, format, args);
    text_flatten(fault->text);
    fault->code = code;
    fault->column = column;
    return code;
}

enum event_code fault_set(struct fault *fault, enum event_code code, int32_t column, const char *format, ...)
{
    if (fault) {
        va_list args;
        fault->named = 0;
        va_start(args, format);
        (void)fault_write(fault, code, column, format, args);
        va_end(args);
    }
    return code;
}

void fault_set_named(struct fault *fault, enum event_code code, int32_t column, struct span name, const char *format,
                     va_list args)
{
    int bytes = name.bytes < NAME_BYTES_MAX ? (int)name.bytes : NAME_BYTES_MAX;
    fault->named = (uint8_t)snprintf(fault->text, sizeof fault->text, "%.*s: ", bytes, name.data);
    (void)fault_write(fault, code, column, format, args);
}

enum event_code fault_set_field(struct fault *fault, enum event_code code, int32_t column, const char *name,
                                const char *format, ...)
{
    if (fault) {
        va_list args;
        va_start(args, format);
        fault_set_named(fault, code, column, span_of(name), format, args);
        va_end(args);
    }
    return code;
}

enum event_code fault_set_datum(struct fault *fault, const struct datum_fault *why)
{
    static const enum event_code codes_of[] = {[DATUM_OK] = EVENT_OK,
                                               [DATUM_MALFORMED] = EVENT_MALFORMED,
                                               [DATUM_UNRESOLVABLE] = EVENT_UNRESOLVABLE,
                                               [DATUM_LIMIT] = EVENT_LIMIT};
    return fault_set(fault, codes_of[why->code], FAULT_NO_COLUMN, "%s", why->text);
}

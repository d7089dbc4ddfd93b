/* See fault.h. Pure; any thread. */
#include "events/fault.h"

#include <stdarg.h>

#include "base/bytes.h"

enum event_code fault_set(struct fault *fault, enum event_code code, int32_t column, const char *format, ...)
{
    if (fault) {
        va_list args;
        va_start(args, format);
        text_vprint(fault->text, sizeof fault->text, format, args);
        va_end(args);
        fault->code = code;
        fault->column = column;
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

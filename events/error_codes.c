/* Names and meanings from the one table of error_codes.h. */
#include "events/error_codes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"
#include "events/fault.h"

static const struct {
    const char *name, *meaning;
} codes[EVENT_CODE_COUNT] = {[EVENT_OK] = {"ok", "nothing is wrong"},
#define CODE_ROW(id, name, meaning, ...) [EVENT_##id] = {name, meaning},
                             EVENT_CODE_TABLE(CODE_ROW)
#undef CODE_ROW
};

const char *event_code_name(enum event_code code)
{
    assert((unsigned)code < EVENT_CODE_COUNT);
    return codes[code].name;
}

const char *event_code_meaning(enum event_code code)
{
    assert((unsigned)code < EVENT_CODE_COUNT);
    return codes[code].meaning;
}

const char *envelope_field_name(int32_t column)
{
    static const char *const names[] = {
#define FIELD_NAME(codec, id, name, ...) [FAULT_POSITION_##id] = name,
        EVENT_ENVELOPE(FIELD_NAME)
#undef FIELD_NAME
    };
    const int32_t count = sizeof names / sizeof *names;
    return column < FAULT_NO_COLUMN && column >= FAULT_NO_COLUMN - count ? names[FAULT_NO_COLUMN - 1 - column] : NULL;
}

enum event_code fault_set(struct fault *fault, enum event_code code, int32_t column, const char *format, ...)
{
    if (fault) {
        va_list args;
        va_start(args, format);
        vsnprintf(fault->text, sizeof fault->text, format, args);
        va_end(args);
        text_flatten(fault->text);
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

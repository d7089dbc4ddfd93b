/* Names and meanings from the one table of codes.h. */
#include "events/codes.h"

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
    switch (column) {
    case FAULT_EVENT_ID:
        return "event_id";
    case FAULT_EVENT_TYPE:
        return "event_type";
    case FAULT_EMPLOYEE_ID:
        return "employee_id";
    case FAULT_OCCURRED_AT:
        return "occurred_at";
    default:
        return NULL;
    }
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

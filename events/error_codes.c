/* Names and meanings from the one table of error_codes.h. */
#include "events/error_codes.h"

#include <assert.h>
#include <stddef.h>

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
            [FAULT_POSITION_COUNT] = "changed",
    };
    const int32_t count = sizeof names / sizeof *names;
    return column < FAULT_NO_COLUMN && column >= FAULT_NO_COLUMN - count ? names[FAULT_NO_COLUMN - 1 - column] : NULL;
}

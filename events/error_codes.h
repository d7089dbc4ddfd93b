/* The closed list of reasons why an event is refused. One table: names on dead letters, HTTP's `type`, docs/ERRORS.md.
 *
 * CODE(id, "name on the wire", "what it means", "what to do") */
#pragma once

#include <stdint.h>

#include "events/event.h"

/* clang-format off */
#define EVENT_CODE_TABLE(CODE) \
    CODE(BAD_FRAME, "bad_frame", "the value does not start with a known schema-id frame, or is empty", "send Confluent's wire format: byte 0, 4-byte schema id, Avro binary; or JSON: see docs/EVENTS_AS_JSON.md") \
    CODE(UNKNOWN_SCHEMA_ID, "unknown_schema_id", "no schema is known under the frame's id", "register the writer's schema, or use an id of schemas/ids.json") \
    CODE(UNRESOLVABLE_SCHEMA, "unresolvable_schema", "the writer's schema can never be read as the event schema", "make the writer's schema compatible: see docs/ERRORS.md") \
    CODE(MALFORMED, "malformed", "the bytes are not a datum of the writer's schema, or no JSON, or bytes are left over", "fix the serializer") \
    CODE(UNRESOLVABLE, "unresolvable", "this datum takes a branch or symbol that the event schema has no place for", "extend the event schema, or stop sending it") \
    CODE(LIMIT, "limit", "nested deeper or larger than the decoder's limits", "send smaller data") \
    CODE(WRONG_TYPE, "wrong_type", "a value is of another type than its column", "send the column's type") \
    CODE(OUT_OF_RANGE, "out_of_range", "a number is outside the column's range, or `occurred_at` before 1900 or beyond `MAX_FUTURE`", "correct the value, or widen the range in the schema") \
    CODE(UNKNOWN_CATEGORY, "unknown_category", "a text is not one of the column's categories", "correct the value, or add the category to the schema") \
    CODE(NOT_FINITE, "not_finite", "a number is NaN or infinite", "send null for a missing value") \
    CODE(MISSING_REQUIRED, "missing_required", "a required value is null or absent", "send the value") \
    CODE(UNKNOWN_FIELD, "unknown_field", "a field that the schema does not have", "correct the name, or add the column to the schema") \
    CODE(RULE, "rule", "two values contradict each other; field `changed`: an event that is not `CHANGED` has a list", "correct one of them: the rule is in the schema") \
    CODE(PARTIAL, "partial", "a partial event of an employee without a current record, or where no records are kept", "send the whole record first") \
    CODE(STALE, "stale", "a partial event that occurred before the employee's current record", "send the whole record: it is scored, and changes nothing") \
    CODE(BAD_ID, "bad_id", "`employee_id`, `event_id` or the message key is no id: not UTF-8, empty, over 256 characters, or with control or bidirectional characters", "send 1 to 256 printable characters; as key the employee id, or a record with it as the one field") \
    CODE(KEY_MISMATCH, "key_mismatch", "the message key differs from the employee id", "use the employee id as the key, or no key") \
    CODE(NULL_KEY, "null_key", "a null value (erasure) or a partial event without a key: nobody to erase or to change", "send the employee id as the key") \
    CODE(TOO_LARGE, "too_large", "the prediction would exceed the broker's message size", "send shorter texts, or raise message.max.bytes")
/* clang-format on */

enum event_code {
    EVENT_OK = 0,
#define EVENT_CODE_ID(id, ...) EVENT_##id,
    EVENT_CODE_TABLE(EVENT_CODE_ID)
#undef EVENT_CODE_ID
        EVENT_CODE_COUNT
};

/* What a fault is about where it is no column: nothing in particular, or a field of the event's envelope. */
enum { FAULT_NO_COLUMN = -1 };
enum {
#define FAULT_POSITION(codec, id, ...) FAULT_POSITION_##id,
    EVENT_ENVELOPE(FAULT_POSITION)
#undef FAULT_POSITION
        FAULT_POSITION_COUNT
};
enum {
#define FAULT_ID(codec, id, ...) FAULT_##id = FAULT_NO_COLUMN - 1 - FAULT_POSITION_##id,
    EVENT_ENVELOPE(FAULT_ID)
#undef FAULT_ID
        FAULT_CHANGED = FAULT_NO_COLUMN - 1 - FAULT_POSITION_COUNT
};

/* One thing that is wrong with an event. Plain data. */
struct fault {
    enum event_code code;
    int32_t column; /* index of the column, or FAULT_… */
    char text[160]; /* one line for people; never a payload value */
    uint8_t named;  /* bytes of the text that are the field's name and ": ", with which it begins */
};
enum { FAULT_NAME_END = 2 }; /* the ": " */

const char *event_code_name(enum event_code code); /* "out_of_range" */
const char *event_code_meaning(enum event_code code);
const char *envelope_field_name(int32_t column); /* "occurred_at" for FAULT_OCCURRED_AT; NULL: no such field */

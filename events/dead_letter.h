/* The headers of dead letters: one table, from which the scorer writes them, the sink and `producer dlq` read them and
 * docs/ERRORS.md is made. All values are text, never a value of the payload.
 *
 * HEADER(id, "name", "meaning") */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* clang-format off */
#define DEAD_LETTER_HEADER_TABLE(HEADER) \
    HEADER(TOPIC, "__connect.errors.topic", "the input topic") \
    HEADER(PARTITION, "__connect.errors.partition", "the event's partition there; the dead letter's is the same") \
    HEADER(OFFSET, "__connect.errors.offset", "the event's offset there") \
    HEADER(STAGE, "__connect.errors.stage", "`score`") \
    HEADER(CLASS, "__connect.errors.exception.class.name", "`attrition.` and the code") \
    HEADER(MESSAGE, "__connect.errors.exception.message", "one line for people") \
    HEADER(CODE, "attrition.error.code", "one of the codes above") \
    HEADER(FIELD, "attrition.error.field", "the attribute's name, where there is one") \
    HEADER(SCHEMA_ID, "attrition.error.schema_id", "the writer's schema as the value's frame names it, a number or a GUID; absent where no frame could be read") \
    HEADER(ATTEMPT, "attrition.error.attempt", "how many times this event has become a dead letter, 1 the first time") \
    HEADER(FIRST_FAILED_AT, "attrition.error.first_failed_at", "when it became one for the first time, ISO 8601 in UTC") \
    HEADER(REPLAY_COUNT, "attrition.replay.count", "how many times `producer dlq replay` has sent it again; absent before the first")
/* clang-format on */

enum dead_letter_header {
#define DEAD_LETTER_HEADER_ID(id, ...) DEAD_LETTER_##id,
    DEAD_LETTER_HEADER_TABLE(DEAD_LETTER_HEADER_ID)
#undef DEAD_LETTER_HEADER_ID
        DEAD_LETTER_HEADER_COUNT
};

const char *dead_letter_header_name(enum dead_letter_header header);

/* Headers that a replay keeps: an event's history. The others describe one failure and are written again by the next.
 */
bool dead_letter_header_stays(enum dead_letter_header header);

/* The schema id that a value's frame names, as text; false where it has no frame that names one. */
enum { DEAD_LETTER_ID_BYTES = 40 };
bool dead_letter_schema_id(struct span value, char out[static DEAD_LETTER_ID_BYTES]);

/* An integer in a header's value, or `otherwise` where it is none or negative. */
int64_t dead_letter_number(struct span value, int64_t otherwise);

/* "2026-11-23T10:00:00.123Z" */
enum { DEAD_LETTER_TIME_BYTES = 32 };
void dead_letter_time(int64_t real_us, char out[static DEAD_LETTER_TIME_BYTES]);

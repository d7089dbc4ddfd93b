/* Dead letters as a person reads of them: a streak of one code is said once, with the likely cause; all of them are
 * summed by code once a minute. One per score loop, on its thread; it writes texts and leaves the log to the loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "events/error_codes.h"

enum {
    DEAD_LETTER_STREAK = 100,       /* so many of one code in a row, … */
    DEAD_LETTER_SHARE_PERCENT = 90, /* … or this share of a minute's results, are a streak */
    DEAD_LETTER_SUM_US = 60000000,
};

/* Plain data; zeroed but for the first two. */
struct dead_letter_summary {
    const char *topic;
    bool has_registry;
    uint64_t results, counts[EVENT_CODE_COUNT]; /* since sum_us */
    int64_t sum_us;                             /* steady clock; 0: nothing since the last sum */
    uint64_t streak;                            /* dead letters of streak_code in a row */
    enum event_code streak_code;
    bool in_streak, logged; /* a streak within this minute; said already */
};

/* Committed results: all of them, and the dead letters by code. True: text (cleared before) is to be said loudly. */
bool dead_letter_summary_add(struct dead_letter_summary *summary, uint64_t results,
                             const uint64_t counts[EVENT_CODE_COUNT], int64_t now_us, struct buffer *text);
/* From turn to turn. True: text is the sum of a minute that had dead letters. */
bool dead_letter_summary_minute(struct dead_letter_summary *summary, int64_t now_us, struct buffer *text);

/* What most likely makes every event a dead letter of this code, and what to do. */
const char *dead_letter_cause(enum event_code code, bool has_registry);

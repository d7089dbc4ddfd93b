/* A past decision made again, and what differs from what was stored. */
#pragma once

#include "events/json_row.h"
#include "scorer/explain/explain_models.h"
#include "scorer/explain/explain_rows.h"

enum explain_result {
    EXPLAIN_EQUAL,
    EXPLAIN_DIFFERS,
    EXPLAIN_FAILED,        /* cannot be made again: no such version, or a row that is none of this schema */
    EXPLAIN_PSEUDONYMISED, /* its values are gone */
    EXPLAIN_RESULT_COUNT
};

enum { EXPLAIN_DIFFERENCES_MAX = 16, EXPLAIN_TEXT_MAX = 128 };

/* Plain data. */
struct explain_difference {
    char field[EXPLAIN_TEXT_MAX], stored[EXPLAIN_TEXT_MAX], replayed[EXPLAIN_TEXT_MAX];
};

struct explain_replay {
    const struct schema *schema;
    struct json_reader reader;
    struct cell *cells;
    struct reason *reasons; /* all of them, largest first */
    struct score score;
    const char *prediction;
    char fault[512]; /* why it failed */
    struct explain_difference differences[EXPLAIN_DIFFERENCES_MAX];
    size_t difference_count; /* further ones are not listed */
};

/* Borrows the schema. */
void explain_replay_init(struct explain_replay *replay, const struct schema *schema);
void explain_replay_fini(struct explain_replay *replay);

/* Scores the row's input with the model (one that loaded) and compares: raw score, base and contributions bit for bit,
 * the probability to two units in the last place, since exp differs between processors. */
enum explain_result explain_replay(struct explain_replay *replay, const struct explain_decision *decision,
                                   const struct explain_model *model);

/* What is planted into synthetic employees beside the recipe: drift (a column's values shift at some time) and bias (a
 * group leaves more often than its other attributes say). Plain data; texts are borrowed from the schema. One thread.
 */
#pragma once

#include "base/status.h"
#include "events/schema.h"
#include "producer/random.h"

enum { PLANTED_MAX = 16 };

struct planted {
    struct drift {
        uint32_t column;
        int64_t from_ms; /* INT64_MIN: always */
        double amount;   /* added to numbers; of categories the share that becomes `value` */
        struct cell value;
    } drifts[PLANTED_MAX];
    struct bias {
        uint32_t column;
        int32_t code;
        double margin; /* added to the planted margin */
    } biases[PLANTED_MAX];
    size_t drift_count, bias_count;
};

/* "NAME=SHIFT[@TIME],NAME=CATEGORY:SHARE[@TIME]" and "NAME=CATEGORY:MARGIN,…"; NULL: none. STATUS_INVALID: the text
 * says what is wrong. */
MUST_USE enum status planted_read_drift(struct planted *planted, const struct schema *schema, const char *text,
                                        struct error *err);
MUST_USE enum status planted_read_bias(struct planted *planted, const struct schema *schema, const char *text,
                                       struct error *err);

/* Only column `only`, or all of them where it is -1. Draws from `random` where a drift takes effect alone. The caller
 * limits the row afterwards (recipe_limit). */
void planted_shift(const struct planted *planted, int32_t only, int64_t time_ms, struct random *random,
                   struct cell *cells);
double planted_margin(const struct planted *planted, const struct cell *cells);

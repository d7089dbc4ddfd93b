/* What is planted into synthetic employees beside the recipe: drift (a column's values shift at some time) and bias (a
 * group leaves more often than its other attributes say). Plain data; texts are borrowed from the schema. One thread.
 */
#pragma once

#include "base/status.h"
#include "events/schema.h"
#include "producer/random.h"

enum { DRIFT_AND_BIAS_MAX = 16 };

struct drift_and_bias {
    struct drift {
        uint32_t column;
        int64_t from_ms; /* INT64_MIN: always */
        double amount;   /* added to numbers; of categories the share that becomes `value` */
        struct cell value;
    } drifts[DRIFT_AND_BIAS_MAX];
    struct bias {
        uint32_t column;
        int32_t code;
        int64_t from_ms; /* INT64_MIN: always */
        double margin;   /* added to the planted margin */
    } biases[DRIFT_AND_BIAS_MAX];
    size_t drift_count, bias_count;
};

/* "NAME=SHIFT[@TIME],NAME=CATEGORY:SHARE[@TIME]" and "NAME=CATEGORY:MARGIN[@TIME],…"; NULL: none. STATUS_INVALID: the
 * text says what is wrong. */
MUST_USE enum status drift_read(struct drift_and_bias *planted, const struct schema *schema, const char *text,
                                struct error *err);
MUST_USE enum status bias_read(struct drift_and_bias *planted, const struct schema *schema, const char *text,
                               struct error *err);

/* Only column `only`, or all of them where it is -1. Draws from `random` where a drift takes effect alone. The caller
 * limits the row afterwards (recipe_limit). */
void drift_apply(const struct drift_and_bias *planted, int32_t only, int64_t time_ms, struct random *random,
                 struct cell *cells);
double bias_margin(const struct drift_and_bias *planted, int64_t time_ms, const struct cell *cells);
/* The first time after time_ms at which a bias begins; INT64_MAX: there is none. */
int64_t bias_next_ms(const struct drift_and_bias *planted, int64_t time_ms);

/* Figures that may take longer than a request has: the groups of a day and the model's quality. They are brought up to
 * date once for all who ask, on a thread and a connection of their own, and kept in the database. A request that is
 * given up takes nothing from that work.
 *
 * Questions are asked on the readers' threads; two of them at most wait for figures that are being computed. */
#pragma once

#include "scorer/http/database.h"
#include "scorer/http/request.h"

enum figures_part {
    FIGURES_GROUPS,
    FIGURES_PERFORMANCE,
    FIGURES_CALIBRATION,
    FIGURES_DRIFT,
    FIGURES_FAIRNESS,
    FIGURES_PARTS
};

/* Whether a part of the model's quality (kept.json) is as of now: figures_json keeps it for a minute. */
#define FIGURES_QUALITY_IS_FRESH "((kept.json ->> 'computed_at')::timestamptz > now() - interval '1 minute')"

struct figures; /* opaque */

/* Borrows the settings. STATUS_INVALID: no connection string; STATUS_UNAVAILABLE: no thread. */
MUST_USE enum status figures_new(const struct settings *settings, struct figures **out, struct error *err);
void figures_free(struct figures *figures); /* gives up what is under way; NULL is fine; nobody may be asking */

/* A statement for `select`, which reads `kept`, a table of one value: the JSON of `call`, an SQL function that computes
 * nothing here. Its first column is to be `is_current` ('true', 'false'), an expression of kept.json; null where
 * nothing is kept. Ends with a NUL. */
void figures_sql(const char *call, const char *select, struct buffer *sql);

/* As database_query, with a statement of figures_sql. What is not current is brought up to date: the answer waits for
 * that for 2 s, or 6 s where nothing is kept, and is what is kept then. What has failed is begun again by a question 10
 * s later at the earliest. */
MUST_USE bool figures_query(struct figures *figures, enum figures_part part, struct database *database,
                            const struct request *request, const char *doing, const char *sql, int count,
                            const char *const *values, struct database_rows **out, struct answer *answer);
/* What to answer where nothing is kept. */
const char *figures_missing(struct figures *figures, enum figures_part part);

/* Challengers: models besides the one in use: scored on the same rows, reported in the prediction, never acted on.
 *
 * Each of CHALLENGER_URIS is followed as the model in use is (model_holder.h). One that cannot be loaded is left out of
 * the predictions and shows in health and metrics; it is looked for again and again. */
#pragma once

#include "scorer/model/model_holder.h"

enum { CHALLENGERS_MOST = 8, CHALLENGER_NAME_BYTES = 256 };

struct challengers;

/* *out is NULL where no URI is given. STATUS_INVALID: too many. STATUS_UNAVAILABLE: no thread to be had. */
MUST_USE enum status challengers_new(const struct settings *settings, struct challengers **out, struct error *err);
void challengers_free(struct challengers *challengers);    /* NULL is fine; so it is below */
void challengers_refresh(struct challengers *challengers); /* looks all of them up now (SIGHUP) */

/* How one has done since its version was loaded. Plain data; uri is borrowed. */
struct challenger_report {
    const char *uri;
    bool loaded;
    char model[CHALLENGER_NAME_BYTES]; /* "attrition/7"; "" while none is loaded */
    bool has_problem;                  /* the last look-up or load failed */
    struct error problem;
    uint64_t scored, agreed;        /* rows; those where it gives the same answer, each by its own threshold */
    double difference, differences; /* sums over the rows: challenger minus model in use; its magnitude */
};
size_t challengers_count(const struct challengers *challengers);
void challengers_report(struct challengers *challengers, size_t index, struct challenger_report *out); /* any thread */

/* One thread's room to score with them. Made once for a loop; no allocation afterwards. */
struct challenger_rows;
struct challenger_rows *challenger_rows_new(struct challengers *challengers, size_t most_rows); /* NULL: none */
void challenger_rows_free(struct challenger_rows *rows);

/* Scores the rows and counts how the answers differ from those of `model`, the one in use. */
void challenger_rows_score(struct challenger_rows *rows, const struct cell *cells, size_t row_count,
                           const struct model *model, const struct score *scores);
/* What they said of a row, for the prediction; good until the next score. Those that give no number are left out. */
const struct challenger_score *challenger_rows_of(const struct challenger_rows *rows, size_t row, size_t *count);

/* Bounds of a replay that `registry promote --require` demands: flips<=0.05, impact_ratio>=0.8. */
#pragma once

#include "registry/replay.h"

/* Plain data. */
struct demand {
    enum replay_figure figure;
    bool at_least; /* else at most */
    double bound;
};

enum { DEMANDS_MOST = 32 };

/* `text`: OPTION_SEPARATOR between; NULL: none. STATUS_INVALID: not NAME<=NUMBER or NAME>=NUMBER, or a name that is
 * none, with those there are. */
MUST_USE enum status demands_read(const char *text, struct demand demands[DEMANDS_MOST], size_t *count,
                                  struct error *err);
/* Prints each with what it found. STATUS_DENIED: not all are met; a figure that is not known meets none. */
MUST_USE enum status demands_check(const struct demand *demands, size_t count, const struct replay *replay,
                                   struct error *err);

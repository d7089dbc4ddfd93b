/* Whom `producer rescore` is asked for: --scored-before and --where. */
#pragma once

#include "base/memory.h"
#include "base/options.h"
#include "events/employee_state.h"

/* Plain data; zero-initialise. */
struct rescore_filter {
    int64_t before_ms; /* records written before; INT64_MAX: all */
    struct rescore_condition {
        int32_t column;
        struct cell value; /* borrows from the options */
    } * conditions;
    size_t count;
};

/* STATUS_INVALID: an option that is none; the text is for the command line. */
MUST_USE enum status rescore_filter_read(const struct options *options, const struct schema *schema,
                                         struct rescore_filter *filter, struct error *err);
void rescore_filter_free(struct rescore_filter *filter);

/* A record of somebody who has not left, written at that time. Of several values for one field any will do, of several
 * fields all must. */
bool rescore_filter_passes(const struct rescore_filter *filter, const struct schema *schema,
                           const struct employee_state *record, int64_t written_ms);

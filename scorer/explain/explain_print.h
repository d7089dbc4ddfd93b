/* What `scorer explain` says, for people or as JSON Lines, on standard output. */
#pragma once

#include "scorer/explain/explain_compare.h"

/* Plain data; zeroed but for the first three. */
struct explain_printer {
    bool json, single; /* single: one decision was asked for, and is shown whole */
    const struct schema *schema;
    struct buffer out;
};
void explain_printer_free(struct explain_printer *printer);

void explain_print_decision(struct explain_printer *printer, const struct explain_decision *decision,
                            const struct explain_model *model, const struct explain_replay *replay,
                            enum explain_result result);
/* By model version, and of all. */
void explain_print_summary(struct explain_printer *printer, const struct explain_models *models,
                           const uint64_t counts[EXPLAIN_RESULT_COUNT]);

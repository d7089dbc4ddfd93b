/* What would have to be otherwise for the other answer: the smallest change of one column that crosses the threshold.
 *
 * A change costs what Gower's distance (Biometrics 27, 1971) charges for it: a number's step as a share of its column's
 * range (high − low), 0 to 1; another category, or a value for what is missing, 1. Where the schema gives no range: the
 * step over the larger of 1 and the number's own magnitude, at most OPEN_RANGE such units away.
 *
 * Proposals keep the schema's ranges, integers, categories and cross-field rules; nothing is changed to missing.
 * Of equal costs the one that goes furthest past the threshold wins, then the schema's order. */
#pragma once

#include "pipeline/pipeline.h"

struct counterfactual {
    uint32_t column;
    struct cell value;  /* a category's text is borrowed from the schema */
    double cost;        /* 0 to 1; more only from outside a range, or without one */
    double probability; /* of the row with that value, as pipeline_score gives it */
};

/* The cheapest one for `row`, where the prediction is probability ≥ pipeline_threshold. False: there is none, and *out
 * is left alone. Exact for trees and linear models; every answer has been scored. rule_count 0 leaves the rules out.
 * Allocates, and may take thousands of scores: on request only. Any thread. */
MUST_USE bool pipeline_counterfactual(const struct pipeline *pipeline, const struct rule *rules, size_t rule_count,
                                      const struct cell *row, struct counterfactual *out);

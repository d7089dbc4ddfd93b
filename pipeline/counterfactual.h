/* What would have to change for the other answer: the smallest change of one column that crosses the threshold.
 *
 * A change is measured as a share of what the schema allows: a number's distance over its range (high − low), between 0
 * and 1; of an open range, the distance over the larger of 1 and the value's own magnitude; another category, or filling
 * in what is missing, costs 1, the whole of the range. Values stay inside the schema's range, whole for whole-number
 * columns, categories among the schema's; nothing is changed to missing. Of equal costs the one that goes further past
 * the threshold wins, then the schema's order. */
#ifndef PIPELINE_COUNTERFACTUAL_H
#define PIPELINE_COUNTERFACTUAL_H

#include "pipeline/pipeline.h"

struct counterfactual {
    uint32_t column;
    struct cell value;  /* a category's text is borrowed from the schema */
    double cost;        /* 0 to 1, more only in open ranges */
    double probability; /* of the row with that value, as pipeline_score gives it */
};

/* The smallest single-column change of `row` whose prediction (probability ≥ pipeline_threshold) is the other one.
 * false: there is none, and *out is left alone. Every answer has been scored. On request only: it allocates, and may
 * take some thousand scores. Cross-field rules of the schema are not looked at. Any thread. */
MUST_USE bool pipeline_counterfactual(const struct pipeline *pipeline, const struct cell *row,
                                      struct counterfactual *out);

#endif

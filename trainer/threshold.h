/* Rules by which a threshold is chosen. A row is called positive at probability >= threshold. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum threshold_kind {
    THRESHOLD_MAX_F1,    /* the largest F1; of equals the highest threshold */
    THRESHOLD_RECALL,    /* the highest threshold that finds at least `value` of the positive rows */
    THRESHOLD_COST,      /* the least cost, where a missed positive costs `value` false alarms */
    THRESHOLD_PRECISION, /* the most positive rows found of calls of which at least `value` are right; none such: nobody
                          */
    THRESHOLD_SHARE,     /* the most rows called, at most `value` of all */
    THRESHOLD_GIVEN,     /* `value` itself */
};

struct threshold_rule {
    enum threshold_kind kind;
    double value;
};

enum { THRESHOLD_TEXT_BYTES = 64 };

/* "max-f1", "recall=0.8", "precision=0.6", "share=0.1", "cost=5:1" or a number from 0 to 1. STATUS_INVALID. */
MUST_USE enum status threshold_parse(const char *text, struct threshold_rule *out, struct error *err);
/* The rule in the words of --threshold. */
void threshold_describe(const struct threshold_rule *rule, char out[THRESHOLD_TEXT_BYTES]);

/* Between two neighbouring probabilities, in as few digits as distinguish them. */
double threshold_choose(const struct threshold_rule *rule, const uint8_t *labels, const double *probabilities,
                        size_t count);

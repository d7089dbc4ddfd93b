/* What to train: the kind of model and its parameters, named as in scikit-learn. */
#ifndef TRAINER_RECIPE_H
#define TRAINER_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "base/status.h"

/* Plain data. */
struct recipe {
    const char *kind; /* as given; one of the table's names */
    bool penalised;
    double inverse_penalty; /* C; INFINITY without a penalty */
    bool balanced;          /* class_weight=balanced: each class weighs the same in sum */
    unsigned max_iterations;
    uint64_t seed;    /* of the folds */
    double threshold; /* NAN: the one of largest F1 */
};

/* From --model, --param, --seed and --threshold. STATUS_INVALID: a name or value that is none, with those that are. */
MUST_USE enum status recipe_read(const struct options *options, struct recipe *out, struct error *err);

#endif

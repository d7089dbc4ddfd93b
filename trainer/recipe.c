/* Options → recipe: see recipe.h. One table of kinds, one of parameters; a new kind is a row. */
#include "trainer/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct kind {
    const char *name;
    bool penalised;
} kinds[] = {{"logistic-regression", false}, {"logistic-regression-l2", true}};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

static bool read_number(const char *text, double *out)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end)
        return false;
    *out = number;
    return true;
}

static enum status read_penalty(const char *value, struct recipe *out, struct error *err)
{
    double number;
    if (!read_number(value, &number) || !(number > 0) || isinf(1 / number))
        return error_set(err, STATUS_INVALID, "--param C: give a number above 0 (and above 1e-308), such as C=1");
    if (!out->penalised && !isinf(number))
        return error_set(err, STATUS_INVALID,
                         "--param C: logistic-regression has no penalty; choose --model logistic-regression-l2");
    if (out->penalised && isinf(number))
        return error_set(err, STATUS_INVALID, "--param C: without a penalty choose --model logistic-regression");
    out->inverse_penalty = number;
    return STATUS_OK;
}

static enum status read_class_weight(const char *value, struct recipe *out, struct error *err)
{
    out->balanced = strcmp(value, "balanced") == 0;
    if (out->balanced || strcmp(value, "None") == 0)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "--param class_weight: give balanced or None");
}

static enum status read_max_iter(const char *value, struct recipe *out, struct error *err)
{
    double number;
    if (!read_number(value, &number) || !(number >= 1 && number <= 100000) || number != floor(number))
        return error_set(err, STATUS_INVALID, "--param max_iter: give a whole number from 1 to 100000");
    out->max_iterations = (unsigned)number;
    return STATUS_OK;
}

static const struct param {
    const char *name;
    enum status (*read)(const char *value, struct recipe *out, struct error *err);
} params[] = {{"C", read_penalty}, {"class_weight", read_class_weight}, {"max_iter", read_max_iter}};

enum { PARAM_COUNT = sizeof params / sizeof *params };

static enum status read_param(const struct option_pair *pair, struct recipe *out, struct error *err)
{
    for (size_t p = 0; p < PARAM_COUNT; p++)
        if (strcmp(pair->name, params[p].name) == 0)
            return params[p].read(pair->value, out, err);
    return error_set(err, STATUS_INVALID,
                     "--param %.60s: %s has no such parameter; it has C, class_weight and max_iter", pair->name,
                     out->kind);
}

static enum status read_kind(const char *name, struct recipe *out, struct error *err)
{
    for (size_t k = 0; name && k < KIND_COUNT; k++) {
        if (strcmp(name, kinds[k].name) != 0)
            continue;
        out->kind = kinds[k].name;
        out->penalised = kinds[k].penalised;
        out->inverse_penalty = out->penalised ? 1 : INFINITY;
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "--model: give logistic-regression or logistic-regression-l2");
}

static enum status read_threshold(const char *rule, struct recipe *out, struct error *err)
{
    out->threshold = NAN;
    if (strcmp(rule, "max-f1") == 0)
        return STATUS_OK;
    if (read_number(rule, &out->threshold) && out->threshold >= 0 && out->threshold <= 1)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "--threshold: give max-f1 or a number from 0 to 1");
}

enum status recipe_read(const struct options *options, struct recipe *out, struct error *err)
{
    const struct option_pair *pairs;
    struct recipe recipe = {.max_iterations = 200, .seed = (uint64_t)options_integer(options, OPTION_SEED)};
    enum status status = read_kind(options_text(options, OPTION_MODEL_KIND), &recipe, err);
    if (status == STATUS_OK)
        status = read_threshold(options_text(options, OPTION_THRESHOLD), &recipe, err);
    size_t count = options_params(options, &pairs);
    for (size_t p = 0; p < count && status == STATUS_OK; p++)
        status = read_param(&pairs[p], &recipe, err);
    if (status == STATUS_OK)
        *out = recipe;
    return status;
}

/* Options → recipe: see recipe.h. One table of kinds, one of parameters; a new kind or parameter is a row. */
#include "trainer/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"

/* Who has a parameter. */
enum { LINEAR = 1, PENALISED = 2, FOREST = 4 };

static const struct kind {
    const char *name;
    unsigned has;
} kinds[] = {
    {"logistic-regression", LINEAR}, {"logistic-regression-l2", LINEAR | PENALISED}, {"random-forest", FOREST}};

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

static bool read_whole(const char *text, double least, double most, unsigned *out)
{
    double number;
    if (!read_number(text, &number) || !(number >= least && number <= most) || number != floor(number))
        return false;
    *out = (unsigned)number;
    return true;
}

/* ---- parameters: each reads its value, and shows it again ---- */

static bool read_penalty(const char *value, struct recipe *out)
{
    double number;
    if (strcmp(value, "auto") == 0) {
        out->choice = out->choice ? out->choice : PENALTY_BY_LOG_LOSS;
        return true;
    }
    if (!read_number(value, &number) || !(number > 0) || isinf(1 / number) || isinf(number))
        return false;
    out->inverse_penalty = number;
    out->choice = PENALTY_GIVEN;
    return true;
}

static void show_penalty(const struct recipe *recipe, double chosen, char *out)
{
    snprintf(out, RECIPE_TEXT_BYTES, "%.15g", recipe->choice ? chosen : recipe->inverse_penalty);
}

static bool read_scoring(const char *value, struct recipe *out)
{
    if (strcmp(value, "neg_log_loss") == 0)
        out->choice = PENALTY_BY_LOG_LOSS;
    else if (strcmp(value, "roc_auc") == 0)
        out->choice = PENALTY_BY_ROC_AUC;
    else
        return false;
    return true;
}

static void show_scoring(const struct recipe *recipe, double chosen, char *out)
{
    static const char *const names[] = {"", "neg_log_loss", "roc_auc"};
    (void)chosen;
    snprintf(out, RECIPE_TEXT_BYTES, "%s", names[recipe->choice]);
}

static bool read_class_weight(const char *value, struct recipe *out)
{
    out->balanced = strcmp(value, "balanced") == 0;
    out->forest.class_weight = out->balanced ? FOREST_BALANCED : FOREST_EVEN;
    if (out->is_forest && strcmp(value, "balanced_subsample") == 0) {
        out->forest.class_weight = FOREST_BALANCED_SUBSAMPLE;
        return true;
    }
    return out->balanced || strcmp(value, "None") == 0;
}

static void show_class_weight(const struct recipe *recipe, double chosen, char *out)
{
    static const char *const names[] = {"None", "balanced", "balanced_subsample"};
    (void)chosen;
    snprintf(out, RECIPE_TEXT_BYTES, "%s",
             names[recipe->is_forest ? recipe->forest.class_weight : (unsigned)recipe->balanced]);
}

static bool read_max_features(const char *value, struct recipe *out)
{
    static const char *const names[] = {"sqrt", "log2", "None"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        if (strcmp(value, names[n]) == 0) {
            out->forest.feature_rule = (enum forest_features)n;
            return true;
        }
    double number;
    if (!read_number(value, &number) || !(number > 0))
        return false;
    bool whole = !strpbrk(value, ".eE");
    out->forest.feature_rule = whole ? FOREST_COUNT : FOREST_FRACTION;
    out->forest.max_features = number;
    return whole ? number <= 1e6 : number <= 1;
}

static void show_max_features(const struct recipe *recipe, double chosen, char *out)
{
    static const char *const forms[] = {"sqrt", "log2", "None", "%.15g", "%.15g"};
    (void)chosen;
    snprintf(out, RECIPE_TEXT_BYTES, forms[recipe->forest.feature_rule], recipe->forest.max_features);
    if (recipe->forest.feature_rule == FOREST_FRACTION && !strpbrk(out, ".e"))
        strcat(out, ".0");
}

static bool read_bootstrap(const char *value, struct recipe *out)
{
    out->forest.bootstrap = strcmp(value, "True") == 0 || strcmp(value, "true") == 0;
    return out->forest.bootstrap || strcmp(value, "False") == 0 || strcmp(value, "false") == 0;
}

static void show_bootstrap(const struct recipe *recipe, double chosen, char *out)
{
    (void)chosen;
    snprintf(out, RECIPE_TEXT_BYTES, "%s", recipe->forest.bootstrap ? "True" : "False");
}

static bool read_max_depth(const char *value, struct recipe *out)
{
    out->forest.max_depth = 0;
    return strcmp(value, "None") == 0 || read_whole(value, 1, 1000, &out->forest.max_depth);
}

static void show_max_depth(const struct recipe *recipe, double chosen, char *out)
{
    (void)chosen;
    snprintf(out, RECIPE_TEXT_BYTES, recipe->forest.max_depth ? "%u" : "None", recipe->forest.max_depth);
}

/* Whole numbers within bounds. */
#define WHOLE_PARAM(name, place, least, most) \
    static bool read_##name(const char *value, struct recipe *out) \
    { \
        return read_whole(value, least, most, &out->place); \
    } \
    static void show_##name(const struct recipe *recipe, double chosen, char *out) \
    { \
        (void)chosen; \
        snprintf(out, RECIPE_TEXT_BYTES, "%u", recipe->place); \
    }
WHOLE_PARAM(max_iter, max_iterations, 1, 100000)
WHOLE_PARAM(n_estimators, forest.n_estimators, 1, 65536)
WHOLE_PARAM(min_samples_leaf, forest.min_samples_leaf, 1, 1e9)
WHOLE_PARAM(min_samples_split, forest.min_samples_split, 2, 1e9)

static const struct param {
    const char *name;
    unsigned kinds;
    bool (*read)(const char *value, struct recipe *out);
    void (*show)(const struct recipe *recipe, double chosen, char *out);
    const char *takes;
} params[] = {
    {"C", PENALISED, read_penalty, show_penalty, "a number above 0 (and above 1e-308), such as C=1, or auto"},
    {"scoring", PENALISED, read_scoring, show_scoring, "neg_log_loss or roc_auc: by which C=auto is chosen"},
    {"class_weight", LINEAR | FOREST, read_class_weight, show_class_weight,
     "balanced or None (random-forest also balanced_subsample)"},
    {"max_iter", LINEAR, read_max_iter, show_max_iter, "a whole number from 1 to 100000"},
    {"n_estimators", FOREST, read_n_estimators, show_n_estimators, "a whole number from 1 to 65536"},
    {"max_depth", FOREST, read_max_depth, show_max_depth, "a whole number from 1 to 1000, or None"},
    {"min_samples_split", FOREST, read_min_samples_split, show_min_samples_split, "a whole number from 2"},
    {"min_samples_leaf", FOREST, read_min_samples_leaf, show_min_samples_leaf, "a whole number from 1"},
    {"max_features", FOREST, read_max_features, show_max_features,
     "sqrt, log2, None, a whole number from 1, or a share such as 0.5"},
    {"bootstrap", FOREST, read_bootstrap, show_bootstrap, "True or False"},
};

enum { PARAM_COUNT = sizeof params / sizeof *params };

static unsigned kind_of(const struct recipe *recipe)
{
    return recipe->is_forest ? FOREST : recipe->penalised ? LINEAR | PENALISED : LINEAR;
}

static enum status refuse_param(const char *name, const struct recipe *recipe, struct error *err)
{
    struct buffer names = {0};
    for (size_t p = 0; p < PARAM_COUNT; p++)
        if (params[p].kinds & kind_of(recipe))
            buffer_printf(&names, "%s%s", names.bytes ? ", " : "", params[p].name);
    enum status status = error_set(err, STATUS_INVALID, "--param %.60s: %s has no such parameter; it has %s", name,
                                   recipe->kind, names.data);
    buffer_free(&names);
    return status;
}

static enum status read_param(const struct option_pair *pair, struct recipe *out, struct error *err)
{
    for (size_t p = 0; p < PARAM_COUNT; p++) {
        if (strcmp(pair->name, params[p].name) != 0 || !(params[p].kinds & kind_of(out)))
            continue;
        if (params[p].read(pair->value, out))
            return STATUS_OK;
        return error_set(err, STATUS_INVALID, "--param %s: give %s", pair->name, params[p].takes);
    }
    return refuse_param(pair->name, out, err);
}

size_t recipe_params(const struct recipe *recipe, double chosen_penalty, struct recipe_param *out,
                     char texts[RECIPE_PARAM_MOST][RECIPE_TEXT_BYTES])
{
    size_t count = 0;
    for (size_t p = 0; p < PARAM_COUNT; p++) {
        if (!(params[p].kinds & kind_of(recipe)))
            continue;
        params[p].show(recipe, chosen_penalty, texts[count]);
        if (!*texts[count])
            continue;
        out[count] = (struct recipe_param){params[p].name, texts[count]};
        count++;
    }
    return count;
}

/* ---- the rest of the options ---- */

static enum status read_kind(const char *name, struct recipe *out, struct error *err)
{
    for (size_t k = 0; name && k < KIND_COUNT; k++) {
        if (strcmp(name, kinds[k].name) != 0)
            continue;
        out->kind = kinds[k].name;
        out->is_forest = kinds[k].has & FOREST;
        out->penalised = kinds[k].has & PENALISED;
        out->inverse_penalty = out->penalised ? 1 : INFINITY;
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "--model: give logistic-regression, logistic-regression-l2 or random-forest");
}

static enum status read_test_share(const char *text, struct recipe *out, struct error *err)
{
    if (read_number(text, &out->test_share) && out->test_share >= 0 && out->test_share <= 0.9)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "--test-size: give the share of the rows to hold out, from 0 to 0.9");
}

static enum status read_counts(const struct options *options, struct recipe *out, struct error *err)
{
    int64_t folds = options_integer(options, OPTION_FOLDS), repeats = options_integer(options, OPTION_REPEATS);
    int64_t threads = options_integer(options, OPTION_THREADS);
    if (folds < 0 || folds == 1 || folds > FOLD_MOST)
        return error_set(err, STATUS_INVALID, "--folds: give 2 to %d, or 0 for no cross-validation", FOLD_MOST);
    if (repeats < 1 || repeats > REPEAT_MOST)
        return error_set(err, STATUS_INVALID, "--repeats: give 1 to %d", REPEAT_MOST);
    if (threads < 0 || threads > 1024)
        return error_set(err, STATUS_INVALID, "--threads: give 1 to 1024, or 0 for as many as there are processors");
    if (threads == 0)
        threads = sysconf(_SC_NPROCESSORS_ONLN);
    out->fold_count = (unsigned)folds;
    out->folds_given = options_given(options, OPTION_FOLDS);
    out->repeat_count = folds ? (unsigned)repeats : 0;
    out->threads = threads > 0 ? (unsigned)threads : 1;
    return STATUS_OK;
}

/* Where nothing is left to choose a threshold by, or to judge the model by. */
static enum status check_together(const struct recipe *recipe, struct error *err)
{
    if (recipe->fold_count == 0 && recipe->test_share == 0)
        return error_set(err, STATUS_INVALID, "--folds 0 leaves nothing to judge the model by: add --test-size 0.2");
    if (recipe->fold_count == 0 && recipe->threshold.kind != THRESHOLD_GIVEN)
        return error_set(err, STATUS_INVALID,
                         "--folds 0 leaves nothing to choose a threshold by: give one, such as --threshold 0.5");
    return STATUS_OK;
}

enum status recipe_read(const struct options *options, struct recipe *out, struct error *err)
{
    const struct option_pair *pairs;
    struct recipe recipe = {.max_iterations = 200, .seed = (uint64_t)options_integer(options, OPTION_SEED)};
    recipe.forest = (struct forest_settings){.n_estimators = 100,
                                             .min_samples_split = 2,
                                             .min_samples_leaf = 1,
                                             .feature_rule = FOREST_SQRT,
                                             .bootstrap = true,
                                             .seed = recipe.seed};
    enum status status = read_kind(options_text(options, OPTION_MODEL_KIND), &recipe, err);
    if (status == STATUS_OK)
        status = threshold_parse(options_text(options, OPTION_THRESHOLD), &recipe.threshold, err);
    if (status == STATUS_OK)
        status = read_test_share(options_text(options, OPTION_TEST_SIZE), &recipe, err);
    if (status == STATUS_OK)
        status = read_counts(options, &recipe, err);
    if (status == STATUS_OK)
        status = check_together(&recipe, err);
    size_t count = options_params(options, &pairs);
    for (size_t p = 0; p < count && status == STATUS_OK; p++)
        status = read_param(&pairs[p], &recipe, err);
    recipe.forest.threads = recipe.threads;
    if (status == STATUS_OK)
        *out = recipe;
    return status;
}

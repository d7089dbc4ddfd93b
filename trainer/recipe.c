/* Options → recipe: see recipe.h. Kinds and their parameters are rows of trainer/kinds/. */
#include "trainer/recipe.h"

#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "trainer/kinds/kinds.h"
#include "trainer/kinds/param.h"

static enum status refuse_param(const char *name, const struct recipe *recipe, struct error *err)
{
    struct buffer names = {0};
    for (size_t p = 0; p < recipe->kind->param_count; p++)
        buffer_printf(&names, "%s%s", p ? ", " : "", recipe->kind->params[p].name);
    enum status status = error_set(err, STATUS_INVALID, "--param %.60s: %s has no such parameter; it has %s", name,
                                   recipe->kind->name, names.data);
    buffer_free(&names);
    return status;
}

static enum status read_param(const struct option_pair *pair, struct recipe *out, struct error *err)
{
    for (size_t p = 0; p < out->kind->param_count; p++) {
        const struct model_param *param = &out->kind->params[p];
        if (strcmp(pair->name, param->name) != 0)
            continue;
        if (param->read(pair->value, out))
            return STATUS_OK;
        return error_set(err, STATUS_INVALID, "--param %s: give %s", pair->name, param->takes);
    }
    return refuse_param(pair->name, out, err);
}

size_t recipe_params(const struct recipe *recipe, double chosen_penalty, struct recipe_param *out,
                     char texts[RECIPE_PARAM_MOST][RECIPE_TEXT_BYTES])
{
    size_t count = 0;
    for (size_t p = 0; p < recipe->kind->param_count; p++) {
        const struct model_param *param = &recipe->kind->params[p];
        param->show(recipe, chosen_penalty, texts[count]);
        if (!*texts[count])
            continue;
        out[count] = (struct recipe_param){param->name, texts[count]};
        count++;
    }
    return count;
}

/* --- the rest of the options --- */

static enum status read_kind(const char *name, struct recipe *out, struct error *err)
{
    enum status status = model_kind_find(name, &out->kind, err);
    if (status == STATUS_OK)
        out->kind->set_defaults(out);
    return status;
}

static void read_counts(const struct options *options, struct recipe *out)
{
    int64_t folds = options_integer(options, OPTION_FOLDS), repeats = options_integer(options, OPTION_REPEATS);
    int64_t threads = options_integer(options, OPTION_THREADS);
    if (threads == 0)
        threads = sysconf(_SC_NPROCESSORS_ONLN);
    out->fold_count = (unsigned)folds;
    out->folds_given = options_given(options, OPTION_FOLDS);
    out->repeat_count = folds ? (unsigned)repeats : 0;
    out->threads = threads > 0 ? (unsigned)threads : 1;
    out->test_share = options_share(options, OPTION_TEST_SIZE);
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
    struct recipe recipe = {.seed = (uint64_t)options_integer(options, OPTION_SEED)};
    enum status status = read_kind(options_text(options, OPTION_MODEL_KIND), &recipe, err);
    if (status == STATUS_OK)
        status = threshold_parse(options_text(options, OPTION_THRESHOLD), &recipe.threshold, err);
    read_counts(options, &recipe);
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

/* Options → settings: see train_settings.h. Kinds and their parameters are rows of trainer/kinds/. */
#include "trainer/train_settings.h"

#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "trainer/kinds/kinds.h"

static enum status refuse_param(const char *name, const struct train_settings *settings, struct error *err)
{
    struct buffer names = {0};
    for (size_t p = 0; p < settings->kind->param_count; p++)
        buffer_printf(&names, "%s%s", p ? ", " : "", settings->kind->params[p].name);
    enum status status = error_set(err, STATUS_INVALID, "--param %.60s: %s has no such parameter; it has %s", name,
                                   settings->kind->name, names.data);
    buffer_free(&names);
    return status;
}

static enum status read_param(const struct option_pair *pair, struct train_settings *out, struct error *err)
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

size_t train_settings_params(const struct train_settings *settings, double chosen, struct train_settings_param *out,
                             char texts[TRAIN_SETTINGS_PARAM_MOST][TRAIN_SETTINGS_TEXT_BYTES])
{
    size_t count = 0;
    for (size_t p = 0; p < settings->kind->param_count; p++) {
        const struct model_param *param = &settings->kind->params[p];
        param->show(settings, chosen, texts[count]);
        if (!*texts[count])
            continue;
        out[count] = (struct train_settings_param){param->name, texts[count]};
        count++;
    }
    return count;
}

bool train_settings_set(const char *name, const char *value, struct train_settings *settings)
{
    const struct option_pair pair = {.name = name, .value = value};
    return read_param(&pair, settings, ERROR_IGNORED) == STATUS_OK;
}

/* --- the rest of the options --- */

static enum status read_kind(const char *name, struct train_settings *out, struct error *err)
{
    if (model_kind_find(name, &out->kind, err) != STATUS_OK)
        return err->status;
    out->kind->set_defaults(out);
    return STATUS_OK;
}

static const char *const calibrations[] = {"none", "sigmoid", "isotonic"}; /* by enum calibration_method */

const char *train_settings_calibration(enum calibration_method calibration)
{
    return calibrations[calibration];
}

static void read_calibration(const char *how, struct train_settings *out)
{
    for (size_t c = 0; c < sizeof calibrations / sizeof *calibrations; c++)
        if (strcmp(how, calibrations[c]) == 0)
            out->calibration = (enum calibration_method)c;
}

unsigned train_settings_threads(const struct options *options)
{
    int64_t threads = options_integer(options, OPTION_THREADS);
    if (threads == 0)
        threads = sysconf(_SC_NPROCESSORS_ONLN);
    return threads > 0 ? (unsigned)threads : 1;
}

static void read_counts(const struct options *options, struct train_settings *out)
{
    int64_t folds = options_integer(options, OPTION_FOLDS), repeats = options_integer(options, OPTION_REPEATS);
    out->fold_count = (unsigned)folds;
    out->folds_given = options_given(options, OPTION_FOLDS);
    out->repeat_count = folds ? (unsigned)repeats : 0;
    out->threads = train_settings_threads(options);
    out->permutations = (unsigned)options_integer(options, OPTION_PERMUTATIONS);
    out->search_trials = (unsigned)options_integer(options, OPTION_SEARCH);
    out->test_share = options_share(options, OPTION_TEST_SIZE);
}

/* Where nothing is left to choose a threshold by, or to evaluate the model by. */
static enum status check_together(const struct train_settings *settings, struct error *err)
{
    if (settings->fold_count == 0 && settings->test_share == 0)
        return error_set(err, STATUS_INVALID, "--folds 0 leaves nothing to evaluate the model by: add --test-size 0.2");
    if (settings->fold_count == 0 && settings->threshold.kind != THRESHOLD_GIVEN)
        return error_set(err, STATUS_INVALID,
                         "--folds 0 leaves nothing to choose a threshold by: give one, such as --threshold 0.5");
    return STATUS_OK;
}

enum status train_settings_read(const struct options *options, struct train_settings *out, struct error *err)
{
    const struct option_pair *pairs;
    struct train_settings settings = {.seed = (uint64_t)options_integer(options, OPTION_SEED)};
    enum status status = read_kind(options_text(options, OPTION_MODEL_KIND), &settings, err);
    if (status == STATUS_OK)
        status = threshold_parse(options_text(options, OPTION_THRESHOLD), &settings.threshold, err);
    read_counts(options, &settings);
    read_calibration(options_text(options, OPTION_CALIBRATE), &settings);
    if (status == STATUS_OK)
        status = check_together(&settings, err);
    size_t count = options_params(options, &pairs);
    for (size_t p = 0; p < count && status == STATUS_OK; p++)
        status = read_param(&pairs[p], &settings, err);
    settings.forest.threads = settings.boost.threads = settings.threads;
    if (status == STATUS_OK)
        *out = settings;
    return status;
}

/* Random search with successive halving: see search.h. Called once, by the trainer's only thread; the fits of a trial
 * run on several. Trials see the training rows alone. */
#include "trainer/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "trainer/fold.h"
#include "trainer/kinds/kinds.h"
#include "trainer/random.h"

enum {
    HALVING = 3,
    ROUNDS_MOST = 6,
    SEARCH_FOLDS = 5,
    CLASS_LEAST = 50,
    DRAW_STREAM = 7000003,
    PARTS_STREAM = 7000009
};

/* --- plan --- */

static bool is_given(const char *name, const struct option_pair *given, size_t count)
{
    for (size_t g = 0; g < count; g++)
        if (strcmp(given[g].name, name) == 0)
            return true;
    return false;
}

static double random_share(uint64_t *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* A value of the range, as --param takes it: to six digits. */
static void draw_text(const struct search_range *range, uint64_t *random, char out[TRAIN_SETTINGS_TEXT_BYTES])
{
    double share = random_share(random), low = range->low, high = range->high;
    double value = range->logarithmic ? low * pow(high / low, share) : low + (high - low) * share;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%.6g", range->whole ? round(value) : value);
}

static void trial_draw(const struct search *search, uint64_t *random, struct trial *trial)
{
    char text[TRAIN_SETTINGS_TEXT_BYTES];
    for (size_t r = 0; r < search->range_count; r++) {
        draw_text(search->ranges[r], random, text);
        if (!train_settings_set(search->ranges[r]->param, text, &trial->settings))
            log_error("trainer", "--search drew %s=%s, which the kind refuses: it keeps its default",
                      search->ranges[r]->param, text);
    }
}

/* As many as the draws allow, and as leave the first round CLASS_LEAST people of the rarer class: by fewer, the
 * strongest penalty wins. */
static size_t count_rounds(size_t trials, size_t people_of_class)
{
    size_t rounds = 1, parts = HALVING;
    while (rounds < ROUNDS_MOST && parts <= trials && people_of_class / parts >= CLASS_LEAST) {
        rounds++;
        parts *= HALVING;
    }
    return rounds;
}

enum status search_plan(const struct table *table, const uint32_t *rows, size_t row_count,
                        const struct train_settings *settings, const struct option_pair *given, size_t given_count,
                        struct search *out, struct error *err)
{
    const struct model_kind *kind = settings->kind;
    struct train_settings trial_settings = *settings;
    uint64_t random = random_stream(settings->seed, DRAW_STREAM);
    *out = (struct search){0};
    for (size_t s = 0; s < kind->space_count; s++)
        if (!is_given(kind->space[s].param, given, given_count))
            out->ranges[out->range_count++] = &kind->space[s];
    if (out->range_count == 0)
        return error_set(err, STATUS_INVALID, "--search: %s has nothing to search%s: %s", kind->name,
                         kind->space_count ? " that --param does not give" : "",
                         kind->space_count ? "leave a --param or --search out" : "choose another --model");
    trial_settings.fold_count = settings->fold_count ? settings->fold_count : SEARCH_FOLDS;
    trial_settings.folds_given = false;
    trial_settings.repeat_count = 1;
    trial_settings.permutations = 0;
    trial_settings.seed = settings->seed + 1; /* other folds than those of the evaluation */
    out->trial_count = settings->search_trials;
    out->round_count = count_rounds(out->trial_count, fold_most(table, rows, row_count));
    out->trials = mem_zeroed(out->trial_count + 1, sizeof *out->trials);
    for (size_t t = 0; t < out->trial_count; t++) {
        out->trials[t] = (struct trial){.number = t, .settings = trial_settings};
        if (t)
            trial_draw(out, &random, &out->trials[t]);
    }
    return STATUS_OK;
}

void search_clear(struct search *search)
{
    free(search->trials);
    *search = (struct search){0};
}

void search_describe(const struct search *search, const struct trial *trial, char *out, size_t bytes)
{
    const struct model_kind *kind = trial->settings.kind;
    char text[TRAIN_SETTINGS_TEXT_BYTES];
    size_t at = 0;
    *out = '\0';
    for (size_t r = 0; r < search->range_count; r++)
        for (size_t p = 0; p < kind->param_count && at < bytes; p++) {
            if (strcmp(kind->params[p].name, search->ranges[r]->param) != 0)
                continue;
            kind->params[p].show(&trial->settings, 0, text);
            at += (size_t)snprintf(out + at, bytes - at, "%s%s=%s", r ? ", " : "", kind->params[p].name, text);
        }
}

/* --- trials --- */

static void trial_assess(const struct table *table, const uint32_t *rows, size_t row_count, struct trial *trial)
{
    struct evaluation evaluation = {0};
    trial->metrics.log_loss = trial->log_loss.low = trial->log_loss.high = NAN;
    if (evaluation_cross_validate(table, rows, row_count, &trial->settings, NULL, &evaluation, &trial->err) ==
        STATUS_OK) {
        trial->metrics = evaluation.validation.metrics;
        trial->log_loss = evaluation.validation.intervals[METRIC_log_loss];
    }
    evaluation_clear(&evaluation);
}

static void say_trial(const struct search *search, const struct trial *trial)
{
    char text[TRAIN_SETTINGS_TEXT_BYTES];
    search_describe(search, trial, text, sizeof text);
    if (isnan(trial->metrics.log_loss))
        log_warn("trainer", "trial %zu, round %zu of %zu: %s: %s", trial->number, trial->round + 1, search->round_count,
                 text, trial->recorded ? "its fit failed before" : trial->err.text);
    else
        log_info("trainer", "trial %zu, round %zu of %zu, %zu rows: log_loss %.4f, roc_auc %.4f with %s%s",
                 trial->number, trial->round + 1, search->round_count, trial->rows, trial->metrics.log_loss,
                 trial->metrics.roc_auc, text, trial->recorded ? " (recorded before)" : "");
}

static enum status trial_run(const struct table *table, const uint32_t *rows, size_t row_count,
                             const struct trial_store *store, const struct search *search, struct trial *trial,
                             struct error *err)
{
    trial->rows = row_count;
    enum status status = store->read ? store->read(store->context, trial, err) : STATUS_NOT_FOUND;
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    trial->recorded = status == STATUS_OK;
    if (!trial->recorded)
        trial_assess(table, rows, row_count, trial);
    say_trial(search, trial);
    return store->write && !trial->recorded ? store->write(store->context, trial, err) : STATUS_OK;
}

/* Those that came further first, then the lesser loss; a failed fit last. */
static int compare_trials(const void *a, const void *b)
{
    const struct trial *left = a, *right = b;
    double ours = left->metrics.log_loss, theirs = right->metrics.log_loss;
    if (left->round != right->round)
        return left->round < right->round ? 1 : -1;
    if (isnan(ours) != isnan(theirs))
        return isnan(ours) ? 1 : -1;
    if (ours != theirs && !isnan(ours))
        return ours > theirs ? 1 : -1;
    return (left->number > right->number) - (left->number < right->number);
}

/* The rows of a round, which those of the next one include: parts below HALVING to the power of its number. */
static size_t round_rows(const uint32_t *rows, const uint8_t *parts, size_t row_count, size_t round, uint32_t *out)
{
    size_t below = (size_t)pow(HALVING, (double)round), count = 0;
    for (size_t r = 0; r < row_count; r++)
        if (parts[r] < below)
            out[count++] = rows[r];
    return count;
}

static enum status run_rounds(const struct table *table, const uint32_t *rows, const uint8_t *parts, size_t row_count,
                              const struct trial_store *store, struct search *search, struct error *err)
{
    uint32_t *part = mem_zeroed(row_count + 1, sizeof *part);
    size_t going = search->trial_count;
    enum status status = STATUS_OK;
    for (size_t round = 0; round < search->round_count && status == STATUS_OK; round++) {
        size_t count = round_rows(rows, parts, row_count, round, part);
        going = round ? (going + HALVING - 1) / HALVING : going;
        for (size_t t = 0; t < search->trial_count && status == STATUS_OK; t++) {
            if (t >= going && search->trials[t].number)
                continue; /* the parameters as given go on to the end */
            search->trials[t].round = round;
            status = trial_run(table, part, count, store, search, &search->trials[t], err);
        }
        qsort(search->trials, search->trial_count, sizeof *search->trials, compare_trials);
    }
    free(part);
    return status;
}

enum status search_run(const struct table *table, const uint32_t *rows, size_t row_count,
                       const struct trial_store *store, struct search *search, struct error *err)
{
    uint8_t *parts = mem_zeroed(row_count + 1, 1);
    size_t part_count = (size_t)pow(HALVING, (double)(search->round_count - 1));
    fold_assign(table, rows, row_count, part_count, random_stream(search->trials[0].settings.seed, PARTS_STREAM),
                parts);
    enum status status = run_rounds(table, rows, parts, row_count, store, search, err);
    free(parts);
    if (status == STATUS_OK && isnan(search->trials[0].metrics.log_loss)) {
        *err = search->trials[0].err;
        status = error_prefix(err, "--search: every trial failed");
    }
    return status;
}

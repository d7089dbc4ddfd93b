/* Thresholds: see threshold.h. Pure. Called on rows that take no part in assessing the model with it. */
#include "trainer/threshold.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/metrics.h"

static bool threshold_read_number(const char *text, double *out, const char **end)
{
    char *after;
    *out = strtod(text, &after);
    *end = after;
    return after != text && isfinite(*out);
}

static bool read_cost(const char *text, double *out)
{
    double missed, alarm;
    const char *end;
    if (!threshold_read_number(text, &missed, &end) || *end != ':' || !threshold_read_number(end + 1, &alarm, &end) ||
        *end)
        return false;
    *out = missed / alarm;
    return missed > 0 && alarm > 0 && isfinite(*out) && *out > 0;
}

/* NAME=VALUE with a part of 1; *value 0: it is none. THRESHOLD_GIVEN: another form. */
static enum threshold_kind read_part(const char *text, double *value)
{
    static const struct {
        const char *name;
        enum threshold_kind kind;
    } rules[] = {{"recall=", THRESHOLD_RECALL}, {"precision=", THRESHOLD_PRECISION}, {"share=", THRESHOLD_SHARE}};
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        const char *end;
        if (strncmp(text, rules[r].name, strlen(rules[r].name)) != 0)
            continue;
        if (!threshold_read_number(text + strlen(rules[r].name), value, &end) || *end)
            *value = 0;
        return rules[r].kind;
    }
    return THRESHOLD_GIVEN;
}

enum status threshold_parse(const char *text, struct threshold_rule *out, struct error *err)
{
    struct threshold_rule rule = {THRESHOLD_MAX_F1, 0};
    const char *end = "";
    bool good = strcmp(text, "max-f1") == 0;
    enum threshold_kind parts = read_part(text, &rule.value);
    if (parts != THRESHOLD_GIVEN) {
        rule.kind = parts;
        good = rule.value > 0 && rule.value <= 1;
    } else if (strncmp(text, "cost=", 5) == 0) {
        rule.kind = THRESHOLD_COST;
        good = read_cost(text + 5, &rule.value);
    } else if (!good) {
        rule.kind = THRESHOLD_GIVEN;
        good = threshold_read_number(text, &rule.value, &end) && !*end && rule.value >= 0 && rule.value <= 1;
    }
    if (!good)
        return error_set(err, STATUS_INVALID,
                         "--threshold: give max-f1, recall=0.8 (find that share of the positive rows), precision=0.6 "
                         "(so many calls are right), share=0.1 (call at most so many rows), cost=5:1 (a missed one "
                         "costs five false alarms) or a number from 0 to 1");
    *out = rule;
    return STATUS_OK;
}

void threshold_describe(const struct threshold_rule *rule, char out[THRESHOLD_TEXT_BYTES])
{
    static const char *const forms[] = {"max-f1",          "recall=%.15g", "cost=%.15g:1",
                                        "precision=%.15g", "share=%.15g",  "%.15g"};
    snprintf(out, THRESHOLD_TEXT_BYTES, forms[rule->kind], rule->value);
}

/* A number in (low, high] with as few digits as can be. */
static double short_between(double low, double high)
{
    double middle = low + (high - low) / 2;
    for (int digits = 2; digits <= 17; digits++) {
        char text[40];
        snprintf(text, sizeof text, "%.*f", digits, middle);
        double number = strtod(text, NULL);
        if (number > low && number <= high)
            return number;
    }
    return high;
}

/* How good it is to call `hits` positives and `alarms` negatives of all; larger is better, the first of equals wins. */
static double worth(const struct threshold_rule *rule, size_t hits, size_t alarms, size_t positives, size_t count)
{
    double called = (double)(hits + alarms);
    if (rule->kind == THRESHOLD_PRECISION)
        return (double)hits >= rule->value * called ? (double)hits : 0;
    if (rule->kind == THRESHOLD_SHARE)
        return called <= rule->value * (double)count ? called : 0;
    double missed = (double)(positives - hits);
    if (rule->kind == THRESHOLD_RECALL)
        return (double)hits >= rule->value * (double)positives;
    if (rule->kind == THRESHOLD_COST)
        return -(missed * rule->value + (double)alarms);
    return hits ? 2 * (double)hits / (double)(hits + alarms + positives) : 0;
}

double threshold_choose(const struct threshold_rule *rule, const uint8_t *labels, const double *probabilities,
                        size_t count)
{
    if (rule->kind == THRESHOLD_GIVEN)
        return rule->value;
    struct ranked *rows = metrics_rank(labels, probabilities, count);
    size_t positives = 0, hits = 0, alarms = 0;
    for (size_t r = 0; r < count; r++)
        positives += labels[r];
    /* calling nobody comes first: dear where positives are missed, and no way to reach a recall */
    double best = worth(rule, 0, 0, positives, count), threshold = 0.5;
    bool may_call_nobody =
        rule->kind == THRESHOLD_COST || rule->kind == THRESHOLD_PRECISION || rule->kind == THRESHOLD_SHARE;
    if (may_call_nobody && count && rows[0].probability < 1)
        threshold = short_between(rows[0].probability, 1);
    for (size_t at = 0; at < count;) {
        double lowest = rows[at].probability;
        at = metrics_next_group(rows, at, count, &hits, &alarms);
        double now = worth(rule, hits, alarms, positives, count);
        if (now > best) {
            best = now;
            threshold = short_between(at < count ? rows[at].probability : 0, lowest);
        }
    }
    free(rows);
    return threshold;
}

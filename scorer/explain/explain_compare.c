/* Scoring a row of predictions again: see explain_compare.h. Called by explain.c on the main thread; pure. Must never
 * correct the row: it is scored as it was stored. */
#include "scorer/explain/explain_compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PROBABILITY_ULPS = 2 };

void explain_replay_init(struct explain_replay *replay, const struct schema *schema)
{
    *replay = (struct explain_replay){.schema = schema};
    replay->cells = mem_zeroed(schema->column_count + 1, sizeof *replay->cells);
    replay->reasons = mem_zeroed(schema->column_count + 1, sizeof *replay->reasons);
}

void explain_replay_fini(struct explain_replay *replay)
{
    json_reader_free(&replay->reader);
    free(replay->cells);
    free(replay->reasons);
}

static void differ(struct explain_replay *replay, const char *field, const char *stored, const char *replayed)
{
    if (replay->difference_count == EXPLAIN_DIFFERENCES_MAX)
        return;
    struct explain_difference *difference = &replay->differences[replay->difference_count++];
    snprintf(difference->field, sizeof difference->field, "%s", field);
    snprintf(difference->stored, sizeof difference->stored, "%s", stored);
    snprintf(difference->replayed, sizeof difference->replayed, "%s", replayed);
}

/* Units in the last place between two doubles of one sign; many where the signs differ. */
static uint64_t ulps_between(double a, double b)
{
    int64_t left, right;
    memcpy(&left, &a, sizeof left);
    memcpy(&right, &b, sizeof right);
    if ((left < 0) != (right < 0))
        return a == b ? 0 : UINT64_MAX;
    return left > right ? (uint64_t)(left - right) : (uint64_t)(right - left);
}

static void compare_number(struct explain_replay *replay, const char *field, double stored, double replayed,
                           uint64_t ulps)
{
    char before[32], now[32];
    if (ulps_between(stored, replayed) <= ulps)
        return;
    snprintf(before, sizeof before, "%.17g", stored);
    snprintf(now, sizeof now, "%.17g", replayed);
    differ(replay, field, before, now);
}

/* --- reasons --- */

/* The next item of the stored array; SPAN_NULL: it is none of ours. */
static struct span read_reason(struct json_reader *reader, double *contribution)
{
    struct json_value opened, value;
    struct span name, feature = SPAN_NULL;
    *contribution = NAN;
    if (!json_read_value(reader, &opened) || opened.kind != JSON_KIND_OBJECT) {
        json_refuse(reader, JSON_FLAW_NO_OBJECT);
        return SPAN_NULL;
    }
    for (bool first = true; json_next_name(reader, &first, &name);) {
        if (!json_read_value(reader, &value))
            return SPAN_NULL;
        if (span_equal(name, SPAN_LITERAL("feature")) && value.kind == JSON_KIND_TEXT)
            feature = value.text;
        else if (span_equal(name, SPAN_LITERAL("contribution")) && value.kind == JSON_KIND_NUMBER)
            *contribution = value.number;
        else
            json_skip_rest(reader, &value);
    }
    return feature;
}

static void compare_reason(struct explain_replay *replay, size_t index, struct span feature, double contribution)
{
    char field[32], before[EXPLAIN_TEXT_MAX], now[EXPLAIN_TEXT_MAX] = "none";
    bool made = index < replay->score.reason_count;
    const struct reason *reason = &replay->reasons[index];
    const char *name = made ? replay->schema->columns[reason->column].name : "";
    if (made && span_equal(feature, span_of(name)) && ulps_between(contribution, reason->contribution) == 0)
        return;
    snprintf(field, sizeof field, "reason %zu", index + 1);
    snprintf(before, sizeof before, "%.*s %.17g", feature.data ? (int)feature.bytes : 0,
             feature.data ? feature.data : "", contribution);
    if (made)
        snprintf(now, sizeof now, "%s %.17g", name, reason->contribution);
    differ(replay, field, before, now);
}

/* As many as were stored: how many that are is a setting, and none may be. */
static void compare_reasons(struct explain_replay *replay, struct span stored)
{
    struct json_reader *reader = &replay->reader;
    struct json_value opened;
    json_reader_start(reader, stored);
    if (json_read_value(reader, &opened) && opened.kind == JSON_KIND_ARRAY) {
        size_t index = 0;
        for (bool first = true; index < replay->schema->column_count && json_next_item(reader, &first); index++) {
            double contribution;
            struct span feature = read_reason(reader, &contribution);
            if (reader->flaw == JSON_FLAW_NONE)
                compare_reason(replay, index, feature, contribution);
        }
    } else {
        json_refuse(reader, JSON_FLAW_NO_OBJECT);
    }
    if (json_reader_end(reader) != JSON_FLAW_NONE)
        differ(replay, "reasons", "no array of {feature, contribution}", "");
}

/* --- the whole --- */

static enum explain_result fail(struct explain_replay *replay, const char *why)
{
    snprintf(replay->fault, sizeof replay->fault, "%s", why);
    return EXPLAIN_FAILED;
}

static bool read_input(struct explain_replay *replay, struct span input)
{
    struct fault fault;
    if (!json_row_read_text(&replay->reader, input, replay->schema, false, replay->cells, &fault, 1))
        return true;
    snprintf(replay->fault, sizeof replay->fault, "the stored input is no row of this schema: %s", fault.text);
    return false;
}

enum explain_result explain_replay(struct explain_replay *replay, const struct explain_decision *decision,
                                   const struct explain_model *model)
{
    replay->difference_count = 0;
    json_reader_reset(&replay->reader);
    if (decision->pseudonymised)
        return EXPLAIN_PSEUDONYMISED;
    if (!model->pipeline)
        return fail(replay, model->fault);
    if (!read_input(replay, decision->input))
        return EXPLAIN_FAILED;
    struct score *score = &replay->score;
    pipeline_score(model->pipeline, replay->cells, 1, (uint32_t)replay->schema->column_count, score, replay->reasons);
    double threshold = pipeline_threshold(model->pipeline);
    bool positive = score->probability >= threshold;
    struct span label = replay->schema->target_values[positive ? model->labels.positive : model->labels.negative];
    replay->prediction = label.data;
    if (!span_equal(label, span_of(decision->prediction)))
        differ(replay, "prediction", decision->prediction, label.data);
    compare_number(replay, "probability", decision->probability, score->probability, PROBABILITY_ULPS);
    compare_number(replay, "threshold", decision->threshold, threshold, 0);
    compare_number(replay, "margin", decision->margin, score->margin, 0);
    compare_number(replay, "base", decision->base, score->base, 0);
    compare_reasons(replay, decision->reasons);
    return replay->difference_count ? EXPLAIN_DIFFERS : EXPLAIN_EQUAL;
}

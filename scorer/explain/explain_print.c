/* Answers of `scorer explain`: see explain_print.h. Called by explain.c on the main thread. What fails of standard
 * output is seen when explain.c flushes it. */
#include "scorer/explain/explain_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_writer.h"

static const char *const result_names[EXPLAIN_RESULT_COUNT] = {
    [EXPLAIN_EQUAL] = "equal",
    [EXPLAIN_DIFFERS] = "differs",
    [EXPLAIN_FAILED] = "failed",
    [EXPLAIN_PSEUDONYMISED] = "pseudonymised",
};

void explain_printer_free(struct explain_printer *printer)
{
    buffer_free(&printer->out);
}

/* A text of the database on a terminal. */
static void print_flat(const char *format, const char *text)
{
    char *flat = text_flat(text);
    printf(format, flat);
    free(flat);
}

/* --- JSON --- */

static void write_reasons(struct json_writer *json, const struct explain_printer *printer,
                          const struct explain_replay *replay)
{
    json_begin_array(json, "reasons");
    for (size_t r = 0; r < replay->score.reason_count; r++) {
        json_begin_object(json, NULL);
        json_write_string(json, "feature", printer->schema->columns[replay->reasons[r].column].name);
        json_write_double(json, "contribution", replay->reasons[r].contribution);
        json_end_object(json);
    }
    json_end_array(json);
}

static void write_replay(struct json_writer *json, const struct explain_printer *printer,
                         const struct explain_model *model, const struct explain_replay *replay)
{
    json_begin_object(json, "replayed");
    json_write_string(json, "prediction", replay->prediction);
    json_write_double(json, "probability", replay->score.probability);
    json_write_double(json, "threshold", pipeline_threshold(model->pipeline));
    json_write_double(json, "margin", replay->score.margin);
    json_write_double(json, "base", replay->score.base);
    write_reasons(json, printer, replay);
    json_end_object(json);
    json_begin_array(json, "differences");
    for (size_t d = 0; d < replay->difference_count; d++) {
        json_begin_object(json, NULL);
        json_write_string(json, "field", replay->differences[d].field);
        json_write_string(json, "stored", replay->differences[d].stored);
        json_write_string(json, "replayed", replay->differences[d].replayed);
        json_end_object(json);
    }
    json_end_array(json);
}

static void write_decision(struct explain_printer *printer, const struct explain_decision *decision,
                           const struct explain_model *model, const struct explain_replay *replay,
                           enum explain_result result)
{
    buffer_clear(&printer->out);
    struct json_writer json = json_begin_document(&printer->out);
    json_write_string(&json, "event_id", decision->event_id);
    json_write_string(&json, "employee_id", decision->employee_id);
    json_write_string(&json, "scored_at", decision->scored_at);
    json_write_string(&json, "model", model->address);
    json_write_string(&json, "sha256", *model->digest ? model->digest : NULL);
    json_write_string(&json, "result", result_names[result]);
    json_write_string(&json, "message", result == EXPLAIN_FAILED ? replay->fault : NULL);
    if (result == EXPLAIN_EQUAL || result == EXPLAIN_DIFFERS)
        write_replay(&json, printer, model, replay);
    json_end_document(&json);
    fwrite(printer->out.data, 1, printer->out.bytes, stdout);
}

/* --- for people --- */

static void print_replay(const struct explain_printer *printer, const struct explain_model *model,
                         const struct explain_replay *replay)
{
    const struct score *score = &replay->score;
    printf("  model %s, sha256 %s\n", model->address, model->digest);
    printf("  %s: probability %.17g, threshold %.17g\n", replay->prediction, score->probability,
           pipeline_threshold(model->pipeline));
    printf("  raw score %.17g = %.17g", score->margin, score->base);
    printf(score->reason_count ? " and the sum of:\n" : ", without reasons\n");
    for (size_t r = 0; r < score->reason_count; r++)
        printf("    %-28s %+.6f\n", printer->schema->columns[replay->reasons[r].column].name,
               replay->reasons[r].contribution);
}

static void print_decision(const struct explain_printer *printer, const struct explain_decision *decision,
                           const struct explain_model *model, const struct explain_replay *replay,
                           enum explain_result result)
{
    print_flat("event %s", decision->event_id);
    if (decision->employee_id)
        print_flat(", employee %s", decision->employee_id);
    printf(", scored at %s: ", decision->scored_at);
    if (result == EXPLAIN_FAILED)
        print_flat("cannot be made again: %s\n", replay->fault);
    else if (result == EXPLAIN_PSEUDONYMISED)
        printf("pseudonymised: its values are gone, it cannot be made again\n");
    else
        printf(result == EXPLAIN_EQUAL ? "equal, bit for bit\n" : "differs\n");
    if (result == EXPLAIN_DIFFERS)
        for (size_t d = 0; d < replay->difference_count; d++)
            printf("  %s: stored %s, now %s\n", replay->differences[d].field, replay->differences[d].stored,
                   replay->differences[d].replayed);
    if (printer->single && (result == EXPLAIN_EQUAL || result == EXPLAIN_DIFFERS))
        print_replay(printer, model, replay);
}

void explain_print_decision(struct explain_printer *printer, const struct explain_decision *decision,
                            const struct explain_model *model, const struct explain_replay *replay,
                            enum explain_result result)
{
    if (printer->json)
        write_decision(printer, decision, model, replay, result);
    else if (printer->single || result == EXPLAIN_DIFFERS || result == EXPLAIN_FAILED)
        print_decision(printer, decision, model, replay, result);
}

void explain_print_summary(struct explain_printer *printer, const struct explain_models *models,
                           const uint64_t counts[EXPLAIN_RESULT_COUNT])
{
    struct explain_model *const *list;
    size_t count = explain_models_list(models, &list);
    if (printer->json || printer->single)
        return;
    printf("%-40s %10s %10s %10s  %s\n", "model", "equal", "differ", "failed", "sha256");
    for (size_t m = 0; m < count; m++)
        printf("%-40s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "  %s\n", list[m]->address, list[m]->equal,
               list[m]->differing, list[m]->failed, list[m]->digest);
    printf("%" PRIu64 " decisions made again: %" PRIu64 " equal, %" PRIu64 " differ; %" PRIu64
           " could not be made again, %" PRIu64 " are pseudonymised\n",
           counts[EXPLAIN_EQUAL] + counts[EXPLAIN_DIFFERS], counts[EXPLAIN_EQUAL], counts[EXPLAIN_DIFFERS],
           counts[EXPLAIN_FAILED], counts[EXPLAIN_PSEUDONYMISED]);
}

/* `scorer explain`: makes past decisions again from what PostgreSQL holds of them, each with the model version that
 * made it, and says what differs. Main thread; needs the database and the registry, not Kafka; changes nothing.
 *
 * Parts: explain_rows.c reads the decisions, explain_models.c finds their versions, explain_compare.c scores and
 * compares, explain_print.c answers. Status 0: every one is equal, or pseudonymised and so beyond replay. */
#include "scorer/commands.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "events/schema.h"
#include "scorer/explain/explain_print.h"
#include "scorer/time_option.h"

struct explain {
    const struct options *options;
    struct explain_wanted wanted;
    struct schema *schema;
    struct log_reader *rows;
    struct explain_models *models;
    struct explain_replay replay;
    struct explain_printer printer;
    uint64_t counts[EXPLAIN_RESULT_COUNT];
};

static void count(struct explain *explain, struct explain_model *model, enum explain_result result)
{
    explain->counts[result]++;
    model->equal += result == EXPLAIN_EQUAL;
    model->differing += result == EXPLAIN_DIFFERS;
    model->failed += result == EXPLAIN_FAILED;
}

static enum status explain_rows_all(struct explain *explain, struct error *err)
{
    struct explain_decision decision;
    struct explain_model *model;
    bool found;
    while (explain_rows_next(explain->rows, &decision, &found, err) == STATUS_OK) {
        if (!found)
            return STATUS_OK;
        if (explain_models_find(explain->models, decision.model_name, decision.model_version, &model, err) != STATUS_OK)
            return err->status;
        enum explain_result result = explain_replay(&explain->replay, &decision, model);
        count(explain, model, result);
        explain_print_decision(&explain->printer, &decision, model, &explain->replay, result);
    }
    return err->status;
}

static enum status explain_open(struct explain *explain, struct error *err)
{
    if (schema_load(options_text(explain->options, OPTION_SCHEMAS_DIR), &explain->schema, err) != STATUS_OK)
        return err->status;
    explain_replay_init(&explain->replay, explain->schema);
    explain->models = explain_models_new(explain->options, explain->schema);
    explain->printer = (struct explain_printer){.json = options_flag(explain->options, OPTION_AUDIT_JSON),
                                                .single = explain->wanted.event_id != NULL,
                                                .schema = explain->schema};
    return explain_rows_open(options_text(explain->options, OPTION_DATABASE_URL), &explain->wanted, &explain->rows,
                             err);
}

static void explain_close(struct explain *explain)
{
    log_reader_close(explain->rows);
    explain_models_free(explain->models);
    if (explain->schema)
        explain_replay_fini(&explain->replay);
    explain_printer_free(&explain->printer);
    schema_free(explain->schema);
}

/* Nothing found is no success: whoever asks for a decision wants to see it. */
static enum status explain_answer(const struct explain *explain, struct error *err)
{
    const uint64_t *counts = explain->counts;
    uint64_t all =
        counts[EXPLAIN_EQUAL] + counts[EXPLAIN_DIFFERS] + counts[EXPLAIN_FAILED] + counts[EXPLAIN_PSEUDONYMISED];
    if (!all && explain->wanted.event_id)
        return error_set(err, STATUS_NOT_FOUND,
                         "no decision on event %.100s is stored: it was erased or removed by retention, is not stored "
                         "yet, or never was",
                         explain->wanted.event_id);
    if (!all)
        return error_set(err, STATUS_NOT_FOUND, "no decisions of that time are stored");
    if (counts[EXPLAIN_DIFFERS] || counts[EXPLAIN_FAILED])
        return error_set(err, STATUS_CONFLICT,
                         "of %" PRIu64 " decisions %" PRIu64 " differ and %" PRIu64 " could not be made again", all,
                         counts[EXPLAIN_DIFFERS], counts[EXPLAIN_FAILED]);
    return STATUS_OK;
}

static enum status read_wanted(const struct options *options, struct explain_wanted *wanted, struct error *err)
{
    wanted->event_id = options_text(options, OPTION_EXPLAIN_EVENT);
    if (time_option(options, OPTION_AUDIT_FROM, "--from", &wanted->from_ms, err) != STATUS_OK ||
        time_option(options, OPTION_AUDIT_TO, "--to", &wanted->to_ms, err) != STATUS_OK)
        return err->status;
    bool limited = wanted->from_ms >= 0 || wanted->to_ms >= 0;
    if (options_argument_count(options) || (wanted->event_id != NULL) == limited)
        return error_set(err, STATUS_INVALID,
                         "say which decisions: --event-id ID, or those made --from TIME and before --to TIME");
    return STATUS_OK;
}

int cmd_explain(const struct options *options)
{
    struct explain explain = {.options = options};
    struct error err = {0};
    if (read_wanted(options, &explain.wanted, &err) != STATUS_OK) {
        log_error("explain", "%s", err.text);
        return 2;
    }
    enum status status = explain_open(&explain, &err);
    if (status == STATUS_OK)
        status = explain_rows_all(&explain, &err);
    if (status == STATUS_OK) {
        explain_print_summary(&explain.printer, explain.models, explain.counts);
        status = explain_answer(&explain, &err);
    }
    if (fflush(stdout) != 0 && status == STATUS_OK)
        status = error_set(&err, STATUS_IO, "standard output cannot be written");
    if (status != STATUS_OK)
        log_error("explain", "%s", err.text);
    explain_close(&explain);
    return status != STATUS_OK ? 1 : 0;
}

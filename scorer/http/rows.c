/* Validates, scores and writes the employees of a request: see rows.h. On the server's threads; what it allocates lives
 * as long as the request. Waits for nothing. */
#include "scorer/http/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/memory.h"
#include "events/fault.h"
#include "events/identity.h"
#include "events/json_row.h"
#include "events/validate.h"
#include "scorer/counterfactual_json.h"

enum { PIECE = 64 }; /* rows */

static size_t faults_most(const struct schema *schema)
{
    return schema->column_count + schema->rule_count + FAULTS_REPORTED;
}

enum status rows_new(const struct service *service, size_t count, uint32_t top, struct rows *out, struct answer *answer)
{
    const struct schema *schema = service->view.settings->schema;
    const struct model *model = service->view.models ? model_acquire(service->view.models) : NULL;
    if (!model) {
        answer_unavailable(answer, "there is no model yet: see /health");
        return STATUS_UNAVAILABLE;
    }
    if (top > schema->column_count)
        top = (uint32_t)schema->column_count;
    *out = (struct rows){
        .schema = schema,
        .model = model,
        .settings = service->view.settings,
        .count = count,
        .top = top,
        .cells = mem_zeroed(count * schema->column_count + 1, sizeof *out->cells),
        .scores = mem_zeroed(count + 1, sizeof *out->scores),
        .reasons = mem_zeroed(count * top + 1, sizeof *out->reasons),
        .ids = mem_zeroed(count + 1, sizeof *out->ids),
        .found = mem_zeroed(faults_most(schema), sizeof *out->found),
    };
    return STATUS_OK;
}

void rows_free(struct rows *rows)
{
    if (rows->model)
        model_release(rows->model);
    free(rows->cells);
    free(rows->scores);
    free(rows->reasons);
    free(rows->ids);
    free(rows->found);
    challenger_rows_free(rows->challengers);
    *rows = (struct rows){0};
}

/* --- reading --- */

static struct loc place_at(const struct row_place *place, const char *name)
{
    struct loc loc = loc_name(place->before, name);
    return place->has_index ? loc_index(loc, place->index) : loc;
}

static bool is_reported(const struct fault *found, size_t count, int32_t column)
{
    for (size_t i = 0; i < count; i++)
        if (found[i].column == column)
            return true;
    return false;
}

/* Of the name that a fault's text begins with. */
static struct loc place_named(const struct row_place *place, const struct fault *fault, char *name)
{
    memcpy(name, fault->text, fault->named);
    name[fault->named - FAULT_NAME_END] = '\0';
    return place_at(place, name);
}

static void report_fault(const struct rows *rows, const struct fault *fault, const struct row_place *place,
                         struct faults *faults)
{
    char name[sizeof fault->text];
    struct loc loc = fault->column != FAULT_NO_COLUMN     ? place_at(place, rows->schema->columns[fault->column].name)
                     : fault->code == EVENT_UNKNOWN_FIELD ? place_named(place, fault, name)
                                                          : place->before;
    faults_add(faults, loc, fault->code, fault_reason(fault));
}

static void validate_attributes(struct rows *rows, struct cell *cells, const struct json_faults *known,
                                const struct row_place *place, struct faults *faults)
{
    size_t most = faults_most(rows->schema);
    struct fault *values = mem_zeroed(most, sizeof *values);
    validate_impute(rows->schema, cells);
    size_t count = validate_row_all(rows->schema, cells, values, most);
    for (size_t i = 0; i < count; i++)
        if (values[i].column == FAULT_NO_COLUMN && !known->count)
            faults_add(faults, place->has_index ? loc_index(place->before, place->index) : place->before,
                       values[i].code, values[i].text);
        else if (!is_reported(known->list, known->count, values[i].column))
            report_fault(rows, &values[i], place, faults);
    free(values);
}

void rows_read_attributes(struct rows *rows, size_t row, struct json_reader *reader, const struct row_place *place,
                          struct faults *faults)
{
    const struct schema *schema = rows->schema;
    struct cell *cells = rows->cells + row * schema->column_count;
    struct json_faults found = {.list = rows->found, .capacity = faults_most(schema)};
    json_row_read(reader, schema, true, cells, &found);
    for (size_t i = 0; i < found.count; i++)
        report_fault(rows, &found.list[i], place, faults);
    if (!found.count || found.list[0].code != EVENT_WRONG_TYPE || found.list[0].column != FAULT_NO_COLUMN)
        validate_attributes(rows, cells, &found, place, faults);
}

void rows_read_id(const struct json_value *id, struct loc loc, struct span *out, struct faults *faults)
{
    *out = SPAN_NULL;
    if (id->kind == JSON_KIND_NULL || id->kind == JSON_KIND_NONE)
        return;
    const char *flaw = id->kind == JSON_KIND_TEXT ? id_flaw(id->text) : NULL;
    if (id->kind != JSON_KIND_TEXT)
        faults_add(faults, loc, EVENT_WRONG_TYPE, "not a text");
    else if (flaw)
        faults_add(faults, loc, EVENT_BAD_ID, flaw);
    else
        *out = id->text;
}

/* --- scoring --- */

/* A random UUID, version 4. */
static struct span make_id(char out[EVENT_ID_BYTES])
{
    uint8_t random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        abort();
    random[6] = (uint8_t)((random[6] & 0x0f) | 0x40);
    random[8] = (uint8_t)((random[8] & 0x3f) | 0x80);
    char *at = out;
    for (size_t i = 0; i < sizeof random; i++)
        at += sprintf(at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", random[i]);
    return (struct span){out, EVENT_ID_BYTES - 1};
}

/* In pieces, between which the work may be given up. */
static bool score_pieces(struct rows *rows, const struct request *request, struct answer *answer)
{
    for (size_t at = 0; at < rows->count; at += PIECE) {
        size_t count = rows->count - at < PIECE ? rows->count - at : PIECE;
        if (request_given_up(request, answer))
            return false;
        pipeline_score(rows->model->pipeline, rows->cells + at * rows->schema->column_count, count, rows->top,
                       rows->scores + at, rows->reasons + at * rows->top);
    }
    return true;
}

bool rows_score(struct rows *rows, const struct request *request,
                struct loc (*place_of)(size_t row, const void *context), const void *context, struct faults *faults,
                struct answer *answer)
{
    if (!score_pieces(rows, request, answer))
        return false;
    rows->latency_us = clock_steady_us(&clock_system) - request->complete_us;
    rows->scored_at_us = clock_real_us(&clock_system);
    for (size_t row = 0; row < rows->count; row++) {
        char why[PIPELINE_WHY_BYTES];
        struct row_ids *ids = &rows->ids[row];
        if (!ids->event_id.data)
            ids->event_id = make_id(ids->made);
        if (!isfinite(rows->scores[row].probability) || !isfinite(rows->scores[row].margin))
            faults_add(
                faults, place_of(row, context), EVENT_NOT_FINITE,
                pipeline_why_no_score(rows->model->pipeline, rows->cells + row * rows->schema->column_count, why));
    }
    return true;
}

/* --- writing --- */

static uint32_t label_index(const struct rows *rows, size_t row)
{
    bool positive = rows->scores[row].probability >= rows->model->threshold;
    return positive ? rows->model->labels.positive : rows->model->labels.negative;
}

struct span rows_label(const struct rows *rows, size_t row)
{
    return rows->schema->target_values[label_index(rows, row)];
}

void stamp_write(const struct model_stamp *stamp, struct json_writer *json)
{
    json_begin_object(json, "model");
    json_write_text(json, "name", stamp->name);
    json_write_text(json, "version", stamp->version);
    json_write_text(json, "alias", stamp->alias);
    json_write_text(json, "run_id", stamp->run_id);
    json_end_object(json);
}

void rows_write_reasons(const struct rows *rows, size_t row, struct json_writer *json)
{
    const struct reason *reasons = rows->reasons + row * rows->top;
    json_begin_array(json, NULL);
    for (uint32_t r = 0; r < rows->scores[row].reason_count; r++) {
        json_begin_object(json, NULL);
        json_write_string(json, "feature", rows->schema->columns[reasons[r].column].name);
        json_write_double(json, "contribution", reasons[r].contribution);
        json_end_object(json);
    }
    json_end_array(json);
}

void rows_write_prediction(const struct rows *rows, size_t row, bool with_counterfactual, struct json_writer *json)
{
    const struct score *score = &rows->scores[row];
    json_begin_object(json, NULL);
    json_write_text(json, "event_id", rows->ids[row].event_id);
    json_write_text(json, "prediction", rows_label(rows, row));
    json_write_double(json, "probability", score->probability);
    json_write_double(json, "threshold", rows->model->threshold);
    json_write_double(json, "margin", score->margin);
    json_write_double(json, "base", score->base);
    json_key(json, "reasons");
    rows_write_reasons(rows, row, json);
    if (with_counterfactual)
        counterfactual_json(rows->schema, rows->model->pipeline, rows->cells + row * rows->schema->column_count, true,
                            json);
    stamp_write(&rows->model->stamp, json);
    json_write_int(json, "latency_us", rows->latency_us);
    json_end_object(json);
}

void rows_log(struct rows *rows, size_t row, struct prediction_log_records *records)
{
    const struct score *score = &rows->scores[row];
    if (!rows->challengers) {
        rows->challengers = challenger_rows_new(rows->settings->challengers, rows->count);
        challenger_rows_score(rows->challengers, rows->cells, rows->count, rows->model, rows->scores);
    }
    struct prediction prediction = {
        .event_id = rows->ids[row].event_id,
        .employee_id = rows->ids[row].employee_id,
        .occurred_at_ms = rows->scored_at_us / 1000,
        .label = label_index(rows, row),
        .probability = score->probability,
        .threshold = rows->model->threshold,
        .margin = score->margin,
        .base = score->base,
        .reasons = rows->reasons + row * rows->top,
        .reason_count = score->reason_count,
        .model = rows->model->stamp,
        .scored_at_us = rows->scored_at_us,
        .latency_us = rows->latency_us,
        .channel = CHANNEL_HTTP,
        .cells = rows->cells + row * rows->schema->column_count,
    };
    prediction.challengers = challenger_rows_of(rows->challengers, row, &prediction.challenger_count);
    prediction_log_begin_record(records, prediction.employee_id);
    prediction_encode(rows->schema, &prediction, &records->bytes);
    prediction_log_end_record(records);
}

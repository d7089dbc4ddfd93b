/* POST /predict: one employee, or a list. See docs/HTTP.md. On the server's threads; waits for nothing: records to be
 * logged are left in the answer, and the server sends it once Kafka has them. */
#include "scorer/http/rows.h"

#include <stdlib.h>

#include "base/memory.h"
#include "scorer/http/body.h"
#include "scorer/http/parameters.h"

enum { REASONS_MOST = 1000, COUNTERFACTUALS_MOST = 20 };

struct ask {
    const struct service *service;
    const struct request *request;
    bool log, counterfactual;
    uint32_t reasons;
    struct body body;
    bool is_list, has_instances; /* neither: the body is the one employee */
    struct span *parts;          /* the employees, as parts of the body */
    size_t count;
    struct faults faults;
};

static void read_parameters(struct ask *ask)
{
    static const char *const known[] = {"log", "reasons", "counterfactual", NULL};
    parameters_check(ask->request, known, &ask->faults);
    parameter_flag(ask->request, "log", &ask->log, &ask->faults);
    parameter_flag(ask->request, "counterfactual", &ask->counterfactual, &ask->faults);
    parameter_count(ask->request, "reasons", REASONS_MOST, &ask->reasons, &ask->faults);
}

static struct loc body_loc(void)
{
    return loc_name((struct loc){0}, "body");
}

static struct loc instance_loc(const struct ask *ask, size_t row)
{
    if (!ask->is_list)
        return body_loc();
    return loc_index(ask->has_instances ? loc_name(body_loc(), "instances") : body_loc(), row);
}

static struct loc attributes_loc(size_t row, const void *context)
{
    return loc_name(instance_loc(context, row), "attributes");
}

static void refuse_member(struct ask *ask, struct loc loc, struct span name)
{
    loc.parts[loc.count++].name = name;
    faults_add(&ask->faults, loc, EVENT_UNKNOWN_FIELD, "no such field");
}

static void read_member(struct ask *ask, struct rows *rows, size_t row, struct span name)
{
    struct json_reader *reader = &ask->body.reader;
    struct row_ids *ids = &rows->ids[row];
    struct loc loc = instance_loc(ask, row);
    const struct row_place place = {.before = loc_name(loc, "attributes")};
    bool is_event = span_equal(name, SPAN_LITERAL("event_id")),
         is_employee = span_equal(name, SPAN_LITERAL("employee_id")),
         is_changed = span_equal(name, SPAN_LITERAL("changed"));
    struct json_value value;
    if (span_equal(name, SPAN_LITERAL("attributes"))) {
        rows_read_attributes(rows, row, reader, &place, &ask->faults);
        return;
    }
    (void)json_read_value(reader, &value);
    if (is_event || is_employee)
        rows_read_id(&value, loc_name(loc, is_event ? "event_id" : "employee_id"),
                     is_event ? &ids->event_id : &ids->employee_id, &ask->faults);
    else if (!is_changed)
        refuse_member(ask, loc, name);
    else if (value.kind != JSON_KIND_NULL)
        faults_add(&ask->faults, loc_name(loc, "changed"), EVENT_PARTIAL,
                   "a partial event has no score of its own: send the whole record here, or the event to the stream");
    json_skip_rest(reader, &value);
}

static void read_instance(struct ask *ask, struct rows *rows, size_t row)
{
    struct json_reader *reader = &ask->body.reader;
    struct loc loc = instance_loc(ask, row);
    struct span name;
    bool has_attributes = false;
    if (json_read_part(reader, ask->parts[row]).kind != JSON_KIND_OBJECT) {
        faults_add(&ask->faults, loc, EVENT_WRONG_TYPE, "not an object");
        return;
    }
    for (bool first = true; json_next_name(reader, &first, &name);) {
        has_attributes |= span_equal(name, SPAN_LITERAL("attributes"));
        read_member(ask, rows, row, name);
    }
    if (!has_attributes)
        faults_add(&ask->faults, loc_name(loc, "attributes"), EVENT_MISSING_REQUIRED, "required, but missing");
}

/* The items of the list that was just opened: more than are taken are counted and not kept. */
static void find_items(struct ask *ask)
{
    struct span part;
    ask->is_list = true;
    for (bool first = true; json_next_item(&ask->body.reader, &first); ask->count++) {
        json_skip_value(&ask->body.reader, &part);
        if (ask->count < ROWS_MAX)
            ask->parts[ask->count] = part;
    }
}

/* {"instances": […]} */
static void find_instances(struct ask *ask, struct span instances)
{
    struct json_reader *reader = &ask->body.reader;
    struct span name;
    ask->has_instances = ask->is_list = true;
    (void)json_read_part(reader, ask->body.text);
    for (bool first = true; json_next_name(reader, &first, &name);) {
        struct span part;
        json_skip_value(reader, &part);
        if (!span_equal(name, SPAN_LITERAL("instances")))
            refuse_member(ask, body_loc(), name);
    }
    if (json_read_part(reader, instances).kind == JSON_KIND_ARRAY)
        find_items(ask);
    else
        faults_add(&ask->faults, loc_name(body_loc(), "instances"), EVENT_WRONG_TYPE, "not a list");
}

static struct span instances_of(struct ask *ask)
{
    struct json_reader *reader = &ask->body.reader;
    struct span name, part, found = SPAN_NULL;
    for (bool first = true; json_next_name(reader, &first, &name);) {
        json_skip_value(reader, &part);
        if (span_equal(name, SPAN_LITERAL("instances")))
            found = part;
    }
    return found;
}

/* Where the employees are. */
static void find_list(struct ask *ask)
{
    const struct json_value root = json_read_part(&ask->body.reader, ask->body.text);
    struct span instances = root.kind == JSON_KIND_OBJECT ? instances_of(ask) : SPAN_NULL;
    size_t faults = ask->faults.count;
    if (root.kind == JSON_KIND_ARRAY)
        find_items(ask);
    else if (instances.data)
        find_instances(ask, instances);
    if (!ask->is_list) {
        ask->parts[0] = ask->body.text;
        ask->count = 1;
    }
    struct loc loc = ask->has_instances ? loc_name(body_loc(), "instances") : body_loc();
    if (!ask->count && ask->faults.count == faults)
        faults_add(&ask->faults, loc, EVENT_MISSING_REQUIRED, "an empty list");
    if (ask->count > ROWS_MAX) {
        faults_add(&ask->faults, loc, EVENT_LIMIT, "more than 1000 records");
        ask->count = 0;
    }
    if (ask->counterfactual && ask->count > COUNTERFACTUALS_MOST)
        faults_add(&ask->faults, loc_name(loc_name((struct loc){0}, "query"), "counterfactual"), EVENT_LIMIT,
                   "of more than 20 records at once");
}

static void write_answer(const struct ask *ask, struct rows *rows, struct answer *answer)
{
    struct json_writer json = json_writer_of(&answer->body);
    answer->status = 200;
    if (ask->is_list) {
        json_begin_object(&json, NULL);
        json_begin_array(&json, "predictions");
    }
    for (size_t row = 0; row < rows->count; row++) {
        if (ask->counterfactual && request_given_up(ask->request, answer)) {
            prediction_log_records_clear(&answer->log);
            return;
        }
        rows_write_prediction(rows, row, ask->counterfactual, &json);
        if (ask->log)
            rows_log(rows, row, &answer->log);
    }
    if (ask->is_list) {
        json_end_array(&json);
        json_end_object(&json);
    }
    json_end_line(&json);
}

static void score(struct ask *ask, struct rows *rows, struct answer *answer)
{
    for (size_t row = 0; row < rows->count; row++)
        read_instance(ask, rows, row);
    if (!ask->faults.count && !rows_score(rows, ask->request, attributes_loc, ask, &ask->faults, answer))
        return;
    if (!faults_answer(&ask->faults, answer))
        write_answer(ask, rows, answer);
}

void predict_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct ask ask = {.service = service, .request = request, .log = true, .reasons = service->view.settings->reasons};
    struct rows rows = {0};
    if (!body_read(request, &ask.body, answer)) {
        body_free(&ask.body);
        return;
    }
    ask.parts = mem_zeroed(ROWS_MAX, sizeof *ask.parts);
    read_parameters(&ask);
    find_list(&ask);
    if (rows_new(service, ask.count, ask.reasons, &rows, answer) == STATUS_OK)
        score(&ask, &rows, answer);
    faults_clear(&ask.faults);
    rows_free(&rows);
    free(ask.parts);
    body_free(&ask.body);
}

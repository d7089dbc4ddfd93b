/* POST /predict: one employee, or a list. See docs/HTTP.md. On the server's threads; waits for nothing: records to be
 * logged are left in the answer, and the server sends it once Kafka has them. */
#include "scorer/http/rows.h"

#include <stdlib.h>
#include <string.h>

#include "scorer/http/body.h"
#include "scorer/http/parameters.h"

enum { REASONS_MOST = 1000 };

struct ask {
    const struct service *service;
    const struct request *request;
    bool log, counterfactual;
    uint32_t reasons;
    const json_t *root, *list; /* list NULL: the root is the one employee */
    bool has_stand_ins;
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
    if (!ask->list)
        return body_loc();
    return loc_index(ask->list == ask->root ? body_loc() : loc_name(body_loc(), "instances"), row);
}

static struct loc attributes_loc(size_t row, const void *context)
{
    return loc_name(instance_loc(context, row), "attributes");
}

/* A fault for each member that is none of these. */
static void check_members(const json_t *object, const char *const *known, struct loc loc, struct faults *faults)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)object, name, value) {
        size_t k = 0;
        while (known[k] && strcmp(known[k], name))
            k++;
        if (!known[k])
            faults_add(faults, loc_name(loc, name), EVENT_UNKNOWN_FIELD, "no such field");
    }
}

static void read_instance(struct ask *ask, struct rows *rows, size_t row, const json_t *instance)
{
    static const char *const known[] = {"event_id", "employee_id", "attributes", NULL};
    struct loc loc = instance_loc(ask, row);
    struct row_ids *ids = &rows->ids[row];
    if (!json_is_object(instance)) {
        faults_add(&ask->faults, loc, EVENT_WRONG_TYPE, "not an object");
        return;
    }
    const struct row_place place = {.before = loc_name(loc, "attributes")};
    check_members(instance, known, loc, &ask->faults);
    rows_read_id(json_object_get(instance, "event_id"), ask->has_stand_ins, loc_name(loc, "event_id"), &ids->event_id,
                 &ask->faults);
    rows_read_id(json_object_get(instance, "employee_id"), ask->has_stand_ins, loc_name(loc, "employee_id"),
                 &ids->employee_id, &ask->faults);
    rows_read_attributes(rows, row, json_object_get(instance, "attributes"), &place, &ask->faults);
}

/* Finds out whether the body is a list; *count: how many employees. */
static void find_list(struct ask *ask, size_t *count)
{
    static const char *const known[] = {"instances", NULL};
    const json_t *instances = json_object_get(ask->root, "instances");
    struct loc loc = body_loc();
    *count = 1;
    if (json_is_array(ask->root)) {
        ask->list = ask->root;
    } else if (instances) {
        check_members(ask->root, known, loc, &ask->faults);
        loc = loc_name(loc, "instances");
        ask->list = instances;
        if (!json_is_array(instances))
            faults_add(&ask->faults, loc, EVENT_WRONG_TYPE, "not a list");
    }
    if (ask->list)
        *count = json_array_size(ask->list);
    if (!*count && json_is_array(ask->list))
        faults_add(&ask->faults, loc, EVENT_MISSING_REQUIRED, "an empty list");
    if (*count > ROWS_MAX) {
        faults_add(&ask->faults, loc, EVENT_LIMIT, "more than 1000 employees");
        *count = 0;
    }
}

static void write_answer(const struct ask *ask, struct rows *rows, struct answer *answer)
{
    struct json_writer json = json_writer_of(&answer->body);
    answer->status = 200;
    if (ask->list) {
        json_begin_object(&json, NULL);
        json_begin_array(&json, "predictions");
    }
    for (size_t row = 0; row < rows->count; row++) {
        rows_write_prediction(rows, row, ask->counterfactual, &json);
        if (ask->log)
            rows_log(rows, row, &answer->log);
    }
    if (ask->list) {
        json_end_array(&json);
        json_end_object(&json);
    }
    json_end_line(&json);
}

static void score(struct ask *ask, struct rows *rows, struct answer *answer)
{
    for (size_t row = 0; row < rows->count; row++)
        read_instance(ask, rows, row, ask->list ? json_array_get(ask->list, row) : ask->root);
    if (!ask->faults.count)
        rows_score(rows, ask->request, attributes_loc, ask, &ask->faults);
    if (!faults_answer(&ask->faults, answer))
        write_answer(ask, rows, answer);
}

void predict_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    struct ask ask = {.service = service, .request = request, .log = true, .reasons = service->view.settings->reasons};
    struct body body;
    struct rows rows = {0};
    size_t count;
    if (!body_read(request, &body, answer))
        return;
    ask.root = body.root;
    ask.has_stand_ins = body.has_stand_ins;
    read_parameters(&ask);
    find_list(&ask, &count);
    if (rows_new(service, count, ask.reasons, &rows, answer) == STATUS_OK)
        score(&ask, &rows, answer);
    faults_clear(&ask.faults);
    rows_free(&rows);
    body_free(&body);
}

/* GET /model, POST /model/promote and /model/rollback: the versions of the model that is followed, and moving its
 * alias. See docs/HTTP.md. On threads of their own, since a registry may take seconds; each request has a registry of
 * its own. The alias moves as `registry promote` moves it: after the version has shown that it can serve, and only if
 * it still points at the version that the request names. The model watcher then loads it, here at once. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "registry/model_file.h"
#include "registry/registry.h"
#include "scorer/http/body.h"
#include "scorer/http/faults.h"
#include "scorer/http/health.h"
#include "scorer/http/parameters.h"
#include "scorer/http/route.h"

enum { VERSIONS_SHOWN = 20, NUMBER_BYTES = 20 };

/* One request's work on the registry. */
struct model_alias {
    const struct service *service;
    const struct request *request;
    struct registry *registry;
    char *name, *alias;
    char *current; /* where the alias points; NULL: nowhere */
    struct alias_history history;
    bool moving; /* from here on the client's leaving stops nothing */
    bool rollback;
    char version[NUMBER_BYTES], replaces[NUMBER_BYTES]; /* as the request says; "": not said */
};

static bool given_up(const struct model_alias *work)
{
    const struct request *request = work->request;
    if (work->moving)
        return *work->service->view.draining;
    return request->given_up && request->given_up(request->context);
}

static bool is_cancelled(void *context)
{
    return given_up(context);
}

/* False, for those who return it. */
static bool fail(const struct model_alias *work, const struct error *err, struct answer *answer)
{
    bool is_state = err->status == STATUS_CONFLICT || err->status == STATUS_UNSUPPORTED ||
                    err->status == STATUS_INVALID || err->status == STATUS_LIMIT;
    if (work->moving)
        log_warn("http", "%s@%s: moving it to version %s failed: %s", work->name, work->alias, work->version,
                 err->text);
    if (request_given_up(work->request, answer))
        return false;
    answer_detail(answer,
                  err->status == STATUS_NOT_FOUND ? 404
                  : is_state                      ? 409
                                                  : 503,
                  "%s%s", err->text, work->moving && !is_state ? "; GET /model says whether the alias has moved" : "");
    answer->retry_after_s = answer->status == 503 ? 5 : 0;
    return false;
}

/* --- the registry --- */

static enum status open_registry(struct model_alias *work, struct error *err)
{
    const struct settings *settings = work->service->view.settings;
    struct registry_settings place = registry_settings_of(settings->options);
    place.tracking_uri = settings->tracking_uri;
    place.cancelled = is_cancelled;
    place.context = work;
    enum status status = registry_followed_alias(settings->model_uri, &work->name, &work->alias, err);
    return status == STATUS_OK ? registry_open_with(&place, &work->registry, err) : status;
}

static enum status read_alias(struct model_alias *work, struct error *err)
{
    enum status status = registry_alias(work->registry, work->name, work->alias, &work->current, err);
    if (status == STATUS_NOT_FOUND)
        status = STATUS_OK;
    return status == STATUS_OK ? registry_history(work->registry, work->name, work->alias, &work->history, err)
                               : status;
}

/* False: answered. */
static bool begin(struct model_alias *work, struct answer *answer)
{
    struct error err;
    enum status status = open_registry(work, &err);
    if (status == STATUS_OK)
        status = read_alias(work, &err);
    return status == STATUS_OK || fail(work, &err, answer);
}

static void end(struct model_alias *work)
{
    registry_close(work->registry);
    alias_history_clear(&work->history);
    free(work->name);
    free(work->alias);
    free(work->current);
}

static const char *rollback_target(const struct model_alias *work)
{
    return work->current ? alias_history_before(&work->history, work->current) : NULL;
}

/* --- GET /model --- */

static void write_metrics(const struct model_alias *work, const char *run_id, struct json_writer *json)
{
    struct run_details run;
    json_begin_object(json, "metrics");
    if (run_id && registry_run(work->registry, run_id, &run, ERROR_IGNORED) == STATUS_OK) {
        for (size_t m = 0; m < run.metric_keys.count; m++)
            if (strncmp(run.metric_keys.items[m], "fold_", 5) != 0)
                json_write_finite(json, run.metric_keys.items[m], run.metric_values[m]);
        run_details_clear(&run);
    }
    json_end_object(json);
}

/* A version that cannot be read does not hide the others. */
static void write_version(const struct model_alias *work, const char *number, struct json_writer *json)
{
    struct version_details details;
    if (registry_describe(work->registry, work->name, number, &details, ERROR_IGNORED) != STATUS_OK)
        return;
    json_break(json);
    json_begin_object(json, NULL);
    json_write_string(json, "version", number);
    health_write_time("created_at", details.created_ms * 1000, json);
    json_write_string(json, "run_id", details.version.run_id);
    json_write_bool(json, "gone", details.gone);
    json_begin_array(json, "aliases");
    for (size_t a = 0; a < details.aliases.count; a++)
        json_write_string(json, NULL, details.aliases.items[a]);
    json_end_array(json);
    write_metrics(work, details.version.run_id, json);
    json_end_object(json);
    version_details_clear(&details);
}

static void write_history(const struct alias_history *history, struct json_writer *json)
{
    json_begin_array(json, "history");
    for (size_t e = history->count; e-- > 0;) {
        const struct alias_event *event = &history->items[e];
        json_break(json);
        json_begin_object(json, NULL);
        health_write_time("at", event->at_ms * 1000, json);
        json_write_string(json, "from", event->from);
        json_write_string(json, "version", event->version);
        json_write_string(json, "by", event->by);
        json_write_bool(json, "rollback", event->rollback);
        json_end_object(json);
    }
    json_end_array(json);
}

static void write_model(const struct model_alias *work, const struct text_list *versions, struct answer *answer)
{
    struct json_writer json = json_begin_document(&answer->body);
    json_write_string(&json, "name", work->name);
    json_write_string(&json, "alias", work->alias);
    json_write_string(&json, "version", work->current);
    json_write_string(&json, "before", rollback_target(work));
    json_begin_array(&json, "versions");
    for (size_t v = versions->count, shown = 0; v-- > 0 && shown < VERSIONS_SHOWN && !given_up(work); shown++)
        write_version(work, versions->items[v], &json);
    json_end_array(&json);
    write_history(&work->history, &json);
    json_end_document(&json);
}

void model_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    static const char *const none[] = {NULL};
    struct model_alias work = {.service = service, .request = request};
    struct text_list versions;
    struct error err;
    if (!parameters_sound(request, none, NULL, answer))
        return;
    if (begin(&work, answer)) {
        if (registry_versions(work.registry, work.name, &versions, &err) == STATUS_OK) {
            answer->status = 200;
            write_model(&work, &versions, answer);
            text_list_clear(&versions);
            (void)request_given_up(request, answer);
        } else {
            (void)fail(&work, &err, answer);
        }
    }
    end(&work);
}

/* --- moving the alias --- */

static struct loc body_loc(const char *name)
{
    return loc_name(loc_name((struct loc){0}, "body"), name);
}

/* A version's number, as text. */
static void read_number(const struct json_value *value, const char *name, char out[NUMBER_BYTES], struct faults *faults)
{
    size_t digits = 0;
    while (digits < value->text.bytes && value->text.data[digits] >= '0' && value->text.data[digits] <= '9')
        digits++;
    if (value->kind != JSON_KIND_TEXT)
        faults_add(faults, body_loc(name), EVENT_WRONG_TYPE, "not a text");
    else if (!digits || digits != value->text.bytes || digits >= NUMBER_BYTES || *value->text.data == '0')
        faults_add(faults, body_loc(name), EVENT_OUT_OF_RANGE, "not the number of a version");
    else
        memcpy(out, value->text.data, digits);
}

static void read_members(struct model_alias *work, struct json_reader *reader, struct faults *faults)
{
    struct json_value value;
    struct span name;
    for (bool first = true; json_next_name(reader, &first, &name);) {
        bool is_version = span_equal(name, SPAN_LITERAL("version")) && !work->rollback;
        (void)json_read_value(reader, &value);
        if (is_version || span_equal(name, SPAN_LITERAL("replaces"))) {
            read_number(&value, is_version ? "version" : "replaces", is_version ? work->version : work->replaces,
                        faults);
        } else {
            struct loc loc = body_loc("");
            loc.parts[1].name = name;
            faults_add(faults, loc, EVENT_UNKNOWN_FIELD, "no such field");
        }
        json_skip_rest(reader, &value);
    }
}

/* {"version": "8", "replaces": "7"}; of a rollback without the version. False: answered. */
static bool read_body(struct model_alias *work, struct answer *answer)
{
    struct faults faults = {0};
    struct body body;
    bool sound = body_read(work->request, &body, answer);
    if (sound && json_read_part(&body.reader, body.text).kind != JSON_KIND_OBJECT)
        faults_add(&faults, loc_name((struct loc){0}, "body"), EVENT_WRONG_TYPE, "not an object");
    else if (sound)
        read_members(work, &body.reader, &faults);
    if (sound && !faults.count && !*work->replaces)
        faults_add(&faults, body_loc("replaces"), EVENT_MISSING_REQUIRED,
                   "required, but missing: the version that the alias points at");
    if (sound && !faults.count && !work->rollback && !*work->version)
        faults_add(&faults, body_loc("version"), EVENT_MISSING_REQUIRED, "required, but missing");
    sound = sound && !faults_answer(&faults, answer);
    body_free(&body);
    return sound;
}

/* The version to go to. False: answered. */
static bool find_target(struct model_alias *work, struct answer *answer)
{
    const char *before = rollback_target(work);
    if (!work->current || strcmp(work->current, work->replaces)) {
        answer_detail(answer, 409, "%s@%s points at %s%s, not at version %s: look again", work->name, work->alias,
                      work->current ? "version " : "nothing", work->current ? work->current : "", work->replaces);
        return false;
    }
    if (work->rollback && before)
        snprintf(work->version, sizeof work->version, "%s", before);
    if (*work->version && strcmp(work->version, work->replaces))
        return true;
    if (work->rollback)
        answer_detail(answer, 409, "nothing is known of where %s@%s pointed before version %s", work->name, work->alias,
                      work->current);
    else
        answer_detail(answer, 409, "%s@%s points at version %s already", work->name, work->alias, work->version);
    return false;
}

static enum status check_and_move(struct model_alias *work, struct error *err)
{
    const struct settings *settings = work->service->view.settings;
    char by[TOKEN_NAME_BYTES + 16];
    snprintf(by, sizeof by, "%s over HTTP", *work->request->token_name ? work->request->token_name : "no token");
    const struct alias_move move = {.name = work->name,
                                    .alias = work->alias,
                                    .version = work->version,
                                    .expected = work->replaces,
                                    .rollback = work->rollback,
                                    .by = by};
    struct pipeline *pipeline = NULL;
    enum status status = model_file_load_version(work->registry, settings->schema,
                                                 options_text(settings->options, OPTION_POSITIVE_LABEL), work->name,
                                                 work->version, NULL, &pipeline, err);
    pipeline_free(pipeline);
    if (status != STATUS_OK)
        return error_prefix(err, "version %s cannot serve, so the alias stays", work->version);
    work->moving = !given_up(work);
    if (!work->moving)
        return error_set(err, STATUS_UNAVAILABLE, "given up before the alias moved");
    return registry_move_alias(work->registry, &move, NULL, err);
}

static void write_moved(const struct model_alias *work, struct answer *answer)
{
    struct json_writer json = json_begin_document(&answer->body);
    json_write_string(&json, "name", work->name);
    json_write_string(&json, "alias", work->alias);
    json_write_string(&json, "version", work->version);
    json_write_string(&json, "before", work->replaces);
    json_end_document(&json);
    answer->status = 200;
}

static void move_checked(struct model_alias *work, struct answer *answer)
{
    const struct request *request = work->request;
    struct error err;
    if (check_and_move(work, &err) != STATUS_OK) {
        (void)fail(work, &err, answer);
        return;
    }
    log_info("http", "%s@%s is version %s now, before: version %s; %s by token %s, request %s", work->name, work->alias,
             work->version, work->replaces, work->rollback ? "rolled back" : "promoted",
             *request->token_name ? request->token_name : "none", request->request_id);
    if (work->service->view.models)
        model_holder_refresh(work->service->view.models);
    write_moved(work, answer);
}

/* One at a time: each holds a model in memory. */
static void move(const struct service *service, const struct request *request, bool rollback, struct answer *answer)
{
    static pthread_mutex_t moving = PTHREAD_MUTEX_INITIALIZER;
    static const char *const none[] = {NULL};
    struct model_alias work = {.service = service, .request = request, .rollback = rollback};
    if (!parameters_sound(request, none, NULL, answer) || !read_body(&work, answer))
        return;
    if (pthread_mutex_trylock(&moving)) {
        answer_detail(answer, 409, "somebody else is moving the alias: look again");
        return;
    }
    if (begin(&work, answer) && find_target(&work, answer))
        move_checked(&work, answer);
    end(&work);
    pthread_mutex_unlock(&moving);
}

void promote_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    move(service, request, false, answer);
}

void rollback_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    move(service, request, true, answer);
}

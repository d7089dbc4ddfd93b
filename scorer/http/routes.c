/* Which path is whose: see routes.h. */
#include "scorer/http/routes.h"

#include <string.h>

#include "scorer/http/health.h"
#include "scorer/http/metrics_values.h"

static void write_answer(const struct service *service, struct answer *answer,
                         unsigned (*write)(const struct http_view *view, struct buffer *out))
{
    answer->status = write(&service->view, &answer->body);
}

static void health_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    write_answer(service, answer, health_write);
}

static void live_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    write_answer(service, answer, health_write_live);
}

static void ready_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    write_answer(service, answer, health_write_ready);
}

static void metrics_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    answer->type = "text/plain; version=0.0.4; charset=utf-8";
    write_answer(service, answer, metrics_write);
}

/* clang-format off */
const struct route route_table[] = {
    {"GET", "/health", health_answer, SCOPE_OPEN, true},
    {"GET", "/health/live", live_answer, SCOPE_OPEN, true},
    {"GET", "/health/ready", ready_answer, SCOPE_OPEN, true},
    {"GET", "/metrics", metrics_answer, SCOPE_OPEN, true},
    {"POST", "/predict", predict_answer, SCOPE_SCORE, false},
    {"POST", "/events", events_answer, SCOPE_INGEST, false},
    {"GET", "/employees", employees_answer, SCOPE_PEOPLE, false},
    {"GET", "/employees/{id}", employee_answer, SCOPE_PEOPLE, false},
    {"GET", "/alerts", alerts_answer, SCOPE_PEOPLE, false},
    {"GET", "/groups", groups_answer, SCOPE_GROUPS, false},
    {"GET", "/dead-letters", dead_letters_answer, SCOPE_OPERATE, false},
    {"GET", "/model", model_answer, SCOPE_OPERATE, false},
    {"GET", "/model/quality", quality_answer, SCOPE_OPERATE, false},
    {"POST", "/model/promote", promote_answer, SCOPE_OPERATE, false},
    {"POST", "/model/rollback", rollback_answer, SCOPE_OPERATE, false},
    {"GET", "/schema", schema_answer, SCOPE_ANY, false},
    {"GET", "/stream", stream_answer, SCOPE_OPERATE, true},
    {"GET", "/openapi.json", openapi_answer, SCOPE_ANY, false},
    {"GET", "/docs", docs_answer, SCOPE_ANY, false},
    {"GET", "/v2", inference_server_answer, SCOPE_SCORE, false},
    {"GET", "/v2/health/live", inference_live_answer, SCOPE_OPEN, true},
    {"GET", "/v2/health/ready", inference_ready_answer, SCOPE_OPEN, true},
    {"GET", "/v2/models/{name}", inference_model_answer, SCOPE_SCORE, false},
    {"GET", "/v2/models/{name}/ready", inference_model_ready_answer, SCOPE_SCORE, false},
    {"POST", "/v2/models/{name}/infer", infer_answer, SCOPE_SCORE, false},
    {"GET", "/v2/models/{name}/versions/{version}", inference_model_answer, SCOPE_SCORE, false},
    {"GET", "/v2/models/{name}/versions/{version}/ready", inference_model_ready_answer, SCOPE_SCORE, false},
    {"POST", "/v2/models/{name}/versions/{version}/infer", infer_answer, SCOPE_SCORE, false},
    {"GET", "/", static_files_answer, SCOPE_OPEN, true},
    {"GET", "/page/{name}", static_files_answer, SCOPE_OPEN, true},
};
/* clang-format on */
const size_t route_table_count = sizeof route_table / sizeof *route_table;
_Static_assert(sizeof route_table / sizeof *route_table <= ROUTES_MOST, "raise ROUTES_MOST");

enum token_scope route_scope(const struct route *route, const struct settings *settings)
{
    if (!route)
        return SCOPE_ANY;
    return route->answer == metrics_answer && settings->metrics_token ? SCOPE_OPERATE : route->scope;
}

bool route_reads_database(const struct route *route)
{
    return route->answer == employees_answer || route->answer == employee_answer || route->answer == alerts_answer ||
           route->answer == groups_answer || route->answer == dead_letters_answer || route->answer == quality_answer;
}

bool route_waits(const struct route *route)
{
    return route_reads_database(route) || route->answer == model_answer || route->answer == promote_answer ||
           route->answer == rollback_answer;
}

const char *route_late(const struct route *route)
{
    if (route_reads_database(route))
        return "PostgreSQL has not answered within 10 s: ask for less, or again later";
    if (route_waits(route))
        return "the model registry has not answered within 10 s: ask again later";
    return "no scores within 10 s: the service is busy, or this asks for too much: send fewer records at once";
}

bool route_is_probe(const struct route *route)
{
    return route->answer == health_answer || route->answer == live_answer || route->answer == ready_answer ||
           route->answer == metrics_answer || route->answer == stream_answer;
}

/* One segment against one of the pattern. */
static bool segment_matches(struct span pattern, struct span given, struct span *name, struct span *version)
{
    if (span_equal(pattern, SPAN_LITERAL("{name}")))
        *name = given;
    else if (span_equal(pattern, SPAN_LITERAL("{version}")))
        *version = given;
    else
        return span_equal(pattern, given);
    return given.bytes > 0;
}

static bool path_matches(const char *pattern, const char *path, struct span *name, struct span *version)
{
    while (*pattern == '/' && *path == '/') {
        if (!strcmp(++pattern, "{id}")) {
            *name = span_of(path + 1);
            return name->bytes > 0;
        }
        size_t wanted = strcspn(pattern, "/"), given = strcspn(++path, "/");
        if (!segment_matches((struct span){pattern, wanted}, (struct span){path, given}, name, version))
            return false;
        pattern += wanted;
        path += given;
    }
    return !*pattern && !*path;
}

const struct route *route_find(const char *method, const char *path, struct span *name, struct span *version,
                               const char **allow)
{
    if (!strcmp(method, "HEAD"))
        method = "GET";
    *allow = NULL;
    for (size_t r = 0; r < route_table_count; r++) {
        struct span found_name = SPAN_NULL, found_version = SPAN_NULL;
        if (!path_matches(route_table[r].path, path, &found_name, &found_version))
            continue;
        if (!strcmp(route_table[r].method, method)) {
            *name = found_name;
            *version = found_version;
            return &route_table[r];
        }
        *allow = !strcmp(route_table[r].method, "GET") ? "GET, HEAD" : route_table[r].method;
    }
    return NULL;
}

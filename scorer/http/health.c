/* Health texts. See health.h.
 *
 * Called on http's threads; reads counters with relaxed loads and the model by a reference. Asks no server anything, so
 * that a probe is answered while every server is unavailable. The sums of one answer may differ by what happened in
 * between.
 */
#include "scorer/http/health.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "avro/registry_client.h"
#include "kafka/client.h"
#include "scorer/model/challengers.h"
#include "scorer/http/metrics_values.h"

static const int64_t latency_bounds[] = {LATENCY_BOUNDS_US};

/* --- JSON pieces --- */

void health_write_time(const char *name, int64_t real_us, struct json_writer *json)
{
    char text[32];
    struct tm utc;
    time_t seconds = (time_t)(real_us / 1000000);
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    buffer_printf(json_write_raw(json, name), "\"%s.%03dZ\"", text, (int)(real_us / 1000 % 1000));
}

void health_write_model(const struct http_view *view, struct json_writer *json)
{
    struct error problem;
    const struct model *model = view->models ? model_acquire(view->models) : NULL;
    if (!model) {
        json_write_null(json, "model");
        return;
    }
    json_begin_object(json, "model");
    json_write_text(json, "name", model->stamp.name);
    json_write_text(json, "version", model->stamp.version);
    json_write_text(json, "alias", model->stamp.alias);
    json_write_text(json, "run_id", model->stamp.run_id);
    json_write_double(json, "threshold", model->threshold);
    json_write_string(json, "feature_contract", pipeline_contract(model->pipeline));
    health_write_time("loaded_at", model->loaded_at_us, json);
    json_write_string(json, "problem", model_holder_problem(view->models, &problem) ? problem.text : NULL);
    json_end_object(json);
    model_release(model);
}

/* A mean over the rows scored, or null before the first. */
static void add_mean(struct json_writer *json, const char *name, double sum, uint64_t of)
{
    json_write_finite(json, name, of ? sum / (double)of : NAN);
}

void health_write_challengers(const struct http_view *view, struct json_writer *json)
{
    struct challenger_report report;
    json_begin_array(json, "challengers");
    for (size_t i = 0; i < challengers_count(view->settings->challengers); i++) {
        challengers_report(view->settings->challengers, i, &report);
        json_begin_object(json, NULL);
        json_write_string(json, "model", report.loaded ? report.model : NULL);
        json_write_string(json, "uri", report.uri);
        json_write_uint(json, "scored", report.scored);
        add_mean(json, "agreement", (double)report.agreed, report.scored);
        add_mean(json, "mean_difference", report.difference, report.scored);
        add_mean(json, "mean_absolute_difference", report.differences, report.scored);
        json_write_string(json, "problem", report.has_problem ? report.problem.text : NULL);
        json_end_object(json);
    }
    json_end_array(json);
}

/* The counters whose place is in the list of that name: "events" has "events.received". */
static void write_list(const struct http_view *view, struct json_writer *json, const char *list)
{
    size_t bytes = strlen(list);
    json_begin_object(json, list);
    for (size_t id = 0; id < COUNTER_COUNT; id++) {
        const char *place = metrics[id].health;
        if (strncmp(place, list, bytes) == 0 && place[bytes] == '.')
            json_write_uint(json, place + bytes + 1, metrics_sum(view, (enum counter_id)id));
    }
    json_end_object(json);
}

void health_write_events(const struct http_view *view, struct json_writer *json)
{
    write_list(view, json, "events");
}

void health_write_dead_letters(const struct http_view *view, struct json_writer *json)
{
    json_begin_object(json, "dead_letters");
    for (size_t code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++) {
        uint64_t count = metrics_sum_dead_letters(view, code);
        if (count)
            json_write_uint(json, event_code_name((enum event_code)code), count);
    }
    json_end_object(json);
}

/* The bound of the bucket that holds the quantile; null before the first event and beyond the last bound. */
static void add_quantile(const struct http_view *view, struct json_writer *json, const char *name, double quantile)
{
    uint64_t total = 0, below = 0;
    size_t bucket = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        total += metrics_sum_latency(view, i);
    while (bucket < LATENCY_BUCKETS - 1 &&
           (double)(below += metrics_sum_latency(view, bucket)) < quantile * (double)total)
        bucket++;
    if (!total || bucket == LATENCY_BUCKETS - 1)
        json_write_null(json, name);
    else
        json_write_int(json, name, latency_bounds[bucket]);
}

void health_write_quantiles(const struct http_view *view, struct json_writer *json)
{
    add_quantile(view, json, "p50", 0.5);
    add_quantile(view, json, "p99", 0.99);
}

static void add_all_counters(const struct http_view *view, struct json_writer *json)
{
    json_begin_object(json, "counters");
    for (size_t id = 0; id < COUNTER_COUNT; id++)
        json_write_uint(json, metrics[id].name, metrics_sum(view, (enum counter_id)id));
    json_end_object(json);
}

void health_write_service(const struct http_view *view, struct json_writer *json)
{
    const struct settings *settings = view->settings;
    json_write_string(json, "version", VERSION);
    json_write_int(json, "uptime_s", (clock_real_us(&clock_system) - view->started_us) / 1000000);
    json_write_string(json, "instance_id", settings->instance_id);
    json_begin_array(json, "roles");
    if (settings->role_score)
        json_write_string(json, NULL, "score");
    if (settings->role_sink)
        json_write_string(json, NULL, "sink");
    json_write_string(json, NULL, "http");
    json_end_array(json);
    json_write_string(json, "delivery", settings->exactly_once ? "exactly-once" : "at-least-once");
    json_write_bool(json, "draining", *view->draining);
}

static bool postgresql_down(const struct http_view *view)
{
    return view->settings->role_sink && !metrics_sum(view, COUNTER_POSTGRESQL_UP);
}

static bool registry_down(const struct http_view *view)
{
    return view->settings->registry && !registry_client_up(view->settings->registry);
}

static bool has_model(const struct http_view *view)
{
    const struct model *model = view->models ? model_acquire(view->models) : NULL;
    if (model)
        model_release(model);
    return model != NULL;
}

/* A process with the sink alone scores nothing. */
static bool has_needed_model(const struct http_view *view)
{
    return has_model(view) || (!view->settings->role_score && !view->settings->role_http);
}

static bool waits_for_servers(const struct http_view *view)
{
    int64_t now_us = clock_steady_us(&clock_system);
    bool waits = postgresql_down(view) || registry_down(view) || metrics_sum(view, COUNTER_PARTITIONS_WAITING) ||
                 metrics_sum(view, COUNTER_STATE_RESTORING);
    for (size_t i = 0; i < view->progress_count && !waits; i++)
        waits = progress_waits_for(view->progress[i].progress, now_us) != WAITS_FOR_NOTHING;
    return waits;
}

static void add_loops(const struct http_view *view, struct json_writer *json)
{
    int64_t now_us = clock_steady_us(&clock_system);
    json_begin_array(json, "loops");
    for (size_t i = 0; i < view->progress_count; i++) {
        const struct loop_progress *progress = view->progress[i].progress;
        json_begin_object(json, NULL);
        json_write_string(json, "name", view->progress[i].name);
        json_write_string(json, "waits_for", loop_wait_name(progress_waits_for(progress, now_us)));
        json_write_fixed(json, "stalled_s", (double)progress_stalled_us(progress, now_us) / 1e6, 1);
        json_end_object(json);
    }
    json_end_array(json);
}

/* kafka, postgresql and schema_registry; null: this process needs none. */
static void add_servers(const struct http_view *view, struct json_writer *json)
{
    json_begin_object(json, "kafka");
    json_write_bool(json, "up", kafka_up());
    json_end_object(json);
    if (view->settings->role_sink) {
        json_begin_object(json, "postgresql");
        json_write_bool(json, "up", !postgresql_down(view));
        json_end_object(json);
    } else {
        json_write_null(json, "postgresql");
    }
    if (view->settings->registry) {
        json_begin_object(json, "schema_registry");
        json_write_bool(json, "up", !registry_down(view));
        json_write_uint(json, "requests", registry_client_requests(view->settings->registry));
        json_write_uint(json, "partitions_waiting", metrics_sum(view, COUNTER_PARTITIONS_WAITING));
        json_end_object(json);
    } else {
        json_write_null(json, "schema_registry");
    }
}

/* Current records; null: none are kept. */
void health_write_state(const struct http_view *view, struct json_writer *json)
{
    if (!view->settings->role_score || !view->settings->state_topic) {
        json_write_null(json, "state");
        return;
    }
    json_begin_object(json, "state");
    json_write_string(json, "topic", view->settings->state_topic);
    json_write_uint(json, "employees", metrics_sum(view, COUNTER_STATE_EMPLOYEES));
    json_write_uint(json, "memory_bytes", metrics_sum(view, COUNTER_STATE_BYTES));
    json_write_uint(json, "partitions_restoring", metrics_sum(view, COUNTER_STATE_RESTORING));
    json_end_object(json);
}

unsigned health_write(const struct http_view *view, struct buffer *out)
{
    bool works = kafka_up() && has_needed_model(view), degraded = waits_for_servers(view);
    struct json_writer json = json_begin_document(out);
    json_write_string(&json, "status", !works ? "unavailable" : degraded ? "degraded" : "ok");
    health_write_service(view, &json);
    health_write_model(view, &json);
    health_write_challengers(view, &json);
    add_servers(view, &json);
    health_write_state(view, &json);
    add_loops(view, &json);
    health_write_events(view, &json);
    health_write_dead_letters(view, &json);
    json_begin_object(&json, "latency_us");
    health_write_quantiles(view, &json);
    json_end_object(&json);
    write_list(view, &json, "sink");
    add_all_counters(view, &json);
    json_end_document(&json);
    return works ? 200 : 503;
}

static void add_status(const char *status, const char *reason, struct buffer *out)
{
    struct json_writer json = json_begin_document(out);
    json_write_string(&json, "status", status);
    if (reason)
        json_write_string(&json, "reason", reason);
    json_end_document(&json);
}

unsigned health_write_live(const struct http_view *view, struct buffer *out)
{
    (void)view;
    add_status("ok", NULL, out);
    return 200;
}

/* The first loop that has work and has committed none of it for READY_TIMEOUT; true: text says which. */
static bool find_stalled(const struct http_view *view, int64_t now_us, char *text, size_t capacity)
{
    for (size_t i = 0; i < view->progress_count; i++) {
        const struct loop_progress *progress = view->progress[i].progress;
        int64_t stalled_us = progress_stalled_us(progress, now_us);
        if (stalled_us <= view->settings->ready_timeout_us)
            continue;
        snprintf(text, capacity, "loop %s has work and has committed nothing for %lld s (waits for %s)",
                 view->progress[i].name, (long long)(stalled_us / 1000000),
                 loop_wait_name(progress_waits_for(progress, now_us)));
        return true;
    }
    return false;
}

/* A sink that waits is no reason where scoring goes on; alone it is all that this process does. */
static const char *sink_not_ready(const struct http_view *view, int64_t now_us)
{
    if (!view->sink || view->settings->role_score)
        return NULL;
    if (postgresql_down(view))
        return "the sink waits for PostgreSQL";
    if (progress_waits_for(sink_progress(view->sink), now_us) == WAITS_FOR_REGISTRY)
        return "the sink waits for the schema registry";
    return sink_progress(view->sink)->assigned ? NULL : "the sink has not been given its partitions yet";
}

/* Why this process is not ready, or NULL; where it is found out only now, in text. */
static const char *not_ready(const struct http_view *view, char *text, size_t capacity)
{
    int64_t now = clock_steady_us(&clock_system);
    if (*view->draining)
        return "draining";
    if (!kafka_up())
        return "no Kafka broker answers";
    if (!has_needed_model(view))
        return "no model";
    for (size_t i = 0; i < view->loop_count; i++)
        if (!score_loop_progress(view->loops[i])->assigned)
            return "a score loop has not been given its partitions yet, or reads their current records";
    for (size_t i = 0; i < view->loop_count; i++)
        if (progress_waits_for(score_loop_progress(view->loops[i]), now) == WAITS_FOR_MEMORY)
            return "partitions wait: current records take all the memory that --memory-limit leaves for them";
    return find_stalled(view, now, text, capacity) ? text : sink_not_ready(view, now);
}

unsigned health_write_ready(const struct http_view *view, struct buffer *out)
{
    char text[160];
    const char *reason = not_ready(view, text, sizeof text);
    add_status(reason ? "not ready" : "ready", reason, out);
    return reason ? 503 : 200;
}

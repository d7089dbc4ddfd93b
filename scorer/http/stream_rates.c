/* GET /stream: the stream at a glance, from counters alone. See docs/HTTP.md. On the server's threads; the history is
 * written by the server's keeper thread. Asks no server anything. */
#include "scorer/http/stream_rates.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "scorer/http/health.h"
#include "scorer/http/metrics_values.h"
#include "scorer/http/access_log.h"
#include "scorer/http/stream_remote.h"

enum { SECONDS = 60, MEAN_OF = 5, PARTITIONS_MAX = 4096 };

struct stream_rates {
    pthread_mutex_t mutex; /* guards all */
    double rates[SECONDS]; /* a ring */
    size_t count;          /* ever */
    uint64_t total;        /* at the last look */
    int64_t looked_us;     /* steady clock; 0: never */
};

struct stream_rates *stream_rates_new(void)
{
    struct stream_rates *rates = mem_zeroed(1, sizeof *rates);
    pthread_mutex_init(&rates->mutex, NULL);
    return rates;
}

void stream_rates_free(struct stream_rates *rates)
{
    if (!rates)
        return;
    pthread_mutex_destroy(&rates->mutex);
    free(rates);
}

static uint64_t ended(const struct http_view *view)
{
    return metrics_sum(view, COUNTER_EVENTS_SCORED) + metrics_sum(view, COUNTER_EVENTS_DEAD_LETTERED) +
           metrics_sum(view, COUNTER_EVENTS_ERASED) + metrics_sum(view, COUNTER_EVENTS_OUTCOME) +
           metrics_sum(view, COUNTER_EVENTS_IGNORED);
}

void stream_rates_look(struct stream_rates *rates, const struct http_view *view, int64_t now_us)
{
    uint64_t total = ended(view);
    pthread_mutex_lock(&rates->mutex);
    int64_t passed_us = now_us - rates->looked_us;
    if (!rates->looked_us || passed_us >= 1000000) {
        if (rates->looked_us)
            rates->rates[rates->count++ % SECONDS] = (double)(total - rates->total) * 1e6 / (double)passed_us;
        rates->total = total;
        rates->looked_us = now_us;
    }
    pthread_mutex_unlock(&rates->mutex);
}

static void write_history(struct stream_rates *rates, struct json_writer *json)
{
    double mean = 0;
    json_begin_object(json, "events_per_s");
    pthread_mutex_lock(&rates->mutex);
    size_t kept = rates->count < SECONDS ? rates->count : SECONDS, of = kept < MEAN_OF ? kept : MEAN_OF;
    for (size_t i = 0; i < of; i++)
        mean += rates->rates[(rates->count - 1 - i) % SECONDS] / (double)of;
    json_write_fixed(json, "now", mean, 1);
    json_begin_array(json, "history");
    for (size_t i = kept; i-- > 0;)
        json_write_fixed(json, NULL, rates->rates[(rates->count - 1 - i) % SECONDS], 1);
    pthread_mutex_unlock(&rates->mutex);
    json_end_array(json);
    json_end_object(json);
}

static int by_partition(const void *a, const void *b)
{
    return ((const struct partition_lag *)a)->partition - ((const struct partition_lag *)b)->partition;
}

static void write_lag(const struct partition_lag *lag, struct json_writer *json)
{
    int64_t events = lag->end > lag->next ? lag->end - lag->next : 0;
    json_begin_object(json, NULL);
    json_write_int(json, "partition", lag->partition);
    json_write_int(json, "offset", lag->next);
    json_write_int(json, "end", lag->end);
    json_write_int(json, "events", events);
    if (!events)
        json_write_int(json, "seconds", 0);
    else if (!lag->last_ms)
        json_write_null(json, "seconds");
    else
        json_write_fixed(json, "seconds", fmax(0, (double)(clock_real_us(&clock_system) / 1000 - lag->last_ms) / 1e3),
                         3);
    json_end_object(json);
}

static void write_lags(const struct http_view *view, struct json_writer *json)
{
    struct partition_lag *lags = mem_zeroed(PARTITIONS_MAX, sizeof *lags);
    size_t count = 0;
    for (size_t i = 0; i < view->loop_count; i++)
        count += score_loop_lags(view->loops[i], lags + count, PARTITIONS_MAX - count);
    qsort(lags, count, sizeof *lags, by_partition);
    json_begin_array(json, "lag");
    for (size_t i = 0; i < count; i++)
        write_lag(&lags[i], json);
    json_end_array(json);
    free(lags);
}

static void write_latency(const struct http_view *view, struct json_writer *json)
{
    static const int64_t bounds[] = {LATENCY_BOUNDS_US};
    json_begin_object(json, "latency_us");
    json_begin_array(json, "bounds");
    for (size_t b = 0; b < LATENCY_BUCKETS - 1; b++)
        json_write_int(json, NULL, bounds[b]);
    json_end_array(json);
    json_begin_array(json, "counts");
    for (size_t b = 0; b < LATENCY_BUCKETS; b++)
        json_write_uint(json, NULL, metrics_sum_latency(view, b));
    json_end_array(json);
    health_write_quantiles(view, json);
    json_end_object(json);
}

static void write_risk(const struct http_view *view, const struct model *model, struct json_writer *json)
{
    json_begin_object(json, "risk");
    json_write_int(json, "bins", RISK_BINS);
    json_begin_array(json, "counts");
    for (size_t b = 0; b < RISK_BINS; b++) {
        uint64_t total = 0;
        for (size_t i = 0; i < view->counters_count; i++)
            total += atomic_load_explicit(&view->counters[i]->risk[b], memory_order_relaxed);
        json_write_uint(json, NULL, total);
    }
    json_end_array(json);
    if (model)
        json_write_double(json, "threshold", model->threshold);
    else
        json_write_null(json, "threshold");
    json_end_object(json);
}

static void write_if_any(const char *name, const char *text, struct json_writer *json)
{
    json_write_string(json, name, *text ? text : NULL);
}

static void write_models(const struct http_view *view, struct json_writer *json)
{
    struct model_event events[MODEL_EVENTS_KEPT];
    size_t count = view->models ? model_holder_events(view->models, events, MODEL_EVENTS_KEPT) : 0;
    json_begin_array(json, "models");
    for (size_t i = 0; i < count; i++) {
        json_begin_object(json, NULL);
        health_write_time("time", events[i].at_us, json);
        json_write_string(json, "outcome", events[i].loaded ? "loaded" : "failed");
        write_if_any("name", events[i].name, json);
        write_if_any("version", events[i].version, json);
        write_if_any("alias", events[i].alias, json);
        write_if_any("text", events[i].text, json);
        json_end_object(json);
    }
    json_end_array(json);
}

static void write_process(const struct service *service, struct json_writer *json)
{
    const struct http_view *view = &service->view;
    json_write_string(json, "source", "process");
    health_write_time("time", clock_real_us(&clock_system), json);
    health_write_service(view, json);
    json_write_bool(json, "kafka_up", kafka_up());
    if (view->settings->role_sink)
        json_write_bool(json, "postgresql_up", metrics_sum(view, COUNTER_POSTGRESQL_UP) != 0);
    else
        json_write_null(json, "postgresql_up");
}

/* By kind; null: none are sent. */
static void write_alerts(const struct http_view *view, struct json_writer *json)
{
    if (!view->settings->role_score || !view->settings->alert_topic) {
        json_write_null(json, "alerts");
        return;
    }
    json_begin_object(json, "alerts");
    for (size_t kind = 0; kind < ALERT_KIND_COUNT; kind++)
        json_write_uint(json, alert_kind_name((enum alert_kind)kind).data, metrics_sum_alerts(view, kind));
    json_end_object(json);
}

static void write_http(const struct service *service, struct json_writer *json)
{
    json_begin_object(json, "http");
    json_write_uint(json, "requests", access_log_requests(service->access));
    json_write_uint(json, "in_flight", access_log_in_flight(service->access));
    json_end_object(json);
}

void stream_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    if (service->remote) {
        stream_remote_answer(service->remote, answer);
        return;
    }
    const struct http_view *view = &service->view;
    const struct model *model = view->models ? model_acquire(view->models) : NULL;
    struct json_writer json = json_begin_document(&answer->body);
    write_process(service, &json);
    health_write_events(view, &json);
    write_history(service->rates, &json);
    write_lags(view, &json);
    write_latency(view, &json);
    write_risk(view, model, &json);
    health_write_dead_letters(view, &json);
    health_write_state(view, &json);
    write_alerts(view, &json);
    write_http(service, &json);
    health_write_model(view, &json);
    write_models(view, &json);
    health_write_challengers(view, &json);
    json_end_document(&json);
    answer->status = 200;
    if (model)
        model_release(model);
}

/* GET /stream: the stream at a glance, from counters alone. See docs/HTTP.md. On the server's threads; the history is
 * written by the server's keeper thread. Asks no server anything. */
#include "scorer/http/stream.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "scorer/health.h"
#include "scorer/http/access.h"
#include "scorer/http/remote.h"

enum { SECONDS = 60, MEAN_OF = 5, PARTITIONS_MAX = 4096 };

struct history {
    pthread_mutex_t mutex; /* guards all */
    double rates[SECONDS]; /* a ring */
    size_t count;          /* ever */
    uint64_t total;        /* at the last look */
    int64_t looked_us;     /* steady clock; 0: never */
};

struct history *history_new(void)
{
    struct history *history = mem_zeroed(1, sizeof *history);
    pthread_mutex_init(&history->mutex, NULL);
    return history;
}

void history_free(struct history *history)
{
    if (!history)
        return;
    pthread_mutex_destroy(&history->mutex);
    free(history);
}

static uint64_t ended(const struct http_view *view)
{
    return health_sum(view, COUNTER_EVENTS_SCORED) + health_sum(view, COUNTER_EVENTS_DEAD_LETTERED) +
           health_sum(view, COUNTER_EVENTS_ERASED) + health_sum(view, COUNTER_EVENTS_OUTCOME);
}

void history_look(struct history *history, const struct http_view *view, int64_t now_us)
{
    uint64_t total = ended(view);
    pthread_mutex_lock(&history->mutex);
    int64_t passed_us = now_us - history->looked_us;
    if (!history->looked_us || passed_us >= 1000000) {
        if (history->looked_us)
            history->rates[history->count++ % SECONDS] = (double)(total - history->total) * 1e6 / (double)passed_us;
        history->total = total;
        history->looked_us = now_us;
    }
    pthread_mutex_unlock(&history->mutex);
}

static void write_history(struct history *history, struct buffer *out)
{
    double mean = 0;
    pthread_mutex_lock(&history->mutex);
    size_t kept = history->count < SECONDS ? history->count : SECONDS, of = kept < MEAN_OF ? kept : MEAN_OF;
    for (size_t i = 0; i < of; i++)
        mean += history->rates[(history->count - 1 - i) % SECONDS] / (double)of;
    buffer_printf(out, "{\"now\":%.1f,\"history\":[", mean);
    for (size_t i = kept; i-- > 0;)
        buffer_printf(out, "%.1f%s", history->rates[(history->count - 1 - i) % SECONDS], i ? "," : "");
    pthread_mutex_unlock(&history->mutex);
    buffer_add_text(out, "]}");
}

static int by_partition(const void *a, const void *b)
{
    return ((const struct partition_lag *)a)->partition - ((const struct partition_lag *)b)->partition;
}

static void write_lags(const struct http_view *view, struct buffer *out)
{
    struct partition_lag *lags = mem_zeroed(PARTITIONS_MAX, sizeof *lags);
    size_t count = 0;
    for (size_t i = 0; i < view->loop_count; i++)
        count += score_loop_lags(view->loops[i], lags + count, PARTITIONS_MAX - count);
    qsort(lags, count, sizeof *lags, by_partition);
    buffer_add_u8(out, '[');
    for (size_t i = 0; i < count; i++) {
        const struct partition_lag *lag = &lags[i];
        int64_t events = lag->end > lag->next ? lag->end - lag->next : 0;
        buffer_printf(out,
                      "%s{\"partition\":%d,\"offset\":%lld,\"end\":%lld,\"events\":%lld,\"seconds\":", i ? "," : "",
                      lag->partition, (long long)lag->next, (long long)lag->end, (long long)events);
        if (!events)
            buffer_add_text(out, "0}");
        else if (!lag->last_ms)
            buffer_add_text(out, "null}");
        else
            buffer_printf(out, "%.3f}", fmax(0, (double)(clock_real_us(&clock_system) / 1000 - lag->last_ms) / 1e3));
    }
    buffer_add_u8(out, ']');
    free(lags);
}

static void write_latency(const struct http_view *view, struct buffer *out)
{
    static const int64_t bounds[] = {LATENCY_BOUNDS_US};
    buffer_add_text(out, "{\"bounds\":[");
    for (size_t b = 0; b < LATENCY_BUCKETS - 1; b++)
        buffer_printf(out, "%s%lld", b ? "," : "", (long long)bounds[b]);
    buffer_add_text(out, "],\"counts\":[");
    for (size_t b = 0; b < LATENCY_BUCKETS; b++)
        buffer_printf(out, "%s%llu", b ? "," : "", (unsigned long long)health_sum_latency(view, b));
    buffer_add_text(out, "],");
    health_write_quantiles(view, out);
    buffer_add_u8(out, '}');
}

static void write_risk(const struct http_view *view, const struct model *model, struct buffer *out)
{
    buffer_printf(out, "{\"bins\":%d,\"counts\":[", RISK_BINS);
    for (size_t b = 0; b < RISK_BINS; b++) {
        uint64_t total = 0;
        for (size_t i = 0; i < view->counters_count; i++)
            total += atomic_load_explicit(&view->counters[i]->risk[b], memory_order_relaxed);
        buffer_printf(out, "%s%llu", b ? "," : "", (unsigned long long)total);
    }
    buffer_add_text(out, "],\"threshold\":");
    if (model)
        json_add_double(out, model->threshold);
    else
        buffer_add_text(out, "null");
    buffer_add_u8(out, '}');
}

static void text_or_null(struct buffer *out, const char *text)
{
    if (*text)
        json_add_text(out, span_of(text));
    else
        buffer_add_text(out, "null");
}

static void write_models(const struct http_view *view, struct buffer *out)
{
    struct model_event events[MODEL_EVENTS_KEPT];
    size_t count = view->models ? model_holder_events(view->models, events, MODEL_EVENTS_KEPT) : 0;
    buffer_add_u8(out, '[');
    for (size_t i = 0; i < count; i++) {
        buffer_add_text(out, i ? ",{\"time\":" : "{\"time\":");
        health_write_time(events[i].at_us, out);
        buffer_printf(out, ",\"outcome\":\"%s\",\"name\":", events[i].loaded ? "loaded" : "failed");
        text_or_null(out, events[i].name);
        buffer_add_text(out, ",\"version\":");
        text_or_null(out, events[i].version);
        buffer_add_text(out, ",\"alias\":");
        text_or_null(out, events[i].alias);
        buffer_add_text(out, ",\"text\":");
        text_or_null(out, events[i].text);
        buffer_add_u8(out, '}');
    }
    buffer_add_u8(out, ']');
}

static void write_process(const struct service *service, struct buffer *out)
{
    const struct http_view *view = &service->view;
    buffer_add_text(out, "{\"source\":\"process\",\"time\":");
    health_write_time(clock_real_us(&clock_system), out);
    health_write_service(view, out);
    buffer_printf(out, ",\"kafka_up\":%s,\"postgresql_up\":%s", kafka_up() ? "true" : "false",
                  !view->settings->role_sink                     ? "null"
                  : health_sum(view, COUNTER_POSTGRESQL_UP) == 0 ? "false"
                                                                 : "true");
}

void stream_answer(const struct service *service, const struct request *request, struct answer *answer)
{
    (void)request;
    if (service->remote) {
        remote_answer(service->remote, answer);
        return;
    }
    const struct http_view *view = &service->view;
    struct buffer *out = &answer->body;
    const struct model *model = view->models ? model_acquire(view->models) : NULL;
    write_process(service, out);
    buffer_add_text(out, ",\"events\":");
    health_write_events(view, out);
    buffer_add_text(out, ",\"events_per_s\":");
    write_history(service->history, out);
    buffer_add_text(out, ",\"lag\":");
    write_lags(view, out);
    buffer_add_text(out, ",\"latency_us\":");
    write_latency(view, out);
    buffer_add_text(out, ",\"risk\":");
    write_risk(view, model, out);
    buffer_add_text(out, ",\"dead_letters\":");
    health_write_dead_letters(view, out);
    buffer_printf(out, ",\"http\":{\"requests\":%llu,\"in_flight\":%llu},\"model\":",
                  (unsigned long long)access_requests(service->access),
                  (unsigned long long)access_in_flight(service->access));
    health_write_model(view, out);
    buffer_add_text(out, ",\"models\":");
    write_models(view, out);
    buffer_add_text(out, ",\"challengers\":");
    health_write_challengers(view, out);
    buffer_add_text(out, "}\n");
    answer->status = 200;
    if (model)
        model_release(model);
}

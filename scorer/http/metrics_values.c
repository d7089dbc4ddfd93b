/* The samples of each row of scorer/metrics.h. See metrics_values.h.
 *
 * Called on http's threads; reads counters with relaxed loads and the model by a reference. The sums of one answer may
 * differ by what happened in between.
 */
#include "scorer/http/metrics_values.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "base/certificates.h"
#include "base/clock.h"
#include "kafka/client.h"
#include "scorer/http/access_log.h"
#include "scorer/http/event_sender.h"
#include "scorer/model/challengers.h"

/* As the kernel counts it; 0 where it does not say. */
static uint64_t resident_bytes(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    int found = fscanf(file, "%*u %llu", &pages);
    fclose(file);
    return found == 1 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t metrics_sum(const struct http_view *view, enum counter_id id)
{
    uint64_t total = 0;
    if (id == COUNTER_KAFKA_UP)
        return kafka_up();
    if (id == COUNTER_RESIDENT_BYTES)
        return resident_bytes();
    for (size_t i = 0; i < view->counters_count; i++)
        total += counter_get(view->counters[i], id);
    return total;
}

uint64_t metrics_sum_dead_letters(const struct http_view *view, size_t code)
{
    uint64_t total = 0;
    for (size_t i = 0; i < view->counters_count; i++)
        total += atomic_load_explicit(&view->counters[i]->dead_letters[code], memory_order_relaxed);
    return total;
}

uint64_t metrics_sum_alerts(const struct http_view *view, size_t kind)
{
    uint64_t total = 0;
    for (size_t i = 0; i < view->counters_count; i++)
        total += atomic_load_explicit(&view->counters[i]->alerts[kind], memory_order_relaxed);
    return total;
}

uint64_t metrics_sum_latency(const struct http_view *view, size_t bucket)
{
    uint64_t total = 0;
    for (size_t i = 0; i < view->counters_count; i++)
        total += atomic_load_explicit(&view->counters[i]->latency_buckets[bucket], memory_order_relaxed);
    return total;
}

/* What one answer is made of; the model is held while it is written. */
struct scrape {
    const struct http_view *view;
    const struct model *model; /* NULL: none */
    int64_t now_us;            /* steady clock */
    struct buffer *out;
};

static void write_counter(const struct scrape *scrape, enum metric_id id)
{
    metric_write_head(scrape->out, id);
    metric_write_uint(scrape->out, id, NULL, metrics_sum(scrape->view, (enum counter_id)id));
}

static void write_dead_letters(const struct scrape *scrape, enum metric_id id)
{
    metric_write_head(scrape->out, id);
    for (size_t code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++) {
        const struct span labels[] = {span_of(event_code_name((enum event_code)code))};
        metric_write_uint(scrape->out, id, labels, metrics_sum_dead_letters(scrape->view, code));
    }
}

static void write_alerts(const struct scrape *scrape, enum metric_id id)
{
    metric_write_head(scrape->out, id);
    for (size_t kind = 0; kind < ALERT_KIND_COUNT; kind++) {
        const struct span labels[] = {alert_kind_name((enum alert_kind)kind)};
        metric_write_uint(scrape->out, id, labels, metrics_sum_alerts(scrape->view, kind));
    }
}

static void write_latency(const struct scrape *scrape, enum metric_id id)
{
    const struct http_view *view = scrape->view;
    uint64_t buckets[LATENCY_BUCKETS], sum_us = 0;
    for (size_t b = 0; b < LATENCY_BUCKETS; b++)
        buckets[b] = metrics_sum_latency(view, b);
    for (size_t i = 0; i < view->counters_count; i++)
        sum_us += atomic_load_explicit(&view->counters[i]->latency_sum_us, memory_order_relaxed);
    metric_write_histogram(scrape->out, id, buckets, sum_us);
}

static void write_build_info(const struct scrape *scrape, enum metric_id id)
{
    metric_write_head(scrape->out, id);
    metric_write_uint(scrape->out, id, &SPAN_LITERAL(VERSION), 1);
}

static void write_loop_waiting(const struct scrape *scrape, enum metric_id id)
{
    const struct http_view *view = scrape->view;
    if (view->progress_count)
        metric_write_head(scrape->out, id);
    for (size_t i = 0; i < view->progress_count; i++)
        for (int wait = WAITS_FOR_NOTHING; wait < LOOP_WAIT_COUNT; wait++) {
            const struct span labels[] = {span_of(view->progress[i].name),
                                          span_of(loop_wait_name((enum loop_wait)wait))};
            metric_write_uint(scrape->out, id, labels,
                              (int)progress_waits_for(view->progress[i].progress, scrape->now_us) == wait);
        }
}

static void write_loop_stalled(const struct scrape *scrape, enum metric_id id)
{
    const struct http_view *view = scrape->view;
    if (view->progress_count)
        metric_write_head(scrape->out, id);
    for (size_t i = 0; i < view->progress_count; i++) {
        const struct span labels[] = {span_of(view->progress[i].name)};
        metric_write_seconds(scrape->out, id, labels, progress_stalled_us(view->progress[i].progress, scrape->now_us));
    }
}

static void write_certificates(const struct scrape *scrape, enum metric_id id)
{
    bool any = false;
    for (size_t s = 0; scrape->view->certificates && s < CERTIFICATE_SETTINGS; s++) {
        const struct span labels[] = {span_of(certificate_setting(s))};
        int64_t expires_s = scrape->view->certificates->items[s].expires_s;
        if (!expires_s)
            continue;
        if (!any)
            metric_write_head(scrape->out, id);
        any = true;
        metric_write_double(scrape->out, id, labels, (double)(expires_s - clock_real_us(&clock_system) / 1000000));
    }
}

static void write_model_info(const struct scrape *scrape, enum metric_id id)
{
    if (!scrape->model)
        return;
    const struct model_stamp *stamp = &scrape->model->stamp;
    metric_write_head(scrape->out, id);
    metric_write_uint(scrape->out, id, (const struct span[]){stamp->name, stamp->version, stamp->alias}, 1);
}

static void write_model_loaded(const struct scrape *scrape, enum metric_id id)
{
    if (!scrape->model)
        return;
    metric_write_head(scrape->out, id);
    metric_write_seconds(scrape->out, id, NULL, scrape->model->loaded_at_us);
}

static void write_model_problem(const struct scrape *scrape, enum metric_id id)
{
    struct error problem;
    if (!scrape->model)
        return;
    metric_write_head(scrape->out, id);
    metric_write_uint(scrape->out, id, NULL, model_holder_problem(scrape->view->models, &problem));
}

static double challenger_value(const struct challenger_report *report, enum metric_id id)
{
    switch (id) {
    case METRIC_CHALLENGER_UP:
        return report->loaded && !report->has_problem;
    case METRIC_CHALLENGER_SCORED:
        return (double)report->scored;
    case METRIC_CHALLENGER_AGREED:
        return (double)report->agreed;
    case METRIC_CHALLENGER_DIFFERENCE:
        return report->difference;
    default:
        assert(id == METRIC_CHALLENGER_MAGNITUDE);
        return report->differences;
    }
}

/* One sample of each challenger; those without a model have only `up`. */
static void write_challengers(const struct scrape *scrape, enum metric_id id)
{
    struct challenger_report report;
    size_t count = challengers_count(scrape->view->settings->challengers);
    if (count)
        metric_write_head(scrape->out, id);
    for (size_t i = 0; i < count; i++) {
        challengers_report(scrape->view->settings->challengers, i, &report);
        const struct span labels[] = {span_of(report.uri), span_of(report.model)};
        metric_write_double(scrape->out, id, labels, challenger_value(&report, id));
    }
}

static void write_http(const struct scrape *scrape, enum metric_id id)
{
    if (scrape->view->access)
        access_log_write_metric(scrape->view->access, id, scrape->out);
}

static void write_http_events(const struct scrape *scrape, enum metric_id id)
{
    (void)id;
    if (scrape->view->event_sender)
        event_sender_write_metric(scrape->view->event_sender, scrape->out);
}

/* A row without an entry is a counter or gauge of the loops. */
static void (*const writers[METRIC_COUNT])(const struct scrape *, enum metric_id) = {
    [METRIC_DEAD_LETTERS] = write_dead_letters,
    [METRIC_ALERTS] = write_alerts,
    [METRIC_LATENCY] = write_latency,
    [METRIC_BUILD_INFO] = write_build_info,
    [METRIC_LOOP_WAITING] = write_loop_waiting,
    [METRIC_LOOP_STALLED] = write_loop_stalled,
    [METRIC_CERTIFICATE_EXPIRY] = write_certificates,
    [METRIC_MODEL_INFO] = write_model_info,
    [METRIC_MODEL_LOADED] = write_model_loaded,
    [METRIC_MODEL_PROBLEM] = write_model_problem,
    [METRIC_CHALLENGER_UP] = write_challengers,
    [METRIC_CHALLENGER_SCORED] = write_challengers,
    [METRIC_CHALLENGER_AGREED] = write_challengers,
    [METRIC_CHALLENGER_DIFFERENCE] = write_challengers,
    [METRIC_CHALLENGER_MAGNITUDE] = write_challengers,
    [METRIC_HTTP_REQUESTS] = write_http,
    [METRIC_HTTP_DURATION] = write_http,
    [METRIC_HTTP_IN_FLIGHT] = write_http,
    [METRIC_HTTP_EVENTS] = write_http_events,
};

unsigned metrics_write(const struct http_view *view, struct buffer *out)
{
    const struct scrape scrape = {.view = view,
                                  .model = view->models ? model_acquire(view->models) : NULL,
                                  .now_us = clock_steady_us(&clock_system),
                                  .out = out};
    for (size_t id = 0; id < METRIC_COUNT; id++) {
        assert(writers[id] || id < COUNTER_COUNT);
        (writers[id] ? writers[id] : write_counter)(&scrape, (enum metric_id)id);
    }
    if (scrape.model)
        model_release(scrape.model);
    return 200;
}

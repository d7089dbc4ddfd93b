/* Prometheus text of /metrics. See metrics_values.h.
 *
 * Called on http's threads; reads counters with relaxed loads and the model by a reference. The sums of one answer may
 * differ by what happened in between.
 */
#include "scorer/http/metrics_values.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "kafka/client.h"
#include "scorer/http/access.h"
#include "scorer/model/challengers.h"

static const char *const counter_names[] = {
#define NAME(id, name, help) name,
    COUNTER_TABLE(NAME, NAME)
#undef NAME
};

static const char *const counter_types[] = {
#define COUNTER_TYPE(id, name, help) "counter",
#define GAUGE_TYPE(id, name, help) "gauge",
    COUNTER_TABLE(COUNTER_TYPE, GAUGE_TYPE)
#undef COUNTER_TYPE
#undef GAUGE_TYPE
};

static const char *const counter_help[] = {
#define HELP(id, name, help) help,
    COUNTER_TABLE(HELP, HELP)
#undef HELP
};

static const int64_t latency_bounds[] = {LATENCY_BOUNDS_US};

/* As the kernel counts it; 0 where it does not tell. */
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

uint64_t health_sum(const struct http_view *view, enum counter_id id)
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

uint64_t health_sum_dead_letters(const struct http_view *view, size_t code)
{
    uint64_t total = 0;
    for (size_t i = 0; i < view->counters_count; i++)
        total += atomic_load_explicit(&view->counters[i]->dead_letters[code], memory_order_relaxed);
    return total;
}

uint64_t health_sum_latency(const struct http_view *view, size_t bucket)
{
    uint64_t total = 0;
    for (size_t i = 0; i < view->counters_count; i++)
        total += atomic_load_explicit(&view->counters[i]->latency_buckets[bucket], memory_order_relaxed);
    return total;
}

/* Prometheus text, version 0.0.4 */

/* Label values: backslash, quote and line feed are escaped. */
static void add_label(struct buffer *out, const char *name, struct span value)
{
    buffer_printf(out, "%s=\"", name);
    for (size_t i = 0; i < value.bytes; i++) {
        char c = value.data[i];
        if (c == '\\' || c == '"' || c == '\n')
            buffer_add_u8(out, '\\');
        buffer_add_u8(out, c == '\n' ? 'n' : (uint8_t)c);
    }
    buffer_add_text(out, "\"");
}

static void add_head(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_latency_metric(const struct http_view *view, struct buffer *out)
{
    static const char name[] = "attrition_latency_seconds";
    uint64_t total = 0, sum_us = 0;
    add_head(out, name, "histogram", "From leaving the Kafka client's queue to being scored.");
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        total += health_sum_latency(view, i);
        if (i < LATENCY_BUCKETS - 1)
            buffer_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)latency_bounds[i] / 1e6,
                          (unsigned long long)total);
    }
    for (size_t i = 0; i < view->counters_count; i++)
        sum_us += atomic_load_explicit(&view->counters[i]->latency_sum_us, memory_order_relaxed);
    buffer_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name, (unsigned long long)total,
                  name, (double)sum_us / 1e6, name, (unsigned long long)total);
}

static void add_model_metric(const struct http_view *view, struct buffer *out)
{
    struct error problem;
    const struct model *model = view->models ? model_acquire(view->models) : NULL;
    if (!model)
        return;
    add_head(out, "attrition_model_info", "gauge", "The model in use.");
    buffer_add_text(out, "attrition_model_info{");
    add_label(out, "name", model->stamp.name);
    buffer_add_text(out, ",");
    add_label(out, "version", model->stamp.version);
    buffer_add_text(out, ",");
    add_label(out, "alias", model->stamp.alias);
    buffer_add_text(out, "} 1\n");
    add_head(out, "attrition_model_loaded_timestamp_seconds", "gauge", "When the model in use was loaded.");
    buffer_printf(out, "attrition_model_loaded_timestamp_seconds %.3f\n", (double)model->loaded_at_us / 1e6);
    model_release(model);
    add_head(out, "attrition_model_problem", "gauge", "1 while the latest look-up or load of the model fails.");
    buffer_printf(out, "attrition_model_problem %d\n", model_holder_problem(view->models, &problem));
}

/* One value of each challenger; those without a model have only `up`. */
static void add_challenger_metrics(const struct http_view *view, struct buffer *out)
{
    static const struct {
        const char *name, *type, *help;
    } rows[] = {
        {"attrition_challenger_up", "gauge", "1 while the challenger of this URI has a model and no problem."},
        {"attrition_challenger_scored_total", "counter", "Rows scored by the challenger's version."},
        {"attrition_challenger_agreed_total", "counter", "Rows where it gives the answer of the model in use."},
        {"attrition_challenger_difference_sum", "gauge", "Sum of its probability minus that of the model in use."},
        {"attrition_challenger_absolute_difference_sum", "counter", "Sum of the differences' magnitudes."},
    };
    struct challenger_report report;
    size_t count = challengers_count(view->settings->challengers);
    for (size_t row = 0; count && row < sizeof rows / sizeof *rows; row++) {
        add_head(out, rows[row].name, rows[row].type, rows[row].help);
        for (size_t i = 0; i < count; i++) {
            challengers_report(view->settings->challengers, i, &report);
            const double values[] = {report.loaded && !report.has_problem, (double)report.scored, (double)report.agreed,
                                     report.difference, report.differences};
            buffer_printf(out, "%s{", rows[row].name);
            add_label(out, "uri", span_of(report.uri));
            buffer_add_text(out, ",");
            add_label(out, "model", span_of(report.model));
            buffer_printf(out, "} %.17g\n", values[row]);
        }
    }
}

static void add_loop_metrics(const struct http_view *view, struct buffer *out)
{
    int64_t now_us = clock_steady_us(&clock_system);
    if (!view->progress_count)
        return;
    add_head(out, "attrition_loop_waiting", "gauge", "1 for what the loop waits for.");
    for (size_t i = 0; i < view->progress_count; i++)
        for (int wait = WAITS_FOR_NOTHING; wait < LOOP_WAIT_COUNT; wait++)
            buffer_printf(out, "attrition_loop_waiting{loop=\"%s\",for=\"%s\"} %d\n", view->progress[i].name,
                          loop_wait_name((enum loop_wait)wait),
                          (int)progress_waits_for(view->progress[i].progress, now_us) == wait);
    add_head(out, "attrition_loop_stalled_seconds", "gauge", "How long it has had work and committed nothing.");
    for (size_t i = 0; i < view->progress_count; i++)
        buffer_printf(out, "attrition_loop_stalled_seconds{loop=\"%s\"} %.3f\n", view->progress[i].name,
                      (double)progress_stalled_us(view->progress[i].progress, now_us) / 1e6);
}

unsigned metrics_write(const struct http_view *view, struct buffer *out)
{
    for (size_t id = 0; id < COUNTER_COUNT; id++) {
        add_head(out, counter_names[id], counter_types[id], counter_help[id]);
        buffer_printf(out, "%s %llu\n", counter_names[id], (unsigned long long)health_sum(view, (enum counter_id)id));
    }
    add_head(out, "attrition_dead_letters_total", "counter", "Committed dead letters by code.");
    for (size_t code = EVENT_OK + 1; code < EVENT_CODE_COUNT; code++)
        buffer_printf(out, "attrition_dead_letters_total{code=\"%s\"} %llu\n", event_code_name((enum event_code)code),
                      (unsigned long long)health_sum_dead_letters(view, code));
    add_latency_metric(view, out);
    add_head(out, "attrition_build_info", "gauge", "This program.");
    buffer_printf(out, "attrition_build_info{version=\"%s\"} 1\n", VERSION);
    add_loop_metrics(view, out);
    add_model_metric(view, out);
    add_challenger_metrics(view, out);
    if (view->access)
        access_write_metrics(view->access, out);
    return 200;
}

/* The rows of metrics.h as data, and their text. Pure functions; any thread. */
#include "scorer/metrics.h"

const struct metric metrics[METRIC_COUNT] = {
#define COUNTER_ROW(id, name, health, help) {name, "counter", "", health, help},
#define GAUGE_ROW(id, name, health, help) {name, "gauge", "", health, help},
#define COMPUTED_ROW(id, name, type, labels, help, more) {name, type, labels, "", help},
    METRIC_TABLE(COUNTER_ROW, GAUGE_ROW, COMPUTED_ROW)
#undef COUNTER_ROW
#undef GAUGE_ROW
#undef COMPUTED_ROW
};

void metric_write_head(struct buffer *out, enum metric_id id)
{
    const struct metric *metric = &metrics[id];
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name, metric->type);
}

/* Backslash, quote and line feed are escaped. */
static void write_label_value(struct buffer *out, struct span value)
{
    buffer_add_u8(out, '"');
    for (size_t i = 0; i < value.bytes; i++) {
        char c = value.data[i];
        if (c == '\\' || c == '"' || c == '\n')
            buffer_add_u8(out, '\\');
        buffer_add_u8(out, c == '\n' ? 'n' : (uint8_t)c);
    }
    buffer_add_u8(out, '"');
}

/* The name, and {label="value",…} where the row has labels. */
static void write_series(struct buffer *out, enum metric_id id, const struct span *values)
{
    buffer_add_text(out, metrics[id].name);
    for (const char *label = metrics[id].labels; *label; values++) {
        size_t bytes = strcspn(label, ",");
        buffer_add_u8(out, label == metrics[id].labels ? '{' : ',');
        buffer_add(out, label, bytes);
        buffer_add_u8(out, '=');
        write_label_value(out, *values);
        label += bytes + (label[bytes] == ',');
        if (!*label)
            buffer_add_u8(out, '}');
    }
}

void metric_write_uint(struct buffer *out, enum metric_id id, const struct span *labels, uint64_t value)
{
    write_series(out, id, labels);
    buffer_printf(out, " %llu\n", (unsigned long long)value);
}

void metric_write_double(struct buffer *out, enum metric_id id, const struct span *labels, double value)
{
    write_series(out, id, labels);
    buffer_printf(out, " %.17g\n", value);
}

void metric_write_seconds(struct buffer *out, enum metric_id id, const struct span *labels, int64_t value_us)
{
    write_series(out, id, labels);
    buffer_printf(out, " %.3f\n", (double)value_us / 1e6);
}

void metric_write_histogram(struct buffer *out, enum metric_id id, const uint64_t *buckets, uint64_t sum_us)
{
    static const int64_t bounds[] = {LATENCY_BOUNDS_US};
    const char *name = metrics[id].name;
    uint64_t total = 0;
    metric_write_head(out, id);
    for (size_t b = 0; b < LATENCY_BUCKETS; b++) {
        total += buckets[b];
        if (b < LATENCY_BUCKETS - 1)
            buffer_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, (double)bounds[b] / 1e6, (unsigned long long)total);
    }
    buffer_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name, (unsigned long long)total,
                  name, (double)sum_us / 1e6, name, (unsigned long long)total);
}

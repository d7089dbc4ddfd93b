/* scorer/metrics.c and scorer/http/metrics_values.c: /metrics has every row of the table in its order, with its labels;
 * /health has each where its row says. A model, challengers, a loop and requests are there, so that no row is left out.
 */
#include "tests/support/scorer.h"

#include <jansson.h>

#include "base/certificates.h"
#include "base/clock.h"
#include "scorer/http/access_log.h"
#include "scorer/http/event_sender.h"
#include "scorer/http/health.h"
#include "scorer/http/metrics_values.h"
#include "scorer/http/routes.h"
#include "scorer/model/challengers.h"

struct lab {
    char directory[64], used[128], flags[2][400];
    struct schema *schema;
    struct options *options;
    struct settings settings;
    struct counters counters[2];
    const struct counters *list[2];
    struct named_progress progress[1];
    struct loop_progress loop;
    _Atomic bool draining;
    struct model_holder *models;
    struct access_log *access;
    struct event_sender *event_sender;
    struct certificates certificates;
    struct http_view view;
    struct buffer text;
};

static void fill_counters(struct lab *lab)
{
    for (size_t i = 0; i < 2; i++) {
        for (size_t id = 0; id < COUNTER_COUNT; id++)
            counter_add(&lab->counters[i], (enum counter_id)id, id + 1);
        for (size_t b = 0; b < LATENCY_BUCKETS; b++)
            lab->counters[i].latency_buckets[b] = b + 1;
        lab->counters[i].dead_letters[EVENT_RULE] = 3;
        lab->counters[i].latency_sum_us = 1234567;
        lab->list[i] = &lab->counters[i];
    }
}

static void answer_requests(struct access_log *access)
{
    const struct access_log_entry found = {.route = &route_table[0],
                                           .method = "GET",
                                           .status = 200,
                                           .duration_us = 700,
                                           .request_id = "a",
                                           .traceparent = ""};
    const struct access_log_entry lost = {
        .method = "GET", .duration_us = 2000000, .request_id = "b", .traceparent = ""};
    for (size_t i = 0; i < 3; i++)
        access_log_begin(access);
    access_log_end(access, &found);
    access_log_end(access, &lost);
}

static void set_up_models(struct lab *lab)
{
    struct error err;
    strcpy(lab->directory, "/tmp/attrition-metrics-XXXXXX");
    assert_non_null(mkdtemp(lab->directory));
    snprintf(lab->used, sizeof lab->used, "%s/used.onnx", lab->directory);
    snprintf(lab->flags[0], sizeof *lab->flags, "--model=%s", lab->used);
    snprintf(lab->flags[1], sizeof *lab->flags, "--challengers=%s, %s/quoted\"\\name.onnx", lab->used, lab->directory);
    lab->schema = scorer_schema();
    lab->options = scorer_options((const char *const[]){lab->flags[0], lab->flags[1], "--instance-id=x",
                                                        "--model-poll-interval=1h", "--delivery=at-least-once", NULL});
    assert_int_equal(settings_resolve(lab->options, lab->schema, &lab->settings, &err), STATUS_OK);
    scorer_write_model(lab->schema, lab->used, 0);
    assert_int_equal(model_holder_new(&lab->settings, &lab->counters[0], &lab->models, &err), STATUS_OK);
    assert_int_equal(challengers_new(&lab->settings, &lab->settings.challengers, &err), STATUS_OK);
}

static void set_up(struct lab *lab)
{
    struct error err;
    memset(lab, 0, sizeof *lab);
    set_up_models(lab);
    fill_counters(lab);
    lab->access = access_log_new(route_table, route_table_count, false);
    answer_requests(lab->access);
    assert_int_equal(event_sender_new(&lab->settings, &lab->event_sender, &err), STATUS_OK);
    strcpy(lab->progress[0].name, "score-0");
    lab->progress[0].progress = &lab->loop;
    lab->certificates.items[1].expires_s = clock_real_us(&clock_system) / 1000000 + 7 * 86400;
    lab->view = (struct http_view){.settings = &lab->settings,
                                   .models = lab->models,
                                   .counters = lab->list,
                                   .counters_count = 2,
                                   .certificates = &lab->certificates,
                                   .progress = lab->progress,
                                   .progress_count = 1,
                                   .draining = &lab->draining,
                                   .access = lab->access,
                                   .event_sender = lab->event_sender};
    assert_int_equal(metrics_write(&lab->view, &lab->text), 200);
    buffer_add_u8(&lab->text, '\0');
}

static void tear_down(struct lab *lab)
{
    buffer_free(&lab->text);
    access_log_free(lab->access);
    event_sender_free(lab->event_sender);
    challengers_free(lab->settings.challengers);
    model_holder_free(lab->models);
    unlink(lab->used);
    rmdir(lab->directory);
    settings_release(&lab->settings);
    options_free(lab->options);
    schema_free(lab->schema);
}

/* After one line. */
static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    assert_non_null(end);
    return end + 1;
}

/* Past the row's sample lines from `line` on. A histogram's names go on, and its only label is its own. */
static const char *check_samples(const struct metric *row, const char *line, size_t *count)
{
    size_t name_bytes = strlen(row->name);
    bool is_histogram = strcmp(row->type, "histogram") == 0;
    for (*count = 0; *line && *line != '#'; line = next_line(line), ++*count) {
        const char *at = line + name_bytes;
        assert_memory_equal(line, row->name, name_bytes);
        assert_true(is_histogram ? *at == '_' : *at == (*row->labels ? '{' : ' '));
        for (const char *label = row->labels; *label; label += *label == ',') {
            size_t bytes = strcspn(label, ",");
            assert_memory_equal(at + 1, label, bytes);
            assert_memory_equal(at + 1 + bytes, "=\"", 2);
            for (at += bytes + 3; *at != '"'; at++)
                at += *at == '\\';
            label += bytes;
            at++;
            assert_int_equal(*at, *label ? ',' : '}');
        }
    }
    return line;
}

static void every_row_is_written_in_its_order_with_its_labels(void **state)
{
    (void)state;
    static struct lab lab;
    char head[1024];
    size_t samples;
    set_up(&lab);
    const char *line = lab.text.data;
    for (size_t id = 0; id < METRIC_COUNT; id++) {
        const struct metric *row = &metrics[id];
        int bytes =
            snprintf(head, sizeof head, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, row->type);
        if (strncmp(line, head, (size_t)bytes) != 0)
            fail_msg("%s is not where its row is, but: %.80s", row->name, line);
        line = check_samples(row, line + bytes, &samples);
        assert_true(samples > 0);
    }
    assert_string_equal(line, "");
    tear_down(&lab);
}

static void a_label_is_escaped_and_numbers_are_sums(void **state)
{
    (void)state;
    static struct lab lab;
    set_up(&lab);
    assert_non_null(strstr(lab.text.data, "/quoted\\\"\\\\name.onnx\",model=\"\"} 0\n"));
    assert_non_null(strstr(lab.text.data, "\nattrition_events_scored_total 4\n"));
    assert_non_null(strstr(lab.text.data, "\nattrition_dead_letters_total{code=\"rule\"} 6\n"));
    assert_non_null(strstr(lab.text.data, "\nattrition_latency_seconds_sum 2.469134\n"));
    assert_non_null(strstr(lab.text.data, "\nattrition_model_info{name=\"used\",version=\"0\",alias=\"\"} 1\n"));
    assert_non_null(strstr(lab.text.data, "\nattrition_http_requests_total{route=\"none\",status=\"0\"} 1\n"));
    assert_non_null(strstr(lab.text.data, "\nattrition_http_request_seconds_bucket{le=\"0.001\"} 1\n"));
    assert_non_null(
        strstr(lab.text.data, "\nattrition_certificate_expiry_seconds{setting=\"KAFKA_SSL_CA_LOCATION\"} 604"));
    assert_non_null(strstr(lab.text.data, "\nattrition_http_in_flight 1\n"));
    assert_non_null(strstr(lab.text.data, "\nattrition_http_events_total{result=\"unknown\"} 0\n"));
    tear_down(&lab);
}

/* A sink alone: no model, no loop of its own, no server. */
static void what_a_process_lacks_has_no_head(void **state)
{
    (void)state;
    static struct settings none;
    const struct http_view view = {.settings = &none};
    struct buffer text = {0};
    metrics_write(&view, &text);
    buffer_add_u8(&text, '\0');
    for (size_t id = METRIC_LOOP_WAITING; id < METRIC_COUNT; id++)
        assert_null(strstr(text.data, metrics[id].name));
    assert_non_null(strstr(text.data, "\nattrition_build_info{version=\"" VERSION "\"} 1\n"));
    buffer_free(&text);
}

static void health_has_each_counter_where_its_row_says(void **state)
{
    (void)state;
    static struct lab lab;
    struct buffer text = {0};
    set_up(&lab);
    health_write(&lab.view, &text);
    json_t *health = json_loadb(text.data, text.bytes, 0, NULL);
    assert_non_null(health);
    const json_t *counters = json_object_get(health, "counters");
    size_t placed = 0;
    assert_int_equal(json_object_size(counters), COUNTER_COUNT);
    for (size_t id = 0; id < COUNTER_COUNT; id++) {
        const char *place = metrics[id].health, *dot = strchr(place, '.');
        char list[16] = "";
        const json_t *value = json_object_get(counters, metrics[id].name);
        assert_true(json_is_integer(value));
        if (!dot)
            continue;
        snprintf(list, sizeof list, "%.*s", (int)(dot - place), place);
        assert_true(json_equal(json_object_get(json_object_get(health, list), dot + 1), value));
        placed++;
    }
    assert_int_equal(placed, json_object_size(json_object_get(health, "events")) +
                                 json_object_size(json_object_get(health, "sink")));
    json_decref(health);
    buffer_free(&text);
    tear_down(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_written_in_its_order_with_its_labels),
        cmocka_unit_test(a_label_is_escaped_and_numbers_are_sums),
        cmocka_unit_test(what_a_process_lacks_has_no_head),
        cmocka_unit_test(health_has_each_counter_where_its_row_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

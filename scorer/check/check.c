/* `scorer check`: everything the daemon needs, looked at once, one line each: what is fine, what is wrong and how to
 * fix it. Changes nothing, except that --create-topics makes missing topics. Main thread; ends within about a
 * minute whatever is unavailable. */
#include "scorer/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/certificates.h"
#include "base/clock.h"
#include "base/file.h"
#include "events/schema_registry.h"
#include "events/schema.h"
#include "kafka/client.h"
#include "scorer/check/check_sample.h"
#include "scorer/check/check_topic.h"
#include "scorer/stream/dead_letter_summary.h"
#include "scorer/http/http.h"
#include "scorer/model/challengers.h"
#include "scorer/model/model_holder.h"
#include "scorer/settings.h"
#include "scorer/sink/sink.h"
#include "scorer/stream/score_loop.h"

enum { BROKER_WAIT_US = 5000000, SAMPLE = 100 };

struct check {
    const struct options *options;
    struct settings settings;
    struct schema *schema;
    rd_kafka_t *client; /* a consumer: its questions never make a topic */
    int input_partitions;
    bool no_settings; /* the brokers do not report topics' settings: they are not asked again */
    bool failed;
};

static void __attribute__((format(printf, 3, 4)))
report_ok(const struct check *check, const char *item, const char *format, ...)
{
    va_list args;
    (void)check;
    printf("ok     %-10s ", item);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static void report_wrong(struct check *check, const char *item, const char *text)
{
    printf("wrong  %-10s %s\n", item, text);
    check->failed = true;
}

/* What works today and may cost something later: no reason for another exit status. */
static void report_warning(const char *item, const char *text)
{
    printf("warn   %-10s %s\n", item, text);
}

/* What `run` makes of the settings before it connects to anything. */
static void check_start(struct check *check, struct model_holder *models, struct counters *counters)
{
    struct error err;
    struct score_loop *loop = NULL;
    struct challengers *challengers = NULL;
    enum status status = challengers_new(&check->settings, &challengers, &err);
    if (status == STATUS_OK && check->settings.role_score)
        status = score_loop_new(&check->settings, models, counters, 0, &loop, &err);
    if (status != STATUS_OK)
        report_wrong(check, "settings", err.text);
    score_loop_free(loop);
    challengers_free(challengers);
}

static void check_model(struct check *check)
{
    struct error err;
    struct counters *counters = aligned_alloc(_Alignof(struct counters), sizeof *counters);
    struct model_holder *models;
    if (!counters)
        abort();
    memset(counters, 0, sizeof *counters);
    if (model_holder_new(&check->settings, counters, &models, &err) == STATUS_OK) {
        const struct model *model = model_acquire(models);
        report_ok(check, "model", "%.*s version %.*s, threshold %.4g, positive label %s%s",
                  (int)model->stamp.name.bytes, model->stamp.name.data, (int)model->stamp.version.bytes,
                  model->stamp.version.data, model->threshold, pipeline_positive_label(model->pipeline),
                  pipeline_has_reasons(model->pipeline) ? "" : ", no reference: reasons stay empty");
        model_release(model);
        check_start(check, models, counters);
        model_holder_free(models);
    } else {
        report_wrong(check, "model", err.text);
    }
    free(counters);
}

/* --- topics --- */

static bool connect_kafka(struct check *check)
{
    const struct kafka_property fixed[] = {{"group.id", check->settings.group_id}, {NULL, NULL}};
    struct error err;
    rd_kafka_conf_t *conf;
    enum status status = kafka_conf(check->options, RD_KAFKA_CONSUMER, fixed, &conf, &err);
    if (status == STATUS_OK)
        status = kafka_client_new(RD_KAFKA_CONSUMER, &conf, &check->client, &err);
    if (status == STATUS_OK)
        status =
            kafka_wait_for_broker(check->client, "kafka", clock_steady_us(&clock_system) + BROKER_WAIT_US, NULL, &err);
    if (status != STATUS_OK) {
        report_wrong(check, "kafka", err.text);
        return false;
    }
    report_ok(check, "kafka", "%s answers", options_text(check->options, OPTION_BOOTSTRAP_SERVERS));
    return true;
}

/* What the topic's settings would do to its records. */
static void check_topic_keeps(struct check *check, const char *topic, enum check_topic_use use)
{
    struct error err;
    struct check_topic_settings settings;
    if (check->no_settings)
        return;
    if (check_topic_read(check->client, topic, &settings, &err) != STATUS_OK) {
        check->no_settings = err.status == STATUS_UNSUPPORTED || err.status == STATUS_UNAVAILABLE;
        if (err.status != STATUS_UNSUPPORTED)
            report_warning("topic", err.text);
    } else if (!check_topic_keeps_all(topic, use, &settings, &err)) {
        if (err.status == STATUS_INVALID)
            report_wrong(check, "topic", err.text);
        else
            report_warning("topic", err.text);
    }
}

/* Its partitions; where it is missing and shall be, it is made with `wanted` of them. */
static enum status find_or_make(struct check *check, const char *topic, enum check_topic_use use, int wanted,
                                int *partitions, bool *made, struct error *err)
{
    enum status status = kafka_topic_partitions(check->client, topic, partitions, err);
    *made = false;
    if (status != STATUS_NOT_FOUND || !options_flag(check->options, OPTION_CREATE_TOPICS) || !wanted)
        return status;
    status = check_topic_make(check->client, topic, wanted, use, err);
    if (status == STATUS_OK)
        status = kafka_topic_partitions(check->client, topic, partitions, err);
    *made = status == STATUS_OK;
    return status;
}

static void report_topic(struct check *check, const char *topic, enum check_topic_use use, int partitions, bool made)
{
    report_ok(check, "topic", "%s, %d partitions%s", topic, partitions, made ? ", made just now" : "");
    check_topic_keeps(check, topic, use);
}

static void check_output_topic(struct check *check, const char *topic, enum check_topic_use use)
{
    struct error err;
    int partitions = 0;
    bool made;
    if (find_or_make(check, topic, use, check->input_partitions, &partitions, &made, &err) != STATUS_OK) {
        report_wrong(check, "topic", err.text);
    } else if (partitions != check->input_partitions && check->input_partitions) {
        if (use == CHECK_TOPIC_STATE)
            error_set(
                &err, STATUS_INVALID,
                "%s has %d partitions and the input has %d: current records are kept by the input's partitions. %s",
                topic, partitions, check->input_partitions,
                partitions < check->input_partitions
                    ? "Stop the scorers of the group, then scorer state repartition; new partitions wait until then"
                    : "Delete it, have it made again, then scorer state seed");
        else
            error_set(&err, STATUS_INVALID,
                      "%s has %d partitions and the input has %d: kafka-topics --alter --topic %s --partitions %d",
                      topic, partitions, check->input_partitions, topic, check->input_partitions);
        report_wrong(check, "topic", err.text);
        check_topic_keeps(check, topic, use);
    } else {
        report_topic(check, topic, use, partitions, made);
    }
}

static void check_topics(struct check *check)
{
    struct error err;
    const struct settings *settings = &check->settings;
    enum check_topic_use input = settings->state_topic ? CHECK_TOPIC_CHANGES : CHECK_TOPIC_INPUT;
    bool made;
    if (find_or_make(check, settings->input_topic, input, (int)options_integer(check->options, OPTION_PARTITIONS),
                     &check->input_partitions, &made, &err) == STATUS_OK)
        report_topic(check, settings->input_topic, input, check->input_partitions, made);
    else
        report_wrong(check, "topic", err.text);
    check_output_topic(check, settings->output_topic, CHECK_TOPIC_OUTPUT);
    check_output_topic(check, settings->dlq_topic, CHECK_TOPIC_PAST);
    check_output_topic(check, settings->outcome_topic, CHECK_TOPIC_PAST);
    if (settings->state_topic)
        check_output_topic(check, settings->state_topic, CHECK_TOPIC_STATE);
    if (settings->alert_topic)
        check_output_topic(check, settings->alert_topic, CHECK_TOPIC_OUTPUT);
}

/* " 90 unknown_schema_id, 3 rule" */
static enum event_code list_codes(const struct check_sample *sample, char *text, size_t capacity)
{
    enum event_code most = EVENT_OK;
    size_t bytes = 0;
    text[0] = '\0';
    for (int code = EVENT_OK + 1; code < EVENT_CODE_COUNT && bytes < capacity; code++) {
        if (!sample->counts[code])
            continue;
        bytes += (size_t)snprintf(text + bytes, capacity - bytes, "%s %llu %s", bytes ? "," : "",
                                  (unsigned long long)sample->counts[code], event_code_name((enum event_code)code));
        if (!most || sample->counts[code] > sample->counts[most])
            most = (enum event_code)code;
    }
    return most;
}

/* What would become of the newest events. Wrong where none of them is good; a few dead letters are the senders' matter.
 */
static void check_newest(struct check *check)
{
    char codes[320];
    struct error err;
    struct check_sample sample;
    const struct settings *settings = &check->settings;
    if (check_sample_take(settings, check->schema, check->input_partitions, SAMPLE, &sample, &err) != STATUS_OK) {
        report_wrong(check, "events", err.text);
        return;
    }
    enum event_code most = list_codes(&sample, codes, sizeof codes);
    if (sample.read && !sample.good) {
        error_set(&err, STATUS_INVALID, "all of the newest %llu would become dead letters:%s. Likely cause: %s",
                  (unsigned long long)sample.read, codes,
                  dead_letter_cause(most, registry_settings_read(check->options).urls != NULL));
        report_wrong(check, "events", err.text);
    } else if (!sample.read && sample.unread) {
        report_wrong(check, "events", "none of the newest could be read and checked within 10 s");
    } else if (sample.read) {
        report_ok(check, "events", "newest %llu: %llu good, %llu dead letters%s%s", (unsigned long long)sample.read,
                  (unsigned long long)sample.good, (unsigned long long)(sample.read - sample.good), most ? ":" : "",
                  codes);
    } else {
        report_ok(check, "events", "%s holds none yet", check->settings.input_topic);
    }
}

static void check_kafka(struct check *check)
{
    if (connect_kafka(check))
        check_topics(check);
    if (check->input_partitions)
        check_newest(check);
    if (check->client) {
        rd_kafka_consumer_close(check->client);
        rd_kafka_destroy(check->client);
    }
}

static void check_postgresql(struct check *check)
{
    struct error err;
    if (!check->settings.role_sink)
        return;
    if (sink_check(&check->settings, &err) == STATUS_OK)
        report_ok(check, "postgresql", "connected, migrations applied, rights in order");
    else
        report_wrong(check, "postgresql", err.text);
}

/* Its port must be free, so this is for a scorer that does not run yet. */
static void check_http(struct check *check)
{
    struct error err;
    const struct settings *settings = &check->settings;
    if (!settings->role_http && !settings->probes_only)
        return;
    if (http_check(settings, &err) == STATUS_OK)
        report_ok(check, "http", "%s is free", settings->http_listen);
    else
        report_wrong(check, "http", err.text);
}

static void check_registry(struct check *check)
{
    struct error err, finding;
    const struct registry_settings wanted = registry_settings_read(check->options);
    const struct schema_topics topics = {.input = check->settings.input_topic,
                                         .output = check->settings.output_topic,
                                         .alerts = check->settings.alert_topic};
    if (!wanted.urls)
        return;
    if (schema_registry_check(&wanted, check->schema, &topics, &finding, &err) == STATUS_OK)
        report_ok(check, "registry", "%s", finding.text);
    else
        report_wrong(check, "registry", err.text);
}

/* `run` makes it, as its own user. */
static void check_snapshots(struct check *check)
{
    struct error err;
    const struct settings *settings = &check->settings;
    if (settings->snapshot_dir && settings->state_topic && settings->role_score &&
        file_make_private(settings->snapshot_dir, false, &err) == STATUS_DENIED)
        report_wrong(check, "snapshots", err.text);
}

static void check_certificates(const struct check *check)
{
    struct certificates certificates = {0};
    struct buffer text = {0};
    size_t dated = 0, due = 0;
    certificates_read(check->options, &certificates);
    for (size_t s = 0; s < CERTIFICATE_SETTINGS; s++) {
        buffer_clear(&text);
        dated += certificates.items[s].expires_s != 0;
        if (!certificate_warning(&certificates, s, clock_real_us(&clock_system) / 1000000, &text))
            continue;
        due++;
        buffer_add_u8(&text, '\0');
        report_warning("certificates", text.data);
    }
    if (dated && !due)
        report_ok(check, "certificates", "none of %zu expires within 30 days", dated);
    buffer_free(&text);
}

int cmd_check(const struct options *options)
{
    struct check check = {.options = options};
    struct error err;
    const char *directory = options_text(options, OPTION_SCHEMAS_DIR);
    if (schema_load(directory, &check.schema, &err) != STATUS_OK) {
        report_wrong(&check, "schemas", err.text);
        return 1;
    }
    report_ok(&check, "schemas", "%s: %zu columns, event id %u, prediction id %u", directory,
              check.schema->column_count, check.schema->event_schema_id, check.schema->prediction_schema_id);
    if (settings_resolve(options, check.schema, &check.settings, &err) == STATUS_OK) {
        report_ok(&check, "settings", "instance %s, %s", check.settings.instance_id,
                  check.settings.exactly_once ? "exactly-once" : "at-least-once");
        check_certificates(&check);
        check_snapshots(&check);
        check_model(&check);
        check_registry(&check);
        check_kafka(&check);
        check_postgresql(&check);
        check_http(&check);
        settings_release(&check.settings);
    } else {
        report_wrong(&check, "settings", err.text);
    }
    schema_free(check.schema);
    return check.failed ? 1 : 0;
}

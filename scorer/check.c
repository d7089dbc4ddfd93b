/* `scorer check`: everything the daemon needs, looked at once, one line each: what is fine, what is wrong and how to
 * mend it. Changes nothing, except that --create-topics makes missing output topics. Main thread; ends within about a
 * minute whatever is away. */
#include "scorer/commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "events/registry_client.h"
#include "events/schema.h"
#include "kafka/client.h"
#include "scorer/check_sample.h"
#include "scorer/dead_letter_run.h"
#include "scorer/model_holder.h"
#include "scorer/settings.h"
#include "scorer/sink.h"

enum { BROKER_WAIT_US = 5000000, ADMIN_MS = 15000, SAMPLE = 100 };

struct check {
    const struct options *options;
    struct settings settings;
    struct schema *schema;
    rd_kafka_t *client; /* a consumer: its questions never make a topic */
    int input_partitions;
    bool failed;
};

static void __attribute__((format(printf, 3, 4)))
tell_fine(const struct check *check, const char *item, const char *format, ...)
{
    va_list args;
    (void)check;
    printf("ok     %-10s ", item);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

static void tell_wrong(struct check *check, const char *item, const char *text)
{
    printf("wrong  %-10s %s\n", item, text);
    check->failed = true;
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
        tell_fine(check, "model", "%.*s version %.*s, threshold %.4g, positive label %s%s",
                  (int)model->stamp.name.bytes, model->stamp.name.data, (int)model->stamp.version.bytes,
                  model->stamp.version.data, model->threshold, pipeline_positive_label(model->pipeline),
                  pipeline_has_reasons(model->pipeline) ? "" : ", no reference: reasons stay empty");
        model_release(model);
        model_holder_free(models);
    } else {
        tell_wrong(check, "model", err.text);
    }
    free(counters);
}

/* Topics */

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
        tell_wrong(check, "kafka", err.text);
        return false;
    }
    tell_fine(check, "kafka", "%s answers", options_text(check->options, OPTION_BOOTSTRAP_SERVERS));
    return true;
}

static enum status topic_result(rd_kafka_event_t *event, const char *topic, struct error *err)
{
    size_t count = 0;
    if (!event)
        return error_set(err, STATUS_UNAVAILABLE, "topic %s: no answer to the request to make it", topic);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const char *text = rd_kafka_event_error_string(event);
    if (!code && result) {
        const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &count);
        if (count) {
            code = rd_kafka_topic_result_error(topics[0]);
            text = rd_kafka_topic_result_error_string(topics[0]);
        }
    }
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return STATUS_OK;
    return error_set(err, kafka_status(code), "topic %s cannot be made: %s; make it with kafka-topics --create", topic,
                     text ? text : rd_kafka_err2str(code));
}

static enum status create_topic(struct check *check, const char *topic, struct error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, check->input_partitions, -1, text, sizeof text);
    if (!wanted)
        return error_set(err, STATUS_INVALID, "topic %s: %s", topic, text);
    rd_kafka_AdminOptions_t *admin = rd_kafka_AdminOptions_new(check->client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(check->client);
    rd_kafka_AdminOptions_set_operation_timeout(admin, ADMIN_MS, text, sizeof text);
    rd_kafka_CreateTopics(check->client, &wanted, 1, admin, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_MS);
    enum status status = topic_result(event, topic, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(admin);
    rd_kafka_NewTopic_destroy(wanted);
    return status;
}

/* Makes the topic and waits until it is visible. */
static enum status make_topic(struct check *check, const char *topic, int *partitions, struct error *err)
{
    enum status status = create_topic(check, topic, err);
    if (status != STATUS_OK)
        return status;
    for (int try = 0; try < 50; try++) {
        status = kafka_topic_partitions(check->client, topic, partitions, err);
        if (status != STATUS_NOT_FOUND)
            break;
        usleep(100000);
    }
    return status;
}

static void check_output_topic(struct check *check, const char *topic)
{
    struct error err;
    int partitions = 0;
    bool made = false;
    enum status status = kafka_topic_partitions(check->client, topic, &partitions, &err);
    if (status == STATUS_NOT_FOUND && options_flag(check->options, OPTION_CREATE_TOPICS) && check->input_partitions) {
        status = make_topic(check, topic, &partitions, &err);
        made = status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        tell_wrong(check, "topic", err.text);
    } else if (partitions != check->input_partitions && check->input_partitions) {
        error_set(&err, STATUS_INVALID,
                  "%s has %d partitions and the input has %d: kafka-topics --alter --topic %s --partitions %d", topic,
                  partitions, check->input_partitions, topic, check->input_partitions);
        tell_wrong(check, "topic", err.text);
    } else {
        tell_fine(check, "topic", "%s, %d partitions%s", topic, partitions, made ? ", made just now" : "");
    }
}

static void check_topics(struct check *check)
{
    struct error err;
    const struct settings *settings = &check->settings;
    if (kafka_topic_partitions(check->client, settings->input_topic, &check->input_partitions, &err) == STATUS_OK)
        tell_fine(check, "topic", "%s, %d partitions", settings->input_topic, check->input_partitions);
    else
        tell_wrong(check, "topic", err.text);
    check_output_topic(check, settings->output_topic);
    check_output_topic(check, settings->dlq_topic);
    check_output_topic(check, settings->outcome_topic);
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
    if (check_sample_take(&check->settings, check->schema, check->input_partitions, SAMPLE, &sample, &err)) {
        tell_wrong(check, "events", err.text);
        return;
    }
    enum event_code most = list_codes(&sample, codes, sizeof codes);
    if (sample.read && !sample.good) {
        error_set(&err, STATUS_INVALID, "all of the newest %llu would become dead letters:%s. Likely cause: %s",
                  (unsigned long long)sample.read, codes,
                  dead_letter_cause(most, registry_settings_read(check->options).urls != NULL));
        tell_wrong(check, "events", err.text);
    } else if (!sample.read && sample.unread) {
        tell_wrong(check, "events", "none of the newest could be read and judged within 10 s");
    } else if (sample.read) {
        tell_fine(check, "events", "newest %llu: %llu good, %llu dead letters%s%s", (unsigned long long)sample.read,
                  (unsigned long long)sample.good, (unsigned long long)(sample.read - sample.good), most ? ":" : "",
                  codes);
    } else {
        tell_fine(check, "events", "%s holds none yet", check->settings.input_topic);
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
        tell_fine(check, "postgresql", "connected, migrations applied, rights in order");
    else
        tell_wrong(check, "postgresql", err.text);
}

static void check_registry(struct check *check)
{
    struct error err, told;
    const struct registry_settings wanted = registry_settings_read(check->options);
    const struct registry_duties duties = {.input_topic = check->settings.input_topic,
                                           .output_topic = check->settings.output_topic};
    if (!wanted.urls)
        return;
    if (registry_client_check(&wanted, check->schema, &duties, &told, &err) == STATUS_OK)
        tell_fine(check, "registry", "%s", told.text);
    else
        tell_wrong(check, "registry", err.text);
}

int cmd_check(const struct options *options)
{
    struct check check = {.options = options};
    struct error err;
    const char *directory = options_text(options, OPTION_SCHEMAS_DIR);
    if (schema_load(directory, &check.schema, &err) != STATUS_OK) {
        tell_wrong(&check, "schemas", err.text);
        return 1;
    }
    tell_fine(&check, "schemas", "%s: %zu columns, event id %u, prediction id %u", directory,
              check.schema->column_count, check.schema->event_schema_id, check.schema->prediction_schema_id);
    if (settings_resolve(options, check.schema, &check.settings, &err) == STATUS_OK) {
        tell_fine(&check, "settings", "instance %s, %s", check.settings.instance_id,
                  check.settings.exactly_once ? "exactly-once" : "at-least-once");
        check_model(&check);
        check_registry(&check);
        check_kafka(&check);
        check_postgresql(&check);
        settings_release(&check.settings);
    } else {
        tell_wrong(&check, "settings", err.text);
    }
    schema_free(check.schema);
    return check.failed ? 1 : 0;
}

/* Options → settings: combinations, legal names, and the stable identity of this process. See settings.h.
 *
 * Called once at start by daemon.c and check.c, on the main thread. The identity is the host name and a slot number; a
 * slot is ours while we hold the lock on its file, so two processes alike on one host differ and a restart finds its
 * own. */
#include "scorer/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/conninfo.h"
#include "base/memory.h"
#include "kafka/client.h"

enum { SLOTS = 1024, SINK_BATCH_BYTES = 8 * 1024 * 1024, STAGED_BYTES = 16 * 1024 * 1024 };

/* Kafka's rule for topic names, also applied to the group because it becomes part of a file name. */
static enum status check_name(const char *flag, const char *text, struct error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t bytes = strlen(text);
    if (bytes > 0 && bytes <= 249 && strspn(text, letters) == bytes && strcmp(text, ".") && strcmp(text, ".."))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "--%s: \"%s\" is not a legal name (letters, digits, '.', '_', '-'; at most 249)", flag, text);
}

static enum status check_topics(const struct settings *settings, struct error *err)
{
    const char *const flags[] = {"input-topic",   "output-topic", "dlq-topic",
                                 "outcome-topic", "state-topic",  "alert-topic"};
    const char *const names[] = {settings->input_topic,   settings->output_topic, settings->dlq_topic,
                                 settings->outcome_topic, settings->state_topic,  settings->alert_topic};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i] && check_name(flags[i], names[i], err) != STATUS_OK)
            return err->status;
        for (size_t j = 0; j < i && names[i]; j++)
            if (names[j] && !strcmp(names[i], names[j]))
                return error_set(err, STATUS_INVALID, "--%s and --%s are both \"%s\": each needs a topic of its own",
                                 flags[j], flags[i], names[i]);
    }
    return STATUS_OK;
}

/* all, flagged or near:D. */
static enum status read_reasons_for(const char *text, double *near, struct error *err)
{
    static const char prefix[] = "near:";
    const char *number = strncmp(text, prefix, sizeof prefix - 1) ? "" : text + sizeof prefix - 1;
    char *end = NULL;
    if (!strcmp(text, "all") || !strcmp(text, "flagged")) {
        *near = *text == 'a' ? INFINITY : 0;
        return STATUS_OK;
    }
    *near = strtod(number, &end);
    if (end != number && !*end && *near >= 0 && *near <= 1)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "--reasons-for must be all, flagged or near:D with D from 0 to 1 (such as near:0.1), not '%s'",
                     text);
}

/* An open, locked file, or -1 with errno. Another user's file counts as taken. */
static int lock_slot(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file >= 0 && flock(file, LOCK_EX | LOCK_NB)) {
        int kept = errno;
        close(file);
        errno = kept;
        return -1;
    }
    return file;
}

static bool taken(int error_number)
{
    return error_number == EWOULDBLOCK || error_number == EACCES || error_number == EPERM;
}

static enum status no_slot(struct error *err, const char *directory)
{
    int why = errno;
    return error_set(err, why == ENOENT ? STATUS_NOT_FOUND : STATUS_IO,
                     "cannot lock a slot in %.300s: %s; name a directory that can be written with --state-dir, or give "
                     "--instance-id",
                     directory, strerror(why));
}

static enum status take_slot(const char *directory, struct settings *out, struct error *err)
{
    char path[4096], host[128];
    if (gethostname(host, sizeof host))
        return error_set(err, STATUS_IO, "cannot get the host's name: %s; give --instance-id", strerror(errno));
    host[sizeof host - 1] = '\0';
    if (access(directory, W_OK | X_OK))
        return no_slot(err, directory);
    for (int slot = 0; slot < SLOTS; slot++) {
        if (snprintf(path, sizeof path, "%s/attrition-%s-%d.lock", directory, out->group_id, slot) >= (int)sizeof path)
            return error_set(err, STATUS_INVALID, "--state-dir: the path is too long");
        out->slot_lock = lock_slot(path);
        if (out->slot_lock >= 0) {
            snprintf(out->instance_id, sizeof out->instance_id, "%s-%d", host, slot);
            return STATUS_OK;
        }
        if (!taken(errno))
            return no_slot(err, directory);
    }
    return error_set(err, STATUS_LIMIT, "all %d slots in %s are taken; give --instance-id", SLOTS, directory);
}

static enum status take_identity(const struct options *options, struct settings *out, struct error *err)
{
    const char *given = options_text(options, OPTION_INSTANCE_ID);
    const char *directory = options_text(options, OPTION_STATE_DIR);
    if (given && *given) {
        if (strlen(given) > 100)
            return error_set(err, STATUS_INVALID, "--instance-id: longer than 100 characters");
        snprintf(out->instance_id, sizeof out->instance_id, "%s", given);
        return check_name("instance-id", given, err);
    }
    if (!directory || !*directory)
        directory = getenv("XDG_RUNTIME_DIR");
    return take_slot(directory && *directory ? directory : "/tmp", out, err);
}

struct memory_needs settings_memory_needs(const struct settings *settings)
{
    int64_t workers = settings->role_score ? settings->workers : 0;
    return (struct memory_needs){
        .limit = settings->memory_limit,
        .consumers = workers + settings->role_sink,
        .producers = workers + settings->role_http,
        .sink = settings->role_sink,
        .states = settings->state_topic ? workers : 0,
    };
}

static enum status split_memory(struct settings *settings, struct error *err)
{
    struct memory_shares shares;
    const struct memory_needs needs = settings_memory_needs(settings);
    if (memory_split(settings->options, &needs, &shares, err) != STATUS_OK)
        return err->status;
    kafka_limit_memory(shares.consumer, shares.producer);
    settings->staged_bytes = shares.staged ? shares.staged : STAGED_BYTES;
    settings->state_bytes = settings->snapshot_dir ? shares.state / 2 : shares.state; /* a snapshot is a copy */
    settings->sink_batch_bytes = shares.sink_batch ? shares.sink_batch : SINK_BATCH_BYTES;
    return STATUS_OK;
}

/* Schemas without that of current records have nothing to keep, unless somebody wants it. */
static void choose_state_topic(struct settings *settings)
{
    const char *given = options_text(settings->options, OPTION_STATE_TOPIC);
    settings->state_given = given && *given;
    if (settings->state_given) {
        settings->state_topic = strcmp(given, "none") ? given : NULL;
    } else if (settings->schema && settings->schema->state) {
        struct buffer name = {0};
        buffer_printf(&name, "%s-state", settings->group_id);
        settings->state_topic = settings->state_topic_name = mem_text(name.data);
        buffer_free(&name);
    }
}

/* Without current records, or schemas without that of alerts, there are none unless somebody wants them: a sink alone
 * may read what others write. */
static void choose_alert_topic(struct settings *settings)
{
    const char *topic = options_text(settings->options, OPTION_ALERT_TOPIC);
    settings->alert_given = options_given(settings->options, OPTION_ALERT_TOPIC);
    bool wanted = settings->alert_given || (settings->state_topic && settings->schema && settings->schema->alert);
    settings->alert_topic = wanted && strcmp(topic, "none") ? topic : NULL;
}

static enum status check_alerts(const struct settings *settings, struct error *err)
{
    if (!settings->alert_topic)
        return STATUS_OK;
    if (!settings->schema->alert)
        return error_set(err, STATUS_INVALID,
                         "--alert-topic: these schemas have no alert.avsc with its row \"alert\" in ids.json; copy the "
                         "shipped one, or set --alert-topic none");
    if (settings->role_score && !settings->state_topic)
        return error_set(err, STATUS_INVALID,
                         "--alert-topic: an alert compares a prediction with the one before, which needs current "
                         "records: set --state-topic too, or --alert-topic none");
    return STATUS_OK;
}

static enum status check_state(const struct settings *settings, struct error *err)
{
    if (!settings->state_topic || !settings->schema || settings->schema->state)
        return STATUS_OK;
    return error_set(
        err, STATUS_INVALID,
        "--state-topic: these schemas have no employee_state.avsc with its row \"state\" in ids.json; copy "
        "the shipped one and give its attributes the event's fields, or set --state-topic none");
}

static enum status load_map(struct settings *settings, struct error *err)
{
    const char *path = options_text(settings->options, OPTION_INPUT_MAP);
    if (!path || !*path)
        return STATUS_OK;
    enum status status = input_map_load(path, settings->schema, &settings->input_map, err);
    if (status != STATUS_OK)
        return error_prefix(err, "--map");
    settings->json.map = settings->input_map;
    return STATUS_OK;
}

/* Whether librdkafka takes the properties given: found here, a mistake is a usage error, not a failed thread. */
static enum status check_properties(const struct options *options, struct error *err)
{
    static const rd_kafka_type_t types[] = {RD_KAFKA_CONSUMER, RD_KAFKA_PRODUCER};
    for (size_t i = 0; i < 2; i++) {
        rd_kafka_conf_t *conf;
        enum status status = kafka_conf(options, types[i], NULL, &conf, err);
        if (status != STATUS_OK)
            return status;
        rd_kafka_conf_destroy(conf);
    }
    return STATUS_OK;
}

static const char *text_or_null(const struct options *options, enum option_id id)
{
    const char *text = options_text(options, id);
    return text && *text ? text : NULL;
}

static enum status check_metrics_token(const struct settings *settings, struct error *err)
{
    if (!settings->metrics_token || secret_text(settings->http_token) || settings->http_tokens_file)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID, "--metrics-token needs a token: set HTTP_TOKEN or HTTP_TOKENS_FILE too");
}

/* What follows from the options, and whether they go together. */
static enum status settings_complete(struct settings *settings, struct error *err)
{
    const struct options *options = settings->options;
    enum status status = check_properties(options, err);
    if (status == STATUS_OK)
        status = split_memory(settings, err);
    if (status == STATUS_OK)
        status = check_topics(settings, err);
    if (status == STATUS_OK)
        status = check_state(settings, err);
    if (status == STATUS_OK)
        status = check_alerts(settings, err);
    if (status == STATUS_OK)
        status = read_reasons_for(options_text(options, OPTION_REASONS_FOR), &settings->reasons_near, err);
    if (status == STATUS_OK)
        status = check_name("group-id", settings->group_id, err);
    if (status == STATUS_OK)
        status = conninfo_check("DATABASE_URL", secret_text(settings->database_url), err);
    if (status == STATUS_OK)
        status = check_metrics_token(settings, err);
    if (status == STATUS_OK)
        status = load_map(settings, err);
    if (status == STATUS_OK)
        status = take_identity(options, settings, err);
    return status;
}

enum status settings_resolve(const struct options *options, const struct schema *schema, struct settings *out,
                             struct error *err)
{
    struct secret database = options_secret(options, OPTION_DATABASE_URL);
    struct secret reads = options_secret(options, OPTION_DATABASE_READ_URL);
    struct settings settings = {
        .options = options,
        .schema = schema,
        .input_topic = options_text(options, OPTION_INPUT_TOPIC),
        .output_topic = options_text(options, OPTION_OUTPUT_TOPIC),
        .dlq_topic = options_text(options, OPTION_DLQ_TOPIC),
        .outcome_topic = options_text(options, OPTION_OUTCOME_TOPIC),
        .alert_rules = {options_share(options, OPTION_ALERT_HYSTERESIS), options_share(options, OPTION_ALERT_DELTA)},
        .group_id = options_text(options, OPTION_GROUP_ID),
        .role_score = options_has_word(options, OPTION_ROLES, ROLE_SCORE),
        .role_sink = options_has_word(options, OPTION_ROLES, ROLE_SINK),
        .role_http = options_has_word(options, OPTION_ROLES, ROLE_HTTP),
        .exactly_once = options_word(options, OPTION_DELIVERY) == DELIVERY_EXACTLY_ONCE,
        .exit_at_end = options_flag(options, OPTION_EXIT_AT_END),
        .workers = (unsigned)options_integer(options, OPTION_WORKERS),
        .reasons = (uint32_t)options_integer(options, OPTION_REASONS),
        .commit_interval_us = options_duration_us(options, OPTION_COMMIT_INTERVAL),
        .commit_events = options_integer(options, OPTION_COMMIT_EVENTS),
        .drain_deadline_us = options_duration_us(options, OPTION_DRAIN_DEADLINE),
        .ready_timeout_us = options_duration_us(options, OPTION_READY_TIMEOUT),
        .watchdog_us = options_duration_us(options, OPTION_WATCHDOG),
        .memory_limit = options_size(options, OPTION_MEMORY_LIMIT),
        .max_future_us = options_duration_us(options, OPTION_MAX_FUTURE),
        .input_format = (enum input_format)options_word(options, OPTION_INPUT_FORMAT),
        .null_ignored = options_word(options, OPTION_NULL_VALUE) == NULL_VALUE_IGNORE,
        .null_given = options_given(options, OPTION_NULL_VALUE),
        .time_unit = time_unit_find(options_text(options, OPTION_TIME_UNIT)),
        .model_uri = options_text(options, OPTION_MODEL_URI),
        .model_poll_us = options_duration_us(options, OPTION_MODEL_POLL_INTERVAL),
        .tracking_uri = options_text(options, OPTION_TRACKING_URI),
        .database_url = secret_text(database) ? database : (struct secret){.text = ""},
        .database_read_url = secret_text(reads)      ? reads
                             : secret_text(database) ? database
                                                     : (struct secret){.text = ""},
        .sink_rows = options_integer(options, OPTION_SINK_ROWS),
        .sink_interval_us = options_duration_us(options, OPTION_SINK_INTERVAL),
        .snapshot_dir = text_or_null(options, OPTION_STATE_SNAPSHOT_DIR),
        .http_listen = options_text(options, OPTION_HTTP_LISTEN),
        .http_token = options_secret(options, OPTION_HTTP_TOKEN),
        .http_tokens_file = text_or_null(options, OPTION_HTTP_TOKENS_FILE),
        .http_hosts = text_or_null(options, OPTION_HTTP_HOSTS),
        .http_probes_listen = text_or_null(options, OPTION_HTTP_PROBES_LISTEN),
        .metrics_token = options_flag(options, OPTION_METRICS_TOKEN),
        .stream_url = options_text(options, OPTION_STREAM_URL),
        .http_cors_origins = options_text(options, OPTION_HTTP_CORS_ORIGINS),
        .http_rate = options_integer(options, OPTION_HTTP_RATE),
        .http_log_timeout_us = options_duration_us(options, OPTION_HTTP_LOG_TIMEOUT),
        .http_threads = (unsigned)options_integer(options, OPTION_HTTP_THREADS),
        .http_access_log = options_flag(options, OPTION_HTTP_ACCESS_LOG),
        .slot_lock = -1,
    };
    settings.json = (struct json_settings){
        .time_unit = settings.time_unit,
        .refuse_deletes = options_word(options, OPTION_CDC_DELETE) == CDC_DELETE_DEAD_LETTER,
    };
    settings.probes_only =
        !settings.role_http && (options_given(options, OPTION_HTTP_LISTEN) || settings.http_probes_listen);
    if (settings.probes_only && !options_given(options, OPTION_HTTP_LISTEN)) {
        settings.http_listen = settings.http_probes_listen;
        settings.http_probes_listen = NULL;
    }
    choose_state_topic(&settings);
    choose_alert_topic(&settings);
    enum status status = settings_complete(&settings, err);
    if (status == STATUS_OK)
        *out = settings;
    else
        settings_release(&settings);
    return status;
}

void settings_release(struct settings *settings)
{
    if (settings->slot_lock >= 0)
        close(settings->slot_lock);
    settings->slot_lock = -1;
    free(settings->state_topic_name);
    settings->state_topic_name = NULL;
    input_map_free(settings->input_map);
    settings->input_map = NULL;
    settings->json.map = NULL;
}

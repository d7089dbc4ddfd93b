/* librdkafka as all programs here use it: see client.h.
 *
 * Called at start by every program and every loop, from their own threads; librdkafka calls log_cb from its threads and
 * error_cb and stats_cb from whoever polls. What is known about the brokers is one state for the process, because all
 * its clients talk to one cluster: a change of it is one log line, however many clients notice. Never prints a value
 * that may be a secret. */
#include "kafka/client.h"

#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/availability.h"
#include "kafka/call_watchdog.h"
#include "kafka/credentials.h"
#include "kafka/connect_error.h"

enum {
    SCOPE_CONSUMER = 1,
    SCOPE_PRODUCER = 2,
    WAIT_STEP_MS = 1000,
    CALL_TIMEOUT_MS = 10000,
    DOWN_AFTER_US = 2000000,    /* no broker up for so long is worth a line */
    REPEAT_AFTER_US = 30000000, /* the same kind of line from librdkafka again at the earliest after this */
    TOPIC_WAIT_US = 2000000,    /* a topic that was just made has no leader yet */
};

/* Properties that are not the user's, each with the reason. */
static const struct kafka_property refused[] = {
    {"transactional.id", "it is made from group, instance and worker, so that a restart fences its own past"},
    {"enable.idempotence", "without it a retry could repeat or reorder records"},
    {"isolation.level", "only committed records may be read, or aborted transactions would count"},
    {"enable.auto.commit", "offsets are committed together with the outputs they belong to"},
    {"auto.commit.enable", "offsets are committed together with the outputs they belong to"},
    {"enable.auto.offset.store", "offsets are committed together with the outputs they belong to"},
    {"offset.store.method", "offsets are committed together with the outputs they belong to"},
    {"delivery.report.only.error", "delivery reports decide when offsets may be committed"},
    {"partition.assignment.strategy", "the loops are written for eager assignment (range,roundrobin)"},
    {"group.id", "it is set by --group-id or GROUP_ID"},
    {"group.instance.id", "it is made from --instance-id or INSTANCE_ID"},
    {"enable.partition.eof", "the end of a partition shows positions one past commit markers"},
    {"metadata.broker.list", "brokers are named by --bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS"},
};

static const struct kafka_property defaults[] = {
    {"partitioner", "murmur2_random"}, /* Java's: else joins with Java producers break */
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "earliest"},
    {"partition.assignment.strategy", "range,roundrobin"},
    {"acks", "all"},
    {"linger.ms", "5"},
    {"queue.buffering.max.kbytes", "262144"},
    {"transaction.timeout.ms", "10000"}, /* how long a killed scorer can block readers */
    {"session.timeout.ms", "10000"},     /* how long its partitions wait for it */
    {"queued.max.messages.kbytes", "32768"},
    {"fetch.wait.max.ms", "100"},
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.max.ms", "2000"},
    {"log.connection.close", "true"}, /* never logged as such, but the reason of the line that no broker answers */
    {"topic.metadata.refresh.interval.ms", "10000"}, /* an idle producer learns by it that no broker answers; and
                                                        new partitions are noticed */
    {"statistics.interval.ms", "1000"},              /* feeds stats_cb: a change is logged */
};

/* Of newer librdkafkas, where the one at hand knows them. From 2.10 on, a client that has lost its brokers forgets what
 * it knew and asks the first ones again; 2.16 was seen to hang there with a transaction open, and
 * 2.16.0 hangs after outages with either setting (RATIONALE.md). From 2.2 on it can be
 * set how soon it looks whether a full queue has room again (before: kafka/prefetch.h). */
static const struct kafka_property newer_defaults[] = {
    {"metadata.recovery.strategy", "none"},
    {"fetch.queue.backoff.ms", "10"},
};

/* A librdkafka property and which client types know it; read once from librdkafka's own list. */
struct known_property {
    char name[64];
    unsigned scope;
};

static struct {
    struct known_property *items;
    size_t count;
} known;
static pthread_once_t known_once = PTHREAD_ONCE_INIT;

/* --memory-limit: set before the first thread starts. Bytes; 0: none. */
static struct {
    int64_t consumer, producer;
} limits;

/* What the process knows of its brokers. Guarded by the mutex. */
static struct {
    pthread_mutex_t mutex;
    bool down_logged;
    int64_t suspect_since_us; /* steady clock; since then no client has a connection; 0: one has */
    uint64_t denials;
    unsigned waiters; /* in kafka_wait_for_broker, whose error says it */
    char reason[512];
    struct {
        char facility[24];
        int64_t logged_us;
        unsigned suppressed;
    } lines[32];
    size_t line_count;
    char noticed[64][64]; /* ignored variables already logged, by their first 63 bytes */
    size_t noticed_count;
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void known_add(const char *line)
{
    char name[64], scope[8];
    if (sscanf(line, " %63[a-z.A-Z0-9_-] | %7[*CP]", name, scope) != 2)
        return;
    known.items = mem_resize(known.items, known.count + 1, sizeof *known.items);
    struct known_property *item = &known.items[known.count++];
    snprintf(item->name, sizeof item->name, "%s", name);
    item->scope = scope[0] == 'C' ? SCOPE_CONSUMER : scope[0] == 'P' ? SCOPE_PRODUCER : SCOPE_CONSUMER | SCOPE_PRODUCER;
}

static void known_load(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    if (!memory)
        return;
    rd_kafka_conf_properties_show(memory);
    fclose(memory);
    char *position = NULL;
    for (char *line = strtok_r(text, "\n", &position); line; line = strtok_r(NULL, "\n", &position))
        known_add(line);
    free(text);
}

/* Whether a client of this type has a use for the property; true for names the list does not have (hidden ones). */
static bool applies(const char *name, rd_kafka_type_t type)
{
    pthread_once(&known_once, known_load);
    unsigned scope = 0;
    for (size_t i = 0; i < known.count; i++)
        if (!strcmp(known.items[i].name, name))
            scope |= known.items[i].scope;
    return !scope || scope & (type == RD_KAFKA_CONSUMER ? SCOPE_CONSUMER : SCOPE_PRODUCER);
}

static bool may_be_secret(const char *name)
{
    static const char *const parts[] = {"password", "secret", "pem", "oauthbearer.config", "token"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i]))
            return true;
    return false;
}

static const char *reason_refused(const char *name)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (!strcmp(refused[i].name, name))
            return refused[i].value;
    return NULL;
}

/* Sets one property; *unknown: a name that librdkafka does not have (then STATUS_OK, nothing set). */
static enum status set_property(rd_kafka_conf_t *conf, const char *given_as, const char *name, const char *value,
                                bool *unknown, struct error *err)
{
    char text[256];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, text, sizeof text);
    *unknown = result == RD_KAFKA_CONF_UNKNOWN;
    if (result != RD_KAFKA_CONF_INVALID)
        return STATUS_OK;
    if (may_be_secret(name))
        return error_set(err, STATUS_INVALID, "%s: librdkafka refused the value of %s (not shown)", given_as, name);
    return error_set(err, STATUS_INVALID, "%s: %s", given_as, text);
}

static enum status set_known(rd_kafka_conf_t *conf, rd_kafka_type_t type, const struct kafka_property *property,
                             struct error *err)
{
    bool unknown;
    if (!applies(property->name, type))
        return STATUS_OK;
    enum status status = set_property(conf, "default", property->name, property->value, &unknown, err);
    assert(status != STATUS_OK || !unknown);
    return status;
}

static void notice_ignored(const char *variable)
{
    bool is_new = true;
    pthread_mutex_lock(&state.mutex);
    for (size_t i = 0; i < state.noticed_count; i++)
        if (!strncmp(state.noticed[i], variable, sizeof *state.noticed - 1))
            is_new = false;
    if (is_new && state.noticed_count < sizeof state.noticed / sizeof *state.noticed)
        snprintf(state.noticed[state.noticed_count++], sizeof *state.noticed, "%s", variable);
    pthread_mutex_unlock(&state.mutex);
    if (is_new)
        log_info("kafka", "environment variable %s is ignored: librdkafka has no such property", variable);
}

/* KAFKA_SASL_USERNAME → sasl.username. False: too long to be a property. */
static bool property_name(const char *variable, char *out, size_t capacity)
{
    static const char prefix[] = "KAFKA_";
    assert(!strncmp(variable, prefix, sizeof prefix - 1));
    const char *rest = variable + sizeof prefix - 1;
    size_t bytes = strlen(rest);
    if (bytes >= capacity)
        return false;
    for (size_t i = 0; i <= bytes; i++)
        out[i] = rest[i] == '_' ? '.' : (char)tolower((unsigned char)rest[i]);
    return true;
}

static enum status set_from_environment(rd_kafka_conf_t *conf, rd_kafka_type_t type, const struct option_pair *pair,
                                        struct error *err)
{
    char name[128];
    bool unknown = true;
    if (!strcmp(pair->name, "KAFKA_BOOTSTRAP_SERVERS")) /* an option: its flag goes before it */
        return STATUS_OK;
    if (property_name(pair->name, name, sizeof name)) {
        const char *reason = reason_refused(name);
        if (reason)
            return error_set(err, STATUS_INVALID, "%s cannot be set: %s", pair->name, reason);
        if (!applies(name, type))
            return STATUS_OK;
        if (set_property(conf, pair->name, name, option_pair_value(pair), &unknown, err) != STATUS_OK)
            return err->status;
    }
    if (unknown)
        notice_ignored(pair->name);
    return STATUS_OK;
}

static enum status set_from_flag(rd_kafka_conf_t *conf, rd_kafka_type_t type, const struct option_pair *pair,
                                 struct error *err)
{
    bool unknown;
    const char *reason = reason_refused(pair->name);
    if (reason)
        return error_set(err, STATUS_INVALID, "-X %s cannot be set: %s", pair->name, reason);
    if (!applies(pair->name, type))
        return STATUS_OK;
    enum status status = set_property(conf, "-X", pair->name, pair->value, &unknown, err);
    if (status == STATUS_OK && unknown)
        return error_set(err, STATUS_INVALID,
                         "-X %s: librdkafka %s has no such property (its CONFIGURATION.md lists them)", pair->name,
                         rd_kafka_version_str());
    return status;
}

/* One line per kind and half minute: librdkafka repeats itself while a broker is unavailable. */
static bool may_log(const char *facility, unsigned *suppressed)
{
    int64_t now = clock_steady_us(&clock_system);
    size_t i = 0;
    *suppressed = 0;
    while (i < state.line_count && strcmp(state.lines[i].facility, facility))
        i++;
    if (i == sizeof state.lines / sizeof *state.lines)
        return false;
    if (i == state.line_count) {
        snprintf(state.lines[i].facility, sizeof state.lines[i].facility, "%s", facility);
        state.lines[i].logged_us = now - REPEAT_AFTER_US;
        state.lines[i].suppressed = 0;
        state.line_count++;
    }
    if (now - state.lines[i].logged_us < REPEAT_AFTER_US) {
        state.lines[i].suppressed++;
        return false;
    }
    *suppressed = state.lines[i].suppressed;
    state.lines[i].suppressed = 0;
    state.lines[i].logged_us = now;
    return true;
}

static void kafka_log_limited(enum log_level level, const char *facility, const char *text)
{
    unsigned suppressed;
    pthread_mutex_lock(&state.mutex);
    bool go = may_log(facility, &suppressed);
    pthread_mutex_unlock(&state.mutex);
    if (go && suppressed)
        log_line(level, "kafka", "%s: %s (%u more suppressed)", facility, text, suppressed);
    else if (go)
        log_line(level, "kafka", "%s: %s", facility, text);
}

/* What our own lines say better, or nobody needs: connections that fail, transactions that are tried again. */
static bool is_ours_to_log(const char *facility)
{
    static const char *const quiet[] = {"FAIL",       "ERROR",    "GETPID", "TXNERR",
                                        "ADDOFFSETS", "REQTMOUT", "FATAL",  "SSLCERTVRFY"};
    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
        if (!strcmp(quiet[i], facility))
            return true;
    return false;
}

/* librdkafka's threads. Connection failures become the reason of the one line that says that brokers are unavailable.
 */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    if (level >= 7) {
        log_debug("kafka", "%s: %s", facility, text);
        return;
    }
    if (is_ours_to_log(facility)) {
        const char *detail = strncmp(text, "[thrd:", 6) ? NULL : strstr(text, "]: ");
        pthread_mutex_lock(&state.mutex);
        if (!strcmp(facility, "FAIL"))
            snprintf(state.reason, sizeof state.reason, "%.*s", (int)sizeof state.reason - 1,
                     detail ? detail + 3 : text);
        pthread_mutex_unlock(&state.mutex);
        log_debug("kafka", "%s: %s", facility, text);
        return;
    }
    kafka_log_limited(level <= 3 ? LOG_LEVEL_ERROR : level == 4 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, facility, text);
}

static void note_denied(const char *reason)
{
    char text[sizeof state.reason];
    connect_error_explain(reason, text, sizeof text);
    pthread_mutex_lock(&state.mutex);
    state.denials++;
    state.down_logged = true; /* as this, once */
    snprintf(state.reason, sizeof state.reason, "%s", reason);
    bool reported = state.waiters > 0;
    pthread_mutex_unlock(&state.mutex);
    if (!reported)
        kafka_log_limited(LOG_LEVEL_ERROR, "denied", text);
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    (void)opaque;
    char fatal[256];
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
        return;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        pthread_mutex_lock(&state.mutex);
        if (!state.suspect_since_us)
            state.suspect_since_us = clock_steady_us(&clock_system);
        pthread_mutex_unlock(&state.mutex);
        return;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
        note_denied(reason);
        return;
    case RD_KAFKA_RESP_ERR__FATAL:
        if (rd_kafka_fatal_error(client, fatal, sizeof fatal))
            kafka_log_limited(LOG_LEVEL_ERROR, "fatal", fatal);
        return;
    default:
        kafka_log_limited(LOG_LEVEL_WARN, rd_kafka_err2name((rd_kafka_resp_err_t)code), reason);
    }
}

/* Under the mutex. Any answer since then ends a suspicion. */
static bool available_now(int64_t now_us)
{
    if (state.suspect_since_us && kafka_availability.answered_us > state.suspect_since_us)
        state.suspect_since_us = 0;
    bool suspect = state.suspect_since_us && now_us - state.suspect_since_us > DOWN_AFTER_US;
    return !suspect && availability_is_up(&kafka_availability, now_us);
}

/* Returns +1 when a broker answers again, -1 when all have just been found unavailable. */
static int note_brokers(char *reason, size_t capacity)
{
    int change = 0;
    pthread_mutex_lock(&state.mutex);
    int64_t now = clock_steady_us(&clock_system);
    if (available_now(now)) {
        change = state.down_logged;
        state.down_logged = false;
    } else if (state.waiters && connect_error_is_denial(state.reason)) {
        change = 0; /* its error is about to say so */
    } else if (kafka_availability.answered_us || state.suspect_since_us) {
        change = state.down_logged ? 0 : -1;
        state.down_logged = true;
    }
    if (state.suspect_since_us && state.reason[0])
        connect_error_explain(state.reason, reason, capacity);
    else if (!kafka_availability.answered_us)
        snprintf(reason, capacity, "none has answered yet");
    else
        snprintf(reason, capacity, "connected, but no answer to a request for %d s", ANSWER_LIMIT_US / 1000000);
    pthread_mutex_unlock(&state.mutex);
    return change;
}

static void log_change(int change, const char *reason)
{
    if (change > 0)
        log_info("kafka", "a broker answers again");
    if (change < 0)
        log_warn("kafka", "no broker answers (%s); waiting until one does", reason);
}

void kafka_look(void)
{
    char reason[sizeof state.reason];
    log_change(note_brokers(reason, sizeof reason), reason);
    call_watchdog_check(kafka_up(), clock_steady_us(&clock_system));
}

static int on_stats(rd_kafka_t *client, char *json, size_t bytes, void *opaque)
{
    (void)client, (void)json, (void)bytes, (void)opaque;
    kafka_look();
    return 0;
}

static enum status apply_all(const struct options *options, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                             struct error *err)
{
    const struct option_pair *pairs;
    enum status status = STATUS_OK;
    struct kafka_property servers = {"bootstrap.servers", options_text(options, OPTION_BOOTSTRAP_SERVERS)};
    if (servers.value[strspn(servers.value, ", ")] == '\0')
        return error_set(err, STATUS_INVALID, "--bootstrap-servers (KAFKA_BOOTSTRAP_SERVERS) names no broker");
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults && status == STATUS_OK; i++)
        status = set_known(conf, type, &defaults[i], err);
    for (size_t i = 0; i < sizeof newer_defaults / sizeof *newer_defaults && status == STATUS_OK; i++) {
        bool unknown;
        status = set_property(conf, "default", newer_defaults[i].name, newer_defaults[i].value, &unknown, err);
    }
    if (status == STATUS_OK)
        status = set_known(conf, type, &servers, err);
    size_t count = options_environment(options, &pairs);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = set_from_environment(conf, type, &pairs[i], err);
    count = options_properties(options, &pairs);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = set_from_flag(conf, type, &pairs[i], err);
    return status;
}

void kafka_limit_memory(int64_t consumer_bytes, int64_t producer_bytes)
{
    limits.consumer = consumer_bytes;
    limits.producer = producer_bytes;
}

/* A consumer holds what it fetched ahead, the answer under way, and the batch at hand: a third for each. */
static enum status apply_limits(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct error *err)
{
    char queue[32], fetch[32];
    int64_t bytes = type == RD_KAFKA_CONSUMER ? limits.consumer / 3 : limits.producer;
    const struct kafka_property rows[] = {
        {type == RD_KAFKA_CONSUMER ? "queued.max.messages.kbytes" : "queue.buffering.max.kbytes", queue},
        {"fetch.max.bytes", fetch}, /* a consumer's alone */
    };
    enum status status = STATUS_OK;
    snprintf(queue, sizeof queue, "%lld", (long long)bytes / 1024);
    snprintf(fetch, sizeof fetch, "%lld", (long long)bytes);
    for (size_t i = 0; i < 2 && bytes && status == STATUS_OK; i++)
        status = set_known(conf, type, &rows[i], err);
    return status;
}

enum status kafka_conf(const struct options *options, rd_kafka_type_t type, const struct kafka_property *fixed,
                       rd_kafka_conf_t **out, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum status status = apply_all(options, type, conf, err);
    for (; status == STATUS_OK && fixed && fixed->name; fixed++)
        status = set_known(conf, type, fixed, err);
    if (status == STATUS_OK)
        status = apply_limits(type, conf, err);
    if (status == STATUS_OK)
        status = availability_watch(conf, err);
    if (status == STATUS_OK)
        status = credentials_watch(conf, err);
    if (status != STATUS_OK) {
        rd_kafka_conf_destroy(conf);
        return status;
    }
    connect_error_watch(conf);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_stats_cb(conf, on_stats);
    *out = conf;
    return STATUS_OK;
}

static const char ssl_hint[] = "; each KAFKA_SSL_…_LOCATION must be a PEM file that this user may read, and the key "
                               "the certificate's";

enum status kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t **conf, rd_kafka_t **out, struct error *err)
{
    char text[256];
    rd_kafka_t *client = rd_kafka_new(type, *conf, text, sizeof text);
    if (!client) { /* the conf is left: what interceptors have added to the client's copy of it is freed, and would be
                      freed again */
        *conf = NULL;
        return error_set(err, STATUS_INVALID, "librdkafka refused the configuration: %s%s", text,
                         strstr(text, "ssl.") ? ssl_hint : "");
    }
    *conf = NULL;
    *out = client;
    return STATUS_OK;
}

enum status kafka_status(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return STATUS_OK;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
        return STATUS_UNSUPPORTED;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
        return STATUS_NOT_FOUND;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return STATUS_DENIED;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
        return STATUS_CONFLICT;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return STATUS_LIMIT;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__FATAL:
        return STATUS_INVALID;
    default:
        return STATUS_UNAVAILABLE;
    }
}

static uint64_t denials(char *reason, size_t capacity)
{
    pthread_mutex_lock(&state.mutex);
    uint64_t count = state.denials;
    snprintf(reason, capacity, "%s", state.reason[0] ? state.reason : "no answer");
    pthread_mutex_unlock(&state.mutex);
    return count;
}

static void suspect_brokers(void)
{
    pthread_mutex_lock(&state.mutex);
    if (!state.suspect_since_us)
        state.suspect_since_us = clock_steady_us(&clock_system) - DOWN_AFTER_US - 1;
    pthread_mutex_unlock(&state.mutex);
}

static enum status refused_error(const char *where, const char *reason, struct error *err)
{
    char text[sizeof state.reason];
    bool explained = connect_error_explain(reason, text, sizeof text);
    return error_set(err, STATUS_DENIED, "%s: the broker refused us (%s)%s", where, text,
                     explained ? "" : "; check KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_* and KAFKA_SSL_*");
}

static enum status unanswered_error(const char *where, const char *reason, struct error *err)
{
    char text[sizeof state.reason];
    connect_error_explain(reason, text, sizeof text);
    return error_set(err, STATUS_UNAVAILABLE, "%s: no broker answers (%s)", where, text);
}

static void note_waiter(int change)
{
    pthread_mutex_lock(&state.mutex);
    state.waiters += (unsigned)change;
    pthread_mutex_unlock(&state.mutex);
}

static enum status wait_for_broker(rd_kafka_t *client, const char *where, int64_t deadline_us, const _Atomic bool *stop,
                                   struct error *err)
{
    char reason[sizeof state.reason];
    uint64_t denied_before = denials(reason, sizeof reason);
    for (int step = 0;; step++) {
        const struct rd_kafka_metadata *metadata;
        rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, NULL, &metadata, WAIT_STEP_MS);
        rd_kafka_poll(client, 0);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(metadata);
            kafka_look();
            return STATUS_OK;
        }
        if (denials(reason, sizeof reason) != denied_before || kafka_status(code) == STATUS_DENIED)
            return refused_error(where, reason, err);
        if ((stop && *stop) || (deadline_us && clock_steady_us(&clock_system) >= deadline_us))
            return unanswered_error(where, reason, err);
        if (step > 0) { /* a handshake takes its time */
            suspect_brokers();
            kafka_look();
        }
        usleep(100000);
    }
}

enum status kafka_wait_for_broker(rd_kafka_t *client, const char *where, int64_t deadline_us, const _Atomic bool *stop,
                                  struct error *err)
{
    note_waiter(1);
    enum status status = wait_for_broker(client, where, deadline_us, stop, err);
    note_waiter(-1);
    return status;
}

/* One look-up; STATUS_UNAVAILABLE also while a topic that was just made has no leader. */
static enum status topic_lookup(rd_kafka_t *client, rd_kafka_topic_t *topic, int *partitions, struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    const char *name = rd_kafka_topic_name(topic);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, topic, &metadata, CALL_TIMEOUT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return error_set(err, kafka_status(code), "cannot look topic %s up: %s%s", name, rd_kafka_err2str(code),
                         connect_error_denied_hint(kafka_status(code)));
    enum status status = STATUS_OK;
    assert(metadata->topic_cnt == 1);
    code = metadata->topics[0].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topics[0].partition_cnt > 0)
        *partitions = metadata->topics[0].partition_cnt;
    else if (kafka_status(code) == STATUS_NOT_FOUND)
        status = error_set(err, STATUS_NOT_FOUND,
                           "topic %s does not exist; make it with scorer check --create-topics, or with kafka-topics "
                           "--create --topic %s",
                           name, name);
    else
        status = error_set(err, code ? kafka_status(code) : STATUS_UNAVAILABLE, "topic %s: %s%s", name,
                           code ? rd_kafka_err2str(code) : "no partitions yet",
                           connect_error_denied_hint(kafka_status(code)));
    rd_kafka_metadata_destroy(metadata);
    return status;
}

enum status kafka_topic_partitions(rd_kafka_t *client, const char *topic, int *partitions, struct error *err)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    if (!handle)
        return error_set(err, STATUS_INVALID, "topic name \"%s\" is not usable: %s", topic,
                         rd_kafka_err2str(rd_kafka_last_error()));
    int64_t deadline_us = clock_steady_us(&clock_system) + TOPIC_WAIT_US;
    enum status status = topic_lookup(client, handle, partitions, err);
    while (
        (status == STATUS_UNAVAILABLE || (status == STATUS_NOT_FOUND && rd_kafka_type(client) == RD_KAFKA_PRODUCER)) &&
        clock_steady_us(&clock_system) < deadline_us) {
        usleep(100000);
        status = topic_lookup(client, handle, partitions, err);
    }
    rd_kafka_topic_destroy(handle);
    return status;
}

enum status kafka_cluster_id(rd_kafka_t *client, char **out, struct error *err)
{
    char *id = rd_kafka_clusterid(client, CALL_TIMEOUT_MS);
    if (!id)
        return error_set(err, STATUS_UNAVAILABLE, "no broker returned the cluster's id within %d s",
                         CALL_TIMEOUT_MS / 1000);
    *out = mem_text(id);
    rd_kafka_mem_free(client, id);
    return STATUS_OK;
}

bool kafka_up(void)
{
    pthread_mutex_lock(&state.mutex);
    bool up = available_now(clock_steady_us(&clock_system));
    pthread_mutex_unlock(&state.mutex);
    return up;
}

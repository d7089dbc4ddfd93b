/* The clients that are running, and their credentials: see credentials.h.
 *
 * Interceptors note each client as it is made and destroyed, on the thread that does it; the main thread goes over them
 * with the list locked, so none is destroyed meanwhile. Never prints a value. */
#include "kafka/credentials.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

static struct {
    pthread_mutex_t mutex;
    rd_kafka_t **items;
    size_t count, capacity;
} clients = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static rd_kafka_resp_err_t on_destroy(rd_kafka_t *client, void *opaque)
{
    (void)opaque;
    pthread_mutex_lock(&clients.mutex);
    for (size_t i = 0; i < clients.count; i++)
        if (clients.items[i] == client)
            clients.items[i--] = clients.items[--clients.count];
    pthread_mutex_unlock(&clients.mutex);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text,
                                  size_t capacity)
{
    (void)conf, (void)opaque, (void)text, (void)capacity;
    rd_kafka_resp_err_t code = rd_kafka_interceptor_add_on_destroy(client, "credentials", on_destroy, NULL);
    if (code)
        return code;
    pthread_mutex_lock(&clients.mutex);
    clients.items = mem_grow(clients.items, &clients.capacity, clients.count + 1, sizeof *clients.items);
    clients.items[clients.count++] = client;
    pthread_mutex_unlock(&clients.mutex);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

enum status credentials_watch(rd_kafka_conf_t *conf, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_conf_interceptor_add_on_new(conf, "credentials", on_new, NULL);
    if (code)
        return error_set(err, STATUS_INVALID, "librdkafka takes no interceptors: %s", rd_kafka_err2str(code));
    return STATUS_OK;
}

enum status credentials_conf_copy(rd_kafka_t *client, rd_kafka_conf_t **out, struct error *err)
{
    pthread_mutex_lock(&clients.mutex);
    *out = rd_kafka_conf_dup(rd_kafka_conf(client));
    pthread_mutex_unlock(&clients.mutex);
    enum status status = credentials_watch(*out, err);
    if (status != STATUS_OK)
        rd_kafka_conf_destroy(*out);
    return status;
}

/* Of the environment, or of -X, which wins. NULL: not given. */
static const char *credential(const struct options *options, const char *variable, const char *property)
{
    const struct option_pair *pairs;
    const char *value = NULL;
    size_t count = options_environment(options, &pairs);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(pairs[i].name, variable))
            value = option_pair_value(&pairs[i]);
    count = options_properties(options, &pairs);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(pairs[i].name, property))
            value = pairs[i].value;
    return value;
}

static void renew(rd_kafka_t *client, const char *username, const char *password)
{
    rd_kafka_error_t *error = rd_kafka_sasl_set_credentials(client, username, password);
    if (!error)
        return;
    log_error("kafka", "a client does not take the new user and password: %s; restart this program",
              rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
}

/* A file of another credential that has changed. */
static void warn_of_others(const struct options *options)
{
    const struct option_pair *pairs;
    size_t count = options_environment(options, &pairs);
    for (size_t i = 0; i < count; i++)
        if (pairs[i].file && strcmp(pairs[i].value, option_pair_value(&pairs[i])) &&
            strcmp(pairs[i].name, "KAFKA_SASL_USERNAME") && strcmp(pairs[i].name, "KAFKA_SASL_PASSWORD"))
            log_warn("kafka",
                     "%s has another value now, which Kafka's clients take at their start alone: restart this "
                     "program",
                     pairs[i].name);
}

void kafka_renew_credentials(const struct options *options)
{
    const char *username = credential(options, "KAFKA_SASL_USERNAME", "sasl.username");
    const char *password = credential(options, "KAFKA_SASL_PASSWORD", "sasl.password");
    warn_of_others(options);
    if (!username || !password)
        return;
    pthread_mutex_lock(&clients.mutex);
    for (size_t i = 0; i < clients.count; i++)
        renew(clients.items[i], username, password);
    pthread_mutex_unlock(&clients.mutex);
}

/* The fake client library's clients: configuration, interceptors, handles, metadata. Answers from known state; only
 * metadata and the like wait for the broker. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tests/sim/kafka.h"

rd_kafka_t *clients;

/* --- configuration --- */

rd_kafka_conf_t *rd_kafka_conf_new(void)
{
    return mem_zeroed(1, sizeof(rd_kafka_conf_t));
}

/* As the library does, without interceptors. */
rd_kafka_conf_t *rd_kafka_conf_dup(const rd_kafka_conf_t *conf)
{
    rd_kafka_conf_t *copy = rd_kafka_conf_new();
    *copy = *conf;
    copy->on_new_count = 0;
    return copy;
}

void rd_kafka_conf_destroy(rd_kafka_conf_t *conf)
{
    free(conf);
}

void rd_kafka_conf_properties_show(FILE *file)
{
    (void)file;
}

rd_kafka_conf_res_t rd_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *text,
                                      size_t bytes)
{
    (void)text, (void)bytes;
    int i = 0;
    while (i < conf->property_count && strcmp(conf->properties[i].name, name))
        i++;
    if (i == PROPERTIES_MOST)
        unmodelled("so many properties");
    snprintf(conf->properties[i].name, sizeof conf->properties[i].name, "%s", name);
    snprintf(conf->properties[i].value, sizeof conf->properties[i].value, "%s", value);
    conf->property_count += i == conf->property_count;
    return RD_KAFKA_CONF_OK;
}

const char *conf_value(const struct rd_kafka_conf_s *conf, const char *name, const char *otherwise)
{
    for (int i = 0; i < conf->property_count; i++)
        if (!strcmp(conf->properties[i].name, name))
            return conf->properties[i].value;
    return otherwise;
}

rd_kafka_conf_res_t rd_kafka_conf_get(const rd_kafka_conf_t *conf, const char *name, char *out, size_t *bytes)
{
    const char *value = conf_value(conf, name, NULL);
    if (!value)
        return RD_KAFKA_CONF_UNKNOWN;
    if (out)
        snprintf(out, *bytes, "%s", value);
    *bytes = strlen(value) + 1;
    return RD_KAFKA_CONF_OK;
}

const rd_kafka_conf_t *rd_kafka_conf(rd_kafka_t *client)
{
    return &client->conf;
}

void rd_kafka_conf_set_log_cb(rd_kafka_conf_t *conf, void (*call)(const rd_kafka_t *, int, const char *, const char *))
{
    (void)conf, (void)call;
}

rd_kafka_conf_res_t rd_kafka_conf_set_ssl_cert_verify_cb(rd_kafka_conf_t *conf,
                                                         int (*call)(rd_kafka_t *, const char *, int32_t, int *, int,
                                                                     const char *, size_t, char *, size_t, void *))
{
    (void)conf, (void)call;
    return RD_KAFKA_CONF_OK;
}

void rd_kafka_conf_set_stats_cb(rd_kafka_conf_t *conf, int (*call)(rd_kafka_t *, char *, size_t, void *))
{
    (void)conf, (void)call;
}

void rd_kafka_conf_set_error_cb(rd_kafka_conf_t *conf, void (*call)(rd_kafka_t *, int, const char *, void *))
{
    conf->on_error = call;
}

void rd_kafka_conf_set_opaque(rd_kafka_conf_t *conf, void *opaque)
{
    conf->opaque = opaque;
}

void *rd_kafka_opaque(const rd_kafka_t *client)
{
    return client->conf.opaque;
}

void rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *conf, void (*call)(rd_kafka_t *, const rd_kafka_message_t *, void *))
{
    conf->on_delivery = call;
}

void rd_kafka_conf_set_rebalance_cb(rd_kafka_conf_t *conf, void (*call)(rd_kafka_t *, rd_kafka_resp_err_t,
                                                                        rd_kafka_topic_partition_list_t *, void *))
{
    conf->on_rebalance = call;
}

void rd_kafka_conf_set_offset_commit_cb(rd_kafka_conf_t *conf, void (*call)(rd_kafka_t *, rd_kafka_resp_err_t,
                                                                            rd_kafka_topic_partition_list_t *, void *))
{
    (void)conf, (void)call;
}

/* The brokers' machines have no sockets, and calls here return. */
void rd_kafka_conf_set_socket_cb(rd_kafka_conf_t *conf, int (*call)(int domain, int type, int protocol, void *opaque))
{
    (void)conf, (void)call;
}

void rd_kafka_conf_set_closesocket_cb(rd_kafka_conf_t *conf, int (*call)(int number, void *opaque))
{
    (void)conf, (void)call;
}

/* --- interceptors --- */

rd_kafka_resp_err_t rd_kafka_conf_interceptor_add_on_new(rd_kafka_conf_t *conf, const char *name,
                                                         rd_kafka_interceptor_f_on_new_t *call, void *opaque)
{
    (void)name;
    if (conf->on_new_count == INTERCEPTORS_MOST)
        unmodelled("so many interceptors");
    conf->on_new[conf->on_new_count].call = call;
    conf->on_new[conf->on_new_count++].opaque = opaque;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_interceptor_add_on_request_sent(rd_kafka_t *client, const char *name,
                                                             rd_kafka_interceptor_f_on_request_sent_t *call,
                                                             void *opaque)
{
    (void)name;
    if (client->on_sent_count == INTERCEPTORS_MOST)
        unmodelled("so many interceptors");
    client->on_sent[client->on_sent_count].call = call;
    client->on_sent[client->on_sent_count++].opaque = opaque;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_interceptor_add_on_response_received(rd_kafka_t *client, const char *name,
                                                                  rd_kafka_interceptor_f_on_response_received_t *call,
                                                                  void *opaque)
{
    (void)name;
    if (client->on_answered_count == INTERCEPTORS_MOST)
        unmodelled("so many interceptors");
    client->on_answered[client->on_answered_count].call = call;
    client->on_answered[client->on_answered_count++].opaque = opaque;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_interceptor_add_on_acknowledgement(rd_kafka_t *client, const char *name,
                                                                rd_kafka_interceptor_f_on_acknowledgement_t *call,
                                                                void *opaque)
{
    (void)name;
    if (client->on_acked_count == INTERCEPTORS_MOST)
        unmodelled("so many interceptors");
    client->on_acked[client->on_acked_count].call = call;
    client->on_acked[client->on_acked_count++].opaque = opaque;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_interceptor_add_on_destroy(rd_kafka_t *client, const char *name,
                                                        rd_kafka_interceptor_f_on_destroy_t *call, void *opaque)
{
    (void)name;
    client->on_destroy = call;
    client->on_destroy_opaque = opaque;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Nobody sends a signal here. */
rd_kafka_error_t *rd_kafka_sasl_set_credentials(rd_kafka_t *client, const char *username, const char *password)
{
    (void)client, (void)username, (void)password;
    unmodelled("new credentials");
}

void request_sent(rd_kafka_t *client, int16_t api)
{
    client->requests_sent++;
    for (int i = 0; i < client->on_sent_count; i++)
        client->on_sent[i].call(client, 0, "sim", 1, api, 1, (int32_t)client->requests_sent, 100,
                                client->on_sent[i].opaque);
}

/* With a code: it is given up, no answer came. */
void request_answered(rd_kafka_t *client, int16_t api, rd_kafka_resp_err_t code)
{
    for (int i = 0; i < client->on_answered_count; i++)
        client->on_answered[i].call(client, 0, "sim", 1, api, 1, (int32_t)client->requests_sent, code ? 0 : 100, 1000,
                                    code, client->on_answered[i].opaque);
    if (code && client->conf.on_error)
        client->conf.on_error(client, RD_KAFKA_RESP_ERR__TRANSPORT, "sim: disconnected", client->conf.opaque);
}

/* --- clients --- */

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *text, size_t bytes)
{
    (void)text, (void)bytes;
    static int numbers;
    rd_kafka_t *client = mem_zeroed(1, sizeof *client), **at = &clients;
    client->type = type;
    client->conf = *conf;
    client->proc = proc_current();
    client->committed_reads = strcmp(conf_value(conf, "isolation.level", "read_committed"), "read_uncommitted") != 0;
    client->queue_of_consumer = (rd_kafka_queue_t){client, -1, NULL};
    snprintf(client->name, sizeof client->name, "sim#%s-%d", type == RD_KAFKA_PRODUCER ? "producer" : "consumer",
             ++numbers);
    const char *id = conf_value(conf, "transactional.id", NULL);
    if (type == RD_KAFKA_PRODUCER && id)
        client->coordinator = coordinator_find(id);
    if (client->coordinator)
        audit_producer();
    for (int t = 0; t < TOPICS; t++)
        client->handles[t] = (rd_kafka_topic_t){client, topics[t].name, 0};
    while (*at)
        at = &(*at)->next;
    *at = client;
    for (int i = 0; i < conf->on_new_count; i++)
        conf->on_new[i].call(client, conf, conf->on_new[i].opaque, text, bytes);
    free(conf);
    return client;
}

void rd_kafka_destroy(rd_kafka_t *client)
{
    if (client->member && !client->closed)
        group_leave(client->member, false);
    if (client->on_destroy && !client->destroyed)
        client->on_destroy(client, client->on_destroy_opaque);
    client->destroyed = true; /* kept: late events look at it */
}

void rd_kafka_destroy_flags(rd_kafka_t *client, int flags)
{
    (void)flags;
    rd_kafka_destroy(client);
}

const char *rd_kafka_name(const rd_kafka_t *client)
{
    return client->name;
}

rd_kafka_type_t rd_kafka_type(const rd_kafka_t *client)
{
    return client->type;
}

int rd_kafka_version(void)
{
    return 0x020002ff;
}

const char *rd_kafka_version_str(void)
{
    return "2.0.2";
}

void client_fail(rd_kafka_t *client, rd_kafka_resp_err_t code, const char *text)
{
    if (client->fatal)
        return;
    client->fatal = code;
    snprintf(client->fatal_text, sizeof client->fatal_text, "%s", text);
    trace("%s cannot go on: %s", client->name, text);
    if (client->conf.on_error)
        client->conf.on_error(client, RD_KAFKA_RESP_ERR__FATAL, text, client->conf.opaque);
}

rd_kafka_resp_err_t rd_kafka_fatal_error(rd_kafka_t *client, char *text, size_t bytes)
{
    if (client->fatal && text)
        snprintf(text, bytes, "%s", client->fatal_text);
    return client->fatal;
}

bool wait_for_broker(int64_t deadline_us)
{
    sim_sleep(chance_between(100, 1500));
    while (!broker_up() && sim_now() < deadline_us)
        sim_wait(deadline_us);
    return broker_up();
}

bool ask_broker(rd_kafka_t *client, int16_t api, int64_t deadline_us)
{
    if (!wait_for_broker(deadline_us))
        return false;
    request_sent(client, api);
    request_answered(client, api, RD_KAFKA_RESP_ERR_NO_ERROR);
    return true;
}

char *rd_kafka_clusterid(rd_kafka_t *client, int timeout_ms)
{
    if (client->cluster_known || ask_broker(client, API_METADATA, sim_now() + (int64_t)timeout_ms * MS))
        client->cluster_known = true; /* what the brokers said last is returned from then on */
    return client->cluster_known ? mem_text("simcluster") : NULL;
}

void rd_kafka_mem_free(rd_kafka_t *client, void *memory)
{
    (void)client;
    free(memory);
}

/* --- topics and metadata --- */

int topic_index(const char *name)
{
    const struct topic *topic = topic_find(name);
    if (!topic)
        unmodelled(name);
    return (int)(topic - topics);
}

rd_kafka_topic_t *handle_of(rd_kafka_t *client, enum topic_id topic)
{
    return &client->handles[topic];
}

rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *client, const char *name, rd_kafka_topic_conf_t *conf)
{
    (void)conf;
    return handle_of(client, (enum topic_id)topic_index(name));
}

void rd_kafka_topic_destroy(rd_kafka_topic_t *topic)
{
    (void)topic;
}

const char *rd_kafka_topic_name(const rd_kafka_topic_t *topic)
{
    return topic->name;
}

rd_kafka_resp_err_t rd_kafka_metadata(rd_kafka_t *client, int all, rd_kafka_topic_t *only,
                                      const struct rd_kafka_metadata **out, int timeout_ms)
{
    (void)all;
    sim_point("metadata");
    if (!ask_broker(client, API_METADATA, sim_now() + (int64_t)timeout_ms * MS))
        return RD_KAFKA_RESP_ERR__TRANSPORT;
    struct rd_kafka_metadata *metadata = mem_zeroed(1, sizeof *metadata);
    metadata->topics = mem_zeroed(TOPICS, sizeof *metadata->topics);
    for (int t = 0; t < TOPICS; t++) {
        if (only && strcmp(only->name, topics[t].name))
            continue;
        struct rd_kafka_metadata_topic *topic = &metadata->topics[metadata->topic_cnt++];
        topic->topic = (char *)topics[t].name;
        topic->partition_cnt = topics[t].partitions;
        topic->partitions = mem_zeroed((size_t)topics[t].partitions, sizeof *topic->partitions);
        for (int p = 0; p < topics[t].partitions; p++)
            topic->partitions[p].id = p;
    }
    *out = metadata;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void rd_kafka_metadata_destroy(const struct rd_kafka_metadata *metadata)
{
    for (int t = 0; t < metadata->topic_cnt; t++)
        free(metadata->topics[t].partitions);
    free(metadata->topics);
    free((void *)metadata);
}

/* librdkafka clients as every program here makes them: settings from the options, logs into ours, errors in words.
 *
 * Settings in order, later wins: our defaults (murmur2_random partitioner, no automatic offset store or commit, …),
 * KAFKA_<PROPERTY> environment variables, -X properties, then the guarantee's own properties, which nobody may override
 * (transactional.id, enable.idempotence, isolation.level, enable.auto.commit, enable.auto.offset.store: refused with
 * the reason). Environment names librdkafka does not know are ignored with a notice, unknown -X names are an error; a
 * property goes only to the client types that know it. Whether brokers answer is one state for the process: each change
 * of it is one log line. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/options.h"
#include "base/status.h"

struct kafka_property {
    const char *name, *value;
};

/* A configuration to which callbacks may still be added; `fixed` is a NULL-named-terminated list of the guarantee's own
 * properties. The conf is the caller's until rd_kafka_new takes it. */
MUST_USE enum status kafka_conf(const struct options *options, rd_kafka_type_t type, const struct kafka_property *fixed,
                                rd_kafka_conf_t **out, struct error *err);

/* What each consumer and producer made from now on may hold, in bytes; 0: what the properties say. */
void kafka_limit_memory(int64_t consumer_bytes, int64_t producer_bytes);

/* Takes *conf (NULL afterwards, on failure too). */
MUST_USE enum status kafka_client_new(rd_kafka_type_t type, rd_kafka_conf_t **conf, rd_kafka_t **out,
                                      struct error *err);
static inline void kafka_client_free(rd_kafka_t *client)
{
    if (client)
        rd_kafka_destroy(client);
}

/* Maps a librdkafka error to a status: unavailable (retriable, transport, time-out), denied, fenced (CONFLICT),
 * invalid. */
enum status kafka_status(rd_kafka_resp_err_t code);

/* Waits until a broker answers, with backoff and one log line a change of state; STATUS_UNAVAILABLE when deadline_us
 * (steady clock; 0: none) passes or *stop becomes true. `where` names the caller in logs. */
MUST_USE enum status kafka_wait_for_broker(rd_kafka_t *client, const char *where, int64_t deadline_us,
                                           const _Atomic bool *stop, struct error *err);

/* Partition count of a topic. A producer's question may make the topic, where brokers make topics by themselves.
 * STATUS_NOT_FOUND: it does not exist (the text says how to make it). */
MUST_USE enum status kafka_topic_partitions(rd_kafka_t *client, const char *topic, int *partitions, struct error *err);

/* The cluster's id, the caller's to free(); STATUS_UNAVAILABLE when no broker answers in 10 s. */
MUST_USE enum status kafka_cluster_id(rd_kafka_t *client, char **out, struct error *err);

/* Whether brokers answer what this process asks (kafka/availability.h), whatever their connections look like. Any
 * thread. */
bool kafka_up(void);
/* Logs a change of it, and looks for calls that do not return (kafka/call_watchdog.h). Clients call it as they are
 * polled; the daemon also while all of them are blocked. */
void kafka_look(void);

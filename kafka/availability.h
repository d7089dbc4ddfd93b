/* Whether brokers answer: decided by their answers, not by connections, which a frozen broker keeps open.
 *
 * One state for the process, fed by interceptors on the clients' own threads (no lock, no allocation) and read from any
 * thread. A request that no broker has answered for ANSWER_LIMIT_US, or no connection to any broker, means that Kafka
 * is unavailable; the next answer ends that. Clients of the scorer are never silent for long: consumers fetch and send
 * heartbeats, and all refresh their metadata (topic.metadata.refresh.interval.ms). */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum { ANSWER_LIMIT_US = 5000000 }; /* a heartbeat goes out every 3 s */

/* Plain data; steady clock, 0: never, or nothing of the kind. */
struct availability {
    _Atomic int64_t answered_us; /* the latest answer */
    _Atomic int64_t asked_us;    /* the first request since then */
};

/* api_key: Kafka's number of the request. JoinGroup and SyncGroup are not waited for (brokers delay them on
 * purpose), and what a connection begins with is no answer: a broker that then denies us gives it too. */
void availability_note_request(struct availability *availability, int16_t api_key, int64_t now_us);
void availability_note_answer(struct availability *availability, int16_t api_key, int64_t now_us);
/* False before the first answer and while a request has waited for one too long. */
bool availability_is_up(const struct availability *availability, int64_t now_us);

/* The process's state, and the interceptors that feed it. The conf becomes a client's. */
extern struct availability kafka_availability;
MUST_USE enum status availability_watch(rd_kafka_conf_t *conf, struct error *err);

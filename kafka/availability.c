/* Requests and answers of all clients. See availability.h.
 *
 * The interceptors run on librdkafka's broker threads: they must neither block nor call librdkafka. */
#include "kafka/availability.h"

#include "base/clock.h"

enum {
    API_JOIN_GROUP = 11,
    API_SYNC_GROUP = 14,
    API_SASL_HANDSHAKE = 17,
    API_VERSIONS = 18,
    API_SASL_AUTHENTICATE = 36,
};

struct availability kafka_availability;

static bool is_handshake(int16_t api_key)
{
    return api_key == API_SASL_HANDSHAKE || api_key == API_VERSIONS || api_key == API_SASL_AUTHENTICATE;
}

void availability_note_request(struct availability *availability, int16_t api_key, int64_t now_us)
{
    int64_t none = 0;
    if (api_key == API_JOIN_GROUP || api_key == API_SYNC_GROUP || is_handshake(api_key))
        return;
    atomic_compare_exchange_strong_explicit(&availability->asked_us, &none, now_us, memory_order_relaxed,
                                            memory_order_relaxed);
}

void availability_note_answer(struct availability *availability, int16_t api_key, int64_t now_us)
{
    if (is_handshake(api_key))
        return;
    atomic_store_explicit(&availability->answered_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&availability->asked_us, 0, memory_order_relaxed);
}

bool availability_is_up(const struct availability *availability, int64_t now_us)
{
    int64_t asked_us = atomic_load_explicit(&availability->asked_us, memory_order_relaxed);
    if (!atomic_load_explicit(&availability->answered_us, memory_order_relaxed))
        return false;
    return !asked_us || now_us - asked_us <= ANSWER_LIMIT_US;
}

/* --- interceptors: their types are librdkafka's --- */

static rd_kafka_resp_err_t on_request_sent(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id,
                                           int16_t api_key, int16_t api_version, int32_t correlation_id, size_t bytes,
                                           void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)api_version, (void)correlation_id, (void)bytes;
    availability_note_request(opaque, api_key, clock_steady_us(&clock_system));
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Also called for requests that failed without an answer: those have no bytes. */
static rd_kafka_resp_err_t on_response_received(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id,
                                                int16_t api_key, int16_t api_version, int32_t correlation_id,
                                                size_t bytes, int64_t round_trip_us, rd_kafka_resp_err_t code,
                                                void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)api_version;
    (void)correlation_id, (void)round_trip_us, (void)code;
    if (bytes)
        availability_note_answer(opaque, api_key, clock_steady_us(&clock_system));
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text,
                                  size_t capacity)
{
    (void)conf, (void)text, (void)capacity;
    rd_kafka_resp_err_t code =
        rd_kafka_interceptor_add_on_request_sent(client, "attrition-answers", on_request_sent, opaque);
    return code ? code
                : rd_kafka_interceptor_add_on_response_received(client, "attrition-answers", on_response_received,
                                                                opaque);
}

enum status availability_watch(rd_kafka_conf_t *conf, struct error *err)
{
    rd_kafka_resp_err_t code =
        rd_kafka_conf_interceptor_add_on_new(conf, "attrition-answers", on_new, &kafka_availability);
    if (code)
        return error_set(err, STATUS_INVALID, "librdkafka takes no interceptors: %s", rd_kafka_err2str(code));
    return STATUS_OK;
}

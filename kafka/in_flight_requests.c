/* Counting requests by librdkafka's interceptors: see in_flight_requests.h. Its broker threads call on_request_sent and
 * on_response, which may only count. An answer is counted before the call that waits for it is woken. */
#include "kafka/in_flight_requests.h"

#include <stdatomic.h>
#include <stdio.h>

/* Kafka's API keys. */
enum {
    API_PRODUCE = 0,
    API_INIT_PRODUCER_ID = 22,
    API_ADD_PARTITIONS_TO_TXN = 24,
    API_ADD_OFFSETS_TO_TXN = 25,
    API_END_TXN = 26,
    API_TXN_OFFSET_COMMIT = 28,
};

static _Thread_local bool sends; /* this is a broker's thread */

static bool is_watched(int16_t api)
{
    return api == API_PRODUCE || api == API_INIT_PRODUCER_ID || api == API_ADD_PARTITIONS_TO_TXN ||
           api == API_ADD_OFFSETS_TO_TXN || api == API_END_TXN || api == API_TXN_OFFSET_COMMIT;
}

/* Only requests that left as a whole come here: a broker drops the beginning of one. */
static rd_kafka_resp_err_t on_request_sent(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id,
                                           int16_t api, int16_t version, int32_t id, size_t bytes, void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)version, (void)id, (void)bytes;
    struct in_flight_requests *in_flight = opaque;
    sends = true;
    if (is_watched(api))
        atomic_fetch_add(&in_flight->sent, 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Also called, with an error, for a request that was given up: that is no answer. */
static rd_kafka_resp_err_t on_response(rd_kafka_t *client, int socket, const char *broker, int32_t broker_id,
                                       int16_t api, int16_t version, int32_t id, size_t bytes, int64_t round_trip,
                                       rd_kafka_resp_err_t code, void *opaque)
{
    (void)client, (void)socket, (void)broker, (void)broker_id, (void)version, (void)id, (void)round_trip;
    struct in_flight_requests *in_flight = opaque;
    if (sends && !code && bytes && is_watched(api))
        atomic_fetch_add(&in_flight->answered, 1);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque, char *text,
                                  size_t capacity)
{
    (void)conf;
    rd_kafka_resp_err_t code = rd_kafka_interceptor_add_on_request_sent(client, "watch", on_request_sent, opaque);
    if (!code)
        code = rd_kafka_interceptor_add_on_response_received(client, "watch", on_response, opaque);
    if (code)
        snprintf(text, capacity, "cannot watch requests: %s", rd_kafka_err2str(code));
    return code;
}

enum status in_flight_requests_add(struct in_flight_requests *in_flight, rd_kafka_conf_t *conf, struct error *err)
{
    atomic_store(&in_flight->sent, 0);
    atomic_store(&in_flight->answered, 0);
    rd_kafka_resp_err_t code = rd_kafka_conf_interceptor_add_on_new(conf, "watch", on_new, in_flight);
    return code ? error_set(err, STATUS_UNSUPPORTED, "this librdkafka does not let its requests be watched: %s",
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

bool in_flight_requests_all_answered(const struct in_flight_requests *in_flight)
{
    return atomic_load(&in_flight->sent) == atomic_load(&in_flight->answered);
}

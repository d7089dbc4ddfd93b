/* Whether every request of a producer that a broker counts to a transaction has its answer. One without may still be on
 * its way, however often librdkafka has sent it again since. Plain data, embedded; must outlive the client. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Written by librdkafka's broker threads. */
struct in_flight_requests {
    _Atomic uint64_t sent, answered;
};

/* Starts again, for the one client that is made of this configuration; no other may write the counts any more. */
MUST_USE enum status in_flight_requests_add(struct in_flight_requests *in_flight, rd_kafka_conf_t *conf,
                                            struct error *err);
/* True in all certainty once the calls that wait for the requests have returned, unless an answer was lost. */
bool in_flight_requests_all_answered(const struct in_flight_requests *in_flight);

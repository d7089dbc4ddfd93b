/* What an error of a producer asks for: the one table that decides it. Pure. */
#pragma once

#include <librdkafka/rdkafka.h>

/* What an error asks for. */
enum remedy {
    REMEDY_RETRY,   /* transient: abort, and the same work again, later each time */
    REMEDY_SMALLER, /* of this record: larger than its topic takes */
    REMEDY_UNTIMED, /* of this record: its timestamp is refused */
    REMEDY_TOPIC,   /* of the topic: it may be missing or too narrow; where it is, for good */
    REMEDY_RENEW,   /* of the producer: a fresh one does the work again */
    REMEDY_FENCED,  /* the epoch is an old one: a successor's fence, or the coordinator's time-out */
    REMEDY_END,     /* denied or refused by policy: for good */
};
enum remedy transaction_remedy(rd_kafka_resp_err_t code);

/* What an error of a producer asks for: the one table that decides it. Pure. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

/* Of a producer's error: what it asks for. */
enum error_class {
    ERROR_CLASS_RETRIABLE,    /* transient: abort, and try it again, later each time */
    ERROR_CLASS_TOO_LARGE,    /* of this record: larger than its topic takes */
    ERROR_CLASS_TIMESTAMP,    /* of this record: its timestamp is refused */
    ERROR_CLASS_TOPIC,        /* of the topic: it may be missing or too narrow; where it is, for good */
    ERROR_CLASS_NEW_PRODUCER, /* of the producer: a fresh one tries again */
    ERROR_CLASS_FENCED,       /* the epoch is an old one: a successor's fence, or the coordinator's time-out */
    ERROR_CLASS_FATAL,        /* denied or refused by policy: for good */
};
enum error_class error_class_of(rd_kafka_resp_err_t code);
/* Only records end with it: its topic takes others. */
bool error_class_is_of_record(rd_kafka_resp_err_t code);

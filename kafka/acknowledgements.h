/* Hearing of each acknowledged record of a producer, by librdkafka's interceptors: delivery reports are no help where a
 * producer reports failures alone. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "base/status.h"

/* Plain data; name, call and its opaque are borrowed. */
struct acknowledgements {
    const char *name;                                  /* the interceptor's; each of one client has its own */
    rd_kafka_interceptor_f_on_acknowledgement_t *call; /* on the broker threads, for failed records too */
    void *opaque;
};

/* For a client that is made of this configuration; *acknowledgements must outlive it. */
MUST_USE enum status acknowledgements_watch(struct acknowledgements *acknowledgements, rd_kafka_conf_t *conf,
                                            struct error *err);

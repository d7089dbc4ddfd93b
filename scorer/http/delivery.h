/* An answer that holds records goes out when Kafka has them: predictions to the output topic, events to the input
 * topic. */
#pragma once

#include "scorer/http/service.h"

/* Plain data; lives until `done` is called. */
struct delivery {
    const struct service *service;
    struct answer *answer;
    void (*done)(void *context);
    void *context;
};

/* Calls `done` once, at once or from Kafka's threads; the answer then says whether the records are kept. closing: they
 * are not sent any more. */
void delivery_start(struct delivery *delivery, bool closing);

/* What sends them: the service's prediction_log and event_sender. On failure what was made is the service's. */
MUST_USE enum status delivery_producers_new(struct service *service, struct error *err);

/* Handing an answer's records to Kafka: see delivery.h. Called on the work pool's threads; results come on those of the
 * prediction log and the event sender. */
#include "scorer/http/delivery.h"

#include "scorer/http/event_sender.h"
#include "scorer/http/events.h"

static void on_sent(void *context, enum event_sent result)
{
    const struct delivery *delivery = context;
    if (result != EVENTS_COMMITTED)
        events_answer_unkept(delivery->answer, result);
    delivery->done(delivery->context);
}

static void on_logged(void *context, bool acknowledged)
{
    const struct delivery *delivery = context;
    if (!acknowledged)
        answer_unavailable(delivery->answer,
                           "Kafka has not acknowledged the prediction in time, so it may be unlogged: send it again "
                           "with the same event_id, or with ?log=false");
    delivery->done(delivery->context);
}

static void send_events(struct delivery *delivery, bool closing)
{
    struct event_sender *sender = delivery->service->event_sender;
    if (!sender || closing) {
        on_sent(delivery, EVENTS_UNWRITTEN);
        return;
    }
    const char *reason = event_sender_send(sender, &delivery->answer->log, on_sent, delivery);
    if (!reason) /* from here on the delivery may be gone */
        return;
    events_answer_refused(delivery->answer, reason);
    delivery->done(delivery->context);
}

void delivery_start(struct delivery *delivery, bool closing)
{
    struct prediction_log *log = delivery->service->prediction_log;
    if (delivery->answer->to_input)
        send_events(delivery, closing);
    else if (!log || closing || !prediction_log_send(log, &delivery->answer->log, on_logged, delivery))
        on_logged(delivery, false);
}

enum status delivery_producers_new(struct service *service, struct error *err)
{
    enum status status = prediction_log_new(service->view.settings, &service->prediction_log, err);
    if (status == STATUS_OK)
        status = event_sender_new(service->view.settings, &service->event_sender, err);
    service->view.event_sender = service->event_sender;
    return status;
}

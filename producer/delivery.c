/* From event to acknowledgement: see delivery.h. Must never end without a summary that adds up. */
#include "producer/delivery.h"

#include "base/log.h"
#include "events/event_encoder.h"
#include "producer/stop.h"

enum { TURN_ROWS = 64, FAILURES_SHOWN = 20 };

static void on_failed(void *context, uintptr_t tag, const char *reason)
{
    struct delivery *delivery = context;
    char name[512];
    if (delivery->failures_shown++ >= FAILURES_SHOWN)
        return;
    delivery->name_tag(delivery->context, tag, name, sizeof name);
    progress_hide(&delivery->progress);
    fprintf(stderr, "%s: not delivered: %s\n", name, reason);
}

enum status delivery_open(struct delivery *delivery, const struct options *options, uint64_t total, struct error *err)
{
    progress_begin(&delivery->progress, stderr, &clock_system, "events", total);
    if (sender_new(options, options_text(options, OPTION_INPUT_TOPIC), &stop_requested, on_failed, delivery,
                   &delivery->sender, err) != STATUS_OK)
        return err->status;
    progress_begin(&delivery->progress, stderr, &clock_system, "events", total);
    return STATUS_OK;
}

static void show(void *context)
{
    struct delivery *delivery = context;
    struct sender_counts counts = sender_counts(delivery->sender);
    progress_update(&delivery->progress, counts.acknowledged + counts.failed + delivery->rejected.rows);
}

void delivery_turn(struct delivery *delivery)
{
    if (++delivery->read % TURN_ROWS)
        return;
    sender_poll(delivery->sender);
    show(delivery);
}

enum status delivery_send(struct delivery *delivery, struct event *event, uintptr_t tag, struct error *err)
{
    struct span key = event->employee_id;
    enum poison_kind kind = POISON_NONE;
    if (delivery->poison)
        kind = poison_event(delivery->poison, delivery->read, event, &key);
    buffer_clear(&delivery->value);
    event_encode(delivery->schema, event, &delivery->value);
    if (kind != POISON_NONE)
        poison_bytes(delivery->poison, kind, &delivery->value);
    if (sender_send(delivery->sender, key, buffer_span(&delivery->value), tag, err) != STATUS_OK)
        return err->status;
    delivery_turn(delivery);
    return STATUS_OK;
}

static void print_rejected(const struct reject_totals *rejected, FILE *out)
{
    const char *before = " (";
    fprintf(out, ", rejected %llu", (unsigned long long)rejected->rows);
    for (enum event_code c = 1; c < EVENT_CODE_COUNT; c++)
        if (rejected->by_code[c]) {
            fprintf(out, "%s%s %llu", before, event_code_name(c), (unsigned long long)rejected->by_code[c]);
            before = ", ";
        }
    if (rejected->rows)
        putc(')', out);
}

static void delivery_print_summary(const struct delivery *delivery, struct sender_counts counts, FILE *out)
{
    double seconds = (double)(clock_steady_us(&clock_system) - delivery->progress.started_us) / 1e6;
    uint64_t in_flight = counts.sent - counts.acknowledged - counts.failed;
    fprintf(out, "read %llu, sent %llu, acknowledged %llu", (unsigned long long)delivery->read,
            (unsigned long long)counts.sent, (unsigned long long)counts.acknowledged);
    print_rejected(&delivery->rejected, out);
    fprintf(out, ", failed %llu", (unsigned long long)counts.failed);
    if (in_flight)
        fprintf(out, ", not known %llu", (unsigned long long)in_flight);
    fprintf(out, ", %.2f s, %.0f rows/s\n", seconds, seconds > 0 ? (double)delivery->read / seconds : 0);
    if (delivery->poison && poison_total(delivery->poison))
        poison_print(delivery->poison, out);
    fflush(out);
}

bool delivery_close(struct delivery *delivery, FILE *out)
{
    struct sender_counts counts = {0};
    if (delivery->sender) {
        sender_finish(delivery->sender, show, delivery);
        counts = sender_counts(delivery->sender);
        if (delivery->progress.total)
            delivery->progress.total = delivery->read;
        progress_update(&delivery->progress, counts.acknowledged + counts.failed + delivery->rejected.rows);
        progress_end(&delivery->progress);
        if (delivery->failures_shown > FAILURES_SHOWN)
            fprintf(stderr, "and %llu more were not delivered\n",
                    (unsigned long long)(delivery->failures_shown - FAILURES_SHOWN));
        delivery_print_summary(delivery, counts, out);
        if (counts.acknowledged < counts.sent)
            log_error("producer", "not everything was delivered: run it again, the event ids are the same");
    }
    sender_free(delivery->sender);
    buffer_free(&delivery->value);
    return counts.acknowledged == counts.sent && counts.sent + delivery->rejected.rows == delivery->read;
}

/* From event to acknowledgement: see delivery.h. Must never end without a summary that adds up. */
#include "producer/delivery.h"

#include <unistd.h>

#include "base/log.h"
#include "events/event_encoder.h"
#include "producer/stop.h"

enum {
    TURN_ROWS = 64,
    FAILURES_SHOWN = 20,
    RATE_STEP_US = 50000,
    RATE_SLACK_US = 100000,
    BURSTS_US = 10000000,
    STALL_US = 5000000
};

#define DAY_US 86.4e9

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

static void on_placed(void *context, int32_t partition, int64_t offset)
{
    const struct delivery *delivery = context;
    follow_sent(delivery->follow, partition, offset);
}

static void begin_progress(struct delivery *delivery, uint64_t total)
{
    progress_begin(&delivery->progress, stderr, &clock_system, delivery->group ? "rows" : "events", total);
}

static struct sender_counts delivery_counts(const struct delivery *delivery)
{
    if (delivery->sender)
        return sender_counts(delivery->sender);
    return (struct sender_counts){delivery->sent, delivery->dry_run ? delivery->sent : 0, 0};
}

/* Brokers that are unavailable are waited for, and that is said. */
static void note_stall(struct delivery *delivery, struct sender_counts counts)
{
    int64_t now_us = clock_steady_us(&clock_system);
    uint64_t done = counts.acknowledged + counts.failed, in_flight = counts.sent - done;
    if (done == delivery->done_seen && in_flight && delivery->done_us) {
        if (delivery->stalled || now_us - delivery->done_us < STALL_US)
            return;
        progress_hide(&delivery->progress);
        log_warn(delivery->where,
                 "nothing was acknowledged for %d s, %llu events are in flight: waiting for the brokers",
                 STALL_US / 1000000, (unsigned long long)in_flight);
        delivery->stalled = true;
        return;
    }
    if (delivery->stalled) {
        progress_hide(&delivery->progress);
        log_info(delivery->where, "the brokers acknowledge again");
    }
    delivery->stalled = false;
    delivery->done_seen = done;
    delivery->done_us = now_us;
}

static void show(void *context)
{
    struct delivery *delivery = context;
    struct sender_counts counts = delivery_counts(delivery);
    note_stall(delivery, counts);
    delivery->progress.passed = delivery->sent_before;
    delivery->progress.rejected = delivery->rejected.rows;
    delivery->progress.in_flight = counts.sent - counts.acknowledged - counts.failed;
    progress_update(&delivery->progress,
                    delivery->sent_before + counts.acknowledged + counts.failed + delivery->rejected.rows);
}

static enum status open_sender(struct delivery *delivery, struct error *err)
{
    const struct sender_settings settings = {.options = delivery->options,
                                             .topic = options_text(delivery->options, OPTION_INPUT_TOPIC),
                                             .where = delivery->where,
                                             .group = delivery->group,
                                             .rate = options_integer(delivery->options, OPTION_RATE),
                                             .stop = &stop_requested,
                                             .on_placed = delivery->follow ? on_placed : NULL,
                                             .on_failed = on_failed,
                                             .on_wait = show,
                                             .context = delivery};
    stop_outlive_readers();
    return sender_new(&settings, &delivery->sender, err);
}

enum status delivery_open(struct delivery *delivery, uint64_t total, struct error *err)
{
    begin_progress(delivery, total);
    enum status status = STATUS_OK;
    if (!delivery->dry_run && options_flag(delivery->options, OPTION_WAIT))
        status = follow_new(delivery->options, delivery->schema, delivery->where, delivery->may_be_ignored,
                            &stop_requested, &delivery->follow, err);
    if (!delivery->dry_run && status == STATUS_OK)
        status = open_sender(delivery, err);
    begin_progress(delivery, total); /* the wait for a broker is no part of the rate */
    return status;
}

static void delivery_turn(struct delivery *delivery)
{
    if (++delivery->read % TURN_ROWS)
        return;
    if (delivery->sender)
        sender_poll(delivery->sender);
    show(delivery);
}

bool delivery_has_sent(const struct delivery *delivery)
{
    return delivery->position.rows < delivery->resumed_at.rows;
}

void delivery_pass(struct delivery *delivery, struct span raw, bool valid)
{
    bool before = delivery_has_sent(delivery);
    resume_position_add_row(&delivery->position, raw, valid);
    delivery->sent_before += valid;
    if (delivery->sender && !before)
        sender_pass(delivery->sender, &delivery->position);
    delivery_turn(delivery);
}

/* Since the first event was due. */
static double due_after_us(const struct delivery *delivery)
{
    return arrival_at(delivery->arrival, delivery->rate_us, BURSTS_US, DAY_US) -
           arrival_at(delivery->arrival, 0, BURSTS_US, DAY_US);
}

/* Until the next event is due by --rate, or a stop. What a stall has missed is not made up for: it would be a burst. */
static void wait_for_rate(struct delivery *delivery)
{
    int64_t rate = options_integer(delivery->options, OPTION_RATE), now_us = clock_steady_us(&clock_system);
    if (!rate)
        return;
    int64_t due_us = delivery->rate_origin_us + (int64_t)due_after_us(delivery);
    if (now_us - due_us > RATE_SLACK_US) {
        delivery->rate_origin_us += now_us - due_us;
        due_us = now_us;
    }
    for (int64_t left; !stop_requested && (left = due_us - clock_steady_us(&clock_system)) > 0; show(delivery))
        usleep((useconds_t)(left < RATE_STEP_US ? left : RATE_STEP_US));
    delivery->rate_us += 1e6 / (double)rate;
}

enum status delivery_send(struct delivery *delivery, struct event *event, struct span raw, uintptr_t tag,
                          struct error *err)
{
    return delivery_send_to(delivery, event, -1, raw, tag, err);
}

enum status delivery_send_to(struct delivery *delivery, struct event *event, int32_t partition, struct span raw,
                             uintptr_t tag, struct error *err)
{
    struct span key = event->employee_id;
    enum poison_kind kind = POISON_NONE;
    if (delivery->poison)
        kind = poison_event(delivery->poison, delivery->read, event, &key);
    buffer_clear(&delivery->value);
    event_encode(delivery->schema, event, &delivery->value);
    if (kind != POISON_NONE)
        poison_bytes(delivery->poison, kind, &delivery->value);
    if (!delivery->dry_run)
        wait_for_rate(delivery);
    struct resume_position after = delivery->position;
    resume_position_add_row(&after, raw, true);
    if (delivery->sender &&
        sender_send(delivery->sender, key, buffer_span(&delivery->value), partition, tag, &after, err) != STATUS_OK)
        return err->status;
    delivery->position = after;
    delivery->sent++;
    delivery_turn(delivery);
    return STATUS_OK;
}

/* --- the summary: a line that programs read, a table for people --- */

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

static void print_line(const struct delivery *delivery, struct sender_counts counts, double seconds, FILE *out)
{
    uint64_t in_flight = counts.sent - counts.acknowledged - counts.failed;
    fprintf(out, "read %llu", (unsigned long long)delivery->read);
    if (delivery->resumed_at.rows)
        fprintf(out, ", sent before %llu", (unsigned long long)delivery->sent_before);
    if (delivery->dry_run)
        fprintf(out, ", would be sent %llu", (unsigned long long)counts.sent);
    else
        fprintf(out, ", sent %llu, acknowledged %llu", (unsigned long long)counts.sent,
                (unsigned long long)counts.acknowledged);
    print_rejected(&delivery->rejected, out);
    if (!delivery->dry_run)
        fprintf(out, ", failed %llu", (unsigned long long)counts.failed);
    if (in_flight)
        fprintf(out, ", not known %llu", (unsigned long long)in_flight);
    fprintf(out, ", %.2f s, %.0f rows/s\n", seconds, seconds > 0 ? (double)delivery->read / seconds : 0);
}

static void print_row(FILE *out, const char *name, uint64_t count)
{
    struct buffer number = {0};
    progress_add_count(&number, count);
    fprintf(out, "%-32s %15.*s\n", name, (int)number.bytes, number.data);
    buffer_free(&number);
}

static void print_table(const struct delivery *delivery, struct sender_counts counts, double seconds, FILE *out)
{
    uint64_t in_flight = counts.sent - counts.acknowledged - counts.failed;
    char name[64];
    print_row(out, "rows read", delivery->read);
    if (delivery->resumed_at.rows)
        print_row(out, "  sent by earlier runs", delivery->sent_before);
    print_row(out, delivery->dry_run ? "  would be sent" : "  sent", counts.sent);
    if (!delivery->dry_run)
        print_row(out, "    acknowledged", counts.acknowledged);
    if (counts.failed)
        print_row(out, "    not delivered", counts.failed);
    if (in_flight)
        print_row(out, "    not known", in_flight);
    print_row(out, "  rejected", delivery->rejected.rows);
    for (enum event_code c = 1; c < EVENT_CODE_COUNT; c++)
        if (delivery->rejected.by_code[c]) {
            snprintf(name, sizeof name, "    %s", event_code_name(c));
            print_row(out, name, delivery->rejected.by_code[c]);
        }
    print_row(out, "rows a second", seconds > 0 ? (uint64_t)((double)delivery->read / seconds) : 0);
    fprintf(out, "%-32s %15.1f\n", "seconds", seconds);
}

static void delivery_print_summary(const struct delivery *delivery, struct sender_counts counts, FILE *out)
{
    double seconds = (double)(clock_steady_us(&clock_system) - delivery->progress.started_us) / 1e6;
    (isatty(fileno(out)) ? print_table : print_line)(delivery, counts, seconds, out);
    if (delivery->poison && poison_total(delivery->poison))
        poison_print(delivery->poison, out);
    fflush(out);
}

static void finish_sending(struct delivery *delivery, bool complete)
{
    struct error err;
    if (!delivery->sender || sender_finish(delivery->sender, complete ? &delivery->position : NULL, &err) == STATUS_OK)
        return;
    progress_hide(&delivery->progress);
    if (!delivery->broken && !stop_requested)
        log_error(delivery->where, "%s", err.text);
    delivery->broken = true;
}

/* True without --wait. */
static bool follow_to_the_end(const struct delivery *delivery, FILE *out)
{
    struct error err;
    if (!delivery->follow || !delivery->sender)
        return true;
    if (delivery->sent_before)
        log_warn(delivery->where, "--wait follows what this run has sent, not the %llu events of earlier runs",
                 (unsigned long long)delivery->sent_before);
    bool all = follow_run(delivery->follow, &err) == STATUS_OK;
    if (!all)
        log_error(delivery->where, "%s", err.text);
    follow_print_summary(delivery->follow, delivery->read, delivery->rejected.rows, delivery->progress.started_us, out);
    return all;
}

bool delivery_close(struct delivery *delivery, bool complete, FILE *out)
{
    bool opened = delivery->sender || delivery->dry_run;
    finish_sending(delivery, complete);
    struct sender_counts counts = delivery_counts(delivery);
    if (opened) {
        if (delivery->progress.total && complete)
            delivery->progress.total = delivery->read;
        show(delivery);
        progress_end(&delivery->progress);
        if (delivery->failures_shown > FAILURES_SHOWN)
            fprintf(stderr, "and %llu more were not delivered\n",
                    (unsigned long long)(delivery->failures_shown - FAILURES_SHOWN));
        delivery_print_summary(delivery, counts, out);
    }
    bool followed = follow_to_the_end(delivery, out);
    sender_free(delivery->sender);
    follow_free(delivery->follow);
    buffer_free(&delivery->value);
    return followed && counts.acknowledged == counts.sent &&
           counts.sent + delivery->sent_before + delivery->rejected.rows == delivery->read;
}

/* The thread that sends, and the hand-over to it: see sender.h. Used by backfill and generate through delivery.c.
 * The caller fills one outbox under the mutex, the thread takes it by exchanging it for the empty one. Must never lose
 * an event between them, and never keep the caller from noticing *stop. */
#include "producer/sender.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/steady_wait.h"

enum { LINGER_MS = 50, WAIT_MS = 100, STOP_WAIT_US = 10 * 1000 * 1000 };

struct failure {
    uintptr_t tag;
    const char *reason;
};

struct sender {
    struct sender_settings settings;
    struct sender_kafka *kafka;
    struct sender_kafka_counts counts;
    _Atomic bool give_up; /* the thread waits for brokers no longer */
    uint64_t sent;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool opened, ending, over; /* over: the thread will send nothing more */
    struct outbox filling, sending;
    struct failure *failures; /* not yet reported */
    size_t failure_count, failure_capacity;
    struct error error; /* why it is over; status STATUS_OK: it was asked to end */
};

static void wait_ms(struct sender *sender, int ms)
{
    (void)steady_wait_until(&sender->mutex, &sender->changed, clock_steady_us(&clock_system) + ms * INT64_C(1000));
}

/* --- the sender's thread; the mutex is held but while it sends --- */

static void note_failures(struct sender *sender)
{
    for (size_t i = 0; i < sender->sending.count; i++) {
        const struct outbox_event *event = &sender->sending.events[i];
        if (!event->refused)
            continue;
        sender->failures =
            mem_grow(sender->failures, &sender->failure_capacity, sender->failure_count + 1, sizeof *sender->failures);
        sender->failures[sender->failure_count++] = (struct failure){event->tag, event->refused};
    }
}

static void send_filled(struct sender *sender)
{
    struct outbox filled = sender->filling;
    struct error err = {0};
    sender->filling = sender->sending;
    sender->sending = filled;
    outbox_clear(&sender->filling);
    sender->filling.after = filled.after;
    pthread_cond_broadcast(&sender->changed);
    pthread_mutex_unlock(&sender->mutex);
    enum status status = sender_kafka_send(sender->kafka, &sender->sending, &sender->counts, &err);
    pthread_mutex_lock(&sender->mutex);
    note_failures(sender);
    if (status != STATUS_OK) {
        sender->error = err;
        sender->error.status = status;
        sender->over = true;
    }
    pthread_cond_broadcast(&sender->changed);
}

static void send_all(struct sender *sender)
{
    while (!sender->over) {
        bool moved = sender->filling.moved;
        if (moved && !sender->ending && !outbox_is_full(&sender->filling))
            wait_ms(sender, LINGER_MS); /* more may come: a transaction has its price, however small */
        if (moved)
            send_filled(sender);
        else if (sender->ending)
            sender->over = true;
        else
            wait_ms(sender, WAIT_MS);
    }
}

static void *sender_run(void *context)
{
    struct sender *sender = context;
    struct error err = {0};
    enum status status = sender_kafka_new(&sender->settings, &sender->give_up, &sender->kafka, &err);
    pthread_mutex_lock(&sender->mutex);
    sender->opened = true;
    sender->over = status != STATUS_OK;
    sender->error = err;
    sender->error.status = status;
    pthread_cond_broadcast(&sender->changed);
    send_all(sender);
    pthread_cond_broadcast(&sender->changed);
    pthread_mutex_unlock(&sender->mutex);
    return NULL;
}

/* --- the caller's thread --- */

/* With a rate an outbox holds one second of it: more would be a burst when brokers have been waited for. */
static bool filling_is_full(const struct sender *sender)
{
    const struct outbox *filling = &sender->filling;
    return outbox_is_full(filling) || (sender->settings.rate && filling->count >= (uint64_t)sender->settings.rate);
}

/* Under the mutex, but for what the caller does meanwhile. */
static void wait_as_caller(struct sender *sender)
{
    wait_ms(sender, WAIT_MS);
    if (!sender->settings.on_wait)
        return;
    pthread_mutex_unlock(&sender->mutex);
    sender->settings.on_wait(sender->settings.context);
    pthread_mutex_lock(&sender->mutex);
}

static enum status report_over(const struct sender *sender, struct error *err)
{
    return sender->error.status == STATUS_OK ? STATUS_OK
                                             : error_set(err, sender->error.status, "%s", sender->error.text);
}

static enum status await_open(struct sender *sender, struct error *err)
{
    pthread_mutex_lock(&sender->mutex);
    while (!sender->opened) {
        wait_ms(sender, WAIT_MS);
        if (*sender->settings.stop)
            sender->give_up = true;
    }
    enum status status = report_over(sender, err);
    pthread_mutex_unlock(&sender->mutex);
    return status;
}

enum status sender_new(const struct sender_settings *settings, struct sender **out, struct error *err)
{
    struct sender *sender = mem_zeroed(1, sizeof *sender);
    sender->settings = *settings;
    steady_wait_init(&sender->mutex, &sender->changed);
    int code = pthread_create(&sender->thread, NULL, sender_run, sender);
    if (code) {
        sender->thread = 0;
        sender_free(sender);
        return error_set(err, STATUS_LIMIT, "cannot start a thread: %s", strerror(code));
    }
    enum status status = await_open(sender, err);
    if (status != STATUS_OK) {
        sender_free(sender);
        return status;
    }
    *out = sender;
    return STATUS_OK;
}

void sender_free(struct sender *sender)
{
    if (!sender)
        return;
    pthread_mutex_lock(&sender->mutex);
    sender->ending = sender->give_up = true;
    outbox_clear(&sender->filling);
    pthread_cond_broadcast(&sender->changed);
    pthread_mutex_unlock(&sender->mutex);
    if (sender->thread)
        pthread_join(sender->thread, NULL);
    sender_kafka_free(sender->kafka);
    pthread_cond_destroy(&sender->changed);
    pthread_mutex_destroy(&sender->mutex);
    outbox_free(&sender->filling);
    outbox_free(&sender->sending);
    free(sender->failures);
    free(sender);
}

bool sender_is_exactly_once(const struct sender *sender)
{
    return sender_kafka_is_exactly_once(sender->kafka);
}

struct resume_position sender_position(const struct sender *sender)
{
    return sender_kafka_position(sender->kafka);
}

enum status sender_send(struct sender *sender, struct span key, struct span value, int32_t partition, uintptr_t tag,
                        const struct resume_position *after, struct error *err)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&sender->mutex);
    while (filling_is_full(sender) && !sender->over && status == STATUS_OK) {
        pthread_cond_broadcast(&sender->changed);
        wait_as_caller(sender);
        if (*sender->settings.stop && filling_is_full(sender))
            status = error_set(err, STATUS_UNAVAILABLE, "stopped while the brokers were waited for");
    }
    if (status == STATUS_OK)
        status = report_over(sender, err);
    if (status == STATUS_OK) {
        outbox_add(&sender->filling, key, value, partition, tag, after);
        sender->sent++;
    }
    pthread_mutex_unlock(&sender->mutex);
    return status;
}

void sender_pass(struct sender *sender, const struct resume_position *after)
{
    pthread_mutex_lock(&sender->mutex);
    outbox_pass(&sender->filling, after);
    pthread_mutex_unlock(&sender->mutex);
}

void sender_poll(struct sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    size_t count = sender->failure_count;
    struct failure *failures = sender->failures;
    sender->failures = NULL;
    sender->failure_count = sender->failure_capacity = 0;
    pthread_mutex_unlock(&sender->mutex);
    for (size_t i = 0; i < count && sender->settings.on_failed; i++)
        sender->settings.on_failed(sender->settings.context, failures[i].tag, failures[i].reason);
    free(failures);
}

enum status sender_finish(struct sender *sender, const struct resume_position *end, struct error *err)
{
    int64_t deadline_us = 0;
    pthread_mutex_lock(&sender->mutex);
    if (end) {
        sender->filling.after = *end;
        sender->filling.after.complete = true;
        sender->filling.moved = true;
    }
    sender->ending = true;
    pthread_cond_broadcast(&sender->changed);
    while (!sender->over) {
        wait_as_caller(sender);
        int64_t now_us = clock_steady_us(&clock_system);
        if (*sender->settings.stop && !deadline_us)
            deadline_us = now_us + STOP_WAIT_US;
        if (deadline_us && now_us >= deadline_us)
            sender->give_up = true;
    }
    enum status status = report_over(sender, err);
    pthread_mutex_unlock(&sender->mutex);
    sender_poll(sender);
    return status;
}

struct sender_counts sender_counts(const struct sender *sender)
{
    return (struct sender_counts){sender->sent, sender->counts.acknowledged, sender->counts.failed};
}

/* Posted events into the input topic: see event_sender.h.
 *
 * Two threads. The sender's own takes what was posted, hands it to a call in the background (base/background_call.h),
 * and reports each post's result, or that its time is over; it never waits for a broker. The call in the background
 * makes the producer, writes and commits, which may take as long as Kafka likes; it alone touches the transaction.
 *
 * After work that was rolled back, posts go one by one until one is committed, so that one that the topic refuses keeps
 * no other from it. Where the producer fails for good (a right is missing, another process has the same identity), it
 * is freed, posts are refused at once, and a new one is made no sooner than after a pause that doubles; the reason is
 * logged once. */
#include "scorer/http/event_sender.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/background_call.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/steady_wait.h"
#include "kafka/client.h"
#include "kafka/transaction.h"
#include "kafka/transaction_identity.h"

enum {
    TURN_US = 20000, /* while posts wait or a call runs */
    IDLE_US = 1000000,
    WAITING_BYTES_MAX = 4 << 20, /* and so of a transaction: within what --memory-limit reserves */
    WAITING_POSTS_MAX = 1000,
    PAUSE_FIRST_US = 1000000,
    PAUSE_LAST_US = 60000000,
};
enum { RESULTS = EVENTS_UNKNOWN + 1 };

struct post {
    struct post *next;
    struct prediction_log_records records;
    event_sender_done *done;
    void *context;
    int64_t deadline_us; /* steady clock */
    bool written;        /* its records were, or are being, produced; guarded */
    bool reported;       /* likewise */
};

/* First in, first out. */
struct posts {
    struct post *first, **end;
    size_t count, bytes;
};

struct event_sender {
    const struct settings *settings;
    const char *topic;
    char identity[640];
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct posts waiting, sending;
    bool running, ended; /* the call in the background: given out, and done */
    int64_t resume_us;   /* steady clock: no producer is made before, posts are refused; 0: there is one, or may be */
    /* Of the call in the background while it runs, else of the sender's thread. */
    struct background_call *background;
    struct transaction *transaction; /* NULL: none yet */
    bool fenced;                  /* what an earlier process left open was ended, or has to wait for the first post */
    enum event_sent result;       /* of the posts that it sends */
    unsigned failures, rollbacks; /* in a row */
    struct error problem;         /* the last that was logged; status STATUS_OK: none */
    _Atomic bool stop;            /* also ends waiting for brokers */
    _Atomic uint64_t counts[RESULTS];
};

/* --- lists --- */

static void posts_clear(struct posts *posts)
{
    *posts = (struct posts){.end = &posts->first};
}

static void posts_add(struct posts *posts, struct post *post)
{
    post->next = NULL;
    *posts->end = post;
    posts->end = &post->next;
    posts->count++;
    posts->bytes += post->records.bytes.bytes;
}

static struct post *posts_take(struct posts *posts)
{
    struct post *post = posts->first;
    posts->first = post->next;
    if (!posts->first)
        posts->end = &posts->first;
    posts->count--;
    posts->bytes -= post->records.bytes.bytes;
    return post;
}

static void post_free(struct post *post)
{
    prediction_log_records_clear(&post->records);
    free(post);
}

/* --- the call in the background --- */

/* Once for each kind, until something is committed. */
static void log_problem(struct event_sender *sender, const struct error *err, const char *effect)
{
    if (sender->problem.status != err->status)
        log_warn("http", "%s; %s", err->text, effect);
    sender->problem = *err;
}

static struct transaction_setup setup_of(struct event_sender *sender)
{
    const struct settings *settings = sender->settings;
    return (struct transaction_setup){
        .options = settings->options,
        .where = "events",
        .name = "POST /events",
        .identity = settings->exactly_once ? sender->identity : NULL,
        .group = settings->group_id,
        .topics = &sender->topic,
        .topic_count = 1,
        .stop = &sender->stop,
        .stop_at_once = true,
    };
}

/* At the start: a transaction that an earlier process of this instance left open would hide what comes after it from
 * readers of committed records. Where it fails, the first post says why. */
static void fence(struct event_sender *sender)
{
    struct transaction *transaction;
    struct error err;
    rd_kafka_resp_err_t code;
    const struct transaction_setup setup = setup_of(sender);
    sender->fenced = true;
    if (!setup.identity || transaction_new(&setup, &transaction, &err) != STATUS_OK)
        return;
    if (transaction_identity_take(&setup, transaction_client(transaction), &code, &err) != STATUS_OK)
        log_debug("http", "%s", err.text);
    transaction_free(transaction);
}

static enum status open_transaction(struct event_sender *sender, struct error *err)
{
    int partitions;
    const struct transaction_setup setup = setup_of(sender);
    if (sender->transaction)
        return STATUS_OK;
    enum status status = transaction_new(&setup, &sender->transaction, err);
    if (status == STATUS_OK)
        status = kafka_topic_partitions(transaction_client(sender->transaction), sender->topic, &partitions, err);
    return status == STATUS_OK ? transaction_start(sender->transaction, err) : status;
}

/* Whether there is still somebody to answer. */
static bool begin_post(struct event_sender *sender, struct post *post)
{
    pthread_mutex_lock(&sender->mutex);
    post->written = !post->reported;
    pthread_mutex_unlock(&sender->mutex);
    return post->written;
}

static void write_post(struct event_sender *sender, const struct post *post)
{
    const struct prediction_log_records *records = &post->records;
    for (size_t i = 0; i < records->count; i++) {
        const struct prediction_log_record *item = &records->items[i];
        const char *data = records->bytes.data;
        struct transaction_record record = {.partition = RD_KAFKA_PARTITION_UA,
                                            .key = {data + item->key_at, item->key_bytes},
                                            .value = {data + item->value_at, item->value_bytes}};
        if (records->traceparent[0]) {
            record.headers = rd_kafka_headers_new(1);
            rd_kafka_header_add(record.headers, "traceparent", -1, records->traceparent, -1);
        }
        rd_kafka_resp_err_t code = transaction_send(sender->transaction, &record);
        if (code) /* one that is too large has not broken the work by itself */
            transaction_break(sender->transaction, code, sender->topic);
    }
}

/* Nothing of a transaction that was refused has been committed, and nothing of the next will be. */
static enum status commit(struct event_sender *sender, struct error *err)
{
    enum transaction_result result = transaction_commit(sender->transaction, NULL, NULL, err);
    bool denied = result == TRANSACTION_ROLLED_BACK && err->status == STATUS_DENIED;
    bool left = !sender->settings->exactly_once || (!denied && !transaction_broken(sender->transaction));
    sender->result = result == TRANSACTION_COMMITTED ? EVENTS_COMMITTED : left ? EVENTS_UNKNOWN : EVENTS_UNWRITTEN;
    if (result == TRANSACTION_ROLLED_BACK)
        (void)transaction_pause(sender->transaction);
    return result == TRANSACTION_FAILED || denied ? err->status : STATUS_OK;
}

/* Failure is for good: of this producer. */
static enum status send_posts(struct event_sender *sender, struct error *err)
{
    enum status status = open_transaction(sender, err);
    if (status == STATUS_OK)
        status = transaction_begin(sender->transaction, err);
    if (status != STATUS_OK)
        return status;
    for (struct post *post = sender->sending.first; post; post = post->next)
        if (begin_post(sender, post))
            write_post(sender, post);
    return commit(sender, err);
}

static void note_result(struct event_sender *sender, const struct error *err)
{
    if (sender->result != EVENTS_COMMITTED) {
        sender->rollbacks++;
        log_problem(sender, err,
                    sender->result == EVENTS_UNKNOWN ? "it is not known whether events that were posted are written"
                                                     : "events that were posted are written again");
        return;
    }
    if (sender->problem.status != STATUS_OK)
        log_info("http", "posted events are written again");
    sender->problem = (struct error){0};
    sender->failures = sender->rollbacks = 0;
}

/* This producer is of no use any more. What will not pass by itself is not tried for ever at the same pace. */
static void give_up(struct event_sender *sender, const struct error *err)
{
    int64_t pause_us = PAUSE_FIRST_US;
    for (unsigned i = 0; i < sender->failures && pause_us < PAUSE_LAST_US; i++)
        pause_us *= 2;
    sender->failures += err->status != STATUS_UNAVAILABLE;
    log_problem(sender, err, "POST /events is answered with 503 until they can be written");
    transaction_free(sender->transaction);
    sender->transaction = NULL;
    pthread_mutex_lock(&sender->mutex);
    sender->resume_us = clock_steady_us(&clock_system) + (pause_us < PAUSE_LAST_US ? pause_us : PAUSE_LAST_US);
    pthread_mutex_unlock(&sender->mutex);
}

static void work(void *context)
{
    struct event_sender *sender = context;
    struct error err = {0};
    enum status status = STATUS_OK;
    sender->result = EVENTS_UNWRITTEN;
    if (!sender->fenced)
        fence(sender);
    if (sender->sending.first)
        status = send_posts(sender, &err);
    else if (sender->transaction)
        status = transaction_confirm(sender->transaction, &err);
    if (sender->stop)
        status = STATUS_OK;
    else if (status != STATUS_OK)
        give_up(sender, &err);
    else if (sender->sending.first)
        note_result(sender, &err);
    pthread_mutex_lock(&sender->mutex);
    sender->ended = true;
    pthread_cond_signal(&sender->changed);
    pthread_mutex_unlock(&sender->mutex);
}

/* --- the sender's thread --- */

/* Whether the caller is the one who reports it. */
static bool claim(struct event_sender *sender, struct post *post, int64_t now_us, enum event_sent *result)
{
    pthread_mutex_lock(&sender->mutex);
    bool due = !post->reported && now_us >= post->deadline_us;
    *result = post->written ? EVENTS_UNKNOWN : EVENTS_UNWRITTEN;
    post->reported |= due;
    pthread_mutex_unlock(&sender->mutex);
    return due;
}

static void report(struct event_sender *sender, const struct post *post, enum event_sent result)
{
    atomic_fetch_add(&sender->counts[result], post->records.count);
    post->done(post->context, result);
}

static struct post *take_waiting(struct event_sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    struct post *post = sender->waiting.first ? posts_take(&sender->waiting) : NULL;
    pthread_mutex_unlock(&sender->mutex);
    return post;
}

static void put_back(struct event_sender *sender, struct post *post)
{
    pthread_mutex_lock(&sender->mutex);
    post->written = false;
    posts_add(&sender->waiting, post);
    pthread_mutex_unlock(&sender->mutex);
}

static bool is_refusing(struct event_sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    bool refuses = sender->stop || clock_steady_us(&clock_system) < sender->resume_us;
    pthread_mutex_unlock(&sender->mutex);
    return refuses;
}

/* Those whose time is over; all that wait, where nothing can be written. */
static void end_late(struct event_sender *sender)
{
    int64_t now_us = is_refusing(sender) ? INT64_MAX : clock_steady_us(&clock_system);
    enum event_sent result;
    for (struct post *post = sender->sending.first; post; post = post->next)
        if (claim(sender, post, clock_steady_us(&clock_system), &result))
            report(sender, post, result);
    pthread_mutex_lock(&sender->mutex);
    size_t count = sender->waiting.count;
    pthread_mutex_unlock(&sender->mutex);
    while (count--) {
        struct post *post = take_waiting(sender);
        if (claim(sender, post, now_us, &result)) {
            report(sender, post, result);
            post_free(post);
        } else {
            put_back(sender, post);
        }
    }
}

/* What has been rolled back waits for the next transaction, as far as there is time. */
static void end_sent(struct event_sender *sender)
{
    enum event_sent ignored;
    bool again = sender->result == EVENTS_UNWRITTEN && !is_refusing(sender);
    while (sender->sending.first) {
        struct post *post = posts_take(&sender->sending);
        if (again && !post->reported) {
            put_back(sender, post);
            continue;
        }
        if (claim(sender, post, INT64_MAX, &ignored))
            report(sender, post, sender->result);
        post_free(post);
    }
}

/* Waits for something to do. False: the end. */
static bool wait_for_turn(struct event_sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    bool busy = sender->running || sender->waiting.count;
    if (!sender->ended && !sender->stop && (sender->running || !sender->waiting.count)) {
        int64_t until_us = clock_steady_us(&clock_system) + (busy ? TURN_US : IDLE_US);
        (void)steady_wait_until(&sender->mutex, &sender->changed, until_us);
    }
    bool ended = sender->ended;
    sender->ended = false;
    sender->running &= !ended;
    bool more = !sender->stop || sender->running || sender->waiting.count;
    pthread_mutex_unlock(&sender->mutex);
    if (ended) {
        background_call_wait(sender->background);
        end_sent(sender);
    }
    return more;
}

static void start_work(struct event_sender *sender)
{
    size_t most = sender->rollbacks ? 1 : SIZE_MAX;
    for (struct post *post; most && (post = take_waiting(sender)); most--)
        posts_add(&sender->sending, post);
    bool idle = !sender->sending.first;
    if (idle && sender->transaction)
        rd_kafka_poll(transaction_client(sender->transaction), 0);
    if (idle && sender->fenced && (!sender->transaction || transaction_is_confirmed(sender->transaction)))
        return;
    sender->running = true;
    background_call_start(sender->background, work, sender);
}

static void *serve(void *argument)
{
    struct event_sender *sender = argument;
    do {
        end_late(sender);
        if (!sender->running && !sender->stop)
            start_work(sender);
    } while (wait_for_turn(sender));
    return NULL;
}

/* --- the callers' side --- */

static const char *reason_to_refuse(const struct event_sender *sender, const struct prediction_log_records *records)
{
    if (sender->stop)
        return "the service is shutting down";
    if (clock_steady_us(&clock_system) < sender->resume_us)
        return "the service cannot write to the input topic just now, its log says why";
    if (sender->waiting.count >= WAITING_POSTS_MAX || sender->waiting.bytes + records->bytes.bytes > WAITING_BYTES_MAX)
        return "too many events are waiting to be written";
    return NULL;
}

const char *event_sender_send(struct event_sender *sender, struct prediction_log_records *records,
                              event_sender_done *done, void *context)
{
    if (!kafka_up())
        return "Kafka is unavailable";
    pthread_mutex_lock(&sender->mutex);
    const char *reason = reason_to_refuse(sender, records);
    if (!reason) {
        struct post *post = mem_zeroed(1, sizeof *post);
        post->records = *records;
        *records = (struct prediction_log_records){0};
        post->done = done;
        post->context = context;
        post->deadline_us = clock_steady_us(&clock_system) + sender->settings->http_log_timeout_us;
        posts_add(&sender->waiting, post);
        pthread_cond_signal(&sender->changed);
    }
    pthread_mutex_unlock(&sender->mutex);
    return reason;
}

void event_sender_write_metric(const struct event_sender *sender, struct buffer *out)
{
    static const struct span names[RESULTS] = {[EVENTS_COMMITTED] = SPAN_LITERAL("committed"),
                                               [EVENTS_UNWRITTEN] = SPAN_LITERAL("unwritten"),
                                               [EVENTS_UNKNOWN] = SPAN_LITERAL("unknown")};
    metric_write_head(out, METRIC_HTTP_EVENTS);
    for (size_t r = 0; r < RESULTS; r++)
        metric_write_uint(out, METRIC_HTTP_EVENTS, &names[r], sender->counts[r]);
}

static void release(struct event_sender *sender)
{
    background_call_free(sender->background);
    transaction_free(sender->transaction);
    pthread_cond_destroy(&sender->changed);
    pthread_mutex_destroy(&sender->mutex);
    free(sender);
}

enum status event_sender_new(const struct settings *settings, struct event_sender **out, struct error *err)
{
    struct event_sender *sender = mem_zeroed(1, sizeof *sender);
    sender->settings = settings;
    sender->topic = settings->input_topic;
    snprintf(sender->identity, sizeof sender->identity, "%s-%s-events", settings->group_id, settings->instance_id);
    posts_clear(&sender->waiting);
    posts_clear(&sender->sending);
    steady_wait_init(&sender->mutex, &sender->changed);
    enum status status = background_call_new(&sender->background, err);
    if (status == STATUS_OK && pthread_create(&sender->thread, NULL, serve, sender))
        status = error_set(err, STATUS_UNAVAILABLE, "http: cannot start a thread; raise the limit of threads");
    if (status != STATUS_OK) {
        release(sender);
        return status;
    }
    *out = sender;
    return STATUS_OK;
}

void event_sender_stop(struct event_sender *sender)
{
    if (!sender)
        return;
    pthread_mutex_lock(&sender->mutex);
    sender->stop = true;
    pthread_cond_signal(&sender->changed);
    pthread_mutex_unlock(&sender->mutex);
}

void event_sender_free(struct event_sender *sender)
{
    if (!sender)
        return;
    event_sender_stop(sender);
    pthread_join(sender->thread, NULL);
    release(sender);
}

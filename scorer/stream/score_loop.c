/* The score loop. See score_loop.h.
 *
 * Started by daemon.c on a thread of its own; ends when stopped, at the end, or with an error. What may block in it:
 * the poll of the input consumer (at most until the next commit is due), the producer's full queue, the end of a commit
 * where too much is staged after it or partitions leave, and the look-up of committed offsets on assignment. While a
 * commit is under way the loop goes on with the next transaction, whose results publish.c stages until then. */
#include "scorer/stream/score_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "avro/registry_client.h"
#include "kafka/client.h"
#include "scorer/state/state_restore.h"
#include "scorer/stream/dead_letter_summary.h"
#include "scorer/stream/input_consumer.h"
#include "scorer/stream/publish.h"
#include "scorer/stream/score_batch.h"
#include "scorer/stream/result_counts.h"

enum {
    IDLE_POLL_MS = 100,
    WAITING_POLL_MS = 10,
    COMMIT_POLL_MS = 5,
    LAG_INTERVAL_US = 200000,
    END_INTERVAL_US = 100000,
    UNBLOCK_AFTER_US = 8000000,
    LAGS_KEPT = 256,
    MIB = 1024 * 1024,
    LIMIT_CUT = 4,
    LIMIT_GROWTH = 32
};

/* 2024-01-01 UTC: no clock that is right shows less. */
#define CLOCK_FIRST_US INT64_C(1704067200000000)

struct score_loop {
    const struct settings *settings;
    struct counters *counters;
    unsigned worker;
    struct score_batch *batch;
    struct input_consumer *input;
    struct publish *publish;
    struct state *state; /* current records, and how they are read back; NULL: none are kept */
    struct state_restore *restore;
    struct snapshots *snapshots; /* NULL: no local ones are kept */
    bool copies;                 /* a snapshot is being made, a piece a turn */
    bool state_full;             /* partitions wait: --memory-limit leaves no room for new employees */
    uint64_t answers;            /* of the schema registry, before the first partition waited */
    bool waiting_logged;
    bool publishes;                 /* since it has joined the group */
    struct result_counts counts;    /* of the open transaction, staged or not */
    struct result_counts committed; /* of the transaction whose commit is under way */
    bool commits;                   /* one is */
    int64_t commit_us;              /* steady clock: since then */
    int64_t ended_us;               /* steady clock: when the last one had its result */
    int64_t limit, proven;          /* events of one transaction, and committed at once of late: see is_cut */
    int64_t opened_us, lag_us;      /* steady clock: when the open transaction began; last look at the lag */
    int64_t end_us;                 /* steady clock: last look whether the end is reached */
    int64_t starts_us;              /* steady clock: since when starts are looked up in vain; 0: not */
    enum status failure;            /* of a commit within a rebalance */
    struct error failure_text;
    _Atomic bool stop;
    struct loop_progress progress;
    struct dead_letter_summary dead_letter_summary;
    struct buffer dead_letter_text; /* to be logged */
    pthread_mutex_t lags_mutex;     /* guards what follows */
    struct partition_lag lags[LAGS_KEPT];
    size_t lag_count;
};

/* --- counting: received = scored + dead-lettered + erased + outcome + ignored + repeated + returned + in flight --- */

static void count_in_flight(struct score_loop *loop)
{
    counter_set(loop->counters, COUNTER_EVENTS_IN_FLIGHT, loop->committed.received + loop->counts.received);
}

static void count_received(struct score_loop *loop, size_t count)
{
    loop->counts.received += count;
    counter_add(loop->counters, COUNTER_EVENTS_RECEIVED, count);
    count_in_flight(loop);
}

static void note_state(struct score_loop *loop)
{
    size_t bytes = state_bytes(loop->state), count = state_count(loop->state);
    counter_set(loop->counters, COUNTER_STATE_EMPLOYEES, count);
    counter_set(loop->counters, COUNTER_STATE_BYTES, bytes);
}

static void count_committed(struct score_loop *loop)
{
    const struct result_counts *counts = &loop->committed;
    int64_t now = clock_steady_us(&clock_system);
    if (dead_letter_summary_add(&loop->dead_letter_summary, counts->received, counts->dead_letters, now,
                                &loop->dead_letter_text))
        log_error("score", "%s", loop->dead_letter_text.data);
    if (loop->state)
        note_state(loop); /* before the events that made them count */
    result_counts_commit(counts, loop->counters);
    loop->committed = (struct result_counts){0};
    count_in_flight(loop);
    if (loop->state)
        state_committed(loop->state);
}

/* The open transaction goes back with the one whose commit failed, since it comes after it. */
static void count_rolled_back(struct score_loop *loop)
{
    counter_add(loop->counters, COUNTER_EVENTS_RETURNED, loop->committed.received + loop->counts.received);
    counter_add(loop->counters, COUNTER_TRANSACTIONS_ABORTED, 1);
    loop->committed = loop->counts = (struct result_counts){0};
    count_in_flight(loop);
    if (loop->state)
        state_roll_back(loop->state);
}

static void handle_batch(struct score_loop *loop)
{
    if (!loop->counts.received)
        loop->opened_us = score_batch_left_us(loop->batch);
    if (loop->settings->registry && !input_consumer_any_waiting(loop->input))
        loop->answers = registry_client_answers(loop->settings->registry);
    count_received(loop, score_batch_handle(loop->batch, loop->input, loop->publish, &loop->counts));
}

/* --- committing --- */

/* Events, or positions that moved without any (past control records). */
static bool has_open_transaction(const struct score_loop *loop)
{
    return loop->counts.received || (!loop->commits && input_consumer_moved(loop->input));
}

static bool has_work(const struct score_loop *loop)
{
    return loop->commits || has_open_transaction(loop);
}

static void start_commit(struct score_loop *loop)
{
    progress_step(&loop->progress, "commits", WAITS_FOR_KAFKA);
    loop->commits = true;
    loop->commit_us = clock_steady_us(&clock_system);
    loop->committed = loop->counts;
    loop->counts = (struct result_counts){0};
    if (loop->state)
        state_mark(loop->state);
    publish_commit_start(loop->publish, loop->input);
}

/* A transaction that was rolled back may have been more than brokers take in a transaction's time (a quota, a slow
 * disk), and would come back for ever. Where it was larger than what has been committed of late, it is done again in
 * smaller ones, which grow when commits as large as allowed succeed. */
static bool is_cut(const struct score_loop *loop)
{
    return loop->limit < loop->settings->commit_events;
}

static void adapt_limit(struct score_loop *loop, enum publish_result result)
{
    int64_t most = loop->settings->commit_events, received = (int64_t)loop->committed.received;
    bool committed = result == PUBLISH_COMMITTED, larger = received > loop->proven;
    bool rolled_back = result == PUBLISH_ROLLED_BACK && !publish_is_bisecting(loop->publish);
    if (committed && received >= loop->limit)
        loop->limit += loop->limit / LIMIT_GROWTH + 1;
    else if (rolled_back && larger)
        loop->limit = received / LIMIT_CUT + 1;
    if (committed && larger)
        loop->proven = received;
    else if (rolled_back)
        loop->proven /= LIMIT_CUT;
    if (loop->limit > most)
        loop->limit = most;
}

/* Waits for the result of the commit under way. What is not committed must not stay where it is: either its partitions
 * leave, or the input consumer is rewound. */
static enum publish_result finish_commit(struct score_loop *loop, struct error *err)
{
    enum publish_result result = publish_commit_finish(loop->publish, loop->input, err);
    loop->commits = false;
    loop->ended_us = clock_steady_us(&clock_system);
    adapt_limit(loop, result);
    if (result == PUBLISH_COMMITTED) {
        FAILPOINT("score.committed");
        count_committed(loop);
        progress_committed(&loop->progress, loop->ended_us);
    } else {
        count_rolled_back(loop);
    }
    return result;
}

/* Between batches. */
static enum status complete_commit(struct score_loop *loop, struct error *err)
{
    if (!loop->commits)
        return STATUS_OK;
    progress_step(&loop->progress, "commits", WAITS_FOR_KAFKA);
    enum publish_result result = finish_commit(loop, err);
    if (result == PUBLISH_FAILED)
        return err->status;
    return result == PUBLISH_ROLLED_BACK ? input_consumer_rewind(loop->input, err) : STATUS_OK;
}

/* Begins the commit of the open transaction, after the one under way. */
static enum status commit_open_transaction(struct score_loop *loop, struct error *err)
{
    if (!has_open_transaction(loop))
        return STATUS_OK;
    enum status status = complete_commit(loop, err);
    if (status == STATUS_OK && has_open_transaction(loop))
        start_commit(loop);
    return status;
}

/* Everything, before the loop ends. */
static enum status commit_all(struct score_loop *loop, struct error *err)
{
    enum status status = commit_open_transaction(loop, err);
    return status == STATUS_OK ? complete_commit(loop, err) : status;
}

static enum publish_result end_transaction(struct score_loop *loop, bool lost, struct error *err)
{
    enum publish_result result = loop->commits ? finish_commit(loop, err) : PUBLISH_COMMITTED;
    if (result != PUBLISH_COMMITTED || !has_open_transaction(loop))
        return result;
    if (!lost) {
        start_commit(loop);
        return finish_commit(loop, err);
    }
    publish_abort(loop->publish);
    count_rolled_back(loop);
    return PUBLISH_ROLLED_BACK;
}

/* Within a poll of the input consumer: partitions were assigned. */
static enum status on_prepare(void *context, struct state_start *starts, size_t count, bool *done, struct error *err)
{
    struct score_loop *loop = context;
    progress_step(&loop->progress, "reads current records", WAITS_FOR_KAFKA);
    enum status status = state_restore_step(loop->restore, starts, count, done, err);
    progress_step(&loop->progress, "polls", WAITS_FOR_KAFKA);
    if (loop->snapshots && status == STATUS_OK && *done)
        snapshots_start(loop->snapshots);
    return status;
}

static bool may_prepare_again(void *context, int32_t partition)
{
    const struct score_loop *loop = context;
    return state_restore_may_go_on(loop->restore, partition);
}

/* Within a poll or close of the input consumer: the partitions are about to go, with the batches of before handled. */
static void on_leaving(void *context, bool lost)
{
    struct score_loop *loop = context;
    struct error err = {0};
    if (loop->restore)
        state_restore_stop(loop->restore);
    if (loop->publish && loop->input && has_work(loop)) {
        progress_step(&loop->progress, "gives its partitions back", WAITS_FOR_KAFKA);
        FAILPOINT("score.leaving");
        if (end_transaction(loop, lost, &err) == PUBLISH_FAILED && loop->failure == STATUS_OK) {
            loop->failure = err.status;
            loop->failure_text = err;
        }
    }
    if (loop->publish)
        publish_forget_offsets(loop->publish);
    if (loop->snapshots) { /* last: it may wait for the disk */
        progress_step(&loop->progress, "ends a snapshot", WAITS_FOR_NOTHING);
        snapshots_stop(loop->snapshots, lost);
    }
}

/* Steady clock: when the open transaction is to be committed. Nothing is sent while a commit is under way, so one that
 * took long leaves half the interval for sending, or a backlog would be sent in bursts with the loop waiting for them.
 */
static int64_t due_us(const struct score_loop *loop)
{
    int64_t interval = loop->settings->commit_interval_us;
    int64_t due = loop->opened_us + interval, rested = loop->ended_us + interval / 2;
    return due > rested ? due : rested;
}

/* Not while another is under way, however long that takes: waiting for it would gain nothing, except that works which
 * must be small stay small. */
static bool commit_due(const struct score_loop *loop)
{
    bool idle = !loop->commits || publish_commit_ended(loop->publish);
    bool full = (int64_t)loop->counts.received >= loop->limit;
    if (!idle)
        return full && is_cut(loop);
    return full || clock_steady_us(&clock_system) >= due_us(loop);
}

static int poll_ms(const struct score_loop *loop)
{
    if (loop->commits || loop->copies)
        return COMMIT_POLL_MS;
    if (!loop->counts.received)
        return input_consumer_any_waiting(loop->input) ? WAITING_POLL_MS : IDLE_POLL_MS;
    int64_t left = due_us(loop) - clock_steady_us(&clock_system);
    return left <= 0 ? 0 : left / 1000 < IDLE_POLL_MS ? (int)(left / 1000) + 1 : IDLE_POLL_MS;
}

/* --- the loop --- */

/* What partitions wait for, when there is nothing else to do. */
static enum loop_wait partitions_wait_for(const struct score_loop *loop)
{
    if (input_consumer_any_held(loop->input))
        return WAITS_FOR_TRANSACTION;
    if (!input_consumer_any_waiting(loop->input))
        return WAITS_FOR_NOTHING;
    return loop->restore && state_restore_is_short(loop->restore) ? WAITS_FOR_REPARTITION : WAITS_FOR_REGISTRY;
}

/* What is named is waited for; anything else that is open or unread must end in a commit. */
static void note_progress(struct score_loop *loop, int64_t now)
{
    bool works = has_work(loop) || input_consumer_behind(loop->input);
    bool slow = loop->commits && now - loop->commit_us > LOOP_CALL_US;
    enum loop_wait partitions = works || !kafka_up() ? WAITS_FOR_NOTHING : partitions_wait_for(loop);
    progress_turn(&loop->progress, works,
                  loop->state_full                  ? WAITS_FOR_MEMORY
                  : partitions != WAITS_FOR_NOTHING ? partitions
                  : kafka_up() && !slow             ? WAITS_FOR_NOTHING
                                                    : WAITS_FOR_KAFKA,
                  now);
}

/* New employees have no room in memory. */
static bool is_full(const struct score_loop *loop)
{
    return loop->state && state_is_full(loop->state) && input_consumer_any_waiting(loop->input);
}

/* Said at once, and again when it has been over. */
static void note_full(struct score_loop *loop)
{
    if (!is_full(loop) || loop->state_full)
        return;
    size_t bytes = state_bytes(loop->state), count = state_count(loop->state);
    log_error("score",
              "worker %u: %zu current records of employees take %.1f MiB, %zu bytes each, and --memory-limit leaves "
              "%.1f MiB for them: partitions with events of new employees wait; raise it, or start more scorers",
              loop->worker, count, (double)bytes / MIB, count ? bytes / count : 0,
              (double)loop->settings->state_bytes / MIB);
    loop->state_full = true;
}

static void note_turn(struct score_loop *loop)
{
    int64_t now = clock_steady_us(&clock_system);
    note_full(loop);
    note_progress(loop, now);
    loop->progress.assigned = input_consumer_assigned(loop->input);
    if (now - loop->lag_us < LAG_INTERVAL_US)
        return;
    loop->lag_us = now;
    if (dead_letter_summary_minute(&loop->dead_letter_summary, now, &loop->dead_letter_text))
        log_warn("score", "worker %u: %s", loop->worker, loop->dead_letter_text.data);
    if (loop->state)
        note_state(loop);
    counter_set(loop->counters, COUNTER_EVENTS_LAG, input_consumer_lag(loop->input));
    pthread_mutex_lock(&loop->lags_mutex);
    loop->lag_count = input_consumer_lags(loop->input, loop->lags, LAGS_KEPT);
    pthread_mutex_unlock(&loop->lags_mutex);
}

/* --exit-at-end */
static bool at_end(struct score_loop *loop)
{
    int64_t now = clock_steady_us(&clock_system);
    if (!loop->settings->exit_at_end || !loop->publishes || has_work(loop) || now - loop->end_us < END_INTERVAL_US)
        return false;
    loop->end_us = now;
    return input_consumer_at_end(loop->input);
}

static void log_waiting(struct score_loop *loop)
{
    if (loop->waiting_logged || registry_client_up(loop->settings->registry))
        return;
    loop->waiting_logged = true;
    log_warn("score", "%llu partitions of %s wait for the schema registry; the others go on",
             (unsigned long long)counter_get(loop->counters, COUNTER_PARTITIONS_WAITING), loop->settings->input_topic);
}

/* Partitions that wait look again when the schema registry has answered something, or when records have gone that left
 * no room. Those that wait for their records to be moved go on with the next process. */
static enum status go_on(struct score_loop *loop, struct error *err)
{
    if (loop->state_full && !is_full(loop)) {
        loop->state_full = false;
        return input_consumer_go_on(loop->input, err);
    }
    if (!input_consumer_any_waiting(loop->input) || !loop->settings->registry)
        return STATUS_OK;
    uint64_t answers = registry_client_answers(loop->settings->registry);
    if (answers == loop->answers) {
        log_waiting(loop);
        return STATUS_OK;
    }
    loop->answers = answers;
    loop->waiting_logged = false;
    return input_consumer_go_on(loop->input, err);
}

/* See publish_start. Starts of partitions are looked up after it: what it ends may block them. */
static enum status start_publishing(struct score_loop *loop, struct error *err)
{
    if (loop->publishes || !input_consumer_joined(loop->input))
        return STATUS_OK;
    progress_step(&loop->progress, "starts transactions", WAITS_FOR_KAFKA);
    loop->publishes = true;
    return publish_start(loop->publish, err);
}

/* Committed offsets are not returned while a transaction keeps them open, which may be a late one of our own. */
static enum status unblock_starts(struct score_loop *loop, struct error *err)
{
    int64_t now = clock_steady_us(&clock_system);
    if (!input_consumer_starts_wait(loop->input))
        loop->starts_us = 0;
    else if (!loop->starts_us)
        loop->starts_us = now;
    if (loop->commits || !loop->starts_us || now - loop->starts_us < UNBLOCK_AFTER_US || !kafka_up())
        return STATUS_OK;
    progress_step(&loop->progress, "unblocks the group's offsets", WAITS_FOR_KAFKA);
    loop->starts_us = now;
    return publish_end_leftovers(loop->publish, err);
}

/* What the last transaction may have left open blocks readers: it is not left until there is work again. */
static enum status end_leftovers(struct score_loop *loop, struct error *err)
{
    if (has_work(loop) || !kafka_up())
        return STATUS_OK;
    if (loop->publishes && publish_has_leftovers(loop->publish) && input_consumer_joined(loop->input)) {
        progress_step(&loop->progress, "ends what its last transaction may have left open", WAITS_FOR_KAFKA);
        return publish_end_leftovers(loop->publish, err);
    }
    if (publish_is_confirmed(loop->publish))
        return STATUS_OK;
    progress_step(&loop->progress, "looks whether its last commit has reached all partitions", WAITS_FOR_KAFKA);
    return publish_confirm(loop->publish, err);
}

static enum status turn(struct score_loop *loop, struct error *err)
{
    size_t count = 0;
    progress_step(&loop->progress, "polls", WAITS_FOR_KAFKA);
    enum status status = loop->commits && publish_commit_ended(loop->publish) ? complete_commit(loop, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = go_on(loop, err);
    if (status == STATUS_OK)
        status = start_publishing(loop, err);
    if (status == STATUS_OK)
        status = unblock_starts(loop, err);
    if (status == STATUS_OK)
        status = end_leftovers(loop, err);
    if (status == STATUS_OK)
        status = score_batch_poll(loop->batch, loop->input, is_cut(loop) ? loop->limit : INT64_MAX, poll_ms(loop),
                                  &count, err);
    if (status == STATUS_OK && loop->failure != STATUS_OK)
        status = error_set(err, loop->failure, "%s", loop->failure_text.text);
    progress_step(&loop->progress, "scores", WAITS_FOR_KAFKA); /* the producer's queue may be full */
    if (status == STATUS_OK && count)
        handle_batch(loop);
    if (status == STATUS_OK && commit_due(loop))
        status = commit_open_transaction(loop, err);
    loop->copies = loop->snapshots && snapshots_turn(loop->snapshots);
    note_turn(loop);
    return status;
}

static enum status connect_all(struct score_loop *loop, struct error *err)
{
    struct input_consumer_owner owner = {on_leaving, loop, {NULL, NULL, loop}};
    if (loop->restore)
        owner.prepare = (struct pending_prepare){on_prepare, may_prepare_again, loop};
    int partitions;
    enum status status = STATUS_OK;
    progress_start(&loop->progress, clock_steady_us(&clock_system));
    if (loop->settings->registry) {
        progress_step(&loop->progress, "starts", WAITS_FOR_REGISTRY);
        status = registry_client_wait(loop->settings->registry, 0, &loop->stop, err);
        progress_step(&loop->progress, "starts", WAITS_FOR_KAFKA);
    }
    if (status == STATUS_OK)
        status = input_consumer_new(loop->settings, loop->worker, loop->counters, &owner, &loop->stop, &loop->input,
                                    &partitions, err);
    if (status == STATUS_OK)
        status = publish_new(loop->settings, loop->worker, partitions, loop->input, loop->state, &loop->stop,
                             &loop->publish, err);
    return status;
}

enum status score_loop_run(struct score_loop *loop, struct error *err)
{
    enum status status = connect_all(loop, err);
    while (status == STATUS_OK && !loop->stop && !at_end(loop))
        status = turn(loop, err);
    if (status == STATUS_OK)
        status = commit_all(loop, err);
    else if (loop->stop && status == STATUS_UNAVAILABLE)
        status = STATUS_OK; /* stopped while it waited for a server: nothing was open */
    progress_step(&loop->progress, "leaves its group", WAITS_FOR_KAFKA);
    input_consumer_free(loop->input);
    publish_free(loop->publish);
    loop->input = NULL;
    loop->publish = NULL;
    if (loop->snapshots && status == STATUS_OK) {
        progress_step(&loop->progress, "writes its snapshots", WAITS_FOR_NOTHING);
        snapshots_write_all(loop->snapshots);
    }
    counter_set(loop->counters, COUNTER_PARTITIONS_ASSIGNED, 0);
    progress_end(&loop->progress);
    return status;
}

/* --- start and end --- */

/* A clock that was never set would make each event one of the future. */
static enum status check_clock(struct error *err)
{
    if (clock_real_us(&clock_system) >= CLOCK_FIRST_US)
        return STATUS_OK;
    return error_set(
        err, STATUS_INVALID,
        "this machine's clock is before 2024: set it, or every event's occurred_at would be in the future");
}

enum status score_loop_new(const struct settings *settings, struct model_holder *models, struct counters *counters,
                           unsigned worker, struct score_loop **out, struct error *err)
{
    struct score_batch *batch;
    enum status status = check_clock(err);
    if (status == STATUS_OK)
        status = score_batch_new(settings, models, counters, &batch, err);
    if (status != STATUS_OK)
        return status;
    struct score_loop *loop = mem_zeroed(1, sizeof *loop);
    pthread_mutex_init(&loop->lags_mutex, NULL);
    loop->settings = settings;
    loop->limit = settings->commit_events;
    loop->counters = counters;
    loop->worker = worker;
    loop->batch = batch;
    if (settings->state_topic) {
        loop->state = state_new();
        state_limit_bytes(loop->state, (size_t)settings->state_bytes);
        if (settings->snapshot_dir)
            status = snapshots_new(settings, loop->state, counters, &clock_system, &loop->snapshots, err);
        loop->restore = state_restore_new(settings, loop->state, loop->snapshots, counters);
        state_restore_leave_held(loop->restore, PENDING_PATIENCE_US);
        score_batch_keep_state(batch, loop->state);
    }
    loop->dead_letter_summary =
        (struct dead_letter_summary){.topic = settings->input_topic, .has_registry = settings->registry != NULL};
    if (status == STATUS_OK)
        *out = loop;
    else
        score_loop_free(loop);
    return status;
}

void score_loop_free(struct score_loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_destroy(&loop->lags_mutex);
    score_batch_free(loop->batch);
    state_restore_free(loop->restore);
    snapshots_free(loop->snapshots);
    state_free(loop->state);
    buffer_free(&loop->dead_letter_text);
    free(loop);
}

void score_loop_stop(struct score_loop *loop)
{
    loop->stop = true;
}

const struct loop_progress *score_loop_progress(const struct score_loop *loop)
{
    return &loop->progress;
}

size_t score_loop_lags(struct score_loop *loop, struct partition_lag *out, size_t capacity)
{
    pthread_mutex_lock(&loop->lags_mutex);
    size_t count = loop->lag_count < capacity ? loop->lag_count : capacity;
    memcpy(out, loop->lags, count * sizeof *out);
    pthread_mutex_unlock(&loop->lags_mutex);
    return count;
}

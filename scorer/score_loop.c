/* The score loop. See score_loop.h.
 *
 * Started by run.c on a thread of its own; ends when told, at the end, or with an error. What may block in it: the poll
 * of the intake (at most until the next commit is due), the producer's full queue, the end of a commit where too
 * much is staged behind it or partitions leave, and the look-up of committed offsets on assignment. While a commit is
 * under way the loop goes on with the next work. Nothing here allocates per event: a batch's arrays are made once. */
#include "scorer/score_loop.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/decoder.h"
#include "events/fault.h"
#include "events/key.h"
#include "events/registry_client.h"
#include "events/validate.h"
#include "kafka/client.h"
#include "scorer/challengers.h"
#include "scorer/dead_letter_run.h"
#include "scorer/intake.h"
#include "scorer/publish.h"
#include "scorer/tally.h"

enum {
    BATCH = 512,
    IDLE_POLL_MS = 100,
    HELD_POLL_MS = 10,
    COMMIT_POLL_MS = 5,
    LAG_INTERVAL_US = 200000,
    END_INTERVAL_US = 100000,
    SETTLE_AFTER_US = 8000000,
    LAGS_KEPT = 256
};

/* 2024-01-01 UTC: no clock that is right shows less. */
#define CLOCK_FIRST_US INT64_C(1704067200000000)

static const char no_number[] = "the model gives no number for these values";

/* What becomes of a message of the batch. Dead letters are published while decoding; the rest wait for the scores. What
 * needs a schema that the registry has not told yet (FATE_WAIT) and all behind it in its partition has no end now: it
 * will be handed out again. */
enum fate { FATE_SCORE, FATE_DEAD_LETTER, FATE_ERASE, FATE_OUTCOME, FATE_WAIT };

struct batch {
    struct intake_message messages[BATCH];
    uint8_t fates[BATCH];
    size_t count, waiting;
    int64_t left_us;            /* steady clock when it left the client library's queue */
    struct event events[BATCH]; /* by message */
    uint32_t rows[BATCH];       /* by message: its row, where it is scored */
    size_t row_count;
    int64_t latest_ms;               /* beyond it, occurred_at lies in the future */
    char (*key_texts)[ID_BYTES_MAX]; /* by message: the id that its key names, where that is no part of the key */
    struct labels labels;            /* of the model that scores it */
    struct cell *cells; /* row-major; one row more than BATCH, for events that are decoded and not scored */
    struct score scores[BATCH];
    struct reason *reasons;
    struct challenger_rows *challengers; /* NULL: none */
    struct buffer value;
};

struct score_loop {
    const struct settings *settings;
    struct model_holder *models;
    struct counters *counters;
    unsigned worker;
    uint32_t reasons;
    struct decoder *decoder;
    struct key_reader *keys;
    int64_t real_us, steady_us; /* both clocks when the loop was made: see latest_ms */
    struct intake *intake;
    struct publish *publish;
    uint64_t answers; /* of the schema registry, before the first partition was held */
    bool told_waiting;
    struct batch batch;
    struct tally tally;        /* of the open work, staged or not */
    struct tally committed;    /* of the work whose commit is under way */
    bool commits;              /* one is */
    int64_t commit_us;         /* steady clock: since then */
    int64_t opened_us, lag_us; /* steady clock: when the open work began; last look at the lag */
    int64_t end_us;            /* steady clock: last look whether the end is reached */
    int64_t starts_us;         /* steady clock: since when starts are looked up in vain; 0: not */
    enum status failure;       /* of a commit within a rebalance */
    struct error failure_text;
    _Atomic bool stop, assigned;
    struct loop_progress progress;
    struct dead_letter_run run;
    struct buffer told;         /* a text about dead letters */
    pthread_mutex_t lags_mutex; /* guards what follows */
    struct partition_lag lags[LAGS_KEPT];
    size_t lag_count;
};

/* Counting: received = scored + dead-lettered + erased + outcome + returned + in flight */

static void count_in_flight(struct score_loop *loop)
{
    counter_set(loop->counters, COUNTER_EVENTS_IN_FLIGHT, loop->committed.received + loop->tally.received);
}

static void count_received(struct score_loop *loop, size_t count)
{
    loop->tally.received += count;
    counter_add(loop->counters, COUNTER_EVENTS_RECEIVED, count);
    count_in_flight(loop);
}

static void count_committed(struct score_loop *loop)
{
    const struct tally *tally = &loop->committed;
    int64_t now = clock_steady_us(&clock_system);
    if (dead_letter_run_take(&loop->run, tally->received, tally->dead_letters, now, &loop->told))
        log_error("score", "%s", loop->told.data);
    tally_commit(tally, loop->counters);
    loop->committed = (struct tally){0};
    count_in_flight(loop);
}

/* The open work goes back with the one whose commit failed: it stands behind it. */
static void count_returned(struct score_loop *loop)
{
    counter_add(loop->counters, COUNTER_EVENTS_RETURNED, loop->committed.received + loop->tally.received);
    counter_add(loop->counters, COUNTER_TRANSACTIONS_ABORTED, 1);
    loop->committed = loop->tally = (struct tally){0};
    count_in_flight(loop);
}

/* Decoding and judging */

static const char *field_name(const struct score_loop *loop, int32_t column)
{
    return column >= 0 && (size_t)column < loop->settings->schema->column_count
               ? loop->settings->schema->columns[column].name
               : envelope_field_name(column);
}

static enum fate dead_letter(struct score_loop *loop, const struct intake_message *message, const struct fault *fault)
{
    publish_dead_letter(loop->publish, message, fault->code, field_name(loop, fault->column), fault->text);
    loop->tally.dead_lettered++;
    loop->tally.dead_letters[fault->code]++;
    return FATE_DEAD_LETTER;
}

static enum fate dead_letter_text(struct score_loop *loop, const struct intake_message *message, enum event_code code,
                                  const char *text)
{
    struct fault fault;
    fault_set(&fault, code, FAULT_NO_COLUMN, "%s", text);
    return dead_letter(loop, message, &fault);
}

static enum fate dead_letter_plain(struct score_loop *loop, const struct intake_message *message, enum event_code code)
{
    return dead_letter_text(loop, message, code, event_code_meaning(code));
}

/* Its schema is being asked for. While the registry answers, that is a matter of milliseconds. */
static enum fate hold(struct score_loop *loop, const struct intake_message *message, const struct fault *fault)
{
    intake_hold(loop->intake, message);
    log_debug("score", "%s [%d] waits at offset %lld for the schema registry: %s", loop->settings->input_topic,
              message->partition, (long long)message->offset, fault->text);
    return FATE_WAIT;
}

/* Whom the key names. Most keys are the employee id as it stands, so that nothing is to be read out of them. */
static enum event_code read_key(struct score_loop *loop, size_t i, struct span *id, struct fault *fault, bool *waits)
{
    const struct intake_message *message = &loop->batch.messages[i];
    *waits = false;
    *id = message->key;
    if (!message->key.data || (message->value.data && span_equal(message->key, loop->batch.events[i].employee_id)))
        return EVENT_OK;
    return key_read(loop->keys, message->key, loop->batch.key_texts[i], id, fault, waits);
}

static enum fate judge_erasure(struct score_loop *loop, size_t i)
{
    const struct intake_message *message = &loop->batch.messages[i];
    struct fault fault;
    bool waits;
    if (!message->key.data)
        return dead_letter_plain(loop, message, EVENT_NULL_KEY);
    enum event_code code = read_key(loop, i, &loop->batch.events[i].employee_id, &fault, &waits);
    if (waits)
        return hold(loop, message, &fault);
    return code == EVENT_OK ? FATE_ERASE : dead_letter(loop, message, &fault);
}

/* Decodes the message's event into the next free row and judges it. */
static enum fate judge(struct score_loop *loop, size_t i)
{
    const struct schema *schema = loop->settings->schema;
    const struct intake_message *message = &loop->batch.messages[i];
    struct event *event = &loop->batch.events[i];
    struct fault fault = {.column = FAULT_NO_COLUMN};
    struct span key_id;
    bool waits;
    if (intake_holds_any(loop->intake) && intake_holds(loop->intake, message->partition))
        return FATE_WAIT;
    if (!message->value.data)
        return judge_erasure(loop, i);
    event->cells = loop->batch.cells + loop->batch.row_count * schema->column_count;
    enum event_code code = decoder_read(loop->decoder, message->value, message->schema_header, event, &fault, &waits);
    if (code == EVENT_OK)
        code = read_key(loop, i, &key_id, &fault, &waits);
    if (waits)
        return hold(loop, message, &fault);
    if (code == EVENT_OK)
        code = validate_event(schema, event, key_id, loop->batch.latest_ms, &fault);
    if (code == EVENT_OK && event->imputed)
        counter_add(loop->counters, COUNTER_VALUES_IMPUTED, event->imputed);
    if (code != EVENT_OK) {
        fault.code = code;
        return dead_letter(loop, message, &fault);
    }
    return event->type == EVENT_TYPE_TERMINATED ? FATE_OUTCOME : FATE_SCORE;
}

/* A clock that stops or is set back while we run must not turn good events into ones of the future: the time that has
 * passed since the start counts as well. */
static int64_t latest_ms(const struct score_loop *loop)
{
    int64_t clock_us = clock_real_us(&clock_system);
    int64_t passed_us = loop->real_us + (clock_steady_us(&clock_system) - loop->steady_us);
    return (clock_us > passed_us ? clock_us : passed_us) / 1000 + loop->settings->max_future_us / 1000;
}

static void decode_batch(struct score_loop *loop)
{
    struct batch *batch = &loop->batch;
    batch->row_count = batch->waiting = 0;
    batch->latest_ms = latest_ms(loop);
    if (loop->settings->registry && !intake_holds_any(loop->intake))
        loop->answers = registry_client_answers(loop->settings->registry);
    for (size_t i = 0; i < batch->count; i++) {
        enum fate fate = judge(loop, i);
        batch->fates[i] = (uint8_t)fate;
        batch->rows[i] = (uint32_t)batch->row_count;
        batch->row_count += fate == FATE_SCORE;
        batch->waiting += fate == FATE_WAIT;
    }
}

/* Publishing */

static void fill_prediction(const struct score_loop *loop, const struct model *model, struct prediction *prediction)
{
    *prediction = (struct prediction){
        .threshold = model->threshold,
        .model = model->stamp,
        .scored_at_us = clock_real_us(&clock_system),
        .latency_us = clock_steady_us(&clock_system) - loop->batch.left_us,
        .source_topic = span_of(loop->settings->input_topic),
        .channel = CHANNEL_STREAM,
    };
}

static bool publish_scored(struct score_loop *loop, size_t i, struct prediction *prediction)
{
    struct batch *batch = &loop->batch;
    const struct schema *schema = loop->settings->schema;
    const struct event *event = &batch->events[i];
    const struct score *score = &batch->scores[batch->rows[i]];
    prediction->event_id = event->event_id;
    prediction->employee_id = event->employee_id;
    prediction->occurred_at_ms = event->occurred_at_ms;
    prediction->label = score->probability >= prediction->threshold ? batch->labels.positive : batch->labels.negative;
    prediction->probability = score->probability;
    prediction->margin = score->margin;
    prediction->base = score->base;
    prediction->reasons = batch->reasons + (size_t)batch->rows[i] * loop->reasons;
    prediction->reason_count = score->reason_count;
    prediction->challengers = challenger_rows_of(batch->challengers, batch->rows[i], &prediction->challenger_count);
    prediction->source_partition = batch->messages[i].partition;
    prediction->source_offset = batch->messages[i].offset;
    prediction->cells = event->cells;
    prediction->attributes = event->attributes;
    buffer_clear(&batch->value);
    prediction_encode(schema, prediction, &batch->value);
    counter_add(loop->counters, COUNTER_OUTPUT_BYTES, batch->value.bytes);
    return publish_prediction(loop->publish, &batch->messages[i], event->employee_id, buffer_span(&batch->value));
}

/* False where the model fills in no missing values and this event has some. */
static bool has_number(const struct score_loop *loop, size_t i)
{
    const struct score *score = &loop->batch.scores[loop->batch.rows[i]];
    return isfinite(score->probability) && isfinite(score->margin);
}

static void publish_one(struct score_loop *loop, size_t i, struct prediction *prediction)
{
    const struct intake_message *message = &loop->batch.messages[i];
    bool fits = true;
    uint64_t *end = NULL;
    switch ((enum fate)loop->batch.fates[i]) {
    case FATE_DEAD_LETTER:
    case FATE_WAIT:
        return;
    case FATE_SCORE:
        if (!has_number(loop, i)) {
            dead_letter_text(loop, message, EVENT_NOT_FINITE, no_number);
            return;
        }
        fits = publish_scored(loop, i, prediction);
        end = &loop->tally.scored;
        loop->tally.risk[risk_bin(prediction->probability)] += fits;
        break;
    case FATE_ERASE:
        fits = publish_erasure(loop->publish, message, loop->batch.events[i].employee_id);
        end = &loop->tally.erased;
        break;
    case FATE_OUTCOME:
        fits = publish_outcome(loop->publish, message, loop->batch.events[i].employee_id);
        end = &loop->tally.outcome;
        break;
    }
    if (fits)
        ++*end;
    else
        dead_letter_plain(loop, message, EVENT_TOO_LARGE);
}

static void handle_batch(struct score_loop *loop)
{
    struct batch *batch = &loop->batch;
    struct prediction prediction;
    if (!loop->tally.received)
        loop->opened_us = batch->left_us;
    decode_batch(loop);
    count_received(loop, batch->count - batch->waiting);
    const struct model *model = model_acquire(loop->models);
    pipeline_score(model->pipeline, batch->cells, batch->row_count, loop->reasons, batch->scores, batch->reasons);
    challenger_rows_score(batch->challengers, batch->cells, batch->row_count, model, batch->scores);
    batch->labels = model->labels;
    fill_prediction(loop, model, &prediction);
    for (size_t i = 0; i < batch->count; i++)
        publish_one(loop, i, &prediction);
    model_release(model);
    FAULT_POINT("score.batch");
    if (batch->row_count)
        tally_latency(&loop->tally, prediction.latency_us, batch->row_count);
    intake_accept(loop->intake);
}

/* Committing */

/* Events, or positions that moved without any (behind control records). */
static bool has_open_work(const struct score_loop *loop)
{
    return loop->tally.received || (!loop->commits && intake_moved(loop->intake));
}

static bool has_work(const struct score_loop *loop)
{
    return loop->commits || has_open_work(loop);
}

static void start_commit(struct score_loop *loop)
{
    progress_step(&loop->progress, "commits", WAITS_FOR_KAFKA);
    loop->commits = true;
    loop->commit_us = clock_steady_us(&clock_system);
    loop->committed = loop->tally;
    loop->tally = (struct tally){0};
    publish_commit_start(loop->publish, loop->intake);
}

/* Waits for the result of the commit under way. What is not committed must not stay where it is: either its partitions
 * leave, or the intake is rewound. */
static enum publish_result finish_commit(struct score_loop *loop, struct error *err)
{
    enum publish_result result = publish_commit_finish(loop->publish, loop->intake, err);
    loop->commits = false;
    if (result == PUBLISH_COMMITTED) {
        FAULT_POINT("score.committed");
        count_committed(loop);
        progress_committed(&loop->progress, clock_steady_us(&clock_system));
    } else {
        count_returned(loop);
    }
    return result;
}

/* Between batches. */
static enum status settle(struct score_loop *loop, struct error *err)
{
    if (!loop->commits)
        return STATUS_OK;
    progress_step(&loop->progress, "commits", WAITS_FOR_KAFKA);
    enum publish_result result = finish_commit(loop, err);
    if (result == PUBLISH_FAILED)
        return err->status;
    return result == PUBLISH_RETURNED ? intake_rewind(loop->intake, err) : STATUS_OK;
}

/* Begins the commit of the open work, after the one under way. */
static enum status commit(struct score_loop *loop, struct error *err)
{
    if (!has_open_work(loop))
        return STATUS_OK;
    enum status status = settle(loop, err);
    if (status == STATUS_OK && has_open_work(loop))
        start_commit(loop);
    return status;
}

/* Everything, before the loop ends. */
static enum status commit_all(struct score_loop *loop, struct error *err)
{
    enum status status = commit(loop, err);
    return status == STATUS_OK ? settle(loop, err) : status;
}

static enum publish_result end_work(struct score_loop *loop, bool lost, struct error *err)
{
    enum publish_result result = loop->commits ? finish_commit(loop, err) : PUBLISH_COMMITTED;
    if (result != PUBLISH_COMMITTED || !has_open_work(loop))
        return result;
    if (!lost) {
        start_commit(loop);
        return finish_commit(loop, err);
    }
    publish_abort(loop->publish);
    count_returned(loop);
    return PUBLISH_RETURNED;
}

/* Within a poll or close of the intake: the partitions are about to go, with the batches of before handled. */
static void on_leaving(void *context, bool lost)
{
    struct score_loop *loop = context;
    struct error err = {0};
    if (!loop->publish || !loop->intake || !has_work(loop))
        return;
    progress_step(&loop->progress, "gives its partitions back", WAITS_FOR_KAFKA);
    FAULT_POINT("score.leaving");
    if (end_work(loop, lost, &err) == PUBLISH_FAILED && loop->failure == STATUS_OK) {
        loop->failure = err.status;
        loop->failure_text = err;
    }
}

/* Not while another is under way, however long that takes: waiting for it would gain nothing. */
static bool commit_due(const struct score_loop *loop)
{
    bool idle = !loop->commits || publish_commit_ended(loop->publish);
    return idle && ((int64_t)loop->tally.received >= loop->settings->commit_events ||
                    clock_steady_us(&clock_system) - loop->opened_us >= loop->settings->commit_interval_us);
}

static int poll_ms(const struct score_loop *loop)
{
    if (loop->commits)
        return COMMIT_POLL_MS;
    if (!loop->tally.received)
        return intake_holds_any(loop->intake) ? HELD_POLL_MS : IDLE_POLL_MS;
    int64_t left = loop->opened_us + loop->settings->commit_interval_us - clock_steady_us(&clock_system);
    return left <= 0 ? 0 : left / 1000 < IDLE_POLL_MS ? (int)(left / 1000) + 1 : IDLE_POLL_MS;
}

/* The loop */

/* What waits for the schema registry is named; anything else that is open or unread must end in a commit. */
static void note_progress(struct score_loop *loop, int64_t now)
{
    bool works = has_work(loop) || intake_behind(loop->intake);
    bool held = !works && intake_holds_any(loop->intake);
    bool slow = loop->commits && now - loop->commit_us > LOOP_CALL_US;
    progress_turn(&loop->progress, works,
                  held                  ? WAITS_FOR_REGISTRY
                  : kafka_up() && !slow ? WAITS_FOR_NOTHING
                                        : WAITS_FOR_KAFKA,
                  now);
}

static void note_turn(struct score_loop *loop)
{
    int64_t now = clock_steady_us(&clock_system);
    note_progress(loop, now);
    atomic_store_explicit(&loop->assigned, intake_assigned(loop->intake), memory_order_relaxed);
    if (now - loop->lag_us < LAG_INTERVAL_US)
        return;
    loop->lag_us = now;
    if (dead_letter_run_sum(&loop->run, now, &loop->told))
        log_warn("score", "worker %u: %s", loop->worker, loop->told.data);
    counter_set(loop->counters, COUNTER_EVENTS_LAG, intake_lag(loop->intake));
    pthread_mutex_lock(&loop->lags_mutex);
    loop->lag_count = intake_lags(loop->intake, loop->lags, LAGS_KEPT);
    pthread_mutex_unlock(&loop->lags_mutex);
}

/* --exit-at-end */
static bool at_end(struct score_loop *loop)
{
    int64_t now = clock_steady_us(&clock_system);
    if (!loop->settings->exit_at_end || has_work(loop) || now - loop->end_us < END_INTERVAL_US)
        return false;
    loop->end_us = now;
    return intake_at_end(loop->intake);
}

static void tell_waiting(struct score_loop *loop)
{
    if (loop->told_waiting || registry_client_up(loop->settings->registry))
        return;
    loop->told_waiting = true;
    log_warn("score", "%llu partitions of %s wait for the schema registry; the others go on",
             (unsigned long long)counter_get(loop->counters, COUNTER_PARTITIONS_WAITING), loop->settings->input_topic);
}

/* Partitions that wait look again when the schema registry has told something. */
static enum status go_on(struct score_loop *loop, struct error *err)
{
    if (!intake_holds_any(loop->intake))
        return STATUS_OK;
    uint64_t answers = registry_client_answers(loop->settings->registry);
    if (answers == loop->answers) {
        tell_waiting(loop);
        return STATUS_OK;
    }
    loop->answers = answers;
    loop->told_waiting = false;
    return intake_go_on(loop->intake, err);
}

/* Committed offsets are not told while a transaction holds them open, which may be a late one of our own. */
static enum status settle_starts(struct score_loop *loop, struct error *err)
{
    int64_t now = clock_steady_us(&clock_system);
    if (!intake_starts_wait(loop->intake))
        loop->starts_us = 0;
    else if (!loop->starts_us)
        loop->starts_us = now;
    if (loop->commits || !loop->starts_us || now - loop->starts_us < SETTLE_AFTER_US || !kafka_up())
        return STATUS_OK;
    progress_step(&loop->progress, "settles the group's offsets", WAITS_FOR_KAFKA);
    loop->starts_us = now;
    return publish_settle(loop->publish, err);
}

static enum status turn(struct score_loop *loop, struct error *err)
{
    struct batch *batch = &loop->batch;
    progress_step(&loop->progress, "polls", WAITS_FOR_KAFKA);
    enum status status = loop->commits && publish_commit_ended(loop->publish) ? settle(loop, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = go_on(loop, err);
    if (status == STATUS_OK)
        status = settle_starts(loop, err);
    if (status == STATUS_OK)
        status = intake_poll(loop->intake, poll_ms(loop), batch->messages, BATCH, &batch->count, &batch->left_us, err);
    if (status == STATUS_OK && loop->failure != STATUS_OK)
        status = error_set(err, loop->failure, "%s", loop->failure_text.text);
    progress_step(&loop->progress, "scores", WAITS_FOR_KAFKA); /* the producer's queue may be full */
    if (status == STATUS_OK && batch->count)
        handle_batch(loop);
    if (status == STATUS_OK && commit_due(loop))
        status = commit(loop, err);
    note_turn(loop);
    return status;
}

static enum status connect_all(struct score_loop *loop, struct error *err)
{
    const struct intake_owner owner = {on_leaving, loop};
    int partitions;
    enum status status = STATUS_OK;
    progress_start(&loop->progress, clock_steady_us(&clock_system));
    if (loop->settings->registry) {
        progress_step(&loop->progress, "starts", WAITS_FOR_REGISTRY);
        status = registry_client_wait(loop->settings->registry, 0, &loop->stop, err);
        progress_step(&loop->progress, "starts", WAITS_FOR_KAFKA);
    }
    if (status == STATUS_OK)
        status = intake_new(loop->settings, loop->worker, loop->counters, &owner, &loop->stop, &loop->intake,
                            &partitions, err);
    if (status == STATUS_OK)
        status = publish_new(loop->settings, loop->worker, partitions, loop->intake, &loop->stop, &loop->publish, err);
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
        status = STATUS_OK; /* told to stop while it waited for a server: nothing was open */
    progress_step(&loop->progress, "leaves its group", WAITS_FOR_KAFKA);
    intake_free(loop->intake);
    publish_free(loop->publish);
    loop->intake = NULL;
    loop->publish = NULL;
    counter_set(loop->counters, COUNTER_PARTITIONS_ASSIGNED, 0);
    progress_end(&loop->progress);
    return status;
}

/* Start and end */

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
    struct decoder *decoder;
    enum status status = check_clock(err);
    if (status == STATUS_OK)
        status = decoder_new(settings->schema, &decoder, err);
    if (status != STATUS_OK)
        return status;
    const char *unframed = settings->options ? options_text(settings->options, OPTION_UNFRAMED) : NULL;
    decoder_use_registry(decoder, settings->registry);
    decoder_use_time_unit(decoder, settings->time_unit);
    if (unframed && *unframed && decoder_take_unframed(decoder, unframed, err) != STATUS_OK) {
        decoder_free(decoder);
        return err->status;
    }
    struct score_loop *loop = mem_zeroed(1, sizeof *loop);
    size_t columns = settings->schema->column_count;
    pthread_mutex_init(&loop->lags_mutex, NULL);
    loop->settings = settings;
    loop->models = models;
    loop->counters = counters;
    loop->worker = worker;
    loop->reasons = settings->reasons < columns ? settings->reasons : (uint32_t)columns;
    loop->decoder = decoder;
    loop->run = (struct dead_letter_run){.topic = settings->input_topic, .has_registry = settings->registry != NULL};
    loop->keys = key_reader_new(settings->registry);
    loop->real_us = clock_real_us(&clock_system);
    loop->steady_us = clock_steady_us(&clock_system);
    loop->batch.key_texts = mem_zeroed(BATCH, sizeof *loop->batch.key_texts);
    loop->batch.cells = mem_zeroed((BATCH + 1) * columns, sizeof(struct cell));
    loop->batch.reasons = mem_zeroed((size_t)BATCH * loop->reasons + 1, sizeof(struct reason));
    loop->batch.challengers = challenger_rows_new(settings->challengers, BATCH);
    *out = loop;
    return STATUS_OK;
}

void score_loop_free(struct score_loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_destroy(&loop->lags_mutex);
    decoder_free(loop->decoder);
    key_reader_free(loop->keys);
    buffer_free(&loop->batch.value);
    buffer_free(&loop->told);
    free(loop->batch.key_texts);
    free(loop->batch.cells);
    free(loop->batch.reasons);
    challenger_rows_free(loop->batch.challengers);
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

bool score_loop_assigned(const struct score_loop *loop)
{
    return atomic_load_explicit(&loop->assigned, memory_order_relaxed);
}

size_t score_loop_lags(struct score_loop *loop, struct partition_lag *out, size_t capacity)
{
    pthread_mutex_lock(&loop->lags_mutex);
    size_t count = loop->lag_count < capacity ? loop->lag_count : capacity;
    memcpy(out, loop->lags, count * sizeof *out);
    pthread_mutex_unlock(&loop->lags_mutex);
    return count;
}

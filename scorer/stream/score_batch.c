/* A batch of the score loop: see score_batch.h.
 *
 * Called by a score loop on its own thread. May block where publishing does: the producer's full queue, or the end of
 * a commit when no more can be staged. Nothing here allocates per event: the arrays are made once. */
#include "scorer/stream/score_batch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/decoder.h"
#include "events/event_encoder.h"
#include "events/fault.h"
#include "events/key.h"
#include "events/validate.h"
#include "kafka/message.h"
#include "scorer/model/challengers.h"
#include "scorer/record_context.h"
#include "scorer/stream/record_changes.h"

enum { BATCH = 512 };

/* What becomes of a message. Dead letters are published while decoding; the rest wait for the scores. What needs a
 * schema that the registry has not answered yet, or memory that is not there (RESULT_WAIT), and all after it in its
 * partition, has no result now: it will be handed out again. What an earlier process has done already (RESULT_REPEATED)
 * is passed over. */
enum result {
    RESULT_SCORE,
    RESULT_DEAD_LETTER,
    RESULT_ERASE,
    RESULT_OUTCOME,
    RESULT_IGNORE,
    RESULT_REPEATED,
    RESULT_WAIT
};

struct score_batch {
    const struct settings *settings;
    struct model_holder *models;
    struct counters *counters;
    struct input_consumer *input; /* these three: of the call under way */
    struct publish *publish;
    struct result_counts *counts;
    struct decoder *decoder;
    struct key_reader *keys;
    int64_t real_us, steady_us; /* both clocks when the batch was made: see latest_ms */
    uint32_t reasons_per_row;
    double explained_from; /* the least probability whose prediction gets reasons */
    struct input_message messages[BATCH];
    uint8_t results[BATCH];
    struct record_change changes[BATCH]; /* of the current records */
    size_t count, waiting;
    int64_t left_us;            /* steady clock when it left the client library's queue */
    struct event events[BATCH]; /* by message */
    uint32_t rows[BATCH];       /* by message: its row, where it is scored; its place in `outcomes` */
    size_t row_count;
    int64_t latest_ms;               /* beyond it, occurred_at lies in the future */
    char (*key_texts)[ID_BYTES_MAX]; /* by message: the id that its key names, where that is no part of the key */
    struct labels labels;            /* of the model that scores it */
    struct cell *cells; /* row-major; one row more than BATCH, for events that are decoded and not scored */
    struct score scores[BATCH];
    struct reason *reasons;
    struct challenger_rows *challengers; /* NULL: none */
    struct record_changes *records;      /* NULL: no current records are kept */
    struct buffer value, outcomes, attributes;
};

/* --- decoding and validating --- */

static const char *field_name(const struct score_batch *batch, int32_t column)
{
    return column >= 0 && (size_t)column < batch->settings->schema->column_count
               ? batch->settings->schema->columns[column].name
               : envelope_field_name(column);
}

static enum result dead_letter(struct score_batch *batch, const struct input_message *message,
                               const struct fault *fault)
{
    const char *field = field_name(batch, fault->column);
    char name[sizeof fault->text];
    if (!field && fault->named) { /* one that the schema does not have */
        snprintf(name, sizeof name, "%.*s", fault->named - FAULT_NAME_END, fault->text);
        field = name;
    }
    publish_dead_letter(batch->publish, message, fault->code, field, fault->text);
    batch->counts->dead_lettered++;
    batch->counts->dead_letters[fault->code]++;
    return RESULT_DEAD_LETTER;
}

static enum result dead_letter_text(struct score_batch *batch, const struct input_message *message,
                                    enum event_code code, const char *text)
{
    struct fault fault;
    fault_set(&fault, code, FAULT_NO_COLUMN, "%s", text);
    return dead_letter(batch, message, &fault);
}

static enum result dead_letter_plain(struct score_batch *batch, const struct input_message *message,
                                     enum event_code code)
{
    return dead_letter_text(batch, message, code, event_code_meaning(code));
}

/* Its schema is being asked for. While the registry answers, that is a matter of milliseconds. */
static enum result wait_for_schema(struct score_batch *batch, const struct input_message *message,
                                   const struct fault *fault)
{
    input_consumer_set_waiting(batch->input, message);
    log_debug("score", "%s [%d] waits at offset %lld for the schema registry: %s", batch->settings->input_topic,
              message->partition, (long long)message->offset, fault->text);
    return RESULT_WAIT;
}

/* Whom the key names. Most keys are the employee id as it stands, so that nothing is to be read out of them. */
static enum event_code read_key(struct score_batch *batch, size_t i, struct span *id, struct fault *fault, bool *waits)
{
    const struct input_message *message = &batch->messages[i];
    *waits = false;
    *id = message->key;
    if (!message->key.data || (message->value.data && span_equal(message->key, batch->events[i].employee_id)))
        return EVENT_OK;
    return key_read(batch->keys, message->key, batch->key_texts[i], id, fault, waits);
}

/* A new employee's, and the records take all the memory that is theirs. */
static enum result wait_for_memory(struct score_batch *batch, const struct input_message *message)
{
    input_consumer_set_waiting(batch->input, message);
    log_debug("score", "%s [%d] waits at offset %lld: the current record of a new employee has no room",
              batch->settings->input_topic, message->partition, (long long)message->offset);
    return RESULT_WAIT;
}

static enum result read_erasure(struct score_batch *batch, size_t i)
{
    const struct input_message *message = &batch->messages[i];
    struct fault fault;
    bool waits;
    if (batch->settings->null_ignored || kafka_message_is_control(message->origin))
        return RESULT_IGNORE;
    if (!message->key.data)
        return dead_letter_plain(batch, message, EVENT_NULL_KEY);
    enum event_code code = read_key(batch, i, &batch->events[i].employee_id, &fault, &waits);
    if (waits)
        return wait_for_schema(batch, message, &fault);
    if (code != EVENT_OK)
        return dead_letter(batch, message, &fault);
    if (batch->records)
        batch->changes[i] = record_changes_erase(batch->records, message, batch->events[i].employee_id);
    return RESULT_ERASE;
}

static enum result repeated(struct score_batch *batch)
{
    batch->counts->repeated++;
    return RESULT_REPEATED;
}

static enum event_code refuse_partial(const struct schema *schema, const struct event *event, struct fault *fault)
{
    size_t c = 0;
    if (event->form != EVENT_FORM_CHANGE)
        return fault_set(fault, EVENT_PARTIAL, FAULT_NO_COLUMN,
                         "a partial event, and no current records are kept: set STATE_TOPIC, or send whole records "
                         "(in JSON of another type than CHANGED)");
    while (event->cells[c].code != CELL_UNLISTED)
        c++;
    return fault_set_field(fault, EVENT_PARTIAL, (int32_t)c, schema->columns[c].name,
                           "the connector did not send it: set STATE_TOPIC, or ALTER TABLE … REPLICA IDENTITY FULL");
}

/* The event's part in the current records, and so the rest of its validation. */
static enum event_code merge(struct score_batch *batch, size_t i, struct span key_id, struct fault *fault)
{
    struct event *event = &batch->events[i];
    if (!batch->records)
        return event->partial ? refuse_partial(batch->settings->schema, event, fault) : EVENT_OK;
    batch->changes[i] = record_changes_merge(batch->records, &batch->messages[i], key_id.data != NULL, event, fault);
    return batch->changes[i].how == STATE_CHANGE_REFUSED ? fault->code : EVENT_OK;
}

/* Debezium sends a null value after each deleted row: taken for an erasure, it would remove the person's history. */
static void check_null_value(struct score_batch *batch, const struct event *event)
{
    struct error err;
    if (event->form != EVENT_FORM_CHANGE || batch->settings->null_given)
        return;
    error_set(&err, STATUS_INVALID,
              "score: %s has change events of Debezium, whose connector sends a null value after each deleted row: set "
              "NULL_VALUE=ignore, so that these are ignored, or NULL_VALUE=erase, so that each erases the employee (or "
              "tombstones.on.delete=false in the connector, and NULL_VALUE=erase)",
              batch->settings->input_topic);
    publish_refuse(batch->publish, &err);
}

/* Written as Avro, whatever it came as; a schema whose columns cannot all be null has no place for it. */
static enum event_code check_outcome(const struct score_batch *batch, const struct event *event, struct fault *fault)
{
    if (event->type != EVENT_TYPE_TERMINATED || event->form == EVENT_FORM_AVRO ||
        event_is_encodable(batch->settings->schema, event->cells))
        return EVENT_OK;
    return fault_set(fault, EVENT_MISSING_REQUIRED, FAULT_NO_COLUMN,
                     "attributes: the schema has columns that cannot be null, so the event must have them");
}

/* Decodes the message's event into the next free row and validates it. */
static enum result decode_and_validate(struct score_batch *batch, size_t i)
{
    const struct schema *schema = batch->settings->schema;
    const struct input_message *message = &batch->messages[i];
    struct event *event = &batch->events[i];
    struct fault fault = {.column = FAULT_NO_COLUMN};
    struct span key_id;
    bool waits;
    if (input_consumer_any_waiting(batch->input) && input_consumer_is_waiting(batch->input, message->partition))
        return RESULT_WAIT;
    if (batch->records && !record_changes_has(batch->records, message->partition)) {
        input_consumer_set_waiting(batch->input, message);
        return RESULT_WAIT;
    }
    batch->changes[i] = (struct record_change){.how = STATE_CHANGE_NONE};
    if (batch->records && record_changes_is_repeated(batch->records, message))
        return repeated(batch);
    if (!message->value.data)
        return read_erasure(batch, i);
    event->cells = batch->cells + batch->row_count * schema->column_count;
    const struct record_context context = record_context_of(message->origin, batch->settings->input_topic);
    enum event_code code =
        decoder_read_record(batch->decoder, message->value, message->schema_header, &context, event, &fault, &waits);
    check_null_value(batch, event);
    if (code == EVENT_OK && event->ignored)
        return RESULT_IGNORE;
    if (code == EVENT_OK)
        code = read_key(batch, i, &key_id, &fault, &waits);
    if (waits)
        return wait_for_schema(batch, message, &fault);
    if (code == EVENT_OK)
        code = validate_event(schema, event, key_id, batch->latest_ms, &fault);
    if (code == EVENT_OK)
        code = check_outcome(batch, event, &fault);
    if (code == EVENT_OK)
        code = merge(batch, i, key_id, &fault);
    if (batch->changes[i].how == STATE_CHANGE_FULL)
        return wait_for_memory(batch, message);
    if (code == EVENT_OK && event->imputed)
        counter_add(batch->counters, COUNTER_VALUES_IMPUTED, event->imputed);
    if (code != EVENT_OK) {
        fault.code = code;
        return dead_letter(batch, message, &fault);
    }
    if (batch->changes[i].how == STATE_CHANGE_REPEATED)
        return repeated(batch);
    if (batch->changes[i].how == STATE_CHANGE_GONE)
        return RESULT_IGNORE;
    return event->type == EVENT_TYPE_TERMINATED ? RESULT_OUTCOME : RESULT_SCORE;
}

/* A clock that stops or is set back while we run must not turn good events into ones of the future: the time that has
 * passed since the start counts as well. */
static int64_t latest_ms(const struct score_batch *batch)
{
    int64_t clock_us = clock_real_us(&clock_system);
    int64_t passed_us = batch->real_us + (clock_steady_us(&clock_system) - batch->steady_us);
    return (clock_us > passed_us ? clock_us : passed_us) / 1000 + batch->settings->max_future_us / 1000;
}

/* An outcome that came as JSON goes on in a frame of our schema. It is encoded now, since the next event is decoded
 * into its cells. Returns where it is: its length, and its bytes. */
static size_t keep_outcome(struct score_batch *batch, size_t i)
{
    size_t at = batch->outcomes.bytes;
    buffer_clear(&batch->value);
    event_encode(batch->settings->schema, &batch->events[i], &batch->value);
    buffer_add(&batch->outcomes, &batch->value.bytes, sizeof batch->value.bytes);
    buffer_add(&batch->outcomes, batch->value.data, batch->value.bytes);
    return at;
}

static void decode_batch(struct score_batch *batch)
{
    batch->row_count = batch->waiting = 0;
    buffer_clear(&batch->outcomes);
    batch->latest_ms = latest_ms(batch);
    decoder_reset(batch->decoder);
    for (size_t i = 0; i < batch->count; i++) {
        enum result result = decode_and_validate(batch, i);
        batch->results[i] = (uint8_t)result;
        batch->rows[i] = (uint32_t)batch->row_count;
        if (result == RESULT_OUTCOME && batch->events[i].form != EVENT_FORM_AVRO)
            batch->rows[i] = (uint32_t)keep_outcome(batch, i);
        batch->row_count += result == RESULT_SCORE;
        batch->waiting += result == RESULT_WAIT;
    }
}

/* --- publishing --- */

static void fill_prediction(const struct score_batch *batch, const struct model *model, struct prediction *prediction)
{
    *prediction = (struct prediction){
        .threshold = model->threshold,
        .model = model->stamp,
        .scored_at_us = clock_real_us(&clock_system),
        .latency_us = clock_steady_us(&clock_system) - batch->left_us,
        .source_topic = span_of(batch->settings->input_topic),
        .channel = CHANNEL_STREAM,
    };
}

/* What came as JSON, or was completed, is encoded once for its prediction and its current record. */
static void encode_attributes(struct score_batch *batch, struct event *event)
{
    if (!batch->records || event->attributes.data)
        return;
    buffer_clear(&batch->attributes);
    attributes_encode(batch->settings->schema, event->cells, &batch->attributes);
    event->attributes = buffer_span(&batch->attributes);
}

static bool publish_scored(struct score_batch *batch, size_t i, const struct model *model,
                           struct prediction *prediction)
{
    const struct schema *schema = batch->settings->schema;
    struct event *event = &batch->events[i];
    const struct score *score = &batch->scores[batch->rows[i]];
    encode_attributes(batch, event);
    prediction->event_id = event->event_id;
    prediction->employee_id = event->employee_id;
    prediction->occurred_at_ms = event->occurred_at_ms;
    prediction->label = score->probability >= prediction->threshold ? batch->labels.positive : batch->labels.negative;
    prediction->probability = score->probability;
    prediction->margin = score->margin;
    if (batch->records)
        record_changes_split(batch->records, &batch->changes[i], model, prediction);
    prediction->base = score->base;
    prediction->reasons = batch->reasons + (size_t)batch->rows[i] * batch->reasons_per_row;
    prediction->reason_count = score->reason_count;
    prediction->challengers = challenger_rows_of(batch->challengers, batch->rows[i], &prediction->challenger_count);
    prediction->source_partition = batch->messages[i].partition;
    prediction->source_offset = batch->messages[i].offset;
    prediction->cells = event->cells;
    prediction->attributes = event->attributes;
    counter_add(batch->counters, COUNTER_EVENTS_UNEXPLAINED, score->probability < batch->explained_from);
    buffer_clear(&batch->value);
    prediction_encode(schema, prediction, &batch->value);
    counter_add(batch->counters, COUNTER_OUTPUT_BYTES, batch->value.bytes);
    return publish_prediction(batch->publish, &batch->messages[i], event->employee_id, buffer_span(&batch->value),
                              event->type == EVENT_TYPE_HIRED);
}

/* As it came, or, where that was JSON, as keep_outcome has encoded it. */
static bool publish_terminated(struct score_batch *batch, size_t i)
{
    const struct event *event = &batch->events[i];
    struct span value = batch->messages[i].value;
    if (event->form != EVENT_FORM_AVRO) {
        const char *kept = batch->outcomes.data + batch->rows[i];
        size_t bytes;
        memcpy(&bytes, kept, sizeof bytes);
        value = (struct span){kept + sizeof bytes, bytes};
    }
    return publish_outcome(batch->publish, &batch->messages[i], event->employee_id, value);
}

/* False where the model fills in no missing values and this event has some. */
static bool has_number(const struct score_batch *batch, size_t i)
{
    const struct score *score = &batch->scores[batch->rows[i]];
    return isfinite(score->probability) && isfinite(score->margin);
}

/* False: no prediction of it counts. */
static bool publish_score(struct score_batch *batch, size_t i, const struct model *model, struct prediction *prediction)
{
    char why[PIPELINE_WHY_BYTES];
    const struct input_message *message = &batch->messages[i];
    if (!has_number(batch, i)) {
        dead_letter_text(batch, message, EVENT_NOT_FINITE,
                         pipeline_why_no_score(model->pipeline, batch->events[i].cells, why));
        return false;
    }
    if (!publish_scored(batch, i, model, prediction)) {
        dead_letter_plain(batch, message, EVENT_TOO_LARGE);
        return false;
    }
    batch->counts->scored++;
    batch->counts->risk[risk_bin(prediction->probability)]++;
    return true;
}

static void count_or_dead_letter(struct score_batch *batch, size_t i, bool fits, uint64_t *counter)
{
    if (fits)
        ++*counter;
    else
        dead_letter_plain(batch, &batch->messages[i], EVENT_TOO_LARGE);
}

/* What it has changed in the current records, and the alert that is due. */
static void publish_change(struct score_batch *batch, size_t i, const struct prediction *scored,
                           const struct model *model)
{
    const struct record_result result = {&batch->messages[i], &batch->events[i], scored, model};
    if (batch->changes[i].how == STATE_CHANGE_NONE)
        return;
    enum alert_kind kind = record_changes_publish(batch->records, batch->publish, &batch->changes[i], &result);
    if (kind != ALERT_KIND_COUNT)
        batch->counts->alerts[kind]++;
}

static void publish_one(struct score_batch *batch, size_t i, const struct model *model, struct prediction *prediction)
{
    const struct input_message *message = &batch->messages[i];
    const struct event *event = &batch->events[i];
    bool scored = false;
    switch ((enum result)batch->results[i]) {
    case RESULT_DEAD_LETTER:
    case RESULT_REPEATED:
    case RESULT_WAIT:
        return;
    case RESULT_SCORE:
        scored = publish_score(batch, i, model, prediction);
        break;
    case RESULT_ERASE:
        count_or_dead_letter(batch, i, publish_erasure(batch->publish, message, event->employee_id),
                             &batch->counts->erased);
        break;
    case RESULT_OUTCOME:
        count_or_dead_letter(batch, i, publish_terminated(batch, i), &batch->counts->outcome);
        break;
    case RESULT_IGNORE:
        batch->counts->ignored++;
        break;
    }
    publish_change(batch, i, scored ? prediction : NULL, model);
}

/* The probability from which on --reasons-for wants reasons. */
static double explained_from(const struct score_batch *batch, const struct model *model)
{
    bool explains = batch->reasons_per_row > 0 && pipeline_has_reasons(model->pipeline);
    return explains ? model->threshold - batch->settings->reasons_near : -INFINITY;
}

size_t score_batch_handle(struct score_batch *batch, struct input_consumer *input, struct publish *publish,
                          struct result_counts *counts)
{
    struct prediction prediction;
    batch->input = input;
    batch->publish = publish;
    batch->counts = counts;
    decode_batch(batch);
    const struct model *model = model_acquire(batch->models);
    batch->explained_from = explained_from(batch, model);
    pipeline_score_from(model->pipeline, batch->cells, batch->row_count, batch->reasons_per_row, batch->explained_from,
                        batch->scores, batch->reasons);
    challenger_rows_score(batch->challengers, batch->cells, batch->row_count, model, batch->scores);
    batch->labels = model->labels;
    fill_prediction(batch, model, &prediction);
    for (size_t i = 0; i < batch->count; i++)
        publish_one(batch, i, model, &prediction);
    model_release(model);
    FAILPOINT("score.batch");
    if (batch->row_count)
        result_counts_add_latency(counts, prediction.latency_us, batch->row_count);
    input_consumer_accept(input);
    return batch->count - batch->waiting;
}

enum status score_batch_poll(struct score_batch *batch, struct input_consumer *input, int64_t most, int timeout_ms,
                             size_t *count, struct error *err)
{
    size_t room = most < BATCH ? (size_t)most : BATCH;
    enum status status =
        input_consumer_poll(input, timeout_ms, batch->messages, room, &batch->count, &batch->left_us, err);
    *count = batch->count;
    return status;
}

int64_t score_batch_left_us(const struct score_batch *batch)
{
    return batch->left_us;
}

/* --- start and end --- */

static enum status make_decoder(const struct settings *settings, struct decoder **out, struct error *err)
{
    const char *unframed = settings->options ? options_text(settings->options, OPTION_UNFRAMED) : NULL;
    enum status status = decoder_new(settings->schema, out, err);
    if (status != STATUS_OK)
        return status;
    decoder_use_registry(*out, settings->registry);
    decoder_use_time_unit(*out, settings->time_unit);
    decoder_take_json(*out, settings->input_format, &settings->json);
    if (unframed && *unframed)
        status = decoder_take_unframed(*out, unframed, err);
    if (status != STATUS_OK)
        decoder_free(*out);
    return status;
}

enum status score_batch_new(const struct settings *settings, struct model_holder *models, struct counters *counters,
                            struct score_batch **out, struct error *err)
{
    struct decoder *decoder;
    size_t columns = settings->schema->column_count;
    enum status status = make_decoder(settings, &decoder, err);
    if (status != STATUS_OK)
        return status;
    struct score_batch *batch = mem_zeroed(1, sizeof *batch);
    batch->settings = settings;
    batch->models = models;
    batch->counters = counters;
    batch->decoder = decoder;
    batch->keys = key_reader_new(settings->registry);
    if (settings->input_map)
        key_reader_use_map(batch->keys, input_map_key(settings->input_map));
    batch->real_us = clock_real_us(&clock_system);
    batch->steady_us = clock_steady_us(&clock_system);
    batch->reasons_per_row = settings->reasons < columns ? settings->reasons : (uint32_t)columns;
    batch->key_texts = mem_zeroed(BATCH, sizeof *batch->key_texts);
    batch->cells = mem_zeroed((BATCH + 1) * columns, sizeof(struct cell));
    batch->reasons = mem_zeroed((size_t)BATCH * batch->reasons_per_row + 1, sizeof(struct reason));
    batch->challengers = challenger_rows_new(settings->challengers, BATCH);
    *out = batch;
    return STATUS_OK;
}

void score_batch_keep_state(struct score_batch *batch, struct state *state)
{
    batch->records = record_changes_new(batch->settings, state);
}

void score_batch_free(struct score_batch *batch)
{
    if (!batch)
        return;
    decoder_free(batch->decoder);
    key_reader_free(batch->keys);
    buffer_free(&batch->value);
    buffer_free(&batch->outcomes);
    buffer_free(&batch->attributes);
    free(batch->key_texts);
    free(batch->cells);
    free(batch->reasons);
    challenger_rows_free(batch->challengers);
    record_changes_free(batch->records);
    free(batch);
}

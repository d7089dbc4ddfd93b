/* Following events to their ends: see follow.h. Main thread, but for follow_sent; may block in new and run until
 * brokers answer or *stop comes. Takes partitions by hand and commits nothing. Must never call an end what readers of
 * committed records do not see, and never wait for good: --wait-timeout without a further end is the end. */
#include "producer/follow.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/progress.h"
#include "events/dead_letter.h"
#include "events/frame.h"
#include "events/prediction_versions.h"
#include "events/source_position.h"
#include "kafka/client.h"
#include "kafka/message.h"
#include "kafka/prefetch.h"
#include "producer/event_results.h"
#include "producer/follow_ignored.h"

enum { CALL_MS = 10000, POLL_MS = 100, MISSING_SHOWN = 10, LATENCIES = 64 };
enum followed_topic { FOLLOW_OUTPUT, FOLLOW_DEAD, FOLLOW_OUTCOME, FOLLOW_TOPICS };

struct follow {
    const struct options *options;
    const char *where;
    const char *input_topic;
    const char *topics[FOLLOW_TOPICS];
    const _Atomic bool *stop;
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue; /* the consumer's */
    rd_kafka_topic_partition_list_t *assigned;
    size_t queued_most; /* see prefetch_drained */
    struct prediction_versions *versions;
    struct arena arena;
    bool may_be_ignored;
    struct follow_ignored *ignored; /* NULL: nothing is */
    pthread_mutex_t mutex;          /* guards ends while events are being sent */
    struct event_results results;
    uint64_t unreadable;           /* predictions */
    uint64_t positive;             /* predictions above their threshold */
    uint64_t latencies[LATENCIES]; /* by quarters of a power of two, in microseconds */
    double threshold;
    char model[128];
};

/* --- opening --- */

static enum status look_up_end(struct follow *follow, const char *topic, int32_t partition, int64_t *end,
                               struct error *err)
{
    int64_t low;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(follow->consumer, topic, partition, &low, end, CALL_MS);
    return code ? error_set(err, kafka_status(code), "looking up the end of %s [%" PRId32 "]: %s", topic, partition,
                            rd_kafka_err2str(code))
                : STATUS_OK;
}

/* From its end on. */
static enum status add_topic(struct follow *follow, const char *topic, rd_kafka_topic_partition_list_t *list,
                             struct error *err)
{
    int count = 0;
    int64_t end;
    enum status status = kafka_topic_partitions(follow->consumer, topic, &count, err);
    for (int32_t p = 0; p < count && status == STATUS_OK; p++) {
        status = look_up_end(follow, topic, p, &end, err);
        if (status == STATUS_OK)
            rd_kafka_topic_partition_list_add(list, topic, p)->offset = end;
    }
    return status;
}

static enum status set_bases(struct follow *follow, struct error *err)
{
    int count = 0;
    int64_t end;
    enum status status = kafka_topic_partitions(follow->consumer, follow->input_topic, &count, err);
    if (status == STATUS_OK)
        event_results_init(&follow->results, (size_t)count);
    for (int32_t p = 0; p < count && status == STATUS_OK; p++) {
        status = look_up_end(follow, follow->input_topic, p, &end, err);
        if (status == STATUS_OK)
            event_results_set_base(&follow->results, p, end);
    }
    return status;
}

static enum status follow_open(struct follow *follow, struct error *err)
{
    const char *group = follow->may_be_ignored ? options_text(follow->options, OPTION_GROUP_ID) : "attrition-follow";
    const struct kafka_property fixed[] = {{"group.id", group}, /* never joined, nothing committed */
                                           {"isolation.level", "read_committed"},
                                           {"enable.partition.eof", follow->may_be_ignored ? "true" : "false"},
                                           {"auto.offset.reset", "earliest"},
                                           /* read after all is sent: until then it only takes memory */
                                           {"queued.max.messages.kbytes", "8192"},
                                           {NULL, NULL}};
    rd_kafka_conf_t *conf = NULL;
    enum status status = kafka_conf(follow->options, RD_KAFKA_CONSUMER, fixed, &conf, err);
    if (status == STATUS_OK)
        status = kafka_client_new(RD_KAFKA_CONSUMER, &conf, &follow->consumer, err);
    if (status == STATUS_OK)
        status = kafka_wait_for_broker(follow->consumer, follow->where, 0, follow->stop, err);
    if (status == STATUS_OK)
        status = set_bases(follow, err);
    for (size_t t = 0; t < FOLLOW_TOPICS && status == STATUS_OK; t++)
        status = add_topic(follow, follow->topics[t], follow->assigned, err);
    rd_kafka_resp_err_t code = status == STATUS_OK ? rd_kafka_assign(follow->consumer, follow->assigned) : 0;
    if (status == STATUS_OK)
        follow->queue = rd_kafka_queue_get_consumer(follow->consumer);
    if (follow->may_be_ignored && status == STATUS_OK)
        status = follow_ignored_new(follow->options, follow->consumer, follow->where, follow->results.partition_count,
                                    follow->assigned, follow->stop, &follow->ignored, err);
    if (code)
        status = error_set(err, kafka_status(code), "reading the scorer's topics: %s", rd_kafka_err2str(code));
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, "--wait");
}

enum status follow_new(const struct options *options, const struct schema *schema, const char *where,
                       bool may_be_ignored, const _Atomic bool *stop, struct follow **out, struct error *err)
{
    struct follow *follow = mem_zeroed(1, sizeof *follow);
    follow->may_be_ignored = may_be_ignored;
    follow->options = options;
    follow->where = where;
    follow->stop = stop;
    follow->input_topic = options_text(options, OPTION_INPUT_TOPIC);
    follow->topics[FOLLOW_OUTPUT] = options_text(options, OPTION_OUTPUT_TOPIC);
    follow->topics[FOLLOW_DEAD] = options_text(options, OPTION_DLQ_TOPIC);
    follow->topics[FOLLOW_OUTCOME] = options_text(options, OPTION_OUTCOME_TOPIC);
    follow->versions = prediction_versions_new(schema);
    follow->assigned = rd_kafka_topic_partition_list_new(16);
    pthread_mutex_init(&follow->mutex, NULL);
    enum status status = follow_open(follow, err);
    if (status == STATUS_OK)
        *out = follow;
    else
        follow_free(follow);
    return status;
}

void follow_free(struct follow *follow)
{
    if (!follow)
        return;
    follow_ignored_free(follow->ignored);
    if (follow->queue)
        rd_kafka_queue_destroy(follow->queue);
    rd_kafka_topic_partition_list_destroy(follow->assigned);
    kafka_client_free(follow->consumer);
    prediction_versions_free(follow->versions);
    arena_free(&follow->arena);
    event_results_free(&follow->results);
    pthread_mutex_destroy(&follow->mutex);
    free(follow);
}

void follow_sent(void *context, int32_t partition, int64_t offset)
{
    struct follow *follow = context;
    pthread_mutex_lock(&follow->mutex);
    event_results_sent(&follow->results, partition, offset);
    pthread_mutex_unlock(&follow->mutex);
}

/* --- reading --- */

static void follow_add_end(struct follow *follow, struct span topic, int64_t partition, int64_t offset,
                           enum event_result kind)
{
    if (topic.data && span_equal(topic, span_of(follow->input_topic)) && partition >= 0 && partition <= INT32_MAX &&
        offset >= 0)
        event_results_found(&follow->results, (int32_t)partition, offset, kind);
}

static void take_headers(struct follow *follow, const rd_kafka_message_t *message, const char *const names[3],
                         enum event_result kind)
{
    follow_add_end(follow, kafka_message_header(message, names[0]),
                   dead_letter_number(kafka_message_header(message, names[1]), -1),
                   dead_letter_number(kafka_message_header(message, names[2]), -1), kind);
}

static void take_dead_letter(struct follow *follow, const rd_kafka_message_t *message)
{
    const char *const names[] = {dead_letter_header_name(DEAD_LETTER_TOPIC),
                                 dead_letter_header_name(DEAD_LETTER_PARTITION),
                                 dead_letter_header_name(DEAD_LETTER_OFFSET)};
    struct span name = kafka_message_header(message, dead_letter_header_name(DEAD_LETTER_CODE));
    enum event_code code = 0;
    for (enum event_code c = 1; c < EVENT_CODE_COUNT && name.data; c++)
        if (span_equal(name, span_of(event_code_name(c))))
            code = c;
    take_headers(follow, message, names, (enum event_result)(EVENT_RESULT_DEAD_LETTER + (int)code));
}

/* Four buckets to a power of two: 19 % wide at most. */
static size_t latency_bucket(int64_t us)
{
    uint64_t value = us < 4 ? 4 : (uint64_t)us;
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    size_t bucket = (power - 2) * 4 + (value >> (power - 2) & 3);
    return bucket < LATENCIES ? bucket : LATENCIES - 1;
}

static double bucket_end_ms(size_t bucket)
{
    return (double)((bucket % 4 + 5) * (UINT64_C(1) << bucket / 4)) / 1e3;
}

static void take_prediction(struct follow *follow, const rd_kafka_message_t *message)
{
    struct prediction prediction;
    struct fault fault;
    bool waits = false;
    arena_reset(&follow->arena);
    enum event_code code = prediction_versions_read(follow->versions, kafka_payload(message->payload, message->len),
                                                    kafka_message_header(message, FRAME_HEADER), &follow->arena,
                                                    &prediction, &fault, &waits);
    if (code || waits) {
        follow->unreadable++;
        return;
    }
    uint64_t before = follow->results.ended;
    follow_add_end(follow, prediction.source_topic, prediction.source_partition, prediction.source_offset,
                   EVENT_RESULT_SCORED);
    if (follow->results.ended == before)
        return;
    follow->positive += prediction.probability >= prediction.threshold;
    follow->threshold = prediction.threshold;
    follow->latencies[latency_bucket(prediction.latency_us)]++;
    snprintf(follow->model, sizeof follow->model, "%.*s version %.*s", (int)prediction.model.name.bytes,
             prediction.model.name.data, (int)prediction.model.version.bytes, prediction.model.version.data);
}

static void take_message(struct follow *follow, const rd_kafka_message_t *message)
{
    static const char *const source[] = {SOURCE_TOPIC_HEADER, SOURCE_PARTITION_HEADER, SOURCE_OFFSET_HEADER};
    const char *topic = rd_kafka_topic_name(message->rkt);
    if (!strcmp(topic, follow->topics[FOLLOW_DEAD]))
        take_dead_letter(follow, message);
    else if (!strcmp(topic, follow->topics[FOLLOW_OUTCOME]))
        take_headers(follow, message, source, EVENT_RESULT_OUTCOME);
    else if (!message->payload)
        take_headers(follow, message, source, EVENT_RESULT_ERASED);
    else
        take_prediction(follow, message);
}

static enum status poll_once(struct follow *follow, struct error *err)
{
    if (prefetch_drained(follow->queue, &follow->queued_most))
        prefetch_look(follow->consumer, follow->assigned);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(follow->consumer, POLL_MS);
    enum status status = STATUS_OK;
    if (message && !message->err && !kafka_message_is_control(message))
        take_message(follow, message);
    else if (message && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && follow->ignored)
        follow_ignored_note_read(follow->ignored, message, message->offset);
    else if (message && message->err && kafka_status(message->err) != STATUS_UNAVAILABLE)
        status = error_set(err, kafka_status(message->err), "--wait: reading the scorer's topics: %s",
                           rd_kafka_message_errstr(message));
    if (message && !message->err && follow->ignored)
        follow_ignored_note_read(follow->ignored, message, message->offset + 1);
    if (message)
        rd_kafka_message_destroy(message);
    return status;
}

static enum status report_missing(const struct follow *follow, const char *why, struct error *err)
{
    const struct event_results *results = &follow->results;
    int32_t partition = 0;
    int64_t offset = 0;
    for (int shown = 0; shown < MISSING_SHOWN && event_results_missing(results, &partition, &offset); shown++, offset++)
        fprintf(stderr, "%s [%" PRId32 "] offset %" PRId64 ": no prediction, dead letter or outcome\n",
                follow->input_topic, partition, offset);
    return error_set(err, STATUS_UNAVAILABLE,
                     "%s: %" PRIu64 " of %" PRIu64 " events have no end yet (the first are above)%s", why,
                     results->sent - results->ended, results->sent,
                     follow->unreadable ? "; some predictions could not be read: set SCHEMA_REGISTRY_URL as the "
                                          "scorer has it"
                                        : ". Is a scorer running, and does it keep up?");
}

enum status follow_run(struct follow *follow, struct error *err)
{
    struct progress progress;
    struct event_results *results = &follow->results;
    int64_t limit_us = options_duration_us(follow->options, OPTION_WAIT_TIMEOUT);
    int64_t moved_us = clock_steady_us(&clock_system);
    enum status status = STATUS_OK;
    char why[96];
    progress_begin(&progress, stderr, &clock_system, "events followed to their end", results->sent);
    while (status == STATUS_OK && results->ended < results->sent && !*follow->stop) {
        uint64_t before = results->ended;
        status = poll_once(follow, err);
        if (follow->ignored && results->ended == before)
            follow_ignored_turn(follow->ignored, results);
        int64_t now_us = clock_steady_us(&clock_system);
        if (results->ended > before)
            moved_us = now_us;
        if (status != STATUS_OK || now_us - moved_us >= limit_us)
            break;
        progress_update(&progress, results->ended);
    }
    progress_update(&progress, results->ended);
    progress_end(&progress);
    if (status != STATUS_OK || results->ended == results->sent)
        return status;
    snprintf(why, sizeof why, "no further end for %.0f s (--wait-timeout)", (double)limit_us / 1e6);
    return report_missing(follow, *follow->stop ? "stopped" : why, err);
}

/* --- the summary --- */

static double latency_at(const struct follow *follow, double share)
{
    uint64_t total = follow->results.by_result[EVENT_RESULT_SCORED], seen = 0;
    for (size_t b = 0; b < LATENCIES; b++)
        if ((double)(seen += follow->latencies[b]) >= share * (double)total)
            return bucket_end_ms(b);
    return bucket_end_ms(LATENCIES - 1);
}

static void print_codes(const struct event_results *results, FILE *out)
{
    const char *between = "";
    fprintf(out, "Dead letters by code:   ");
    for (int c = 0; c < EVENT_CODE_COUNT; c++)
        if (results->by_result[EVENT_RESULT_DEAD_LETTER + c]) {
            fprintf(out, "%s%s %" PRIu64, between, c ? event_code_name((enum event_code)c) : "of another version",
                    results->by_result[EVENT_RESULT_DEAD_LETTER + c]);
            between = ", ";
        }
    fprintf(out, "%s\n", *between ? "" : "none");
}

void follow_print_summary(const struct follow *follow, uint64_t read, uint64_t rejected, int64_t started_us, FILE *out)
{
    const struct event_results *results = &follow->results;
    double seconds = (double)(clock_steady_us(&clock_system) - started_us) / 1e6;
    uint64_t dead = 0;
    for (int c = 0; c < EVENT_CODE_COUNT; c++)
        dead += results->by_result[EVENT_RESULT_DEAD_LETTER + c];
    fprintf(out, "\nSummary\n");
    fprintf(out, "Rows read:              %" PRIu64 ", of which %" PRIu64 " rejected before sending\n", read, rejected);
    fprintf(out,
            "Events:                 %" PRIu64 " sent, %" PRIu64 " scored, %" PRIu64 " dead letters, %" PRIu64
            " erased, %" PRIu64 " outcomes, ",
            results->sent, results->by_result[EVENT_RESULT_SCORED], dead, results->by_result[EVENT_RESULT_ERASED],
            results->by_result[EVENT_RESULT_OUTCOME]);
    if (follow->ignored)
        fprintf(out, "%" PRIu64 " ignored, ", results->by_result[EVENT_RESULT_IGNORED]);
    fprintf(out, "%" PRIu64 " unaccounted for\n", results->sent - results->ended);
    print_codes(results, out);
    fprintf(out, "Events per second:      %.0f (from the first row read to the last end, %.2f s)\n",
            seconds > 0 ? (double)results->ended / seconds : 0, seconds);
    if (results->by_result[EVENT_RESULT_SCORED]) {
        fprintf(out, "Latency per event:      p50 %.1f ms, p99 %.1f ms (from leaving Kafka's client to being scored)\n",
                latency_at(follow, 0.5), latency_at(follow, 0.99));
        fprintf(out,
                "At risk (prediction Yes): %" PRIu64 " of %" PRIu64 " events, at a threshold of %.3f, by model %s\n",
                follow->positive, results->by_result[EVENT_RESULT_SCORED], follow->threshold, follow->model);
    }
    fflush(out);
}

/* What the scorer ignores: see follow_ignored.h. Main thread; may block for seconds where brokers do not answer. Must
 * never call an event ignored whose end may lie in what has not been read yet. */
#include "producer/follow_ignored.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"
#include "kafka/committed_offsets.h"
#include "producer/high_watermark.h"

enum { EVERY_US = 1000000 };

struct follow_ignored {
    rd_kafka_t *consumer, *client; /* the latter, its own, asks for ends */
    const char *where;
    const _Atomic bool *stop;
    rd_kafka_topic_partition_list_t *input; /* the group's offsets, of when they were asked for last */
    rd_kafka_topic_partition_list_t *read;  /* up to where the outputs have been read */
    int64_t *due;                           /* by output: to be read before those offsets count */
    bool waits;                             /* for that */
    int64_t asked_us;
};

enum status follow_ignored_new(const struct options *options, rd_kafka_t *consumer, const char *where,
                               size_t input_partitions, const rd_kafka_topic_partition_list_t *list,
                               const _Atomic bool *stop, struct follow_ignored **out, struct error *err)
{
    rd_kafka_t *client;
    if (high_watermark_client(options, &client, err) != STATUS_OK)
        return err->status;
    struct follow_ignored *ignored = mem_zeroed(1, sizeof *ignored);
    ignored->consumer = consumer;
    ignored->client = client;
    ignored->where = where;
    ignored->stop = stop;
    ignored->input = rd_kafka_topic_partition_list_new((int)input_partitions);
    for (size_t p = 0; p < input_partitions; p++)
        rd_kafka_topic_partition_list_add(ignored->input, options_text(options, OPTION_INPUT_TOPIC), (int32_t)p);
    ignored->read = rd_kafka_topic_partition_list_copy(list);
    ignored->due = mem_zeroed((size_t)list->cnt + 1, sizeof *ignored->due);
    *out = ignored;
    return STATUS_OK;
}

void follow_ignored_free(struct follow_ignored *ignored)
{
    if (!ignored)
        return;
    rd_kafka_topic_partition_list_destroy(ignored->input);
    rd_kafka_topic_partition_list_destroy(ignored->read);
    kafka_client_free(ignored->client);
    free(ignored->due);
    free(ignored);
}

void follow_ignored_note_read(struct follow_ignored *ignored, const rd_kafka_message_t *message, int64_t offset)
{
    rd_kafka_topic_partition_t *read =
        rd_kafka_topic_partition_list_find(ignored->read, rd_kafka_topic_name(message->rkt), message->partition);
    if (read && offset > read->offset)
        read->offset = offset;
}

/* The group's offsets first, then the outputs' ends: what was passed has its end before these, though maybe behind a
 * commit's marker that is under way. */
static bool ask(struct follow_ignored *ignored)
{
    struct error err;
    for (int i = 0; i < ignored->input->cnt; i++)
        ignored->input->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    if (committed_offsets_read(ignored->consumer, ignored->input, ignored->where, ignored->stop, &err) != STATUS_OK) {
        log_debug(ignored->where, "--wait: %s", err.text);
        return false;
    }
    for (int i = 0; i < ignored->read->cnt; i++) {
        const rd_kafka_topic_partition_t *output = &ignored->read->elems[i];
        int64_t low;
        if (high_watermark_ask(ignored->client, output->topic, output->partition, &low, &ignored->due[i], &err) !=
            STATUS_OK) {
            log_debug(ignored->where, "--wait: %s", err.text);
            return false;
        }
    }
    return true;
}

static bool is_read(const struct follow_ignored *ignored)
{
    for (int i = 0; i < ignored->read->cnt; i++)
        if (ignored->read->elems[i].offset < ignored->due[i])
            return false;
    return true;
}

void follow_ignored_turn(struct follow_ignored *ignored, struct event_results *results)
{
    int64_t now_us = clock_steady_us(&clock_system);
    if (!ignored->waits && now_us - ignored->asked_us >= EVERY_US) {
        ignored->waits = ask(ignored);
        ignored->asked_us = clock_steady_us(&clock_system);
    }
    if (!ignored->waits || !is_read(ignored))
        return;
    ignored->waits = false;
    for (int i = 0; i < ignored->input->cnt; i++)
        event_results_passed(results, ignored->input->elems[i].partition, ignored->input->elems[i].offset,
                             EVENT_RESULT_IGNORED);
}

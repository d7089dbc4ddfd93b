/* Splits --memory-limit. Called once at start. See memory_limit.h.
 *
 * After what the process needs anyhow (code, model, threads, buffers: RESERVED; the least of each share) current
 * records get half, where they are kept. Of what is left the sink's batch gets a quarter, with its COPY bytes and
 * headers; the rest goes to the Kafka clients, twice as much to a producer as to a consumer, with a sixth of that for
 * results staged for it. A share is never more than librdkafka's usual size, so a large limit changes nothing. */
#include "scorer/memory_limit.h"

#include <string.h>

enum {
    MIB = 1024 * 1024,
    RESERVED = 64 * MIB,
    CONSUMER_LEAST = 6 * MIB, /* a third must hold a record of a megabyte */
    CONSUMER_MOST = 96 * MIB,
    PRODUCER_LEAST = 2 * CONSUMER_LEAST,
    PRODUCER_MOST = 256 * MIB,
    STAGED_MOST = 16 * MIB,
    STAGED_PART = 6,      /* of a producer's share, which holds them right after */
    SINK_LEAST = 6 * MIB, /* three times the batch: records, COPY bytes, headers */
    SINK_COPIES = 3,
    SINK_BATCH_MOST = 8 * MIB,
};

static int64_t at_most(int64_t value, int64_t most)
{
    return value < most ? value : most;
}

static enum status refuse_both(const struct option_pair *pairs, size_t count, struct error *err)
{
    static const char *const names[] = {"queued.max.messages.kbytes",       "fetch.max.bytes",
                                        "queue.buffering.max.kbytes",       "KAFKA_QUEUED_MAX_MESSAGES_KBYTES",
                                        "KAFKA_QUEUE_BUFFERING_MAX_KBYTES", "KAFKA_FETCH_MAX_BYTES"};
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            if (!strcmp(pairs[i].name, names[n]))
                return error_set(err, STATUS_INVALID, "%s and --memory-limit both size the queues: give one of them",
                                 names[n]);
    return STATUS_OK;
}

static enum status refuse_given(const struct options *options, struct error *err)
{
    const struct option_pair *pairs;
    size_t count = options_properties(options, &pairs);
    if (refuse_both(pairs, count, err) != STATUS_OK)
        return err->status;
    count = options_environment(options, &pairs);
    return refuse_both(pairs, count, err);
}

enum status memory_split(const struct options *options, const struct memory_needs *needs, struct memory_shares *out,
                         struct error *err)
{
    int64_t consumers = needs->consumers, producers = needs->producers;
    int64_t least = RESERVED + consumers * CONSUMER_LEAST + producers * PRODUCER_LEAST + (needs->sink ? SINK_LEAST : 0);
    *out = (struct memory_shares){0};
    if (!needs->limit)
        return STATUS_OK;
    if (needs->limit < least)
        return error_set(err, STATUS_INVALID,
                         "--memory-limit: %lld MiB cannot hold %lld consumers and %lld producers; it takes at least "
                         "%lld MiB (or fewer workers or roles)",
                         (long long)(needs->limit / MIB), (long long)consumers, (long long)producers,
                         (long long)(least / MIB));
    int64_t state = needs->states ? (needs->limit - least) / 2 : 0;
    int64_t left = needs->limit - RESERVED - state, sink = needs->sink ? left / 4 : 0;
    if (needs->sink && sink < SINK_LEAST)
        sink = SINK_LEAST;
    sink = at_most(sink, SINK_COPIES * SINK_BATCH_MOST);
    int64_t part = consumers + producers ? (left - sink) / (consumers + 2 * producers) : 0;
    int64_t staged = at_most(2 * part / STAGED_PART, STAGED_MOST);
    *out = (struct memory_shares){
        .consumer = at_most(part, CONSUMER_MOST),
        .producer = at_most(2 * part - staged, PRODUCER_MOST),
        .state = needs->states ? state / needs->states : 0,
        .staged = staged,
        .sink_batch = sink / SINK_COPIES,
    };
    return refuse_given(options, err);
}

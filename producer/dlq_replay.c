/* `producer dlq replay`: sends dead letters back to the input topic as the events they were. Main thread.
 *
 * Bounded by the ends the topic had at the start, so that letters which fail again are not met again; a count in their
 * headers ends rounds that never succeed. What was replayed is kept in the metadata of the replay group's offset,
 * in the same transaction. Must never send a letter whose value was left out: a null value would erase the employee;
 * and never one of an employee who has been erased since, be it while the letters are on their way (dlq_erasures.h);
 * nor, without --force, one that is older than its employee's current record (dlq_current_records.h). */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "events/schema.h"
#include "producer/dlq.h"
#include "producer/dlq_erasures.h"
#include "producer/dlq_current_records.h"
#include "producer/state_topic.h"
#include "producer/stop.h"

enum { BATCH_LETTERS = 1000, BATCH_BYTES = 16 << 20, REPORTED_MAX = 20 };

/* Letters of one transaction, kept until it is committed. */
struct batch {
    struct kept {
        struct dlq_letter letter;
        int64_t rounds, timestamp_ms;
    } letters[BATCH_LETTERS];
    size_t count, bytes;
};

/* read = before + other + exhausted + no_value + erased + older + unmarked + replayed. Plain data. */
struct replay {
    const struct options *options;
    const struct dlq_filter *filter;
    struct dlq_reader *reader;
    struct dlq_writer *writer; /* NULL: a dry run */
    struct dlq_content_reader *contents;
    struct dlq_erasures *erasures;
    struct dlq_current_records *records; /* NULL: older events go, too */
    struct buffer state_topic;
    int64_t max_replays;
    bool again;
    uint64_t read, before, other, exhausted, no_value, erased, older, unmarked, replayed;
    struct batch batch;
};

static void replay_report(const struct dlq_letter *letter, uint64_t count, const char *why)
{
    if (count <= REPORTED_MAX)
        fprintf(stderr, "%" PRId32 ":%" PRId64 ": not replayed: %s\n", letter->partition, letter->offset, why);
}

static const char *const why_erased[] = {
    [DLQ_ERASED] = "the employee has been erased since",
    [DLQ_ERASED_PERHAPS] = "whose it is cannot be read, and somebody has been erased since",
    [DLQ_ERASED_UNKNOWN] = "the topics no longer reach back to it: whether the employee has been erased since is not "
                           "known",
};

static const char *const why_older[] = {
    [DLQ_AGE_OLDER] = "it is older than the employee's current record (--force sends it)",
    [DLQ_AGE_UNKNOWN] = "it cannot be decoded: whether it is older than the employee's current record is not known "
                        "(--force sends it)",
};

/* --- sending --- */

static void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        dlq_letter_drop(&batch->letters[i].letter);
    batch->count = batch->bytes = 0;
}

static enum status batch_send(const struct replay *replay, struct error *err)
{
    const struct batch *batch = &replay->batch;
    FAILPOINT("dlq.send");
    for (size_t i = 0; i < batch->count; i++) {
        const struct kept *kept = &batch->letters[i];
        if (dlq_writer_send(replay->writer, &kept->letter, kept->rounds + 1, kept->timestamp_ms, err) != STATUS_OK)
            return err->status;
    }
    return STATUS_OK;
}

/* Lets go of those whose employees have been erased meanwhile; they count as replayed for later runs, which would
 * refuse them too. */
static void batch_drop_erased(struct replay *replay)
{
    struct batch *batch = &replay->batch;
    size_t left = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const char *why = why_erased[dlq_erasures_check(replay->erasures, &batch->letters[i].letter)];
        if (!why) {
            batch->letters[left++] = batch->letters[i];
            continue;
        }
        replay_report(&batch->letters[i].letter, ++replay->erased, why);
        replay->replayed--;
        dlq_letter_drop(&batch->letters[i].letter);
    }
    batch->count = left;
}

/* Whether the letters, which lie in the input topic by now, come after a request that nobody knew of. */
static enum status find_suspects(struct replay *replay, bool *found, struct error *err)
{
    *found = false;
    dlq_writer_flush(replay->writer);
    if (dlq_erasures_look(replay->erasures, err) != STATUS_OK)
        return err->status;
    for (size_t i = 0; i < replay->batch.count && !*found; i++)
        *found = dlq_erasures_suspect(replay->erasures, &replay->batch.letters[i].letter);
    return STATUS_OK;
}

static enum status learn_erasures(struct replay *replay, struct error *err)
{
    if (dlq_erasures_settle(replay->erasures, err) != STATUS_OK)
        return err->status;
    batch_drop_erased(replay);
    return STATUS_OK;
}

/* Sent and, with transactions, seen to come before every request to erase that could be of them. */
static enum status batch_send_safely(struct replay *replay, struct error *err)
{
    bool suspects = true;
    if (!dlq_writer_is_exactly_once(replay->writer)) { /* what is sent stays: a last look before that */
        if (dlq_erasures_look(replay->erasures, err) != STATUS_OK || learn_erasures(replay, err) != STATUS_OK)
            return err->status;
        return batch_send(replay, err);
    }
    while (replay->batch.count) {
        if (batch_send(replay, err) != STATUS_OK || find_suspects(replay, &suspects, err) != STATUS_OK)
            return err->status;
        if (!suspects)
            return STATUS_OK;
        dlq_writer_abort(replay->writer);
        if (learn_erasures(replay, err) != STATUS_OK)
            return err->status;
    }
    return STATUS_OK;
}

static enum status replay_commit(struct replay *replay, struct error *err)
{
    enum status status = STATUS_OK;
    if (replay->batch.count)
        status = batch_send_safely(replay, err);
    if (status == STATUS_OK)
        status = dlq_writer_commit(replay->writer, replay->reader, err);
    batch_clear(&replay->batch);
    return status;
}

/* The record's time where the event has no other: with the present one it would be newer than it is. Else 0: retention
 * shall not take an old event before it is read. */
static int64_t time_to_keep(const struct replay *replay, const struct dlq_letter *letter)
{
    struct dlq_content read;
    const struct record_context context = dlq_letter_context(letter);
    dlq_content_read(replay->contents, letter->key, letter->value, dlq_letter_frame_header(letter), &context, &read);
    return dlq_content_has_records_time(&read, context.timestamp_ms) ? context.timestamp_ms : 0;
}

static enum status replay_take(struct replay *replay, const struct dlq_letter *letter, int64_t rounds,
                               struct error *err)
{
    struct batch *batch = &replay->batch;
    if (!dlq_replayed_add(letter->replayed, letter->offset)) {
        replay->unmarked++;
        return STATUS_OK;
    }
    replay->replayed++;
    if (!replay->writer)
        return STATUS_OK;
    batch->letters[batch->count++] = (struct kept){*letter, rounds, time_to_keep(replay, letter)};
    batch->bytes += letter->key.bytes + letter->value.bytes;
    dlq_reader_keep(replay->reader);
    return batch->count < BATCH_LETTERS && batch->bytes < BATCH_BYTES ? STATUS_OK : replay_commit(replay, err);
}

/* --- letters --- */

/* Why the letter stays where it is, and whose count that is; NULL: it goes. */
static const char *replay_refuse(struct replay *replay, const struct dlq_letter *letter, int64_t rounds,
                                 uint64_t **count)
{
    static char why[96];
    if (!letter->value.data) {
        *count = &replay->no_value;
        return "it has no value, and a null value would erase the employee";
    }
    if (rounds >= replay->max_replays) {
        *count = &replay->exhausted;
        snprintf(why, sizeof why, "it was replayed %" PRId64 " times (--max-replays %" PRId64 ")", rounds,
                 replay->max_replays);
        return why;
    }
    *count = &replay->erased;
    const char *erased = why_erased[dlq_erasures_check(replay->erasures, letter)];
    if (erased || !replay->records)
        return erased;
    *count = &replay->older;
    return why_older[dlq_current_records_check(replay->records, letter)];
}

static enum status replay_handle(struct replay *replay, const struct dlq_letter *letter, struct error *err)
{
    int64_t rounds = dead_letter_number(dlq_letter_header(letter, DEAD_LETTER_REPLAY_COUNT), 0);
    uint64_t *count = NULL;
    const char *why = NULL;
    enum status status = STATUS_OK;
    replay->read++;
    if (!replay->again && dlq_replayed_have(letter->replayed, letter->offset))
        replay->before++;
    else if (!dlq_filter_passes(replay->filter, letter))
        replay->other++;
    else if ((why = replay_refuse(replay, letter, rounds, &count)))
        replay_report(letter, ++*count, why);
    else
        status = replay_take(replay, letter, rounds, err);
    dlq_replayed_pass(letter->replayed, letter->offset);
    return status;
}

/* A first reading of the letters, for the oldest of those that may be sent: requests are looked for from there on. */
static enum status expect_letters(struct replay *replay, struct dlq_reader *reader, struct error *err)
{
    struct dlq_letter letter;
    bool more = true;
    for (;;) {
        enum status status = dlq_reader_next(reader, &letter, &more, err);
        if (status != STATUS_OK || !more)
            return status;
        if (letter.value.data && dlq_filter_passes(replay->filter, &letter) &&
            (replay->again || !dlq_replayed_have(letter.replayed, letter.offset))) {
            dlq_erasures_expect(replay->erasures, &letter);
            if (replay->records)
                dlq_current_records_expect(replay->records, &letter);
        }
    }
}

static enum status open_records(struct replay *replay, const struct schema *schema, struct error *err)
{
    if (options_flag(replay->options, OPTION_FORCE))
        return STATUS_OK;
    if (state_topic_find(replay->options, schema, &replay->state_topic)) {
        enum status status = dlq_current_records_new(replay->options, replay->state_topic.data, schema,
                                                     replay->contents, &stop_requested, &replay->records, err);
        if (status != STATUS_NOT_FOUND || options_given(replay->options, OPTION_STATE_TOPIC))
            return status;
    }
    log_info("dlq", "without a state topic (STATE_TOPIC, as the scorer has it) letters are not compared with current "
                    "records: older events are replayed too");
    return STATUS_OK;
}

static enum status find_obstacles(struct replay *replay, const struct schema *schema, enum dlq_start start,
                                  struct error *err)
{
    const struct options *options = replay->options;
    struct dlq_reader *reader = NULL;
    enum status status = dlq_content_reader_new(options, schema, &replay->contents, err);
    if (status == STATUS_OK)
        status = dlq_erasures_new(options, replay->contents, &stop_requested, &replay->erasures, err);
    if (status == STATUS_OK)
        status = open_records(replay, schema, err);
    if (status == STATUS_OK)
        status = dlq_reader_new(options, replay->filter->partition, start, &stop_requested, &reader, err);
    if (status == STATUS_OK)
        status = expect_letters(replay, reader, err);
    dlq_reader_free(reader);
    if (status == STATUS_OK && replay->records)
        status = dlq_current_records_read(replay->records, err);
    return status == STATUS_OK ? dlq_erasures_read(replay->erasures, err) : status;
}

static enum status replay_all(struct replay *replay, struct error *err)
{
    struct dlq_letter letter;
    bool more = true;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && more) {
        status = dlq_reader_next(replay->reader, &letter, &more, err);
        if (status == STATUS_OK && more)
            status = replay_handle(replay, &letter, err);
    }
    if (status == STATUS_OK && replay->writer)
        status = replay_commit(replay, err);
    return status;
}

struct summary_row {
    const char *name, *key;
    uint64_t count;
};

static void print_summary_json(const struct summary_row *rows, size_t count, double seconds, FILE *out)
{
    struct buffer line = {0};
    struct json_writer json = json_begin_document(&line);
    for (size_t r = 0; r < count; r++)
        json_write_uint(&json, rows[r].key, rows[r].count);
    json_write_fixed(&json, "seconds", seconds, 3);
    json_end_document(&json);
    fprintf(out, "%.*s", (int)line.bytes, line.data);
    buffer_free(&line);
}

static void replay_print_summary(const struct replay *replay, double seconds, FILE *out)
{
    const struct summary_row rows[] = {
        {"read", "read", replay->read},
        {replay->writer ? "replayed" : "would be replayed", "replayed", replay->replayed},
        {"acknowledged", "acknowledged", replay->writer ? dlq_writer_counts(replay->writer).acknowledged : 0},
        {"replayed before", "replayed_before", replay->before},
        {"left by the filters", "filtered", replay->other},
        {"went round too often", "max_replays", replay->exhausted},
        {"without a value", "no_value", replay->no_value},
        {"of employees erased since", "erased", replay->erased},
        {"older than the current record", "older", replay->older},
        {"too scattered to remember", "unmarked", replay->unmarked}};
    const size_t count = sizeof rows / sizeof *rows;
    if (options_flag(replay->options, OPTION_JSON)) {
        print_summary_json(rows, count, seconds, out);
        return;
    }
    for (size_t r = 0; r < count; r++)
        if (r < 2 || rows[r].count)
            fprintf(out, "%s%s %" PRIu64, r ? ", " : "", rows[r].name, rows[r].count);
    fprintf(out, ", %.2f s\n", seconds);
}

static int replay_finish(const struct replay *replay, enum status status, const struct error *err)
{
    if (status != STATUS_OK)
        log_error("dlq", "%s; what was not committed is replayed by the next run", err->text);
    if (stop_requested)
        log_error("dlq", "stopped before the end: the same command goes on with what is left");
    if (replay->unmarked)
        log_error("dlq",
                  "%" PRIu64 " letters were left: those replayed are too scattered to be remembered; replay those "
                  "between them too, or these with --partition or --since and another --replay-group",
                  replay->unmarked);
    return status == STATUS_OK && !stop_requested && !replay->unmarked ? 0 : 1;
}

/* The writer first: it ends what an earlier replay left open, and only then are the replayed offsets final. The letters
 * are those there are by then: erasures are looked for after that. */
static enum status replay_open(struct replay *replay, const struct schema *schema, struct error *err)
{
    const struct options *options = replay->options;
    enum dlq_start start = replay->again ? DLQ_AGAIN : DLQ_AFTER_REPLAYED;
    enum status status = STATUS_OK;
    if (!options_flag(options, OPTION_DRY_RUN)) {
        stop_outlive_readers();
        status = dlq_writer_new(options, &stop_requested, &replay->writer, err);
    }
    if (status == STATUS_OK)
        status = dlq_reader_new(options, replay->filter->partition, start, &stop_requested, &replay->reader, err);
    return status == STATUS_OK ? find_obstacles(replay, schema, start, err) : status;
}

int dlq_replay(const struct options *options, const struct dlq_filter *filter)
{
    static struct replay replay; /* large */
    replay = (struct replay){.options = options,
                             .filter = filter,
                             .max_replays = options_integer(options, OPTION_MAX_REPLAYS),
                             .again = options_flag(options, OPTION_AGAIN)};
    struct error err = {0};
    struct schema *schema = NULL;
    int64_t began_us = clock_steady_us(&clock_system);
    enum status status = schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, &err);
    if (status == STATUS_OK)
        status = replay_open(&replay, schema, &err);
    if (status == STATUS_OK) {
        status = replay_all(&replay, &err);
        replay_print_summary(&replay, (double)(clock_steady_us(&clock_system) - began_us) / 1e6, stdout);
    }
    int result = replay_finish(&replay, status, &err);
    batch_clear(&replay.batch);
    dlq_writer_free(replay.writer);
    dlq_reader_free(replay.reader);
    dlq_erasures_free(replay.erasures);
    dlq_current_records_free(replay.records);
    buffer_free(&replay.state_topic);
    dlq_content_reader_free(replay.contents);
    schema_free(schema);
    return result;
}

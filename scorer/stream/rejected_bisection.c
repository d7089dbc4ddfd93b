/* Bisecting rejected batches. See rejected_bisection.h.
 *
 * Called by publish.c alone. Never blocks, and ends: groups only get smaller until a commit, and suspects stay
 * suspects, so each round ends nearer to single records, however many batches are rejected. What is found is never
 * tried again as it was; what would be rejected the same for ever is a failure for good, with a message. */
#include "scorer/stream/rejected_bisection.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

void rejected_bisection_init(struct rejected_bisection *rejected, const struct settings *settings, const char *name)
{
    *rejected = (struct rejected_bisection){.settings = settings, .name = name};
}

void rejected_bisection_free(struct rejected_bisection *rejected)
{
    free(rejected->suspects);
    *rejected = (struct rejected_bisection){0};
}

void rejected_bisection_begin(struct rejected_bisection *rejected)
{
    rejected->records = rejected->in_group = 0;
}

const struct rejected_suspect *rejected_bisection_find(const struct rejected_bisection *rejected, const void *source)
{
    for (size_t i = 0; i < rejected->suspect_count; i++)
        if (rejected->suspects[i].source == source)
            return &rejected->suspects[i];
    return NULL;
}

static struct rejected_suspect *find_or_add(struct rejected_bisection *rejected, const void *source)
{
    const struct rejected_suspect *known = rejected_bisection_find(rejected, source);
    if (known)
        return &rejected->suspects[known - rejected->suspects];
    rejected->suspects = mem_grow(rejected->suspects, &rejected->suspect_capacity, rejected->suspect_count + 1,
                                  sizeof *rejected->suspects);
    struct rejected_suspect *suspect = &rejected->suspects[rejected->suspect_count++];
    *suspect = (struct rejected_suspect){.source = source};
    return suspect;
}

void rejected_bisection_add(struct rejected_bisection *rejected, const void *source)
{
    find_or_add(rejected, source)->suspected = rejected->round + 1;
    rejected->records++;
}

bool rejected_bisection_isolate(struct rejected_bisection *rejected, const void *source)
{
    if (!rejected->redo_left)
        return false;
    rejected->redo_left--;
    bool suspect = rejected_bisection_find(rejected, source);
    bool flush = suspect ? rejected->in_group % rejected->group == 0 : rejected->in_group > 0;
    rejected->in_group = suspect ? rejected->in_group % rejected->group + 1 : 0;
    return flush;
}

void rejected_bisection_redo(struct rejected_bisection *rejected, uint64_t records)
{
    if ((rejected->records || rejected->suspect_count) && rejected->redo_left < records)
        rejected->redo_left = records;
}

static bool is_topic(const char *name, const char *topic)
{
    return name && !strcmp(topic, name);
}

/* What goes with the present time as it is. */
static bool is_untimed(const struct settings *settings, const char *topic)
{
    return is_topic(settings->output_topic, topic) || is_topic(settings->state_topic, topic) ||
           is_topic(settings->alert_topic, topic);
}

/* Nothing less can stand for a current record or an alert. NULL: something can. */
static const char *whole_record(const struct settings *settings, const char *topic)
{
    return is_topic(settings->state_topic, topic)   ? "a current record, or its position,"
           : is_topic(settings->alert_topic, topic) ? "an alert"
                                                    : NULL;
}

static enum status found_whole(const char *what, const char *topic, struct error *err)
{
    return error_set(err, STATUS_LIMIT, "score: topic %s refuses %s as too large: raise its max.message.bytes", topic,
                     what);
}

static enum status found_untimed(const struct rejected_bisection *rejected, struct rejected_suspect *suspect,
                                 const char *topic, struct error *err)
{
    bool was_untimed = suspect->untimed || is_untimed(rejected->settings, topic);
    suspect->untimed = true;
    if (!was_untimed)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "score: topic %s refuses the present time as a record's timestamp: set this host's clock, or the "
                     "topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms",
                     topic);
}

static void found_oversize(const struct rejected_bisection *rejected, struct rejected_suspect *suspect,
                           const char *topic)
{
    suspect->oversize = true;
    if (!strcmp(topic, rejected->settings->dlq_topic) && suspect->dead_letter < DETAIL_BARE)
        suspect->dead_letter++;
}

/* The only record of a rejected batch. */
static enum status found_record(struct rejected_bisection *rejected, rd_kafka_resp_err_t code, const char *topic,
                                struct error *err)
{
    enum status status = STATUS_OK;
    const char *whole = whole_record(rejected->settings, topic);
    for (size_t i = 0; i < rejected->suspect_count; i++) {
        struct rejected_suspect *suspect = &rejected->suspects[i];
        if (suspect->suspected == rejected->round && error_class_of(code) == ERROR_CLASS_TIMESTAMP)
            status = found_untimed(rejected, suspect, topic, err);
        else if (suspect->suspected == rejected->round && whole)
            status = found_whole(whole, topic, err);
        else if (suspect->suspected == rejected->round)
            found_oversize(rejected, suspect, topic);
    }
    return status;
}

static void log_round(const struct rejected_bisection *rejected, rd_kafka_resp_err_t code, const char *topic)
{
    if (rejected->round > 1 || rejected->records == 1)
        log_debug("score", "%s: %" PRIu64 " records in a batch that topic %s refused: %s", rejected->name,
                  rejected->records, topic, rd_kafka_err2str(code));
    else if (error_class_of(code) == ERROR_CLASS_TIMESTAMP)
        log_warn("score",
                 "%s: topic %s refuses the timestamp of one of %" PRIu64
                 " records; doing this transaction again to find it: it goes with the present time",
                 rejected->name, topic, rejected->records);
    else
        log_warn(
            "score",
            "%s: topic %s refuses a batch of %" PRIu64
            " records, or one of them, as too large; doing this transaction again to find it. If this repeats, set -X "
            "batch.size below the topic's max.message.bytes",
            rejected->name, topic, rejected->records);
}

enum status rejected_bisection_next_round(struct rejected_bisection *rejected, rd_kafka_resp_err_t code,
                                          const char *topic, struct error *err)
{
    uint64_t half = rejected->records > 1 ? rejected->records / 2 : 1;
    rejected->group = rejected->round && rejected->group < half ? rejected->group : half;
    rejected->round++;
    enum status status = rejected->records == 1 ? found_record(rejected, code, topic, err) : STATUS_OK;
    log_round(rejected, code, topic);
    return status;
}

void rejected_bisection_committed(struct rejected_bisection *rejected)
{
    if (!rejected->redo_left)
        rejected->suspect_count = rejected->round = 0;
}

void rejected_bisection_forget(struct rejected_bisection *rejected)
{
    rejected->suspect_count = rejected->round = 0;
    rejected->redo_left = 0;
}

bool rejected_bisection_is_active(const struct rejected_bisection *rejected)
{
    return rejected->redo_left || rejected->suspect_count || rejected->round;
}

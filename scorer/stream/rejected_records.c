/* Bisecting refused batches. See rejected_records.h.
 *
 * Called by publish.c alone. Never blocks, and ends: groups only get smaller until a commit, and suspects stay
 * suspects, so each round ends nearer to single records, however many batches are refused. What is found is never tried
 * again as it was; what would be refused the same for ever is a failure for good, with a message. */
#include "scorer/stream/rejected_records.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

void refused_records_init(struct refused_records *refused, const struct settings *settings, const char *name)
{
    *refused = (struct refused_records){.settings = settings, .name = name};
}

void refused_records_free(struct refused_records *refused)
{
    free(refused->suspects);
    *refused = (struct refused_records){0};
}

void refused_records_begin(struct refused_records *refused)
{
    refused->records = refused->in_group = 0;
}

const struct refused_suspect *refused_records_find(const struct refused_records *refused, const void *source)
{
    for (size_t i = 0; i < refused->suspect_count; i++)
        if (refused->suspects[i].source == source)
            return &refused->suspects[i];
    return NULL;
}

static struct refused_suspect *find_or_add(struct refused_records *refused, const void *source)
{
    const struct refused_suspect *known = refused_records_find(refused, source);
    if (known)
        return &refused->suspects[known - refused->suspects];
    refused->suspects =
        mem_grow(refused->suspects, &refused->suspect_capacity, refused->suspect_count + 1, sizeof *refused->suspects);
    struct refused_suspect *suspect = &refused->suspects[refused->suspect_count++];
    *suspect = (struct refused_suspect){.source = source};
    return suspect;
}

void refused_records_add(struct refused_records *refused, const void *source)
{
    find_or_add(refused, source)->suspected = refused->round + 1;
    refused->records++;
}

bool refused_records_isolate(struct refused_records *refused, const void *source)
{
    if (!refused->redo_left)
        return false;
    refused->redo_left--;
    bool suspect = refused_records_find(refused, source);
    bool flush = suspect ? refused->in_group % refused->group == 0 : refused->in_group > 0;
    refused->in_group = suspect ? refused->in_group % refused->group + 1 : 0;
    return flush;
}

void refused_records_redo(struct refused_records *refused, uint64_t records)
{
    if ((refused->records || refused->suspect_count) && refused->redo_left < records)
        refused->redo_left = records;
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

static enum status found_untimed(const struct refused_records *refused, struct refused_suspect *suspect,
                                 const char *topic, struct error *err)
{
    bool was_untimed = suspect->untimed || is_untimed(refused->settings, topic);
    suspect->untimed = true;
    if (!was_untimed)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "score: topic %s refuses the present time as a record's timestamp: set this host's clock, or the "
                     "topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms",
                     topic);
}

static void found_oversize(const struct refused_records *refused, struct refused_suspect *suspect, const char *topic)
{
    suspect->oversize = true;
    if (!strcmp(topic, refused->settings->dlq_topic) && suspect->dead_letter < DETAIL_BARE)
        suspect->dead_letter++;
}

/* The only record of a refused batch. */
static enum status found_record(struct refused_records *refused, rd_kafka_resp_err_t code, const char *topic,
                                struct error *err)
{
    enum status status = STATUS_OK;
    const char *whole = whole_record(refused->settings, topic);
    for (size_t i = 0; i < refused->suspect_count; i++) {
        struct refused_suspect *suspect = &refused->suspects[i];
        if (suspect->suspected == refused->round && transaction_remedy(code) == REMEDY_UNTIMED)
            status = found_untimed(refused, suspect, topic, err);
        else if (suspect->suspected == refused->round && whole)
            status = found_whole(whole, topic, err);
        else if (suspect->suspected == refused->round)
            found_oversize(refused, suspect, topic);
    }
    return status;
}

static void log_round(const struct refused_records *refused, rd_kafka_resp_err_t code, const char *topic)
{
    if (refused->round > 1 || refused->records == 1)
        log_debug("score", "%s: %" PRIu64 " records in a batch that topic %s refused: %s", refused->name,
                  refused->records, topic, rd_kafka_err2str(code));
    else if (transaction_remedy(code) == REMEDY_UNTIMED)
        log_warn("score",
                 "%s: topic %s refuses the timestamp of one of %" PRIu64
                 " records; doing this work again to find it: it goes with the present time",
                 refused->name, topic, refused->records);
    else
        log_warn("score",
                 "%s: topic %s refuses a batch of %" PRIu64
                 " records, or one of them, as too large; doing this work again to find it. If this repeats, set -X "
                 "batch.size below the topic's max.message.bytes",
                 refused->name, topic, refused->records);
}

enum status refused_records_bisect(struct refused_records *refused, rd_kafka_resp_err_t code, const char *topic,
                                   struct error *err)
{
    uint64_t half = refused->records > 1 ? refused->records / 2 : 1;
    refused->group = refused->round && refused->group < half ? refused->group : half;
    refused->round++;
    enum status status = refused->records == 1 ? found_record(refused, code, topic, err) : STATUS_OK;
    log_round(refused, code, topic);
    return status;
}

void refused_records_committed(struct refused_records *refused)
{
    if (!refused->redo_left)
        refused->suspect_count = refused->round = 0;
}

void refused_records_forget(struct refused_records *refused)
{
    refused->suspect_count = refused->round = 0;
    refused->redo_left = 0;
}

bool refused_records_is_bisecting(const struct refused_records *refused)
{
    return refused->redo_left || refused->suspect_count || refused->round;
}

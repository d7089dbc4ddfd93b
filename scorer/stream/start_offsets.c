/* Resolving where partitions start: see start_offsets.h.
 *
 * Called by input_consumer.c when partitions have been assigned, again and again until it succeeds, on the score loop's
 * thread and outside of the rebalance callback, so that a rebalance that makes the question void is noticed. Logical
 * offsets live in this file alone and never leave it. Must never take a failed look-up for "none committed". */
#include "scorer/stream/start_offsets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "kafka/client.h"

enum {
    LOOKUP_MS = 5000,
    GLANCE_MS = 500,
    BACKOFF_US = 200000,
    LOOK_INTERVAL_US = 10000000,
    CALL_WATCHDOG_US = 25000000
};

enum status start_offsets_policy(struct start_offsets *start, rd_kafka_conf_t *conf, struct error *err)
{
    char value[32], text[256];
    size_t bytes = sizeof value;
    if (rd_kafka_conf_get(conf, "auto.offset.reset", value, &bytes) != RD_KAFKA_CONF_OK)
        return error_set(err, STATUS_INVALID, "librdkafka does not return auto.offset.reset");
    start->latest = !strcmp(value, "latest") || !strcmp(value, "largest") || !strcmp(value, "end");
    if (rd_kafka_conf_set(conf, "auto.offset.reset", "error", text, sizeof text) != RD_KAFKA_CONF_OK)
        return error_set(err, STATUS_INVALID, "%s", text);
    return STATUS_OK;
}

/* Committed with the start of a partition that the member who chose it does not have. Whoever is given the partition
 * claims it, by committing the start once more without. */
static const char UNCLAIMED[] = "unclaimed";

/* --- looking up --- */

/* STATUS_UNAVAILABLE for everything that may pass, a topic or partition that the asked broker does not know included.
 */
static enum status lookup_error(const struct start_offsets *start, const char *what, rd_kafka_resp_err_t code,
                                struct error *err)
{
    if (kafka_status(code) == STATUS_DENIED)
        return error_set(err, STATUS_DENIED,
                         "score: the broker refuses %s (%s): allow READ on group %s and on topic %s", what,
                         rd_kafka_err2str(code), start->group, start->topic);
    return error_set(err, STATUS_UNAVAILABLE, "%s: %s", what, rd_kafka_err2str(code));
}

static rd_kafka_resp_err_t list_error(const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; i < list->cnt && !code; i++)
        code = list->elems[i].err;
    return code;
}

static enum status look_up_committed(const struct start_offsets *start, rd_kafka_topic_partition_list_t *list,
                                     int timeout_ms, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_committed(start->consumer, list, timeout_ms);
    if (!code)
        code = list_error(list);
    return code ? lookup_error(start, "the look-up of committed offsets", code, err) : STATUS_OK;
}

static bool has_offset(const rd_kafka_topic_partition_t *element)
{
    return element->offset >= 0;
}

static bool is_unclaimed(const rd_kafka_topic_partition_t *element)
{
    return has_offset(element) && element->metadata && element->metadata_size == sizeof UNCLAIMED - 1 &&
           !memcmp(element->metadata, UNCLAIMED, sizeof UNCLAIMED - 1);
}

static void set_unclaimed(rd_kafka_topic_partition_t *element)
{
    free(element->metadata);
    element->metadata = mem_text(UNCLAIMED);
    element->metadata_size = sizeof UNCLAIMED - 1;
}

static int count_without_offset(const rd_kafka_topic_partition_list_t *list)
{
    int count = 0;
    for (int i = 0; i < list->cnt; i++)
        count += !has_offset(&list->elems[i]);
    return count;
}

static enum status look_up_partition_count(const struct start_offsets *start, int timeout_ms, int32_t *count,
                                           struct error *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(start->consumer, start->topic, NULL);
    if (!topic)
        return lookup_error(start, "the look-up of the topic", rd_kafka_last_error(), err);
    rd_kafka_resp_err_t code = rd_kafka_metadata(start->consumer, 0, topic, &metadata, timeout_ms);
    rd_kafka_topic_destroy(topic);
    if (!code) {
        assert(metadata->topic_cnt == 1);
        code = metadata->topics[0].err;
        *count = metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    return code ? lookup_error(start, "the look-up of the topic", code, err) : STATUS_OK;
}

/* Partitions from `first` on, with their committed offsets. */
static enum status look_up_topic(const struct start_offsets *start, int32_t first, int32_t count, int timeout_ms,
                                 rd_kafka_topic_partition_list_t **out, struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t p = first; p < count; p++)
        rd_kafka_topic_partition_list_add(list, start->topic, p);
    enum status status = look_up_committed(start, list, timeout_ms, err);
    if (status != STATUS_OK) {
        rd_kafka_topic_partition_list_destroy(list);
        return status;
    }
    *out = list;
    return STATUS_OK;
}

bool start_offsets_known(const struct start_offsets *start, int32_t partition)
{
    struct error err;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, start->topic, partition);
    enum status status = look_up_committed(start, list, GLANCE_MS, &err);
    rd_kafka_topic_partition_list_destroy(list);
    return status == STATUS_OK;
}

enum status start_offsets_find_end(const struct start_offsets *start, int32_t partition, const _Atomic bool *stop,
                                   int64_t *end, struct error *err)
{
    while (!*stop) {
        int64_t low, high;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(start->consumer, start->topic, partition, &low, &high, LOOKUP_MS);
        if (!code) {
            *end = high;
            return STATUS_OK;
        }
        if (kafka_status(code) != STATUS_UNAVAILABLE)
            return error_set(err, kafka_status(code), "score: cannot look up the end of %s [%d]: %s", start->topic,
                             partition, rd_kafka_err2str(code));
        usleep(BACKOFF_US);
    }
    return error_set(err, STATUS_UNAVAILABLE, "score: stopped while it looked up the ends of %s", start->topic);
}

/* --- starts --- */

/* Gives the partitions without an offset one: their end, or their beginning. *messages: offsets between the two. */
static enum status set_starts(const struct start_offsets *start, rd_kafka_topic_partition_list_t *list, bool at_end,
                              uint64_t *messages, struct error *err)
{
    *messages = 0;
    for (int i = 0; i < list->cnt; i++) {
        int64_t low, high;
        rd_kafka_topic_partition_t *element = &list->elems[i];
        if (has_offset(element))
            continue;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(start->consumer, start->topic, element->partition, &low, &high, LOOKUP_MS);
        if (code)
            return lookup_error(start, "the look-up of a partition's ends", code, err);
        if (low < 0 || high < low)
            return error_set(err, STATUS_UNAVAILABLE, "%s [%d]: the broker returned no offsets", start->topic,
                             element->partition);
        element->offset = at_end ? high : low;
        *messages += (uint64_t)(high - low);
    }
    return STATUS_OK;
}

/* At once and by the consumer itself, before any transaction: a start is no start as long as a restart may choose
 * another. With the group's generation, so that a member that is none any more is refused. */
static enum status commit_starts(const struct start_offsets *start, rd_kafka_topic_partition_list_t *list,
                                 struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_commit(start->consumer, list, 0);
    if (!code)
        code = list_error(list);
    return code ? lookup_error(start, "the commit of the start offsets", code, err) : STATUS_OK;
}

static void log_new_group(const struct start_offsets *start, int partitions, uint64_t messages)
{
    if (!messages)
        log_info("score", "group %s is new to %s: it starts at the %s of %d partitions, which are empty", start->group,
                 start->topic, start->latest ? "end" : "beginning", partitions);
    else if (start->latest)
        log_warn("score",
                 "group %s has no committed offsets of %s (it is new, or they have expired): it starts at the end of "
                 "%d partitions, and the %llu offsets before are passed over. To read them all the same: "
                 "kafka-consumer-groups --reset-offsets --to-earliest --group %s --topic %s --execute",
                 start->group, start->topic, partitions, (unsigned long long)messages, start->group, start->topic);
    else
        log_warn("score",
                 "group %s has no committed offsets of %s (it is new, or they have expired): it starts at the "
                 "beginning of %d partitions, with %llu offsets to read; what it handled before is handled again",
                 start->group, start->topic, partitions, (unsigned long long)messages);
}

/* `all` holds every partition of the topic, none with an offset. */
static enum status start_group(const struct start_offsets *start, const rd_kafka_topic_partition_list_t *assigned,
                               rd_kafka_topic_partition_list_t *all, struct error *err)
{
    uint64_t messages;
    enum status status = set_starts(start, all, start->latest, &messages, err);
    for (int i = 0; i < all->cnt; i++)
        if (!rd_kafka_topic_partition_list_find(assigned, start->topic, all->elems[i].partition))
            set_unclaimed(&all->elems[i]);
    if (status == STATUS_OK)
        status = commit_starts(start, all, err);
    if (status == STATUS_OK)
        log_new_group(start, all->cnt, messages);
    return status;
}

static void copy_offsets(const struct start_offsets *start, const rd_kafka_topic_partition_list_t *from,
                         rd_kafka_topic_partition_list_t *to)
{
    for (int i = 0; i < from->cnt; i++) {
        rd_kafka_topic_partition_t *known =
            rd_kafka_topic_partition_list_find(to, start->topic, from->elems[i].partition);
        if (!known || !has_offset(&from->elems[i]))
            continue;
        known->offset = from->elems[i].offset;
        if (is_unclaimed(&from->elems[i]))
            set_unclaimed(known);
    }
}

static enum status start_new_partitions(const struct start_offsets *start, rd_kafka_topic_partition_list_t *assigned,
                                        struct error *err)
{
    uint64_t messages;
    rd_kafka_topic_partition_list_t *fresh = rd_kafka_topic_partition_list_new(assigned->cnt);
    for (int i = 0; i < assigned->cnt; i++)
        if (!has_offset(&assigned->elems[i]))
            rd_kafka_topic_partition_list_add(fresh, start->topic, assigned->elems[i].partition);
    enum status status = set_starts(start, fresh, false, &messages, err);
    if (status == STATUS_OK)
        status = commit_starts(start, fresh, err);
    if (status == STATUS_OK)
        copy_offsets(start, fresh, assigned);
    for (int i = 0; i < fresh->cnt && status == STATUS_OK; i++)
        log_info("score", "%s [%d] is new to group %s: it is read from its beginning, offset %lld", start->topic,
                 fresh->elems[i].partition, start->group, (long long)fresh->elems[i].offset);
    rd_kafka_topic_partition_list_destroy(fresh);
    return status;
}

/* What one look-up of all says is one state of the group: the start of a new group is one commit. */
static enum status decide_start(const struct start_offsets *start, rd_kafka_topic_partition_list_t *assigned,
                                rd_kafka_topic_partition_list_t *all, struct error *err)
{
    copy_offsets(start, all, assigned);
    if (!count_without_offset(assigned))
        return STATUS_OK;
    if (count_without_offset(all) < all->cnt)
        return start_new_partitions(start, assigned, err);
    if (!rd_kafka_topic_partition_list_find(assigned, start->topic, 0))
        return error_set(
            err, STATUS_UNAVAILABLE,
            "the group is new to the topic, and the member that has partition 0 has not said yet where it starts");
    enum status status = start_group(start, assigned, all, err);
    if (status == STATUS_OK)
        copy_offsets(start, all, assigned);
    return status;
}

static enum status resolve_rest(const struct start_offsets *start, rd_kafka_topic_partition_list_t *assigned,
                                struct error *err)
{
    int32_t count;
    rd_kafka_topic_partition_list_t *all;
    if (count_without_offset(assigned) < assigned->cnt) /* some have one, so the group is not new */
        return start_new_partitions(start, assigned, err);
    enum status status = look_up_partition_count(start, LOOKUP_MS, &count, err);
    if (status == STATUS_OK)
        status = look_up_topic(start, 0, count, LOOKUP_MS, &all, err);
    if (status != STATUS_OK)
        return status;
    status = decide_start(start, assigned, all, err);
    rd_kafka_topic_partition_list_destroy(all);
    if (status == STATUS_OK && count_without_offset(assigned))
        return error_set(err, STATUS_UNAVAILABLE, "the broker does not know all assigned partitions yet");
    return status;
}

static enum status claim_starts(const struct start_offsets *start, const rd_kafka_topic_partition_list_t *assigned,
                                struct error *err)
{
    enum status status = STATUS_OK;
    rd_kafka_topic_partition_list_t *claimed = rd_kafka_topic_partition_list_new(assigned->cnt);
    for (int i = 0; i < assigned->cnt; i++)
        if (is_unclaimed(&assigned->elems[i]))
            rd_kafka_topic_partition_list_add(claimed, start->topic, assigned->elems[i].partition)->offset =
                assigned->elems[i].offset;
    if (claimed->cnt)
        status = commit_starts(start, claimed, err);
    rd_kafka_topic_partition_list_destroy(claimed);
    return status;
}

enum status start_offsets_resolve(const struct start_offsets *start, rd_kafka_topic_partition_list_t *assigned,
                                  struct error *err)
{
    for (int i = 0; i < assigned->cnt; i++)
        assigned->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    if (!assigned->cnt)
        return STATUS_OK;
    enum status status = look_up_committed(start, assigned, LOOKUP_MS, err);
    if (status == STATUS_OK && count_without_offset(assigned))
        status = resolve_rest(start, assigned, err);
    return status == STATUS_OK ? claim_starts(start, assigned, err) : status;
}

/* --- partitions that nobody has --- */

/* Those of the list without an offset, or with a start that nobody has claimed; false where an end cannot be looked up.
 */
static bool list_untaken(const struct start_offsets *start, const rd_kafka_topic_partition_list_t *list,
                         struct untaken_partitions *out)
{
    out->count = 0;
    for (int i = 0; i < list->cnt && out->count < sizeof out->lags / sizeof *out->lags; i++) {
        int64_t low, high;
        int32_t p = list->elems[i].partition;
        if (has_offset(&list->elems[i]) && !is_unclaimed(&list->elems[i]))
            continue;
        if (rd_kafka_query_watermark_offsets(start->consumer, start->topic, p, &low, &high, GLANCE_MS))
            return false;
        out->lags[out->count++] = (struct partition_lag){p, low, high, 0};
    }
    return true;
}

static bool find_untaken(const struct start_offsets *start, struct untaken_partitions *out)
{
    int32_t partitions;
    struct error err;
    rd_kafka_topic_partition_list_t *list;
    if (look_up_partition_count(start, GLANCE_MS, &partitions, &err) != STATUS_OK)
        return false;
    out->count = 0;
    if (partitions <= out->known)
        return true;
    if (look_up_topic(start, out->known, partitions, GLANCE_MS, &list, &err) != STATUS_OK)
        return false;
    bool known = list_untaken(start, list, out);
    rd_kafka_topic_partition_list_destroy(list);
    if (known)
        out->known = out->count ? out->lags[0].partition : partitions;
    return known;
}

void untaken_partitions_look(struct untaken_partitions *untaken, const struct start_offsets *start)
{
    struct untaken_partitions found = *untaken;
    int64_t now = clock_steady_us(&clock_system);
    if (now < untaken->look_us || !kafka_up())
        return;
    untaken->look_us = now + LOOK_INTERVAL_US;
    if (!find_untaken(start, &found))
        return;
    if (found.count && !untaken->count) {
        found.since_us = now;
        log_info(start->loop,
                 "%s has new partitions, from %d on; they count as lag until the group has shared them out",
                 start->topic, found.lags[0].partition);
    }
    if (!found.count)
        found.since_us = 0;
    found.look_us = untaken->look_us;
    *untaken = found;
}

bool untaken_partitions_overdue(struct untaken_partitions *untaken)
{
    int64_t now = clock_steady_us(&clock_system);
    if (!untaken->since_us || now - untaken->since_us < CALL_WATCHDOG_US)
        return false;
    untaken->since_us = now;
    return true;
}

uint64_t untaken_partitions_messages(const struct untaken_partitions *untaken)
{
    uint64_t messages = 0;
    for (size_t i = 0; i < untaken->count; i++)
        messages += partition_lag_messages(untaken->lags[i]);
    return messages;
}

/* --- logs that are not what they were --- */

enum status start_offsets_report_gone(const struct start_offsets *start, int32_t partition, int64_t wanted,
                                      const char *reason, struct error *err)
{
    int64_t low, high;
    if (rd_kafka_query_watermark_offsets(start->consumer, start->topic, partition, &low, &high, LOOKUP_MS) ||
        (wanted >= low && wanted <= high))
        return error_set(err, STATUS_INVALID, "%s [%d]: offset %lld cannot be read (%s)", start->topic, partition,
                         (long long)wanted, reason);
    if (wanted < low)
        return error_set(
            err, STATUS_INVALID,
            "%s [%d]: the committed offset %lld is gone, the log starts at %lld now: %lld messages are lost. To go on "
            "after them: kafka-consumer-groups --reset-offsets --to-earliest --group %s --topic %s:%d --execute",
            start->topic, partition, (long long)wanted, (long long)low, (long long)(low - wanted), start->group,
            start->topic, partition);
    return error_set(
        err, STATUS_INVALID,
        "%s [%d]: the committed offset %lld is beyond the log's end %lld: the topic was recreated. To start over: "
        "kafka-consumer-groups --reset-offsets --to-earliest --group %s --topic %s:%d --execute",
        start->topic, partition, (long long)wanted, (long long)high, start->group, start->topic, partition);
}

enum status start_offsets_report_changed(const struct start_offsets *start, int32_t partition, int64_t offset,
                                         struct error *err)
{
    return error_set(err, STATUS_CONFLICT,
                     "%s [%d] is not the log that was read before (at offset %lld): the topic was recreated, or the "
                     "log truncated and written again. To read it from its start: kafka-consumer-groups "
                     "--reset-offsets --to-earliest --group %s --topic %s:%d --execute",
                     start->topic, partition, (long long)offset, start->group, start->topic, partition);
}

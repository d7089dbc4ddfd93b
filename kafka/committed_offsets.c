/* Committed offsets, looked up and remembered: see committed_offsets.h. Called by kafka/transaction.c on its owner's
 * thread. What it uses of librdkafka: committed, topic_partition_list_new, topic_partition_list_add,
 * topic_partition_list_find, topic_partition_list_copy, topic_partition_list_destroy, err2str. */
#include "kafka/committed_offsets.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "kafka/client.h"

enum { LOOKUP_MS = 5000, BACKOFF_US = 100000, LOOKUPS_MOST = 2 };

enum status committed_offsets_read(rd_kafka_t *consumer, rd_kafka_topic_partition_list_t *list, const char *where,
                                   const _Atomic bool *stop, struct error *err)
{
    for (int lookups = 1;; lookups++) {
        rd_kafka_resp_err_t code = rd_kafka_committed(consumer, list, LOOKUP_MS);
        for (int i = 0; i < list->cnt && !code; i++)
            code = list->elems[i].err;
        if (!code)
            return STATUS_OK;
        error_set(err, kafka_status(code), "%s: cannot learn whether the last transaction was committed: %s", where,
                  rd_kafka_err2str(code));
        if (kafka_status(code) != STATUS_UNAVAILABLE || *stop || lookups == LOOKUPS_MOST)
            return err->status;
        log_warn(where, "%s; trying again", err->text);
        usleep(BACKOFF_US);
    }
}

void committed_offsets_note(struct committed_offsets *committed, rd_kafka_t *consumer,
                            const rd_kafka_topic_partition_list_t *offsets)
{
    if (!consumer || !offsets)
        return;
    if (!committed->offsets)
        committed->offsets = rd_kafka_topic_partition_list_new(offsets->cnt);
    for (int i = 0; i < offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *one = &offsets->elems[i];
        rd_kafka_topic_partition_t *known =
            rd_kafka_topic_partition_list_find(committed->offsets, one->topic, one->partition);
        if (!known)
            known = rd_kafka_topic_partition_list_add(committed->offsets, one->topic, one->partition);
        known->offset = one->offset;
    }
    committed->consumer = consumer;
}

static enum status report_lost(const rd_kafka_topic_partition_t *wanted, const rd_kafka_topic_partition_t *found,
                               const char *where, struct error *err)
{
    return error_set(err, STATUS_CONFLICT,
                     "%s: the brokers acknowledged a commit and have not kept it: the group is at offset %" PRId64
                     " of %s [%" PRId32 "], not at %" PRId64
                     ". This process ends; started again, it does that work again from there",
                     where, found->offset, wanted->topic, wanted->partition, wanted->offset);
}

enum status committed_offsets_check(const struct committed_offsets *committed, const char *where,
                                    const _Atomic bool *stop, struct error *err)
{
    if (!committed->offsets)
        return STATUS_OK;
    rd_kafka_topic_partition_list_t *found = rd_kafka_topic_partition_list_copy(committed->offsets);
    enum status status = committed_offsets_read(committed->consumer, found, where, stop, err);
    for (int i = 0; i < found->cnt && status == STATUS_OK; i++)
        if (found->elems[i].offset < committed->offsets->elems[i].offset)
            status = report_lost(&committed->offsets->elems[i], &found->elems[i], where, err);
    rd_kafka_topic_partition_list_destroy(found);
    return status;
}

void committed_offsets_free(struct committed_offsets *committed)
{
    if (committed->offsets)
        rd_kafka_topic_partition_list_destroy(committed->offsets);
    *committed = (struct committed_offsets){0};
}

static bool is_equal(const rd_kafka_topic_partition_t *wanted, const rd_kafka_topic_partition_t *found)
{
    return found->offset == wanted->offset && found->metadata_size == wanted->metadata_size &&
           (!wanted->metadata_size || !memcmp(found->metadata, wanted->metadata, wanted->metadata_size));
}

bool committed_offsets_equal(const rd_kafka_topic_partition_list_t *wanted,
                             const rd_kafka_topic_partition_list_t *found)
{
    for (int i = 0; i < wanted->cnt; i++)
        if (!is_equal(&wanted->elems[i], &found->elems[i]))
            return false;
    return true;
}

/* Topics for `scorer check`: makes them so that they keep what they are given, and says which settings would not. */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum check_topic_use {
    CHECK_TOPIC_INPUT,
    CHECK_TOPIC_CHANGES, /* the input, where partial events are merged: none may be missing */
    CHECK_TOPIC_OUTPUT,  /* records carry the present time */
    CHECK_TOPIC_PAST,    /* dead letters and outcomes: records carry their event's timestamp, however old */
    CHECK_TOPIC_STATE,   /* current records: compacted, and nothing else removes them */
};

/* Plain data. */
struct check_topic_settings {
    bool compacts, deletes; /* cleanup.policy */
    bool append_time;       /* message.timestamp.type=LogAppendTime */
    int64_t retention_ms;   /* -1: for ever */
    int64_t tombstones_ms;  /* delete.retention.ms: how long a null value stays after compaction; -1: not known */
};

/* Makes the topic, with cleanup.policy=delete and, for records of the past, message.timestamp.type=LogAppendTime, or
 * with cleanup.policy=compact for current records, whose old versions go within about two days, and waits until it is
 * visible. STATUS_OK where it exists already. */
MUST_USE enum status check_topic_make(rd_kafka_t *client, const char *topic, int partitions, enum check_topic_use use,
                                      struct error *err);

/* STATUS_UNSUPPORTED: this broker does not report settings. */
MUST_USE enum status check_topic_read(rd_kafka_t *client, const char *topic, struct check_topic_settings *out,
                                      struct error *err);

/* Whether nothing but retention, counted from when records are written, removes records. False: err says what would
 * happen and how to fix it; STATUS_INVALID where stored rows would be lost, else a warning. */
bool check_topic_keeps_all(const char *topic, enum check_topic_use use, const struct check_topic_settings *settings,
                           struct error *err);

/* A record of the output, dead-letter, outcome or alert topic, as the sink takes it. */
#pragma once

#include "base/bytes.h"

/* Which topic a record is from. The last one may be left out. */
enum sink_topic { SINK_TOPIC_OUTPUT, SINK_TOPIC_DLQ, SINK_TOPIC_OUTCOME, SINK_TOPIC_ALERT, SINK_TOPIC_COUNT };

struct sink_header {
    const char *name;
    struct span value; /* SPAN_NULL: null */
};

/* One Kafka record. Plain data; borrows everything. */
struct sink_record {
    enum sink_topic topic;
    const char *topic_name;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct span key, value; /* SPAN_NULL: null */
    const struct sink_header *headers;
    size_t header_count;
};

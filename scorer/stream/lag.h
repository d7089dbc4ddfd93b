/* How far a partition of the input topic has been read. */
#pragma once

#include <stdint.h>

/* One assigned partition; plain data. */
struct partition_lag {
    int32_t partition;
    int64_t next, end; /* offsets: the next to be handled; the log's end as last fetched */
    int64_t last_ms;   /* timestamp of the last message handled; 0: none yet */
};

static inline uint64_t partition_lag_messages(struct partition_lag lag)
{
    return lag.end > lag.next ? (uint64_t)(lag.end - lag.next) : 0;
}

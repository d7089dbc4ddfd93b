/* How far a partition of the input topic has been read. */
#pragma once

#include <stdint.h>

/* One assigned partition; plain data. */
struct partition_lag {
    int32_t partition;
    int64_t next, end; /* offsets: the next to be handled; the log's end as last fetched */
    int64_t last_ms;   /* timestamp of the last message handled; 0: none yet */
};

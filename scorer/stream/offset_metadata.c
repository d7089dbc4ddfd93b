/* Metadata of committed offsets: see offset_metadata.h. Written by input_consumer.c with each commit, read by
 * input_position.c and pending_partitions.c when a partition is assigned. */
#include "scorer/stream/offset_metadata.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char WITH_CURRENT_RECORDS[] = "state";

/* Versions without current records read the rest as before. */
void offset_metadata_write(int64_t next, const struct handled_record *last, bool current_records,
                           char out[OFFSET_METADATA_BYTES])
{
    const char *with = current_records ? WITH_CURRENT_RECORDS : "";
    if (last->offset != NO_RECORD && last->offset < next)
        snprintf(out, OFFSET_METADATA_BYTES, "next=%" PRId64 " last=%" PRId64 " ms=%" PRId64 "%s%s", next, last->offset,
                 last->timestamp_ms, current_records ? " " : "", with);
    else
        snprintf(out, OFFSET_METADATA_BYTES, "%s", with);
}

/* Tools that move or copy offsets may leave it as it was: so it repeats the offset. */
struct handled_record offset_metadata_last(int64_t committed, const char *metadata, size_t bytes)
{
    struct handled_record record;
    int64_t next;
    char text[OFFSET_METADATA_BYTES];
    if (metadata && bytes < sizeof text) {
        memcpy(text, metadata, bytes);
        text[bytes] = '\0';
        if (sscanf(text, "next=%" SCNd64 " last=%" SCNd64 " ms=%" SCNd64, &next, &record.offset,
                   &record.timestamp_ms) == 3 &&
            next == committed && record.offset >= 0 && record.offset < committed)
            return record;
    }
    return (struct handled_record){.offset = NO_RECORD};
}

bool offset_metadata_has_current_records(const char *metadata, size_t bytes)
{
    const size_t with = sizeof WITH_CURRENT_RECORDS - 1;
    if (!metadata || bytes < with || memcmp(metadata + bytes - with, WITH_CURRENT_RECORDS, with) != 0)
        return false;
    return bytes == with || metadata[bytes - with - 1] == ' ';
}

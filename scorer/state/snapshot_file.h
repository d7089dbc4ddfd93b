/* A local snapshot of one partition's current records, as the bytes of a file. docs/STATE.md describes it.
 *
 *   head       "ATTRSNAP", version, size of a block's head, a number that shows the byte order, bytes of the whole,
 *              CRC-32 of all that follows it
 *   about      whose records they are: texts that must be the reader's own
 *   point      when it was written, and the place in the state topic from which on the topic is to be read
 *   records    blocks of state_table.h, one after the other; of an employee the last counts
 *   models     which made the predictions: their number in a block is their number here
 *
 * Numbers are this machine's. A reader trusts nothing: what is not exactly right is refused, and the records are read
 * from the topic. */
#pragma once

#include "base/status.h"
#include "events/schema.h"
#include "scorer/state/state.h"

/* Whose records they are. Plain data, borrowed. */
struct snapshot_about {
    const char *cluster, *state_topic, *group, *input_topic;
    int32_t partition, partitions; /* of the state topic */
    const struct schema *schema;   /* of the rows */
};

/* Plain data. */
struct snapshot_point {
    int64_t written_us; /* since 1970: its records are not older */
    struct state_origin origin;
};

/* Into an empty buffer: begin, the records, end (both say the same), seal. Sealing takes as long as reading all bytes
 * does. */
void snapshot_file_begin(const struct snapshot_about *about, const struct snapshot_point *point, struct buffer *out);
void snapshot_file_end(const struct state *state, struct buffer *out);
void snapshot_file_seal(struct buffer *out);

/* Puts its records into the open and empty partition. Failure says what is wrong with the file, and leaves some of them
 * there. */
MUST_USE enum status snapshot_file_read(struct span bytes, const struct snapshot_about *about, struct state *state,
                                        struct state_table *table, struct snapshot_point *point, struct error *err);

/* What goes to the state topic with a commit: the positions that its partitions' records are good for, and, at least
 * once, the records themselves.
 *
 * Exactly once, current records are in the transaction as they come, and the positions are its last records. At least
 * once they are written when everything else of the transaction is acknowledged, so that an event whose change can be
 * read has its result. Embedded in publish.c; calls come from the score loop's thread, or from the commit under way. */
#pragma once

#include "kafka/last_offsets.h"
#include "kafka/transaction.h"
#include "scorer/settings.h"
#include "scorer/state/state.h"
#include "scorer/stream/staged_records.h"

/* A partition in the commit under way. Plain data. */
struct state_output_part {
    int64_t records;            /* when it began; -1: none are kept of it */
    struct state_origin origin; /* since when its records are; then, where its position lies */
};

/* Plain data. */
struct state_output {
    const struct settings *settings;
    struct state *state; /* NULL: no current records are kept, and nothing here is called */
    size_t topic;        /* the transaction's number of it */
    int partitions;      /* … and how many it has */
    struct staged_records late;
    struct buffer position;
    struct state_output_part *parts; /* of the offsets' partitions */
    size_t part_capacity;
    struct last_offsets *last; /* of the state topic; NULL: nobody needs the places of position records */
};

void state_output_free(struct state_output *output);

/* A record that waits until the others of its transaction are acknowledged. */
void state_output_add_late(struct state_output *output, const struct transaction_record *record);
void state_output_drop_late(struct state_output *output);

/* A commit of these offsets (NULL: none) begins. On the loop's thread, which goes on changing the records. */
void state_output_begin(struct state_output *output, const rd_kafka_topic_partition_list_t *offsets);
/* Within the commit, before the transaction's own: of these offsets (NULL: none). `alone`: batches that may hold a
 * refused record are not shared with others. What fails breaks the transaction. */
void state_output_write(struct state_output *output, struct transaction *transaction,
                        const rd_kafka_topic_partition_list_t *offsets, bool alone);
/* Within the commit, when it has a result. */
void state_output_wrote(struct state_output *output, const rd_kafka_topic_partition_list_t *offsets);
/* These are committed. */
void state_output_committed(struct state_output *output, const rd_kafka_topic_partition_list_t *offsets);

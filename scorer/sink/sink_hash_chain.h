/* What the sink adds to each row of predictions so that an alteration shows: salt and digest (row_digest.h), and the
 * digests of a transaction by partition, which the database chains (sql/0016_evidence.sql). */
#pragma once

#include "events/prediction.h"
#include "scorer/sink/row_digest.h"

struct sink_hash_chain;

/* Borrows the schema. */
struct sink_hash_chain *sink_hash_chain_new(const struct schema *schema);
void sink_hash_chain_free(struct sink_hash_chain *chain);
/* The rows made so far are dropped. */
void sink_hash_chain_clear(struct sink_hash_chain *chain);

void sink_hash_chain_draw_salt(struct sink_hash_chain *chain, char out[ROW_DIGEST_SALT_BYTES]);

/* Columns by name: a row's digest is begun with its salt, gets each column that is not null (any order of calls), and
 * is ended, which notes it for the partition of the topic (borrowed until clear). */
void sink_hash_chain_begin(struct sink_hash_chain *chain, struct span salt);
void sink_hash_chain_add(struct sink_hash_chain *chain, struct span column, struct span value);
void sink_hash_chain_add_input(struct sink_hash_chain *chain, const struct cell *cells);
void sink_hash_chain_add_reasons(struct sink_hash_chain *chain, const struct prediction *prediction);
void sink_hash_chain_add_challengers(struct sink_hash_chain *chain, const struct prediction *prediction);
void sink_hash_chain_add_change(struct sink_hash_chain *chain, const struct prediction *prediction);
void sink_hash_chain_end(struct sink_hash_chain *chain, const char *topic, int32_t partition,
                         char digest[ROW_DIGEST_BYTES]);

/* The digests noted, one call a partition. */
struct sink_link_group {
    const char *topic;
    int32_t partition;
    struct span digests;
};
size_t sink_hash_chain_groups(const struct sink_hash_chain *chain);
struct sink_link_group sink_hash_chain_group(const struct sink_hash_chain *chain, size_t index);

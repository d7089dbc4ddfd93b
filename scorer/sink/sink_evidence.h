/* What the sink adds to each row of predictions so that an alteration shows: salt and digest (evidence.h), and the
 * digests of a transaction by partition, which the database chains (sql/0016_evidence.sql). */
#pragma once

#include "events/prediction.h"
#include "scorer/sink/evidence.h"

struct sink_evidence;

/* Borrows the schema. */
struct sink_evidence *sink_evidence_new(const struct schema *schema);
void sink_evidence_free(struct sink_evidence *evidence);
/* The rows made so far are dropped. */
void sink_evidence_clear(struct sink_evidence *evidence);

void sink_evidence_draw_salt(struct sink_evidence *evidence, char out[EVIDENCE_SALT_BYTES]);

/* Columns by name: a row's digest is begun with its salt, gets each column that is not null (any order of calls), and
 * is ended, which notes it for the partition of the topic (borrowed until clear). */
void sink_evidence_begin(struct sink_evidence *evidence, struct span salt);
void sink_evidence_add(struct sink_evidence *evidence, struct span column, struct span value);
void sink_evidence_add_input(struct sink_evidence *evidence, const struct cell *cells);
void sink_evidence_add_reasons(struct sink_evidence *evidence, const struct prediction *prediction);
void sink_evidence_add_challengers(struct sink_evidence *evidence, const struct prediction *prediction);
void sink_evidence_add_change(struct sink_evidence *evidence, const struct prediction *prediction);
void sink_evidence_end(struct sink_evidence *evidence, const char *topic, int32_t partition,
                       char digest[EVIDENCE_DIGEST_BYTES]);

/* The digests noted, one call a partition. */
struct sink_link_group {
    const char *topic;
    int32_t partition;
    struct span digests;
};
size_t sink_evidence_groups(const struct sink_evidence *evidence);
struct sink_link_group sink_evidence_group(const struct sink_evidence *evidence, size_t index);

/* Writer schemas and the plans to read them with: the plan cache of one thread, bounded.
 *
 * Schemas that stand in ids.json stay; those of a registry make room for each other, the one used longest ago first. */
#ifndef EVENTS_WRITERS_H
#define EVENTS_WRITERS_H

#include "events/frame.h"
#include "avro/registry_client.h"
#include "events/row_plan.h"

/* A writer schema and how it is read. Plain data. plan NULL: it can never be read, for the reason given. */
struct writer {
    struct schema_key key;
    struct plan *plan;
    struct avro_schema *schema; /* owned where it came from a registry or a file, else NULL */
    bool stays;
    bool same; /* it is the reader itself */
    bool json; /* of type JSON: its data are documents, and there is no plan */
    uint64_t used;
    struct error why;
};

struct writers;

/* Plans for `reader`; with `target` they fill events (row_plan.h), without they write JSON. Borrows both. */
struct writers *writers_new(const struct avro_type *reader, const struct schema_parts *target);
void writers_free(struct writers *writers);
void writers_use_registry(struct writers *writers, struct registry_client *registry);

/* From now on writers of type JSON are found too. */
void writers_take_json(struct writers *writers);

/* A schema that stays; borrowed, or taken over where `taken` is not NULL. */
const struct writer *writers_add(struct writers *writers, const struct schema_key *key, const struct avro_type *type,
                                 struct avro_schema *taken);

/* EVENT_OK and the writer, valid until the next call; else why there is none. *waits: as of decoder_read. */
enum event_code writers_find(struct writers *writers, const struct schema_key *key, const struct writer **out,
                             struct fault *fault, bool *waits);

#endif

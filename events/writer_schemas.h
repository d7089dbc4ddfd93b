/* Writer schemas and the plans to read them with: the plan cache of one thread, bounded.
 *
 * Schemas that stand in ids.json stay; those of a registry make room for each other, the one used longest ago first. */
#pragma once

#include "events/frame.h"
#include "avro/registry_client.h"
#include "events/row_plan.h"

/* A writer schema and how it is read. Plain data. plan NULL: it can never be read, for the reason given. */
struct writer_schema {
    struct schema_key key;
    struct plan *plan;
    struct avro_schema *schema; /* owned where it came from a registry or a file, else NULL */
    bool stays;
    bool same; /* it is the reader itself */
    bool json; /* of type JSON: its data are documents, and there is no plan */
    uint64_t used;
    struct error why;
};

struct writer_schemas;

/* Plans for `reader`; with `target` they fill events (row_plan.h), without they write JSON. Borrows both. */
struct writer_schemas *writer_schemas_new(const struct avro_type *reader, const struct schema_parts *target);
void writer_schemas_free(struct writer_schemas *writers);
void writer_schemas_use_registry(struct writer_schemas *writers, struct registry_client *registry);

/* From now on writers of type JSON are found too. */
void writer_schemas_take_json(struct writer_schemas *writers);

/* A schema that stays; borrowed, or taken over where `taken` is not NULL. */
const struct writer_schema *writer_schemas_add(struct writer_schemas *writers, const struct schema_key *key,
                                               const struct avro_type *type, struct avro_schema *taken);

/* EVENT_OK and the writer, valid until the next call; else why there is none. *waits: as of decoder_read. */
enum event_code writer_schemas_find(struct writer_schemas *writers, const struct schema_key *key,
                                    const struct writer_schema **out, struct fault *fault, bool *waits);

/* The requests of a schema registry's client, one function each: several addresses in turn, answers read. No thread
 * and no state but the connections; used by one thread at a time. */
#pragma once

#include <stdatomic.h>

#include "avro/schema_key.h"
#include "avro/registry_answer.h"
#include "avro/registry_settings.h"

struct registry_calls;

/* A request under way ends soon after *stop has become true. */
MUST_USE enum status registry_calls_new(const struct registry_settings *settings, const _Atomic bool *stop,
                                        struct registry_calls **out, struct error *err);
void registry_calls_free(struct registry_calls *calls);
const char *registry_calls_url(const struct registry_calls *calls); /* the first one, without credentials */
uint64_t registry_calls_sent(const struct registry_calls *calls);   /* any thread */

MUST_USE enum registry_result registry_call_schema(struct registry_calls *calls, const struct schema_key *key,
                                                   struct buffer *text, struct error *err);
/* The latest version of "TOPIC-value". */
MUST_USE enum registry_result registry_call_latest(struct registry_calls *calls, const char *topic, struct buffer *text,
                                                   uint32_t *id, struct error *err);
/* The id under which "TOPIC-value" has that schema; statuses as of registry_answer_id. */
MUST_USE enum status registry_call_lookup(struct registry_calls *calls, const char *topic, struct span text,
                                          uint32_t *id, struct error *err);
MUST_USE enum status registry_call_register(struct registry_calls *calls, const char *topic, struct span text,
                                            uint32_t *id, struct error *err);

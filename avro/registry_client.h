/* The client of a schema registry with Confluent's API: schemas by id or GUID, our own schemas' ids.
 *
 * All HTTP happens on a thread of the client's. Loops ask registry_client_find, which never waits: what is not known
 * yet is asked for once, however many events and loops want it, and REGISTRY_FIND_WAIT is the answer until it has come.
 * An outage (no answer, a wrong one, credentials refused) is never taken for knowledge: it is logged once, and asked
 * again with growing pauses for as long as it takes. That a schema does not exist is believed for a while. */
#pragma once

#include "base/bytes.h"
#include "avro/registry_settings.h"
#include "avro/schema_key.h"
#include "avro/type.h"

struct registry_client;

enum { REGISTRY_OURS = 3 };

/* A schema of ours, registered as "TOPIC-value". */
struct registry_subject {
    const char *topic; /* NULL: none */
    const struct avro_schema *schema;
    _Atomic uint32_t *id; /* 0 until the registry has given one */
    const char *name;     /* for messages: "the prediction schema" */
};

/* What must be in order before the first message. Plain data; topics are copied, what else it points to is borrowed. */
struct registry_duties {
    const char *input_topic; /* its latest schema must be readable; NULL: none */
    const char *input_as;    /* for messages: "our event schema" */
    enum status (*reads)(const void *context, const struct avro_type *writer, struct error *err); /* whether it is */
    const void *context;
    struct registry_subject ours[REGISTRY_OURS];
};

/* Starts the thread, which does the duties (NULL: none). */
MUST_USE enum status registry_client_new(const struct registry_settings *settings, const struct registry_duties *duties,
                                         struct registry_client **out, struct error *err);
void registry_client_free(struct registry_client *client); /* ends the thread, a request under way included */

/* Waits for that; STATUS_UNAVAILABLE when *stop becomes true (NULL: never) or deadline_us (steady; 0: none) passes. */
MUST_USE enum status registry_client_wait(struct registry_client *client, int64_t deadline_us, const _Atomic bool *stop,
                                          struct error *err);

enum registry_find {
    REGISTRY_FIND_SCHEMA,
    REGISTRY_FIND_UNKNOWN,  /* the registry knows no such schema */
    REGISTRY_FIND_UNUSABLE, /* it knows one that is of no use: why says so */
    REGISTRY_FIND_WAIT
};

/* Never waits; any thread. On REGISTRY_FIND_SCHEMA `text` (cleared first) is the schema, which parses. */
enum registry_find registry_client_find(struct registry_client *client, const struct schema_key *key,
                                        struct buffer *text, struct error *why);

/* Moves when an answer has come: what waits may look again. Any thread. */
uint64_t registry_client_answers(const struct registry_client *client);
/* Whether the registry's last answer was one (true before the first question). Any thread. */
bool registry_client_up(const struct registry_client *client);
/* Requests sent so far, for /metrics. Any thread. */
uint64_t registry_client_requests(const struct registry_client *client);

/* For `scorer check`: one round of questions, no registering. `finding` says what was found of ours[0], on STATUS_OK.
 */
MUST_USE enum status registry_client_check(const struct registry_settings *settings,
                                           const struct registry_duties *duties, struct error *finding,
                                           struct error *err);

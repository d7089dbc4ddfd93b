/* Whom a message key names: its text, or the value of the one field of its JSON object or Avro record. */
#pragma once

#include "events/frame.h"
#include "events/identity.h"
#include "events/input_map.h"
#include "avro/registry_client.h"

struct key_reader; /* keeps the keys' schemas; one per thread */

/* Borrows the registry. NULL: no schema is known, and a framed key is one string or names nobody. */
struct key_reader *key_reader_new(struct registry_client *registry);
void key_reader_free(struct key_reader *reader);

/* Where the id stands in JSON keys of more than one field; NULL: such keys name nobody. Borrows it. */
void key_reader_use_map(struct key_reader *reader, const struct map_node *pointer);

/* EVENT_OK and the id, which borrows from `key` or from `storage`; EVENT_BAD_ID: it names nobody. *waits: nothing is
 * known yet, as of decoder_read (the code is then void). `key` is not null. */
enum event_code key_read(struct key_reader *reader, struct span key, char storage[static ID_BYTES_MAX], struct span *id,
                         struct fault *fault, bool *waits);

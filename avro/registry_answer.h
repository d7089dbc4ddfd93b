/* What a schema registry's answers mean. Pure: bytes in, result out; no connection is known here.
 *
 * A registry is behind proxies, gateways and restarts: what is not exactly an answer of Confluent's API counts as an
 * outage (REGISTRY_NO_ANSWER), never as knowledge. */
#pragma once

#include "base/bytes.h"
#include "base/status.h"

enum registry_result {
    REGISTRY_SCHEMA,   /* an Avro schema: its text; of type JSON: REGISTRY_JSON */
    REGISTRY_UNKNOWN,  /* the registry says that it has none under this name */
    REGISTRY_UNUSABLE, /* it has one that no event can be read with: another language, references, not Avro */
    REGISTRY_NO_ANSWER /* unavailable, refusing, or answering nonsense: wait and ask again */
};

/* The text of every schema of type JSON: what such a schema says is not looked at. No Avro schema is written so. */
#define REGISTRY_JSON "\"JSON\""

enum { REGISTRY_BODY_BYTES_MAX = 12 * 1024 * 1024, REGISTRY_ID_MAX = INT32_MAX };

/* One whole HTTP answer. Plain data. */
struct registry_answer {
    long status;
    struct span body;
};

/* To GET /schemas/ids/…, /schemas/guids/… and /subjects/…/versions/…. On REGISTRY_SCHEMA `text` (cleared first) holds
 * the schema and *id its id where the answer has it, else 0; otherwise err says why. */
MUST_USE enum registry_result registry_answer_schema(const struct registry_answer *answer, struct buffer *text,
                                                     uint32_t *id, struct error *err);

/* To POST /subjects/…: STATUS_OK and the id; STATUS_NOT_FOUND: no such schema or subject; STATUS_CONFLICT:
 * incompatible; STATUS_INVALID: refused; STATUS_DENIED; STATUS_UNAVAILABLE: anything else. */
MUST_USE enum status registry_answer_id(const struct registry_answer *answer, uint32_t *id, struct error *err);

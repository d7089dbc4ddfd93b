/* Which part of a reader schema sees which part of a writer schema: the questions plan_compile asks. */
#pragma once

#include "avro/type.h"

struct resolver;

struct resolver *resolver_new(void);
void resolver_free(struct resolver *resolver);

/* Whether some datum of `writer` has an image in `reader`. If not, resolver_why says where and why (for the question
 * asked last), and STATUS_LIMIT instead of STATUS_UNSUPPORTED where it was given up. */
bool resolver_accepts(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader);
/* After the roots were accepted: questions about their parts are answered from what was found then. */
void resolver_settle(struct resolver *resolver);
MUST_USE enum status resolver_why(const struct resolver *resolver, struct error *err);

/* The branch of a reader's union that a writer's type (no union) goes to, or NULL: first its own type (full name, then
 * short name or alias), then the first it can be promoted to. */
const struct avro_type *resolve_branch(const struct avro_type *writer, const struct avro_type *reader);

enum { FIELD_UNREAD = -1 };

/* For each field of the writer's record the index of the reader's field that it fills, or FIELD_UNREAD. By name first,
 * then by the reader's aliases among what is left. `filled` gets one flag per field of the reader. */
void resolve_fields(const struct avro_type *writer, const struct avro_type *reader, int32_t *reader_of, bool *filled);

/* For each symbol of the writer's enum the reader's index: by name, else the reader's default, else -1. */
void resolve_symbols(const struct avro_type *writer, const struct avro_type *reader, int32_t *reader_of);

/* The digest by which a row of predictions is known again: SHA-256 of a salt and of what the row says, in one form
 * whether it comes from the sink's own bytes or back from PostgreSQL, which writes jsonb its own way. sink_hash_chain.c
 * makes it, `scorer audit` makes it again.
 *
 * The form: the salt with its length; then for each column that is not null, in the order of the rows, its name and its
 * value, each after its length as four bytes, big-endian. A value is COPY's binary form; of jsonb: a letter for its
 * kind, then a number's eight bytes, a text with its length, an array's or object's count and items, members in the
 * order of their names. A column that is added later is null in older rows and changes no digest. */
#pragma once

#include "base/bytes.h"
#include "base/sha256.h"

enum { ROW_DIGEST_SALT_BYTES = 16, ROW_DIGEST_BYTES = SHA256_BYTES };

void row_digest_add_bytes(struct buffer *out, struct span bytes); /* with their length */

void row_digest_add_null(struct buffer *out);
void row_digest_add_number(struct buffer *out, double number); /* what JSON has no number for: as json_add_double */
void row_digest_add_text(struct buffer *out, struct span text);
void row_digest_begin_array(struct buffer *out, size_t count);
void row_digest_begin_object(struct buffer *out, size_t count); /* members follow: row_digest_add_bytes(name), value */

/* A jsonb column's value: begun, and ended once the value is added. */
size_t row_digest_begin_json(struct buffer *out, struct span column);
void row_digest_end_json(struct buffer *out, size_t at);
/* The same of a JSON text. False: it is none, and nothing was added. */
bool row_digest_add_json(struct buffer *out, struct span column, struct span text);

/* In the order of bytes, as members are sorted. */
int row_digest_order(struct span a, struct span b);

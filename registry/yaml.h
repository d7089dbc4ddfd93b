/* The little of YAML that MLflow writes into meta.yaml and MLmodel: maps of plain and quoted scalars, nested by
 * indentation. Lists, block scalars, anchors and flow maps are passed over, not read. */
#pragma once

#include "base/bytes.h"

/* The text of `key` among the entries of `block` (a whole file, or what yaml_block gave), unquoted, long lines folded
 * back together. Replaces out's content; a NUL that is not counted follows it. False: absent, null, or no scalar. */
bool yaml_scalar(struct span block, const char *key, struct buffer *out);

/* The entries nested below `key`. False: no such key, or nothing is nested there. */
bool yaml_block(struct span block, const char *key, struct span *out);

/* `key: value` as one line, indented by `indent` spaces; the value is quoted where it has to be, NULL is null. Every
 * reader takes the value for text, whatever it looks like. */
void yaml_add_text(struct buffer *out, unsigned indent, const char *key, const char *value);
void yaml_add_int(struct buffer *out, unsigned indent, const char *key, int64_t value);

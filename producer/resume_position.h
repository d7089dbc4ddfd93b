/* How far an input has been sent: kept by the brokers as the offset of group backfill-<digest>, committed with the rows
 * it covers. Plain data; zero: nothing. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/options.h"

struct position {
    uint64_t rows;   /* handled, the rejected ones too: the committed offset */
    uint64_t digest; /* of these rows and what became of them, in order: shows that the input is still the same */
    uint64_t failed; /* of them refused by the brokers */
    bool complete;   /* the input ended there */
    uint64_t shape;  /* of what makes events of the rows to come, part of their digest; not kept by the brokers */
};

/* Of the options that say how rows are read; `header`: of the input that begins, or SPAN_NULL. */
void position_begin_input(struct position *position, const struct options *options, struct span header);

/* One more row: its bytes, and whether it was sent (or rejected). */
void position_add_row(struct position *position, struct span raw, bool sent);

/* The metadata of the committed offset, NUL-terminated: "2 <digest> <failed> <complete>". */
enum { POSITION_TEXT_BYTES = 64 };
void position_write(const struct position *position, char out[static POSITION_TEXT_BYTES]);
/* False where it is none of ours. One of version 1 is, but its digest had no shape: no input is the same. */
bool position_read(struct position *position, int64_t offset, struct span metadata);

/* "backfill-0123456789abcdef": of the topic and the inputs' paths, so that the same command has the same one. */
enum { POSITION_GROUP_BYTES = 32 };
void position_group(const struct options *options, char out[static POSITION_GROUP_BYTES]);
/* Whether an input is a standard input that has no path, such as a pipe: all of one topic have the same group. */
bool position_is_shared(const struct options *options);

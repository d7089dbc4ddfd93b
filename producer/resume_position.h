/* How far an input has been sent: kept by the brokers as the offset of group backfill-<digest>, committed with the rows
 * it covers. Plain data; zero: nothing. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/options.h"

struct resume_position {
    uint64_t rows;   /* handled, the rejected ones too: the committed offset */
    uint64_t digest; /* of these rows and what became of them, in order: shows that the input is still the same */
    uint64_t failed; /* of them refused by the brokers */
    bool complete;   /* the input ended there */
    uint64_t shape;  /* of what makes events of the rows to come, part of their digest; not kept by the brokers */
};

/* Of the options that say how rows are read; `header`: of the input that begins, or SPAN_NULL. */
void resume_position_begin_input(struct resume_position *position, const struct options *options, struct span header);

/* One more row: its bytes, and whether it was sent (or rejected). */
void resume_position_add_row(struct resume_position *position, struct span raw, bool sent);

/* The metadata of the committed offset, NUL-terminated: "2 <digest> <failed> <complete>". */
enum { RESUME_POSITION_TEXT_BYTES = 64 };
void resume_position_write(const struct resume_position *position, char out[static RESUME_POSITION_TEXT_BYTES]);
/* False where it is none of ours. One of version 1 is, but its digest had no shape: no input is the same. */
bool resume_position_read(struct resume_position *position, int64_t offset, struct span metadata);

/* "backfill-0123456789abcdef": of the topic and the inputs' paths, so that the same command has the same one. */
enum { RESUME_POSITION_GROUP_BYTES = 32 };
void resume_position_group(const struct options *options, char out[static RESUME_POSITION_GROUP_BYTES]);
/* Whether an input is a standard input that has no path, such as a pipe: all of one topic have the same group. */
bool resume_position_is_shared(const struct options *options);

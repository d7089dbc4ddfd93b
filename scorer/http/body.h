/* The body of a request: whether it may come, keeping it as it comes, and reading it as JSON. */
#pragma once

#include <jansson.h>
#include <stdatomic.h>

#include "base/json_reader.h"
#include "scorer/http/request.h"

/* Of one request; of all that are under way together, from where on large ones are refused, and what is large. */
enum { BODY_MAX = 1 << 20, BODIES_MOST = 64 << 20, BODY_SMALL = 64 << 10 };

/* What is said of it before it comes; NULL: not there. */
struct body_headers {
    const char *length, *type, *coding, *origin, *tensors;
};

/* Whether it may come, by its headers; else the answer says why not (413, 415). */
void body_check(const struct request *request, const struct body_headers *headers, struct answer *answer);
/* One more piece, or the answer says why not (413, 503). `held`: the bytes of all bodies; body->bytes are to be taken
 * off when the request is over. */
void body_keep(atomic_size_t *held, struct buffer *body, struct span piece, struct answer *answer);

struct body {
    struct json_reader reader;
    struct span text; /* sound JSON: its parts can be read again */
    json_t *tree;     /* owned; NULL: not asked for */
};

/* false: not JSON, and the answer says where (400). body_free either way. */
MUST_USE bool body_read(const struct request *request, struct body *out, struct answer *answer);
/* The whole as a tree, for who wants to look here and there. What JSON has no number for (NaN, 1e999) is a text. */
const json_t *body_tree(struct body *body);
void body_free(struct body *body);

/* Whether a text is a sound JSON list. */
bool body_is_list(struct span text);

/* The JSON body of a request. */
#pragma once

#include <jansson.h>

#include "base/json_reader.h"
#include "scorer/http/request.h"

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

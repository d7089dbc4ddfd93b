/* The JSON body of a request. */
#pragma once

#include <jansson.h>

#include "scorer/http/request.h"

struct body {
    json_t *root; /* owned; body_free */
    struct buffer rewritten;
    bool has_stand_ins; /* texts may stand for what JSON has no number for: NaN, 1e999 */
};

/* false: not JSON, and the answer says where (400). Numbers that a double cannot hold become texts that
 * events/json_row.h takes for what they are. */
MUST_USE bool body_read(const struct request *request, struct body *out, struct answer *answer);
void body_free(struct body *body);

/* Whether a text is a sound JSON list. */
bool body_is_list(struct span text);

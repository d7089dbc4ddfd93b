/* The headers of an answer, whatever library sends them. */
#pragma once

#include "scorer/http/request.h"

/* Plain data. */
struct answer_head {
    const struct answer *answer;
    const char *request_id;
    const char *origin; /* whose pages may read it; NULL: none from elsewhere */
    bool closes;        /* the connection ends with the answer */
    bool preflight;
};

void answer_headers(const struct answer_head *head, void (*add)(void *context, const char *name, const char *value),
                    void *context);

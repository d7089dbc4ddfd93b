/* One route: a row of the table in routes.c. */
#pragma once

#include "scorer/http/service.h"
#include "scorer/http/tokens.h"

/* METHOD is GET (HEAD goes with it) or POST. {name} and {version} in a path stand for one segment, {id} for all
 * that is left. Probes (QUIET) are
 * logged at level debug in the access log and are free of the rate limit, unless they are refused for their token.
 */
struct route {
    const char *method, *path;
    route_answer *answer;
    enum token_scope scope; /* see route_scope */
    bool quiet;
};

enum { ROUTES_MOST = 64 };

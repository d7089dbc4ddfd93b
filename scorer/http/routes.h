/* The table of routes: what is answered where. */
#pragma once

#include "scorer/http/route.h"

extern const struct route route_table[];
extern const size_t route_table_count;

/* The route of method and path; name and version are filled from the path. NULL with *allow set: other methods only;
 * NULL with *allow NULL: nothing there. */
const struct route *route_find(const char *method, const char *path, struct span *name, struct span *version,
                               const char **allow);

/* What it needs of a token: its row's scope, and for /metrics what METRICS_TOKEN says. A path that nothing answers
 * (NULL) is not shown without a token either. */
enum token_scope route_scope(const struct route *route, const struct settings *settings);

bool route_reads_database(const struct route *route);
/* Whether it asks PostgreSQL or the model registry, which may take seconds: then it has threads of its own. */
bool route_waits(const struct route *route);
/* Why a request was given up that has taken longer than the server gives it. */
const char *route_late(const struct route *route);

/* Health, metrics and the stream: what a process without the role http answers too, where it is given an address. */
bool route_is_probe(const struct route *route);

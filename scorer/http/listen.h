/* The socket that the HTTP service listens at. */
#ifndef SCORER_HTTP_LISTEN_H
#define SCORER_HTTP_LISTEN_H

#include "base/status.h"
#include "scorer/settings.h"

/* See http_new for the statuses. */
MUST_USE enum status listen_open(const struct settings *settings, int *out, struct error *err);
unsigned listen_port(int server);

#endif

/* The socket that the HTTP service listens at. */
#pragma once

#include "base/status.h"
#include "scorer/settings.h"

/* See http_new for the statuses. */
MUST_USE enum status listen_open(const struct settings *settings, int *out, struct error *err);
unsigned listen_port(int server);

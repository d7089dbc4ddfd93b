/* The socket that the HTTP service listens at, and whether it may. */
#pragma once

#include <stdbool.h>

#include "base/status.h"
#include "scorer/settings.h"

enum { LISTEN_NAME_BYTES = 320, TOKEN_LEAST = 16 /* characters, where other hosts can reach it */ };

/* `listen_at` of the option whose flag is named. See http_new for the statuses. */
MUST_USE enum status listen_open(const struct settings *settings, const char *flag, const char *listen_at, int *out,
                                 struct error *err);
unsigned listen_port(int server);
bool listen_is_reachable(int server); /* from other hosts */
/* The names that a Host header may have for it: as it is written and as a number, with a comma between. */
void listen_names(int server, const char *listen_at, char out[LISTEN_NAME_BYTES]);

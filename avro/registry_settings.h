/* How a schema registry is reached: SCHEMA_REGISTRY_*. */
#pragma once

#include "base/options.h"

/* Texts are borrowed by registry_client_new and registry_calls_new alone; NULL or empty: not given. */
struct registry_settings {
    const char *urls; /* comma-separated; tried in turn */
    struct secret username, password, token;
    const char *ca_file;
    const char *cache_dir;
    int64_t timeout_us;     /* of one request */
    int64_t unknown_us;     /* how long an unknown id is believed to be unknown */
    int64_t pause_first_us; /* after the first failure; doubled up to 20 times as much */
    bool lookup_only;       /* never registers */
};

/* From SCHEMA_REGISTRY_*; urls is NULL where no registry is set. */
struct registry_settings registry_settings_read(const struct options *options);

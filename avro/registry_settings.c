/* See registry_settings.h. Once at start. */
#include "avro/registry_settings.h"

struct registry_settings registry_settings_read(const struct options *options)
{
    const char *urls = options_text(options, OPTION_REGISTRY_URL);
    return (struct registry_settings){
        .urls = urls && *urls ? urls : NULL,
        .username = options_secret(options, OPTION_REGISTRY_USERNAME),
        .password = options_secret(options, OPTION_REGISTRY_PASSWORD),
        .token = options_secret(options, OPTION_REGISTRY_TOKEN),
        .ca_file = options_text(options, OPTION_REGISTRY_CA),
        .cache_dir = options_text(options, OPTION_REGISTRY_CACHE_DIR),
        .timeout_us = options_duration_us(options, OPTION_REGISTRY_TIMEOUT),
        .unknown_us = options_duration_us(options, OPTION_REGISTRY_UNKNOWN_TTL),
        .pause_first_us = 250000,
        .lookup_only = options_flag(options, OPTION_REGISTRY_LOOKUP_ONLY),
    };
}

/* Meeting the schema registry before the first event is sent: see registration.h. Main thread, once. */
#include "producer/registration.h"

#include "base/clock.h"
#include "base/log.h"
#include "events/schema_registry.h"
#include "producer/stop.h"

enum { WAIT_MAX_US = 30000000 };

struct schema *registration_schema(const struct options *options, const char *where)
{
    struct schema *schema = NULL;
    struct error err;
    stop_catch_signals();
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, &err) != STATUS_OK)
        log_error(where, "%s", err.text);
    return schema;
}

enum status registration_do(const struct options *options, struct schema *schema, struct error *err)
{
    const struct registry_settings wanted = registry_settings_read(options);
    const struct schema_topics topics = {
        .events = options_text(options, OPTION_INPUT_TOPIC),
        .output = options_flag(options, OPTION_WAIT) ? options_text(options, OPTION_OUTPUT_TOPIC) : NULL};
    struct registry_client *client;
    if (!wanted.urls)
        return STATUS_OK;
    if (schema_registry_start(&wanted, schema, &topics, &client, err) != STATUS_OK)
        return err->status;
    enum status status =
        registry_client_wait(client, clock_steady_us(&clock_system) + WAIT_MAX_US, &stop_requested, err);
    registry_client_free(client);
    return status;
}

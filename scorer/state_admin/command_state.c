/* `scorer state`: the words after it. Main thread. */
#include <string.h>

#include "base/log.h"
#include "scorer/commands.h"
#include "scorer/settings.h"
#include "scorer/state_admin/state_repartition.h"
#include "scorer/state_admin/state_seed.h"

static enum status run_word(const struct options *options, const struct settings *settings, struct error *err)
{
    if (!settings->state_topic)
        return error_set(err, STATUS_INVALID, "STATE_TOPIC is none: no current records are kept");
    if (!strcmp(options_argument(options, 0), "seed"))
        return state_seed(settings, options_flag(options, OPTION_SEED_EMPTY), err);
    return state_repartition(settings, err);
}

static bool is_word(const struct options *options)
{
    const char *word = options_argument_count(options) == 1 ? options_argument(options, 0) : "";
    bool empty = options_flag(options, OPTION_SEED_EMPTY);
    return !strcmp(word, "seed") || (!strcmp(word, "repartition") && !empty);
}

int cmd_state(const struct options *options)
{
    struct settings settings;
    struct schema *schema = NULL;
    struct error err;
    int exit_status = 1;
    if (!is_word(options)) {
        log_error("state", "state takes one word: seed (with --empty: no records), or repartition");
        return 2;
    }
    enum status status = schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, &err);
    if (status == STATUS_OK && (status = settings_resolve(options, schema, &settings, &err)) != STATUS_OK)
        exit_status = 2;
    else if (status == STATUS_OK) {
        status = run_word(options, &settings, &err);
        settings_release(&settings);
    }
    if (status == STATUS_OK)
        exit_status = 0;
    else
        log_error("state", "%s", err.text);
    schema_free(schema);
    return exit_status;
}

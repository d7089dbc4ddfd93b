/* `producer dlq list|show|replay`: hands over to one of them. Main thread. */
#include "producer/dlq.h"

#include "base/log.h"
#include "producer/commands.h"
#include "producer/stop.h"

/* What of the command line another action would take: it is not silently passed over. */
static enum status refuse_others(const struct options *options, const char *action, struct error *err)
{
    static const struct {
        enum option_id id;
        const char *flag, *takers;
    } rows[] = {
        {OPTION_CODE, "code", "list and replay"},
        {OPTION_FIELD, "field", "list and replay"},
        {OPTION_SINCE, "since", "list and replay"},
        {OPTION_PARTITION, "partition", "list and replay"},
        {OPTION_MAX_REPLAYS, "max-replays", "replay"},
        {OPTION_DRY_RUN, "dry-run", "replay"},
        {OPTION_AGAIN, "again", "replay"},
        {OPTION_REPLAY_GROUP, "replay-group", "replay"},
        {OPTION_STATE_TOPIC, "state-topic", "replay"},
        {OPTION_FORCE, "force", "replay"},
        {OPTION_OUTPUT_TOPIC, "output-topic", "replay"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        if (options_on_command_line(options, rows[r].id) && !strstr(rows[r].takers, action))
            return error_set(err, STATUS_INVALID, "dlq %s: --%s is for %s", action, rows[r].flag, rows[r].takers);
    return STATUS_OK;
}

int cmd_dlq(const struct options *options)
{
    struct dlq_filter filter;
    struct error err;
    size_t count = options_argument_count(options);
    const char *action = count ? options_argument(options, 0) : "";
    bool lists = strcmp(action, "list") == 0, replays = strcmp(action, "replay") == 0;
    bool shows = strcmp(action, "show") == 0;
    stop_catch_signals();
    if (!shows && ((!lists && !replays) || count > 1)) {
        log_error("dlq", "dlq takes one word: list or replay; or show PARTITION:OFFSET");
        return 2;
    }
    if (refuse_others(options, action, &err) != STATUS_OK) {
        log_error("dlq", "%s", err.text);
        return 2;
    }
    if (shows)
        return dlq_show(options);
    if (dlq_filter_read(options, &filter, &err) != STATUS_OK) {
        log_error("dlq", "%s", err.text);
        return 2;
    }
    return lists ? dlq_list(options, &filter) : dlq_replay(options, &filter);
}

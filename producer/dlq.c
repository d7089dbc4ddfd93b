/* `producer dlq list|show|replay`: hands over to one of them. Main thread. */
#include "producer/dlq.h"

#include "base/log.h"
#include "producer/commands.h"
#include "producer/stop.h"

int cmd_dlq(const struct options *options)
{
    struct dlq_filter filter;
    struct error err;
    size_t count = options_argument_count(options);
    const char *action = count ? options_argument(options, 0) : "";
    bool lists = strcmp(action, "list") == 0, replays = strcmp(action, "replay") == 0;
    stop_catch_signals();
    if (strcmp(action, "show") == 0)
        return dlq_show(options);
    if ((!lists && !replays) || count > 1) {
        log_error("dlq", "dlq takes one word: list or replay; or show PARTITION:OFFSET");
        return 2;
    }
    if (dlq_filter_read(options, &filter, &err) != STATUS_OK) {
        log_error("dlq", "%s", err.text);
        return 2;
    }
    return lists ? dlq_list(options, &filter) : dlq_replay(options, &filter);
}

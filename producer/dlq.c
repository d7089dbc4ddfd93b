/* `producer dlq list|replay`: hands over to the one or the other. Main thread. */
#include "producer/dlq.h"

#include "base/log.h"
#include "producer/commands.h"
#include "producer/stop.h"

int cmd_dlq(const struct options *options)
{
    struct dlq_filter filter;
    struct error err;
    const char *action = options_argument_count(options) == 1 ? options_argument(options, 0) : "";
    bool lists = strcmp(action, "list") == 0;
    stop_catch_signals();
    if (!lists && strcmp(action, "replay") != 0) {
        log_error("dlq", "dlq takes one word: list or replay");
        return 2;
    }
    if (dlq_filter_read(options, &filter, &err) != STATUS_OK) {
        log_error("dlq", "%s", err.text);
        return 2;
    }
    return lists ? dlq_list(options, &filter) : dlq_replay(options, &filter);
}

/* See watchdog.h. */
#include "scorer/watchdog.h"

#include <assert.h>

enum {
    FROZEN_US = 5000000, /* looks come every 50 ms */
    SLOW_US = 10000000,
};

static bool excused(const struct loop_progress *progress, bool kafka_up, int64_t now_us)
{
    enum loop_wait wait = progress_waits_for(progress, now_us);
    if (!progress_runs(progress) || now_us - progress->turned_us <= LOOP_CALL_US)
        return true;
    return wait == WAITS_FOR_KAFKA ? !kafka_up : wait != WAITS_FOR_NOTHING;
}

static void describe_loop(const struct named_progress *loop, int64_t now_us, struct buffer *text)
{
    const struct loop_progress *progress = loop->progress;
    const char *step = progress->step;
    buffer_printf(text, "%s%s ", text->bytes ? "; " : "", loop->name);
    if (!step) {
        buffer_printf(text, "does not run");
        return;
    }
    buffer_printf(text, "%s (waits for %s, last turn %lld s ago, ", step,
                  loop_wait_name(progress_waits_for(progress, now_us)),
                  (long long)((now_us - progress->turned_us) / 1000000));
    if (progress->committed_us)
        buffer_printf(text, "last commit %lld s ago)", (long long)((now_us - progress->committed_us) / 1000000));
    else
        buffer_printf(text, "no commit yet)");
}

bool watchdog_look(struct watchdog *watchdog, bool kafka_up, int64_t now_us, struct buffer *text)
{
    bool stuck = false, frozen = now_us - watchdog->looked_us > FROZEN_US;
    assert(watchdog->count <= sizeof watchdog->excused_us / sizeof *watchdog->excused_us);
    watchdog->looked_us = now_us;
    for (size_t i = 0; i < watchdog->count; i++) {
        if (frozen || excused(watchdog->loops[i].progress, kafka_up, now_us))
            watchdog->excused_us[i] = now_us;
        stuck |= watchdog->limit_us && now_us - watchdog->excused_us[i] > watchdog->limit_us;
    }
    if (!stuck)
        return false;
    buffer_clear(text);
    for (size_t i = 0; i < watchdog->count; i++)
        describe_loop(&watchdog->loops[i], now_us, text);
    return true;
}

/* Says it at most once for each doubling of the time. */
static bool is_to_be_reported(struct watchdog *watchdog, size_t i, bool kafka_up, int64_t now_us)
{
    const struct loop_progress *progress = watchdog->loops[i].progress;
    enum loop_wait wait = progress_waits_for(progress, now_us);
    bool logged = !kafka_up || wait == WAITS_FOR_POSTGRESQL || wait == WAITS_FOR_REGISTRY; /* by those who wait */
    bool moves = progress->assigned && progress_stalled_us(progress, now_us) <= LOOP_CALL_US;
    if (!watchdog->moved_us[i] || !progress_runs(progress) || logged || moves)
        watchdog->moved_us[i] = now_us;
    int64_t still_us = now_us - watchdog->moved_us[i];
    if (still_us < SLOW_US)
        watchdog->reported_us[i] = 0;
    if (still_us < SLOW_US || still_us < 2 * watchdog->reported_us[i])
        return false;
    watchdog->reported_us[i] = still_us;
    return true;
}

bool watchdog_slow(struct watchdog *watchdog, bool kafka_up, int64_t now_us, struct buffer *text)
{
    buffer_clear(text);
    for (size_t i = 0; i < watchdog->count; i++) {
        if (!is_to_be_reported(watchdog, i, kafka_up, now_us))
            continue;
        describe_loop(&watchdog->loops[i], now_us, text);
        buffer_printf(text, ": no progress for %lld s%s", (long long)(watchdog->reported_us[i] / 1000000),
                      watchdog->loops[i].progress->assigned ? "" : ", and no partitions from its group");
    }
    return text->bytes > 0;
}

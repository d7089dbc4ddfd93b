/* See progress.h. */
#include "scorer/progress.h"

static int64_t read_time(const _Atomic int64_t *time)
{
    return atomic_load_explicit(time, memory_order_relaxed);
}

static void write_time(_Atomic int64_t *time, int64_t now_us)
{
    atomic_store_explicit(time, now_us, memory_order_relaxed);
}

const char *loop_wait_name(enum loop_wait wait)
{
    static const char *const names[] = {
#define LOOP_WAIT_NAME(id, name) name,
        LOOP_WAITS(LOOP_WAIT_NAME)
#undef LOOP_WAIT_NAME
    };
    return names[wait];
}

void progress_start(struct loop_progress *progress, int64_t now_us)
{
    write_time(&progress->turned_us, now_us);
    write_time(&progress->idle_us, 0);
    progress_step(progress, "starts", WAITS_FOR_KAFKA);
}

void progress_step(struct loop_progress *progress, const char *step, enum loop_wait calls)
{
    atomic_store_explicit(&progress->calls, calls, memory_order_relaxed);
    atomic_store_explicit(&progress->step, step, memory_order_relaxed);
}

void progress_turn(struct loop_progress *progress, bool has_work, enum loop_wait waits_for, int64_t now_us)
{
    if (!has_work)
        write_time(&progress->idle_us, 0);
    else if (!read_time(&progress->idle_us))
        write_time(&progress->idle_us, now_us);
    atomic_store_explicit(&progress->waits_for, waits_for, memory_order_relaxed);
    write_time(&progress->turned_us, now_us);
}

void progress_committed(struct loop_progress *progress, int64_t now_us)
{
    write_time(&progress->committed_us, now_us);
    write_time(&progress->idle_us, 0);
}

void progress_end(struct loop_progress *progress)
{
    atomic_store_explicit(&progress->waits_for, WAITS_FOR_NOTHING, memory_order_relaxed);
    progress_step(progress, NULL, WAITS_FOR_NOTHING);
}

bool progress_runs(const struct loop_progress *progress)
{
    return atomic_load_explicit(&progress->step, memory_order_relaxed) != NULL;
}

enum loop_wait progress_waits_for(const struct loop_progress *progress, int64_t now_us)
{
    bool in_call = now_us - read_time(&progress->turned_us) > LOOP_CALL_US;
    return (enum loop_wait)atomic_load_explicit(in_call ? &progress->calls : &progress->waits_for,
                                                memory_order_relaxed);
}

int64_t progress_stalled_us(const struct loop_progress *progress, int64_t now_us)
{
    enum loop_wait wait = progress_waits_for(progress, now_us);
    if (!progress_runs(progress) || wait == WAITS_FOR_POSTGRESQL || wait == WAITS_FOR_REGISTRY)
        return 0;
    int64_t turned_us = read_time(&progress->turned_us), idle_us = read_time(&progress->idle_us);
    int64_t in_call_us = now_us - turned_us > LOOP_CALL_US ? now_us - turned_us : 0;
    int64_t without_us = idle_us ? now_us - idle_us : 0;
    return without_us > in_call_us ? without_us : in_call_us;
}

/* base/background.h with a coroutine instead of a thread: the call goes on wherever the caller waits for something, and
 * the other way round. A process that is killed or frozen takes both along. */
#include "base/background.h"

#include <stdlib.h>

#include "base/memory.h"
#include "tests/sim/sim.h"

struct background {
    struct task *task, *waits; /* waits: the caller, for the call; NULL: it does not */
    void (*call)(void *context);
    void *context;
    bool ending;
};

static void make_calls(void *context)
{
    struct background *background = context;
    while (!background->ending) {
        if (!background->call) {
            task_park();
            continue;
        }
        sim_point("background");
        background->call(background->context);
        background->call = NULL;
        if (background->waits)
            task_wake(background->waits);
    }
    free(background);
}

enum status background_new(struct background **out, struct error *err)
{
    (void)err;
    *out = mem_zeroed(1, sizeof **out);
    (*out)->task = task_start_side("background", make_calls, *out);
    return STATUS_OK;
}

void background_free(struct background *background)
{
    if (!background)
        return;
    background_wait(background);
    background->ending = true;
    task_wake(background->task);
}

void background_start(struct background *background, void (*call)(void *context), void *context)
{
    background->call = call;
    background->context = context;
    task_wake(background->task);
}

bool background_runs(const struct background *background)
{
    return background->call != NULL;
}

void background_wait(struct background *background)
{
    background->waits = task_current();
    while (background->call)
        task_park();
    background->waits = NULL;
}

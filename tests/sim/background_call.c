/* base/background_call.h with a coroutine instead of a thread: the call goes on wherever the caller waits for
 * something, and the other way round. A process that is killed or frozen takes both along. */
#include "base/background_call.h"

#include <stdlib.h>

#include "base/memory.h"
#include "tests/sim/sim.h"

struct background_call {
    struct task *task, *waits; /* waits: the caller, for the call; NULL: it does not */
    void (*call)(void *context);
    void *context;
    bool ending;
};

static void make_calls(void *context)
{
    struct background_call *background = context;
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

enum status background_call_new(struct background_call **out, struct error *err)
{
    (void)err;
    *out = mem_zeroed(1, sizeof **out);
    (*out)->task = task_start_side("background", make_calls, *out);
    return STATUS_OK;
}

void background_call_free(struct background_call *background)
{
    if (!background)
        return;
    background_call_wait(background);
    background->ending = true;
    task_wake(background->task);
}

void background_call_start(struct background_call *background, void (*call)(void *context), void *context)
{
    background->call = call;
    background->context = context;
    task_wake(background->task);
}

bool background_call_runs(const struct background_call *background)
{
    return background->call != NULL;
}

void background_call_wait(struct background_call *background)
{
    background->waits = task_current();
    while (background->call)
        task_park();
    background->waits = NULL;
}

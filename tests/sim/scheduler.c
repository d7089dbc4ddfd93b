/* Virtual time, coroutines, chance and trace: see sim.h. Takes the place of the system's clocks, of usleep and of the
 * log's lines for everything that is linked with it. */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "tests/sim/sim.h"
#include "tests/sim/run_result.h"

enum { STACK_BYTES = 256 * 1024, TASKS_MOST = 4096 };

struct task {
    ucontext_t context;
    struct proc *proc;
    const char *name;
    void (*body)(struct proc *proc);
    void (*side)(void *context); /* instead: a second coroutine of the process */
    void *context_given;
    int64_t wake_us;
    bool waiting; /* news wakes it */
    bool done;
};

struct event {
    int64_t at_us;
    uint64_t number;
    void (*run)(void *context, int64_t number_given);
    void *context;
    int64_t given;
};

static struct {
    int64_t now_us;
    ucontext_t context;
    struct task *current;
    struct task *tasks[TASKS_MOST];
    size_t task_count;
    struct event *events;
    size_t event_count, event_capacity;
    uint64_t numbers;
    uint64_t chance[2];
    uint64_t hash;
    uint64_t traced;
} sim = {.hash = UINT64_C(0xcbf29ce484222325)};
static bool verbose_trace;

/* --- chance --- */

void chance_seed(uint64_t seed, bool verbose)
{
    sim.chance[0] = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    sim.chance[1] = seed ^ UINT64_C(0xd1b54a32d192ed03);
    verbose_trace = verbose;
    for (int i = 0; i < 16; i++)
        chance_next();
}

/* xorshift128+ */
uint64_t chance_next(void)
{
    uint64_t a = sim.chance[0], b = sim.chance[1];
    sim.chance[0] = b;
    a ^= a << 23;
    sim.chance[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return sim.chance[1] + b;
}

int64_t chance_between(int64_t low, int64_t high)
{
    return high <= low ? low : low + (int64_t)((chance_next() >> 11) % (uint64_t)(high - low + 1));
}

bool chance_one_in(int64_t n)
{
    return n > 0 && chance_between(1, n) == 1;
}

/* --- trace --- */

static void trace_text(const char *text)
{
    for (const char *at = text; *at; at++)
        sim.hash = (sim.hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    sim.traced++;
    if (verbose_trace)
        fprintf(stderr, "%s\n", text);
}

void trace(const char *format, ...)
{
    char text[600];
    struct proc *proc = proc_current();
    int n = snprintf(text, sizeof text, "%10.6f %s%d.%d ", (double)sim.now_us / 1e6,
                     !proc        ? "-"
                     : proc->sink ? "sink"
                                  : "score",
                     proc ? proc->slot : 0, proc ? proc->incarnation : 0);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, arguments);
    va_end(arguments);
    trace_text(text);
}

uint64_t trace_hash(void)
{
    return sim.hash;
}

void violation(const char *kind, const char *format, ...)
{
    struct run_result result = {.violated = true};
    snprintf(result.kind, sizeof result.kind, "%s", kind);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result.text, sizeof result.text, format, arguments);
    va_end(arguments);
    trace("VIOLATION %s: %s", kind, result.text);
    run_end(&result);
}

void unmodelled(const char *what)
{
    violation("unmodelled", "the simulation does not know: %s", what);
}

void log_line(enum log_level level, const char *where, const char *format, ...)
{
    char text[500];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (level <= LOG_LEVEL_INFO)
        trace("log %s: %s", where, text);
}

void log_fields(enum log_level level, const char *where, const char *message, const struct log_field *fields,
                size_t count)
{
    (void)fields, (void)count;
    log_line(level, where, "%s", message);
}

void log_setup(enum log_level level, enum log_format format)
{
    (void)level, (void)format;
}

/* --- time --- */

int64_t sim_now(void)
{
    return sim.now_us;
}

static int64_t real_us(void *context)
{
    (void)context;
    return INT64_C(1795737600000000) + sim.now_us;
}

static int64_t steady_us(void *context)
{
    (void)context;
    return INT64_C(1000000000) + sim.now_us;
}

const struct clock_source clock_system = {real_us, steady_us, NULL};

int usleep(useconds_t us)
{
    sim_point("sleep");
    sim_sleep(us);
    return 0;
}

static bool sooner(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

void sim_at(int64_t at_us, void (*run)(void *context, int64_t number), void *context, int64_t number)
{
    if (sim.event_count == sim.event_capacity) {
        sim.event_capacity = sim.event_capacity * 2 + 64;
        sim.events = mem_resize(sim.events, sim.event_capacity, sizeof *sim.events);
    }
    sim.events[sim.event_count++] =
        (struct event){at_us < sim.now_us ? sim.now_us : at_us, sim.numbers++, run, context, number};
}

/* --- coroutines --- */

static void enter(void)
{
    struct task *task = sim.current;
    if (task->side)
        task->side(task->context_given);
    else
        task->body(task->proc);
    task->done = true;
    task->proc->ended |= !task->side;
    swapcontext(&task->context, &sim.context);
}

static struct task *task_add(const struct task *wanted)
{
    struct task *task = mem_zeroed(1, sizeof *task);
    if (sim.task_count == TASKS_MOST)
        unmodelled("so many processes");
    *task = *wanted;
    task->wake_us = sim.now_us;
    getcontext(&task->context);
    task->context.uc_stack.ss_sp = mem_zeroed(1, STACK_BYTES);
    task->context.uc_stack.ss_size = STACK_BYTES;
    task->context.uc_link = NULL;
    makecontext(&task->context, enter, 0);
    sim.tasks[sim.task_count++] = task;
    return task;
}

struct task *task_start(struct proc *proc, const char *name, void (*body)(struct proc *proc))
{
    return task_add(&(struct task){.proc = proc, .name = name, .body = body});
}

struct task *task_start_side(const char *name, void (*side)(void *context), void *context)
{
    return task_add(&(struct task){.proc = proc_current(), .name = name, .side = side, .context_given = context});
}

struct task *task_current(void)
{
    return sim.current;
}

struct proc *proc_current(void)
{
    return sim.current ? sim.current->proc : NULL;
}

static void sleep_until(int64_t at_us, bool waiting)
{
    struct task *task = sim.current;
    if (!task)
        unmodelled("waiting outside a process");
    task->wake_us = at_us < sim.now_us ? sim.now_us : at_us;
    task->waiting = waiting;
    swapcontext(&task->context, &sim.context);
}

void sim_sleep(int64_t us)
{
    sleep_until(sim.now_us + us, false);
}

void sim_wait(int64_t deadline_us)
{
    sleep_until(deadline_us, true);
}

void task_park(void)
{
    sleep_until(INT64_MAX, false);
}

void task_wake(struct task *task)
{
    if (task->wake_us == INT64_MAX)
        task->wake_us = sim.now_us;
}

void sim_news(void)
{
    for (size_t i = 0; i < sim.task_count; i++) {
        struct task *task = sim.tasks[i];
        if (task->done || !task->waiting)
            continue;
        int64_t soon = sim.now_us + chance_between(20, 600);
        if (soon < task->wake_us)
            task->wake_us = soon;
    }
}

void proc_kill(struct proc *proc)
{
    proc->dead = true;
}

/* In the middle of work, or now and then anywhere. */
static bool stops_here(const char *name)
{
    return !strcmp(name, "produce") || !strcmp(name, "flush") || !strncmp(name, "EndTxn", 6) ||
           !strncmp(name, "COPY", 4) || chance_one_in(200);
}

void sim_point(const char *name)
{
    struct proc *proc = proc_current();
    if (!proc)
        return;
    if (proc->kill_after && !--proc->kill_after && !calm) {
        trace("killed at %s", name);
        proc_kill(proc);
        sim_sleep(0); /* never comes back */
    }
    if (proc->freeze_us && !calm && stops_here(name)) {
        int64_t us = proc->freeze_us;
        proc->freeze_us = 0;
        proc_frozen(proc, us);
        sim_sleep(1);
    }
    if (chance_one_in(plan.slow_one_in))
        sim_sleep(chance_between(1, 20 * MS));
    else if (chance_one_in(4))
        sim_sleep(chance_between(1, 300));
}

static struct task *next_task(void)
{
    struct task *next = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < sim.task_count; i++) {
        struct task *task = sim.tasks[i];
        if (task->done || task->proc->dead)
            continue; /* its stack is given up with it */
        sim.tasks[kept++] = task;
        if (task->wake_us < task->proc->frozen_until_us)
            task->wake_us = task->proc->frozen_until_us;
        if (!next || task->wake_us < next->wake_us)
            next = task;
    }
    sim.task_count = kept;
    return next;
}

static struct event *next_event(void)
{
    struct event *next = NULL;
    for (size_t i = 0; i < sim.event_count; i++)
        if (!next || sooner(&sim.events[i], next))
            next = &sim.events[i];
    return next;
}

static void run_event(struct event *event)
{
    struct event now = *event;
    *event = sim.events[--sim.event_count];
    sim.now_us = now.at_us;
    sim.current = NULL;
    now.run(now.context, now.given);
}

static void run_task(struct task *task)
{
    sim.now_us = task->wake_us > sim.now_us ? task->wake_us : sim.now_us;
    task->waiting = false;
    sim.current = task;
    swapcontext(&sim.context, &task->context);
    sim.current = NULL;
}

void sim_run(int64_t until_us, bool (*done)(void))
{
    while (!done()) {
        struct event *event = next_event();
        struct task *task = next_task();
        bool first = event && (!task || event->at_us <= task->wake_us);
        if ((!event && !task) || (first ? event->at_us : task->wake_us) > until_us) {
            sim.now_us = until_us;
            return;
        }
        if (first)
            run_event(event);
        else
            run_task(task);
    }
}

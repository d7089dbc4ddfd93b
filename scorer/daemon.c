/* The daemon: starts what the roles ask for, watches it, ends it. Runs on the main thread and does no work of its own.
 *
 * Threads: one per score loop, one for the sink, libmicrohttpd's, the model watcher's. Signals are blocked in all of
 * them and taken here: TERM and INT drain (a second one, or the deadline, ends at once with status 1), HUP reads
 * the files of secrets, the certificates' dates and the HTTP service's tokens again and looks the model up. A task that
 * fails for good ends the process with status 1 after the others have drained, to be restarted.
 */
#include "scorer/commands.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/certificates.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/schema_registry.h"
#include "events/schema.h"
#include "kafka/client.h"
#include "kafka/call_watchdog.h"
#include "kafka/credentials.h"
#include "scorer/shutdown_signal.h"
#include "scorer/http/http.h"
#include "scorer/model/challengers.h"
#include "scorer/sink/sink.h"
#include "scorer/stream/score_loop.h"
#include "scorer/watchdog.h"

#define CERTIFICATES_EVERY_US (86400 * INT64_C(1000000))
enum { LOOK_MS = 50, EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* A thread with an end that is looked at. */
struct task {
    const char *name;
    void *subject;
    enum status (*body)(void *subject, struct error *err);
    pthread_t thread;
    bool started, logged;
    enum status status; /* valid once done */
    struct error err;
    _Atomic bool done;
};

struct daemon {
    struct settings settings;
    struct certificates certificates;
    int64_t certificates_due_us; /* steady clock */
    struct schema *schema;
    struct registry_client *registry;
    struct counters *counters;            /* [0] the model's, [1] the sink's, then one per score loop */
    const struct counters **counter_list; /* the same, for readers */
    size_t counter_count;
    struct model_holder *models;
    struct challengers *challengers;
    struct score_loop **loops;
    size_t loop_count;
    struct sink *sink;
    struct http *http;
    struct named_progress *progress; /* as the tasks */
    struct watchdog watchdog;
    struct buffer problem; /* what the watchdog says */
    struct task *tasks;    /* the loops' in their order, then the sink's */
    size_t task_count;
    _Atomic bool draining;
    bool finishing, failed;
    int64_t deadline_us; /* steady clock, once draining */
};

static enum status run_loop(void *subject, struct error *err)
{
    return score_loop_run(subject, err);
}

static enum status run_sink(void *subject, struct error *err)
{
    return sink_run(subject, err);
}

static void *task_body(void *argument)
{
    struct task *task = argument;
    task->status = task->body(task->subject, &task->err);
    task->done = true;
    return NULL;
}

static enum status task_start(struct task *task, struct error *err)
{
    int code = pthread_create(&task->thread, NULL, task_body, task);
    if (code)
        return error_set(err, STATUS_UNAVAILABLE, "cannot start a thread for %s: %s", task->name, strerror(code));
    task->started = true;
    return STATUS_OK;
}

/* --- signals: blocked before the first thread starts, so that all inherit it --- */

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int next_signal(const sigset_t *set)
{
    const struct timespec wait = {.tv_nsec = LOOK_MS * 1000000};
    int number = sigtimedwait(set, NULL, &wait);
    return number > 0 ? number : 0;
}

/* --- starting --- */

static void __attribute__((format(printf, 3, 4)))
add_progress(struct daemon *daemon, const struct loop_progress *progress, const char *format, ...)
{
    struct named_progress *added = &daemon->progress[daemon->watchdog.count++];
    va_list args;
    va_start(args, format);
    vsnprintf(added->name, sizeof added->name, format, args);
    va_end(args);
    added->progress = progress;
}

static enum status make_loops(struct daemon *daemon, struct error *err)
{
    unsigned workers = daemon->settings.role_score ? daemon->settings.workers : 0;
    daemon->loops = mem_zeroed(workers + 1, sizeof *daemon->loops);
    for (unsigned i = 0; i < workers; i++) {
        enum status status =
            score_loop_new(&daemon->settings, daemon->models, &daemon->counters[2 + i], i, &daemon->loops[i], err);
        if (status != STATUS_OK)
            return status;
        daemon->loop_count++;
        add_progress(daemon, score_loop_progress(daemon->loops[i]), "score-%u", i);
        daemon->tasks[daemon->task_count++] =
            (struct task){.name = "score", .subject = daemon->loops[i], .body = run_loop};
    }
    return STATUS_OK;
}

static enum status make_sink(struct daemon *daemon, struct error *err)
{
    if (!daemon->settings.role_sink)
        return STATUS_OK;
    if (sink_new(&daemon->settings, &daemon->counters[1], &daemon->sink, err) != STATUS_OK)
        return err->status;
    sink_use_models(daemon->sink, daemon->models);
    daemon->tasks[daemon->task_count++] = (struct task){.name = "sink", .subject = daemon->sink, .body = run_sink};
    add_progress(daemon, sink_progress(daemon->sink), "sink");
    return STATUS_OK;
}

static enum status make_http(struct daemon *daemon, struct error *err)
{
    const struct http_view view = {
        .settings = &daemon->settings,
        .models = daemon->models,
        .counters = daemon->counter_list,
        .counters_count = daemon->counter_count,
        .loops = daemon->loops,
        .loop_count = daemon->loop_count,
        .certificates = &daemon->certificates,
        .sink = daemon->sink,
        .progress = daemon->progress,
        .progress_count = daemon->watchdog.count,
        .draining = &daemon->draining,
        .started_us = clock_real_us(&clock_system),
    };
    bool listens = daemon->settings.role_http || daemon->settings.probes_only;
    return listens ? http_new(&view, &daemon->http, err) : STATUS_OK;
}

/* Its thread does what must be in order before the score loops begin. */
static enum status make_registry(struct daemon *daemon, struct error *err)
{
    const struct settings *settings = &daemon->settings;
    const struct registry_settings wanted = registry_settings_read(settings->options);
    const struct schema_topics topics = {
        .input = settings->role_score ? settings->input_topic : NULL,
        .output = settings->role_score || settings->role_http ? settings->output_topic : NULL,
        .alerts = settings->role_score ? settings->alert_topic : NULL,
    };
    if (!wanted.urls)
        return STATUS_OK;
    enum status status = schema_registry_start(&wanted, daemon->schema, &topics, &daemon->registry, err);
    daemon->settings.registry = daemon->registry;
    return status;
}

static void make_counters(struct daemon *daemon)
{
    size_t count = 2 + daemon->settings.workers;
    daemon->counters = aligned_alloc(_Alignof(struct counters), count * sizeof *daemon->counters);
    if (!daemon->counters)
        abort();
    memset(daemon->counters, 0, count * sizeof *daemon->counters);
    daemon->counter_list = mem_zeroed(count, sizeof *daemon->counter_list);
    for (size_t i = 0; i < count; i++)
        daemon->counter_list[i] = &daemon->counters[i];
    daemon->counter_count = count;
    daemon->tasks = mem_zeroed(1 + daemon->settings.workers, sizeof *daemon->tasks);
    daemon->progress = mem_zeroed(1 + daemon->settings.workers, sizeof *daemon->progress);
    daemon->watchdog = (struct watchdog){.loops = daemon->progress, .limit_us = daemon->settings.watchdog_us};
}

/* Everything that can be wrong without a server is found before the first thread starts. */
static enum status daemon_start(struct daemon *daemon, struct error *err)
{
    enum status status = STATUS_OK;
    const struct settings *settings = &daemon->settings;
    if (settings->role_score && !settings->state_topic && !settings->state_given)
        log_warn("run", "these schemas have no employee_state.avsc: no current records are kept, and partial events "
                        "become dead letters (STATE_TOPIC=none says that it shall be so)");
    make_counters(daemon);
    if (daemon->settings.role_score || daemon->settings.role_http)
        status = model_holder_new(&daemon->settings, &daemon->counters[0], &daemon->models, err);
    if (status == STATUS_OK && daemon->models)
        status = challengers_new(&daemon->settings, &daemon->challengers, err);
    daemon->settings.challengers = daemon->challengers;
    if (status == STATUS_OK)
        status = make_registry(daemon, err);
    if (status == STATUS_OK)
        status = make_loops(daemon, err);
    if (status == STATUS_OK)
        status = make_sink(daemon, err);
    if (status == STATUS_OK)
        status = make_http(daemon, err);
    for (size_t i = 0; i < daemon->task_count && status == STATUS_OK; i++)
        status = task_start(&daemon->tasks[i], err);
    return status;
}

/* --- watching --- */

static void drain(struct daemon *daemon)
{
    if (daemon->draining)
        return;
    daemon->draining = true;
    daemon->deadline_us = clock_steady_us(&clock_system) + daemon->settings.drain_deadline_us;
    for (size_t i = 0; i < daemon->loop_count; i++)
        score_loop_stop(daemon->loops[i]);
    if (daemon->sink)
        sink_stop(daemon->sink);
}

static _Noreturn void end_now(const char *reason)
{
    log_error("run", "%s: ending at once; what was open will be received again", reason);
    _exit(EXIT_FAILED);
}

static void look_at_certificates(struct daemon *daemon)
{
    if (clock_steady_us(&clock_system) < daemon->certificates_due_us)
        return;
    daemon->certificates_due_us = clock_steady_us(&clock_system) + CERTIFICATES_EVERY_US;
    certificates_read(daemon->settings.options, &daemon->certificates);
    certificates_log(&daemon->certificates);
}

static void handle_signal(struct daemon *daemon, int number)
{
    if (number == SIGHUP) {
        options_reread_secrets(daemon->settings.options);
        kafka_renew_credentials(daemon->settings.options);
        if (daemon->models)
            model_holder_refresh(daemon->models);
        challengers_refresh(daemon->challengers);
        http_reload(daemon->http);
        daemon->certificates_due_us = 0;
    } else if (number) {
        if (daemon->draining)
            end_now("second signal");
        log_info("run", "%s: finishing what is open (deadline %lld s)", number == SIGTERM ? "TERM" : "INT",
                 (long long)(daemon->settings.drain_deadline_us / 1000000));
        drain(daemon);
    }
}

static bool all_done(const struct daemon *daemon, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (daemon->tasks[i].started && !daemon->tasks[i].done)
            return false;
    return true;
}

/* A failure is logged once and drains the rest. */
static void look_at_tasks(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->task_count; i++) {
        struct task *task = &daemon->tasks[i];
        if (!task->done || task->logged || task->status == STATUS_OK)
            continue;
        task->logged = true;
        daemon->failed = true;
        log_error("run", "%s", task->err.text);
        drain(daemon);
    }
    if (daemon->settings.exit_at_end && !daemon->finishing && !daemon->draining && daemon->sink &&
        all_done(daemon, daemon->loop_count)) {
        daemon->finishing = true;
        sink_finish(daemon->sink);
    }
}

/* A change of the brokers' state is logged from here too: the loops' own clients are not polled within a commit. */
static void look_at_progress(struct daemon *daemon)
{
    kafka_look();
    if (call_watchdog_longest_us(clock_steady_us(&clock_system)) > CALL_WATCHDOG_END_US)
        end_now("a call to Kafka does not return although brokers answer");
    if (watchdog_slow(&daemon->watchdog, kafka_up(), clock_steady_us(&clock_system), &daemon->problem))
        log_warn("run", "%s", daemon->problem.data);
    if (!watchdog_look(&daemon->watchdog, kafka_up(), clock_steady_us(&clock_system), &daemon->problem))
        return;
    log_error("run", "watchdog: no turn for longer than %lld s: %s",
              (long long)(daemon->settings.watchdog_us / 1000000), daemon->problem.data);
    end_now("watchdog");
}

/* Returns when every task has ended. */
static void daemon_watch(struct daemon *daemon, const sigset_t *signals)
{
    bool idle = daemon->task_count == 0 && !daemon->settings.exit_at_end; /* http alone: until stopped */
    while (idle ? !daemon->draining : !all_done(daemon, daemon->task_count)) {
        handle_signal(daemon, next_signal(signals));
        look_at_tasks(daemon);
        look_at_progress(daemon);
        look_at_certificates(daemon);
        if (daemon->draining && clock_steady_us(&clock_system) > daemon->deadline_us &&
            !all_done(daemon, daemon->task_count))
            end_now("not drained within DRAIN_DEADLINE");
    }
    look_at_tasks(daemon);
}

/* --- ending --- */

static unsigned long long total(const struct daemon *daemon, enum counter_id id)
{
    unsigned long long sum = 0;
    for (size_t i = 0; i < daemon->counter_count; i++)
        sum += counter_get(&daemon->counters[i], id);
    return sum;
}

static void log_totals(const struct daemon *daemon)
{
    if (daemon->loop_count)
        log_info(
            "run",
            "events: %llu received, %llu scored, %llu dead letters, %llu erased, %llu outcomes, %llu ignored, %llu "
            "returned",
            total(daemon, COUNTER_EVENTS_RECEIVED), total(daemon, COUNTER_EVENTS_SCORED),
            total(daemon, COUNTER_EVENTS_DEAD_LETTERED), total(daemon, COUNTER_EVENTS_ERASED),
            total(daemon, COUNTER_EVENTS_OUTCOME), total(daemon, COUNTER_EVENTS_IGNORED),
            total(daemon, COUNTER_EVENTS_RETURNED));
    if (daemon->sink)
        log_info("run",
                 "sink: %llu records, %llu predictions, %llu dead letters, %llu erasures, %llu outcomes, %llu alerts, "
                 "%llu refused",
                 total(daemon, COUNTER_SINK_RECORDS), total(daemon, COUNTER_SINK_PREDICTIONS),
                 total(daemon, COUNTER_SINK_DEAD_LETTERS), total(daemon, COUNTER_SINK_ERASURES),
                 total(daemon, COUNTER_SINK_OUTCOMES), total(daemon, COUNTER_SINK_ALERTS),
                 total(daemon, COUNTER_SINK_REFUSED));
}

/* What is freed at the end may wait for a server (a download, a client's socket): not beyond the deadline. */
static void *guard_end(void *seconds)
{
    const struct timespec wait = {.tv_sec = (intptr_t)seconds};
    nanosleep(&wait, NULL);
    end_now("not ended within DRAIN_DEADLINE");
}

static void start_guard(const struct daemon *daemon)
{
    pthread_t thread;
    int64_t now_us = clock_steady_us(&clock_system);
    int64_t end_us = daemon->draining ? daemon->deadline_us : now_us + daemon->settings.drain_deadline_us;
    int64_t left_us = end_us > now_us ? end_us - now_us : 0;
    if (pthread_create(&thread, NULL, guard_end, (void *)(intptr_t)(left_us / 1000000 + 1)) == 0)
        pthread_detach(thread);
    else
        log_warn("run", "cannot start a thread: the end is not bounded in time");
}

static void finish(struct daemon *daemon)
{
    start_guard(daemon);
    for (size_t i = 0; i < daemon->task_count; i++)
        if (daemon->tasks[i].started)
            pthread_join(daemon->tasks[i].thread, NULL);
    http_free(daemon->http);
    for (size_t i = 0; i < daemon->loop_count; i++)
        score_loop_free(daemon->loops[i]);
    sink_free(daemon->sink);
    challengers_free(daemon->challengers);
    model_holder_free(daemon->models);
    registry_client_free(daemon->registry);
    free(daemon->loops);
    free(daemon->tasks);
    free(daemon->progress);
    buffer_free(&daemon->problem);
    free(daemon->counter_list);
    free(daemon->counters);
}

static int run_daemon(struct daemon *daemon)
{
    sigset_t signals;
    struct error err;
    block_signals(&signals);
    certificates_read(daemon->settings.options, &daemon->certificates); /* which are in the log already */
    daemon->certificates_due_us = clock_steady_us(&clock_system) + CERTIFICATES_EVERY_US;
    enum status status = daemon_start(daemon, &err);
    if (status != STATUS_OK && shutdown_signal_is_pending()) { /* it gave up for that */
        log_info("run", "asked to end before it had started: %s", err.text);
        drain(daemon);
    } else if (status != STATUS_OK) {
        log_error("run", "%s", err.text);
        daemon->failed = true;
        drain(daemon);
    } else if (daemon->settings.role_score && !daemon->settings.exactly_once) {
        log_info("run", "delivery is at-least-once: after a crash the outputs may hold repeats of a source offset");
    }
    daemon_watch(daemon, &signals);
    if (status == STATUS_OK && (!daemon->failed || total(daemon, COUNTER_EVENTS_RECEIVED)))
        log_totals(daemon);
    finish(daemon);
    return daemon->failed ? EXIT_FAILED : EXIT_DONE;
}

int cmd_run(const struct options *options)
{
    struct daemon daemon = {0};
    struct error err;
    if (options_argument_count(options)) {
        log_error("run", "run takes no arguments, but was given \"%s\"", options_argument(options, 0));
        return EXIT_USAGE;
    }
    enum status status = schema_load(options_text(options, OPTION_SCHEMAS_DIR), &daemon.schema, &err);
    if (status != STATUS_OK) {
        log_error("run", "%s", err.text);
        return EXIT_FAILED;
    }
    int code = EXIT_FAILED;
    status = settings_resolve(options, daemon.schema, &daemon.settings, &err);
    if (status == STATUS_OK) {
        code = run_daemon(&daemon);
        settings_release(&daemon.settings);
    } else {
        log_error("run", "%s", err.text);
        code = status == STATUS_INVALID ? EXIT_USAGE : EXIT_FAILED;
    }
    schema_free(daemon.schema);
    return code;
}

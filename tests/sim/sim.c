/* Runs seeds, each in a process of its own, and says which broke what.
 *
 * - sim: SIM_SECONDS (default 15) or SIM_SEEDS of them, from SIM_FIRST on (default 1), SIM_JOBS at once (default 2);
 *   SIM_STOP=1 stops at the first violation, SIM_SHOWN says how many are shown, SIM_DELIVERY what the scorers promise.
 * - sim SEED: that one, with its whole trace on standard error.
 * - sim --twice SEED…: each twice; the trace's hash must be the same.
 *
 * Ends with status 1 when a seed broke something; prints what. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/options.h"
#include "tests/sim/run_result.h"
#include "tests/sim/world.h"

enum { JOBS_MOST = 64, HANGS_S = 60, SHOWN_MOST = 10, KINDS_MOST = 32, MAPPED_BYTES = 64 * 1024 };

static struct world world;
static int result_pipe = -1;

struct job {
    pid_t process;
    int pipe;
    uint64_t seed;
};

struct total {
    uint64_t seeds, violations, first_seed, hash;
    int64_t virtual_us, events, kills;
    double first_s;
    struct {
        char kind[32];
        uint64_t count, seed;
        double seconds;
    } kinds[KINDS_MOST];
    int kind_count;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- the run's process --- */

void run_end(struct run_result *result)
{
    extern uint64_t trace_hash(void);
    result->hash = trace_hash();
    if (write(result_pipe, result, sizeof *result) != (ssize_t)sizeof *result)
        _exit(3);
    _exit(0);
}

/* Of the run's own: where its scorers keep files. */
static void directory_of(pid_t process, char out[static 64])
{
    snprintf(out, 64, "%s/attrition-sim.%d", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (int)process);
}

static void remove_directory(pid_t process)
{
    char directory[64];
    directory_of(process, directory);
    DIR *files = opendir(directory);
    for (struct dirent *file; files && (file = readdir(files));)
        if (*file->d_name != '.')
            unlinkat(dirfd(files), file->d_name, 0);
    if (files)
        closedir(files);
    rmdir(directory);
}

static void enter_directory(void)
{
    char directory[64];
    directory_of(getpid(), directory);
    remove_directory(getpid()); /* of a run that was ended, with a process of the same number */
    if (mkdir(directory, 0700) || chdir(directory)) {
        perror(directory);
        _exit(2);
    }
}

static struct job start(uint64_t seed, bool verbose)
{
    int ends[2];
    if (pipe(ends)) {
        perror("pipe");
        exit(2);
    }
    pid_t process = fork();
    if (process < 0) {
        perror("fork");
        exit(2);
    }
    if (!process) {
        close(ends[0]);
        result_pipe = ends[1];
        alarm(HANGS_S);
        enter_directory();
        world_run(&world, seed, verbose);
    }
    close(ends[1]);
    return (struct job){process, ends[0], seed};
}

static void finish(const struct job *job, struct run_result *out)
{
    int status = 0;
    ssize_t got = read(job->pipe, out, sizeof *out);
    close(job->pipe);
    while (waitpid(job->process, &status, 0) < 0 && errno == EINTR)
        ;
    remove_directory(job->process);
    if (got == (ssize_t)sizeof *out)
        return;
    *out = (struct run_result){.violated = true};
    snprintf(out->kind, sizeof out->kind, "%s",
             WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "hangs" : "crashes");
    snprintf(out->text, sizeof out->text, "the program ended by signal %d, status %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

/* --- all of them --- */

static long setting(const char *name, long otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 10) : otherwise;
}

static void count_kind(struct total *total, const struct run_result *result, uint64_t seed, double seconds)
{
    int k = 0;
    while (k < total->kind_count && strcmp(total->kinds[k].kind, result->kind))
        k++;
    if (k == KINDS_MOST)
        return;
    if (k == total->kind_count) {
        total->kind_count++;
        total->kinds[k].seed = seed;
        total->kinds[k].seconds = seconds;
        snprintf(total->kinds[k].kind, sizeof total->kinds[k].kind, "%s", result->kind);
    }
    total->kinds[k].count++;
}

static void take(struct total *total, const struct job *job, double begun_s)
{
    struct run_result result;
    finish(job, &result);
    total->seeds++;
    total->hash += result.hash * (job->seed | 1);
    total->virtual_us += result.virtual_us;
    total->events += result.events;
    total->kills += result.kills;
    if (!result.violated)
        return;
    if (!total->violations++) {
        total->first_seed = job->seed;
        total->first_s = now_s() - begun_s;
    }
    count_kind(total, &result, job->seed, now_s() - begun_s);
    if ((long)total->violations <= setting("SIM_SHOWN", SHOWN_MOST))
        printf("seed %llu: %s: %s\n", (unsigned long long)job->seed, result.kind, result.text);
}

static void print_result(const struct total *total, double seconds)
{
    for (int k = 0; k < total->kind_count; k++)
        printf("%s: %llu seeds, first %llu after %.1f s\n", total->kinds[k].kind,
               (unsigned long long)total->kinds[k].count, (unsigned long long)total->kinds[k].seed,
               total->kinds[k].seconds);
    printf("%llu seeds in %.1f s (%.0f a second): %lld events, %lld kills, %.0f s of virtual time, hash %016llx\n",
           (unsigned long long)total->seeds, seconds, (double)total->seeds / seconds, (long long)total->events,
           (long long)total->kills, (double)total->virtual_us / 1e6, (unsigned long long)total->hash);
}

static int run_twice(int count, char **seeds)
{
    int different = 0;
    for (int i = 0; i < count; i++) {
        struct run_result results[2];
        uint64_t seed = strtoull(seeds[i], NULL, 10);
        for (int n = 0; n < 2; n++) {
            struct job job = start(seed, false);
            finish(&job, &results[n]);
        }
        bool same = results[0].hash == results[1].hash;
        printf("%s - seed %llu: %016llx and %016llx\n", same ? "ok" : "not ok", (unsigned long long)seed,
               (unsigned long long)results[0].hash, (unsigned long long)results[1].hash);
        different += !same;
    }
    return different > 0;
}

static int run_many(void)
{
    long seeds = setting("SIM_SEEDS", 0), first = setting("SIM_FIRST", 1), jobs = setting("SIM_JOBS", 2);
    double begun_s = now_s(), limit_s = seeds ? 1e9 : (double)setting("SIM_SECONDS", 15);
    bool stop_early = setting("SIM_STOP", 0);
    struct job running[JOBS_MOST];
    struct total total = {0};
    long next = first, at = 0, count = 0;
    jobs = jobs < 1 ? 1 : jobs > JOBS_MOST ? JOBS_MOST : jobs;
    while (count || ((!seeds || next < first + seeds) && now_s() - begun_s < limit_s)) {
        bool more =
            (!seeds || next < first + seeds) && now_s() - begun_s < limit_s && !(stop_early && total.violations);
        if (more && count < jobs) {
            running[(at + count++) % jobs] = start((uint64_t)next++, false);
            continue;
        }
        if (!count)
            break;
        take(&total, &running[at % jobs], begun_s);
        at++;
        count--;
    }
    print_result(&total, now_s() - begun_s);
    printf("%s - %llu seeds, %llu with a violation\n", total.violations ? "not ok" : "ok",
           (unsigned long long)total.seeds, (unsigned long long)total.violations);
    char *one[] = {(char[24]){0}};
    snprintf(one[0], 24, "%ld", first);
    return total.violations > 0 || (!stop_early && run_twice(1, one));
}

static int run_one(uint64_t seed)
{
    struct run_result result;
    struct job job = start(seed, true);
    finish(&job, &result);
    printf("seed %llu: %s%s%s, hash %016llx, %.1f s\n", (unsigned long long)seed, result.violated ? result.kind : "ok",
           result.violated ? ": " : "", result.text, (unsigned long long)result.hash, (double)result.virtual_us / 1e6);
    return result.violated;
}

static int no_run(const struct options *options)
{
    (void)options;
    return 0;
}

static void resolve(const char *reset, struct settings *out)
{
    static const struct subcommand subcommands[] = {{"run", "", "", .run = no_run}, {0}};
    const char *delivery = getenv("SIM_DELIVERY");
    const char *argv[] = {"scorer",     "run", "--instance-id", "i",          "--database-url",
                          "dbname=sim", "-X",  reset,           "--delivery", delivery ? delivery : "exactly-once",
                          NULL};
    char *none[] = {NULL};
    struct options *options;
    struct error err;
    bool exit_now;
    if (options_parse(PROGRAM_SCORER, subcommands, 10, (char **)argv, none, &options, &exit_now, &err) ||
        settings_resolve(options, world.schema, out, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct error err;
    if (schema_load("schemas", &world.schema, &err)) {
        fprintf(stderr, "%s (run in the project's root)\n", err.text);
        return 2;
    }
    resolve("auto.offset.reset=earliest", &world.earliest);
    resolve("auto.offset.reset=latest", &world.latest);
    setvbuf(stdout, NULL, _IOLBF, 0);
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES); /* large blocks come as zeros from the system, and stay untouched */
    if (argc > 2 && !strcmp(argv[1], "--twice"))
        return run_twice(argc - 2, argv + 2);
    return argc > 1 ? run_one(strtoull(argv[1], NULL, 10)) : run_many();
}

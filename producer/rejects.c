/* Reporting and keeping rows that are not sent: see rejects.h. Called by backfill, on one thread.
 * Must never lose a reject silently: where the file cannot be written, the run stops and fails. */
#include "producer/rejects.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

struct rejects {
    const struct input *input;
    FILE *report;
    struct progress *progress;
    struct reject_totals *totals;
    struct rejects_taken *taken;
    struct buffer path, line;
    const char *fallback; /* base name for the working directory; NULL: the path was given */
    FILE *rows, *reasons;
    uint64_t count;
    uint64_t lines[EVENT_CODE_COUNT]; /* reported, the cut ones included */
    bool opened, failed;
    struct error error; /* the first failure of writing */
};

static bool taken_has(const struct rejects_taken *taken, const struct stat *found)
{
    for (size_t i = 0; i < taken->count; i++)
        if (taken->items[i].device == found->st_dev && taken->items[i].number == found->st_ino)
            return true;
    return false;
}

static void taken_add(struct rejects_taken *taken, const struct stat *found)
{
    taken->items = mem_resize(taken->items, taken->count + 1, sizeof *taken->items);
    taken->items[taken->count++] = (struct rejects_file){found->st_dev, found->st_ino};
}

void rejects_taken_add(struct rejects_taken *taken, const char *path)
{
    struct stat found;
    if (stat(path, &found) == 0 && S_ISREG(found.st_mode))
        taken_add(taken, &found);
}

bool rejects_taken_has(const struct rejects_taken *taken, const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && taken_has(taken, &found);
}

void rejects_taken_free(struct rejects_taken *taken)
{
    free(taken->items);
    *taken = (struct rejects_taken){0};
}

void rejects_path(const char *input_name, const char *given, struct buffer *out)
{
    buffer_clear(out);
    buffer_printf(out, "%s%s", given ? given : input_name, given ? "" : ".rejects");
}

struct rejects *rejects_new(const struct input *input, const char *path, FILE *report, struct progress *progress,
                            struct reject_totals *totals, struct rejects_taken *taken)
{
    struct rejects *rejects = mem_zeroed(1, sizeof *rejects);
    const char *name = input_name(input), *slash = strrchr(name, '/');
    rejects->input = input;
    rejects->report = report;
    rejects->progress = progress;
    rejects->totals = totals;
    rejects->taken = taken;
    if (!path)
        rejects->fallback = slash ? slash + 1 : name;
    rejects_path(name, path, &rejects->path);
    return rejects;
}

static void rejects_fail(struct rejects *rejects, const char *action)
{
    if (!rejects->failed) {
        enum status status = file_error(&rejects->error, errno, action, rejects->path.data);
        char text[sizeof rejects->error.text];
        memcpy(text, rejects->error.text, sizeof text);
        error_set(&rejects->error, status,
                  "%s: stopped, as rejects would not all be kept; make space or name another file with "
                  "--rejects-file (the run that goes on writes all rejects again)",
                  text);
    }
    rejects->failed = true;
}

static void refuse_file(struct rejects *rejects, const char *path, const char *why)
{
    error_set(&rejects->error, STATUS_CONFLICT, "%s %s", path, why);
    rejects->failed = true;
}

static bool is_own_output(const char *path)
{
    static const char *const paths[] = {"/dev/stdout", "/dev/stderr", "/dev/null", "/dev/tty"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp(path, paths[i]) == 0)
            return true;
    return strncmp(path, "/dev/fd/", strlen("/dev/fd/")) == 0;
}

/* For its owner alone: rows are people's data. A symbolic link is not followed, as somebody else may have put it there,
 * but for /dev/stdout and its like, which are links too. A FIFO that nobody reads is an error, and no wait. */
static int open_private(const char *path)
{
    if (is_own_output(path))
        return open(path, O_WRONLY | O_CLOEXEC);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600), flags;
    if (file >= 0 && ((flags = fcntl(file, F_GETFL)) < 0 || fcntl(file, F_SETFL, flags & ~O_NONBLOCK) != 0)) {
        close(file);
        return -1;
    }
    return file;
}

/* Why rejects may not go to a regular file, or NULL. */
static const char *file_flaw(const struct rejects *rejects, const struct stat *found, bool own_output)
{
    if (taken_has(rejects->taken, found))
        return "is an input of this run or has another input's rejects: name another with --rejects-file, or feed "
               "the files one by one";
    if (!own_output && (found->st_uid != geteuid() || found->st_nlink != 1))
        return "belongs to another user or has several names (hard links), and rejects are for their owner alone: "
               "remove it, or name another with --rejects-file";
    return NULL;
}

/* The file, empty; NULL with errno set, or with the failure noted where the file is somebody else's. */
static FILE *open_empty(struct rejects *rejects, const char *path)
{
    struct stat found;
    int file = open_private(path);
    if (file < 0 && errno == ELOOP)
        refuse_file(rejects, path,
                    "is a symbolic link, and rejects do not follow one: name the file itself with --rejects-file");
    if (file < 0 || fstat(file, &found) != 0)
        return NULL;
    bool regular = S_ISREG(found.st_mode);
    const char *flaw = regular ? file_flaw(rejects, &found, is_own_output(path)) : NULL;
    if (flaw)
        refuse_file(rejects, path, flaw);
    if (flaw || (regular && (fchmod(file, 0600) != 0 || ftruncate(file, 0) != 0))) {
        close(file);
        return NULL;
    }
    if (regular)
        taken_add(rejects->taken, &found);
    return fdopen(file, "w");
}

static FILE *open_rows(struct rejects *rejects)
{
    FILE *file = open_empty(rejects, rejects->path.data);
    if (file || !rejects->fallback || rejects->failed || errno == EINTR)
        return file;
    log_warn("backfill", "cannot write %s (%s): rejects go to ./%s.rejects", rejects->path.data, strerror(errno),
             rejects->fallback);
    buffer_clear(&rejects->path);
    buffer_printf(&rejects->path, "./%s.rejects", rejects->fallback);
    return open_empty(rejects, rejects->path.data);
}

static void write_line(struct rejects *rejects, FILE *file, struct span line)
{
    if (file && (fwrite(line.data, 1, line.bytes, file) != line.bytes || putc('\n', file) == EOF))
        rejects_fail(rejects, "write");
}

static void open_files(struct rejects *rejects)
{
    rejects->opened = true;
    rejects->rows = open_rows(rejects);
    if (!rejects->rows) {
        rejects_fail(rejects, "write");
        return;
    }
    struct buffer reasons = {0};
    buffer_printf(&reasons, "%s.txt", rejects->path.data);
    rejects->reasons = open_empty(rejects, reasons.data);
    if (!rejects->reasons)
        rejects_fail(rejects, "write the reasons of");
    buffer_free(&reasons);
    struct span header = input_header(rejects->input);
    if (header.data)
        write_line(rejects, rejects->rows, header);
}

static void report_fault(struct rejects *rejects, const struct input_row *row, const struct fault *fault)
{
    buffer_clear(&rejects->line);
    input_fault_describe(rejects->input, row, fault, &rejects->line);
    struct span line = buffer_span(&rejects->line);
    write_line(rejects, rejects->reasons, line);
    if (rejects->lines[fault->code]++ >= REJECTS_SHOWN)
        return;
    if (rejects->progress)
        progress_hide(rejects->progress);
    fprintf(rejects->report, "%.*s\n", (int)line.bytes, line.data);
}

bool rejects_add(struct rejects *rejects, const struct input_row *row)
{
    if (!rejects->opened)
        open_files(rejects);
    write_line(rejects, rejects->rows, row->raw);
    for (size_t f = 0; f < row->fault_count && !rejects->failed; f++)
        report_fault(rejects, row, &row->faults[f]);
    if (rejects->failed)
        return false;
    rejects->totals->rows++;
    rejects->totals->by_code[row->faults[0].code]++;
    rejects->count++;
    return true;
}

static void report_rest(const struct rejects *rejects, bool whole)
{
    for (enum event_code c = 1; c < EVENT_CODE_COUNT; c++)
        if (rejects->lines[c] > REJECTS_SHOWN)
            fprintf(rejects->report, "%s: %s: and %llu more: %s.txt has them all\n", input_name(rejects->input),
                    event_code_name(c), (unsigned long long)(rejects->lines[c] - REJECTS_SHOWN), rejects->path.data);
    if (rejects->count)
        fprintf(rejects->report, "%s: %llu rows were rejected: they are in %s, the reasons in %s.txt; %s\n",
                input_name(rejects->input), (unsigned long long)rejects->count, rejects->path.data, rejects->path.data,
                whole ? "fix them and feed the file again" : "a run that goes on writes them again");
}

enum status rejects_close(struct rejects *rejects, bool whole, struct error *err)
{
    if (rejects->rows && fclose(rejects->rows) != 0)
        rejects_fail(rejects, "write");
    if (rejects->reasons && fclose(rejects->reasons) != 0)
        rejects_fail(rejects, "write the reasons of");
    if (rejects->progress && rejects->count)
        progress_hide(rejects->progress);
    if (!rejects->failed)
        report_rest(rejects, whole);
    enum status status = rejects->failed ? error_set(err, rejects->error.status, "%s", rejects->error.text) : STATUS_OK;
    buffer_free(&rejects->path);
    buffer_free(&rejects->line);
    free(rejects);
    return status;
}

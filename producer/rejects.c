/* Reporting and keeping rows that are not sent: see rejects.h. Called by backfill, on one thread.
 * Must never lose a reject silently: if the file cannot be written, the report says so and the run fails. */
#include "producer/rejects.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

struct rejects {
    const struct input *input;
    FILE *report;
    struct progress *progress;
    struct reject_totals *totals;
    struct buffer path, line;
    const char *fallback; /* base name for the working directory; NULL: the path was given */
    FILE *rows, *reasons;
    uint64_t count;
    uint64_t lines[EVENT_CODE_COUNT]; /* reported, the cut ones included */
    bool opened, failed;
    struct error error; /* the first failure of writing */
};

struct rejects *rejects_new(const struct input *input, const char *input_path, const char *path, FILE *report,
                            struct progress *progress, struct reject_totals *totals)
{
    struct rejects *rejects = mem_zeroed(1, sizeof *rejects);
    bool is_stdin = strcmp(input_path, "-") == 0;
    const char *slash = strrchr(input_path, '/');
    rejects->input = input;
    rejects->report = report;
    rejects->progress = progress;
    rejects->totals = totals;
    if (!path)
        rejects->fallback = is_stdin ? "stdin" : slash ? slash + 1 : input_path;
    buffer_printf(&rejects->path, "%s%s", path ? path : is_stdin ? "stdin" : input_path, path ? "" : ".rejects");
    buffer_add_u8(&rejects->path, '\0');
    return rejects;
}

static void fail(struct rejects *rejects, const char *action)
{
    if (!rejects->failed)
        file_error(&rejects->error, errno, action, rejects->path.data);
    rejects->failed = true;
}

static FILE *open_rows(struct rejects *rejects)
{
    FILE *file = fopen(rejects->path.data, "we");
    if (file || !rejects->fallback)
        return file;
    log_warn("backfill", "cannot write %s (%s): rejects go to ./%s.rejects", rejects->path.data, strerror(errno),
             rejects->fallback);
    buffer_clear(&rejects->path);
    buffer_printf(&rejects->path, "./%s.rejects", rejects->fallback);
    buffer_add_u8(&rejects->path, '\0');
    return fopen(rejects->path.data, "we");
}

static void write_line(struct rejects *rejects, FILE *file, struct span line)
{
    if (file && (fwrite(line.data, 1, line.bytes, file) != line.bytes || putc('\n', file) == EOF))
        fail(rejects, "write");
}

static void open_files(struct rejects *rejects)
{
    rejects->opened = true;
    rejects->rows = open_rows(rejects);
    if (!rejects->rows) {
        fail(rejects, "write");
        return;
    }
    struct buffer reasons = {0};
    buffer_printf(&reasons, "%s.txt", rejects->path.data);
    buffer_add_u8(&reasons, '\0');
    rejects->reasons = fopen(reasons.data, "we");
    if (!rejects->reasons)
        fail(rejects, "write the reasons beside");
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

void rejects_add(struct rejects *rejects, const struct input_row *row)
{
    rejects->totals->rows++;
    rejects->totals->by_code[row->faults[0].code]++;
    rejects->count++;
    if (!rejects->opened)
        open_files(rejects);
    write_line(rejects, rejects->rows, row->raw);
    for (size_t f = 0; f < row->fault_count; f++)
        report_fault(rejects, row, &row->faults[f]);
}

static void report_rest(const struct rejects *rejects)
{
    for (enum event_code c = 1; c < EVENT_CODE_COUNT; c++)
        if (rejects->lines[c] > REJECTS_SHOWN)
            fprintf(rejects->report, "%s: %s: and %llu more: %s.txt has them all\n", input_name(rejects->input),
                    event_code_name(c), (unsigned long long)(rejects->lines[c] - REJECTS_SHOWN), rejects->path.data);
    if (rejects->count)
        fprintf(rejects->report,
                "%s: %llu rows were rejected: %s holds them, %s.txt says why; mend them and feed the file again\n",
                input_name(rejects->input), (unsigned long long)rejects->count, rejects->path.data, rejects->path.data);
}

enum status rejects_close(struct rejects *rejects, struct error *err)
{
    if (rejects->rows && fclose(rejects->rows) != 0)
        fail(rejects, "write");
    if (rejects->reasons && fclose(rejects->reasons) != 0)
        fail(rejects, "write the reasons beside");
    if (rejects->progress && rejects->count)
        progress_hide(rejects->progress);
    if (!rejects->failed)
        report_rest(rejects);
    enum status status = rejects->failed ? error_set(err, rejects->error.status, "%s", rejects->error.text) : STATUS_OK;
    buffer_free(&rejects->path);
    buffer_free(&rejects->line);
    free(rejects);
    return status;
}

/* `producer backfill FILE…`: rows of files become events; what would be refused later is refused here, with line and
 * column. Runs on the main thread from start to end; waits only for the broker. Must never let a row end as anything
 * but sent, rejected or, after a stop, not read. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/schema.h"
#include "producer/commands.h"
#include "producer/delivery.h"
#include "producer/event_type.h"
#include "producer/input.h"
#include "producer/input_options.h"
#include "producer/registration.h"
#include "producer/stop.h"

enum { TAG_LINE_BITS = 44 };

static const char where[] = "backfill";

struct backfill {
    const struct options *options;
    struct input_settings settings;
    struct delivery delivery;
    struct input_row row; /* large: kept out of the stack */
    struct rejects_taken taken;
    size_t file_index;
    bool failed; /* a file was refused, could not be read to its end, or its rejects could not be written */
    bool over;   /* nothing more can be sent */
};

static void backfill_name_tag(void *context, uintptr_t tag, char *out, size_t capacity)
{
    const struct backfill *backfill = context;
    snprintf(out, capacity, "%s:%llu",
             backfill->settings.query ? INPUT_QUERY
                                      : options_argument(backfill->options, (size_t)(tag >> TAG_LINE_BITS)),
             (unsigned long long)(tag & (((uintptr_t)1 << TAG_LINE_BITS) - 1)));
}

/* A rejects file, or its file of reasons, must not overwrite an input: reported before anything is sent. */
static enum status check_paths(const struct options *options, struct rejects_taken *taken, struct error *err)
{
    size_t count = options_argument_count(options);
    struct buffer path = {0};
    bool clash = false;
    for (size_t i = 0; i < count; i++)
        rejects_taken_add(taken, options_argument(options, i));
    for (size_t i = 0; i < count && !clash; i++) {
        const char *input = options_argument(options, i);
        rejects_path(strcmp(input, "-") ? input : "stdin", options_text(options, OPTION_REJECTS_FILE), &path);
        clash = rejects_taken_has(taken, path.data);
        if (!clash) {
            buffer_printf(&path, ".txt");
            clash = rejects_taken_has(taken, path.data);
        }
    }
    enum status status = STATUS_OK;
    if (clash)
        status = error_set(err, STATUS_INVALID,
                           "rejects would overwrite the input %s: name another file with --rejects-file, or feed that "
                           "input by itself",
                           path.data);
    buffer_free(&path);
    return status;
}

static enum status backfill_check_usage(const struct options *options, const struct schema *schema,
                                        struct input_settings *settings, struct rejects_taken *taken, struct error *err)
{
    size_t count = options_argument_count(options);
    bool query = options_text(options, OPTION_FROM_QUERY) != NULL;
    if (!count && !query)
        return error_set(err, STATUS_INVALID,
                         "backfill needs at least one FILE (- is standard input), or --from-query");
    if (count && query)
        return error_set(err, STATUS_INVALID, "give files or --from-query, not both");
    if (count > 1 && options_text(options, OPTION_REJECTS_FILE))
        return error_set(err, STATUS_INVALID, "--rejects-file takes one input file: %zu were given", count);
    if (input_options_read(options, settings, err) != STATUS_OK)
        return err->status;
    const char *map = options_text(options, OPTION_INPUT_MAP);
    if (map && *map && input_map_load(map, schema, &settings->map, err) != STATUS_OK)
        return error_prefix(err, "--map");
    if (event_type_resolve(options, schema, &settings->event_type, err) != STATUS_OK)
        return err->status;
    return check_paths(options, taken, err);
}

/* A file that cannot be read is reported before anything is sent or waited for. */
static enum status check_readable(const struct options *options, struct error *err)
{
    for (size_t i = 0; i < options_argument_count(options); i++) {
        const char *path = options_argument(options, i);
        if (strcmp(path, "-") && access(path, R_OK) != 0)
            return file_error(err, errno, "read", path);
    }
    return STATUS_OK;
}

static void send_row(struct backfill *backfill, struct rejects *rejects)
{
    struct input_row *row = &backfill->row;
    struct error err;
    if (row->fault_count) {
        rejects_add(rejects, row);
        delivery_turn(&backfill->delivery);
        return;
    }
    uintptr_t tag = (uintptr_t)backfill->file_index << TAG_LINE_BITS | row->line;
    if (delivery_send(&backfill->delivery, &row->event, tag, &err) != STATUS_OK) {
        progress_hide(&backfill->delivery.progress);
        log_error(where, "%s", err.text);
        backfill->over = true;
    }
}

static void backfill_fail(struct backfill *backfill, const struct error *err)
{
    progress_hide(&backfill->delivery.progress);
    log_error(where, "%s", err->text);
    backfill->failed = true;
}

static void send_file(struct backfill *backfill, const char *path)
{
    struct input *input = NULL;
    struct error err;
    bool more = true;
    if (input_open(path, &backfill->settings, &input, &err) != STATUS_OK) {
        if (!stop_requested) /* a signal ends a read, too */
            backfill_fail(backfill, &err);
        return;
    }
    struct delivery *delivery = &backfill->delivery;
    struct rejects *rejects = rejects_new(input, options_text(backfill->options, OPTION_REJECTS_FILE), stderr,
                                          &delivery->progress, &delivery->rejected, &backfill->taken);
    while (more && !backfill->over && !stop_requested) {
        if (input_next(input, &backfill->row, &more, &err) != STATUS_OK) {
            if (!stop_requested)
                backfill_fail(backfill, &err);
            break;
        }
        if (more)
            send_row(backfill, rejects);
    }
    if (rejects_close(rejects, &err) != STATUS_OK)
        backfill_fail(backfill, &err);
    input_free(input);
}

/* Lines of all files together; 0 where one of them is a pipe. */
static uint64_t count_rows(const struct options *options)
{
    uint64_t total = 0;
    for (size_t i = 0; i < options_argument_count(options); i++) {
        uint64_t lines = input_count_lines(options_argument(options, i));
        if (!lines)
            return 0;
        total += lines;
    }
    return total;
}

static int exit_status(const struct backfill *backfill, bool all_accounted)
{
    int64_t most = options_integer(backfill->options, OPTION_MAX_REJECTS);
    if (stop_requested)
        log_error(where, "stopped before the end");
    if (most >= 0 && backfill->delivery.rejected.rows > (uint64_t)most) {
        log_error(where, "%llu rows were rejected, --max-rejects allows %lld",
                  (unsigned long long)backfill->delivery.rejected.rows, (long long)most);
        return 1;
    }
    if (backfill->delivery.read && backfill->delivery.rejected.rows == backfill->delivery.read) {
        log_error(where, "every row was rejected: nothing was sent");
        return 1;
    }
    return all_accounted && !backfill->failed && !backfill->over && !stop_requested ? 0 : 1;
}

static int backfill_run(const struct options *options, const struct schema *schema)
{
    struct error err;
    struct backfill *backfill = mem_zeroed(1, sizeof *backfill);
    backfill->options = options;
    backfill->settings = (struct input_settings){.schema = schema,
                                                 .clock = &clock_system,
                                                 .max_future_us = options_duration_us(options, OPTION_MAX_FUTURE),
                                                 .validate = !options_flag(options, OPTION_NO_VALIDATE)};
    backfill->delivery = (struct delivery){.schema = schema, .name_tag = backfill_name_tag, .context = backfill};
    int result = 1;
    if (backfill_check_usage(options, schema, &backfill->settings, &backfill->taken, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        result = 2;
    } else if (check_readable(options, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
    } else if (delivery_open(&backfill->delivery, options, count_rows(options), &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        (void)delivery_close(&backfill->delivery, stdout);
    } else {
        if (backfill->settings.query)
            send_file(backfill, INPUT_QUERY);
        for (size_t i = 0; i < options_argument_count(options) && !backfill->over && !stop_requested; i++) {
            backfill->file_index = i;
            send_file(backfill, options_argument(options, i));
        }
        result = exit_status(backfill, delivery_close(&backfill->delivery, stdout));
    }
    rejects_taken_free(&backfill->taken);
    input_map_free(backfill->settings.map);
    free(backfill);
    return result;
}

int cmd_backfill(const struct options *options)
{
    struct schema *schema = NULL;
    struct error err;
    stop_catch_signals();
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        return 1;
    }
    if (registration_do(options, schema, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        schema_free(schema);
        return 1;
    }
    int result = backfill_run(options, schema);
    schema_free(schema);
    return result;
}

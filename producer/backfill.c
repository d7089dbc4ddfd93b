/* `producer backfill FILE…`: rows of files become events; what would be refused later is refused here, with line and
 * column. Runs on the main thread from start to end; waits only for the broker. Must never let a row end as anything
 * but sent, rejected or, after a stop, not read.
 *
 * The position in the input is committed with the rows it covers (resume_position.h). A run that resumes reads the
 * input from its start all the same, whatever its form, and sends nothing up to that position; there the digest of what
 * it has read shows whether the input is still the same. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
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
#include "producer/state_topic.h"
#include "producer/stop.h"

enum { TAG_LINE_BITS = 44 };

static const char where[] = "backfill";

struct backfill {
    const struct options *options;
    struct input_settings settings;
    struct delivery delivery;
    struct input_row row; /* large: kept out of the stack */
    struct rejects_taken taken;
    char group[RESUME_POSITION_GROUP_BYTES];
    size_t file_index;
    bool failed;  /* a file was refused, could not be read to its end, or its rejects could not be kept */
    bool over;    /* nothing more can be sent */
    bool differs; /* the input is not the one that an earlier run has sent */
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
        status = error_set(
            err, STATUS_INVALID,
            "rejects would overwrite the input %s: name another file with --rejects-file, or feed that input by itself",
            path.data);
    buffer_free(&path);
    return status;
}

/* --partial, and whether rows need ids. */
static enum status read_partial(const struct options *options, const struct schema *schema,
                                struct input_settings *settings, struct error *err)
{
    struct buffer topic = {0};
    bool no_ids = options_flag(options, OPTION_NO_IDS);
    settings->partial = options_flag(options, OPTION_PARTIAL);
    settings->ids_needed = settings->partial || (state_topic_find(options, schema, &topic) && !no_ids);
    buffer_free(&topic);
    if (!settings->partial)
        return STATUS_OK;
    if (no_ids)
        return error_set(err, STATUS_INVALID, "--partial needs employees' ids: --no-ids does not go with it");
    if (!schema_has_changed(schema))
        return error_set(err, STATUS_INVALID, "--partial: events of --schemas-dir have no field \"changed\"");
    if (options_given(options, OPTION_EVENT_TYPE) && settings->event_type != EVENT_TYPE_CHANGED)
        return error_set(err, STATUS_INVALID, "--partial sends CHANGED events: --event-type %s does not go with it",
                         options_text(options, OPTION_EVENT_TYPE));
    settings->event_type = EVENT_TYPE_CHANGED;
    return STATUS_OK;
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
    if (event_type_resolve(options, schema, &settings->event_type, err) != STATUS_OK ||
        read_partial(options, schema, settings, err) != STATUS_OK)
        return err->status;
    return check_paths(options, taken, err);
}

/* A file that cannot be read is reported before anything is sent or waited for. */
static enum status check_readable(const struct options *options, struct error *err)
{
    for (size_t i = 0; i < options_argument_count(options); i++) {
        const char *path = options_argument(options, i);
        struct stat found;
        if (strcmp(path, "-") && (access(path, R_OK) != 0 || stat(path, &found) != 0))
            return file_error(err, errno, "read", path);
        if (strcmp(path, "-") && S_ISDIR(found.st_mode))
            return error_set(err, STATUS_INVALID, "%s is a directory: name the files in it, such as %s/*.csv", path,
                             path);
    }
    return STATUS_OK;
}

static void backfill_fail(struct backfill *backfill, const struct error *err)
{
    progress_hide(&backfill->delivery.progress);
    log_error(where, "%s", err->text);
    backfill->failed = true;
}

/* Nothing of the files after it is sent, or the position would count their rows as this one's. */
static void fail_reading(struct backfill *backfill, const struct error *err)
{
    backfill_fail(backfill, err);
    backfill->over = !backfill->delivery.dry_run;
}

/* Nothing more shall be sent, for this reason. */
static void backfill_end(struct backfill *backfill, const struct error *err)
{
    backfill_fail(backfill, err);
    backfill->over = backfill->delivery.broken = true;
}

/* At the row up to which an earlier run has sent. */
static void check_resumed(struct backfill *backfill)
{
    const struct delivery *delivery = &backfill->delivery;
    struct error err;
    if (delivery->position.rows != delivery->resumed_at.rows ||
        delivery->position.digest == delivery->resumed_at.digest)
        return;
    error_set(&err, STATUS_CONFLICT,
              "the first %llu rows are not those that an earlier run has sent: the input has changed since (its "
              "header counts too), or the options, the mapping or the version that read it; nothing was sent. Put them "
              "back, or "
              "send it from its start without --resume (rows that did not change keep their event ids)",
              (unsigned long long)delivery->resumed_at.rows);
    backfill->differs = true;
    backfill_end(backfill, &err);
}

static void send_row(struct backfill *backfill, struct rejects *rejects)
{
    struct input_row *row = &backfill->row;
    struct delivery *delivery = &backfill->delivery;
    struct error err;
    if (row->fault_count && !rejects_add(rejects, row)) {
        backfill->over = true;
        return;
    }
    if (row->fault_count || delivery_has_sent(delivery)) {
        delivery_pass(delivery, row->raw, !row->fault_count);
        check_resumed(backfill);
        return;
    }
    uintptr_t tag = (uintptr_t)backfill->file_index << TAG_LINE_BITS | row->line;
    if (delivery_send(delivery, &row->event, row->raw, tag, &err) == STATUS_OK)
        return;
    if (!stop_requested)
        backfill_end(backfill, &err);
    backfill->over = true;
}

static void send_file(struct backfill *backfill, const char *path)
{
    struct input *input = NULL;
    struct error err;
    bool more = true;
    if (input_open(path, &backfill->settings, &input, &err) != STATUS_OK) {
        if (!stop_requested) /* a signal ends a read, too */
            fail_reading(backfill, &err);
        return;
    }
    struct delivery *delivery = &backfill->delivery;
    struct rejects *rejects = rejects_new(input, options_text(backfill->options, OPTION_REJECTS_FILE), stderr,
                                          &delivery->progress, &delivery->rejected, &backfill->taken);
    resume_position_begin_input(&delivery->position, backfill->options, input_header(input));
    if (delivery->progress.total && input_header(input).bytes)
        delivery->progress.total--; /* a header's line is no row */
    while (more && !backfill->over && !stop_requested) {
        if (input_next(input, &backfill->row, &more, &err) != STATUS_OK) {
            if (!stop_requested)
                fail_reading(backfill, &err);
            break;
        }
        if (more)
            send_row(backfill, rejects);
    }
    if (rejects_close(rejects, !more, &err) != STATUS_OK) {
        backfill_fail(backfill, &err);
        backfill->over = true;
    }
    input_free(input);
}

/* Lines of all files together; 0 where one of them is a pipe. */
static uint64_t count_rows(const struct options *options)
{
    uint64_t total = 0;
    for (size_t i = 0; i < options_argument_count(options); i++) {
        uint64_t lines = input_count_lines(options_argument(options, i), &stop_requested);
        if (!lines)
            return 0;
        total += lines;
    }
    return total;
}

/* Before the first row: what holds for this run, and where it goes on. */
static void backfill_begin(struct backfill *backfill)
{
    struct delivery *delivery = &backfill->delivery;
    bool resumes = options_flag(backfill->options, OPTION_RESUME);
    struct resume_position known = sender_position(delivery->sender);
    static const char once[] = "rows are delivered at least once";
    if (sender_is_exactly_once(delivery->sender))
        log_info(where, "rows go to %s in transactions; how far they are is kept as group %s",
                 options_text(backfill->options, OPTION_INPUT_TOPIC), backfill->group);
    else if (options_word(backfill->options, OPTION_DELIVERY) == DELIVERY_AT_LEAST_ONCE)
        log_info(where, "%s (DELIVERY=at-least-once)", once);
    else
        log_warn(where,
                 "%s: the embedded broker has no transactions; a run that is killed and resumed may send some "
                 "again, with the same event ids",
                 once);
    if (resume_position_is_shared(backfill->options))
        log_info(where, "a pipe has no name: all standard inputs of topic %s share one position, which --resume checks",
                 options_text(backfill->options, OPTION_INPUT_TOPIC));
    if (resumes && known.rows)
        log_info(where, "an earlier run has sent the input up to row %llu: going on after it",
                 (unsigned long long)known.rows);
    else if (resumes)
        log_info(where, "nothing is known of an earlier run of this input (brokers forget it after "
                        "offsets.retention.minutes, 7 days by default): beginning at the first row");
    else if (known.rows && !known.complete)
        log_warn(where,
                 "an earlier run of this input has sent %llu rows and stopped: --resume would go on from there; "
                 "without it all rows are sent again",
                 (unsigned long long)known.rows);
    if (resumes)
        delivery->resumed_at = known;
}

static void send_files(struct backfill *backfill)
{
    struct delivery *delivery = &backfill->delivery;
    struct error err;
    if (backfill->settings.query)
        send_file(backfill, INPUT_QUERY);
    for (size_t i = 0; i < options_argument_count(backfill->options) && !backfill->over && !stop_requested; i++) {
        backfill->file_index = i;
        send_file(backfill, options_argument(backfill->options, i));
    }
    if (backfill->over || backfill->failed || stop_requested || !delivery_has_sent(delivery))
        return;
    error_set(&err, STATUS_CONFLICT,
              "the input has %llu rows, and an earlier run has sent %llu: it has become shorter; put it back, or send "
              "it from its start without --resume",
              (unsigned long long)delivery->position.rows, (unsigned long long)delivery->resumed_at.rows);
    backfill->differs = true;
    backfill_end(backfill, &err);
}

/* What the user may do about a run that did not come to its end. */
static void print_how_to_go_on(const struct backfill *backfill)
{
    struct buffer command = {0}, secrets = {0};
    options_write_command(backfill->options, "resume", &command, &secrets);
    fprintf(stderr, "go on with: %s\n", command.data);
    if (secrets.bytes)
        fprintf(stderr, "and as before with %s, which are secret and not printed\n", secrets.data);
    buffer_free(&command);
    buffer_free(&secrets);
}

/* Says what is wrong with the rows of this run and those before it. */
static bool rows_are_as_allowed(const struct backfill *backfill)
{
    const struct delivery *delivery = &backfill->delivery;
    uint64_t rejected = delivery->rejected.rows, failed_before = delivery->resumed_at.failed;
    int64_t most = options_integer(backfill->options, OPTION_MAX_REJECTS);
    bool all_rejected = rejected && rejected == delivery->read, too_many = most >= 0 && rejected > (uint64_t)most;
    if (failed_before)
        log_error(where, "%llu rows of earlier runs were not delivered", (unsigned long long)failed_before);
    if (all_rejected)
        log_error(where, "all %llu rows were rejected", (unsigned long long)rejected);
    else if (too_many)
        log_error(where, "%llu rows were rejected, --max-rejects allows %lld", (unsigned long long)rejected,
                  (long long)most);
    return !failed_before && !all_rejected && !too_many;
}

static int exit_status(const struct backfill *backfill, bool complete, bool all_accounted)
{
    if (stop_requested && !complete) /* else --wait says what it has not seen */
        log_error(where, "stopped before the end");
    if (!complete && !backfill->differs && !backfill->delivery.dry_run)
        print_how_to_go_on(backfill);
    return rows_are_as_allowed(backfill) && complete && all_accounted ? 0 : 1;
}

static int backfill_send(struct backfill *backfill)
{
    struct delivery *delivery = &backfill->delivery;
    struct error err;
    if (delivery_open(delivery, count_rows(backfill->options), &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        (void)delivery_close(delivery, false, stdout);
        if (stop_requested)
            print_how_to_go_on(backfill);
        return 1;
    }
    if (delivery->sender)
        backfill_begin(backfill);
    send_files(backfill);
    bool complete = !backfill->failed && !backfill->over && !stop_requested;
    bool all_accounted = delivery_close(delivery, complete, stdout);
    complete = complete && !delivery->broken;
    return exit_status(backfill, complete, all_accounted);
}

static int backfill_run(const struct options *options, struct schema *schema)
{
    struct error err;
    struct backfill *backfill = mem_zeroed(1, sizeof *backfill);
    backfill->options = options;
    backfill->settings = (struct input_settings){.schema = schema,
                                                 .clock = &clock_system,
                                                 .max_future_us = options_duration_us(options, OPTION_MAX_FUTURE),
                                                 .validate = !options_flag(options, OPTION_NO_VALIDATE)};
    backfill->delivery = (struct delivery){.options = options,
                                           .schema = schema,
                                           .where = where,
                                           .group = backfill->group,
                                           .dry_run = options_flag(options, OPTION_DRY_RUN),
                                           .name_tag = backfill_name_tag,
                                           .context = backfill};
    resume_position_group(options, backfill->group);
    int result = 1;
    if (backfill_check_usage(options, schema, &backfill->settings, &backfill->taken, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        result = 2;
    } else if (check_readable(options, &err) != STATUS_OK ||
               (!backfill->delivery.dry_run && registration_do(options, schema, &err) != STATUS_OK)) {
        log_error(where, "%s", err.text);
        if (stop_requested && !backfill->delivery.dry_run)
            print_how_to_go_on(backfill);
    } else {
        result = backfill_send(backfill);
    }
    rejects_taken_free(&backfill->taken);
    input_map_free(backfill->settings.map);
    free(backfill);
    return result;
}

int cmd_backfill(const struct options *options)
{
    struct schema *schema = registration_schema(options, where);
    if (!schema)
        return 1;
    int result = backfill_run(options, schema);
    schema_free(schema);
    return result;
}

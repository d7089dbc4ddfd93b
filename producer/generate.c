/* `producer generate`: synthetic employees from a recipe, one event each or with --life their changes over time; sent,
 * or written to a file. Runs on the main thread. The same seed gives the same employees, event ids and poison on every
 * machine; without --life employee n does not depend on --count. */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "events/schema.h"
#include "events/timestamp.h"
#include "producer/commands.h"
#include "producer/delivery.h"
#include "producer/event_file.h"
#include "producer/event_id.h"
#include "producer/event_type.h"
#include "producer/life.h"
#include "producer/poison.h"
#include "producer/recipe.h"
#include "producer/registration.h"
#include "producer/stop.h"
#include "producer/table_writer.h"

enum { STREAM_ROWS = 0, STREAM_IDS = 1, STREAM_DRIFT = 3, WRITE_BYTES = 1 << 16, ID_BYTES = 24 };
#define END_MS INT64_C(1767225600000) /* 2026-01-01: where a life ends by default, so that it is the same every day */

static const char where[] = "generate";

struct generate {
    const struct options *options;
    const struct schema *schema;
    struct recipe *recipe;
    uint64_t count, seed, written;
    int64_t life_ms, start_ms;
    double poison_share;
    int32_t event_type;
    struct cell *cells;
    struct poison poison;
    struct drift_and_bias planted;
    struct lives *lives;           /* NULL: without --life */
    enum event_file_form out_form; /* with --out */
};

/* An event with the texts it borrows. */
struct made {
    struct event event;
    uint64_t employee;
    char id[ID_BYTES], event_id[EVENT_ID_BYTES];
};

static size_t employee_name(uint64_t index, char out[ID_BYTES])
{
    return (size_t)snprintf(out, ID_BYTES, "E%07llu", (unsigned long long)index + 1);
}

/* --- one event an employee --- */

static void generate_draw(struct generate *generate, uint64_t index, int64_t time_ms, uint32_t *label)
{
    const struct drift_and_bias *planted = &generate->planted;
    struct random random, drift;
    random_seed(&random, generate->seed, STREAM_ROWS, index);
    random_seed(&drift, generate->seed, STREAM_DRIFT, index);
    recipe_draw_row(generate->recipe, &random, generate->cells);
    drift_apply(planted, -1, time_ms, &drift, generate->cells);
    recipe_limit(generate->recipe, generate->cells);
    double margin = recipe_margin(generate->recipe, generate->cells) + bias_margin(planted, time_ms, generate->cells);
    *label = recipe_draw_label(generate->recipe, margin, &random);
}

/* Event `number` of an employee; for number 0 the ids are those of ever. */
static void make_ids(const struct generate *generate, uint32_t number, struct made *made)
{
    struct random random;
    random_seed(&random, generate->seed, STREAM_IDS + ((uint64_t)number << 8), made->employee);
    uint64_t high = random_bits(&random);
    event_id_of_bits(high, random_bits(&random), made->event_id);
    made->event.event_id = (struct span){made->event_id, EVENT_ID_BYTES - 1};
    made->event.employee_id = (struct span){made->id, employee_name(made->employee, made->id)};
}

static void make_single(struct generate *generate, int64_t time_ms, struct made *made)
{
    uint32_t label;
    made->employee = generate->written;
    generate_draw(generate, made->employee, time_ms, &label);
    made->event = (struct event){.occurred_at_ms = time_ms, .type = generate->event_type, .cells = generate->cells};
    make_ids(generate, 0, made);
}

/* The next event; false: there are no more. time_ms: when it occurs, unless it has a time of its own. */
static bool generate_next(struct generate *generate, int64_t time_ms, struct made *made)
{
    struct life_event next;
    if (!generate->lives) {
        if (generate->written == generate->count)
            return false;
        make_single(generate, time_ms, made);
    } else {
        if (!lives_next(generate->lives, &next))
            return false;
        made->employee = next.index;
        made->event = (struct event){
            .occurred_at_ms = next.time_ms, .type = (int32_t)next.type, .partial = next.partial, .cells = next.cells};
        make_ids(generate, next.number, made);
    }
    generate->written++;
    return true;
}

/* --- to a file --- */

static enum status table_flush(struct output_file *file, struct buffer *text, struct error *err)
{
    enum status status = output_file_write(file, buffer_span(text), err);
    buffer_clear(text);
    return status;
}

static enum status write_rows(struct generate *generate, struct output_file *file, const char *path, struct error *err)
{
    struct buffer text = {0};
    struct event event = {.cells = generate->cells};
    char id[ID_BYTES];
    uint32_t label;
    struct span key;
    enum status status = STATUS_OK;
    table_write_header(generate->schema, &text);
    for (uint64_t i = 0; i < generate->count && status == STATUS_OK; i++) {
        generate_draw(generate, i, generate->start_ms, &label);
        enum poison_kind kind = poison_event(&generate->poison, i, &event, &key);
        size_t bytes = employee_name(i, id), start = text.bytes;
        table_write_row(generate->schema, (struct span){id, bytes}, generate->cells, label, &text);
        poison_text(&generate->poison, kind, EVENT_FILE_CSV, &text, start);
        buffer_add_u8(&text, '\n');
        generate->written++;
        if (stop_requested)
            status = error_set(err, STATUS_UNAVAILABLE, "stopped: %s is incomplete", path);
        else if (text.bytes >= WRITE_BYTES)
            status = table_flush(file, &text, err);
    }
    if (status == STATUS_OK)
        status = table_flush(file, &text, err);
    buffer_free(&text);
    return status;
}

static enum status write_events(struct generate *generate, struct event_file *file, const char *path, struct error *err)
{
    struct made made;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && generate_next(generate, generate->start_ms, &made)) {
        status = event_file_add(file, &made.event, &generate->poison, generate->written - 1, err);
        if (status == STATUS_OK && stop_requested)
            status = error_set(err, STATUS_UNAVAILABLE, "stopped: %s is incomplete", path);
    }
    return status;
}

/* A CSV of employees is a table to train from; everything else holds events. */
static enum status write_file(struct generate *generate, const char *path, struct error *err)
{
    struct output_file *table = NULL;
    struct event_file *events = NULL;
    struct error closing;
    enum status status;
    if (generate->out_form == EVENT_FILE_CSV && !generate->lives) {
        if (output_file_open(path, &table, err) != STATUS_OK)
            return err->status;
        status = write_rows(generate, table, path, err);
        if (output_file_close(table, &closing) == STATUS_OK || status != STATUS_OK)
            return status;
    } else {
        if (event_file_open(path, generate->out_form, generate->schema,
                            options_text(generate->options, OPTION_SCHEMAS_DIR), &events, err) != STATUS_OK)
            return err->status;
        status = write_events(generate, events, path, err);
        if (event_file_close(events, &closing) == STATUS_OK || status != STATUS_OK)
            return status;
    }
    *err = closing;
    return closing.status;
}

static int write_out(struct generate *generate, const char *path)
{
    struct error err;
    enum status status = write_file(generate, path, &err);
    if (status != STATUS_OK)
        log_error(where, "%s", err.text);
    else if (poison_total(&generate->poison))
        poison_print(&generate->poison, stderr);
    if (status == STATUS_OK && strcmp(path, "-") != 0)
        fprintf(stderr, "wrote %llu %s to %s\n", (unsigned long long)generate->written,
                generate->lives ? "events" : "employees", path);
    return status == STATUS_OK ? 0 : 1;
}

/* --- to the brokers --- */

static void generate_name_tag(void *context, uintptr_t tag, char *out, size_t capacity)
{
    (void)context;
    char id[ID_BYTES];
    employee_name(tag, id);
    snprintf(out, capacity, "employee %s", id);
}

static int send_events(struct generate *generate)
{
    struct delivery delivery = {.options = generate->options,
                                .schema = generate->schema,
                                .poison = &generate->poison,
                                .where = where,
                                .arrival = (enum arrival)options_word(generate->options, OPTION_ARRIVAL),
                                .name_tag = generate_name_tag};
    struct error err;
    struct made made;
    bool more = true;
    enum status status = delivery_open(&delivery, generate->lives ? 0 : generate->count, &err);
    while (status == STATUS_OK && !stop_requested) {
        more = generate_next(generate, clock_real_us(&clock_system) / 1000, &made);
        if (!more)
            break;
        status = delivery_send(&delivery, &made.event, SPAN_NULL, (uintptr_t)made.employee, &err);
    }
    if (status != STATUS_OK) {
        progress_hide(&delivery.progress);
        log_error(where, "%s", err.text);
    }
    if (status == STATUS_OK && more)
        log_error(where, "stopped before the end: the same command sends all again, with the same event ids");
    bool all = delivery_close(&delivery, status == STATUS_OK && !more, stdout);
    return all && status == STATUS_OK && !more ? 0 : 1;
}

/* --- the command --- */

static enum status check_times(struct generate *generate, struct error *err)
{
    const char *start = options_text(generate->options, OPTION_START);
    generate->life_ms = options_duration_us(generate->options, OPTION_LIFE) / 1000;
    generate->start_ms = END_MS - generate->life_ms;
    if (start && !timestamp_parse(span_of(start), &generate->start_ms))
        return error_set(err, STATUS_INVALID, "--start %s: no time such as 2024-01-01T00:00:00Z", start);
    if (generate->start_ms + generate->life_ms > clock_real_us(&clock_system) / 1000)
        return error_set(err, STATUS_INVALID,
                         "--start and --life end in the future, and such events are refused (out_of_range)");
    if (!generate->life_ms && options_on_command_line(generate->options, OPTION_CHANGES))
        return error_set(err, STATUS_INVALID, "--changes needs --life");
    return STATUS_OK;
}

/* What a file cannot have is refused where it was asked for by its code, else left out, which is said. */
static enum status restrict_poison(struct generate *generate, struct error *err)
{
    const char *codes = options_text(generate->options, OPTION_POISON_CODES);
    struct buffer left_out = {0};
    if (generate->poison_share <= 0)
        return STATUS_OK;
    if (poison_restrict(&generate->poison, generate->out_form, codes, err) != STATUS_OK)
        return err->status;
    if (!codes) {
        poison_print_left_out(&generate->poison, &left_out);
        log_info(where, "poison that the file cannot have is left out: %.*s", (int)left_out.bytes,
                 buffer_span(&left_out).data);
    }
    buffer_free(&left_out);
    return STATUS_OK;
}

static enum status check_output(struct generate *generate, const char *path, struct error *err)
{
    const struct options *options = generate->options;
    const char *format = options_text(options, OPTION_FORMAT);
    if (!path)
        return format ? error_set(err, STATUS_INVALID, "--format is of a file: name it with --out") : STATUS_OK;
    if (event_file_form_of(format, path, &generate->out_form, err) != STATUS_OK ||
        restrict_poison(generate, err) != STATUS_OK)
        return err->status;
    if (generate->out_form == EVENT_FILE_CSV && options_word(options, OPTION_CHANGES))
        return error_set(err, STATUS_INVALID,
                         "--changes partial: backfill reads what has changed from .jsonl, .json and .avro alone");
    return STATUS_OK;
}

/* An option that this run has no use for is a mistake, though a harmless one. */
static void warn_of_unused(const struct generate *generate, bool file)
{
    bool table = file && generate->out_form == EVENT_FILE_CSV && !generate->life_ms;
    const struct {
        enum option_id option;
        bool used;
        const char *text;
    } options[] = {
        {OPTION_RATE, !file, "--rate is for events that are sent"},
        {OPTION_WAIT, !file, "--wait is for events that are sent"},
        {OPTION_ARRIVAL, generate->life_ms || (!file && options_integer(generate->options, OPTION_RATE)),
         "--arrival needs --life, or --rate and events that are sent"},
        {OPTION_START, generate->life_ms || (file && (!table || generate->planted.drift_count)),
         "--start needs --life, or a file of events"},
        {OPTION_EVENT_TYPE, !generate->life_ms && !table, "--event-type is for one event an employee, and no table"},
    };
    for (size_t o = 0; o < sizeof options / sizeof *options; o++)
        if (!options[o].used && options_on_command_line(generate->options, options[o].option))
            log_warn(where, "%s: it changes nothing here", options[o].text);
}

static enum status generate_check_usage(struct generate *generate, struct error *err)
{
    const struct options *options = generate->options;
    const char *codes = options_text(options, OPTION_POISON_CODES);
    if (options_argument_count(options))
        return error_set(err, STATUS_INVALID, "generate takes no FILE (%s): name the table with --out",
                         options_argument(options, 0));
    if (event_type_resolve(options, generate->schema, &generate->event_type, err) != STATUS_OK)
        return err->status;
    generate->poison_share = options_share(options, OPTION_POISON);
    generate->count = (uint64_t)options_integer(options, OPTION_COUNT);
    generate->seed = (uint64_t)options_integer(options, OPTION_SEED);
    poison_init(&generate->poison, generate->schema, generate->poison_share, generate->seed);
    if (codes && !generate->poison_share)
        return error_set(err, STATUS_INVALID, "--poison-codes needs --poison, which says how many");
    if (codes && poison_choose(&generate->poison, codes, err) != STATUS_OK)
        return err->status;
    if (check_times(generate, err) != STATUS_OK ||
        drift_read(&generate->planted, generate->schema, options_text(options, OPTION_DRIFT), err) != STATUS_OK ||
        bias_read(&generate->planted, generate->schema, options_text(options, OPTION_BIAS), err) != STATUS_OK)
        return err->status;
    const char *path = options_text(options, OPTION_OUTPUT);
    if (check_output(generate, path, err) != STATUS_OK)
        return err->status;
    warn_of_unused(generate, path != NULL);
    return STATUS_OK;
}

static enum status open_recipe(struct generate *generate, struct error *err)
{
    const struct options *options = generate->options;
    const char *path = options_text(options, OPTION_RECIPE);
    if (recipe_load(path, generate->schema, &generate->recipe, err) != STATUS_OK)
        return err->status;
    if (!generate->life_ms)
        return STATUS_OK;
    if (!recipe_has_life(generate->recipe))
        return error_set(err, STATUS_INVALID, "recipe %s has no \"life\", which --life needs: see docs/GENERATOR.md",
                         path);
    const struct life_settings settings = {.recipe = generate->recipe,
                                           .schema = generate->schema,
                                           .planted = &generate->planted,
                                           .staff = generate->count,
                                           .seed = generate->seed,
                                           .start_ms = generate->start_ms,
                                           .end_ms = generate->start_ms + generate->life_ms,
                                           .arrival = (enum arrival)options_word(options, OPTION_ARRIVAL),
                                           .partial = options_word(options, OPTION_CHANGES) != 0};
    generate->lives = lives_new(&settings);
    return STATUS_OK;
}

static int generate_run(struct generate *generate, struct schema *schema)
{
    const char *path = options_text(generate->options, OPTION_OUTPUT);
    struct error err;
    if (generate_check_usage(generate, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        return 2;
    }
    if (!path && registration_do(generate->options, schema, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        return 1;
    }
    int result = 1;
    generate->cells = mem_zeroed(generate->schema->column_count, sizeof *generate->cells);
    if (open_recipe(generate, &err) != STATUS_OK)
        log_error(where, "%s", err.text);
    else
        result = path ? write_out(generate, path) : send_events(generate);
    free(generate->cells);
    lives_free(generate->lives);
    recipe_free(generate->recipe);
    return result;
}

int cmd_generate(const struct options *options)
{
    struct schema *schema = registration_schema(options, where);
    struct generate generate = {.options = options, .schema = schema};
    if (!schema)
        return 1;
    int result = generate_run(&generate, schema);
    schema_free(schema);
    return result;
}

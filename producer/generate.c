/* `producer generate`: synthetic employees from a recipe, as events or as a labelled CSV. Runs on the main thread. The
 * same seed gives the same employees, event ids and poison on every machine; employee n does not depend on --count. */
#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "events/schema.h"
#include "producer/commands.h"
#include "producer/delivery.h"
#include "producer/event_id.h"
#include "producer/event_type.h"
#include "producer/poison.h"
#include "producer/recipe.h"
#include "producer/registration.h"
#include "producer/stop.h"
#include "producer/table_writer.h"

enum { STREAM_ROWS = 0, STREAM_IDS = 1, WRITE_BYTES = 1 << 16, ID_BYTES = 24 };

static const char where[] = "generate";

struct generate {
    const struct options *options;
    const struct schema *schema;
    struct recipe *recipe;
    uint64_t count, seed;
    double poison_share;
    int32_t event_type;
    struct cell *cells;
    struct poison poison;
};

static size_t employee_name(uint64_t index, char out[ID_BYTES])
{
    return (size_t)snprintf(out, ID_BYTES, "E%07llu", (unsigned long long)index + 1);
}

static void generate_draw(struct generate *generate, uint64_t index, uint32_t *label)
{
    struct random random;
    random_seed(&random, generate->seed, STREAM_ROWS, index);
    recipe_draw(generate->recipe, &random, generate->cells, label);
}

static enum status table_flush(FILE *file, const char *path, struct buffer *text, struct error *err)
{
    if (fwrite(text->data, 1, text->bytes, file) != text->bytes || fflush(file) != 0)
        return file_error(err, errno, "write", path);
    buffer_clear(text);
    return STATUS_OK;
}

static enum status write_rows(struct generate *generate, FILE *file, const char *path, struct error *err)
{
    struct buffer text = {0};
    char id[ID_BYTES];
    uint32_t label;
    enum status status = STATUS_OK;
    table_write_header(generate->schema, &text);
    for (uint64_t i = 0; i < generate->count && status == STATUS_OK; i++) {
        generate_draw(generate, i, &label);
        size_t bytes = employee_name(i, id);
        table_write_row(generate->schema, (struct span){id, bytes}, generate->cells, label, &text);
        if (stop_requested)
            status = error_set(err, STATUS_UNAVAILABLE, "stopped: %s is incomplete", path);
        else if (text.bytes >= WRITE_BYTES)
            status = table_flush(file, path, &text, err);
    }
    if (status == STATUS_OK)
        status = table_flush(file, path, &text, err);
    buffer_free(&text);
    return status;
}

static int write_table(struct generate *generate, const char *path)
{
    struct error err;
    bool to_stdout = strcmp(path, "-") == 0;
    FILE *file = to_stdout ? stdout : fopen(path, "we");
    enum status status = file ? write_rows(generate, file, path, &err) : file_error(&err, errno, "write", path);
    if (file && !to_stdout && fclose(file) != 0 && status == STATUS_OK)
        status = file_error(&err, errno, "write", path);
    if (status != STATUS_OK)
        log_error(where, "%s", err.text);
    else if (!to_stdout)
        fprintf(stderr, "wrote %llu employees to %s\n", (unsigned long long)generate->count, path);
    return status == STATUS_OK ? 0 : 1;
}

static void generate_name_tag(void *context, uintptr_t tag, char *out, size_t capacity)
{
    (void)context;
    char id[ID_BYTES];
    employee_name(tag, id);
    snprintf(out, capacity, "employee %s", id);
}

static enum status generate_send(struct generate *generate, struct delivery *delivery, uint64_t index,
                                 struct error *err)
{
    char id[ID_BYTES], event_id[EVENT_ID_BYTES];
    struct random random;
    uint32_t label;
    generate_draw(generate, index, &label);
    random_seed(&random, generate->seed, STREAM_IDS, index);
    uint64_t high = random_bits(&random);
    event_id_of_bits(high, random_bits(&random), event_id);
    struct event event = {.event_id = {event_id, EVENT_ID_BYTES - 1},
                          .employee_id = {id, employee_name(index, id)},
                          .occurred_at_ms = clock_real_us(&clock_system) / 1000,
                          .type = generate->event_type,
                          .cells = generate->cells};
    return delivery_send(delivery, &event, SPAN_NULL, (uintptr_t)index, err);
}

static int send_events(struct generate *generate)
{
    struct delivery delivery = {.options = generate->options,
                                .schema = generate->schema,
                                .poison = &generate->poison,
                                .where = where,
                                .name_tag = generate_name_tag};
    struct error err;
    enum status status = delivery_open(&delivery, generate->count, &err);
    for (uint64_t i = 0; i < generate->count && status == STATUS_OK && !stop_requested; i++)
        status = generate_send(generate, &delivery, i, &err);
    if (status != STATUS_OK) {
        progress_hide(&delivery.progress);
        log_error(where, "%s", err.text);
    }
    if (status == STATUS_OK && stop_requested)
        log_error(where, "stopped before the end");
    bool all = delivery_close(&delivery, status == STATUS_OK && !stop_requested, stdout);
    return all && status == STATUS_OK && delivery.read == generate->count ? 0 : 1;
}

static enum status generate_check_usage(struct generate *generate, struct error *err)
{
    const struct options *options = generate->options;
    const char *format = options_text(options, OPTION_FORMAT);
    if (options_argument_count(options))
        return error_set(err, STATUS_INVALID, "generate takes no FILE (%s): name the table with --out",
                         options_argument(options, 0));
    if (format && strcmp(format, "csv"))
        return error_set(err, STATUS_INVALID, "--format %s: generate writes csv", format);
    if (event_type_resolve(options, generate->schema, &generate->event_type, err) != STATUS_OK)
        return err->status;
    generate->poison_share = options_share(options, OPTION_POISON);
    if (generate->poison_share > 0 && options_text(options, OPTION_OUTPUT))
        return error_set(err, STATUS_INVALID, "--poison is for events: it cannot be written to a table (--out)");
    generate->count = (uint64_t)options_integer(options, OPTION_COUNT);
    generate->seed = (uint64_t)options_integer(options, OPTION_SEED);
    return STATUS_OK;
}

static int generate_run(struct generate *generate)
{
    const char *path = options_text(generate->options, OPTION_OUTPUT);
    struct error err;
    if (generate_check_usage(generate, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        return 2;
    }
    if (recipe_load(options_text(generate->options, OPTION_RECIPE), generate->schema, &generate->recipe, &err) !=
        STATUS_OK) {
        log_error(where, "%s", err.text);
        return 1;
    }
    generate->cells = mem_zeroed(generate->schema->column_count, sizeof *generate->cells);
    poison_init(&generate->poison, generate->schema, generate->poison_share, generate->seed);
    int result = path ? write_table(generate, path) : send_events(generate);
    free(generate->cells);
    recipe_free(generate->recipe);
    return result;
}

int cmd_generate(const struct options *options)
{
    struct generate generate = {.options = options};
    struct schema *schema = NULL;
    struct error err;
    stop_catch_signals();
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        return 1;
    }
    if (!options_text(options, OPTION_OUTPUT) && registration_do(options, schema, &err) != STATUS_OK) {
        log_error(where, "%s", err.text);
        schema_free(schema);
        return 1;
    }
    generate.schema = schema;
    int result = generate_run(&generate);
    schema_free(schema);
    return result;
}

/* Rows of input files, whatever their form: opening, event ids, messages.
 * Called by backfill, on one thread. Must never let a row go neither as an event nor with a fault. */
#include "producer/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "producer/event_id.h"
#include "producer/input_parts.h"

/* From the file's name, the line and the row's bytes: the same row of the same file has the same id
 * however often it is sent. */
static void make_event_id(struct input *input, const struct input_row *row)
{
    char line[24];
    const char *slash = strrchr(input->path, '/');
    buffer_clear(&input->identity);
    buffer_add_text(&input->identity, slash ? slash + 1 : input->path);
    buffer_add(&input->identity, line, (size_t)snprintf(line, sizeof line, "\n%zu\n", row->line));
    buffer_add(&input->identity, row->raw.data, row->raw.bytes);
    event_id_of_text(input->sha256, buffer_span(&input->identity), input->event_id);
}

/* The row before anything of it is read: all cells missing, the envelope as the settings say. */
static void row_begin(struct input *input, struct input_row *row)
{
    const struct schema *schema = input->settings->schema;
    input->latest_ms = (clock_real_us(input->settings->clock) + input->settings->max_future_us) / 1000;
    row->line = 0;
    row->raw = SPAN_NULL;
    row->fault_count = 0;
    row->event = (struct event){.type = input->settings->event_type, .occurred_at_ms = INT64_MIN};
    row->event.cells = input->cells;
    for (size_t c = 0; c < schema->column_count; c++)
        input->cells[c] = cell_missing(&schema->columns[c]);
}

static void row_complete(struct input *input, struct input_row *row)
{
    struct event *event = &row->event;
    if (event->cells)
        input_row_judge(input, row);
    if (row->fault_count)
        return;
    if (event->occurred_at_ms == INT64_MIN)
        event->occurred_at_ms = clock_real_us(input->settings->clock) / 1000;
    if (!event->employee_id.data) {
        snprintf(input->employee_id, sizeof input->employee_id, "row-%zu", row->line);
        event->employee_id = span_of(input->employee_id);
    }
    if (!event->event_id.data) {
        make_event_id(input, row);
        event->event_id = (struct span){input->event_id, sizeof input->event_id - 1};
    }
}

enum status input_next(struct input *input, struct input_row *row, bool *more, struct error *err)
{
    row_begin(input, row);
    enum status status = input->csv ? csv_input_next(input, row, more, err) : jsonl_input_next(input, row, more, err);
    if (status == STATUS_OK && *more)
        row_complete(input, row);
    return status;
}

/* Of a column or of the envelope, as the file calls it; NULL: the fault is of neither. */
static const char *field_name(const struct input *input, int32_t column)
{
    bool by_id = input->csv && column == FAULT_EMPLOYEE_ID && input->id_position != POSITION_NONE &&
                 input->envelope_positions[ENVELOPE_EMPLOYEE_ID] == POSITION_NONE;
    if (by_id)
        return input->settings->schema->id_name;
    return column >= 0 ? input->settings->schema->columns[column].name : envelope_field_name(column);
}

/* Where the file has the field, or POSITION_NONE. */
static int32_t field_position(const struct input *input, int32_t column)
{
    static const enum envelope_field fields[] = {
        [-FAULT_EVENT_ID] = ENVELOPE_EVENT_ID,
        [-FAULT_EVENT_TYPE] = ENVELOPE_EVENT_TYPE,
        [-FAULT_EMPLOYEE_ID] = ENVELOPE_EMPLOYEE_ID,
        [-FAULT_OCCURRED_AT] = ENVELOPE_OCCURRED_AT,
    };
    if (column >= 0)
        return input->positions[column];
    int32_t position = input->envelope_positions[fields[-column]];
    return position == POSITION_NONE && column == FAULT_EMPLOYEE_ID ? input->id_position : position;
}

/* The fault's text may begin with the column's name, which the report says itself. */
static const char *without_column(const struct input *input, const struct fault *fault)
{
    const char *column = field_name(input, fault->column);
    if (!column)
        return fault->text;
    struct span name = span_of(column);
    bool named = strncmp(fault->text, name.data, name.bytes) == 0 && strncmp(fault->text + name.bytes, ": ", 2) == 0;
    return fault->text + (named ? name.bytes + 2 : 0);
}

void input_fault_describe(const struct input *input, const struct input_row *row, const struct fault *fault,
                          struct buffer *out)
{
    size_t start = out->bytes;
    buffer_printf(out, "%s:%zu: ", input->name, row->line);
    const char *name = field_name(input, fault->column);
    if (name && !input->csv)
        buffer_printf(out, "field %s: ", name);
    else if (name && field_position(input, fault->column) != POSITION_NONE)
        buffer_printf(out, "column %s (%d): ", name, field_position(input, fault->column) + 1);
    else if (name)
        buffer_printf(out, "column %s (not in the file): ", name);
    buffer_printf(out, "%s: %s", event_code_name(fault->code), without_column(input, fault));
    text_flatten(out->data + start); /* names come from the file */
    out->bytes = start + strlen(out->data + start);
}

struct span input_header(const struct input *input)
{
    return input->csv ? buffer_span(&input->header) : SPAN_NULL;
}

const char *input_name(const struct input *input)
{
    return input->name;
}

static uint64_t count_lines(int file)
{
    static char block[1 << 16];
    uint64_t lines = 0;
    off_t at = 0;
    char last = '\n';
    for (ssize_t got; (got = pread(file, block, sizeof block, at)) > 0; at += got) {
        for (const char *p = block, *end = block + got; (p = memchr(p, '\n', (size_t)(end - p))); p++)
            lines++;
        last = block[got - 1];
    }
    return lines + (last != '\n');
}

uint64_t input_count_lines(const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat found;
    /* Looked at before it is opened: whoever writes to a named pipe would begin, and lose what he wrote. */
    if ((is_stdin ? fstat(STDIN_FILENO, &found) : stat(path, &found)) != 0 || !S_ISREG(found.st_mode))
        return 0;
    int file = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    uint64_t lines = file < 0 ? 0 : count_lines(file);
    if (file > STDIN_FILENO)
        close(file);
    return lines;
}

static bool name_ends(struct span name, const char *ending)
{
    size_t bytes = strlen(ending);
    return name.bytes >= bytes && strcasecmp(name.data + name.bytes - bytes, ending) == 0;
}

/* Rejects of a file keep its form: people.jsonl.rejects is JSON Lines. */
static bool is_csv(const char *path, const char *format, FILE *file)
{
    if (format)
        return strcmp(format, "csv") == 0;
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    struct span name = span_of(copy);
    while (name_ends(name, ".rejects"))
        copy[name.bytes -= sizeof ".rejects" - 1] = '\0';
    if (name_ends(name, ".jsonl") || name_ends(name, ".ndjson") || name_ends(name, ".json"))
        return false;
    if (name_ends(name, ".csv"))
        return true;
    int first = getc(file);
    if (first != EOF)
        ungetc(first, file);
    return first != '{';
}

static enum status open_file(struct input *input, struct error *err)
{
    struct stat stat;
    if (strcmp(input->path, "-") == 0) {
        input->file = stdin;
        input->name = "stdin";
        return STATUS_OK;
    }
    input->file = fopen(input->path, "re");
    if (!input->file)
        return file_error(err, errno, "open", input->path);
    input->owns_file = true;
    if (fstat(fileno(input->file), &stat) == 0 && S_ISDIR(stat.st_mode))
        return file_error(err, EISDIR, "read", input->path);
    return STATUS_OK;
}

enum status input_open(const char *path, const struct input_settings *settings, struct input **out, struct error *err)
{
    struct input *input = mem_zeroed(1, sizeof *input);
    input->path = input->name = path;
    input->settings = settings;
    input->sha256 = sha256_new();
    enum status status = open_file(input, err);
    if (status == STATUS_OK) {
        input->cells = mem_zeroed(settings->schema->column_count, sizeof *input->cells);
        if (is_csv(path, settings->format, input->file))
            status = csv_input_open(input, err);
    }
    if (status != STATUS_OK) {
        input_free(input);
        return status;
    }
    *out = input;
    return STATUS_OK;
}

void input_free(struct input *input)
{
    if (!input)
        return;
    jsonl_input_release(input);
    csv_free(input->csv);
    if (input->owns_file)
        fclose(input->file);
    sha256_free(input->sha256);
    buffer_free(&input->identity);
    buffer_free(&input->header);
    buffer_free(&input->text);
    free(input->positions);
    free(input->cells);
    free(input);
}

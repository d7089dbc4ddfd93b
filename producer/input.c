/* Rows of input files, whatever their form: opening, the envelope, judging, event ids, messages.
 * Called by backfill, on one thread. Must never let a row go neither as an event nor with a fault. */
#include "producer/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "avro/read.h"
#include "events/encode.h"
#include "events/identity.h"
#include "events/validate.h"
#include "producer/event_id.h"
#include "producer/input_parts.h"
#include "producer/timestamp.h"

const char *const envelope_names[ENVELOPE_FIELD_COUNT] = {
    [ENVELOPE_EMPLOYEE_ID] = "employee_id",
    [ENVELOPE_EVENT_ID] = "event_id",
    [ENVELOPE_EVENT_TYPE] = "event_type",
    [ENVELOPE_OCCURRED_AT] = "occurred_at",
};

void input_row_refuse(struct input_row *row, enum event_code code, int32_t column, const char *format, ...)
{
    if (row->fault_count == INPUT_FAULTS_MAX)
        return;
    struct fault *fault = &row->faults[row->fault_count++];
    *fault = (struct fault){.code = code, .column = column};
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
}

bool input_name_ignored(const struct schema *schema, struct span name)
{
    if (span_equal(name, span_of(schema->target_name)))
        return true;
    for (size_t i = 0; i < schema->ignored_count; i++)
        if (span_equal(name, span_of(schema->ignored[i])))
            return true;
    return false;
}

static void set_event_type(const struct input *input, struct input_row *row, struct span text)
{
    const struct schema *schema = input->settings->schema;
    for (size_t t = 0; t < schema->event_type_count; t++)
        if (span_equal(text, span_of(schema->event_types[t]))) {
            row->event.type = (int32_t)t;
            return;
        }
    input_row_refuse(row, EVENT_UNKNOWN_CATEGORY, FAULT_EVENT_TYPE, "not a symbol of the event schema");
}

/* What keeps a text from being an id in a file: besides what no id may be, the mark with which files begin, and what
 * spreadsheets make of ids. */
static const char *file_id_flaw(struct span text)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (text.bytes >= 3 && memcmp(text.data, mark, 3) == 0)
        return "begins with a byte-order mark: two files were joined";
    return id_flaw(text);
}

static void set_id(struct input_row *row, int32_t column, struct span text, struct span *out)
{
    const char *flaw = file_id_flaw(text);
    if (flaw)
        input_row_refuse(row, EVENT_BAD_ID, column, "the id %s", flaw);
    else
        *out = text;
}

static void set_occurred_at(const struct input *input, struct input_row *row, struct span text)
{
    const struct input_settings *settings = input->settings;
    int64_t *out = &row->event.occurred_at_ms;
    struct fault *fault = &row->faults[row->fault_count];
    if (row->fault_count == INPUT_FAULTS_MAX)
        return;
    if (timestamp_is_number(text) && !settings->time_unit)
        input_row_refuse(row, EVENT_WRONG_TYPE, FAULT_OCCURRED_AT,
                         "a bare number has no unit: write ISO 8601 (2025-03-04, 2025-03-04T10:00:00Z), or give "
                         "--time-unit (" TIME_UNIT_NAMES ") or TIME_UNIT");
    else if (!timestamp_parse(text, out) && !timestamp_parse_number(text, settings->time_unit, out))
        input_row_refuse(row, EVENT_WRONG_TYPE, FAULT_OCCURRED_AT,
                         "not ISO 8601 (2025-03-04, 2025-03-04T10:00:00Z, 2025-03-04 10:00+01:00)%s",
                         settings->time_unit ? ", nor a whole number" : "");
    else if (settings->validate)
        row->fault_count += occurred_at_check(*out, input->latest_ms, fault) != EVENT_OK;
}

void input_envelope_set(const struct input *input, struct input_row *row, enum envelope_field field, struct span text)
{
    struct event *event = &row->event;
    if (field == ENVELOPE_EMPLOYEE_ID)
        set_id(row, FAULT_EMPLOYEE_ID, text, &event->employee_id);
    else if (!text.bytes)
        return;
    else if (field == ENVELOPE_EVENT_ID)
        set_id(row, FAULT_EVENT_ID, text, &event->event_id);
    else if (!avro_text_is_valid(text))
        input_row_refuse(row, field == ENVELOPE_OCCURRED_AT ? EVENT_WRONG_TYPE : EVENT_MALFORMED,
                         field == ENVELOPE_OCCURRED_AT ? FAULT_OCCURRED_AT : FAULT_EVENT_TYPE, "not UTF-8");
    else if (field == ENVELOPE_EVENT_TYPE)
        set_event_type(input, row, text);
    else
        set_occurred_at(input, row, text);
}

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

/* What Avro's int and long cannot hold is refused whether the row is validated or not. */
static void check_encodable(const struct schema *schema, struct input_row *row)
{
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        if (!column_is_whole(column) || row->event.cells[c].code == CELL_MISSING)
            continue;
        double number = row->event.cells[c].number, most = column_most(column);
        if (!(number >= -most && number <= most))
            input_row_refuse(row, isfinite(number) ? EVENT_OUT_OF_RANGE : EVENT_NOT_FINITE, (int32_t)c,
                             "a whole-number column cannot hold it");
        else if (number != floor(number))
            input_row_refuse(row, EVENT_WRONG_TYPE, (int32_t)c, "a whole-number column cannot hold a fraction");
    }
    if (!row->fault_count && !event_is_encodable(schema, row->event.cells))
        input_row_refuse(row, EVENT_MISSING_REQUIRED, FAULT_NO_COLUMN, "a column that cannot be null has no value");
}

/* Adds what validation finds about columns that have no fault yet (a cell that could not be read is missing here). */
static void judge(const struct input *input, struct input_row *row)
{
    struct fault found[INPUT_FAULTS_MAX];
    size_t read_faults = row->fault_count;
    size_t count = input->settings->validate
                       ? validate_row_all(input->settings->schema, row->event.cells, found, INPUT_FAULTS_MAX)
                       : 0;
    for (size_t f = 0; f < count && row->fault_count < INPUT_FAULTS_MAX; f++) {
        size_t r = 0;
        while (r < read_faults && found[f].column >= 0 && row->faults[r].column != found[f].column)
            r++;
        if (r == read_faults && !validate_is_imputed(input->settings->schema, &found[f]))
            row->faults[row->fault_count++] = found[f];
    }
    if (!row->fault_count)
        check_encodable(input->settings->schema, row);
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
        judge(input, row);
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

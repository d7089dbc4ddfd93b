/* Rows of input files, whatever their form: opening, event ids, messages.
 * Called by backfill, on one thread. Must never let a row go neither as an event nor with a fault. */
#include "producer/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text_file.h"
#include "events/fault.h"
#include "producer/event_id.h"
#include "producer/file_id.h"
#include "producer/input_form.h"

enum { HEAD_BYTES = 4, SHOWN = 20 };

struct input {
    struct input_source source;
    const char *path;
    int descriptor; /* -1: none of its own */
    const struct input_form *form;
    void *reader;
    struct cell *cells;                   /* of the current row */
    struct sha256 *sha256;                /* for event ids */
    struct buffer identity;               /* what the current row's event id is made from */
    char event_id[EVENT_ID_BYTES];        /* of the current row */
    char employee_id[32];                 /* of the current row where the file gives none */
    uint64_t doubts[FILE_ID_DOUBT_COUNT]; /* ids that were warned of */
};

/* From the file's name, the line and the row's bytes: the same row of the same file has the same id
 * however often it is sent. */
static void make_event_id(struct input *input, const struct input_row *row)
{
    char line[48];
    const char *slash = strrchr(input->path, '/');
    buffer_clear(&input->identity);
    buffer_add_text(&input->identity, slash ? slash + 1 : input->path);
    buffer_add(&input->identity, line, (size_t)snprintf(line, sizeof line, "\n%zu", row->line));
    if (row->element) /* several may have one line */
        buffer_add(&input->identity, line, (size_t)snprintf(line, sizeof line, ".%zu", row->element));
    buffer_add_u8(&input->identity, '\n');
    buffer_add(&input->identity, row->raw.data, row->raw.bytes);
    event_id_of_text(input->sha256, buffer_span(&input->identity), input->event_id);
}

/* Where a row is all there is, its number may stand for whose it is; not where that would make people of rows. */
static void check_id(struct input_row *row)
{
    const struct event *event = &row->event;
    const struct input_settings *settings = row->settings;
    const char *flaw = NULL;
    if (row->fault_count || event->employee_id.data)
        return;
    if (event->without_attributes)
        flaw = "it is not said who has left";
    else if (settings->map)
        flaw = "the mapping reads it from a column that is not there";
    else if (event->partial)
        flaw = "it is not said whose record has changed";
    else if (settings->ids_needed)
        flaw = "rows without an id would become employees of their own among the current records: give the table its "
               "ids, or --no-ids";
    if (flaw)
        input_row_refuse(row, EVENT_MISSING_REQUIRED, FAULT_EMPLOYEE_ID, "%s", flaw);
}

static void warn_of_doubtful_id(struct input *input, const struct input_row *row)
{
    enum file_id_doubt doubt = file_id_doubt(row->event.employee_id);
    if (doubt == FILE_ID_NO_DOUBT || input->doubts[doubt]++ >= SHOWN)
        return;
    char element[32] = "";
    if (row->element)
        snprintf(element, sizeof element, " element %zu:", row->element);
    log_warn("backfill", "%s:%zu:%s %s%s", input->source.name, row->line, element, file_id_doubt_text(doubt),
             input->doubts[doubt] == SHOWN ? "; further lines of this kind are not named" : "");
}

static void row_complete(struct input *input, struct input_row *row)
{
    struct event *event = &row->event;
    if (event->ignored)
        input_row_refuse(row, EVENT_UNRESOLVABLE, FAULT_NO_COLUMN,
                         "op: it reports no change of a row, there is nothing to send");
    else if (event->cells)
        input_row_validate(row);
    check_id(row);
    if (row->fault_count)
        return;
    if (event->occurred_at_ms == INT64_MIN)
        event->occurred_at_ms = clock_real_us(row->settings->clock) / 1000;
    if (!event->employee_id.data) {
        snprintf(input->employee_id, sizeof input->employee_id, "row-%zu", row->element ? row->element : row->line);
        event->employee_id = span_of(input->employee_id);
    } else {
        warn_of_doubtful_id(input, row);
    }
    if (!event->event_id.data) {
        make_event_id(input, row);
        event->event_id = (struct span){input->event_id, sizeof input->event_id - 1};
    }
}

enum status input_next(struct input *input, struct input_row *row, bool *more, struct error *err)
{
    input_row_begin(row, input->source.settings, input->cells);
    enum status status = input->form->next(input->reader, row, more, err);
    if (status == STATUS_OK && *more)
        row_complete(input, row);
    return status;
}

void input_fault_describe(const struct input *input, const struct input_row *row, const struct fault *fault,
                          struct buffer *out)
{
    size_t start = out->bytes;
    buffer_printf(out, "%s:%zu: ", input->source.name, row->line);
    if (row->element)
        buffer_printf(out, "element %zu: ", row->element);
    const char *name = input->form->field_name(input->reader, fault->column);
    if (name && input->form->field_write)
        input->form->field_write(input->reader, fault->column, name, out);
    else if (name)
        buffer_printf(out, "field %s", name);
    if (name)
        buffer_add_text(out, ": ");
    buffer_printf(out, "%s: %s", event_code_name(fault->code), name ? fault_reason(fault) : fault->text);
    text_flatten(out->data + start); /* names come from the file */
    out->bytes = start + strlen(out->data + start);
}

struct span input_header(const struct input *input)
{
    return input->form->header ? input->form->header(input->reader) : SPAN_NULL;
}

const char *input_name(const struct input *input)
{
    return input->source.name;
}

/* Compressed, an array or a container: its line ends are not its rows'. */
static bool lines_are_rows(struct span head)
{
    static const struct span others[] = {SPAN_LITERAL("\x1f\x8b"), SPAN_LITERAL("\x28\xb5\x2f\xfd"),
                                         SPAN_LITERAL("Obj\x01"), SPAN_LITERAL("[")};
    while (head.bytes && memchr(" \t\r\n\xEF\xBB\xBF", head.data[0], 7))
        head = (struct span){head.data + 1, head.bytes - 1};
    for (size_t o = 0; o < sizeof others / sizeof *others; o++)
        if (head.bytes >= others[o].bytes && memcmp(head.data, others[o].data, others[o].bytes) == 0)
            return false;
    return true;
}

static uint64_t file_count_lines(int file, const _Atomic bool *stop)
{
    static char block[1 << 16];
    uint64_t lines = 0;
    off_t at = 0;
    char last = '\n';
    for (ssize_t got; (got = pread(file, block, sizeof block, at)) > 0; at += got) {
        if (at == 0 && !lines_are_rows((struct span){block, (size_t)got}))
            return 0;
        for (const char *p = block, *end = block + got; (p = memchr(p, '\n', (size_t)(end - p))); p++)
            lines++;
        last = block[got - 1];
        if (*stop)
            return 0;
    }
    return lines + (last != '\n');
}

uint64_t input_count_lines(const char *path, const _Atomic bool *stop)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat found;
    /* Looked at before it is opened: whoever writes to a named pipe would begin, and lose what he wrote. */
    if ((is_stdin ? fstat(STDIN_FILENO, &found) : stat(path, &found)) != 0 || !S_ISREG(found.st_mode))
        return 0;
    int file = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    uint64_t lines = file < 0 ? 0 : file_count_lines(file, stop);
    if (file > STDIN_FILENO)
        close(file);
    return lines;
}

static enum status open_descriptor(struct input *input, int *descriptor, struct error *err)
{
    struct stat stat;
    if (strcmp(input->path, "-") == 0) {
        input->source.name = "stdin";
        *descriptor = STDIN_FILENO;
        return STATUS_OK;
    }
    *descriptor = input->descriptor = open(input->path, O_RDONLY | O_CLOEXEC);
    if (input->descriptor < 0)
        return file_error(err, errno, "open", input->path);
    if (fstat(input->descriptor, &stat) == 0 && S_ISDIR(stat.st_mode))
        return file_error(err, EISDIR, "read", input->path);
    return STATUS_OK;
}

/* Decompressed, decoded, and the form that the bytes are of. */
static enum status open_bytes(struct input *input, struct error *err)
{
    struct input_source *source = &input->source;
    const struct input_settings *settings = source->settings;
    struct text_found found = {0};
    struct span head;
    int descriptor;
    if (open_descriptor(input, &descriptor, err) != STATUS_OK)
        return err->status;
    source->bytes = byte_reader_of_descriptor(descriptor, source->name);
    if (text_file_unpack(&source->bytes, source->name, &found, err) != STATUS_OK ||
        byte_reader_peek(source->bytes, HEAD_BYTES, &head, err) != STATUS_OK)
        return err->status;
    input->form = input_form_binary(settings->format, head);
    if (!input->form) {
        if (text_file_decode(&source->bytes, source->name, settings->encoding, &found, err) != STATUS_OK ||
            byte_reader_peek(source->bytes, 1, &head, err) != STATUS_OK)
            return err->status;
        input->form = input_form_text(settings->format, input->path, head);
    }
    source->recoded = found.encoding != NULL;
    text_found_log(&found, "backfill", source->name);
    return STATUS_OK;
}

enum status input_open(const char *path, const struct input_settings *settings, struct input **out, struct error *err)
{
    struct input *input = mem_zeroed(1, sizeof *input);
    input->path = path;
    input->source = (struct input_source){.name = path, .settings = settings};
    input->cells = mem_zeroed(settings->schema->column_count, sizeof *input->cells);
    input->sha256 = sha256_new();
    enum status status = STATUS_OK;
    input->descriptor = -1;
    if (settings->query)
        input->form = &input_query;
    else
        status = open_bytes(input, err);
    if (status == STATUS_OK)
        status = input->form->open(&input->source, &input->reader, err);
    if (status == STATUS_OK)
        *out = input;
    else
        input_free(input);
    return status;
}

void input_free(struct input *input)
{
    if (!input)
        return;
    if (input->reader)
        input->form->close(input->reader);
    byte_reader_free(input->source.bytes);
    if (input->descriptor >= 0)
        close(input->descriptor);
    sha256_free(input->sha256);
    buffer_free(&input->identity);
    free(input->cells);
    free(input);
}

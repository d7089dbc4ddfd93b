/* `scorer decode`: lines of hexadecimal Avro binary in, or with --framed values as they lie in a topic, one JSON line
 * out for each, in order. Needs no server. On the main thread; a line or value that is wrong is answered, and only
 * schemas that never resolve, files that cannot be read, or lengths that are none, end it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hex_digit.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "avro/type.h"
#include "events/fault.h"
#include "avro/plan.h"
#include "events/schema.h"
#include "scorer/commands.h"
#include "scorer/framed_values.h"

enum { FLUSH_BYTES = 256 * 1024, READ_BYTES = 64 * 1024, VALUE_BYTES_MAX = 256 << 20, LENGTH_BYTES = 4 };

/* What a run of the command holds. */
struct decoding {
    struct schema *schema; /* the shipped one, if it is the reader */
    struct avro_schema *writer, *reader;
    struct plan *plan;
    struct machine *machine;
    struct framed_values *framed; /* values with their frames; else bare data of the writer's schema */
    bool raw;                     /* each after its length, else hexadecimal lines */
    struct buffer line, datum, out;
    size_t searched;  /* bytes of `line` known to hold no line's end */
    uint64_t records; /* taken so far */
};

static bool hex_read(struct span text, struct buffer *out)
{
    char *at = buffer_reserve(out, text.bytes / 2 + 1);
    for (size_t i = 0; i + 1 < text.bytes; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        *at++ = (char)(high << 4 | low);
    }
    out->bytes += text.bytes / 2;
    return text.bytes % 2 == 0;
}

/* record: its number, from 1; 0: not said. */
static void answer_error(struct buffer *out, const struct fault *fault, uint64_t record)
{
    struct json_writer json = json_begin_document(out);
    if (record)
        json_write_uint(&json, "record", record);
    json_begin_object(&json, "error");
    json_write_string(&json, "code", event_code_name(fault->code));
    json_write_string(&json, "message", fault->text);
    json_end_object(&json);
    json_end_object(&json);
}

static void answer_line(struct decoding *decoding, struct span line)
{
    struct datum_fault why = {DATUM_MALFORMED, "not hexadecimal: two digits for each byte are due"};
    struct fault fault;
    size_t before = decoding->out.bytes;
    enum datum_code code = DATUM_MALFORMED;
    buffer_clear(&decoding->datum);
    if (hex_read(line, &decoding->datum))
        code = plan_run_json(decoding->plan, decoding->machine, buffer_span(&decoding->datum), &decoding->out, &why);
    if (code != DATUM_OK) {
        decoding->out.bytes = before;
        (void)fault_set_datum(&fault, &why);
        answer_error(&decoding->out, &fault, 0);
    }
    buffer_add_u8(&decoding->out, '\n');
}

static void answer_value(struct decoding *decoding, struct span value)
{
    struct fault fault;
    size_t before = decoding->out.bytes;
    if (framed_values_write(decoding->framed, value, &decoding->out, &fault) != EVENT_OK) {
        decoding->out.bytes = before;
        answer_error(&decoding->out, &fault, decoding->records);
    }
    buffer_add_u8(&decoding->out, '\n');
}

static void answer_hexadecimal(struct decoding *decoding, struct span line)
{
    struct fault fault;
    decoding->records++;
    if (!decoding->framed) {
        answer_line(decoding, line);
        return;
    }
    buffer_clear(&decoding->datum);
    if (hex_read(line, &decoding->datum)) {
        answer_value(decoding, buffer_span(&decoding->datum));
        return;
    }
    (void)fault_set(&fault, EVENT_MALFORMED, FAULT_NO_COLUMN, "not hexadecimal: two digits for each byte are due");
    answer_error(&decoding->out, &fault, decoding->records);
    buffer_add_u8(&decoding->out, '\n');
}

static enum status flush(struct decoding *decoding, struct error *err)
{
    size_t wrote = fwrite(decoding->out.data, 1, decoding->out.bytes, stdout);
    bool failed = wrote < decoding->out.bytes || fflush(stdout) != 0;
    buffer_clear(&decoding->out);
    return failed ? error_set(err, STATUS_IO, "standard output cannot be written: %s", strerror(errno)) : STATUS_OK;
}

static struct span line_trim(struct span line)
{
    while (line.bytes && (line.data[line.bytes - 1] == '\r' || line.data[line.bytes - 1] == ' '))
        line.bytes--;
    return line;
}

/* Answers the whole lines gathered and keeps the rest. */
static enum status answer_gathered(struct decoding *decoding, bool at_end, struct error *err)
{
    struct buffer *line = &decoding->line;
    size_t start = 0;
    for (char *end; decoding->searched < line->bytes; start = decoding->searched) {
        end = memchr(line->data + decoding->searched, '\n', line->bytes - decoding->searched);
        decoding->searched = end ? (size_t)(end - line->data) + 1 : line->bytes;
        if (!end)
            break;
        answer_hexadecimal(decoding, line_trim((struct span){line->data + start, (size_t)(end - line->data) - start}));
        if (decoding->out.bytes >= FLUSH_BYTES && flush(decoding, err) != STATUS_OK)
            return STATUS_IO;
    }
    if (at_end && start < line->bytes)
        answer_hexadecimal(decoding, line_trim((struct span){line->data + start, line->bytes - start}));
    if (start < line->bytes && start)
        memmove(line->data, line->data + start, line->bytes - start);
    line->bytes -= start;
    decoding->searched -= start;
    return at_end || line->bytes == 0 ? flush(decoding, err) : STATUS_OK;
}

/* A value after its length, from `at` on. *taken: its bytes; 0: it has not come as a whole. */
static enum status answer_raw(struct decoding *decoding, size_t at, size_t *taken, struct error *err)
{
    const struct span rest = {decoding->line.data + at, decoding->line.bytes - at};
    struct cursor in = cursor_of(rest);
    struct span value = SPAN_NULL;
    uint32_t length;
    *taken = 0;
    if (!cursor_u32_be(&in, &length))
        return STATUS_OK;
    if (length != UINT32_MAX && length > VALUE_BYTES_MAX)
        return error_set(err, STATUS_INVALID,
                         "record %" PRIu64 ": its length is %" PRId32 ": the input is not of values, each after its "
                         "length as 4 bytes (kcat -C … -f '%%R%%s')",
                         decoding->records + 1, (int32_t)length);
    if (length != UINT32_MAX && !cursor_span(&in, length, &value))
        return STATUS_OK;
    decoding->records++;
    *taken = LENGTH_BYTES + value.bytes;
    answer_value(decoding, value);
    return STATUS_OK;
}

static enum status answer_gathered_raw(struct decoding *decoding, bool at_end, struct error *err)
{
    struct buffer *gathered = &decoding->line;
    size_t start = 0, taken = 1;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && taken && start < gathered->bytes) {
        status = answer_raw(decoding, start, &taken, err);
        start += taken;
        if (status == STATUS_OK && decoding->out.bytes >= FLUSH_BYTES)
            status = flush(decoding, err);
    }
    if (start < gathered->bytes && start)
        memmove(gathered->data, gathered->data + start, gathered->bytes - start);
    gathered->bytes -= start;
    if (status == STATUS_OK && at_end && gathered->bytes)
        status =
            error_set(err, STATUS_INVALID, "record %" PRIu64 ": the input ends within it, %zu bytes after its start",
                      decoding->records + 1, gathered->bytes);
    enum status flushed =
        at_end || !gathered->bytes || status != STATUS_OK ? flush(decoding, ERROR_IGNORED) : STATUS_OK;
    return status == STATUS_OK && flushed != STATUS_OK
               ? error_set(err, flushed, "standard output cannot be written: %s", strerror(errno))
               : status;
}

static enum status answer_all(struct decoding *decoding, int file, const char *name, struct error *err)
{
    for (;;) {
        ssize_t got = read(file, buffer_reserve(&decoding->line, READ_BYTES), READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(err, STATUS_IO, "%s: cannot be read: %s", name, strerror(errno));
        decoding->line.bytes += (size_t)got;
        enum status status =
            decoding->raw ? answer_gathered_raw(decoding, got == 0, err) : answer_gathered(decoding, got == 0, err);
        if (status != STATUS_OK || got == 0)
            return status;
    }
}

static enum status prepare(struct decoding *decoding, const struct options *options, struct error *err)
{
    const char *writer = options_text(options, OPTION_WRITER_SCHEMA),
               *reader = options_text(options, OPTION_READER_SCHEMA);
    const struct avro_type *seen_as = NULL;
    decoding->raw = options_flag(options, OPTION_RAW);
    if (options_flag(options, OPTION_FRAMED))
        return framed_values_new(options, &decoding->framed, err);
    enum status status = avro_schema_read(writer, &decoding->writer, err);
    if (status == STATUS_OK && reader)
        status = avro_schema_read(reader, &decoding->reader, err);
    else if (status == STATUS_OK)
        status = schema_load(options_text(options, OPTION_SCHEMAS_DIR), &decoding->schema, err);
    if (status != STATUS_OK)
        return status;
    seen_as = decoding->reader ? avro_schema_type(decoding->reader) : decoding->schema->event;
    status = plan_compile(avro_schema_type(decoding->writer), seen_as, &decoding->plan, err);
    return status == STATUS_OK ? status : error_prefix(err, "%s can never be read through the reader's schema", writer);
}

static void decoding_fini(struct decoding *decoding)
{
    framed_values_free(decoding->framed);
    plan_free(decoding->plan);
    machine_free(decoding->machine);
    avro_schema_free(decoding->writer);
    avro_schema_free(decoding->reader);
    schema_free(decoding->schema);
    buffer_free(&decoding->line);
    buffer_free(&decoding->datum);
    buffer_free(&decoding->out);
}

static enum status decode_input(struct decoding *decoding, const char *name, struct error *err)
{
    bool standard = !name || strcmp(name, "-") == 0;
    int file = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return error_set(err, STATUS_IO, "%s: cannot be opened: %s", name, strerror(errno));
    decoding->machine = machine_new();
    enum status status = answer_all(decoding, file, standard ? "standard input" : name, err);
    if (!standard)
        close(file);
    return status;
}

/* NULL: none. */
static const char *usage_flaw(const struct options *options)
{
    bool framed = options_flag(options, OPTION_FRAMED), writer = options_text(options, OPTION_WRITER_SCHEMA);
    if (framed == writer || options_argument_count(options) > 1)
        return "needs --framed or --writer-schema FILE, and at most one FILE of values";
    if (framed && options_text(options, OPTION_READER_SCHEMA))
        return "--reader-schema goes with --writer-schema: values in frames are shown as their writers have them";
    return options_flag(options, OPTION_RAW) && !framed ? "--raw goes with --framed" : NULL;
}

int cmd_decode(const struct options *options)
{
    struct decoding decoding = {0};
    struct error err = {0};
    const char *flaw = usage_flaw(options);
    if (flaw) {
        log_error("decode", "%s", flaw);
        return 2;
    }
    enum status status = prepare(&decoding, options, &err);
    if (status == STATUS_OK)
        status = decode_input(&decoding, options_argument_count(options) ? options_argument(options, 0) : NULL, &err);
    if (status != STATUS_OK)
        log_error("decode", "%s", err.text);
    decoding_fini(&decoding);
    return status == STATUS_OK ? 0 : 1;
}

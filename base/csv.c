/* CSV in a large window of the file: see csv.h. Called by the trainer and the producer, one thread a
 * reader.
 *
 * Fields are spans of the window; only a field with doubled quotes is copied. A record that the window does not hold to
 * its end is parsed again once more has been read, which happens once a window. Must never lose its place: quotes that
 * do not fit cost the one physical line on which their record starts, not the lines a stray quote would swallow. */
#include "base/csv.h"

#include <stdlib.h>
#include <string.h>

#include "base/csv_dialect.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    RECORD_LIMIT_BYTES = 1024 * 1024,
    WINDOW_BYTES = 2 * RECORD_LIMIT_BYTES,
    DIALECT_BYTES = 64 * 1024, /* of the file's beginning that is looked at */
    PARSED_AGAIN_BYTES = 64 * 1024,
};

struct csv {
    struct byte_reader *reader;
    const char *name;
    struct csv_dialect dialect;
    char *window;
    char *at, *end;       /* what of the window is not handed out yet */
    size_t line;          /* physical line at `at` */
    bool file_ended;      /* nothing follows `end` */
    bool begun;           /* the dialect is known */
    bool skip_line;       /* the line at `at` was refused as too long: it goes before the next record */
    struct error failure; /* of a read; status STATUS_OK: none */
    struct span *fields;
    size_t field_count, field_capacity;
    char *unquoted; /* copies of this record's fields with doubled quotes; NULL until there is one */
    size_t unquoted_bytes;
};

/* How parsing a record ended; from FAULT on it is wrong. */
enum outcome { WHOLE, NEEDS_MORE, FAULT_UNCLOSED_QUOTE, FAULT_TEXT_AFTER_QUOTE, FAULT_NUL, FAULT_TOO_LONG };

/* A record on its way: `at` moves from its first byte to one past its line end. */
struct scan {
    char *start, *at;
    char *last;   /* one past the last byte before the line end */
    size_t lines; /* line ends passed */
    bool over;    /* its line end, or the file's end, has been passed */
};

struct csv *csv_new(struct byte_reader *reader, const char *name, char delimiter)
{
    struct csv *csv = mem_zeroed(1, sizeof *csv);
    csv->reader = reader;
    csv->name = name;
    csv->dialect.delimiter = delimiter;
    csv->window = csv->at = csv->end = mem_zeroed(WINDOW_BYTES, 1);
    csv->line = 1;
    return csv;
}

void csv_free(struct csv *csv)
{
    if (!csv)
        return;
    free(csv->window);
    free(csv->fields);
    free(csv->unquoted);
    free(csv);
}

/* Slides what is left to the window's start and reads on after it: what there is, as a pipe's rows are handed out as
 * they come, but of a long record at least as many bytes as are left, so that parsing it again stays linear. False when
 * reading failed. */
static bool csv_fill(struct csv *csv)
{
    size_t left = (size_t)(csv->end - csv->at), got = 1;
    memmove(csv->window, csv->at, left);
    char *at = csv->window + left, *enough = at + (left > PARSED_AGAIN_BYTES ? left : 1);
    char *limit = csv->window + WINDOW_BYTES;
    if (enough > limit)
        enough = limit;
    while (at < enough && got) {
        if (byte_reader_read(csv->reader, at, (size_t)(limit - at), &got, &csv->failure) != STATUS_OK)
            got = 0;
        at += got;
    }
    csv->at = csv->window;
    csv->end = at;
    csv->file_ended = !got && !csv->failure.status;
    return !csv->failure.status;
}

/* Blanks at a field's ends are padding. */
static void csv_add_field(struct csv *csv, const char *data, size_t bytes)
{
    csv->fields = mem_grow(csv->fields, &csv->field_capacity, csv->field_count + 1, sizeof *csv->fields);
    csv->fields[csv->field_count++] = csv_trim((struct span){data, bytes});
}

/* Copies a quoted field's content with its doubled quotes made single. */
static void add_unquoted(struct csv *csv, const char *from, const char *to)
{
    if (!csv->unquoted)
        csv->unquoted = mem_resize(NULL, WINDOW_BYTES, 1); /* more than any record's fields together */
    char *start = csv->unquoted + csv->unquoted_bytes, *out = start;
    for (; from < to; from++) {
        *out++ = *from;
        from += *from == '"';
    }
    csv->unquoted_bytes += (size_t)(out - start);
    csv_add_field(csv, start, (size_t)(out - start));
}

static size_t csv_count_lines(const struct csv *csv, const char *from, const char *to)
{
    size_t lines = 0;
    while (from < to && (from = memchr(from, csv->dialect.line_end, (size_t)(to - from)))) {
        lines++;
        from++;
    }
    return lines;
}

/* Passes what ends a field, with scan->at one past the field: a delimiter, a line end, or the file's end. */
static enum outcome pass_separator(struct csv *csv, struct scan *scan)
{
    char *at = scan->at;
    scan->last = at;
    if (at < csv->end && *at == csv->dialect.delimiter) {
        scan->at = at + 1;
        return WHOLE;
    }
    at += at < csv->end && *at == '\r' && csv->dialect.line_end == '\n';
    if (at == csv->end && !csv->file_ended)
        return NEEDS_MORE;
    if (at < csv->end && *at != csv->dialect.line_end)
        return FAULT_TEXT_AFTER_QUOTE;
    scan->over = true;
    scan->lines += at < csv->end;
    scan->at = at + (at < csv->end);
    return WHOLE;
}

static char *pass_blanks(const struct csv *csv, char *at)
{
    while (at < csv->end && (*at == ' ' || *at == '\t') && *at != csv->dialect.delimiter)
        at++;
    return at;
}

/* A field whose opening quote is at scan->at. */
static enum outcome parse_quoted(struct csv *csv, struct scan *scan)
{
    char *content = scan->at + 1, *quote = content;
    bool doubled = false;
    for (;; quote += 2) {
        quote = memchr(quote, '"', (size_t)(csv->end - quote));
        if (!quote)
            return csv->file_ended ? FAULT_UNCLOSED_QUOTE : NEEDS_MORE;
        if (quote + 1 == csv->end && !csv->file_ended)
            return NEEDS_MORE;
        if (quote + 1 == csv->end || quote[1] != '"')
            break;
        doubled = true;
    }
    if (doubled)
        add_unquoted(csv, content, quote);
    else
        csv_add_field(csv, content, (size_t)(quote - content));
    scan->lines += csv_count_lines(csv, content, quote);
    scan->at = pass_blanks(csv, quote + 1);
    return pass_separator(csv, scan);
}

static enum outcome parse_plain(struct csv *csv, struct scan *scan)
{
    char *field = scan->at, *at = field, *end = csv->end;
    const char delimiter = csv->dialect.delimiter, line_end = csv->dialect.line_end;
    while (at < end && *at != delimiter && *at != line_end)
        at++;
    if (at == end && !csv->file_ended)
        return NEEDS_MORE;
    bool line_ends = at == end || *at == line_end;
    at -= line_ends && at > field && at[-1] == '\r';
    csv_add_field(csv, field, (size_t)(at - field));
    scan->at = at;
    return pass_separator(csv, scan);
}

/* Blanks before a field's opening quote are padding, where the quotes fit. */
static enum outcome parse_padded(struct csv *csv, struct scan *scan)
{
    struct scan before = *scan;
    size_t fields = csv->field_count, unquoted = csv->unquoted_bytes;
    scan->at = pass_blanks(csv, scan->at);
    if (scan->at < csv->end && *scan->at == '"') {
        enum outcome outcome = parse_quoted(csv, scan);
        if (outcome == WHOLE || outcome == NEEDS_MORE)
            return outcome;
    }
    *scan = before;
    csv->field_count = fields;
    csv->unquoted_bytes = unquoted;
    return parse_plain(csv, scan);
}

static enum outcome parse_field(struct csv *csv, struct scan *scan)
{
    if (scan->at == csv->end)
        return csv->file_ended ? parse_plain(csv, scan) : NEEDS_MORE;
    if (*scan->at == '"')
        return parse_quoted(csv, scan);
    return *scan->at == ' ' ? parse_padded(csv, scan) : parse_plain(csv, scan);
}

/* A file that was joined to another brings its mark along: it belongs to no record. False where more must be read to
 * know. */
static bool pass_marks(struct csv *csv)
{
    static const char mark[] = "\xEF\xBB\xBF";
    while (csv->at < csv->end && *csv->at == mark[0]) {
        if (csv->end - csv->at < 3)
            return csv->file_ended;
        if (memcmp(csv->at, mark, 3) != 0)
            return true;
        csv->at += 3;
    }
    return csv->at < csv->end || csv->file_ended;
}

static enum outcome csv_parse_record(struct csv *csv, struct scan *scan)
{
    if (!pass_marks(csv))
        return NEEDS_MORE;
    *scan = (struct scan){.start = csv->at, .at = csv->at};
    csv->field_count = csv->unquoted_bytes = 0;
    enum outcome outcome = WHOLE;
    while (outcome == WHOLE && !scan->over)
        outcome = parse_field(csv, scan);
    bool long_so_far = csv->end - csv->at > RECORD_LIMIT_BYTES && outcome == NEEDS_MORE;
    if (outcome == WHOLE && scan->last - scan->start > RECORD_LIMIT_BYTES)
        return FAULT_TOO_LONG;
    if (outcome == WHOLE && memchr(scan->start, '\0', (size_t)(scan->last - scan->start)))
        return FAULT_NUL;
    return long_so_far ? FAULT_TOO_LONG : outcome;
}

/* Moves a refused record's scan to the end of its first physical line; false where the window does not hold that. */
static bool scan_first_line(const struct csv *csv, struct scan *scan)
{
    char *end = memchr(scan->start, csv->dialect.line_end, (size_t)(csv->end - scan->start));
    scan->lines = end != NULL;
    scan->at = end ? end + 1 : csv->end;
    scan->last = end ? end : csv->end;
    scan->last -= scan->last > scan->start && scan->last[-1] == '\r';
    return end || csv->file_ended;
}

static enum status csv_refuse(struct csv *csv, enum outcome outcome, struct scan *scan, struct csv_record *record,
                              struct error *err)
{
    static const char *const texts[] = {
        [FAULT_UNCLOSED_QUOTE] = "a quote is opened and never closed",
        [FAULT_TEXT_AFTER_QUOTE] = "text follows a closing quote: double the quotes inside a quoted field",
        [FAULT_NUL] = "a NUL byte: the file is not CSV in UTF-8",
        [FAULT_TOO_LONG] = "a record over 1 MiB: is a quote never closed?",
    };
    if (!scan->over)
        csv->skip_line = !scan_first_line(csv, scan);
    *record = (struct csv_record){.line = csv->line, .raw = {scan->start, (size_t)(scan->last - scan->start)}};
    enum status status = outcome == FAULT_TOO_LONG ? STATUS_LIMIT : STATUS_INVALID;
    error_set(err, status, "%s:%zu: %s", csv->name, csv->line, texts[outcome]);
    csv->at = scan->at;
    csv->line += scan->lines;
    return status;
}

/* Throws away the rest of a line that was refused. False when reading failed. */
static bool pass_skipped_line(struct csv *csv)
{
    while (csv->skip_line) {
        char *end = memchr(csv->at, csv->dialect.line_end, (size_t)(csv->end - csv->at));
        csv->at = end ? end + 1 : csv->end;
        csv->line += end != NULL;
        csv->skip_line = !end && !csv->file_ended;
        if (csv->skip_line && !csv_fill(csv))
            return false;
    }
    return true;
}

/* Reads on until the first line and what came along with it show delimiter and line ends. False when reading failed. */
static bool csv_begin(struct csv *csv)
{
    while (!csv->file_ended && csv->end - csv->at < DIALECT_BYTES &&
           !(csv->end > csv->at && memchr(csv->at, '\n', (size_t)(csv->end - csv->at))))
        if (!csv_fill(csv))
            return false;
    (void)pass_marks(csv);
    struct span head = {csv->at, (size_t)(csv->end - csv->at)};
    size_t passed = csv_dialect_find(head, csv->file_ended, &csv->dialect);
    csv->at += passed;
    csv->line += passed > 0;
    csv->begun = true;
    return true;
}

static bool is_blank(const struct csv *csv, const struct scan *scan)
{
    return csv->field_count == 1 && scan->last == scan->start;
}

enum status csv_next(struct csv *csv, struct csv_record *record, bool *more, struct error *err)
{
    bool readable = !csv->failure.status && (csv->begun || csv_begin(csv)) && pass_skipped_line(csv);
    while (readable) {
        if (csv->at == csv->end && csv->file_ended) {
            *more = false;
            return STATUS_OK;
        }
        struct scan scan;
        enum outcome outcome = csv_parse_record(csv, &scan);
        if (outcome == NEEDS_MORE) {
            readable = csv_fill(csv);
            continue;
        }
        if (outcome != WHOLE)
            return csv_refuse(csv, outcome, &scan, record, err);
        size_t line = csv->line;
        csv->at = scan.at;
        csv->line += scan.lines;
        if (is_blank(csv, &scan))
            continue;
        *record =
            (struct csv_record){csv->fields, csv->field_count, line, {scan.start, (size_t)(scan.last - scan.start)}};
        *more = true;
        return STATUS_OK;
    }
    return error_set(err, STATUS_IO, "%s (line %zu)", csv->failure.text, csv->line);
}

char csv_delimiter(const struct csv *csv)
{
    return csv->dialect.delimiter;
}

void csv_log_dialect(const struct csv *csv, const char *where)
{
    const char delimiter[] = {csv->dialect.delimiter, '\0'};
    if (csv->dialect.delimiter != ',' || csv->dialect.line_end != '\n')
        log_info(where, "%s: read as CSV with the delimiter %s%s%s%s", csv->name, *delimiter == '\t' ? "tab" : "\"",
                 *delimiter == '\t' ? "" : delimiter, *delimiter == '\t' ? "" : "\"",
                 csv->dialect.line_end == '\r' ? ", and lines that end in CR" : "");
}

/* Delimiter and line ends of a CSV: see csv_dialect.h. Called once a file; any thread.
 *
 * The delimiter is the one that cuts the most lines into the same, largest number of fields. */
#include "base/csv_dialect.h"

enum { LINES_MAX = 32 };

/* The line at *at without its end, and *at moved past it. False: none is left, or it is not whole. */
static bool take_line(struct span head, bool ended, char line_end, size_t *at, struct span *line)
{
    if (*at >= head.bytes)
        return false;
    const char *from = head.data + *at, *end = memchr(from, line_end, head.bytes - *at);
    if (!end && !ended && *at > 0)
        return false;
    size_t bytes = end ? (size_t)(end - from) : head.bytes - *at;
    *at += bytes + (end != NULL);
    bytes -= bytes && from[bytes - 1] == '\r';
    *line = (struct span){from, bytes};
    return true;
}

/* Delimiters of a line outside its quotes. */
static size_t count_delimiters(struct span line, char delimiter)
{
    size_t count = 0;
    bool quoted = false, field_begins = true;
    for (size_t i = 0; i < line.bytes; i++) {
        char c = line.data[i];
        if (c == '"' && (quoted || field_begins))
            quoted = !quoted;
        count += !quoted && c == delimiter;
        field_begins = c == delimiter || (field_begins && c == ' ');
    }
    return count;
}

/* The most lines with the same number of this delimiter, times that number. */
static size_t delimiter_score(struct span head, bool ended, char line_end, char delimiter)
{
    size_t counts[LINES_MAX], lines = 0, at = 0, best = 0;
    struct span line;
    while (lines < LINES_MAX && take_line(head, ended, line_end, &at, &line))
        if (line.bytes)
            counts[lines++] = count_delimiters(line, delimiter);
    for (size_t i = 0; i < lines; i++) {
        size_t same = 0;
        for (size_t j = 0; j < lines; j++)
            same += counts[j] == counts[i];
        if (same * counts[i] > best)
            best = same * counts[i];
    }
    return best;
}

static char find_delimiter(struct span head, bool ended, char line_end)
{
    char found = ',';
    size_t most = 0;
    for (const char *delimiter = CSV_DELIMITERS; *delimiter; delimiter++) {
        size_t score = delimiter_score(head, ended, line_end, *delimiter);
        if (score <= most)
            continue;
        most = score;
        found = *delimiter;
    }
    return found;
}

/* Spreadsheet programs write and take `sep=;` as the first line. */
static size_t pass_sep_line(struct span head, char line_end, char *delimiter)
{
    struct span line;
    size_t at = 0;
    if (!take_line(head, true, line_end, &at, &line))
        return 0;
    if (line.bytes >= 2 && line.data[0] == '"' && line.data[line.bytes - 1] == '"')
        line = (struct span){line.data + 1, line.bytes - 2};
    if (line.bytes < 5 || memcmp(line.data, "sep=", 4) != 0)
        return 0;
    const char given = line.data[4];
    for (size_t i = 5; i < line.bytes; i++)
        if (line.data[i] != given) /* the program filled the line up with empty fields */
            return 0;
    if (!*delimiter)
        *delimiter = given;
    return at;
}

size_t csv_dialect_find(struct span head, bool ended, struct csv_dialect *dialect)
{
    bool lf = head.bytes && memchr(head.data, '\n', head.bytes), cr = head.bytes && memchr(head.data, '\r', head.bytes);
    if (!dialect->line_end)
        dialect->line_end = cr && !lf ? '\r' : '\n';
    size_t passed = pass_sep_line(head, dialect->line_end, &dialect->delimiter);
    if (!dialect->delimiter)
        dialect->delimiter = find_delimiter(head, ended, dialect->line_end);
    return passed;
}

/* What nobody sees at a text's ends: no-break, narrow no-break and ideographic spaces, those without width, joiners,
 * and the byte-order mark. */
static const struct span blanks[] = {
    SPAN_LITERAL(" "),
    SPAN_LITERAL("\t"),
    SPAN_LITERAL("\xC2\xA0"),
    SPAN_LITERAL("\xE2\x80\x8B"),
    SPAN_LITERAL("\xE2\x80\x8C"),
    SPAN_LITERAL("\xE2\x80\x8D"),
    SPAN_LITERAL("\xE2\x80\xAF"),
    SPAN_LITERAL("\xE3\x80\x80"),
    SPAN_LITERAL("\xEF\xBB\xBF"),
};

static size_t blank_at_start(struct span text)
{
    for (size_t b = 0; b < sizeof blanks / sizeof *blanks; b++)
        if (text.bytes >= blanks[b].bytes && memcmp(text.data, blanks[b].data, blanks[b].bytes) == 0)
            return blanks[b].bytes;
    return 0;
}

static size_t blank_at_end(struct span text)
{
    for (size_t b = 0; b < sizeof blanks / sizeof *blanks; b++)
        if (text.bytes >= blanks[b].bytes &&
            memcmp(text.data + text.bytes - blanks[b].bytes, blanks[b].data, blanks[b].bytes) == 0)
            return blanks[b].bytes;
    return 0;
}

struct span csv_trim_slow(struct span text)
{
    for (size_t blank; (blank = blank_at_start(text));)
        text = (struct span){text.data + blank, text.bytes - blank};
    for (size_t blank; (blank = blank_at_end(text));)
        text.bytes -= blank;
    return text;
}

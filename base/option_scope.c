/* Which subcommands an option is for, by its row: see options_private.h. Main thread, while a program starts.
 *
 * A help text has parts, "; " between them. One that begins with names and a colon ("backfill, generate: …") is for
 * these subcommands alone; so is a whole row that names them in .only. A row that names none of a program's subcommands
 * is for all of them: scorer and producer share rows. */
#include "base/options_private.h"

#include <string.h>

/* The bytes of "backfill, generate: " at `text`; 0: the part is for nobody in particular. "default: " is no name. */
static size_t heading_bytes(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    size_t bytes = strspn(text, letters);
    if (!bytes || strncmp(text, "default:", strlen("default:")) == 0)
        return 0;
    while (strncmp(text + bytes, ", ", 2) == 0 && strspn(text + bytes + 2, letters))
        bytes += 2 + strspn(text + bytes + 2, letters);
    return strncmp(text + bytes, ": ", 2) == 0 ? bytes + 2 : 0;
}

/* Whether `name` is one of the words in the first bytes of `text`. */
static bool is_named(const char *text, size_t bytes, const char *name)
{
    static const char between[] = ", :";
    size_t wanted = strlen(name);
    for (size_t at = 0, word; at < bytes; at += word + strspn(text + at + word, between)) {
        word = strcspn(text + at, between);
        if (word == wanted && at + word <= bytes && strncmp(text + at, name, word) == 0)
            return true;
    }
    return false;
}

/* The next part's beginning, or NULL. Parts end where another has a heading; other "; " belong to their text. */
static const char *next_part(const char *part)
{
    for (part += heading_bytes(part); (part = strstr(part, "; ")); part += 2)
        if (heading_bytes(part + 2))
            return part + 2;
    return NULL;
}

bool option_help_names(const struct option_row *row, const char *name)
{
    for (const char *part = row->help; part; part = next_part(part))
        if (is_named(part, heading_bytes(part), name))
            return true;
    return false;
}

bool option_row_names(const struct option_row *row, const char *name)
{
    return (row->only && is_named(row->only, strlen(row->only), name)) || option_help_names(row, name);
}

static bool is_limited(const struct option_row *row, const struct subcommand *subcommands)
{
    for (; subcommands->name; subcommands++)
        if (option_row_names(row, subcommands->name))
            return true;
    return false;
}

bool option_is_for(const struct option_row *row, const struct subcommand *subcommands, const char *subcommand)
{
    return option_row_names(row, subcommand) || !is_limited(row, subcommands);
}

void option_help_for(const struct option_row *row, const char *subcommand, struct buffer *out)
{
    size_t start = out->bytes;
    for (const char *part = row->help; part; part = next_part(part)) {
        const char *next = next_part(part);
        size_t heading = heading_bytes(part), bytes = next ? (size_t)(next - part) - 2 : strlen(part);
        if (!heading || is_named(part, heading, subcommand))
            buffer_printf(out, "%s%.*s", out->bytes ? "; " : "", (int)(bytes - heading), part + heading);
    }
    if (out->bytes == start)
        buffer_printf(out, "%s", row->help);
}

const char *option_subcommand_of(const struct option_row *row, const struct subcommand *subcommands)
{
    for (; subcommands->name; subcommands++)
        if (option_row_names(row, subcommands->name))
            return subcommands->name;
    return NULL;
}

/* What the option table says to people: --help and docs/CONFIGURATION.md. Called while a program starts, or by the
 * documentation's generator. */
#include "base/options_private.h"

#include <string.h>

#include "base/bytes.h"

enum { WIDTH_COLUMNS = 80, INDENT_COLUMNS = 30 };

/* Columns that UTF-8 text takes: its characters, as all of ours are one column wide. */
static size_t text_columns(const char *text, size_t bytes)
{
    size_t columns = 0;
    for (size_t i = 0; i < bytes; i++)
        columns += ((unsigned char)text[i] & 0xC0) != 0x80;
    return columns;
}

/* Breaks the text at blanks so that it stays right of `indent`, where the line stands. */
static void write_wrapped(FILE *out, const char *text, int indent)
{
    size_t start = (size_t)indent, column = start;
    for (size_t bytes; *text; text += bytes + (text[bytes] == ' ')) {
        bytes = strcspn(text, " ");
        size_t columns = text_columns(text, bytes);
        if (column > start && column + 1 + columns > WIDTH_COLUMNS) {
            fprintf(out, "\n%*s", indent, "");
            column = start;
        } else if (column > start) {
            fputc(' ', out);
            column++;
        }
        fwrite(text, 1, bytes, out);
        column += columns;
    }
    fputc('\n', out);
}

static void write_entry(FILE *out, const char *left, const char *right)
{
    size_t column = 2 + text_columns(left, strlen(left));
    fprintf(out, "  %s", left);
    if (column >= INDENT_COLUMNS) {
        fprintf(out, "\n");
        column = 0;
    }
    fprintf(out, "%*s", (int)(INDENT_COLUMNS - column), "");
    write_wrapped(out, right, INDENT_COLUMNS);
}

/* `subcommand` NULL: for the help of the whole program. */
static void write_option(FILE *out, const struct option_row *row, const char *subcommand)
{
    struct buffer left = {0}, right = {0};
    char made[OPTION_VARIABLE_BYTES];
    const char *variable = option_variable(row, made);
    buffer_printf(&left, "--%s%s%s", row->flag, row->metavar ? " " : "", row->metavar ? row->metavar : "");
    if (subcommand)
        option_help_for(row, subcommand, &right);
    else
        buffer_printf(&right, "%s", row->help);
    bool limited = option_allowed_write(row, " (", &right);
    if (row->fallback)
        buffer_printf(&right, "%sdefault: %s", limited ? "; " : " (", row->fallback);
    if (limited || row->fallback)
        buffer_printf(&right, ")");
    buffer_printf(&right, " [%s%s%s%s]", variable, row->secret ? " or " : "", row->secret ? variable : "",
                  row->secret ? "_FILE" : "");
    write_entry(out, left.data, right.data);
    buffer_free(&left);
    buffer_free(&right);
}

static void write_heading(FILE *out, const char *subcommand, bool *headed)
{
    if (!*headed)
        fprintf(out, "\nOptions%s%s:\n", subcommand ? " of " : "", subcommand ? subcommand : "");
    *headed = true;
}

/* The options whose help is for this subcommand. `one`: in its own help, which leaves out what is for others, and has
 * what it shares with some of them. */
static void write_own(FILE *out, enum program program, const char *subcommand, bool one)
{
    bool headed = false;
    for (int id = 0; id < OPTION_COUNT_; id++) {
        const struct option_row *row = &option_rows[id];
        if (!option_is_of(row, program) ||
            !(one ? option_row_names(row, subcommand) : option_help_names(row, subcommand)))
            continue;
        write_heading(out, subcommand, &headed);
        write_option(out, &option_rows[id], one ? subcommand : NULL);
    }
}

/* The others; with a subcommand those that it takes. */
static void write_common(FILE *out, enum program program, const struct subcommand *subcommands, const char *subcommand)
{
    bool headed = false;
    for (int id = 0; id < OPTION_COUNT_; id++) {
        const struct option_row *row = &option_rows[id];
        bool is_own = subcommand && option_row_names(row, subcommand);
        for (const struct subcommand *other = subcommands; other->name && !is_own; other++)
            is_own = option_help_names(row, other->name);
        if (!option_is_of(row, program) || is_own || (subcommand && !option_is_for(row, subcommands, subcommand)))
            continue;
        write_heading(out, NULL, &headed);
        write_option(out, row, NULL);
    }
}

static void write_standard(FILE *out, enum program program)
{
    if (option_program_has_params(program))
        write_entry(out, "--param NAME=VALUE", "a parameter of the model; repeatable");
    if (option_program_has_properties(program))
        write_entry(out, "-X NAME=VALUE", "a property for librdkafka; repeatable [KAFKA_<PROPERTY>]");
    write_entry(out, "-h, --help", "this text; with a subcommand: its options");
    write_entry(out, "--version", "the version");
    write_entry(out, "--completion SHELL", "a completion script for bash or zsh");
    write_entry(out, "--man", "the manual page, for man(1)");
}

static void write_subcommands(FILE *out, const struct subcommand *subcommands)
{
    fprintf(out, "\nSubcommands:\n");
    for (const struct subcommand *row = subcommands; row->name; row++) {
        struct buffer left = {0};
        buffer_printf(&left, "%s%s%s", row->name, *row->arguments ? " " : "", row->arguments);
        write_entry(out, left.data, row->help);
        buffer_free(&left);
    }
}

void option_help_write(FILE *out, const struct options *options, const struct subcommand *subcommands)
{
    const char *name = options->invoked;
    enum program program = options->program;
    const struct subcommand *subcommand = options->subcommand;
    if (subcommand) {
        fprintf(out, "usage: %s %s [OPTION]… %s\n\n", name, subcommand->name, subcommand->arguments);
        write_wrapped(out, subcommand->help, 0);
        write_own(out, program, subcommand->name, true);
    } else {
        bool needs_one = *subcommands->arguments != '\0';
        fprintf(out,
                needs_one ? "usage: %s SUBCOMMAND [OPTION]… [ARGUMENT]…\n"
                          : "usage: %s [SUBCOMMAND] [OPTION]… [ARGUMENT]…\n",
                name);
        if (!needs_one)
            fprintf(out, "Without a subcommand: %s.\n", subcommands->name);
        write_subcommands(out, subcommands);
        for (const struct subcommand *row = subcommands; row->name; row++)
            write_own(out, program, row->name, false);
    }
    write_common(out, program, subcommands, subcommand ? subcommand->name : NULL);
    write_standard(out, program);
    fprintf(out,
            "\nAn option may also be given in the environment [in brackets] or as\n`flag = value` in a --config file; "
            "the command line wins over the environment,\nthat over the file.\n");
}

static const char *type_text(enum option_type type)
{
    static const char *const texts[] = {
        [OPTION_TEXT] = "text",    [OPTION_INTEGER] = "integer", [OPTION_DURATION] = "time", [OPTION_SIZE] = "size",
        [OPTION_SHARE] = "number", [OPTION_FLAG] = "switch",     [OPTION_WORD] = "word",     [OPTION_WORDS] = "words"};
    return texts[type];
}

/* Text inside a Markdown table: a bar would end the cell. */
static void write_cell(FILE *out, const char *text)
{
    for (; *text; text++)
        fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void write_reference_row(FILE *out, const struct option_row *row)
{
    char made[OPTION_VARIABLE_BYTES];
    const char *variable = option_variable(row, made);
    fprintf(out, "| `--%s` | ", row->flag);
    fprintf(out, row->secret ? "`%s`, `%s_FILE`" : "`%s`", variable, variable);
    fprintf(out, " | %s | ", type_text(row->type));
    if (row->fallback)
        fprintf(out, "`%s`", row->fallback);
    struct buffer allowed = {0};
    option_allowed_write(row, " ", &allowed);
    fprintf(out, " |%s | ", allowed.bytes ? allowed.data : "");
    buffer_free(&allowed);
    const char *gap = "";
    for (enum program program = PROGRAM_SCORER; program <= PROGRAM_REGISTRY; program++)
        if (option_is_of(row, program)) {
            fprintf(out, "%s%s", gap, option_program_names[program]);
            gap = ", ";
        }
    fprintf(out, " | ");
    write_cell(out, row->help);
    fprintf(out, " |\n");
}

void options_write_reference(FILE *out)
{
    fprintf(
        out,
        "# Configuration\n\n"
        "Generated from `base/option_table.h` by `make docs`; do not edit.\n\n"
        "An option is given on the command line (`--flag value` or `--flag=value`), in the environment, or in the file "
        "named by\n`--config` (one `flag = value` a line; `#` starts a comment; double quotes keep blanks and `#` in a "
        "value; an option of another\nprogram is passed over, an unknown one refused). The command line wins over the "
        "environment, that over the file, that over the\ndefault. An empty variable counts as not given.\n\n"
        "A time is an integer with its unit: `250us`, `100ms`, `25s`, `5m`, `1h`, `1d`. A switch in the environment or "
        "a file is `true` or\n`false` (also `1`, `yes`, `on`; `0`, `no`, `off`). A variable ending in `_FILE` names a "
        "file that holds the secret.\n\n"
        "`-X NAME=VALUE` (repeatable; scorer and producer) sets a property of librdkafka, as does the variable "
        "`KAFKA_NAME` with the\nproperty's name in capitals and underscores for dots (`KAFKA_SASL_USERNAME`; "
        "`KAFKA_SASL_PASSWORD_FILE` names a file that\nholds the value). The scorer reads files of secrets again on "
        "SIGHUP (SECURITY.md). `--param NAME=VALUE` (repeatable; trainer) "
        "sets a parameter of the model.\n\n"
        "Exit status of all programs: 0 done, 1 failed, 2 wrong usage.\n\n"
        "| option | environment | kind | default | allowed | programs | meaning |\n|---|---|---|---|---|---|---|\n");
    for (int id = 0; id < OPTION_COUNT_; id++)
        write_reference_row(out, &option_rows[id]);
}

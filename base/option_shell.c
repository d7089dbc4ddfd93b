/* `--completion bash|zsh` and `--man`: what shells and man(1) want to know of a program, from the option table and the
 * program's subcommands. Called while a program starts; prints and nothing else. */
#include "base/options_private.h"

#include <string.h>

static const char *const standard_flags[] = {"help", "version", "completion", "man", NULL};

/* --- what is offered --- */

static bool is_offered(const struct options *options, const struct option_row *row,
                       const struct subcommand *subcommands, const struct subcommand *subcommand)
{
    return option_is_of(row, options->program) && option_is_for(row, subcommands, subcommand->name);
}

/* The help for that subcommand, up to its first remark. */
static void add_short_help(struct buffer *out, const struct option_row *row, const char *subcommand)
{
    size_t start = out->bytes;
    option_help_for(row, subcommand, out);
    buffer_add_u8(out, 0);
    out->bytes = start + strcspn(out->data + start, ";(");
    while (out->bytes > start && out->data[out->bytes - 1] == ' ')
        out->bytes--;
}

/* --- bash --- */

static void bash_write_words(FILE *out, const struct options *options)
{
    for (int id = 0; id < OPTION_COUNT_; id++) {
        const struct option_row *row = &option_rows[id];
        if (!option_is_of(row, options->program) || !row->words[0])
            continue;
        fprintf(out, "    --%s) COMPREPLY=($(compgen -W '", row->flag);
        for (const char *const *word = row->words; *word; word++)
            fprintf(out, "%s%s", word == row->words ? "" : " ", *word);
        fprintf(out, "' -- \"$cur\")); return ;;\n");
    }
}

static void bash_write_flags(FILE *out, const struct options *options, const struct subcommand *subcommands)
{
    for (const struct subcommand *row = subcommands; row->name; row++) {
        fprintf(out, "    %s) flags='", row->name);
        for (int id = 0; id < OPTION_COUNT_; id++)
            if (is_offered(options, &option_rows[id], subcommands, row))
                fprintf(out, "--%s ", option_rows[id].flag);
        fprintf(out, "--help' ;;\n");
    }
}

static void bash_write(FILE *out, const struct options *options, const struct subcommand *subcommands)
{
    const char *name = option_program_names[options->program];
    fprintf(out, "# bash completion: source <(attrition-%s --completion bash)\n_attrition_%s() {\n", name, name);
    fprintf(out, "    local cur=${COMP_WORDS[COMP_CWORD]} word sub='' names='");
    for (const struct subcommand *row = subcommands; row->name; row++)
        fprintf(out, "%s%s", row == subcommands ? "" : " ", row->name);
    fprintf(out, "' flags='");
    for (const char *const *flag = standard_flags; *flag; flag++)
        fprintf(out, "%s--%s", flag == standard_flags ? "" : " ", *flag);
    fprintf(out, "'\n    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
                 "        if [[ \" $names \" == *\" $word \"* ]]; then sub=$word; break; fi\n    done\n"
                 "    case ${COMP_WORDS[COMP_CWORD-1]} in\n");
    bash_write_words(out, options);
    fprintf(out, "    esac\n    case $sub in\n");
    bash_write_flags(out, options, subcommands);
    fprintf(out, "    esac\n"
                 "    if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n"
                 "    elif [[ -z $sub ]]; then COMPREPLY=($(compgen -W \"$names\" -- \"$cur\"))\n"
                 "    else COMPREPLY=($(compgen -f -- \"$cur\")); fi\n}\n");
    fprintf(out, "complete -o filenames -F _attrition_%s %s attrition-%s\n", name, name, name);
}

/* --- zsh --- */

/* Within single quotes and brackets. */
static void zsh_write_text(FILE *out, struct span text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        if (text.data[i] == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", text.data[i]))
            fprintf(out, "\\%c", text.data[i]);
        else
            fputc(text.data[i], out);
    }
}

static void zsh_write_option(FILE *out, const struct option_row *row, const char *subcommand)
{
    struct buffer help = {0};
    add_short_help(&help, row, subcommand);
    fprintf(out, "        '--%s[", row->flag);
    zsh_write_text(out, buffer_span(&help));
    fputc(']', out);
    if (row->words[0]) {
        fputs(":word:(", out);
        for (const char *const *word = row->words; *word; word++)
            fprintf(out, "%s%s", word == row->words ? "" : " ", *word);
        fputc(')', out);
    } else if (row->metavar) {
        bool is_path = !strcmp(row->metavar, "FILE") || !strcmp(row->metavar, "DIR");
        fputc(':', out);
        zsh_write_text(out, span_of(row->metavar));
        fputs(is_path ? ":_files" : ": ", out);
    }
    fputs("' \\\n", out);
    buffer_free(&help);
}

static void zsh_write(FILE *out, const struct options *options, const struct subcommand *subcommands)
{
    const char *name = option_program_names[options->program];
    fprintf(out, "#compdef %s attrition-%s\n_attrition_%s() {\n    local -a names=(\n", name, name, name);
    for (const struct subcommand *row = subcommands; row->name; row++) {
        fprintf(out, "        '%s:", row->name);
        zsh_write_text(out, span_of(row->help));
        fprintf(out, "'\n");
    }
    fprintf(out, "    )\n    case ${words[(r)(");
    for (const struct subcommand *row = subcommands; row->name; row++)
        fprintf(out, "%s%s", row == subcommands ? "" : "|", row->name);
    fprintf(out, ")]} in\n");
    for (const struct subcommand *row = subcommands; row->name; row++) {
        fprintf(out, "    %s) _arguments \\\n", row->name);
        for (int id = 0; id < OPTION_COUNT_; id++)
            if (is_offered(options, &option_rows[id], subcommands, row))
                zsh_write_option(out, &option_rows[id], row->name);
        fprintf(out, "        '--help[this subcommand]' '*:file:_files' ;;\n");
    }
    fprintf(out, "    *) _describe subcommand names ;;\n    esac\n}\ncompdef _attrition_%s %s attrition-%s\n", name,
            name, name);
}

/* --- man --- */

/* Text where a leading dot or a backslash means nothing to troff, and a hyphen is one. */
static void man_write_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
}

static void man_write_option(FILE *out, const struct option_row *row)
{
    struct buffer allowed = {0};
    char made[OPTION_VARIABLE_BYTES];
    const char *variable = option_variable(row, made);
    bool limited = option_allowed_write(row, "Allowed: ", &allowed);
    fprintf(out, ".TP\n.B \\-\\-");
    man_write_text(out, row->flag);
    if (row->metavar)
        fprintf(out, " \\fI%s\\fR", row->metavar);
    fprintf(out, "\n");
    man_write_text(out, row->help);
    fprintf(out, ".\n");
    if (limited) {
        man_write_text(out, allowed.data);
        fprintf(out, ".\n");
    }
    if (row->fallback) {
        fprintf(out, "Default: ");
        man_write_text(out, row->fallback);
        fprintf(out, ".\n");
    }
    fprintf(out, "Environment: %s%s%s%s.\n", variable, row->secret ? " or " : "", row->secret ? variable : "",
            row->secret ? "_FILE" : "");
    buffer_free(&allowed);
}

static void man_write(FILE *out, const struct options *options, const struct subcommand *subcommands)
{
    const char *name = option_program_names[options->program];
    fprintf(out,
            ".TH ATTRITION\\-%s 1 \"\" \"" VERSION "\" \"attrition scorer\"\n.SH NAME\nattrition\\-%s \\- part of the "
            "attrition scorer\n.SH SYNOPSIS\n",
            name, name);
    for (const struct subcommand *row = subcommands; row->name; row++) {
        fprintf(out, ".B attrition\\-%s %s\n[\\fIOPTION\\fR]… ", name, row->name);
        man_write_text(out, row->arguments);
        fprintf(out, "\n.br\n");
    }
    fprintf(out, ".SH SUBCOMMANDS\n");
    for (const struct subcommand *row = subcommands; row->name; row++) {
        fprintf(out, ".TP\n.B %s\n", row->name);
        man_write_text(out, row->help);
        fprintf(out, ".\n");
    }
    fprintf(out, ".SH OPTIONS\nAn option may also be given in the environment or as \\fIflag = value\\fR in a file "
                 "(\\-\\-config); the command line wins over the\nenvironment, that over the file. Options that name a "
                 "subcommand are for that one alone.\n");
    for (int id = 0; id < OPTION_COUNT_; id++)
        if (option_is_of(&option_rows[id], options->program))
            man_write_option(out, &option_rows[id]);
    fprintf(out, ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage.\n");
}

void option_shell_write(FILE *out, const struct options *options, const struct subcommand *subcommands,
                        const char *what)
{
    if (strcmp(what, "bash") == 0)
        bash_write(out, options, subcommands);
    else if (strcmp(what, "zsh") == 0)
        zsh_write(out, options, subcommands);
    else
        man_write(out, options, subcommands);
}

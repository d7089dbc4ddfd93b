/* The command line again, for a person to repeat: see options.h. Main thread. Must never print a secret's value. */
#include "base/options_private.h"

#include <string.h>

/* As a POSIX shell reads it back. */
static void add_word(struct buffer *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=,-";
    if (*word && word[strspn(word, plain)] == '\0') {
        buffer_add_text(out, word);
        return;
    }
    buffer_add_u8(out, '\'');
    for (; *word; word++)
        if (*word == '\'')
            buffer_add_text(out, "'\\''");
        else
            buffer_add_u8(out, (uint8_t)*word);
    buffer_add_u8(out, '\'');
}

static bool is_secret_property(const char *name)
{
    static const char *const parts[] = {"password", "secret", "pem", "token", "config"};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
        if (strstr(name, parts[p]))
            return true;
    return false;
}

static void add_secret(struct buffer *secrets, const char *before, const char *name)
{
    buffer_printf(secrets, "%s%s%s", secrets->bytes ? ", " : "", before, name);
}

static void add_flag(struct buffer *out, const struct option_row *row, const struct option_value *value)
{
    buffer_printf(out, " --%s", row->flag);
    if (row->type == OPTION_FLAG && value->number)
        return;
    buffer_add_u8(out, row->type == OPTION_FLAG ? '=' : ' ');
    add_word(out, value->text ? value->text : "");
}

static void add_flags(const struct options *options, const char *flag, struct buffer *out, struct buffer *secrets)
{
    for (int id = 0; id < OPTION_COUNT_; id++) {
        if (options->values[id].source != OPTION_FROM_FLAG || strcmp(option_rows[id].flag, flag) == 0)
            continue;
        if (option_rows[id].secret)
            add_secret(secrets, "--", option_rows[id].flag);
        else
            add_flag(out, &option_rows[id], &options->values[id]);
    }
}

static void add_properties(const struct options *options, struct buffer *out, struct buffer *secrets)
{
    for (size_t i = 0; i < options->properties.count; i++) {
        const struct option_pair *pair = &options->properties.items[i];
        struct buffer text = {0};
        if (is_secret_property(pair->name)) {
            add_secret(secrets, "-X ", pair->name);
            continue;
        }
        buffer_printf(&text, "%s=%s", pair->name, pair->value);
        buffer_add_text(out, " -X ");
        add_word(out, text.data);
        buffer_free(&text);
    }
}

/* NUL-terminated, which is not counted. */
static void end_text(struct buffer *text)
{
    buffer_add_u8(text, 0);
    text->bytes--;
}

void options_write_command(const struct options *options, const char *flag, struct buffer *out, struct buffer *secrets)
{
    add_word(out, options->path);
    buffer_printf(out, " %s --%s", options->subcommand->name, flag);
    add_flags(options, flag, out, secrets);
    add_properties(options, out, secrets);
    for (size_t i = 0; i < options->argument_count; i++) {
        buffer_add_u8(out, ' ');
        if (options->arguments[i][0] == '-' && options->arguments[i][1])
            buffer_add_text(out, "./");
        add_word(out, options->arguments[i]);
    }
    end_text(out);
    end_text(secrets);
}

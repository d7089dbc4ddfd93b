/* Values and pairs as they are given, from wherever: see options_private.h. Main thread, at start. */
#include "base/options_private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

int option_find(enum program program, const char *flag, size_t flag_bytes)
{
    for (int id = 0; id < OPTION_COUNT_; id++)
        if (option_is_of(&option_rows[id], program) && strlen(option_rows[id].flag) == flag_bytes &&
            memcmp(option_rows[id].flag, flag, flag_bytes) == 0)
            return id;
    return -1;
}

const char *option_variable(const struct option_row *row, char out[OPTION_VARIABLE_BYTES])
{
    if (row->environment)
        return row->environment;
    snprintf(out, OPTION_VARIABLE_BYTES, "ATTRITION_%s", row->flag);
    for (char *at = out; *at; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    return out;
}

/* `before`: what the same source has given of an option that repeats, or NULL. */
static const char *join_texts(struct options *options, const char *before, const char *value)
{
    struct buffer joined = {0};
    if (!before)
        return arena_text(&options->arena, value, strlen(value));
    buffer_printf(&joined, "%s%c%s", before, OPTION_SEPARATOR, value);
    const char *kept = arena_text(&options->arena, joined.data, strlen(joined.data));
    buffer_free(&joined);
    return kept;
}

enum status option_give(struct options *options, enum option_id id, const char *value, enum option_source source,
                        const char *named, struct error *err)
{
    struct option_value *slot = &options->values[id];
    struct option_value read = {.source = source};
    enum status status = option_value_read(&option_rows[id], value, named, &read, err);
    if (status == STATUS_OK && source >= slot->source) {
        const char *before = option_rows[id].repeats && source == slot->source ? slot->text : NULL;
        bool none = option_rows[id].type == OPTION_WORD && *value == '\0';
        *slot = read;
        slot->text = none ? NULL : join_texts(options, before, value);
    }
    return status;
}

void option_add_named_pair(struct options *options, struct option_pairs *pairs, const char *name, const char *value)
{
    pairs->items = mem_resize(pairs->items, pairs->count + 1, sizeof *pairs->items);
    pairs->items[pairs->count++] = (struct option_pair){.name = arena_text(&options->arena, name, strlen(name)),
                                                        .value = arena_text(&options->arena, value, strlen(value))};
}

enum status option_add_pair(struct options *options, struct option_pairs *pairs, const char *assignment,
                            const char *named, struct error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return error_set(err, STATUS_INVALID, "%s needs NAME=VALUE", named);
    const char *name = arena_text(&options->arena, assignment, (size_t)(equals - assignment));
    option_add_named_pair(options, pairs, name, equals + 1);
    return STATUS_OK;
}

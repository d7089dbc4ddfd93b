/* The list of forms, and which of them an input has: see input_form.h. Called by input.c and backfill. */
#include "producer/input_form.h"

#include <assert.h>
#include <strings.h>

static const struct input_form *const forms[] = {
#define INPUT_FORM_ROW(name) &input_##name,
    INPUT_FORMS(INPUT_FORM_ROW)
#undef INPUT_FORM_ROW
};

enum { FORM_COUNT = sizeof forms / sizeof *forms };

static const struct input_form *form_find(const char *name)
{
    for (size_t f = 0; f < FORM_COUNT; f++)
        if (strcmp(forms[f]->name, name) == 0)
            return forms[f];
    return NULL;
}

enum status input_form_check(const char *format, struct error *err)
{
    struct buffer names = {0};
    if (form_find(format))
        return STATUS_OK;
    for (size_t f = 0; f < FORM_COUNT; f++)
        buffer_printf(&names, "%s%s", !f ? "" : f + 1 < FORM_COUNT ? ", " : " or ", forms[f]->name);
    enum status status =
        error_set(err, STATUS_INVALID, "--format %s: %.*s", format, (int)names.bytes, buffer_span(&names).data);
    buffer_free(&names);
    return status;
}

static bool name_ends(struct span name, const char *ending)
{
    size_t bytes = strlen(ending);
    return name.bytes >= bytes && strncasecmp(name.data + name.bytes - bytes, ending, bytes) == 0;
}

/* Rejects of a file keep its form, and so does a compressed one: people.jsonl.gz.rejects is JSON Lines. */
static struct span name_without(struct span name)
{
    static const char *const added[] = {".rejects", ".gz", ".gzip", ".zst", ".zstd"};
    for (size_t a = 0; a < sizeof added / sizeof *added; a++)
        if (name_ends(name, added[a])) {
            name.bytes -= strlen(added[a]);
            a = (size_t)-1;
        }
    return name;
}

static const struct input_form *form_by_name(struct span name)
{
    name = name_without(name);
    for (size_t f = 0; f < FORM_COUNT; f++)
        for (const char *const *ending = forms[f]->endings; *ending && !forms[f]->binary; ending++)
            if (name_ends(name, *ending))
                return forms[f];
    return NULL;
}

static const struct input_form *form_by_content(struct span head, bool binary)
{
    for (size_t f = 0; f < FORM_COUNT && head.bytes; f++)
        if (forms[f]->binary == binary && forms[f]->recognize && forms[f]->recognize(head))
            return forms[f];
    return NULL;
}

const struct input_form *input_form_binary(const char *format, struct span head)
{
    const struct input_form *form = format ? form_find(format) : form_by_content(head, true);
    assert(form || !format);
    return form && form->binary ? form : NULL;
}

const struct input_form *input_form_text(const char *format, const char *path, struct span head)
{
    const struct input_form *form = format ? form_find(format) : form_by_name(span_of(path));
    if (!form)
        form = form_by_content(head, false);
    return form ? form : forms[0];
}

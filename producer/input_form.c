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

/* Rejects of a file keep its form: people.jsonl.rejects is JSON Lines. */
static const struct input_form *form_by_name(struct span name)
{
    while (name_ends(name, ".rejects"))
        name.bytes -= sizeof ".rejects" - 1;
    for (size_t f = 0; f < FORM_COUNT; f++)
        for (const char *const *ending = forms[f]->endings; *ending; ending++)
            if (name_ends(name, *ending))
                return forms[f];
    return NULL;
}

static const struct input_form *form_by_content(FILE *file)
{
    int first = getc(file);
    if (first == EOF)
        return NULL;
    ungetc(first, file);
    const char head = (char)first;
    for (size_t f = 0; f < FORM_COUNT; f++)
        if (forms[f]->recognize && forms[f]->recognize((struct span){&head, 1}))
            return forms[f];
    return NULL;
}

const struct input_form *input_form_choose(const char *format, const char *path, FILE *file)
{
    const struct input_form *form = format ? form_find(format) : form_by_name(span_of(path));
    assert(form || !format);
    if (!form)
        form = form_by_content(file);
    return form ? form : forms[0];
}

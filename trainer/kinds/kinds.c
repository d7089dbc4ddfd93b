/* The list of kinds: see kinds.h. */
#include "trainer/kinds/kinds.h"

#include <string.h>

static const struct model_kind *const kinds[] = {
#define MODEL_KIND(name) &kind_##name,
    MODEL_KINDS(MODEL_KIND)
#undef MODEL_KIND
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

enum status model_kind_find(const char *name, const struct model_kind **out, struct error *err)
{
    struct buffer names = {0};
    for (size_t k = 0; name && k < KIND_COUNT; k++)
        if (strcmp(name, kinds[k]->name) == 0) {
            *out = kinds[k];
            return STATUS_OK;
        }
    for (size_t k = 0; k < KIND_COUNT; k++)
        buffer_printf(&names, "%s%s", !k ? "" : k + 1 < KIND_COUNT ? ", " : " or ", kinds[k]->name);
    enum status status = error_set(err, STATUS_INVALID, "--model: give %.*s", (int)names.bytes, names.data);
    buffer_free(&names);
    return status;
}

/* The list of kinds: see kinds.h. */
#include "trainer/kinds/kinds.h"

#include <string.h>

static const struct model_kind *const kinds[] = {&kind_logistic, &kind_logistic_l2, &kind_random_forest};

const struct model_kind *model_kind_find(const char *name)
{
    for (size_t k = 0; name && k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(name, kinds[k]->name) == 0)
            return kinds[k];
    return NULL;
}

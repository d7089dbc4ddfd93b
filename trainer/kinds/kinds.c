/* The list of kinds: see kinds.h. */
#include "trainer/kinds/kinds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct model_kind *const kinds[] = {&kind_logistic, &kind_logistic_l2, &kind_random_forest};

const struct model_kind *model_kind_find(const char *name)
{
    for (size_t k = 0; name && k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(name, kinds[k]->name) == 0)
            return kinds[k];
    return NULL;
}

bool param_read_number(const char *text, double *out)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end)
        return false;
    *out = number;
    return true;
}

bool param_read_integer(const char *text, double least, double most, unsigned *out)
{
    double number;
    if (!param_read_number(text, &number) || !(number >= least && number <= most) || number != floor(number))
        return false;
    *out = (unsigned)number;
    return true;
}

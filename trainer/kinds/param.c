/* See param.h. Pure. */
#include "trainer/kinds/param.h"

#include <math.h>
#include <stdlib.h>

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

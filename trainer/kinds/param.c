/* See param.h. Pure. */
#include "trainer/kinds/param.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trainer/train_settings.h"

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

bool param_read_class_weight(const char *value, struct train_settings *out)
{
    out->balanced = strcmp(value, "balanced") == 0;
    return out->balanced || strcmp(value, "None") == 0;
}

void param_show_class_weight(const struct train_settings *settings, double chosen, char *out)
{
    (void)chosen;
    snprintf(out, TRAIN_SETTINGS_TEXT_BYTES, "%s", settings->balanced ? "balanced" : "None");
}

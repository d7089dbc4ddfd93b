/* Reading the values of --param: for the kinds' own tables. */
#pragma once

#include <stdbool.h>

/* False: not such a number. */
bool param_read_number(const char *text, double *out);
bool param_read_integer(const char *text, double least, double most, unsigned *out);

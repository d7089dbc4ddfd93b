/* Reading the values of --param: for the kinds' own tables. */
#ifndef TRAINER_KINDS_PARAM_H
#define TRAINER_KINDS_PARAM_H

#include <stdbool.h>

/* False: not such a number. */
bool param_read_number(const char *text, double *out);
bool param_read_integer(const char *text, double least, double most, unsigned *out);

#endif

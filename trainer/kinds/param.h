/* Reading and showing the values of --param: for the kinds' own tables. */
#pragma once

#include <stdbool.h>

/* False: not such a number. */
bool param_read_number(const char *text, double *out);
bool param_read_integer(const char *text, double least, double most, unsigned *out);

/* class_weight of kinds that weigh classes as a whole: balanced or None (struct model_param). */
struct train_settings;
bool param_read_class_weight(const char *value, struct train_settings *out);
void param_show_class_weight(const struct train_settings *settings, double chosen, char *out);

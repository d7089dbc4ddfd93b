/* The commands of `producer dlq`. All return the program's exit status. */
#pragma once

#include "producer/dlq_filter.h"

int dlq_list(const struct options *options, const struct dlq_filter *filter);
int dlq_show(const struct options *options); /* places are the arguments after the first */
int dlq_replay(const struct options *options, const struct dlq_filter *filter);

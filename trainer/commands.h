/* Inside of trainer/: the program's subcommands. Each returns the exit status: 0 done, 1 failed, 2 usage. */
#pragma once

#include "base/options.h"

int command_describe(const struct options *options);
int command_train(const struct options *options);
int command_evaluate(const struct options *options);
int command_compare(const struct options *options);

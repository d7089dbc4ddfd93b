/* Inside of trainer/: the program's subcommands. Each returns the exit status: 0 done, 1 failed, 2 usage. */
#ifndef TRAINER_COMMANDS_H
#define TRAINER_COMMANDS_H

#include "base/options.h"

int command_describe(const struct options *options);
int command_train(const struct options *options);
int command_evaluate(const struct options *options);
int command_compare(const struct options *options);

#endif

/* Inside of trainer/: the program's subcommands (base/options.h: struct subcommand). */
#pragma once

#include "base/options.h"

enum status command_describe(const struct options *options, struct error *err);
int command_train(const struct options *options);
enum status command_evaluate(const struct options *options, struct error *err);
int command_retrain(const struct options *options);
enum status command_table(const struct options *options, struct error *err);
enum status command_compare(const struct options *options, struct error *err);

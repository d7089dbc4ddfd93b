/* Inside of registry/: the tool's subcommands. Each returns the exit status: 0 done, 1 failed, 2 usage. */
#pragma once

#include "base/options.h"

int command_list(const struct options *options);
int command_show(const struct options *options);
int command_promote(const struct options *options);
int command_rollback(const struct options *options);
int command_sync(const struct options *options);
int command_import(const struct options *options);
int command_verify(const struct options *options);

/* Inside of registry/: the tool's subcommands (base/options.h: struct subcommand). */
#pragma once

#include "base/options.h"

int command_list(const struct options *options);
enum status command_show(const struct options *options, struct error *err);
enum status command_promote(const struct options *options, struct error *err);
enum status command_rollback(const struct options *options, struct error *err);
enum status command_sync(const struct options *options, struct error *err);
int command_import(const struct options *options);
enum status command_verify(const struct options *options, struct error *err);

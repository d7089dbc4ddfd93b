/* The producer's subcommands; each returns the exit status: 0 done, 1 failed, 2 usage. */
#pragma once

#include "base/options.h"

int cmd_backfill(const struct options *options);
int cmd_generate(const struct options *options);
int cmd_rescore(const struct options *options);
int cmd_dlq(const struct options *options);

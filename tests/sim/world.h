/* One run of a seed: see world.c. */
#pragma once

#include "scorer/settings.h"

/* Made once, before the runs' processes are forked. */
struct world {
    struct schema *schema;
    struct settings earliest, latest; /* by where a new group starts */
};

/* Does not return: run_end. */
void world_run(const struct world *given, uint64_t seed, bool verbose) __attribute__((noreturn));

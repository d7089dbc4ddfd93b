/* What a run's process reports to the one that started it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct run_result {
    bool violated;
    uint64_t hash;
    int64_t virtual_us, events, kills;
    char kind[32], text[400];
};

void chance_seed(uint64_t seed, bool verbose);
/* Ends the run's process. */
void run_end(struct run_result *result) __attribute__((noreturn));

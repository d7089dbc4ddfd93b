/* What a run's process tells the one that started it. */
#ifndef TESTS_SIM_VERDICT_H
#define TESTS_SIM_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct verdict {
    bool violated;
    uint64_t hash;
    int64_t virtual_us, events, kills;
    char kind[32], text[400];
};

void chance_seed(uint64_t seed, bool verbose);
/* Ends the run's process. */
void verdict_give(struct verdict *verdict) __attribute__((noreturn));

#endif

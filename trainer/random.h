/* Random numbers that are the same on every machine: Steele, Lea and Flood's SplitMix64. Each consumer has its own
 * state, seeded from the user's seed, so that threads never share one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* 0 … bound - 1, each as likely; bound > 0. */
static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    uint64_t unfair = -bound % bound, drawn;
    do
        drawn = random_next(state);
    while (drawn < unfair);
    return drawn % bound;
}

/* All orders of the numbers are as likely. */
static inline void random_shuffle(uint64_t *state, uint32_t *numbers, size_t count)
{
    for (size_t left = count; left > 1; left--) {
        size_t other = (size_t)random_below(state, left);
        uint32_t moved = numbers[other];
        numbers[other] = numbers[left - 1];
        numbers[left - 1] = moved;
    }
}

/* The state of stream number `stream` of a seed: streams of one seed, and seeds, are unrelated. */
static inline uint64_t random_stream(uint64_t seed, uint64_t stream)
{
    uint64_t state = seed;
    uint64_t mixed = random_next(&state) ^ (stream * 0xD1342543DE82EF95u + 1);
    return random_next(&mixed);
}

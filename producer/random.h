/* Random numbers that are the same on every machine: integer arithmetic and exact double operations only, no libm.
 * Plain data, one per thread. Not for secrets. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* An independent sequence for each (seed, stream, index): row 7 is the same whether 10 or a million rows are drawn. */
void random_seed(struct random *random, uint64_t seed, uint64_t stream, uint64_t index);

uint64_t random_bits(struct random *random);
double random_uniform(struct random *random);     /* in [0, 1), a multiple of 2^-53 */
double random_normal(struct random *random);      /* mean 0, sd 1, within ±6 */
double random_exponential(struct random *random); /* mean 1 */

/* Index in [0, count), each equally likely up to 2^-53; count > 0. */
size_t random_index(struct random *random, size_t count);

/* e^x within 1e-11 (relative); x is clamped to ±50. Bit for bit the same everywhere. */
double random_exp(double x);
/* ln(1 + e^x) within 1e-9, bit for bit the same everywhere. */
double random_softplus(double x);

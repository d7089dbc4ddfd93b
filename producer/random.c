/* xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64. Called by recipe and poison, on one thread.
 * Must never call libm: its last bits differ between processors. */
#include "producer/random.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void random_seed(struct random *random, uint64_t seed, uint64_t stream, uint64_t index)
{
    uint64_t state = seed;
    state = splitmix(&state) ^ stream;
    state = splitmix(&state) ^ index;
    for (size_t i = 0; i < 4; i++)
        random->state[i] = splitmix(&state);
}

static uint64_t rotate_left(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

uint64_t random_bits(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double random_uniform(struct random *random)
{
    return (double)(random_bits(random) >> 11) * 0x1p-53;
}

size_t random_index(struct random *random, size_t count)
{
    return (size_t)(random_uniform(random) * (double)count);
}

/* The sum of twelve uniforms: variance 1, and every step exact enough to be the same everywhere. */
double random_normal(struct random *random)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += random_uniform(random);
    return sum;
}

/* Von Neumann's method (1951): comparisons only. A run u0 > u1 > … of odd length accepts u0; each refusal adds one. */
double random_exponential(struct random *random)
{
    for (double whole = 0;; whole += 1) {
        double first = random_uniform(random), last = first;
        for (;;) {
            double next = random_uniform(random);
            if (next >= last)
                return whole + first;
            last = next;
            next = random_uniform(random);
            if (next >= last)
                break;
            last = next;
        }
    }
}

static double log_of(double x) /* x >= 1: halved until it is small, then Newton's (Halley's) method for e^y = x */
{
    static const double ln2 = 0x1.62e42fefa39efp-1;
    double whole = 0;
    for (; x > 2; whole += ln2)
        x /= 2;
    double y = x - 1;
    for (int i = 0; i < 5; i++) {
        double e = random_exp(y);
        y += 2 * (x - e) / (x + e);
    }
    return whole + y;
}

double random_softplus(double x)
{
    return log_of(1 + random_exp(x));
}

double random_exp(double x)
{
    enum { HALVINGS = 9, TERMS = 8 };
    x = x > 50 ? 50 : x < -50 ? -50 : x;
    double small = x / (1 << HALVINGS), sum = 1;
    for (int n = TERMS; n > 0; n--)
        sum = 1 + sum * small / n;
    for (int i = 0; i < HALVINGS; i++)
        sum *= sum;
    return sum;
}

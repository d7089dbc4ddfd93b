/* FNV-1a over bytes, to find what is equal: never for anything that an opponent could choose. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

static const uint64_t hash_seed = UINT64_C(0xcbf29ce484222325);

static inline uint64_t hash_bytes(struct span bytes, uint64_t seed)
{
    for (size_t b = 0; b < bytes.bytes; b++)
        seed = (seed ^ (uint8_t)bytes.data[b]) * UINT64_C(1099511628211);
    return seed;
}

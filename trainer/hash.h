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

/* A row under its hash, or the hash of its id. */
struct hashed_row {
    uint64_t hash;
    uint32_t row;
};

/* For qsort: equal hashes stand together, rows ascending. */
static inline int order_hashed_rows(const void *a, const void *b)
{
    const struct hashed_row *left = a, *right = b;
    if (left->hash != right->hash)
        return left->hash < right->hash ? -1 : 1;
    return (left->row > right->row) - (left->row < right->row);
}

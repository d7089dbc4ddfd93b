/* SHA-256, by libcrypto. */
#pragma once

#include "base/bytes.h"

enum { SHA256_BYTES = 32, SHA256_HEX_BYTES = 65 };

/* For many digests one after the other: what libcrypto needs for one is set up once. One thread at a time. */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *sha256);
void sha256_digest(struct sha256 *sha256, struct span bytes, uint8_t out[SHA256_BYTES]);

/* 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(struct span bytes, char out[SHA256_HEX_BYTES]);

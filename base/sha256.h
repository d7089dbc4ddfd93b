/* SHA-256, by libcrypto. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/bytes.h"

enum { SHA256_HEX_BYTES = 65 };

/* 64 lower-case hexadecimal digits and a NUL. */
void sha256_hex(struct span bytes, char out[SHA256_HEX_BYTES]);

#endif

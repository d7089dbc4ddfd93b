/* The only file that knows libcrypto: see sha256.h. Any thread. */
#include "base/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

void sha256_hex(struct span bytes, char out[SHA256_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    if (EVP_Digest(bytes.data ? bytes.data : "", bytes.bytes, digest, &digest_bytes, EVP_sha256(), NULL) != 1 ||
        digest_bytes != 32) {
        fprintf(stderr, "libcrypto has no SHA-256: check its installation and OPENSSL_CONF\n");
        abort();
    }
    for (unsigned i = 0; i < digest_bytes; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * digest_bytes] = '\0';
}

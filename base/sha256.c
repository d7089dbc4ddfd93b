/* The only file that knows libcrypto: see sha256.h. Any thread, each with a struct of its own. */
#include "base/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

/* The method is looked up once; each digest starts the context again. */
struct sha256 {
    EVP_MD *method;
    EVP_MD_CTX *context;
};

static void must(bool done)
{
    if (done)
        return;
    fprintf(stderr, "libcrypto has no SHA-256: check its installation and OPENSSL_CONF\n");
    abort();
}

struct sha256 *sha256_new(void)
{
    struct sha256 *sha256 = mem_zeroed(1, sizeof *sha256);
    sha256->method = EVP_MD_fetch(NULL, "SHA256", NULL);
    sha256->context = EVP_MD_CTX_new();
    must(sha256->method && sha256->context && EVP_DigestInit_ex(sha256->context, sha256->method, NULL) == 1);
    return sha256;
}

void sha256_free(struct sha256 *sha256)
{
    if (!sha256)
        return;
    EVP_MD_CTX_free(sha256->context);
    EVP_MD_free(sha256->method);
    free(sha256);
}

void sha256_digest(struct sha256 *sha256, struct span bytes, uint8_t out[SHA256_BYTES])
{
    must(EVP_DigestInit_ex(sha256->context, NULL, NULL) == 1 &&
         EVP_DigestUpdate(sha256->context, bytes.data, bytes.bytes) == 1 &&
         EVP_DigestFinal_ex(sha256->context, out, NULL) == 1);
}

void sha256_hex(struct span bytes, char out[SHA256_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_BYTES];
    struct sha256 *sha256 = sha256_new();
    sha256_digest(sha256, bytes, digest);
    sha256_free(sha256);
    for (unsigned i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[2 * SHA256_BYTES] = '\0';
}

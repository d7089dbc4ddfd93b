/* base/sha256.h: the standard's own examples (FIPS 180-4). */
#include "tests/unit/base/unit.h"

#include <string.h>

#include "base/sha256.h"

static void digests_are_the_standards(void **state)
{
    (void)state;
    char hex[SHA256_HEX_BYTES];
    sha256_hex(SPAN_LITERAL("abc"), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_hex(SPAN_NULL, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void one_context_makes_many_digests(void **state)
{
    (void)state;
    struct sha256 *sha256 = sha256_new();
    uint8_t first[SHA256_BYTES], other[SHA256_BYTES], again[SHA256_BYTES];
    sha256_digest(sha256, SPAN_LITERAL("abc"), first);
    sha256_digest(sha256, SPAN_NULL, other);
    sha256_digest(sha256, SPAN_LITERAL("abc"), again);
    assert_int_equal(first[0], 0xba);
    assert_int_equal(first[31], 0xad);
    assert_int_equal(other[0], 0xe3);
    assert_memory_equal(first, again, sizeof first);
    sha256_free(sha256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(digests_are_the_standards),
                                       cmocka_unit_test(one_context_makes_many_digests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(digests_are_the_standards)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* avro/write.h: a varint of every width is the fewest bytes, and is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "avro/read.h"
#include "avro/write.h"

/* Seven bits a byte, as Avro says. */
static size_t reference_put(uint8_t *at, uint64_t raw)
{
    size_t bytes = 0;
    for (; raw >= 0x80; raw >>= 7)
        at[bytes++] = (uint8_t)(raw | 0x80);
    at[bytes++] = (uint8_t)raw;
    return bytes;
}

static void check(uint64_t raw)
{
    char wrote[AVRO_VARINT_MAX];
    uint8_t due[AVRO_VARINT_MAX];
    int64_t value = avro_unzigzag(raw), back;
    bool padded = false;
    size_t bytes = (size_t)(avro_put_long(wrote, value) - wrote);
    assert_int_equal(bytes, reference_put(due, raw));
    assert_memory_equal(wrote, due, bytes);
    struct cursor in = cursor_of((struct span){wrote, bytes});
    assert_true(avro_read_long(&in, &back, &padded) && back == value && !padded && !cursor_left(&in));
}

static void test_varints_of_every_width(void **state)
{
    (void)state;
    check(0);
    check(UINT64_MAX);
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = UINT64_C(1) << bit;
        check(power - 1);
        check(power);
        check(power | power / 3);
        check(power | 0x5555555555555555 >> (63 - bit));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_varints_of_every_width)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

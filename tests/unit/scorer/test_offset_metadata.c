/* What a committed offset says of the record before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "scorer/stream/offset_metadata.h"

static const struct handled_record seven = {7, 70}, none = {.offset = NO_RECORD};

static const char *written(int64_t next, const struct handled_record *last, bool current_records)
{
    static char metadata[OFFSET_METADATA_BYTES];
    offset_metadata_write(next, last, current_records, metadata);
    return metadata;
}

static void the_last_record_is_named(void **state)
{
    (void)state;
    const char *metadata = written(9, &seven, false);
    assert_string_equal(metadata, "next=9 last=7 ms=70");
    struct handled_record last = offset_metadata_last(9, metadata, strlen(metadata));
    assert_int_equal(last.offset, 7);
    assert_int_equal(last.timestamp_ms, 70);
    assert_string_equal(written(9, &none, false), "");
    assert_string_equal(written(7, &seven, false), ""); /* the record itself is still to be handled */
}

static void metadata_of_another_offset_is_not_believed(void **state)
{
    static const char *const given[] = {
        "next=8 last=7 ms=70", "next=9 last=9 ms=70", "next=9 last=-1 ms=0", "next=9 last=", "", "somebody else's"};
    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        assert_int_equal(offset_metadata_last(9, given[i], strlen(given[i])).offset, NO_RECORD);
    assert_int_equal(offset_metadata_last(9, NULL, 0).offset, NO_RECORD);
}

static void metadata_says_whether_current_records_were_committed(void **state)
{
    static const char *const without[] = {"", "next=9 last=7 ms=70", "unclaimed", "restate",
                                          "next=9 last=7 ms=70state"};
    (void)state;
    const char *metadata = written(9, &seven, true);
    assert_string_equal(metadata, "next=9 last=7 ms=70 state");
    assert_true(offset_metadata_has_current_records(metadata, strlen(metadata)));
    assert_int_equal(offset_metadata_last(9, metadata, strlen(metadata)).offset, 7);
    metadata = written(3, &none, true);
    assert_string_equal(metadata, "state");
    assert_true(offset_metadata_has_current_records(metadata, strlen(metadata)));
    assert_false(offset_metadata_has_current_records(NULL, 0));
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        assert_false(offset_metadata_has_current_records(without[i], strlen(without[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_record_is_named),
        cmocka_unit_test(metadata_of_another_offset_is_not_believed),
        cmocka_unit_test(metadata_says_whether_current_records_were_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

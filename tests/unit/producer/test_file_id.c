/* producer/file_id.h: what is refused, what is doubted, and what is left alone. */
#include "tests/unit/producer/unit.h"

#include "producer/file_id.h"

static void what_is_doubted(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        enum file_id_doubt doubt;
    } cases[] = {
        {"123.0", FILE_ID_FRACTION},
        {"123,00", FILE_ID_FRACTION},
        {"123.", FILE_ID_NO_DOUBT},
        {"123.5", FILE_ID_NO_DOUBT},
        {".0", FILE_ID_NO_DOUBT},
        {"NULL", FILE_ID_MISSING},
        {"nan", FILE_ID_MISSING},
        {"\\N", FILE_ID_MISSING},
        {"-", FILE_ID_MISSING},
        {"Nuller", FILE_ID_NO_DOUBT},
        {"5-Mar", FILE_ID_DATE},
        {"Mar-25", FILE_ID_DATE},
        {"1-FEB-24", FILE_ID_DATE},
        {"2025-03-04", FILE_ID_DATE},
        {"2025-03-04 00:00:00", FILE_ID_DATE},
        {"MAR5", FILE_ID_NO_DOUBT},
        {"mar-", FILE_ID_NO_DOUBT},
        {"jan-x1", FILE_ID_NO_DOUBT},
        {"2025-x", FILE_ID_NO_DOUBT},
        {"12-abc", FILE_ID_NO_DOUBT},
        {"E1 ", FILE_ID_PADDED},
        {"\xc2\xa0"
         "E1",
         FILE_ID_PADDED},
        {"E1", FILE_ID_NO_DOUBT},
        {"E-1", FILE_ID_NO_DOUBT},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        if (file_id_doubt(span_of(cases[c].id)) != cases[c].doubt)
            fail_msg("%s: %d", cases[c].id, file_id_doubt(span_of(cases[c].id)));
}

static void what_is_left_alone(void **state)
{
    (void)state;
    static const char *const ids[] = {"E1",
                                      "12E5",
                                      "+491234",
                                      "#7",
                                      "-5",
                                      "'x",
                                      "1.2",
                                      "Err:x",
                                      "M\xc3\xbcller",
                                      "a\xe2\x80\x8d"
                                      "b"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_null(file_id_flaw(span_of(ids[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_doubted), cmocka_unit_test(what_is_left_alone)};
    return cmocka_run_group_tests_name("producer/file_id", tests, unit_setup, unit_teardown);
}

/* Connection strings: which are refused before libpq could quote them. */
#include "tests/unit/base/unit.h"

#include <string.h>

#include "base/conninfo.h"

static void assert_check(const char *conninfo, enum status wanted)
{
    struct error err = {0};
    enum status status = conninfo_check("DATABASE_URL", conninfo, &err);
    if (status != wanted)
        print_error("%s\n", conninfo);
    assert_int_equal(status, wanted);
    assert_null(strstr(err.text, "hush"));
    assert_true(wanted == STATUS_OK || strstr(err.text, "DATABASE_URL"));
}

static void connection_strings_are_read_as_they_are_meant(void **state)
{
    (void)state;
    static const char *const sound[] = {
        "",

        "host=h port=5432 password=hush@/:",
        "postgresql://me:hu%2Fsh@h:5432/d",
        "postgresql://me@h,i:5,j:6/d?sslmode=require",
        "postgresql:///d?host=/run/x&port=5433",
        "postgresql://[::1]:5432/d",
        "postgresql://me:hush?x@h/d",
    };
    for (size_t s = 0; s < sizeof sound / sizeof *sound; s++)
        assert_check(sound[s], STATUS_OK);
}

/* Each has a password whose characters end it early. */
static void a_password_is_never_taken_for_a_port_or_host(void **state)
{
    (void)state;
    static const char *const misread[] = {
        "postgresql://me:hush/x@h/d",  "postgresql://me:x@hush@h/d", "postgresql://me:hush",
        "postgresql://me:54/hush@h/d", "host=h password='hush",      "password hush",
    };
    for (size_t m = 0; m < sizeof misread / sizeof *misread; m++)
        assert_check(misread[m], STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connection_strings_are_read_as_they_are_meant),
        cmocka_unit_test(a_password_is_never_taken_for_a_port_or_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

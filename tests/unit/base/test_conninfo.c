/* Connection strings: which are refused before libpq could quote them. */
#include "tests/unit/base/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conninfo.h"
#include "base/file.h"

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

static void a_server_beyond_this_machine_is_verified(void **state)
{
    (void)state;
    static const struct {
        bool is_unverified;
        const char *conninfo, *variable, *value;
    } rows[] = {
        {true, "host=h", "", ""},
        {true, "postgresql://me:hush@h/d", "", ""},
        {true, "postgres://h,localhost/d", "", ""},
        {true, "host=localhost,h", "", ""},
        {true, "host = 'h' sslmode = 'require'", "", ""},
        {true, "postgresql:///d?host=h&sslmode=verify-ca", "", ""},
        {true, "postgresql:///d?host=h&application_name=sslmode%3Dverify-full", "", ""},
        {true, "host=localhost hostaddr=192.0.2.1", "", ""},
        {true, "hostaddr=127.0.0.1,192.0.2.1", "", ""},
        {true, "host=/run/x,h", "", ""},
        {true, "host=127.example", "", ""},
        {true, "postgresql://h/d?ssl=true", "", ""},
        {true, "postgresql://[2001:db8::1]:5432/d", "", ""},
        {true, "dbname=d", "PGHOST", "h"},
        {true, "host=h", "PGSSLMODE", "require"},
        {true, "service=far", "", ""},
        {true, "", "PGSERVICE", "far"},
        {false, "", "", ""},
        {false, "dbname='host=h'", "", ""},
        {false, "password='host=h'", "", ""},
        {false, "host=h hostaddr=127.0.0.1", "", ""},
        {false, "hostaddr=::1", "", ""},
        {false, "host='localhost' port=5432", "", ""},
        {false, "host=localhost,127.0.0.1,/run/x,", "", ""},
        {false, "host=@abstract", "", ""},
        {false, "postgresql://[::1]:5432/d", "", ""},
        {false, "postgresql://me:hush@%2Frun%2Fx/d", "", ""},
        {false, "postgresql:///d?host=/run/x", "", ""},
        {false, "host=h sslmode=verify-full", "", ""},
        {false, "host='h' sslmode = 'verify-full'", "", ""},
        {false, "postgresql://h,i/d?sslmode=verify-full", "", ""},
        {false, "host=h", "PGSSLMODE", "verify-full"},
        {false, "host=localhost", "PGHOST", "h"},
        {false, "service=sure", "", ""},
        {false, "host=h password='hush", "", ""},
    };
    struct error failed;
    struct conninfo_tls tls;
    char path[64];
    snprintf(path, sizeof path, "/tmp/test-conninfo-%ld", (long)getpid());
    const char *services = "[far]\nhost=h\n[sure]\nhost=h\nsslmode=verify-full\n";
    assert_int_equal(file_write_atomic(path, span_of(services), &failed), STATUS_OK);
    setenv("PGSERVICEFILE", path, 1);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        if (*rows[r].variable)
            setenv(rows[r].variable, rows[r].value, 1);
        conninfo_read_tls(rows[r].conninfo, &tls);
        if (tls.is_unverified != rows[r].is_unverified)
            print_error("%s\n", rows[r].conninfo);
        assert_int_equal(tls.is_unverified, rows[r].is_unverified);
        if (*rows[r].variable)
            unsetenv(rows[r].variable);
    }
    unlink(path);
}

static void files_of_tls_are_those_that_libpq_reads(void **state)
{
    (void)state;
    struct conninfo_tls tls;
    setenv("HOME", "/home/x", 1);
    conninfo_read_tls("host=h sslcert='/a b/c' sslrootcert=/r", &tls);
    assert_string_equal(tls.certificate, "/a b/c");
    assert_string_equal(tls.authorities, "/r");
    conninfo_read_tls("postgresql://localhost/d", &tls);
    assert_string_equal(tls.certificate, "/home/x/.postgresql/postgresql.crt");
    assert_string_equal(tls.authorities, "/home/x/.postgresql/root.crt");
    conninfo_read_tls("host=/run/x sslcert=/c", &tls);
    assert_string_equal(tls.certificate, "");
    conninfo_read_tls("host=h sslmode=disable sslcert=/c", &tls);
    assert_string_equal(tls.certificate, "");
}

static void a_password_is_found_in_every_form(void **state)
{
    (void)state;
    assert_true(conninfo_has_password("postgresql://me:hush@h/d"));
    assert_true(conninfo_has_password("postgresql:///d?password=hush"));
    assert_true(conninfo_has_password("password = 'hush'"));
    assert_true(conninfo_has_password("sslpassword=hush"));
    assert_true(conninfo_has_password("password hush"));
    assert_false(conninfo_has_password("postgresql://me@h:5432/d?application_name=a@b"));
    assert_false(conninfo_has_password("host=h dbname='password=none'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connection_strings_are_read_as_they_are_meant),
        cmocka_unit_test(a_password_is_never_taken_for_a_port_or_host),
        cmocka_unit_test(a_server_beyond_this_machine_is_verified),
        cmocka_unit_test(files_of_tls_are_those_that_libpq_reads),
        cmocka_unit_test(a_password_is_found_in_every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

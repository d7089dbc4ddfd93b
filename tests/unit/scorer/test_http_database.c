/* scorer/http/database.h without a PostgreSQL: what is said of it, and what is not. */
#include "tests/support/scorer.h"

#include <unistd.h>

#include "scorer/http/database.h"

static void write_text(const char *path, const char *text)
{
    struct error err;
    assert_int_equal(file_write_atomic(path, span_of(text), &err), STATUS_OK);
}

/* A question; what the log says of it goes to `log`. */
static void ask(struct database *database, struct answer *answer, struct buffer *log)
{
    char path[] = "/tmp/log-XXXXXX";
    const struct request request = {0};
    struct database_rows *rows = NULL;
    struct error err;
    int file = mkstemp(path), before = dup(STDERR_FILENO);
    assert_true(file >= 0 && before >= 0 && dup2(file, STDERR_FILENO) >= 0);
    bool done = database_query(database, &request, "reading", "SELECT 1", 0, NULL, &rows, answer);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    close(file);
    assert_false(done);
    assert_null(rows);
    assert_int_equal(file_read(path, 1 << 20, log, &err), STATUS_OK);
    buffer_add_u8(log, '\0');
    unlink(path);
}

/* libpq quotes a string that it cannot read. */
static void a_password_that_breaks_the_string_is_not_logged(void **state)
{
    (void)state;
    static const char *const broken[] = {"postgresql://app:hunter2 @db/hr", "host=db password=hunter2 hunter2 user",
                                         "postgresql://app:hunter2%zz@db/hr"};
    char path[] = "/tmp/url-XXXXXX";
    struct secret_file *file;
    struct database *reads = NULL, *writes = NULL;
    struct error err;
    bool changed;
    close(mkstemp(path));
    write_text(path, "postgresql://app:first@127.0.0.1:1/hr");
    assert_int_equal(secret_file_new("DATABASE_URL_FILE", path, &file, &err), STATUS_OK);
    const struct settings settings = {.database_url.file = file, .database_read_url.file = file};
    assert_int_equal(databases_new(&settings, &reads, &writes, &err), STATUS_OK);
    for (size_t b = 0; b < sizeof broken / sizeof *broken; b++) {
        struct answer answer = {0};
        struct buffer log = {0};
        write_text(path, broken[b]);
        assert_int_equal(secret_file_reread(file, &changed, &err), STATUS_OK);
        ask(reads, &answer, &log);
        assert_int_equal(answer.status, 503);
        assert_null(strstr(log.data, "hunter2"));
        assert_true(b || strstr(log.data, "DATABASE_READ_URL"));
        buffer_free(&answer.body);
        buffer_free(&log);
    }
    database_free(reads);
    database_free(writes);
    secret_file_free(file);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_password_that_breaks_the_string_is_not_logged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

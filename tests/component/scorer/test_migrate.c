/* sql/: migrations on a PostgreSQL of the test's own, as superuser and as a plain owner; partitions, erasure, views. */
#include "tests/support/postgres.h"

#include <dirent.h>

#include "scorer/sink/sink_store.h"

static struct postgres postgres;

static long long number(const char *sql)
{
    return postgres_number(&postgres, sql);
}

/* Runs DIR/migrate on a database of that server as `user`; returns its exit status. Its output goes to `out`. */
static int migrate(const char *directory, const char *database, const char *user, char *out, size_t size)
{
    char command[400];
    snprintf(command, sizeof command, "%s/migrate 'postgresql:///%s?host=%s/socket&user=%s' 2>&1", directory, database,
             postgres.directory, user);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t bytes = fread(out, 1, size - 1, pipe);
    out[bytes] = 0;
    int status = pclose(pipe);
    return WEXITSTATUS(status);
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

static void the_program_knows_the_last_migration(void **state)
{
    (void)state;
    int files = 0;
    DIR *directory = opendir("sql");
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        files += strstr(entry->d_name, ".sql") != NULL;
    closedir(directory);
    assert_int_equal(files, SINK_MIGRATION);
    assert_int_equal(number("SELECT max(version) FROM attrition.migrations"), SINK_MIGRATION);
}

static void a_second_run_changes_nothing(void **state)
{
    (void)state;
    char out[4096];
    assert_int_equal(migrate("sql", "attrition", "postgres", out, sizeof out), 0);
    assert_says(out, "nothing to do");
}

static void a_changed_file_and_a_newer_database_are_refused(void **state)
{
    (void)state;
    char out[4096], copy[96], command[400];
    snprintf(copy, sizeof copy, "%s.sql.d", postgres.directory);
    snprintf(command, sizeof command, "cp -r sql '%s' && echo '-- more' >>'%s/0003_functions.sql'", copy, copy);
    assert_int_equal(system(command), 0);
    assert_int_not_equal(migrate(copy, "attrition", "postgres", out, sizeof out), 0);
    assert_says(out, "0003_functions.sql was changed after it had been applied");
    snprintf(command, sizeof command, "cp sql/*.sql '%s' && rm '%s'/%04d_*", copy, copy, SINK_MIGRATION);
    assert_int_equal(system(command), 0);
    assert_int_not_equal(migrate(copy, "attrition", "postgres", out, sizeof out), 0);
    assert_says(out, "newer than these files");
    snprintf(command, sizeof command, "cp sql/*.sql '%s' && echo 'SELECT 1/0;' >'%s/%04d_wrong.sql'", copy, copy,
             SINK_MIGRATION + 1);
    assert_int_equal(system(command), 0);
    assert_int_not_equal(migrate(copy, "attrition", "postgres", out, sizeof out), 0);
    assert_int_equal(number("SELECT max(version) FROM attrition.migrations"), SINK_MIGRATION);
}

static void a_plain_owner_may_migrate(void **state)
{
    (void)state;
    char out[4096];
    postgres_run(&postgres, "CREATE ROLE plain LOGIN");
    postgres_run(&postgres, "CREATE DATABASE plain OWNER plain");
    assert_int_equal(migrate("sql", "plain", "plain", out, sizeof out), 0);
    assert_says(out, "is not made the owner");
    assert_int_equal(migrate("sql", "plain", "plain", out, sizeof out), 0);
    assert_says(out, "nothing to do");
    postgres_run(&postgres, "DROP DATABASE plain");
    postgres_run(&postgres, "DROP ROLE plain");
}

static const char insert_sql[] =
    "INSERT INTO attrition.predictions SELECT 'e' || n, 'employee-' || n %% 5, now(), t, CASE WHEN n %% 2 = 0 THEN "
    "'Yes' "
    "ELSE 'No' END, n %% 2, 0.5, 1, 0, 10 * n, 'attrition', '1', NULL, NULL, 'STREAM', 'in', 0, n, 'c', 0, n, "
    "jsonb_build_object('Department', 'Sales', 'Gender', CASE WHEN n %% 3 = 0 THEN 'Female' ELSE 'Male' END, 'Age', "
    "30 + n), '[{\"feature\": \"Age\", \"contribution\": 0.912}]', '[]' FROM generate_series(1, 20) AS n, "
    "LATERAL (VALUES (%s)) AS v (t)";

static void insert_predictions(const char *scored_at)
{
    char sql[1024];
    snprintf(sql, sizeof sql, insert_sql, scored_at); /* NOLINT */
    postgres_run(&postgres, sql);
}

static void late_partitions_take_their_rows_from_the_default(void **state)
{
    (void)state;
    insert_predictions("now() + interval '1 year'");
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions_default"), 20);
    assert_int_equal(number("SELECT count(*) FROM attrition.make_partitions(12)"), 9);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions_default"), 0);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 20);
    assert_int_equal(number("SELECT count(*) FROM attrition.make_partitions(12)"), 0);
    postgres_run(&postgres, "TRUNCATE attrition.predictions");
}

static void views_answer_and_show_repeats_once(void **state)
{
    (void)state;
    insert_predictions("now()");
    postgres_run(&postgres, "INSERT INTO attrition.predictions SELECT (p).* FROM (SELECT jsonb_populate_record(p, "
                            "'{\"output_offset\": 1000}') AS p FROM attrition.predictions p) AS repeats");
    postgres_run(&postgres, "INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions "
                            "WHERE source_offset <= 5 AND output_offset < 1000");
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 40);
    assert_int_equal(number("SELECT predictions FROM attrition.model_usage"), 20);
    assert_int_equal(number("SELECT sum(predictions) FROM attrition.latency_by_hour"), 20);
    assert_int_equal(number("SELECT max_us FROM attrition.latency_by_hour"), 200);
    assert_int_equal(number("SELECT employees FROM attrition.risk_by_department WHERE department = 'Sales'"), 5);
    assert_int_equal(number("SELECT count(*) FROM attrition.drift_by_day WHERE feature IN ('Age', 'probability')"), 2);
    assert_int_equal(number("SELECT round(mean * 10) FROM attrition.drift_by_day WHERE feature = 'Age'"), 405);
    char *why = postgres_text(&postgres, "SELECT attrition.why(reasons, input) FROM attrition.latest_predictions "
                                         "WHERE input ->> 'Department' = 'Sales' ORDER BY employee_id LIMIT 1");
    assert_string_equal(why, "Age=35 (+0.91)");
    free(why);
}

static void the_eraser_may_only_erase(void **state)
{
    (void)state;
    postgres_run(&postgres, "INSERT INTO attrition.erasures VALUES ('employee-1', 'c', 0, 9)");
    assert_int_equal(number("SET ROLE attrition_eraser; SELECT attrition.erase_employee('employee-1')"), 9);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions WHERE employee_id = 'employee-1'"), 0);
    assert_int_equal(number("SELECT count(erased_at) FROM attrition.erasures"), 1);
    assert_int_equal(number("SELECT count(*) FROM (VALUES ('predictions'), ('latest_predictions')) AS t (name) "
                            "WHERE has_table_privilege('attrition_eraser', 'attrition.' || name, 'SELECT, DELETE')"),
                     0);
    assert_int_equal(number("SELECT has_function_privilege('attrition_analyst', "
                            "'attrition.erase_employee(text)', 'EXECUTE')::integer"),
                     0);
}

/* Requests are done once, with a receipt; what came behind a request on its partition stays. */
static void requests_are_erased_with_a_receipt(void **state)
{
    (void)state;
    postgres_run(&postgres, "TRUNCATE attrition.predictions, attrition.erasures, attrition.latest_predictions");
    insert_predictions("now()"); /* employee-2: output offsets 2, 7, 12, 17 */
    postgres_run(&postgres, "INSERT INTO attrition.erasures (employee_id, cluster_id, output_partition, output_offset) "
                            "VALUES ('employee-2', 'c', 0, 10)");
    assert_int_equal(number("SET ROLE attrition_writer; SELECT attrition.erase_requested()"), 1);
    assert_int_equal(number("SET ROLE attrition_writer; SELECT attrition.erase_requested()"), 0);
    assert_int_equal(number("SELECT predictions FROM attrition.erasures WHERE method = 'delete'"), 2);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions WHERE employee_id = 'employee-2'"), 2);
    postgres_run(&postgres, "INSERT INTO attrition.erasures (employee_id, cluster_id, output_partition, output_offset) "
                            "VALUES ('employee-2', 'c', 0, 30)");
    assert_int_equal(number("SELECT attrition.erase_requested('pseudonymise')"), 1);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions WHERE employee_id IS NULL AND event_id LIKE "
                            "'erased-%' AND source_offset IS NULL"),
                     2);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions"), 18);
    assert_true(number("SELECT count(*) FROM attrition.drift_by_day") > 0);
}

/* Positions of several groups become one: the furthest has stored everything before it. Rows stay as they are. */
static void positions_of_groups_become_one(void **state)
{
    (void)state;
    char out[4096], old[96], command[800];
    snprintf(old, sizeof old, "%s.sql.7", postgres.directory);
    snprintf(command, sizeof command,
             "mkdir '%s' && cp sql/migrate sql/psql sql/000[1-7]_* '%s' && psql -qX '%s' -c 'CREATE DATABASE upgrade'",
             old, old, postgres.url);
    assert_int_equal(system(command), 0);
    assert_int_equal(migrate(old, "upgrade", "postgres", out, sizeof out), 0);
    struct postgres upgrade = postgres;
    snprintf(upgrade.url, sizeof upgrade.url, "postgresql:///upgrade?host=%s/socket&user=postgres", postgres.directory);
    postgres_run(&upgrade,
                 "INSERT INTO attrition.sink_offsets VALUES ('c', 'a', 't', 0, 10), ('c', 'b', 't', 0, 70), "
                 "('c', 'a', 't', 1, 5), ('c', 'b', 'u', 1, 6), ('d', 'a', 't', 0, 4), ('c', 'x', 't', 0, 70)");
    postgres_run(&upgrade, "INSERT INTO attrition.erasures VALUES ('e', 'c', 0, 1)");
    assert_int_equal(migrate("sql", "upgrade", "postgres", out, sizeof out), 0);
    char *rows = postgres_text(&upgrade, "SELECT string_agg(concat_ws(' ', cluster_id, group_id, topic, partition, "
                                         "next_offset, last_offset), ', ' ORDER BY cluster_id, topic, partition) "
                                         "FROM attrition.sink_offsets");
    assert_string_equal(rows, "c x t 0 70, c a t 1 5, c b u 1 6, d a t 0 4");
    free(rows);
    assert_int_equal(postgres_number(&upgrade, "SELECT attrition.erase_requested()"), 1);
    postgres_run(&postgres, "DROP DATABASE upgrade");
}

static void the_view_without_repeats_has_every_column(void **state)
{
    (void)state;
    assert_int_equal(number("SELECT count(*) FROM information_schema.columns AS c WHERE table_schema = 'attrition' AND "
                            "table_name = 'predictions' AND NOT EXISTS (SELECT FROM information_schema.columns AS v "
                            "WHERE v.table_schema = 'attrition' AND v.table_name = 'predictions_once' AND "
                            "v.column_name = c.column_name)"),
                     0);
}

/* Each row of one employee with its place on the output (topic o, partition, offset) and its source, and whether a
 * request from o [0] offset 10, source in [2] offset 50, may reach it. */
static void an_erasure_reaches_what_came_before_it(void **state)
{
    (void)state;
    static const struct {
        const char *output, *source;
        bool goes;
    } rows[] = {
        {"'o', 0, 9", "'in', 2, 49", true},        {"'o', 0, 11", "'in', 2, 51", false},
        {"'o', 1, 99", "'in', 2, 49", true},       /* stored by another partition, before by its source */
        {"'o', 1, 3", "'in', 2, 51", false},       /* … after */
        {"'o', 0, 8", "'in', 2, 4000", true},      /* the input topic was recreated between them */
        {"'o', 0, 12", "'in', 2, 48", true},       /* published again after a crash */
        {"'o', 0, 13", "NULL, NULL, NULL", false}, /* over HTTP */
        {"'o', 0, 7", "NULL, NULL, NULL", true},   {"'o', 3, 99", "'in', 3, 99", true}, /* no order is known */
        {"NULL, 0, 14", "'in', 2, 52", false},                                          /* before migration 8 */
        {"NULL, 0, 6", "'in', 2, 44", true},
    };
    postgres_run(&postgres, "TRUNCATE attrition.predictions, attrition.erasures, attrition.latest_predictions");
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        char sql[1200];
        snprintf(sql, sizeof sql,
                 "INSERT INTO attrition.predictions (event_id, employee_id, occurred_at, scored_at, prediction, "
                 "probability, threshold, margin, base, latency_us, model_name, model_version, channel, cluster_id, "
                 "input, reasons, challengers, output_topic, output_partition, output_offset, source_topic, "
                 "source_partition, source_offset) VALUES ('%s', 'e', now(), now(), 'No', 0, 0, 0, 0, 0, 'm', '1', "
                 "'STREAM', 'c', '{}', '[]', '[]', %s, %s)",
                 rows[r].goes ? "goes" : "stays", rows[r].output, rows[r].source);
        postgres_run(&postgres, sql);
    }
    for (int latest = 0; latest < 2; latest++)
        postgres_run(&postgres, latest ? "INSERT INTO attrition.latest_predictions SELECT * FROM attrition.predictions "
                                         "WHERE output_offset = 11"
                                       : "INSERT INTO attrition.erasures (employee_id, cluster_id, output_topic, "
                                         "output_partition, output_offset, source_topic, source_partition, "
                                         "source_offset) VALUES ('e', 'c', 'o', 0, 10, 'in', 2, 50)");
    assert_int_equal(number("SELECT attrition.erase_requested()"), 1);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions WHERE event_id = 'goes'"), 0);
    assert_int_equal(number("SELECT count(*) FROM attrition.predictions WHERE event_id = 'stays'"), 4);
    assert_int_equal(number("SELECT count(*) FROM attrition.latest_predictions"), 1);
}

static int start_all(void **state)
{
    (void)state;
    postgres_make(&postgres);
    assert_int_equal(postgres_migrate(&postgres), 0);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    postgres_remove(&postgres);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_knows_the_last_migration),
        cmocka_unit_test(a_second_run_changes_nothing),
        cmocka_unit_test(a_changed_file_and_a_newer_database_are_refused),
        cmocka_unit_test(a_plain_owner_may_migrate),
        cmocka_unit_test(late_partitions_take_their_rows_from_the_default),
        cmocka_unit_test(views_answer_and_show_repeats_once),
        cmocka_unit_test(the_eraser_may_only_erase),
        cmocka_unit_test(requests_are_erased_with_a_receipt),
        cmocka_unit_test(positions_of_groups_become_one),
        cmocka_unit_test(the_view_without_repeats_has_every_column),
        cmocka_unit_test(an_erasure_reaches_what_came_before_it),
    };
    return cmocka_run_group_tests(tests, start_all, end_all);
}

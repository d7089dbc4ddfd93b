/* Reading tables, fitting the preprocessing, dealing folds: on a schema made here, so that nothing hangs on the data
 * set. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "trainer/evaluation.h"
#include "trainer/fold.h"
#include "trainer/kinds/kinds.h"

static struct error err;
static char folder[64], path[80];
static struct schema *schema;

/* Attributes of the small schema: as in the event (described) and as in the prediction (names and types alone). */
static const char described[] =
    "{'type':'record','name':'EmployeeAttributes','target':{'name':'left','label':'Left','values':['No','Yes']},"
    "'id':{'name':'id'},'ignored':['constant'],'rules':[],'fields':["
    "{'name':'role','type':['null','string'],'default':null,'doc':'d','label':'Role','kind':'nominal',"
    "'values':['b','a','c']},"
    "{'name':'age','type':['null','int'],'default':null,'doc':'d','label':'Age','kind':'numeric','range':[0,100]},"
    "{'name':'level','type':['null','int'],'default':null,'doc':'d','label':'Level','kind':'ordinal','range':[1,5]}]}";

/* The shipped schema file with its attributes replaced. */
static void write_schema(const char *name, bool bare)
{
    char file[128];
    char text[sizeof described];
    strcpy(text, described);
    for (char *at = text; *at; at++)
        *at = *at == '\'' ? '"' : *at; /* for legibility it is written with ' */
    json_t *attributes = json_loads(text, 0, NULL), *record, *field;
    size_t i;
    json_array_foreach (json_object_get(attributes, "fields"), i, field) {
        for (size_t k = 0; bare && k < 5; k++)
            json_object_del(field, (const char *[]){"doc", "label", "kind", "range", "values"}[k]);
    }
    for (size_t k = 0; bare && k < 4; k++)
        json_object_del(attributes, (const char *[]){"target", "id", "ignored", "rules"}[k]);
    snprintf(file, sizeof file, "schemas/%s", name);
    record = json_load_file(file, 0, NULL);
    assert_non_null(record); /* tests run from the project's root */
    json_t *fields = json_object_get(record, "fields");
    json_object_set_new(json_array_get(fields, json_array_size(fields) - 1), "type", attributes);
    snprintf(file, sizeof file, "%s/%s", folder, name);
    assert_int_equal(json_dump_file(record, file, 0), 0);
    json_decref(record);
}

static int setup(void **state)
{
    (void)state;
    char file[128];
    static const struct span ids = SPAN_LITERAL("{\"event\":[{\"id\":7,\"file\":\"employee_event.avsc\"}],"
                                                "\"prediction\":[{\"id\":8,\"file\":\"prediction.avsc\"}]}");
    strcpy(folder, "/tmp/table-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.csv", folder);
    write_schema("employee_event.avsc", false);
    write_schema("prediction.avsc", true);
    snprintf(file, sizeof file, "%s/ids.json", folder);
    assert_int_equal(file_write_atomic(file, ids, &err), STATUS_OK);
    if (schema_load(folder, &schema, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"t.csv", "ids.json", "employee_event.avsc", "prediction.avsc"};
    schema_free(schema);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[n]);
        unlink(path);
    }
    rmdir(folder);
    return 0;
}

static enum status read_text(const char *text, struct table *out)
{
    assert_int_equal(file_write_atomic(path, span_of(text), &err), STATUS_OK);
    return table_read(path, schema, 0, NULL, NULL, out, &err);
}

static void test_a_table_as_published(void **state)
{
    (void)state;
    struct table table;
    assert_int_equal(read_text("\xef\xbb\xbfid,left,age,extra,role,constant,level\r\n"
                               "1,Yes,41,x,a,7,2\r\n2,No,,y,\"b\",7,\r\n3,No,30,z,,7,5\r\n",
                               &table),
                     STATUS_OK);
    assert_int_equal(table.row_count, 3);
    assert_int_equal(table.positive_count, 1);
    assert_int_equal(table_row(&table, 0)[0].code, 1);
    assert_true(table_row(&table, 0)[1].number == 41);
    assert_int_equal(table_row(&table, 1)[1].code, CELL_MISSING);
    assert_int_equal(table_row(&table, 1)[0].code, 0);
    assert_int_equal(table_row(&table, 2)[0].code, CELL_MISSING);
    assert_int_equal(strlen(table.sha256), 64);
    table_free(&table);
}

static void test_faulty_rows_are_left_out_when_asked(void **state)
{
    (void)state;
    struct table table;
    const char *text = "left,role,age,level\nYes,a,1,1\nNo,a,many,1\nNo,b\nNo,b,2,2\nYes,\"a\"x,1,1\n";
    assert_int_equal(file_write_atomic(path, span_of(text), &err), STATUS_OK);
    assert_int_equal(table_read(path, schema, 2, NULL, NULL, &table, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "--max-rejects 3"));
    assert_int_equal(table_read(path, schema, 3, NULL, NULL, &table, &err), STATUS_OK);
    assert_int_equal(table.row_count, 2);
    assert_int_equal(table.positive_count, 1);
    assert_int_equal(table.left_out, 3);
    assert_int_equal(table_row(&table, 0)[0].code, 1);
    assert_int_equal(table_row(&table, 1)[0].code, 0);
    table_free(&table);
    assert_int_equal(table_read(path, schema, -1, NULL, NULL, &table, &err), STATUS_OK);
    table_free(&table);
}

static void refused(const char *text, const char *why)
{
    struct table table;
    assert_int_equal(read_text(text, &table), STATUS_INVALID);
    if (!strstr(err.text, why))
        fail_msg("expected \"%s\" in: %s", why, err.text);
}

static void test_bad_tables_are_refused_whole(void **state)
{
    (void)state;
    struct table table;
    refused("", "empty");
    refused("left,role,age\n", "lacks level");
    refused("role,age,level\nYes,1,1\n", "lacks left");
    refused("left,role,age,level,age\n", "2 times");
    refused("left,role,age,level\n", "no rows");
    refused("left,role,age,level\nYes,a,1,1\n", "every row's left is \"Yes\"");
    refused("left,role,age,level\nYes,a,1,1\nNo,a,,1\nNo,a,1\n", "1 fault in 1 row");
    refused("left,role,age,level\nYes,a,1,1\nNo,a,many,1\n", "1 fault");
    refused("left,role,age,level\nYes,a,1,1\nNo,a,101,9\n", "2 faults in 1 row");
    refused("left,role,age,level\nYes,a,1,1\nNo,d,1,1\n", "1 fault");
    refused("left,role,age,level\nYes,a,1,1\nMaybe,a,1,1\n,a,1,1\n", "2 faults in 2 rows");
    refused("left,role,age,level\nYes,a,1,1\nNo,a,1.5,1\n", "1 fault");
    refused("left,role,age,level\nYes,a,nan,1\nNo,a,1,1\n", "1 fault");
    refused("left,role,age,level\nYes,a,,1\nNo,a,,1\n", "\"age\" has no value");
    refused("left,role,age,level\n\xd0\x94\xd0\xb0,a,1,1\n\xd0\x9d\xd0\xb5\xd1\x82,a,1,1\n,a,1,1\n",
            "no row's left is No or Yes");
    refused("left,role,age,level\nYes,d,1,1\nNo,d,1,1\n", "2 faults in 2 rows, and no row without one");
    refused("left,role,age,level\nYes,a,1,1\nNo,\"a\"x,1,1\n", "1 fault");
    assert_int_equal(table_read("/nowhere/x.csv", schema, 0, NULL, NULL, &table, &err), STATUS_NOT_FOUND);
    assert_int_equal(table_read("/tmp", schema, 0, NULL, NULL, &table, &err), STATUS_IO);
}

/* How many lines reading writes to standard error. */
static size_t count_log_lines(const char *text, int64_t most_left_out, const char *why)
{
    struct table table;
    char log[96];
    struct buffer lines = {0};
    size_t count = 0;
    snprintf(log, sizeof log, "%s/log", folder);
    assert_int_equal(file_write_atomic(path, span_of(text), &err), STATUS_OK);
    int before = dup(STDERR_FILENO);
    assert_non_null(freopen(log, "w", stderr));
    enum status status = table_read(path, schema, most_left_out, NULL, NULL, &table, &err);
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    assert_int_equal(status, STATUS_INVALID);
    assert_non_null(strstr(err.text, why));
    assert_int_equal(file_read(log, 1 << 20, &lines, &err), STATUS_OK);
    for (size_t b = 0; b < lines.bytes; b++)
        count += lines.data[b] == '\n';
    unlink(log);
    buffer_free(&lines);
    return count;
}

/* A file that is wrong from end to end is not reported line by line. */
static void test_many_faults_stay_few_lines(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_add_text(&text, "left,role,age,level");
    for (int column = 0; column < 500; column++)
        buffer_printf(&text, ",extra %d", column);
    for (int row = 0; row < 500; row++)
        buffer_add_text(&text, "\nNo,\"a\"x,1,1");
    buffer_add_u8(&text, '\0');
    assert_true(count_log_lines(text.data, 0, "500 faults in 500 rows") <= 22);
    assert_true(count_log_lines(text.data, -1, "none of the 500 rows") <= 23);
    buffer_free(&text);
}

static struct table read_rows(const char *rows)
{
    struct table table;
    char text[1024];
    snprintf(text, sizeof text, "left,role,age,level\n%s", rows);
    assert_int_equal(read_text(text, &table), STATUS_OK);
    return table;
}

static void test_preprocessing_as_scikit_learn(void **state)
{
    (void)state;
    struct table table = read_rows("Yes,b,10,3\nNo,a,20,3\nNo,,30,3\nNo,a,45,3\nYes,b,,3\n");
    const uint32_t rows[] = {0, 1, 2, 3, 4};
    struct preprocessor preprocessor;
    double features[4];
    preprocess_fit(&table, rows, 5, true, &preprocessor);
    assert_int_equal(preprocessor.feature_count, 4);
    const struct fitted *age = &preprocessor.columns[0], *level = &preprocessor.columns[1],
                        *role = &preprocessor.columns[2];
    assert_int_equal(age->column, 1);
    assert_true(age->median == 25); /* the mean of the two in the middle */
    assert_true(age->mean == 26);
    assert_true(fabs(age->scale - sqrt((256 + 36 + 16 + 361 + 1) / 5.0)) < 1e-14);
    assert_true(level->scale == 1 && level->mean == 3); /* constant */
    assert_int_equal(role->category_count, 2);
    assert_true(span_equal(role->categories[0], SPAN_LITERAL("a")));
    assert_int_equal(role->mode, 0); /* two and two: the first in sorted order */
    preprocess_row(&preprocessor, table_row(&table, 2), features);
    assert_true(fabs(features[0] - 4 / age->scale) < 1e-15);
    assert_true(features[1] == 0 && features[2] == 1 && features[3] == 0);
    struct cell unseen[3] = {{.text = "c", .text_bytes = 1, .code = 2}, cell_number(NAN), cell_number(4)};
    preprocess_row(&preprocessor, unseen, features);
    assert_true(features[1] == 1 && features[2] == 0 && features[3] == 0);
    preprocess_free(&preprocessor);
    preprocess_fit(&table, rows + 2, 1, true, &preprocessor); /* a fold may hold a column without any value */
    assert_int_equal(preprocessor.feature_count, 2);
    preprocess_row(&preprocessor, table_row(&table, 0), features);
    preprocess_free(&preprocessor);
    table_free(&table);
}

static void test_folds_are_stratified_and_repeatable(void **state)
{
    (void)state;
    enum { ROWS = 103, YES = 17 };
    uint8_t labels[ROWS] = {0}, folds[ROWS], again[ROWS];
    uint32_t rows[ROWS];
    const struct table table = {.labels = labels, .row_count = ROWS};
    for (uint32_t r = 0; r < ROWS; r++) {
        rows[r] = r;
        labels[r] = r % 6 == 0 && r < YES * 6;
    }
    assert_int_equal(fold_most(&table, rows, ROWS), YES);
    fold_assign(&table, rows, ROWS, 5, 7, folds);
    fold_assign(&table, rows, ROWS, 5, 7, again);
    assert_memory_equal(folds, again, ROWS);
    fold_assign(&table, rows, ROWS, 5, 8, again);
    assert_memory_not_equal(folds, again, ROWS);
    for (unsigned fold = 0; fold < 5; fold++) {
        struct fold_rows part;
        size_t yes = 0;
        fold_split(rows, folds, ROWS, fold, &part);
        assert_int_equal(part.training_count + part.assessed_count, ROWS);
        for (size_t r = 0; r < part.assessed_count; r++)
            yes += labels[part.assessed[r]];
        assert_in_range(part.assessed_count, 20, 21);
        assert_in_range(yes, 3, 4);
        fold_rows_clear(&part);
    }
}

static void test_held_out_rows_have_both_classes(void **state)
{
    (void)state;
    uint8_t labels[20] = {1, 1};
    struct fold_rows part;
    const struct table table = {.labels = labels, .row_count = 20};
    assert_true(fold_hold_out(&table, 0.2, 3, &part));
    size_t yes = 0;
    for (size_t r = 0; r < part.assessed_count; r++)
        yes += labels[part.assessed[r]];
    assert_int_equal(yes, 1);
    assert_int_equal(part.assessed_count, 5);
    assert_int_equal(part.training_count, 15);
    fold_rows_clear(&part);
    assert_false(fold_hold_out(&table, 0.9, 3, &part));
    assert_true(fold_hold_out(&table, 0, 3, &part));
    assert_int_equal(part.training_count, 20);
    fold_rows_clear(&part);
}

/* Rows of one id are dealt together, and count as positive where one of them is. */
static void test_ids_stay_together(void **state)
{
    (void)state;
    static const uint8_t labels[] = {0, 0, 1, 0, 1, 0, 0, 1, 0, 0};
    static uint64_t ids[] = {7, 8, 7, 9, 0, 0, 8, 9, 1, 2};
    static const uint32_t rows[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    uint8_t folds[10];
    struct table table = {.labels = (uint8_t *)labels, .ids = ids, .row_count = 10};
    assert_int_equal(fold_most(&table, rows, 10), 3); /* 7, 9 and the row without an id */
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct fold_rows split;
        fold_assign(&table, rows, 10, 3, seed, folds);
        assert_true(folds[0] == folds[2] && folds[1] == folds[6] && folds[3] == folds[7]);
        assert_true(folds[0] != folds[3] && folds[0] != folds[4] && folds[3] != folds[4]); /* a positive one each */
        assert_true(fold_hold_out(&table, 0.3, seed, &split));
        for (size_t r = 0; r < split.assessed_count; r++)
            for (size_t t = 0; t < split.training_count; t++)
                assert_true(ids[split.assessed[r]] == 0 || ids[split.assessed[r]] != ids[split.training[t]]);
        fold_rows_clear(&split);
    }
}

static enum status validate(const struct table *table, const struct train_settings *settings, struct evaluation *out)
{
    static const uint32_t rows[] = {0, 1, 2, 3, 4, 5, 6, 7};
    return evaluation_cross_validate(table, rows, table->row_count, settings, NULL, out, &err);
}

static void test_validation_needs_two_of_each(void **state)
{
    (void)state;
    struct table table = read_rows("Yes,b,10,3\nNo,a,20,3\nNo,,30,3\n");
    struct train_settings settings = {.kind = &kind_logistic_l2,
                                      .inverse_penalty = 1,
                                      .max_iterations = 50,
                                      .threads = 2,
                                      .fold_count = 5,
                                      .repeat_count = 2};
    struct evaluation evaluation = {0};
    assert_int_equal(validate(&table, &settings, &evaluation), STATUS_INVALID);
    table_free(&table);
    table = read_rows("Yes,b,10,3\nNo,a,20,3\nNo,,30,3\nYes,b,12,3\nNo,a,40,2\n");
    assert_int_equal(validate(&table, &settings, &evaluation), STATUS_OK);
    assert_int_equal(evaluation.fold_count, 2);
    assert_int_equal(evaluation.validation.count, 10);
    assert_true(evaluation.validation.metrics.roc_auc == 1);
    assert_true(fabs(evaluation.validation.baseline.accuracy - 0.6) < 1e-15);
    evaluation_clear(&evaluation);
    settings.folds_given = true; /* five asked for, two possible */
    assert_int_equal(validate(&table, &settings, &evaluation), STATUS_INVALID);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table_as_published),
        cmocka_unit_test(test_bad_tables_are_refused_whole),
        cmocka_unit_test(test_faulty_rows_are_left_out_when_asked),
        cmocka_unit_test(test_many_faults_stay_few_lines),
        cmocka_unit_test(test_preprocessing_as_scikit_learn),
        cmocka_unit_test(test_folds_are_stratified_and_repeatable),
        cmocka_unit_test(test_held_out_rows_have_both_classes),
        cmocka_unit_test(test_ids_stay_together),
        cmocka_unit_test(test_validation_needs_two_of_each),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

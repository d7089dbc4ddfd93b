/* events/schema.h: the shipped files load as the contract says, and every fault of a schema directory is named. */
#include "tests/unit/events/unit.h"

static void test_shipped_files_load(void **state)
{
    (void)state;
    struct schema *schema = unit_shipped();
    assert_int_equal(schema->column_count, 30);
    assert_int_equal(schema->event_schema_id, 1900000003);
    assert_int_equal(schema->prediction_schema_id, 1900000006);
    assert_string_equal(schema->target_name, "Attrition");
    assert_string_equal(schema->id_name, "EmployeeNumber");
    assert_int_equal(schema->rule_count, 4);
    assert_int_equal(strlen(schema->digest), 64);
    schema_free(schema);
}

static void test_columns_are_read(void **state)
{
    (void)state;
    struct schema *schema = unit_schema();
    const struct column *columns = schema->columns;
    assert_int_equal(schema->column_count, UNIT_COLUMNS);
    assert_int_equal(columns[UNIT_COUNT].type, COLUMN_INT);
    assert_true(columns[UNIT_COUNT].low == 0 && columns[UNIT_COUNT].high == 100);
    assert_string_equal(columns[UNIT_COUNT].label, "count");
    assert_false(columns[UNIT_COUNT].required);
    assert_int_equal(columns[UNIT_GRADE].kind, COLUMN_NOMINAL);
    assert_int_equal(columns[UNIT_GRADE].value_count, 4);
    assert_true(columns[UNIT_SCORE].required);
    assert_true(isinf(columns[UNIT_SCORE].high));
    assert_string_equal(columns[UNIT_TOTAL].label, "The total");
    assert_int_equal(columns[UNIT_LEVEL].kind, COLUMN_ORDINAL);
    assert_string_equal(columns[UNIT_LEVEL].value_labels[2], "high");
    assert_int_equal(schema->rules[0].left, UNIT_COUNT);
    assert_int_equal(schema->rules[0].right, UNIT_TOTAL);
    assert_int_equal(schema->event_type_count, 5);
    assert_string_equal(schema->ignored[0], "other");
    assert_int_equal(schema_column(schema, SPAN_LITERAL("level")), UNIT_LEVEL);
    assert_int_equal(schema_column(schema, SPAN_LITERAL("leve")), -1);
    schema_free(schema);
}

/* Loads `event` and expects a refusal whose text holds `what`. */
static void assert_event_refused(const char *event, const char *what)
{
    struct schema *schema = NULL;
    struct error err = {0};
    enum status status = unit_load(event, NULL, unit_prediction, UNIT_IDS, &schema, &err);
    if (status == STATUS_OK || !strstr(err.text, what))
        fail_msg("status %d, \"%s\" does not say \"%s\"", status, err.text, what);
    assert_null(schema);
    assert_null(strchr(err.text, '\n'));
}

#define FIELD(ATTRIBUTES) UNIT_EVENT(UNIT_RECORD, "{\"name\":\"count\"," ATTRIBUTES "}")
#define RECORD(ATTRIBUTES) UNIT_EVENT(ATTRIBUTES, UNIT_FIELDS)
#define OTHERS "\"id\":{\"name\":\"number\"}"
#define TARGET "\"target\":{\"name\":\"left\",\"values\":[\"No\",\"Yes\"]}"

static void test_faulty_columns_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *event, *what;
    } cases[] = {
        {FIELD("\"type\":\"int\""), "\"count\": needs \"kind\""},
        {FIELD("\"type\":\"int\",\"kind\":\"nominal\",\"values\":[\"a\"]"), "a nominal column is a string"},
        {FIELD("\"type\":\"string\",\"kind\":\"numeric\""), "a nominal column is a string"},
        {FIELD("\"type\":\"boolean\",\"kind\":\"numeric\""), "the type must be int"},
        {FIELD("\"type\":\"bytes\",\"kind\":\"nominal\""), "the type must be int"},
        {FIELD("\"type\":[\"null\",\"int\",\"long\"],\"kind\":\"numeric\""), "a union must be of null and one"},
        {FIELD("\"type\":[\"int\",\"long\"],\"kind\":\"numeric\""), "a union must be of null and one"},
        {FIELD("\"type\":\"int\",\"kind\":\"numeric\",\"range\":[2,1]"), "\"range\" must be [lowest, highest]"},
        {FIELD("\"type\":\"int\",\"kind\":\"numeric\",\"range\":5"), "\"range\" must be [lowest, highest]"},
        {FIELD("\"type\":\"int\",\"kind\":\"numeric\",\"values\":[\"a\"]"), "only a nominal column has \"values\""},
        {FIELD("\"type\":\"string\",\"kind\":\"nominal\",\"values\":[]"), "needs \"values\""},
        {FIELD("\"type\":\"string\",\"kind\":\"nominal\",\"values\":[\"\"]"), "non-empty strings"},
        {FIELD("\"type\":\"string\",\"kind\":\"nominal\",\"values\":[\"a\",\"a\"]"), "is a duplicate"},
        {FIELD("\"type\":\"string\",\"kind\":\"nominal\",\"values\":[\"a\"],\"range\":[0,1]"), "no \"range\""},
        {FIELD("\"type\":\"int\",\"kind\":\"numeric\",\"required\":1"), "\"required\" must be true or false"},
        {FIELD("\"type\":\"int\",\"kind\":\"numeric\",\"policy\":\"drop\""), "\"policy\" must be \"reject\""},
        {FIELD("\"type\":\"int\",\"kind\":\"numeric\",\"policy\":1"), "\"policy\" must be \"reject\""},
        {FIELD("\"type\":\"int\",\"kind\":\"ordinal\",\"unit\":1"), "\"unit\" must be true or false"},
        {FIELD("\"type\":\"int\",\"kind\":\"numeric\",\"unit\":true"), "a \"unit\" is nominal or ordinal"},
        {FIELD("\"type\":\"int\",\"kind\":\"numeric\",\"policy\":\"impute\""), "is required, so its \"policy\""},
        {FIELD("\"type\":\"int\",\"kind\":\"ordinal\",\"range\":[1,3],\"value_labels\":[\"a\",\"b\"]"), "each integer"},
        {FIELD("\"type\":\"int\",\"kind\":\"ordinal\",\"value_labels\":[\"a\",\"b\"]"), "each integer"},
        {FIELD("\"type\":\"int\",\"kind\":\"numeric\",\"range\":[1,2],\"value_labels\":[\"a\",\"b\"]"),
         "only an ordinal"},
        {UNIT_EVENT(UNIT_RECORD, ""), "a record of 1 to"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_event_refused(cases[c].event, cases[c].what);
}

static void test_faulty_records_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *event, *what;
    } cases[] = {
        {RECORD(OTHERS), "needs \"target\""},
        {RECORD(TARGET), "needs \"target\""},
        {RECORD(OTHERS ",\"target\":{\"name\":\"left\"}"), "the target's \"values\""},
        {RECORD(OTHERS ",\"target\":{\"name\":\"left\",\"values\":[\"Yes\"]}"), "two \"values\" or more"},
        {RECORD(OTHERS ",\"target\":{\"name\":\"count\",\"values\":[\"No\",\"Yes\"]}"), "\"count\" is a duplicate"},
        {RECORD(TARGET ",\"id\":{\"name\":\"left\"}"), "\"left\" is a duplicate"},
        {RECORD(TARGET "," OTHERS ",\"ignored\":[\"grade\"]"), "\"grade\" is a duplicate"},
        {RECORD(TARGET "," OTHERS ",\"ignored\":\"grade\""), "\"ignored\" must be a list"},
        {RECORD(TARGET "," OTHERS ",\"rules\":[{\"at_least\":[\"count\",\"total\"]}]"), "a rule must be"},
        {RECORD(TARGET "," OTHERS ",\"rules\":[{\"at_most\":[\"count\",\"nothing\"]}]"), "\"nothing\" is no column"},
        {RECORD(TARGET "," OTHERS ",\"rules\":[{\"at_most\":[\"count\",\"grade\"]}]"), "\"grade\" is no column"},
        {RECORD(TARGET "," OTHERS ",\"rules\":{}"), "\"rules\" must be a list"},
        {RECORD(TARGET "," OTHERS ",\"words\":[\"one\"]"), "\"words\" must be an object"},
        {RECORD(TARGET "," OTHERS ",\"words\":{\"one\":7}"), "\"words\": \"one\" must be a text"},
        {"{\"type\":\"record\",\"name\":\"E\",\"fields\":[]}", "field \"event_id\" is missing"},
        {"{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"id\",\"type\":\"int\"}]}",
         "expected \"event_id\""},
        {"{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"event_id\",\"type\":\"int\"}]}",
         "must be string, not int"},
        {"\"string\"", "must be a record"},
        {"{", "not JSON"},
        {"", "not JSON"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        assert_event_refused(cases[c].event, cases[c].what);
}

static void assert_files_refused(const char *prediction, const char *ids, const char *what)
{
    struct schema *schema = NULL;
    struct error err = {0};
    if (unit_load(unit_event, NULL, prediction, ids, &schema, &err) == STATUS_OK || !strstr(err.text, what))
        fail_msg("\"%s\" does not say \"%s\"", err.text, what);
}

static void test_prediction_must_fit_the_event(void **state)
{
    (void)state;
    assert_files_refused(UNIT_PREDICTION(UNIT_CHANGE, "{\"name\":\"count\",\"type\":[\"null\",\"int\"]}"), UNIT_IDS,
                         "has 1 fields, the event's has 6");
    assert_files_refused(
        UNIT_PREDICTION(UNIT_CHANGE,
                        "{\"name\":\"count\",\"type\":[\"int\",\"null\"]},{\"name\":\"b\",\"type\":\"int\"},"
                        "{\"name\":\"c\",\"type\":\"int\"},{\"name\":\"d\",\"type\":\"int\"},"
                        "{\"name\":\"e\",\"type\":\"int\"},{\"name\":\"f\",\"type\":\"int\"}"),
        UNIT_IDS, "\"count\" must be [null,int], not [int,null]");
    assert_files_refused("{\"type\":\"record\",\"name\":\"P\",\"fields\":[]}", UNIT_IDS,
                         "prediction.avsc: field \"event_id\" is missing");
    assert_files_refused(
        UNIT_PREDICTION("{\"name\":\"change\",\"type\":\"double\"},", "{\"name\":\"count\",\"type\":\"int\"}"),
        UNIT_IDS, "\"change\" must be [null,{record:double,model:double}], not double");
    assert_files_refused(
        UNIT_PREDICTION("{\"name\":\"changes\",\"type\":\"double\"},", "{\"name\":\"count\",\"type\":\"int\"}"),
        UNIT_IDS, "found field \"changes\", expected \"attributes\"");
}

static void test_faulty_ids_are_refused(void **state)
{
    (void)state;
    assert_files_refused(unit_prediction, "{}", "no row for employee_event.avsc");
    assert_files_refused(unit_prediction, "[", "ids.json: line");
    assert_files_refused(unit_prediction, "{\"event\":[{\"id\":7,\"file\":\"employee_event.avsc\"}]}",
                         "no row for prediction.avsc");
    assert_files_refused(unit_prediction, "{\"event\":[{\"id\":0,\"file\":\"employee_event.avsc\"}]}",
                         "each row must be");
    assert_files_refused(unit_prediction, "{\"event\":[{\"id\":7,\"file\":\"../x\"}]}", "each row must be");
    assert_files_refused(unit_prediction,
                         "{\"event\":[{\"id\":7,\"file\":\"employee_event.avsc\"}],\"prediction\":[{\"id\":7,\"file\":"
                         "\"prediction.avsc\"}]}",
                         "id 7 is a duplicate");
}

static void test_missing_directory_is_named(void **state)
{
    (void)state;
    struct schema *schema = NULL;
    struct error err = {0};
    assert_int_equal(schema_load("/nonexistent", &schema, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent/ids.json"));
}

static void test_digest_distinguishes_features(void **state)
{
    (void)state;
    struct schema *schema = unit_schema(), *other = NULL;
    struct error err;
    char *event = strdup(unit_event);
    memcpy(strstr(event, "yy"), "yz", 2);
    assert_int_equal(unit_load(event, NULL, unit_prediction, UNIT_IDS, &other, &err), STATUS_OK);
    assert_string_not_equal(schema->digest, other->digest);
    schema_free(other);
    free(event);
    event = strdup(unit_event);
    memcpy(strstr(event, "The total"), "Any total", 9);
    assert_int_equal(unit_load(event, NULL, unit_prediction, UNIT_IDS, &other, &err), STATUS_OK);
    assert_string_equal(schema->digest, other->digest); /* labels are not the model's business */
    schema_free(other);
    schema_free(schema);
    free(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped_files_load),
        cmocka_unit_test(test_columns_are_read),
        cmocka_unit_test(test_faulty_columns_are_refused),
        cmocka_unit_test(test_faulty_records_are_refused),
        cmocka_unit_test(test_prediction_must_fit_the_event),
        cmocka_unit_test(test_faulty_ids_are_refused),
        cmocka_unit_test(test_missing_directory_is_named),
        cmocka_unit_test(test_digest_distinguishes_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a registry's answers mean: knowledge only where it is one of the API's own, an outage otherwise. */
#include "avro/registry_answer.h"
#include "tests/support/bytes.h"

static struct buffer text;
static struct error err;
static uint32_t id;

static enum registry_result schema_of(long status, const char *body)
{
    const struct registry_answer answer = {status, span_of(body)};
    err = (struct error){0};
    id = 99;
    return registry_answer_schema(&answer, &text, &id, &err);
}

static enum status id_of(long status, const char *body)
{
    const struct registry_answer answer = {status, span_of(body)};
    err = (struct error){0};
    return registry_answer_id(&answer, &id, &err);
}

static void takes_a_schema(void **state)
{
    (void)state;
    assert_int_equal(schema_of(200, "{\"schema\":\"\\\"int\\\"\"}"), REGISTRY_SCHEMA);
    assert_true(span_equal(buffer_span(&text), SPAN_LITERAL("\"int\"")) && id == 0);
    assert_int_equal(schema_of(200, "{\"id\":7,\"schemaType\":\"AVRO\",\"schema\":\"\\\"long\\\"\",\"references\":[]}"),
                     REGISTRY_SCHEMA);
    assert_true(span_equal(buffer_span(&text), SPAN_LITERAL("\"long\"")) && id == 7);
}

static void believes_the_registry_alone(void **state)
{
    (void)state;
    assert_int_equal(schema_of(404, "{\"error_code\":40403,\"message\":\"Schema 7 not found\"}"), REGISTRY_UNKNOWN);
    assert_string_equal(err.text, "it answered 404: Schema 7 not found");
    assert_int_equal(schema_of(404, "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}"), REGISTRY_NO_ANSWER);
    assert_int_equal(schema_of(404, "<html>Not Found</html>"), REGISTRY_NO_ANSWER);
    assert_int_equal(schema_of(404, ""), REGISTRY_NO_ANSWER);
    assert_int_equal(schema_of(404, "[40403]"), REGISTRY_NO_ANSWER);
    assert_int_equal(schema_of(500, "{\"error_code\":40403}"), REGISTRY_NO_ANSWER);
    assert_int_equal(schema_of(401, "{\"error_code\":401,\"message\":\"no\"}"), REGISTRY_NO_ANSWER);
    assert_int_equal(err.status, STATUS_DENIED);
}

static void nonsense_is_an_outage(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "7",
        "<html><body>Sign in</body></html>",
        "{\"schema\":",
        "{}",
        "{\"schema\":null}",
        "{\"schema\":{\"type\":\"int\"}}",
        "{\"schema\":\"\"}",
        "{\"schema\":\"{\\\"type\\\":\"}",
        "{\"schema\":\"\\\"int\\\" and more\"}",
    };
    for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++) {
        assert_int_equal(schema_of(200, bodies[b]), REGISTRY_NO_ANSWER);
        assert_true(err.status == STATUS_UNAVAILABLE && *err.text);
        assert_int_equal(id_of(200, bodies[b]), STATUS_UNAVAILABLE);
        assert_true(*err.text);
    }
    for (long status = 201; status < 600; status += 57)
        assert_int_equal(schema_of(status, "{\"schema\":\"\\\"int\\\"\"}"), REGISTRY_NO_ANSWER);
}

static void deep_and_huge_are_no_answers(void **state)
{
    (void)state;
    size_t bytes = 4 << 20;
    char *body = malloc(bytes + 1);
    assert_non_null(body);
    memset(body, '[', bytes);
    body[bytes] = '\0';
    assert_int_equal(schema_of(200, body), REGISTRY_NO_ANSWER);
    assert_int_equal(id_of(200, body), STATUS_UNAVAILABLE);
    free(body);
}

/* Would take hundreds of megabytes. */
static void many_lists_are_no_answer(void **state)
{
    (void)state;
    struct buffer body = {0};
    buffer_add_text(&body, "{\"schema\":\"\\\"int\\\"\",\"more\":[");
    for (int item = 0; item < 300000; item++)
        buffer_add_text(&body, "[],");
    buffer_add(&body, "0]}", sizeof "0]}");
    assert_int_equal(schema_of(200, body.data), REGISTRY_NO_ANSWER);
    buffer_free(&body);
}

static void reports_what_is_of_no_use(void **state)
{
    (void)state;
    assert_int_equal(schema_of(200, "{\"id\":7,\"schemaType\":\"JSON\",\"schema\":\"{}\"}"), REGISTRY_SCHEMA);
    assert_int_equal(schema_of(200, "{\"schemaType\":\"PROTOBUF\",\"schema\":\"syntax\"}"), REGISTRY_UNUSABLE);
    assert_non_null(strstr(err.text, "PROTOBUF"));
    assert_int_equal(schema_of(200, "{\"schemaType\":7,\"schema\":\"\\\"int\\\"\"}"), REGISTRY_UNUSABLE);
    assert_int_equal(schema_of(200, "{\"schema\":\"\\\"a.B\\\"\",\"references\":[{\"name\":\"a.B\"}]}"),
                     REGISTRY_UNUSABLE);
    assert_non_null(strstr(err.text, "a.B"));
    assert_int_equal(schema_of(200, "{\"schema\":\"\\\"no such type\\\"\"}"), REGISTRY_UNUSABLE);
    assert_true(*err.text);
}

static void takes_ids_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(id_of(200, "{\"id\":2147483647}"), STATUS_OK);
    assert_int_equal(id, INT32_MAX);
    static const char *const others[] = {"{\"id\":0}", "{\"id\":-1}", "{\"id\":2147483648}", "{\"id\":\"7\"}",
                                         "{\"id\":7.5}"};
    for (size_t o = 0; o < sizeof others / sizeof *others; o++)
        assert_int_equal(id_of(200, others[o]), STATUS_UNAVAILABLE);
}

static void distinguishes_refusals_from_outages(void **state)
{
    (void)state;
    assert_int_equal(id_of(404, "{\"error_code\":40401}"), STATUS_NOT_FOUND);
    assert_int_equal(id_of(404, "<html>"), STATUS_UNAVAILABLE);
    assert_int_equal(id_of(409, "{\"error_code\":409,\"message\":\"incompatible\"}"), STATUS_CONFLICT);
    assert_int_equal(id_of(409, "busy"), STATUS_UNAVAILABLE);
    assert_int_equal(id_of(422, "{\"error_code\":42201}"), STATUS_INVALID);
    assert_int_equal(id_of(403, ""), STATUS_DENIED);
    assert_int_equal(id_of(503, "{\"error_code\":50003}"), STATUS_UNAVAILABLE);
}

static int free_text(void **state)
{
    (void)state;
    buffer_free(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_a_schema),           cmocka_unit_test(believes_the_registry_alone),
        cmocka_unit_test(nonsense_is_an_outage),    cmocka_unit_test(deep_and_huge_are_no_answers),
        cmocka_unit_test(many_lists_are_no_answer), cmocka_unit_test(reports_what_is_of_no_use),
        cmocka_unit_test(takes_ids_within_bounds),  cmocka_unit_test(distinguishes_refusals_from_outages),
    };
    return cmocka_run_group_tests(tests, NULL, free_text);
}

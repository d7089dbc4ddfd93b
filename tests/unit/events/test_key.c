/* events/key.h and key_json.h: whom a message key names. (With a registry's schemas: tests/system/test_registry.py.) */
#include "tests/unit/events/unit.h"

#include "events/key.h"
#include "events/key_json.h"

/* NULL: nobody. */
static void assert_names(struct span key, const char *who)
{
    struct key_reader *reader = key_reader_new(NULL);
    struct span copy = unit_copy(key), id;
    char storage[ID_BYTES_MAX];
    struct fault fault = {0};
    bool waits = true;
    enum event_code code = key_read(reader, copy, storage, &id, &fault, &waits);
    assert_false(waits);
    if (who) {
        assert_int_equal(code, EVENT_OK);
        if (!span_equal(id, span_of(who)))
            fail_msg("%.*s is not %s", (int)id.bytes, id.data, who);
    } else {
        assert_int_equal(code, EVENT_BAD_ID);
        assert_int_equal(fault.column, FAULT_NO_COLUMN);
        assert_true(fault.text[0]);
    }
    free((char *)copy.data);
    key_reader_free(reader);
}

#define NAMES(key, who) assert_names(SPAN_LITERAL(key), who)

static void test_texts(void **state)
{
    (void)state;
    NAMES("E1", "E1");
    NAMES("Zo\xc3\xab", "Zo\xc3\xab");
    NAMES("{8d3e0a52}", "{8d3e0a52}"); /* an id in braces is no JSON */
    NAMES("", NULL);
    NAMES("\xff\xfe", NULL);
    NAMES("E1\n", NULL);
    NAMES("E\xe2\x80\xae"
          "1",
          NULL);
    char text[300];
    memset(text, 'x', sizeof text);
    assert_names((struct span){text, 257}, NULL);
}

static void test_json(void **state)
{
    (void)state;
    NAMES("{\"employee_id\":\"E1\"}", "E1");
    NAMES(" { \"id\" : \"E1\" } \n", "E1");
    NAMES("{\"id\":1001}", "1001");
    NAMES("{\"id\":-7}", "-7");
    NAMES("{\"i\\u0064\":\"Zo\\u00eb \\ud83d\\udd2c \\\"\\/\"}", "Zo\xc3\xab \xf0\x9f\x94\xac \"/");
    NAMES("{\"id\":\"Zo\xc3\xab\"}", "Zo\xc3\xab");
    NAMES("{}", NULL);
    NAMES("{\"id\":\"\"}", NULL);
    NAMES("{\"id\":\"a\\nb\"}", NULL);
    NAMES("{\"id\":\"a\\u0000\"}", NULL);
    NAMES("{\"id\":\"\\u202e1\"}", NULL);
    NAMES("{\"id\":\"\\ud800\"}", NULL);
    NAMES("{\"id\":\"\\ud800\\u0041\"}", NULL);
    NAMES("{\"id\":\"\\q\"}", NULL);
    NAMES("{\"id\":\"\xff\"}", NULL);
    NAMES("{\"id\":null}", NULL);
    NAMES("{\"id\":true}", NULL);
    NAMES("{\"id\":1.5}", NULL);
    NAMES("{\"id\":1e3}", NULL);
    NAMES("{\"id\":01}", NULL);
    NAMES("{\"id\":-}", NULL);
    NAMES("{\"id\":[\"E1\"]}", NULL);
    NAMES("{\"id\":{\"id\":\"E1\"}}", NULL);
    NAMES("{\"id\":\"E1\",\"at\":2}", NULL);
    NAMES("{\"id\":\"E1\"}x", NULL);
    NAMES("{\"id\":\"E1\"", NULL);
    NAMES("{\"id\":\"E1", NULL);
    NAMES("{\"id\"", NULL);
    NAMES("{\"", NULL);
}

/* A JSON key of more fields: what the mapping's pointer leads to, or the same within Kafka Connect's "payload". */
static void test_json_of_more_fields(void **state)
{
    (void)state;
    struct key_reader *reader = key_reader_new(NULL);
    char storage[ID_BYTES_MAX];
    struct span id;
    struct fault fault;
    bool waits;
    struct map_node last = {.name = SPAN_LITERAL("n")},
                    step = {.name = SPAN_LITERAL("emp"), .below = &last, .below_count = 1};
    const struct map_node root = {.below = &step, .below_count = 1};
    const struct span deep = SPAN_LITERAL("{\"a\":1,\"emp\":{\"n\":\"E\\u0037\",\"m\":2}}");
    assert_int_equal(key_read(reader, deep, storage, &id, &fault, &waits), EVENT_BAD_ID);
    key_reader_use_map(reader, &root);
    assert_int_equal(key_read(reader, deep, storage, &id, &fault, &waits), EVENT_OK);
    assert_true(span_equal(id, SPAN_LITERAL("E7")));
    assert_int_equal(key_read(reader, SPAN_LITERAL("{\"a\":1,\"b\":2}"), storage, &id, &fault, &waits), EVENT_BAD_ID);
    assert_non_null(strstr(fault.text, "the mapping's \"key\""));
    assert_int_equal(key_read(reader, SPAN_LITERAL("{\"schema\":{\"type\":\"struct\"},\"payload\":{\"id\":7}}"),
                              storage, &id, &fault, &waits),
                     EVENT_OK);
    assert_true(span_equal(id, SPAN_LITERAL("7")));
    assert_int_equal(key_read(reader,
                              SPAN_LITERAL("{\"schema\":{},\"payload\":{\"at\":1,\"emp\":{\"n\":\"E8\",\"m\":2}}}"),
                              storage, &id, &fault, &waits),
                     EVENT_OK);
    assert_true(span_equal(id, SPAN_LITERAL("E8")));
    assert_int_equal(key_read(reader, SPAN_LITERAL("{\"a\":1,\"a\":1}"), storage, &id, &fault, &waits), EVENT_BAD_ID);
    key_reader_free(reader);
}

/* One level of "payload" is looked into: each further one would be read again from its start. */
static void test_payloads_within_each_other(void **state)
{
    (void)state;
    enum { LEVELS = 1000 };
    struct json_reader reader = {0};
    struct buffer key = {0};
    char storage[ID_BYTES_MAX];
    struct span id;
    NAMES("{\"payload\":{\"id\":7}}", "7");
    NAMES("{\"payload\":{\"payload\":{\"id\":7}}}", NULL);
    for (int level = 0; level < LEVELS; level++)
        buffer_add_text(&key, "{\"payload\":");
    buffer_add_text(&key, "{}");
    for (int level = 0; level < LEVELS; level++)
        buffer_add_u8(&key, '}');
    assert_false(key_json_read(&reader, buffer_span(&key), NULL, storage, &id));
    assert_true(reader.name_count <= 3 * LEVELS);
    json_reader_free(&reader);
    buffer_free(&key);
}

static void test_frames(void **state)
{
    (void)state;
    NAMES("\0\0\0\0\x2a\4E1", "E1");
    NAMES("\0\0\0\0\x2a{\"id\":\"E1\"}", "E1");
    NAMES("\1\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\4E1", "E1");
    NAMES("\0\0\0\0\x2a", NULL);
    NAMES("\0\0\0\0\x2a\4E", NULL);
    NAMES("\0\0\0\0\x2a\4E1x", NULL);
    NAMES("\0\0\0\0\x2a\2b", NULL); /* the number 49 after a union's branch is the same */
    NAMES("\0\0\0\0\x2a\4\xff\xfe", NULL);
    NAMES("\0\0\0\0\x2a{\"id\":\"E1\",\"at\":2}", NULL);
    NAMES("\0\0\3\xe9", NULL);
    NAMES("\0\0\0\0\0\0\3\xe9", NULL);
}

/* Longer than an id may be, in every form: neither read nor written beyond the storage. */
static void test_long(void **state)
{
    (void)state;
    struct buffer key = {0};
    buffer_add_text(&key, "{\"id\":\"");
    for (int i = 0; i < 400; i++)
        buffer_add_text(&key, "\\ud83d\\udd2c");
    buffer_add_text(&key, "\"}");
    assert_names(buffer_span(&key), NULL);
    buffer_clear(&key);
    buffer_add_text(&key, "{\"id\":");
    for (int i = 0; i < 3000; i++)
        buffer_add_u8(&key, '1');
    buffer_add_text(&key, "}");
    assert_names(buffer_span(&key), NULL);
    buffer_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_of_more_fields),
        cmocka_unit_test(test_payloads_within_each_other),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests_name("events/key", tests, NULL, NULL);
}

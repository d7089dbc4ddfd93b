/* avro/plan.h and avro_type.h: schemas that parse or do not, pairs that resolve or do not, and what a datum looks
 * like through the reader. (The whole conformance set runs through `scorer decode`.) */
#include "tests/support/bytes.h"

#include "avro/plan.h"

static const char *const refusals[] = {
    [DATUM_MALFORMED] = "malformed", [DATUM_UNRESOLVABLE] = "unresolvable", [DATUM_LIMIT] = "limit"};

static struct avro_schema *parse(const char *text)
{
    struct avro_schema *schema = NULL;
    struct error err = {0};
    if (avro_schema_parse(span_of(text), &schema, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return schema;
}

/* Decodes and compares with the JSON, or with a code's name; with "never: …" where the pair must not resolve. */
static void assert_decodes(const char *writer, const char *reader, const char *datum, size_t bytes,
                           const char *expected)
{
    struct avro_schema *from = parse(writer), *to = parse(reader);
    struct plan *plan = NULL;
    struct error err = {0};
    struct datum_fault fault;
    struct buffer out = {0};
    struct machine *machine = machine_new();
    struct span copy = unit_copy((struct span){datum, bytes});
    if (plan_compile(avro_schema_type(from), avro_schema_type(to), &plan, &err) != STATUS_OK) {
        buffer_printf(&out, "never: %s", err.text);
    } else {
        enum datum_code code = plan_run_json(plan, machine, copy, &out, &fault);
        if (code != DATUM_OK) {
            buffer_clear(&out);
            buffer_add_text(&out, refusals[code]);
        }
    }
    buffer_add_u8(&out, '\0');
    assert_string_equal(out.data, expected);
    free((char *)copy.data);
    plan_free(plan);
    machine_free(machine);
    avro_schema_free(from);
    avro_schema_free(to);
    buffer_free(&out);
}

#define DECODES(writer, reader, datum, expected) assert_decodes(writer, reader, datum, sizeof(datum) - 1, expected)
#define SAME(schema, datum, expected) DECODES(schema, schema, datum, expected)
#define RECORD(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define ENUM(symbols) "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[" symbols "]}"

static void test_primitives(void **state)
{
    (void)state;
    SAME("\"null\"", "", "null");
    SAME("\"boolean\"", "\1", "true");
    SAME("\"boolean\"", "\2", "malformed");
    SAME("\"int\"", "\xff\xff\xff\xff\x0f", "-2147483648");
    SAME("\"int\"", "\xff\xff\xff\xff\x10", "malformed");
    SAME("\"long\"", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1", "9223372036854775807");
    SAME("\"long\"", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\2", "malformed");
    SAME("\"double\"", "\0\0\0\0\0\0\0\x80", "-0.0");
    SAME("\"double\"", "\0\0\0\0\0\0\xf0\x3f", "1.0");
    SAME("\"float\"", "\0\0\xc0\x7f", "\"NaN\"");
    SAME("\"float\"", "\0\0\x80\xff", "\"-Infinity\"");
    SAME("\"string\"", "\4a\"", "\"a\\\"\"");
    SAME("\"bytes\"", "\4a\xff", "\"a\\u00ff\"");
    SAME("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "\0z", "\"\\u0000z\"");
    SAME("\"string\"", "", "malformed");
}

static void test_promotions(void **state)
{
    (void)state;
    DECODES("\"int\"", "\"double\"", "\2", "1.0");
    DECODES("\"int\"", "\"long\"", "\2", "1");
    DECODES("\"long\"", "\"float\"", "\x82\x80\x80\x80\x20", "4294967296.0"); /* 2^32 + 1, rounded once */
    DECODES("\"float\"", "\"double\"", "\0\0\x80\x3f", "1.0");
    DECODES("\"bytes\"", "\"string\"", "\2a", "\"a\"");
    DECODES("\"bytes\"", "\"string\"", "\2\xff", "malformed");
    DECODES("\"string\"", "\"bytes\"", "\2a", "\"a\"");
    DECODES("\"long\"", "\"int\"", "\2", "never: long cannot be read as int");
    DECODES("\"int\"", "\"string\"", "\2", "never: int cannot be read as string");
}

static void test_unions(void **state)
{
    (void)state;
    SAME("[\"null\",\"int\"]", "\2\2", "{\"int\":1}");
    SAME("[\"null\",\"int\"]", "\4\2", "malformed");
    DECODES("[\"null\",\"int\"]", "\"int\"", "\0", "unresolvable");
    DECODES("[\"null\",\"int\"]", "\"int\"", "\0\0", "malformed");
    DECODES("[\"null\",\"int\"]", "\"int\"", "\2\2", "1");
    DECODES("\"string\"", "[\"bytes\",\"string\"]", "\2a", "{\"string\":\"a\"}"); /* its own type first */
    DECODES("\"int\"", "[\"null\",\"double\",\"long\"]", "\2", "{\"double\":1.0}");
    DECODES("\"int\"", "[\"null\",\"string\"]", "\2", "never: no branch of the reader's union fits the writer's int");
    DECODES("[\"null\",\"boolean\"]", "\"int\"", "\0",
            "never: no branch of the writer's union can be read as the reader's int");
}

static void test_enums(void **state)
{
    (void)state;
    DECODES(ENUM("\"A\",\"B\""), ENUM("\"B\",\"A\""), "\2", "\"B\"");
    DECODES(ENUM("\"A\",\"B\""), ENUM("\"A\""), "\2", "unresolvable");
    DECODES(ENUM("\"A\",\"B\""), "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"C\"],\"default\":\"C\"}", "\2",
            "\"C\"");
    SAME(ENUM("\"A\""), "\2", "malformed");
    SAME(ENUM("\"A\""), "\1", "malformed");
}

static void test_records(void **state)
{
    (void)state;
    DECODES(RECORD("a.R", FIELD("x", "\"int\"") "," FIELD("y", "\"string\"")), RECORD("b.R", FIELD("y", "\"string\"")),
            "\2\2k", "{\"y\":\"k\"}");
    DECODES(RECORD("R", FIELD("x", "\"int\"")),
            "{\"type\":\"record\",\"name\":\"Q\",\"aliases\":[\"R\"],\"fields\":[{\"name\":\"y\",\"aliases\":[\"x\"],"
            "\"type\":\"long\"}]}",
            "\2", "{\"y\":1}");
    DECODES(RECORD("R", FIELD("x", "\"int\"")), RECORD("Q", FIELD("x", "\"int\"")), "\2",
            "never: the writer's R and the reader's Q have different names, and there is no alias");
    DECODES(RECORD("R", FIELD("x", "\"int\"")),
            RECORD("R", "{\"name\":\"z\",\"type\":[\"null\",\"int\"],\"default\":null}"), "\2", "{\"z\":null}");
    DECODES(RECORD("R", FIELD("x", "\"int\"")), RECORD("R", FIELD("z", "[\"null\",\"int\"]")), "\2",
            "never: the reader's field \"z\" is not in the writer's record and has no default");
    DECODES(RECORD("R", FIELD("x", "\"int\"")), RECORD("R", "{\"name\":\"z\",\"type\":\"int\",\"default\":\"a\"}"),
            "\2", "never: the reader's field \"z\" has a default that is no value of its type");
    SAME(RECORD("R", ""), "", "{}");
}

static void test_defaults(void **state)
{
    (void)state;
    DECODES(
        RECORD("R", ""),
        RECORD(
            "R",
            "{\"name\":\"r\",\"type\":" RECORD(
                "S", "{\"name\":\"i\",\"type\":\"float\",\"default\":1}") ",\"default\":{}},"
                                                                          "{\"name\":\"u\",\"type\":[\"long\","
                                                                          "\"string\"],\"default\":\"s\"},"
                                                                          "{\"name\":\"b\",\"type\":\"bytes\","
                                                                          "\"default\":\"\\u00ff\"},"
                                                                          "{\"name\":\"m\",\"type\":{\"type\":\"map\","
                                                                          "\"values\":\"int\"},\"default\":{\"k\":2}},"
                                                                          "{\"name\":\"l\",\"type\":{\"type\":"
                                                                          "\"array\",\"items\":\"boolean\"},"
                                                                          "\"default\":[true,false]}"),
        "", "{\"r\":{\"i\":1.0},\"u\":{\"string\":\"s\"},\"b\":\"\xc3\xbf\",\"m\":{\"k\":2},\"l\":[true,false]}");
}

static void test_blocks(void **state)
{
    (void)state;
#define LONGS "{\"type\":\"array\",\"items\":\"long\"}"
    SAME(LONGS, "\4\2\4\2\6\0", "[1,2,3]");
    SAME(LONGS, "\3\4\2\4\0", "[1,2]"); /* −2 items in 2 bytes */
    SAME(LONGS, "\3\2\2\4\0", "malformed");
    SAME(LONGS, "\3\1\2\4\0", "malformed");
    SAME(LONGS, "\x80\x80\x80\x80\x20\2", "malformed");
    SAME(LONGS, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\4", "malformed"); /* −2^63 */
    SAME(LONGS, "\0", "[]");
    SAME("{\"type\":\"map\",\"values\":\"int\"}", "\2\2k\2\2\2l\4\0", "{\"k\":1,\"l\":2}");
    SAME("{\"type\":\"map\",\"values\":\"int\"}", "\2\2\xff\2\0", "malformed");
    SAME("{\"type\":\"array\",\"items\":\"null\"}", "\6\0", "[null,null,null]");
    SAME("{\"type\":\"array\",\"items\":\"null\"}", "\x80\x80\x80\x80\x10\0", "malformed"); /* 2^31 nulls */
    DECODES(RECORD("R", FIELD("a", LONGS) "," FIELD("b", "\"int\"")), RECORD("R", FIELD("b", "\"int\"")),
            "\3\4\2\4\2\2\0\6", "{\"b\":3}");
}

#define CELL RECORD("Cell", FIELD("next", "[\"null\",\"Cell\"]"))

static void test_recursion(void **state)
{
    (void)state;
    char datum[3001];
    memset(datum, 2, sizeof datum);
    SAME(CELL, "\2\2\0", "{\"next\":{\"Cell\":{\"next\":{\"Cell\":{\"next\":null}}}}}");
    datum[3000] = 0;
    assert_decodes(CELL, CELL, datum, 3001, "limit");
    assert_decodes(CELL, CELL, datum, 3000, "malformed");
    assert_decodes(RECORD("R", FIELD("c", CELL)), RECORD("R", ""), datum, 3001, "limit");
    assert_decodes(RECORD("R", FIELD("c", CELL)), RECORD("R", ""), datum + 3001 - 65, 65, "{}");
    assert_decodes(RECORD("R", FIELD("r", "\"R\"")), RECORD("R", FIELD("r", "\"R\"")), datum, 10,
                   "limit"); /* never ends */
    /* resolves only if its own inside does: the failure is found after the recursion */
    DECODES(RECORD("R", FIELD("r", "{\"type\":\"array\",\"items\":\"R\"}") "," FIELD("x", "\"long\"")),
            RECORD("R", FIELD("r", "{\"type\":\"array\",\"items\":\"R\"}") "," FIELD("x", "\"int\"")), "",
            "never: x: long cannot be read as int");
}

static void test_decimals(void **state)
{
    (void)state;
#define DECIMAL(scale) "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":" scale "}"
    SAME(DECIMAL("2"), "\2\1", "\"\\u0001\"");
    DECODES(DECIMAL("2"), DECIMAL("1"), "\2\1", "never: decimals of scale 2 cannot be read with scale 1");
    DECODES(DECIMAL("2"), "\"bytes\"", "\2\1", "\"\\u0001\"");
    DECODES(DECIMAL("9"), DECIMAL("1"), "\2\1", "\"\\u0001\""); /* the scale is not valid: no decimal */
}

static void test_schemas_that_do_not_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
    } cases[] = {
        {"", "not JSON"},
        {"{\"type\":\"record\",\"type\":\"enum\"}", "not JSON"},
        {"\"a\\nb\"", "no type \"a b\""},
        {"5", "a type is a name, an object or an array"},
        {"\"strin\"", "no type \"strin\" is defined before this point"},
        {"{\"name\":\"R\"}", "a type needs \"type\""},
        {"{\"type\":\"record\",\"fields\":[]}", "record needs a \"name\""},
        {"{\"type\":\"record\",\"name\":\"1R\",\"fields\":[]}", "record needs a \"name\""},
        {"{\"type\":\"record\",\"name\":\"R\"}", "a record needs \"fields\""},
        {"{\"type\":\"record\",\"name\":\"int\",\"fields\":[]}", "is a primitive type"},
        {RECORD("R", FIELD("a", "\"int\"") "," FIELD("a", "\"int\"")), "field \"a\" is a duplicate"},
        {RECORD("R", "{\"name\":\"a\"}"), "at a: a field needs a \"type\""},
        {RECORD("R", FIELD("a", RECORD("S", FIELD("b", "\"T\"")))), "at a.b: no type \"T\""},
        {RECORD("R", FIELD("a", RECORD("R", ""))), "\"R\" is defined twice"},
        {ENUM("\"A\",\"A\""), "symbol \"A\" is a duplicate"},
        {ENUM("\"A-B\""), "not a legal enum symbol"},
        {"{\"type\":\"enum\",\"name\":\"E\"}", "an enum needs \"symbols\""},
        {"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],\"default\":\"B\"}",
         "default is not one of its symbols"},
        {"{\"type\":\"fixed\",\"name\":\"F\"}", "a fixed needs a \"size\""},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "a fixed needs a \"size\""},
        {"{\"type\":\"array\"}", "array needs \"items\""},
        {"{\"type\":\"map\",\"items\":\"int\"}", "map needs \"values\""},
        {"[\"int\",\"int\"]", "\"int\" is a duplicate in a union"},
        {"[\"int\",[\"null\"]]", "at [1]: a union may not contain a union directly"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct avro_schema *schema = NULL;
        struct error err = {0};
        if (avro_schema_parse(span_of(cases[c].text), &schema, &err) == STATUS_OK || !strstr(err.text, cases[c].what))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[c].text, err.text, cases[c].what);
    }
}

static void test_deep_schemas_are_refused(void **state)
{
    (void)state;
    struct buffer text = {0};
    struct avro_schema *schema = NULL;
    struct error err = {0};
    for (int n = 0; n < 300; n++)
        buffer_add_text(&text, "{\"type\":\"array\",\"items\":");
    buffer_add_text(&text, "\"int\"");
    for (int n = 0; n < 300; n++)
        buffer_add_text(&text, "}");
    assert_int_equal(avro_schema_parse(buffer_span(&text), &schema, &err), STATUS_LIMIT);
    buffer_free(&text);
}

/* Each record holds the one before twice: the datum has no bytes, and 2^60 records. */
static void test_work_is_bounded(void **state)
{
    (void)state;
    struct buffer text = {0};
    buffer_add_text(&text, "[{\"type\":\"record\",\"name\":\"R0\",\"fields\":[]}");
    for (int n = 1; n <= 60; n++)
        buffer_printf(&text,
                      ",{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"a\",\"type\":\"R%d\"},{\"name\":"
                      "\"b\",\"type\":\"R%d\"}]}",
                      n, n - 1, n - 1);
    buffer_add(&text, "]", 2);
    assert_decodes(text.data, text.data, "\x78", 1, "limit");
    buffer_free(&text);
}

/* As many levels as are promised, with null beside each record, in one text. */
static void test_deep_data(void **state)
{
    (void)state;
    enum { LEVELS = 64 };
    struct buffer text = {0}, json = {0};
    char datum[LEVELS + 1];
    for (int n = 0; n < LEVELS; n++) {
        buffer_printf(&text,
                      "[\"null\",{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"a\",\"type\":", n);
        buffer_printf(&json, "{\"R%d\":{\"a\":", n);
        datum[n] = 2;
    }
    datum[LEVELS] = 2;
    buffer_add_text(&text, "\"int\"");
    buffer_add_text(&json, "1");
    for (int n = 0; n < LEVELS; n++) {
        buffer_add_text(&text, "}]}]");
        buffer_add_text(&json, "}}");
    }
    buffer_add_u8(&text, '\0');
    buffer_add_u8(&json, '\0');
    assert_decodes(text.data, text.data, datum, sizeof datum, json.data);
    buffer_free(&text);
    buffer_free(&json);
}

/* Records that refer to one another, each within many arrays: too deep for the resolver, long before the stack's end.
 * Only the last is read, so the others are met through it alone. */
static void test_deep_references_are_refused(void **state)
{
    (void)state;
    enum { RECORDS = 200, ARRAYS = 100 };
    struct buffer texts[2] = {{0}, {0}};
    for (int side = 0; side < 2; side++) {
        buffer_add_text(&texts[side], "{\"type\":\"record\",\"name\":\"T\",\"fields\":[");
        for (int r = 0; r < RECORDS; r++) {
            buffer_printf(&texts[side], "%s{\"name\":\"%c%d\",\"default\":{\"x\":%s},\"type\":", r ? "," : "",
                          r < RECORDS - 1 ? "wr"[side] : 'x', r, r ? "[]" : "1");
            buffer_printf(&texts[side],
                          "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"x\",\"type\":", r);
            for (int a = 0; r && a < ARRAYS; a++)
                buffer_add_text(&texts[side], "{\"type\":\"array\",\"items\":");
            if (r)
                buffer_printf(&texts[side], "\"R%d\"", r - 1);
            else
                buffer_add_text(&texts[side], "\"int\"");
            for (int a = 0; r && a < ARRAYS; a++)
                buffer_add_text(&texts[side], "}");
            buffer_add_text(&texts[side], "}]}}");
        }
        buffer_add(&texts[side], "]}", 3);
    }
    assert_decodes(texts[0].data, texts[1].data, "", 0,
                   "never: the schemas are nested too deep, or have too many pairs of records or too large defaults");
    buffer_free(&texts[0]);
    buffer_free(&texts[1]);
}

/* A default of many symbols of a large enum: each is looked for among all. */
static void test_large_defaults_are_refused(void **state)
{
    (void)state;
    enum { SYMBOLS = 10000, ITEMS = 1000 };
    struct buffer text = {0};
    buffer_add_text(&text,
                    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"array\","
                    "\"items\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[");
    for (int s = 0; s <= SYMBOLS; s++)
        buffer_printf(&text, "%s\"S%d\"", s ? "," : "", s);
    buffer_add_text(&text, "]}},\"default\":[");
    for (int n = 0; n < ITEMS; n++)
        buffer_printf(&text, "%s\"S%d\"", n ? "," : "", SYMBOLS);
    buffer_add(&text, "]}]}", 5);
    assert_decodes(RECORD("R", ""), text.data, "", 0,
                   "never: the schemas are nested too deep, or have too many pairs of records or too large defaults");
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_primitives),
        cmocka_unit_test(test_promotions),
        cmocka_unit_test(test_unions),
        cmocka_unit_test(test_enums),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_schemas_that_do_not_parse),
        cmocka_unit_test(test_deep_schemas_are_refused),
        cmocka_unit_test(test_work_is_bounded),
        cmocka_unit_test(test_deep_data),
        cmocka_unit_test(test_deep_references_are_refused),
        cmocka_unit_test(test_large_defaults_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

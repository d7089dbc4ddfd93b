/* What pipeline_load refuses, and how it says so: cut, bent and hostile files, metadata that cannot be trusted, columns
 * and labels that do not fit. */
#include "tests/unit/pipeline/fixture.h"

static void expect_refused(const struct buffer *file, enum status status, const char *says)
{
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    assert_int_equal(fixture_load(file, &pipeline, &err), status);
    assert_null(pipeline);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
    assert_null(strchr(err.text, '\n'));
}

static void expect_property_refused(const char *key, const char *value, const char *says)
{
    struct buffer file = fixture_file(key, value);
    expect_refused(&file, STATUS_INVALID, says);
    buffer_free(&file);
}

/* A cut file is refused, or loads as what is left of it: it never crashes, and never scores otherwise. */
static void test_truncation_at_every_byte(void **state)
{
    (void)state;
    struct buffer file = fixture_file("attrition.reference", REFERENCE);
    for (size_t bytes = 0; bytes < file.bytes; bytes++) {
        char *cut = mem_text_n(file.data, bytes);
        char *exact = mem_resize(NULL, bytes ? bytes : 1, 1); /* no byte past the end: a sanitizer sees every overrun */
        memcpy(exact, cut, bytes);
        struct buffer part = {exact, bytes, bytes};
        struct pipeline *pipeline = NULL;
        struct error err = {0};
        enum status status = fixture_load(&part, &pipeline, &err);
        assert_true(status != STATUS_OK ? pipeline == NULL && *err.text : pipeline != NULL);
        pipeline_free(pipeline);
        free(exact);
        free(cut);
    }
    buffer_free(&file);
}

static void test_bits_flipped(void **state)
{
    (void)state;
    struct buffer file = fixture_file("attrition.reference", REFERENCE);
    struct cell cells[COLUMNS];
    struct score score;
    struct reason reasons[COLUMNS];
    fixture_row(cells, 40, "Ulm", NAN, "night");
    size_t refused = 0;
    for (size_t bit = 0; bit < 8 * file.bytes; bit++) {
        struct pipeline *pipeline = NULL;
        struct error err = {0};
        file.data[bit / 8] ^= (char)(1 << bit % 8);
        if (fixture_load(&file, &pipeline, &err) == STATUS_OK) {
            pipeline_score(pipeline, cells, 1, COLUMNS, &score, reasons);
        } else {
            assert_null(pipeline);
            assert_true(err.text[0] != '\0');
            refused++;
        }
        pipeline_free(pipeline);
        file.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_in_range(refused, 1, 8 * file.bytes - 1);
    buffer_free(&file);
}

/* field 7 (graph) { 1 (node) { 5 (attribute) { 6 (graph) …: lengths as three-byte varints. */
static void wrap(struct buffer *file, uint8_t tag)
{
    char head[4] = {(char)tag, (char)((file->bytes & 0x7f) | 0x80), (char)((file->bytes >> 7 & 0x7f) | 0x80),
                    (char)(file->bytes >> 14 & 0x7f)};
    buffer_reserve(file, sizeof head);
    memmove(file->data + sizeof head, file->data, file->bytes);
    memcpy(file->data, head, sizeof head);
    file->bytes += sizeof head;
}

static void test_nested_bombs(void **state)
{
    (void)state;
    struct buffer file = {0};
    for (int level = 0; level < 10000; level++) { /* types of sequences of types */
        wrap(&file, 0x0a);
        wrap(&file, 0x22);
    }
    wrap(&file, 0x12); /* value info's type */
    wrap(&file, 0x5a); /* graph's input */
    wrap(&file, 0x3a); /* model's graph */
    expect_refused(&file, STATUS_LIMIT, "nests");
    buffer_clear(&file);
    for (int level = 0; level < 5000; level++) { /* graphs in attributes of nodes */
        wrap(&file, 0x32);
        wrap(&file, 0x2a);
        wrap(&file, 0x0a);
    }
    wrap(&file, 0x3a);
    expect_refused(&file, STATUS_LIMIT, "nests");
    buffer_free(&file);
}

static void test_bytes_that_are_no_model(void **state)
{
    (void)state;
    static const struct {
        struct span bytes;
        const char *says;
    } FILES[] = {
        {SPAN_LITERAL(""), "empty"},
        {SPAN_LITERAL("not a model"), "not a sound ONNX file"},
        {SPAN_LITERAL("\x08\x08"), "no graph"},
        {SPAN_LITERAL("\x3a\xff\xff\xff\xff\x0f"), "beyond the end"},
        {SPAN_LITERAL("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "not a sound ONNX file"},
        {SPAN_LITERAL("\x08"), "broken number"},
        {SPAN_LITERAL("\x3b\x3c"), "wire type"},
        {SPAN_LITERAL("\x00\x00"), "broken field tag"},
        {SPAN_LITERAL("\x3a\x00\x3a\x00"), "duplicate"},
        {SPAN_LITERAL("\x12\x03"
                      "a\0b"),
         "NUL"},
        {SPAN_LITERAL("\x38\x01"), "another wire type"},
        {SPAN_LITERAL("\x3a\x00"), "outputs must be"},
    };
    for (size_t f = 0; f < sizeof FILES / sizeof *FILES; f++) {
        struct buffer file = {0};
        buffer_add(&file, FILES[f].bytes.data, FILES[f].bytes.bytes);
        struct pipeline *pipeline = NULL;
        struct error err = {0};
        assert_int_not_equal(fixture_load(&file, &pipeline, &err), STATUS_OK);
        if (!strstr(err.text, FILES[f].says))
            fail_msg("file %zu: '%s' does not say '%s'", f, err.text, FILES[f].says);
        buffer_free(&file);
    }
}

static void test_thresholds(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"", "1.0001", "-0.1", "nan", "inf", "0.5x", " 0.5", "0x1p-1", "half"};
    for (size_t w = 0; w < sizeof WRONG / sizeof *WRONG; w++)
        expect_property_refused("attrition.threshold", WRONG[w], "attrition.threshold");
    static const char *const RIGHT[] = {"0", "1", "0.5", "1e-3"};
    for (size_t r = 0; r < sizeof RIGHT / sizeof *RIGHT; r++) {
        struct buffer file = fixture_file("attrition.threshold", RIGHT[r]);
        struct pipeline *pipeline = NULL;
        struct error err;
        assert_int_equal(fixture_load(&file, &pipeline, &err), STATUS_OK);
        assert_true(pipeline_threshold(pipeline) == strtod(RIGHT[r], NULL));
        pipeline_free(pipeline);
        buffer_free(&file);
    }
}

static void test_golden_rows(void **state)
{
    (void)state;
    struct buffer golden = {0};
    double right = 1 / (1 + exp(-fixture_margin(40, "Ulm", NAN, "night")));
    static const char *form =
        "{\"tolerance\":1e-12,\"rows\":[{\"attributes\":{\"age\":40,\"city\":\"Ulm\",\"pay\":null,"
        "\"shift\":\"night\"},\"probability\":%.17g}]}";
    buffer_printf(&golden, form, right);
    buffer_add_u8(&golden, 0);
    struct buffer file = fixture_file("attrition.golden", golden.data);
    struct pipeline *pipeline = NULL;
    struct error err = {0};
    assert_int_equal(fixture_load(&file, &pipeline, &err), STATUS_OK);
    pipeline_free(pipeline);
    buffer_free(&file);

    buffer_clear(&golden);
    buffer_printf(&golden, form, right + 1e-9);
    buffer_add_u8(&golden, 0);
    expect_property_refused("attrition.golden", golden.data, "golden row 0");
    expect_property_refused("attrition.golden", golden.data, "difference 1e-09");
    expect_property_refused("attrition.golden", "[]", "attrition.golden");
    expect_property_refused("attrition.golden", "{\"rows\":[{}],\"tolerance\":0}", "row 0");
    expect_property_refused("attrition.golden", "{\"rows\":[],\"tolerance\":0.5}", "tolerance");
    expect_property_refused("attrition.golden", "{\"rows\":[", "attrition.golden");
    expect_property_refused("attrition.golden",
                            "{\"rows\":[{\"attributes\":{\"age\":\"x\"},\"probability\":0.5}],\"tolerance\":0}",
                            "column age");
    buffer_free(&golden);
}

static void test_references(void **state)
{
    (void)state;
    expect_property_refused("attrition.reference", "{}", "kind");
    expect_property_refused("attrition.reference", "{\"kind\":\"tree\",\"columns\":{}}", "kind");
    expect_property_refused("attrition.reference", "{\"kind\":\"linear\",\"columns\":{}}", "column age has no mean");
    expect_property_refused("attrition.reference", "{\"kind\":\"linear\",\"columns\":{\"age\":1,\"pay\":1,\"city\":3}}",
                            "column city has no frequencies");
    expect_property_refused("attrition.reference",
                            "{\"kind\":\"linear\",\"columns\":{\"age\":1,\"pay\":1,\"city\":{\"Ulm\":0.5}}}",
                            "add up to 0.5");
    expect_property_refused("attrition.reference",
                            "{\"kind\":\"linear\",\"columns\":{\"age\":1,\"pay\":1,\"city\":{\"Ulm\":-1}}}", "0 to 1");
}

static void test_columns_are_bound_by_name_and_kind(void **state)
{
    (void)state;
    struct buffer file = fixture_file(NULL, NULL);
    struct column columns[COLUMNS];
    struct pipeline *pipeline = NULL;
    const struct pipeline_options options = {.default_positive = "Yes"};
    struct error err;
    memcpy(columns, SCHEMA, sizeof columns);
    columns[AGE].name = "years";
    columns[SHIFT].name = "hours";
    assert_int_equal(pipeline_load(buffer_span(&file), columns, COLUMNS, &options, &pipeline, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "age, shift"));
    memcpy(columns, SCHEMA, sizeof columns);
    columns[PAY].kind = COLUMN_NOMINAL;
    assert_int_equal(pipeline_load(buffer_span(&file), columns, COLUMNS, &options, &pipeline, &err),
                     STATUS_UNSUPPORTED);
    assert_non_null(strstr(err.text, "input pay takes double"));
    assert_null(pipeline);
    buffer_free(&file);
}

static enum status load_with(const struct buffer *file, const char *option, const char *fallback, struct pipeline **out,
                             struct error *err)
{
    const struct pipeline_options options = {.positive_label = option, .default_positive = fallback};
    return pipeline_load(buffer_span(file), SCHEMA, COLUMNS, &options, out, err);
}

static void test_positive_label(void **state)
{
    (void)state;
    struct buffer plain = fixture_file(NULL, NULL), named = fixture_file("attrition.positive_label", "No");
    struct buffer wrong = fixture_file("attrition.positive_label", "Maybe");
    struct pipeline *yes = NULL, *no = NULL, *none = NULL;
    struct error err;
    struct cell cells[COLUMNS];
    struct score positive, negative;
    assert_int_equal(load_with(&plain, NULL, "Yes", &yes, &err), STATUS_OK);
    assert_int_equal(load_with(&named, NULL, "Yes", &no, &err), STATUS_OK);
    assert_string_equal(pipeline_positive_label(yes), "Yes");
    assert_string_equal(pipeline_positive_label(no), "No");
    fixture_row(cells, 50, "Ulm", 100, NULL);
    pipeline_score(yes, cells, 1, 0, &positive, NULL);
    pipeline_score(no, cells, 1, 0, &negative, NULL);
    assert_true(positive.margin == -negative.margin);
    assert_true(fabs(positive.probability + negative.probability - 1) < 1e-15);
    pipeline_free(no);
    assert_int_equal(load_with(&wrong, "Yes", NULL, &no, &err), STATUS_OK); /* the option overrules the file */
    pipeline_free(no);
    pipeline_free(yes);
    assert_int_equal(load_with(&wrong, NULL, "Yes", &none, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "'No' and 'Yes'"));
    assert_int_equal(load_with(&plain, "maybe", "Yes", &none, &err), STATUS_INVALID);
    assert_int_equal(load_with(&plain, NULL, NULL, &none, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "--positive-label"));
    buffer_free(&plain);
    buffer_free(&named);
    buffer_free(&wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncation_at_every_byte),
        cmocka_unit_test(test_bits_flipped),
        cmocka_unit_test(test_nested_bombs),
        cmocka_unit_test(test_bytes_that_are_no_model),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_golden_rows),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_columns_are_bound_by_name_and_kind),
        cmocka_unit_test(test_positive_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Written, loaded, scored: every kind of cell against the closed form, and reasons that add up. */
#include "tests/unit/pipeline/fixture.h"

static const double NUMBERS[] = {NAN, 0, -0.0, 18, 36.9, 41.5, -7, 1e30, -1e30, 1e-300, 5e-324, 1e308, -1e308};
static const char *const CITY_TEXTS[] = {NULL, "", "Ulm", "Bonn & Köln", "Nowhere", "ulm", " Ulm", "U", "Ulmm", "?"};
static const char *const SHIFT_TEXTS[] = {NULL, "", "day", "night", "nigh", "nightly", "other"};
#define COUNT(list) (sizeof(list) / sizeof *(list))

static struct pipeline *load(const char *key, const char *value)
{
    struct buffer file = fixture_file(key, value);
    struct pipeline *pipeline = NULL;
    struct error err;
    if (fixture_load(&file, &pipeline, &err))
        fail_msg("%s", err.text);
    buffer_free(&file);
    return pipeline;
}

static void assert_near(double a, double b)
{
    if (isinf(a) || isinf(b)) {
        assert_true(a == b);
        return;
    }
    assert_true(fabs(a - b) <= 1e-12 * fmax(1, fmax(fabs(a), fabs(b))));
}

static void test_every_cell_matches_the_closed_form(void **state)
{
    (void)state;
    struct pipeline *pipeline = load(NULL, NULL);
    struct cell cells[COLUMNS];
    struct score score;
    for (size_t a = 0; a < COUNT(NUMBERS); a++)
        for (size_t c = 0; c < COUNT(CITY_TEXTS); c++)
            for (size_t s = 0; s < COUNT(SHIFT_TEXTS); s++) {
                double pay = NUMBERS[(a + c + s) % COUNT(NUMBERS)];
                fixture_row(cells, NUMBERS[a], CITY_TEXTS[c], pay, SHIFT_TEXTS[s]);
                pipeline_score(pipeline, cells, 1, 0, &score, NULL);
                double margin = fixture_margin(NUMBERS[a], CITY_TEXTS[c], pay, SHIFT_TEXTS[s]);
                if (isnan(margin))
                    continue;
                assert_near(score.margin, margin);
                assert_near(score.probability, 1 / (1 + exp(-margin)));
                assert_int_equal(score.reason_count, 0);
            }
    pipeline_free(pipeline);
}

static void test_a_batch_is_its_rows(void **state)
{
    (void)state;
    struct pipeline *pipeline = load("attrition.reference", REFERENCE);
    struct cell cells[7 * COLUMNS];
    struct score batch[7], single;
    struct reason reasons[7 * 3], alone[3];
    for (size_t r = 0; r < 7; r++)
        fixture_row(cells + r * COLUMNS, NUMBERS[r + 1], CITY_TEXTS[r], 1000.0 * (double)r, SHIFT_TEXTS[r]);
    pipeline_score(pipeline, cells, 7, 3, batch, reasons);
    for (size_t r = 0; r < 7; r++) {
        pipeline_score(pipeline, cells + r * COLUMNS, 1, 3, &single, alone);
        assert_true(single.probability == batch[r].probability && single.margin == batch[r].margin);
        assert_true(single.base == batch[r].base && single.reason_count == batch[r].reason_count);
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(alone[k].column, reasons[r * 3 + k].column);
            assert_true(alone[k].contribution == reasons[r * 3 + k].contribution);
        }
    }
    pipeline_free(pipeline);
}

static double reference_margin(void)
{
    return fixture_number_term(&FITTED[0], 36.5) + fixture_number_term(&FITTED[1], 6000) + 0.75 * CITY_WEIGHTS[1] +
           0.25 * CITY_WEIGHTS[0] + 0.5 * SHIFT_WEIGHTS[0] + 0.5 * SHIFT_WEIGHTS[1] + INTERCEPT;
}

static void test_reasons_add_up(void **state)
{
    (void)state;
    struct pipeline *pipeline = load("attrition.reference", REFERENCE);
    assert_true(pipeline_has_reasons(pipeline));
    struct cell cells[COLUMNS];
    struct score score;
    struct reason reasons[9];
    for (size_t c = 0; c < COUNT(CITY_TEXTS); c++) {
        fixture_row(cells, 20.0 + (double)c, CITY_TEXTS[c], c % 2 ? NAN : 9000, SHIFT_TEXTS[c % COUNT(SHIFT_TEXTS)]);
        pipeline_score(pipeline, cells, 1, 9, &score, reasons);
        assert_int_equal(score.reason_count, COLUMNS);
        assert_near(score.base, reference_margin());
        double sum = score.base;
        for (uint32_t r = 0; r < score.reason_count; r++) {
            sum += reasons[r].contribution;
            if (r)
                assert_true(fabs(reasons[r - 1].contribution) >= fabs(reasons[r].contribution));
        }
        assert_near(sum, score.margin);
    }
    pipeline_free(pipeline);
}

static void test_reasons_are_the_columns_own(void **state)
{
    (void)state;
    struct pipeline *pipeline = load("attrition.reference", REFERENCE);
    struct cell cells[COLUMNS];
    struct score score;
    struct reason reasons[2];
    fixture_row(cells, 36.5, "Ulm", 6000, "night");
    pipeline_score(pipeline, cells, 1, 2, &score, reasons);
    assert_int_equal(score.reason_count, 2);
    assert_int_equal(reasons[0].column, SHIFT);
    assert_near(reasons[0].contribution, 0.9 - 0.4);
    assert_int_equal(reasons[1].column, CITY);
    assert_near(reasons[1].contribution, -0.25 - (0.75 * -0.25 + 0.25 * 0.5));
    pipeline_free(pipeline);
}

/* Two columns that always say the same stand in schema order. */
static void test_ties_stand_in_schema_order(void **state)
{
    (void)state;
    static const double weight[] = {1}, minus[] = {-1};
    struct fitted_column fitted[2] = {{.column = &SCHEMA[PAY], .scale = 1, .weights = weight},
                                      {.column = &SCHEMA[AGE], .scale = 1, .weights = minus}};
    struct model_property property = {"attrition.reference",
                                      SPAN_LITERAL("{\"kind\":\"linear\",\"columns\":{\"age\":0,\"pay\":0}}")};
    struct linear_model model = {
        .columns = fitted, .column_count = 2, .labels = LABELS, .properties = &property, .property_count = 1};
    struct buffer file = {0};
    struct pipeline *pipeline = NULL;
    struct error err;
    struct cell cells[COLUMNS];
    struct score score;
    struct reason reasons[2];
    assert_int_equal(onnx_write_linear(&model, &file, &err), STATUS_OK);
    assert_int_equal(fixture_load(&file, &pipeline, &err), STATUS_OK);
    fixture_row(cells, 5, NULL, 5, NULL);
    pipeline_score(pipeline, cells, 1, 2, &score, reasons);
    assert_int_equal(reasons[0].column, AGE);
    assert_int_equal(reasons[1].column, PAY);
    pipeline_score(pipeline, cells, 1, 1, &score, reasons);
    assert_int_equal(score.reason_count, 1);
    assert_int_equal(reasons[0].column, AGE);
    pipeline_free(pipeline);
    buffer_free(&file);
}

static void test_the_same_model_gives_the_same_bytes(void **state)
{
    (void)state;
    struct buffer a = fixture_file("attrition.threshold", "0.25"), b = fixture_file("attrition.threshold", "0.25");
    assert_true(span_equal(buffer_span(&a), buffer_span(&b)));
    struct pipeline *pipeline = load("attrition.threshold", "0.25");
    assert_true(pipeline_threshold(pipeline) == 0.25);
    assert_string_equal(pipeline_metadata(pipeline, "attrition.threshold"), "0.25");
    assert_null(pipeline_metadata(pipeline, "attrition.reference"));
    assert_false(pipeline_has_reasons(pipeline));
    assert_true(pipeline_bytes(pipeline) > 0);
    pipeline_free(pipeline);
    buffer_free(&a);
    buffer_free(&b);
}

static void expect_unwritten(const struct linear_model *model, const char *says)
{
    struct buffer file = {0};
    struct error err;
    assert_int_equal(onnx_write_linear(model, &file, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, says));
    assert_int_equal(file.bytes, 0);
}

static void test_what_cannot_be_written_is_refused(void **state)
{
    (void)state;
    struct fitted_column fitted[COLUMNS];
    struct linear_model model = fixture_model(NULL, 0);
    model.columns = fitted;
    memcpy(fitted, FITTED, sizeof fitted);
    fitted[0].scale = 0;
    expect_unwritten(&model, "age");
    memcpy(fitted, FITTED, sizeof fitted);
    fitted[1].weights = (const double[]){NAN};
    expect_unwritten(&model, "pay");
    memcpy(fitted, FITTED, sizeof fitted);
    fitted[2].mode = 2;
    expect_unwritten(&model, "city");
    memcpy(fitted, FITTED, sizeof fitted);
    fitted[3].categories = (const struct span[]){SPAN_LITERAL("x"), SPAN_LITERAL("x")};
    expect_unwritten(&model, "duplicate category");
    memcpy(fitted, FITTED, sizeof fitted);
    struct fitted_column first = fitted[0];
    fitted[0] = fitted[2];
    fitted[2] = first;
    expect_unwritten(&model, "numbers must come before");
    memcpy(fitted, FITTED, sizeof fitted);
    model.labels = (const struct span[]){SPAN_LITERAL("No"), SPAN_LITERAL("No")};
    expect_unwritten(&model, "labels");
    model.column_count = 0;
    expect_unwritten(&model, "at least one column");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell_matches_the_closed_form),
        cmocka_unit_test(test_a_batch_is_its_rows),
        cmocka_unit_test(test_reasons_add_up),
        cmocka_unit_test(test_reasons_are_the_columns_own),
        cmocka_unit_test(test_ties_stand_in_schema_order),
        cmocka_unit_test(test_the_same_model_gives_the_same_bytes),
        cmocka_unit_test(test_what_cannot_be_written_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

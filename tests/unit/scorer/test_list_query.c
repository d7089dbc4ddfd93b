/* What /employees asks for: parameters, their SQL, cursors, CSV; without a server or a database. */
#include "tests/support/scorer.h"

#include "scorer/http/csv_cells.h"
#include "scorer/http/page_cursor.h"
#include "scorer/http/list_sql.h"
#include "scorer/http/parameters.h"

static const struct schema *shipped(void)
{
    static struct schema *schema;
    struct error err;
    if (!schema)
        assert_int_equal(schema_load("schemas", &schema, &err), STATUS_OK);
    return schema;
}

/* The text of a refusal, or NULL. */
static const char *read_query(const struct parameter *parameters, size_t count, struct list_query *out)
{
    static char text[4096];
    struct answer answer = {0};
    struct request request = {.parameter_count = count};
    for (size_t p = 0; p < count && p < PARAMETERS_MAX; p++)
        request.parameters[p] = parameters[p];
    bool sound = list_query_read(shipped(), &request, out, &answer);
    assert_true(sound == !answer.status);
    assert_true(sound || answer.status == 400);
    snprintf(text, sizeof text, "%.*s", (int)answer.body.bytes, answer.body.data ? answer.body.data : "");
    buffer_free(&answer.body);
    return sound ? NULL : text;
}

static const char *refusal_of(const char *name, const char *value)
{
    struct list_query query;
    const char *text = read_query(&(struct parameter){name, value}, 1, &query);
    assert_non_null(text);
    return text;
}

static struct list_where where_of(const char *value)
{
    struct list_query query;
    assert_null(read_query(&(struct parameter){"where", value}, 1, &query));
    assert_int_equal(query.where_count, 1);
    return query.where[0];
}

static void what_is_absent_has_its_default(void **state)
{
    (void)state;
    struct list_query query;
    assert_null(read_query(NULL, 0, &query));
    assert_int_equal(query.sort, SORT_RISK);
    assert_true(query.descends);
    assert_int_equal(query.limit, 50);
    assert_null(query.q);
    assert_null(query.cursor);
    assert_false(query.trend);
}

static void conditions_are_values_ranges_or_nothing(void **state)
{
    (void)state;
    struct list_where where = where_of("Age=30..39");
    assert_string_equal(where.column->name, "Age");
    assert_true(where.low == 30 && where.high == 39);
    where = where_of("Age=30..");
    assert_true(where.low == 30 && isinf(where.high));
    where = where_of("Age=..-1.5e1");
    assert_true(isinf(where.low) && where.high == -15);
    where = where_of("Education=master");
    assert_true(where.low == 4 && where.high == 4);
    where = where_of("Department=Research & Development");
    assert_true(span_equal(where.text, SPAN_LITERAL("Research & Development")));
    assert_true(where_of("Age=").missing);
    assert_true(where_of("flagged=true").flagged);
    assert_null(where_of("flagged=false").column);
}

static void refusals_name_the_field_and_the_known_ones(void **state)
{
    (void)state;
    assert_non_null(strstr(refusal_of("where", "Aeg=3"), "Aeg"));
    assert_non_null(strstr(refusal_of("where", "Aeg=3"), "YearsWithCurrManager"));
    assert_non_null(strstr(refusal_of("sort", "Aeg"), "employee_id"));
    assert_non_null(strstr(refusal_of("where", "Department=Sale"), "Human Resources"));
    assert_non_null(strstr(refusal_of("wehre", ""), "where"));
    assert_non_null(strstr(refusal_of("where", "Age=1..2..3"), "Age"));
    assert_non_null(strstr(refusal_of("where", "Age=nan"), "Age"));
    assert_non_null(strstr(refusal_of("where", "Age=1e999"), "Age"));
    assert_non_null(strstr(refusal_of("where", "=3"), "where"));
    assert_non_null(strstr(refusal_of("where", NULL), "where"));
    assert_non_null(strstr(refusal_of("q", "a\xff"), "q"));
    assert_non_null(strstr(refusal_of("q", "a\xe2\x80\xae"), "q"));
    assert_non_null(strstr(refusal_of("limit", "0"), "limit"));
    assert_non_null(strstr(refusal_of("limit", "1001"), "limit"));
    assert_non_null(strstr(refusal_of("limit", "99999999999999999999"), "limit"));
    assert_non_null(strstr(refusal_of("trend", "yes"), "trend"));
    assert_null(strchr(refusal_of("sort", "a\nb\"<"), '\x01'));
}

static void only_conditions_come_more_than_once(void **state)
{
    (void)state;
    struct list_query query;
    struct parameter many[17];
    const struct parameter twice[] = {{"where", "Age=30"}, {"where", "Age=40"}},
                           sorts[] = {{"sort", "Age"}, {"sort", "Age"}};
    assert_null(read_query(twice, 2, &query));
    assert_int_equal(query.where_count, 2);
    assert_non_null(strstr(read_query(sorts, 2, &query), "twice"));
    for (size_t p = 0; p < 17; p++)
        many[p] = twice[0];
    assert_non_null(strstr(read_query(many, 9, &query), "more than 8"));
    assert_non_null(strstr(read_query(many, 17, &query), "more than 16"));
}

/* Names, values and searches are parameters of the statement, whatever is in them. */
static void nothing_from_outside_is_text_of_the_statement(void **state)
{
    (void)state;
    struct list_query query;
    struct list_sql sql = {0};
    const struct parameter asked[] = {{"where", "Department=Sales"},
                                      {"where", "Age=30..39"},
                                      {"where", "Department=Human Resources"},
                                      {"q", "'; DROP"},
                                      {"sort", "-MonthlyIncome"},
                                      {"where", "Gender="}};
    assert_null(read_query(asked, 6, &query));
    list_sql_where(&sql, &query);
    buffer_add_text(&sql.text, " ORDER BY ");
    list_sql_key(&sql, &query);
    buffer_add_u8(&sql.text, '\0');
    assert_string_equal(
        sql.text.data,
        " WHERE true AND position(lower($1::text COLLATE \"C\") IN lower(l.employee_id COLLATE \"C\")) > 0 AND "
        "((l.input ->> "
        "$2::text) = $3::text "
        "OR "
        "(l.input ->> $4::text) = $5::text) AND ((CASE WHEN jsonb_typeof(l.input -> $6::text) = 'number' THEN "
        "(l.input ->> $7::text)::float8 END) BETWEEN $8::float8 AND $9::float8) AND ((l.input ->> $10::text) IS NULL) "
        "ORDER BY coalesce((CASE WHEN jsonb_typeof(l.input -> $11::text) = 'number' THEN (l.input ->> "
        "$12::text)::float8 "
        "END), $13::float8)");
    assert_string_equal(sql.values[0], "'; DROP");
    assert_string_equal(sql.values[2], "Sales");
    assert_string_equal(sql.values[4], "Human Resources");
    assert_string_equal(sql.values[7], "30");
    assert_string_equal(sql.values[12], "-infinity");
    list_sql_clear(&sql);
}

static void letters_beyond_ascii_are_compared_by_the_locale(void **state)
{
    (void)state;
    struct list_sql sql = {0};
    list_sql_where(&sql, &(struct list_query){.q = "M\xC3\xBCller"});
    buffer_add_u8(&sql.text, '\0');
    assert_string_equal(sql.text.data, " WHERE true AND position(lower($1::text) IN lower(l.employee_id)) > 0");
    list_sql_clear(&sql);
}

/* The plain columns, which have an index. */
static void a_time_is_compared_as_a_time(void **state)
{
    (void)state;
    struct list_query query;
    struct list_sql sql = {0};
    assert_null(read_query(&(struct parameter){"sort", "-scored_at"}, 1, &query));
    list_sql_key(&sql, &query);
    buffer_add_text(&sql.text, " < ");
    list_sql_key_value(&sql, &query, SPAN_LITERAL("1764067200000001"));
    buffer_add_text(&sql.text, "; ");
    list_sql_key_text(&sql, &query);
    buffer_add_u8(&sql.text, '\0');
    assert_string_equal(sql.text.data, "l.scored_at < timestamptz 'epoch' + $1::bigint * interval '1 microsecond'; "
                                       "(extract(epoch FROM p.key) * 1000000)::bigint::text");
    assert_string_equal(sql.values[0], "1764067200000001");
    list_sql_clear(&sql);
}

static void cursors_come_back_to_their_question_alone(void **state)
{
    (void)state;
    const struct span parts[] = {SPAN_LITERAL("0.28"), SPAN_LITERAL("e,\"1")};
    struct span found[2];
    struct buffer text = {0}, texts = {0};
    page_cursor_write(SPAN_LITERAL("question"), parts, 2, &text);
    buffer_add_u8(&text, '\0');
    assert_true(page_cursor_read(text.data, SPAN_LITERAL("question"), found, 2, &texts));
    assert_true(span_equal(found[0], parts[0]) && span_equal(found[1], parts[1]));
    assert_false(page_cursor_read(text.data, SPAN_LITERAL("another"), found, 2, &texts));
    assert_false(page_cursor_read(text.data, SPAN_LITERAL("question"), found, 1, &texts));
    assert_false(page_cursor_read(text.data, SPAN_LITERAL("question"), found, 3, &texts));
    assert_false(page_cursor_read("", SPAN_LITERAL("question"), found, 2, &texts));
    for (size_t at = 0; at < text.bytes - 1; at++) {
        char before = text.data[at];
        text.data[at] = before == '0' ? '1' : '0';
        assert_false(page_cursor_read(text.data, SPAN_LITERAL("question"), found, 2, &texts));
        text.data[at] = '\0';
        assert_false(page_cursor_read(text.data, SPAN_LITERAL("question"), found, 2, &texts));
        text.data[at] = before;
    }
    buffer_free(&text);
    buffer_free(&texts);
}

static const char *cell_of(struct span text, bool is_number)
{
    static char out[128];
    struct buffer cell = {0};
    csv_add_cell(&cell, text, true, is_number);
    snprintf(out, sizeof out, "%.*s", (int)cell.bytes, cell.data ? cell.data : "");
    buffer_free(&cell);
    return out;
}

static void cells_are_quoted_and_no_formulas(void **state)
{
    (void)state;
    assert_string_equal(cell_of(SPAN_LITERAL("Sales"), false), "Sales");
    assert_string_equal(cell_of(SPAN_NULL, false), "");
    assert_string_equal(cell_of(SPAN_LITERAL("a,\"b\"\r\n"), false), "\"a,\"\"b\"\"\r\n\"");
    assert_string_equal(cell_of(SPAN_LITERAL("=1+1"), false), "\"'=1+1\"");
    assert_string_equal(cell_of(SPAN_LITERAL("-5"), false), "\"'-5\"");
    assert_string_equal(cell_of(SPAN_LITERAL("-5"), true), "-5");
    assert_string_equal(cell_of(SPAN_LITERAL("-1.5e-05"), true), "-1.5e-05");
    assert_string_equal(cell_of(SPAN_LITERAL("=1+1"), true), "\"'=1+1\"");
    assert_string_equal(cell_of(SPAN_LITERAL("-cmd|' /C calc'!A0"), true), "\"'-cmd|' /C calc'!A0\"");
    assert_string_equal(cell_of(SPAN_LITERAL("\xEF\xBC\x9D"
                                             "1"),
                                false),
                        "\"'\xEF\xBC\x9D"
                        "1\"");
    assert_string_equal(cell_of(SPAN_LITERAL("\tx"), false), "\"'\tx\"");
    assert_string_equal(cell_of(SPAN_LITERAL(" x"), false), "\" x\"");
}

static void csv_is_given_to_those_who_want_it_more(void **state)
{
    (void)state;
    static const char *const wanted[] = {"text/csv",
                                         "TEXT/CSV; header=present",
                                         "text/csv, application/json",
                                         "*/*;q=0.8, text/csv",
                                         "application/json;q=0.5, text/csv;q=0.9",
                                         "application/json; q=0, text/csv;q=0.1"};
    static const char *const others[] = {
        NULL,        "", "*/*", "application/json, text/csv", "text/csv;q=0", "text/csv;q=0.5, application/json",
        "text/plain"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_true(csv_is_wanted(wanted[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(csv_is_wanted(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_absent_has_its_default),
        cmocka_unit_test(conditions_are_values_ranges_or_nothing),
        cmocka_unit_test(refusals_name_the_field_and_the_known_ones),
        cmocka_unit_test(only_conditions_come_more_than_once),
        cmocka_unit_test(nothing_from_outside_is_text_of_the_statement),
        cmocka_unit_test(letters_beyond_ascii_are_compared_by_the_locale),
        cmocka_unit_test(a_time_is_compared_as_a_time),
        cmocka_unit_test(cursors_come_back_to_their_question_alone),
        cmocka_unit_test(cells_are_quoted_and_no_formulas),
        cmocka_unit_test(csv_is_given_to_those_who_want_it_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

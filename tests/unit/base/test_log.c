/* base/log.h: one line per happening, as text or JSON, below the threshold nothing. Standard error goes into a file
 * here. */
#include "tests/unit/base/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* What `act` writes to standard error. */
static const char *captured(void (*act)(void))
{
    static char text[8192];
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    act();
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void say(void)
{
    log_warn("sink", "a \"quoted\" %s", "text");
    log_debug("sink", "not shown at info");
}

static void text_lines_name_level_and_place(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    const char *text = captured(say);
    assert_int_equal(text[4], '-');
    assert_int_equal(text[10], 'T');
    assert_string_equal(text + strlen("2026-11-23T10:00:00.123Z"), " warn sink: a \"quoted\" text\n");
}

static void json_lines_are_json(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    json_t *line = json_loads(captured(say), 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(line, "where")), "sink");
    assert_string_equal(json_string_value(json_object_get(line, "message")), "a \"quoted\" text");
    assert_int_equal(json_string_length(json_object_get(line, "time")), strlen("2026-11-23T10:00:00.123Z"));
    json_decref(line);
}

static void say_at_length(void)
{
    log_error("x", "%*s", 5000, "far");
}

static void long_messages_end_with_their_line(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const char *text = captured(say_at_length);
    assert_true(strlen(text) < 2200);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void say_lines(void)
{
    log_error("x", "%s", "two\nlines");
}

static void a_line_is_one_line(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    const char *text = captured(say_lines);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void threshold_is_kept(void **state)
{
    (void)state;
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    assert_string_equal(captured(say), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_name_level_and_place),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(long_messages_end_with_their_line),
        cmocka_unit_test(a_line_is_one_line),
        cmocka_unit_test(threshold_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who moved an alias when: kept bounded, read back whatever stands there, complete when two promote at once; and where
 * a rollback leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "registry/registry.h"
#include "registry/store.h"

static char folder[64];
static struct error err;

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/history-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_discard(folder);
    return 0;
}

static struct registry *opened(void)
{
    struct registry *registry;
    assert_int_equal(registry_open(folder, &registry, &err), STATUS_OK);
    return registry;
}

static void add_versions(struct registry *registry, int count)
{
    const struct run_artifact model = {"model/model.onnx", span_of("bytes")};
    const struct run run = {
        .experiment = "e", .run_name = "r", .ended_ms = 1, .artifacts = &model, .artifact_count = 1};
    for (int v = 0; v < count; v++) {
        char *run_id, *version;
        assert_int_equal(registry_log_run(registry, &run, &run_id, &err), STATUS_OK);
        assert_int_equal(registry_create_version(registry, "m", run_id, NULL, 0, &version, &err), STATUS_OK);
        free(run_id);
        free(version);
    }
}

static const char *before_of(const char *text, const char *current, char *out)
{
    struct alias_event events[8];
    struct alias_history history = {.items = events};
    for (; *text; text += 3) { /* "12 " from 1 to 2; "12r" the same as a rollback */
        static char digits[10][2] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
        events[history.count++] = (struct alias_event){.from = text[0] == '0' ? NULL : digits[text[0] - '0'],
                                                       .version = digits[text[1] - '0'],
                                                       .rollback = text[2] == 'r'};
    }
    const char *before = alias_history_before(&history, current);
    return before ? strcpy(out, before) : strcpy(out, "none");
}

static void test_where_a_rollback_leads(void **state)
{
    (void)state;
    char out[8];
    assert_string_equal(before_of("", "1", out), "none");
    assert_string_equal(before_of("01 ", "1", out), "none");
    assert_string_equal(before_of("01 12 ", "2", out), "1");
    assert_string_equal(before_of("01 12 23 ", "3", out), "2");
    assert_string_equal(before_of("01 12 23 32r", "2", out), "1"); /* the next goes further back */
    assert_string_equal(before_of("01 12 23 32r21r", "1", out), "none");
    assert_string_equal(before_of("01 12 21 ", "1", out), "2"); /* a promotion, not a rollback */
    assert_string_equal(before_of("01 12 45 ", "5", out), "4"); /* somebody else moved it in between */
    assert_string_equal(before_of("01 12 ", "7", out), "2");    /* and after */
}

static void test_it_is_bounded(void **state)
{
    (void)state;
    struct buffer text = {0};
    char version[16], from[16];
    for (int v = 1; v <= 200; v++) {
        snprintf(version, sizeof version, "%d", v);
        snprintf(from, sizeof from, "%d", v - 1);
        history_add(&text, &(struct alias_move){.name = "m", .alias = "a", .version = version}, v > 1 ? from : NULL);
        assert_true(text.bytes <= 5000);
    }
    assert_non_null(strstr(text.data, "\"version\":\"200\""));
    assert_null(strstr(text.data, "\"version\":\"1\""));
    buffer_free(&text);
}

static void test_what_is_damaged_is_begun_again(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{", "7", "{\"a\":1}", "[{\"version\":\"1\""};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        struct buffer text = {0};
        buffer_add_text(&text, texts[t]);
        history_add(&text, &(struct alias_move){.name = "m", .alias = "a", .version = "2"}, "1");
        assert_int_equal(text.data[0], '[');
        assert_non_null(strstr(text.data, "\"from\":\"1\""));
        buffer_free(&text);
    }
}

enum { ROUNDS = 20 };

static void promote_again_and_again(const char *mine)
{
    struct registry *registry = opened();
    for (int round = 0; round < ROUNDS; round++)
        if (registry_set_alias(registry, "m", "production", mine, &err) != STATUS_OK)
            _exit(1);
    registry_close(registry);
    _exit(0);
}

/* Every move that changed something is there, and each begins where the one before ended. */
static void test_two_promote_at_once(void **state)
{
    (void)state;
    static const char *const versions[] = {"1", "2"};
    pid_t children[2];
    struct registry *registry = opened();
    struct alias_history history;
    char *holder;
    int result;
    add_versions(registry, 2);
    for (int c = 0; c < 2; c++) {
        children[c] = fork();
        assert_true(children[c] >= 0);
        if (children[c] == 0)
            promote_again_and_again(versions[c]);
    }
    for (int c = 0; c < 2; c++) {
        assert_int_equal(waitpid(children[c], &result, 0), children[c]);
        assert_int_equal(result, 0);
    }
    assert_int_equal(registry_alias(registry, "m", "production", &holder, &err), STATUS_OK);
    assert_int_equal(registry_history(registry, "m", "production", &history, &err), STATUS_OK);
    assert_in_range(history.count, 2, 2 * ROUNDS);
    assert_null(history.items[0].from);
    for (size_t e = 1; e < history.count; e++) {
        assert_string_equal(history.items[e].from, history.items[e - 1].version);
        assert_string_not_equal(history.items[e].from, history.items[e].version);
    }
    assert_string_equal(history.items[history.count - 1].version, holder);
    alias_history_clear(&history);
    free(holder);
    registry_close(registry);
}

static void test_who_moves_is_who_is_named(void **state)
{
    (void)state;
    struct registry *registry = opened();
    struct alias_history history;
    add_versions(registry, 2);
    struct alias_move move = {.name = "m", .alias = "a", .version = "1", .by = "desk over HTTP"};
    assert_int_equal(registry_move_alias(registry, &move, NULL, &err), STATUS_OK);
    move = (struct alias_move){.name = "m", .alias = "a", .version = "2"};
    assert_int_equal(registry_move_alias(registry, &move, NULL, &err), STATUS_OK);
    assert_int_equal(registry_history(registry, "m", "a", &history, &err), STATUS_OK);
    assert_int_equal(history.count, 2);
    assert_string_equal(history.items[0].by, "desk over HTTP");
    assert_non_null(strchr(history.items[1].by, '@'));
    alias_history_clear(&history);
    registry_close(registry);
}

static void test_what_a_uri_follows(void **state)
{
    (void)state;
    char *name = NULL, *alias = NULL;
    assert_int_equal(registry_followed_alias("models:/m@a", &name, &alias, &err), STATUS_OK);
    assert_string_equal(name, "m");
    assert_string_equal(alias, "a");
    free(name);
    free(alias);
    assert_int_equal(registry_followed_alias("models:/m/3", &name, &alias, &err), STATUS_UNSUPPORTED);
    assert_int_equal(registry_followed_alias("a/model.onnx", &name, &alias, &err), STATUS_UNSUPPORTED);
    assert_int_equal(registry_followed_alias("models:/m", &name, &alias, &err), STATUS_INVALID);
}

/* A server may have put any number into it: cutting them off one by one would take hours. */
static void test_a_history_of_any_length_is_cut(void **state)
{
    (void)state;
    struct buffer text = {0};
    const struct alias_move move = {.name = "m", .alias = "a", .version = "7"};
    buffer_add_u8(&text, '[');
    for (int event = 0; event < 100000; event++)
        buffer_add_text(&text, "{\"version\":\"1\"},");
    buffer_add_text(&text, "{}]");
    history_add(&text, &move, "6");
    assert_in_range(text.bytes, 100, 5000);
    assert_non_null(strstr(text.data, "\"version\":\"7\""));
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_a_rollback_leads),
        cmocka_unit_test(test_it_is_bounded),
        cmocka_unit_test(test_what_is_damaged_is_begun_again),
        cmocka_unit_test_setup_teardown(test_who_moves_is_who_is_named, setup, teardown),
        cmocka_unit_test(test_what_a_uri_follows),
        cmocka_unit_test_setup_teardown(test_two_promote_at_once, setup, teardown),
        cmocka_unit_test(test_a_history_of_any_length_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* scorer/settings.c: what is accepted, what is refused in words, and the identity of a process. */
#include "tests/support/scorer.h"

#include <math.h>

static enum status resolve(const char *const *words, struct settings *out, struct error *err)
{
    static struct options *options; /* settings borrow them: kept until the next call */
    options_free(options);
    options = scorer_options(words);
    return settings_resolve(options, NULL, out, err);
}

static void the_defaults_are_those_of_the_contract(void **state)
{
    (void)state;
    struct settings settings;
    struct error err;
    assert_int_equal(resolve((const char *const[]){"--instance-id=x", NULL}, &settings, &err), STATUS_OK);
    assert_true(settings.role_score && settings.role_sink && settings.role_http);
    assert_true(settings.exactly_once);
    assert_string_equal(settings.input_topic, "employee-events");
    assert_string_equal(settings.group_id, "attrition-scorer");
    assert_int_equal(settings.reasons, 3);
    assert_true(isinf(settings.reasons_near));
    assert_int_equal(settings.commit_interval_us, 100000);
    assert_null(secret_text(settings.http_token));
    settings_release(&settings);
}

static void the_state_topic_is_the_groups(void **state)
{
    (void)state;
    static const struct {
        const char *word, *topic;
    } rows[] = {{"--group-id=g", "g-state"},
                {"--state-topic=", "attrition-scorer-state"},
                {"--state-topic=none", NULL},
                {"--state-topic=other", "other"}};
    struct schema *schema = scorer_schema();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings settings;
        struct error err;
        struct options *options = scorer_options((const char *const[]){rows[i].word, "--instance-id=x", NULL});
        assert_int_equal(settings_resolve(options, schema, &settings, &err), STATUS_OK);
        if (rows[i].topic)
            assert_string_equal(settings.state_topic, rows[i].topic);
        else
            assert_null(settings.state_topic);
        settings_release(&settings);
        options_free(options);
    }
    schema_free(schema);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *word, *text;
    } rows[] = {
        {"--input-topic=a b", "--input-topic"},
        {"--dlq-topic=employee-events", "each needs a topic of its own"},
        {"--state-topic=employee-events", "each needs a topic of its own"},
        {"--group-id=", "--group-id"},
        {"--instance-id=a/b", "--instance-id"},
        {"--reasons-for=some", "--reasons-for must be all, flagged or near:D"},
        {"--reasons-for=near:", "not 'near:'"},
        {"--reasons-for=near:1.5", "D from 0 to 1"},
        {"--reasons-for=near:0.1x", "not 'near:0.1x'"},
        {"--reasons-for=near:nan", "not 'near:nan'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings settings;
        struct error err = {0};
        assert_int_equal(resolve((const char *const[]){rows[i].word, NULL}, &settings, &err), STATUS_INVALID);
        if (!strstr(err.text, rows[i].text))
            fail_msg("%s: \"%s\"", rows[i].word, err.text);
    }
}

static void reasons_are_for_all_for_those_flagged_or_for_those_near(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        double near;
    } rows[] = {{"--reasons-for=flagged", 0}, {"--reasons-for=near:0.1", 0.1}, {"--reasons-for=near:0", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings settings;
        struct error err;
        const char *const words[] = {rows[i].word, "--instance-id=x", NULL};
        assert_int_equal(resolve(words, &settings, &err), STATUS_OK);
        assert_true(settings.reasons_near == rows[i].near);
    }
}

static void roles_are_a_list(void **state)
{
    (void)state;
    struct settings settings;
    struct error err;
    const char *const words[] = {"--roles= sink , http", "--instance-id=x", NULL};
    assert_int_equal(resolve(words, &settings, &err), STATUS_OK);
    assert_false(settings.role_score);
    assert_true(settings.role_sink && settings.role_http);
}

static void two_alike_take_different_slots_and_a_restart_its_own(void **state)
{
    (void)state;
    char directory[] = "/tmp/attrition-slots-XXXXXX", flag[64];
    assert_non_null(mkdtemp(directory));
    snprintf(flag, sizeof flag, "--state-dir=%s", directory);
    struct options *options = scorer_options((const char *const[]){flag, NULL});
    struct settings first, second, third;
    struct error err;
    assert_int_equal(settings_resolve(options, NULL, &first, &err), STATUS_OK);
    assert_int_equal(settings_resolve(options, NULL, &second, &err), STATUS_OK);
    assert_string_not_equal(first.instance_id, second.instance_id);
    settings_release(&first);
    assert_int_equal(settings_resolve(options, NULL, &third, &err), STATUS_OK);
    assert_string_equal(third.instance_id, first.instance_id);
    settings_release(&second);
    settings_release(&third);
    options_free(options);
    for (int slot = 0; slot < 2; slot++) {
        char path[128];
        snprintf(path, sizeof path, "%s/attrition-attrition-scorer-%d.lock", directory, slot);
        assert_int_equal(unlink(path), 0);
    }
    rmdir(directory);
}

static void no_place_for_slots_is_said(void **state)
{
    (void)state;
    struct settings settings;
    struct error err = {0};
    const char *const words[] = {"--state-dir=/nowhere/at/all", NULL};
    assert_int_equal(resolve(words, &settings, &err), STATUS_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    assert_non_null(strstr(err.text, "--instance-id"));
    const char *const unwritable[] = {"--state-dir=/proc", NULL}; /* as on a root that is read-only */
    assert_int_not_equal(resolve(unwritable, &settings, &err), STATUS_OK);
    assert_non_null(strstr(err.text, "cannot lock a slot in /proc: "));
    assert_non_null(strstr(err.text, "--state-dir"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_contract),
        cmocka_unit_test(the_state_topic_is_the_groups),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(reasons_are_for_all_for_those_flagged_or_for_those_near),
        cmocka_unit_test(roles_are_a_list),
        cmocka_unit_test(two_alike_take_different_slots_and_a_restart_its_own),
        cmocka_unit_test(no_place_for_slots_is_said),
    };
    return cmocka_run_group_tests_name("scorer/settings", tests, NULL, NULL);
}

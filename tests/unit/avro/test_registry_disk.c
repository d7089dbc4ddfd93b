/* The registry's answers on disk: what is not what its name says is as good as none. */
#include "avro/registry_disk.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "tests/support/bytes.h"

static const char url[] = "http://registry:8081";
static char root[32], directory[128];
static struct registry_disk *disk;
static struct buffer text;

static int set_up(void **state)
{
    (void)state;
    char hex[65];
    struct error err;
    strcpy(root, "/tmp/unit-disk-XXXXXX");
    sha256_hex(span_of(url), hex);
    assert_non_null(mkdtemp(root));
    snprintf(directory, sizeof directory, "%s/%.32s", root, hex);
    return registry_disk_new(root, url, &disk, &err) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[256];
    registry_disk_free(disk);
    buffer_free(&text);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static void keeps_schemas_and_ids(void **state)
{
    (void)state;
    const struct schema_key seven = schema_key_of_id(7), guid = {.is_guid = true, .guid = {1}};
    uint32_t id = 0;
    registry_disk_put_schema(disk, &seven, SPAN_LITERAL("\"int\""));
    registry_disk_put_schema(disk, &guid, SPAN_LITERAL("\"long\""));
    registry_disk_put_id(disk, "a-value", SPAN_LITERAL("\"int\""), 12);
    assert_true(registry_disk_get_schema(disk, &seven, &text));
    assert_true(span_equal(buffer_span(&text), SPAN_LITERAL("\"int\"")));
    assert_true(registry_disk_get_schema(disk, &guid, &text));
    assert_true(span_equal(buffer_span(&text), SPAN_LITERAL("\"long\"")));
    assert_true(registry_disk_get_id(disk, "a-value", SPAN_LITERAL("\"int\""), &id));
    assert_int_equal(id, 12);
    assert_false(registry_disk_get_id(disk, "b-value", SPAN_LITERAL("\"int\""), &id));
    assert_false(registry_disk_get_id(disk, "a-value", SPAN_LITERAL("\"long\""), &id));
}

static void another_registry_has_other_answers(void **state)
{
    (void)state;
    struct registry_disk *other;
    struct error err;
    const struct schema_key seven = schema_key_of_id(7);
    registry_disk_put_schema(disk, &seven, SPAN_LITERAL("\"int\""));
    assert_int_equal(registry_disk_new(root, "http://other", &other, &err), STATUS_OK);
    assert_false(registry_disk_get_schema(other, &seven, &text));
    registry_disk_free(other);
}

static void damaged_files_are_none(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "{\"id\":7,\"schema\":\"\\\"in",
        "{\"id\":8,\"schema\":\"\\\"int\\\"\"}",
        "{\"schema\":\"\\\"int\\\"\"}",
        "{\"id\":7,\"schema\":\"\\\"no such type\\\"\"}",
        "{\"id\":7,\"schema\":7}",
        "[]",
        "\xff\xfe",
    };
    const struct schema_key seven = schema_key_of_id(7);
    for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++) {
        unit_write(directory, "schema-7.json", bodies[b]);
        assert_false(registry_disk_get_schema(disk, &seven, &text));
    }
    unit_write(directory, "schema-7.json", "{\"id\":7,\"schema\":\"\\\"int\\\"\"}");
    assert_true(registry_disk_get_schema(disk, &seven, &text));
}

static void what_others_may_have_written_is_not_read(void **state)
{
    (void)state;
    struct registry_disk *other;
    struct error err;
    const struct schema_key seven = schema_key_of_id(7);
    registry_disk_put_schema(disk, &seven, SPAN_LITERAL("\"int\""));
    assert_int_equal(chmod(directory, 0777), 0);
    assert_false(registry_disk_get_schema(disk, &seven, &text));
    assert_int_equal(registry_disk_new(root, url, &other, &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "SCHEMA_REGISTRY_CACHE_DIR"));
    assert_int_equal(chmod(directory, 0700), 0);
    assert_true(registry_disk_get_schema(disk, &seven, &text));
}

/* Where the directory has become a file, for this must hold for root too. */
static void goes_on_without_a_directory(void **state)
{
    (void)state;
    const struct schema_key seven = schema_key_of_id(7);
    struct registry_disk *none = NULL;
    struct error err;
    char *place = strrchr(directory, '/');
    assert_int_equal(rmdir(directory), 0);
    *place = '\0';
    unit_write(directory, place + 1, "");
    *place = '/';
    registry_disk_put_schema(disk, &seven, SPAN_LITERAL("\"int\""));
    registry_disk_put_schema(disk, &seven, SPAN_LITERAL("\"int\""));
    assert_false(registry_disk_get_schema(disk, &seven, &text));
    assert_int_not_equal(registry_disk_new(directory, url, &none, &err), STATUS_OK);
    assert_null(none);
    assert_non_null(strstr(err.text, directory));
    registry_disk_put_schema(NULL, &seven, SPAN_LITERAL("\"int\""));
    assert_false(registry_disk_get_schema(NULL, &seven, &text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_schemas_and_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_registry_has_other_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_files_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_others_may_have_written_is_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(goes_on_without_a_directory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

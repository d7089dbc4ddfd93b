/* events/writer_schemas.h: the plan cache keeps what was used last. */
#include "events/writer_schemas.h"

#include "avro/registry_disk.h"
#include "tests/support/wait.h"
#include "tests/unit/events/unit.h"

/* One event schema and many ids for it: more than are kept, met again after they have made room for each other. Their
 * texts come from the disk, so that no server is needed. */
static void writers_make_room_for_each_other(void **state)
{
    (void)state;
    enum { IDS = 300 };
    char root[] = "/tmp/unit-writers-XXXXXX", command[64];
    const char *nobody = "http://127.0.0.1:1";
    struct schema *schema = unit_schema();
    struct registry_disk *disk;
    struct registry_settings settings = {
        .urls = nobody, .timeout_us = 5000000, .unknown_us = 3600000000, .pause_first_us = 1000};
    struct registry_client *client;
    struct error why;
    assert_non_null(mkdtemp(root));
    assert_int_equal(registry_disk_new(root, nobody, &disk, &why), STATUS_OK);
    for (uint32_t id = 100; id < 100 + IDS; id++) {
        const struct schema_key key = schema_key_of_id(id);
        registry_disk_put_schema(disk, &key, span_of(unit_event));
    }
    registry_disk_free(disk);
    settings.cache_dir = root;
    assert_int_equal(registry_client_new(&settings, NULL, &client, &why), STATUS_OK);
    struct writer_schemas *writers = writer_schemas_new(schema->event, schema_parts(schema));
    writer_schemas_use_registry(writers, client);
    for (uint32_t turn = 0; turn < 2 * IDS; turn++) {
        const struct schema_key key = schema_key_of_id(100 + turn % IDS);
        const struct writer_schema *writer = NULL;
        struct fault fault;
        bool waits;
        WAIT_UNTIL(writer_schemas_find(writers, &key, &writer, &fault, &waits) == EVENT_OK || !waits,
                   "schema %u is still waited for", 100 + turn % IDS);
        assert_non_null(writer);
        assert_true(schema_key_equal(&writer->key, &key) && writer->plan && writer->schema);
    }
    assert_int_equal(registry_client_requests(client), 0);
    writer_schemas_free(writers);
    registry_client_free(client);
    schema_free(schema);
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(writers_make_room_for_each_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

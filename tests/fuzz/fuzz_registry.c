/* fuzz: any bytes as a schema registry's answer, and as a file of the disk cache. The first byte says which HTTP status
 * they came with, or that they are a file. What counts as knowledge must be usable; everything else says why in a line.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/sha256.h"
#include "avro/type.h"
#include "avro/registry_answer.h"
#include "avro/registry_disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { AS_FILE = 128, FILE_ID = 7 };
static const char url[] = "http://registry";
static const char guid[] = "00000000-0000-0000-0000-000000000000";

static struct registry_disk *disk;
static char root[] = "/tmp/fuzz-registry-XXXXXX", directory[128];
static struct buffer text;

static void path_of(const char *name, char path[256])
{
    snprintf(path, 256, "%s/schema-%s.json", directory, name);
}

static void clear(void)
{
    char path[256];
    path_of("7", path);
    (void)unlink(path);
    path_of(guid, path);
    (void)unlink(path);
    (void)rmdir(directory);
    (void)rmdir(root);
    registry_disk_free(disk);
    buffer_free(&text);
}

static void load(void)
{
    char hex[65];
    struct error err;
    sha256_hex(span_of(url), hex);
    if (!mkdtemp(root) || registry_disk_new(root, url, &disk, &err) != STATUS_OK)
        exit(1);
    snprintf(directory, sizeof directory, "%s/%.32s", root, hex);
    atexit(clear);
}

static void assert_usable(void)
{
    struct avro_schema *schema;
    struct error err;
    assert(avro_schema_parse(buffer_span(&text), &schema, &err) == STATUS_OK);
    avro_schema_free(schema);
}

static void assert_explained(const struct error *err)
{
    assert(err->text[0] && !strchr(err->text, '\n'));
}

static void try_answer(long status, struct span body)
{
    const struct registry_answer answer = {status, body};
    struct error err = {0};
    uint32_t id = 0;
    enum registry_result result = registry_answer_schema(&answer, &text, &id, &err);
    assert(id <= REGISTRY_ID_MAX);
    if (result == REGISTRY_SCHEMA)
        assert_usable();
    else
        assert_explained(&err);
    assert(result != REGISTRY_UNKNOWN || status == 404);
    assert((result != REGISTRY_SCHEMA && result != REGISTRY_UNUSABLE) || status == 200);
    id = 0;
    err = (struct error){0};
    if (registry_answer_id(&answer, &id, &err) == STATUS_OK)
        assert(status == 200 && id > 0 && id <= REGISTRY_ID_MAX);
    else
        assert_explained(&err);
}

static void try_file(const char *name, const struct schema_key *key, struct span body)
{
    char path[256];
    path_of(name, path);
    FILE *file = fopen(path, "w");
    if (!file || fwrite(body.data, 1, body.bytes, file) != body.bytes || fclose(file) != 0)
        exit(1);
    if (registry_disk_get_schema(disk, key, &text))
        assert_usable();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const long statuses[] = {200, 404, 200, 401, 403, 409, 422, 500, 503, 302, 204, 408, 429, 100, 599, 200};
    if (!disk)
        load();
    if (bytes == 0)
        return 0;
    struct span body = {(const char *)data + 1, bytes - 1};
    try_answer(statuses[data[0] % 16], body);
    if (data[0] < AS_FILE)
        return 0;
    const struct schema_key number = schema_key_of_id(FILE_ID), other = {.is_guid = true};
    try_file("7", &number, body);
    try_file(guid, &other, body);
    return 0;
}

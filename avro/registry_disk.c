/* The registry's answers on disk: see registry_disk.h. Used by registry_client.c on its thread alone. Files have the
 * form of the registry's own answers and are checked as strictly; writing is best effort, and a failure is logged once.
 */
#include "avro/registry_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "avro/registry_answer.h"

enum { PATH_BYTES = 4096, NAME_HEX = 32 };

struct registry_disk {
    char directory[PATH_BYTES - 128];
    bool warned; /* that writing failed */
};

/* For us alone: whoever else could write there would say how events are read. */
static enum status disk_prepare(const char *directory, struct error *err)
{
    mode_t before = umask(077);
    enum status status = file_make_directories(directory, err);
    umask(before);
    if (status == STATUS_OK)
        status = file_check_private(directory, err);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, "SCHEMA_REGISTRY_CACHE_DIR cannot be used");
}

enum status registry_disk_new(const char *directory, const char *url, struct registry_disk **out, struct error *err)
{
    char hex[65];
    struct registry_disk *disk = mem_zeroed(1, sizeof *disk);
    sha256_hex(span_of(url), hex);
    int wrote = snprintf(disk->directory, sizeof disk->directory, "%s/%.*s", directory, NAME_HEX, hex);
    enum status status = wrote < (int)sizeof disk->directory
                             ? disk_prepare(disk->directory, err)
                             : error_set(err, STATUS_LIMIT, "%.200s: the path is too long", directory);
    if (status == STATUS_OK)
        *out = disk;
    else
        free(disk);
    return status;
}

void registry_disk_free(struct registry_disk *disk)
{
    free(disk);
}

static void schema_path(const struct registry_disk *disk, const struct schema_key *key, char path[PATH_BYTES])
{
    char name[SCHEMA_KEY_TEXT_BYTES];
    schema_key_text(key, name);
    snprintf(path, PATH_BYTES, "%s/schema-%s.json", disk->directory, name);
}

static void id_path(const struct registry_disk *disk, const char *subject, struct span text, char path[PATH_BYTES])
{
    char hex[65];
    struct buffer named = {0};
    buffer_printf(&named, "%s\n", subject);
    buffer_add(&named, text.data, text.bytes);
    sha256_hex(buffer_span(&named), hex);
    buffer_free(&named);
    snprintf(path, PATH_BYTES, "%s/id-%.*s.json", disk->directory, NAME_HEX, hex);
}

static bool disk_read_answer(const struct registry_disk *disk, const char *path, struct buffer *body)
{
    struct error err;
    return file_read_private(disk->directory, path, REGISTRY_BODY_BYTES_MAX, body, &err) == STATUS_OK;
}

/* As the registry answers: {"id":7,"schema":"…"}, or the id alone. */
static void disk_write_answer(struct registry_disk *disk, const char *path, uint32_t id, struct span schema)
{
    struct buffer body = {0};
    struct error err;
    struct json_writer json = json_begin_document(&body);
    json_write_uint(&json, "id", id);
    if (schema.data)
        json_write_text(&json, "schema", schema);
    json_end_document(&json);
    if (file_write_private(path, buffer_span(&body), &err) != STATUS_OK && !disk->warned) {
        disk->warned = true;
        log_warn("registry", "schemas are not kept on disk: %s", err.text);
    }
    buffer_free(&body);
}

bool registry_disk_get_schema(const struct registry_disk *disk, const struct schema_key *key, struct buffer *text)
{
    char path[PATH_BYTES];
    struct buffer body = {0};
    struct error err;
    uint32_t id;
    if (!disk)
        return false;
    schema_path(disk, key, path);
    bool found = disk_read_answer(disk, path, &body);
    const struct registry_answer answer = {200, buffer_span(&body)};
    found =
        found && registry_answer_schema(&answer, text, &id, &err) == REGISTRY_SCHEMA && (key->is_guid || id == key->id);
    buffer_free(&body);
    return found;
}

void registry_disk_put_schema(struct registry_disk *disk, const struct schema_key *key, struct span text)
{
    char path[PATH_BYTES];
    if (!disk)
        return;
    schema_path(disk, key, path);
    disk_write_answer(disk, path, key->id, text);
}

bool registry_disk_get_id(const struct registry_disk *disk, const char *subject, struct span text, uint32_t *id)
{
    char path[PATH_BYTES];
    struct buffer body = {0};
    struct error err;
    if (!disk)
        return false;
    id_path(disk, subject, text, path);
    bool found = disk_read_answer(disk, path, &body);
    const struct registry_answer answer = {200, buffer_span(&body)};
    found = found && registry_answer_id(&answer, id, &err) == STATUS_OK;
    buffer_free(&body);
    return found;
}

void registry_disk_put_id(struct registry_disk *disk, const char *subject, struct span text, uint32_t id)
{
    char path[PATH_BYTES];
    if (!disk)
        return;
    id_path(disk, subject, text, path);
    disk_write_answer(disk, path, id, SPAN_NULL);
}

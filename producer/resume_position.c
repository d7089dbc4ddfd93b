/* Positions of inputs: see resume_position.h. Called by backfill for each row, and by the sender's thread for each
 * transaction. Pure but for the inputs' real paths. */
#include "producer/resume_position.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/sha256.h"

enum { MAP_BYTES_MAX = 16 * 1024 * 1024 };

/* Eight bytes at a time, a multiplication each, high bits folded down: no defence against forgery, none is needed. */
static uint64_t digest_mix(uint64_t digest, uint64_t word)
{
    digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return digest ^ digest >> 29;
}

static uint64_t digest_text(uint64_t digest, struct span text)
{
    uint64_t word;
    size_t at = 0;
    for (; at + sizeof word <= text.bytes; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        digest = digest_mix(digest, word);
    }
    word = 0;
    if (at < text.bytes)
        memcpy(&word, text.data + at, text.bytes - at);
    return digest_mix(digest, word);
}

void resume_position_add_row(struct resume_position *position, struct span raw, bool sent)
{
    uint64_t digest = digest_mix(position->digest ^ position->shape, (uint64_t)raw.bytes << 1 | sent);
    position->digest = digest_text(digest, raw);
    position->rows++;
}

/* Absent and empty differ. */
static void shape_add(struct resume_position *position, struct span text)
{
    position->shape = digest_text(digest_mix(position->shape, (uint64_t)text.bytes << 1 | (text.data != NULL)), text);
}

/* What the mapping says, not where it lies; one that cannot be read was refused before. */
static void shape_add_map(struct resume_position *position, const char *path)
{
    struct buffer map = {0};
    struct error err;
    bool known = path && *path && file_read(path, MAP_BYTES_MAX, &map, &err) == STATUS_OK;
    shape_add(position, known ? buffer_span(&map) : SPAN_NULL);
    buffer_free(&map);
}

void resume_position_begin_input(struct resume_position *position, const struct options *options, struct span header)
{
    static const enum option_id texts[] = {OPTION_TIME_UNIT, OPTION_EVENT_TYPE, OPTION_DELIMITER, OPTION_NULL_VALUES};
    position->shape =
        (unsigned)options_flag(options, OPTION_DECIMAL_COMMA) | (unsigned)options_flag(options, OPTION_PARTIAL) << 1;
    shape_add(position, header);
    shape_add_map(position, options_text(options, OPTION_INPUT_MAP));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = options_text(options, texts[i]);
        shape_add(position, text ? span_of(text) : SPAN_NULL);
    }
}

void resume_position_write(const struct resume_position *position, char out[static RESUME_POSITION_TEXT_BYTES])
{
    snprintf(out, RESUME_POSITION_TEXT_BYTES, "2 %016" PRIx64 " %" PRIu64 " %d", position->digest, position->failed,
             position->complete);
}

bool resume_position_read(struct resume_position *position, int64_t offset, struct span metadata)
{
    char text[RESUME_POSITION_TEXT_BYTES] = "";
    int version, complete, end = 0;
    struct resume_position found = {.rows = (uint64_t)offset};
    if (offset < 0 || !metadata.data || metadata.bytes >= sizeof text)
        return false;
    memcpy(text, metadata.data, metadata.bytes);
    if (sscanf(text, "%d %16" SCNx64 " %" SCNu64 " %d%n", &version, &found.digest, &found.failed, &complete, &end) !=
            4 ||
        version < 1 || version > 2 || text[end] != '\0')
        return false;
    found.complete = complete;
    *position = found;
    return true;
}

/* The path of an input, NULL where it has none; `< file` has that of the file. */
static const char *real_path(const char *given, char out[static PATH_MAX])
{
    struct stat found;
    if (strcmp(given, "-") != 0)
        return realpath(given, out);
    const char *real = realpath("/proc/self/fd/0", out);
    return real && stat(real, &found) == 0 && S_ISREG(found.st_mode) ? real : NULL;
}

bool resume_position_is_shared(const struct options *options)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < options_argument_count(options); i++)
        if (strcmp(options_argument(options, i), "-") == 0 && !real_path("-", path))
            return true;
    return false;
}

void resume_position_group(const struct options *options, char out[static RESUME_POSITION_GROUP_BYTES])
{
    struct buffer names = {0};
    char hex[SHA256_HEX_BYTES], path[PATH_MAX];
    buffer_printf(&names, "%s\n", options_text(options, OPTION_INPUT_TOPIC));
    const char *query = options_text(options, OPTION_FROM_QUERY);
    if (query)
        buffer_printf(&names, "query %s\n", query);
    for (size_t i = 0; i < options_argument_count(options); i++) {
        const char *given = options_argument(options, i);
        const char *real = real_path(given, path);
        buffer_printf(&names, "%s\n", real ? real : given);
    }
    sha256_hex(buffer_span(&names), hex);
    snprintf(out, RESUME_POSITION_GROUP_BYTES, "backfill-%.16s", hex);
    buffer_free(&names);
}

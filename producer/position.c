/* Positions of inputs: see position.h. Called by backfill for each row, and by the sender's thread for each
 * transaction. Pure but for the inputs' real paths. */
#include "producer/position.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

/* Eight bytes at a time, a multiplication each, high bits folded down: no defence against forgery, none is needed. */
static uint64_t digest_mix(uint64_t digest, uint64_t word)
{
    digest = (digest ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return digest ^ digest >> 29;
}

void position_add_row(struct position *position, struct span raw, bool sent)
{
    uint64_t digest = digest_mix(position->digest, (uint64_t)raw.bytes << 1 | sent), word;
    size_t at = 0;
    for (; at + sizeof word <= raw.bytes; at += sizeof word) {
        memcpy(&word, raw.data + at, sizeof word);
        digest = digest_mix(digest, word);
    }
    word = 0;
    if (at < raw.bytes)
        memcpy(&word, raw.data + at, raw.bytes - at);
    position->digest = digest_mix(digest, word);
    position->rows++;
}

void position_write(const struct position *position, char out[static POSITION_TEXT_BYTES])
{
    snprintf(out, POSITION_TEXT_BYTES, "1 %016" PRIx64 " %" PRIu64 " %d", position->digest, position->failed,
             position->complete);
}

bool position_read(struct position *position, int64_t offset, struct span metadata)
{
    char text[POSITION_TEXT_BYTES] = "";
    int version, complete, end = 0;
    struct position found = {.rows = (uint64_t)offset};
    if (offset < 0 || !metadata.data || metadata.bytes >= sizeof text)
        return false;
    memcpy(text, metadata.data, metadata.bytes);
    if (sscanf(text, "%d %16" SCNx64 " %" SCNu64 " %d%n", &version, &found.digest, &found.failed, &complete, &end) !=
            4 ||
        version != 1 || text[end] != '\0')
        return false;
    found.complete = complete;
    *position = found;
    return true;
}

void position_group(const struct options *options, char out[static POSITION_GROUP_BYTES])
{
    struct buffer names = {0};
    char hex[SHA256_HEX_BYTES], path[PATH_MAX];
    buffer_printf(&names, "%s\n", options_text(options, OPTION_INPUT_TOPIC));
    const char *query = options_text(options, OPTION_FROM_QUERY);
    if (query)
        buffer_printf(&names, "query %s\n", query);
    for (size_t i = 0; i < options_argument_count(options); i++) {
        const char *given = options_argument(options, i);
        const char *real = strcmp(given, "-") ? realpath(given, path) : NULL;
        buffer_printf(&names, "%s\n", real ? real : given);
    }
    sha256_hex(buffer_span(&names), hex);
    snprintf(out, POSITION_GROUP_BYTES, "backfill-%.16s", hex);
    buffer_free(&names);
}

/* Salts and digests of rows: see sink_hash_chain.h. Called by sink_rows.c on the sink's thread. Allocates nothing once
 * it is warm; salts come from the kernel many at a time. */
#include "scorer/sink/sink_hash_chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/memory.h"

enum { SALTS_DRAWN = 256 / ROW_DIGEST_SALT_BYTES }; /* getrandom returns so many bytes whole */

struct group {
    const char *topic;
    int32_t partition;
    struct buffer digests;
};

struct sink_hash_chain {
    const struct schema *schema;
    uint32_t *order; /* the columns by name */
    struct sha256 *sha256;
    struct buffer text; /* of one row */
    struct group *groups;
    size_t group_count, group_capacity; /* count: those of this batch; all keep their memory */
    char salts[SALTS_DRAWN][ROW_DIGEST_SALT_BYTES];
    size_t salts_left;
};

static int by_name(const void *a, const void *b, void *context)
{
    const struct schema *schema = context;
    return row_digest_order(span_of(schema->columns[*(const uint32_t *)a].name),
                            span_of(schema->columns[*(const uint32_t *)b].name));
}

struct sink_hash_chain *sink_hash_chain_new(const struct schema *schema)
{
    struct sink_hash_chain *chain = mem_zeroed(1, sizeof *chain);
    chain->schema = schema;
    chain->sha256 = sha256_new();
    chain->order = mem_zeroed(schema->column_count + 1, sizeof *chain->order);
    for (size_t c = 0; c < schema->column_count; c++)
        chain->order[c] = (uint32_t)c;
    qsort_r(chain->order, schema->column_count, sizeof *chain->order, by_name, (void *)(uintptr_t)schema);
    return chain;
}

void sink_hash_chain_free(struct sink_hash_chain *chain)
{
    if (!chain)
        return;
    for (size_t g = 0; g < chain->group_capacity; g++)
        buffer_free(&chain->groups[g].digests);
    free(chain->groups);
    free(chain->order);
    buffer_free(&chain->text);
    sha256_free(chain->sha256);
    free(chain);
}

void sink_hash_chain_clear(struct sink_hash_chain *chain)
{
    chain->group_count = 0;
}

void sink_hash_chain_draw_salt(struct sink_hash_chain *chain, char out[ROW_DIGEST_SALT_BYTES])
{
    if (!chain->salts_left) {
        ssize_t got;
        do
            got = getrandom(chain->salts, sizeof chain->salts, 0);
        while (got < 0 && errno == EINTR);
        if (got != (ssize_t)sizeof chain->salts) {
            perror("getrandom");
            abort(); /* a kernel without random numbers */
        }
        chain->salts_left = SALTS_DRAWN;
    }
    memcpy(out, chain->salts[--chain->salts_left], ROW_DIGEST_SALT_BYTES);
}

/* --- a row --- */

void sink_hash_chain_begin(struct sink_hash_chain *chain, struct span salt)
{
    buffer_clear(&chain->text);
    row_digest_add_bytes(&chain->text, salt);
}

void sink_hash_chain_add(struct sink_hash_chain *chain, struct span column, struct span value)
{
    row_digest_add_bytes(&chain->text, column);
    row_digest_add_bytes(&chain->text, value);
}

void sink_hash_chain_add_input(struct sink_hash_chain *chain, const struct cell *cells)
{
    const struct schema *schema = chain->schema;
    struct buffer *out = &chain->text;
    size_t at = row_digest_begin_json(out, SPAN_LITERAL("input"));
    row_digest_begin_object(out, schema->column_count);
    for (size_t n = 0; n < schema->column_count; n++) {
        uint32_t c = chain->order[n];
        row_digest_add_bytes(out, span_of(schema->columns[c].name));
        if (cells[c].code == CELL_MISSING)
            row_digest_add_null(out);
        else if (schema->columns[c].kind == COLUMN_NOMINAL)
            row_digest_add_text(out, (struct span){cells[c].text, cells[c].text_bytes});
        else
            row_digest_add_number(out, cells[c].number);
    }
    row_digest_end_json(out, at);
}

void sink_hash_chain_add_reasons(struct sink_hash_chain *chain, const struct prediction *prediction)
{
    struct buffer *out = &chain->text;
    size_t at = row_digest_begin_json(out, SPAN_LITERAL("reasons"));
    row_digest_begin_array(out, prediction->reason_count);
    for (size_t r = 0; r < prediction->reason_count; r++) {
        row_digest_begin_object(out, 2);
        row_digest_add_bytes(out, SPAN_LITERAL("contribution"));
        row_digest_add_number(out, prediction->reasons[r].contribution);
        row_digest_add_bytes(out, SPAN_LITERAL("feature"));
        row_digest_add_text(out, span_of(chain->schema->columns[prediction->reasons[r].column].name));
    }
    row_digest_end_json(out, at);
}

void sink_hash_chain_add_challengers(struct sink_hash_chain *chain, const struct prediction *prediction)
{
    struct buffer *out = &chain->text;
    size_t at = row_digest_begin_json(out, SPAN_LITERAL("challengers"));
    row_digest_begin_array(out, prediction->challenger_count);
    for (size_t c = 0; c < prediction->challenger_count; c++) {
        row_digest_begin_object(out, 2);
        row_digest_add_bytes(out, SPAN_LITERAL("model"));
        row_digest_add_text(out, prediction->challengers[c].model);
        row_digest_add_bytes(out, SPAN_LITERAL("probability"));
        row_digest_add_number(out, prediction->challengers[c].probability);
    }
    row_digest_end_json(out, at);
}

void sink_hash_chain_add_change(struct sink_hash_chain *chain, const struct prediction *prediction)
{
    struct buffer *out = &chain->text;
    size_t at = row_digest_begin_json(out, SPAN_LITERAL("change"));
    row_digest_begin_object(out, 2);
    row_digest_add_bytes(out, SPAN_LITERAL("model"));
    row_digest_add_number(out, prediction->change.model);
    row_digest_add_bytes(out, SPAN_LITERAL("record"));
    row_digest_add_number(out, prediction->change.record);
    row_digest_end_json(out, at);
}

/* --- digests by partition --- */

static struct group *group_of(struct sink_hash_chain *chain, const char *topic, int32_t partition)
{
    for (size_t g = chain->group_count; g-- > 0;)
        if (chain->groups[g].partition == partition && strcmp(chain->groups[g].topic, topic) == 0)
            return &chain->groups[g];
    size_t before = chain->group_capacity;
    chain->groups = mem_grow(chain->groups, &chain->group_capacity, chain->group_count + 1, sizeof *chain->groups);
    for (size_t g = before; g < chain->group_capacity; g++)
        chain->groups[g] = (struct group){0};
    struct group *group = &chain->groups[chain->group_count++];
    group->topic = topic;
    group->partition = partition;
    buffer_clear(&group->digests);
    return group;
}

void sink_hash_chain_end(struct sink_hash_chain *chain, const char *topic, int32_t partition,
                         char digest[ROW_DIGEST_BYTES])
{
    sha256_digest(chain->sha256, buffer_span(&chain->text), (uint8_t *)digest);
    buffer_add(&group_of(chain, topic, partition)->digests, digest, ROW_DIGEST_BYTES);
}

size_t sink_hash_chain_groups(const struct sink_hash_chain *chain)
{
    return chain->group_count;
}

struct sink_link_group sink_hash_chain_group(const struct sink_hash_chain *chain, size_t index)
{
    const struct group *group = &chain->groups[index];
    return (struct sink_link_group){group->topic, group->partition, buffer_span(&group->digests)};
}

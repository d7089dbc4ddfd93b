/* Salts and digests of rows: see sink_evidence.h. Called by sink_rows.c on the sink's thread. Allocates nothing once it
 * is warm; salts come from the kernel many at a time. */
#include "scorer/sink/sink_evidence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/memory.h"

enum { SALTS_DRAWN = 256 / EVIDENCE_SALT_BYTES }; /* getrandom returns so many bytes whole */

struct group {
    const char *topic;
    int32_t partition;
    struct buffer digests;
};

struct sink_evidence {
    const struct schema *schema;
    uint32_t *order; /* the columns by name */
    struct sha256 *sha256;
    struct buffer text; /* of one row */
    struct group *groups;
    size_t group_count, group_capacity; /* count: those of this batch; all keep their memory */
    char salts[SALTS_DRAWN][EVIDENCE_SALT_BYTES];
    size_t salts_left;
};

static int by_name(const void *a, const void *b, void *context)
{
    const struct schema *schema = context;
    return evidence_order(span_of(schema->columns[*(const uint32_t *)a].name),
                          span_of(schema->columns[*(const uint32_t *)b].name));
}

struct sink_evidence *sink_evidence_new(const struct schema *schema)
{
    struct sink_evidence *evidence = mem_zeroed(1, sizeof *evidence);
    evidence->schema = schema;
    evidence->sha256 = sha256_new();
    evidence->order = mem_zeroed(schema->column_count + 1, sizeof *evidence->order);
    for (size_t c = 0; c < schema->column_count; c++)
        evidence->order[c] = (uint32_t)c;
    qsort_r(evidence->order, schema->column_count, sizeof *evidence->order, by_name, (void *)(uintptr_t)schema);
    return evidence;
}

void sink_evidence_free(struct sink_evidence *evidence)
{
    if (!evidence)
        return;
    for (size_t g = 0; g < evidence->group_capacity; g++)
        buffer_free(&evidence->groups[g].digests);
    free(evidence->groups);
    free(evidence->order);
    buffer_free(&evidence->text);
    sha256_free(evidence->sha256);
    free(evidence);
}

void sink_evidence_clear(struct sink_evidence *evidence)
{
    evidence->group_count = 0;
}

void sink_evidence_draw_salt(struct sink_evidence *evidence, char out[EVIDENCE_SALT_BYTES])
{
    if (!evidence->salts_left) {
        ssize_t got;
        do
            got = getrandom(evidence->salts, sizeof evidence->salts, 0);
        while (got < 0 && errno == EINTR);
        if (got != (ssize_t)sizeof evidence->salts) {
            perror("getrandom");
            abort(); /* a kernel without random numbers */
        }
        evidence->salts_left = SALTS_DRAWN;
    }
    memcpy(out, evidence->salts[--evidence->salts_left], EVIDENCE_SALT_BYTES);
}

/* --- a row --- */

void sink_evidence_begin(struct sink_evidence *evidence, struct span salt)
{
    buffer_clear(&evidence->text);
    evidence_add_bytes(&evidence->text, salt);
}

void sink_evidence_add(struct sink_evidence *evidence, struct span column, struct span value)
{
    evidence_add_bytes(&evidence->text, column);
    evidence_add_bytes(&evidence->text, value);
}

void sink_evidence_add_input(struct sink_evidence *evidence, const struct cell *cells)
{
    const struct schema *schema = evidence->schema;
    struct buffer *out = &evidence->text;
    size_t at = evidence_begin_json(out, SPAN_LITERAL("input"));
    evidence_begin_object(out, schema->column_count);
    for (size_t n = 0; n < schema->column_count; n++) {
        uint32_t c = evidence->order[n];
        evidence_add_bytes(out, span_of(schema->columns[c].name));
        if (cells[c].code == CELL_MISSING)
            evidence_add_null(out);
        else if (schema->columns[c].kind == COLUMN_NOMINAL)
            evidence_add_text(out, (struct span){cells[c].text, cells[c].text_bytes});
        else
            evidence_add_number(out, cells[c].number);
    }
    evidence_end_json(out, at);
}

void sink_evidence_add_reasons(struct sink_evidence *evidence, const struct prediction *prediction)
{
    struct buffer *out = &evidence->text;
    size_t at = evidence_begin_json(out, SPAN_LITERAL("reasons"));
    evidence_begin_array(out, prediction->reason_count);
    for (size_t r = 0; r < prediction->reason_count; r++) {
        evidence_begin_object(out, 2);
        evidence_add_bytes(out, SPAN_LITERAL("contribution"));
        evidence_add_number(out, prediction->reasons[r].contribution);
        evidence_add_bytes(out, SPAN_LITERAL("feature"));
        evidence_add_text(out, span_of(evidence->schema->columns[prediction->reasons[r].column].name));
    }
    evidence_end_json(out, at);
}

void sink_evidence_add_challengers(struct sink_evidence *evidence, const struct prediction *prediction)
{
    struct buffer *out = &evidence->text;
    size_t at = evidence_begin_json(out, SPAN_LITERAL("challengers"));
    evidence_begin_array(out, prediction->challenger_count);
    for (size_t c = 0; c < prediction->challenger_count; c++) {
        evidence_begin_object(out, 2);
        evidence_add_bytes(out, SPAN_LITERAL("model"));
        evidence_add_text(out, prediction->challengers[c].model);
        evidence_add_bytes(out, SPAN_LITERAL("probability"));
        evidence_add_number(out, prediction->challengers[c].probability);
    }
    evidence_end_json(out, at);
}

void sink_evidence_add_change(struct sink_evidence *evidence, const struct prediction *prediction)
{
    struct buffer *out = &evidence->text;
    size_t at = evidence_begin_json(out, SPAN_LITERAL("change"));
    evidence_begin_object(out, 2);
    evidence_add_bytes(out, SPAN_LITERAL("model"));
    evidence_add_number(out, prediction->change.model);
    evidence_add_bytes(out, SPAN_LITERAL("record"));
    evidence_add_number(out, prediction->change.record);
    evidence_end_json(out, at);
}

/* --- digests by partition --- */

static struct group *group_of(struct sink_evidence *evidence, const char *topic, int32_t partition)
{
    for (size_t g = evidence->group_count; g-- > 0;)
        if (evidence->groups[g].partition == partition && strcmp(evidence->groups[g].topic, topic) == 0)
            return &evidence->groups[g];
    size_t before = evidence->group_capacity;
    evidence->groups =
        mem_grow(evidence->groups, &evidence->group_capacity, evidence->group_count + 1, sizeof *evidence->groups);
    for (size_t g = before; g < evidence->group_capacity; g++)
        evidence->groups[g] = (struct group){0};
    struct group *group = &evidence->groups[evidence->group_count++];
    group->topic = topic;
    group->partition = partition;
    buffer_clear(&group->digests);
    return group;
}

void sink_evidence_end(struct sink_evidence *evidence, const char *topic, int32_t partition,
                       char digest[EVIDENCE_DIGEST_BYTES])
{
    sha256_digest(evidence->sha256, buffer_span(&evidence->text), (uint8_t *)digest);
    buffer_add(&group_of(evidence, topic, partition)->digests, digest, EVIDENCE_DIGEST_BYTES);
}

size_t sink_evidence_groups(const struct sink_evidence *evidence)
{
    return evidence->group_count;
}

struct sink_link_group sink_evidence_group(const struct sink_evidence *evidence, size_t index)
{
    const struct group *group = &evidence->groups[index];
    return (struct sink_link_group){group->topic, group->partition, buffer_span(&group->digests)};
}

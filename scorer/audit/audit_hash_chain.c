/* Checking the chain: see audit_hash_chain.h. Called by audit.c on the main thread.
 *
 * A link is a digest with its place in the chain. A row has its digest beside it, so one that was altered still names
 * its link; one whose digest was made up to fit names none, and leaves its link without a row. */
#include "scorer/audit/audit_hash_chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "scorer/audit/audit_rows.h"
#include "scorer/sink/row_digest.h"

enum link_state { LINK_OPEN, LINK_ROW, LINK_ERASED, LINK_RETAINED, LINK_BY_HAND };

struct link {
    uint8_t digest[ROW_DIGEST_BYTES];
    int64_t number, offset; /* offset: of its row; -1: none was seen */
    int32_t partition;
    uint8_t state;
};

struct audit_hash_chain {
    struct audit_ledger *ledger;
    const char *cluster_id, *topic;
    struct span *names; /* columns of the row, which the target's text holds */
    char *target;
    size_t name_count;
    struct link *links;
    size_t link_count, link_capacity;
    uint32_t *slots; /* link, one added; 0: free. Made when the last block is there */
    size_t slot_count;
    struct sha256 *sha256;
    struct buffer text;
    int32_t partition; /* of the last block; -1: none */
    int64_t next;
    char head[ROW_DIGEST_BYTES], day[16];
    struct audit_hash_chain_report report;
};

const char audit_hash_chain_block_columns[] =
    "partition, first_number, to_char(day, 'YYYY-MM-DD'), digests, previous_head, head";
const char audit_hash_chain_removed_columns[] = "reason, removed_by, to_char(removed_at AT TIME ZONE 'UTC', "
                                                "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), digests";

static void fault(struct audit_hash_chain *chain, enum audit_fault_kind kind, int32_t partition, int64_t offset,
                  const char *detail)
{
    audit_ledger_state_fault(chain->ledger, kind, chain->topic, partition, offset, detail);
}

static enum status malformed(const char *table, struct error *err)
{
    return error_set(err, STATUS_INVALID, "PostgreSQL: a row of %s is malformed", table);
}

/* --- life --- */

/* The target's columns but for the evidence itself. */
static void find_names(struct audit_hash_chain *chain)
{
    const char *at = strchr(chain->target, '(');
    chain->names = mem_zeroed(strlen(chain->target) + 1, sizeof *chain->names);
    while (at && *at != ')') {
        at += strspn(at, "(, ");
        size_t bytes = strcspn(at, ",)");
        if (strncmp(at, "evidence_", 9) != 0)
            chain->names[chain->name_count++] = (struct span){at, bytes};
        at += bytes;
    }
}

struct audit_hash_chain *audit_hash_chain_new(struct audit_ledger *ledger, const char *cluster_id, const char *topic,
                                              const char *target)
{
    struct audit_hash_chain *chain = mem_zeroed(1, sizeof *chain);
    *chain = (struct audit_hash_chain){
        .ledger = ledger, .cluster_id = cluster_id, .topic = topic, .target = mem_text(target), .partition = -1};
    chain->sha256 = sha256_new();
    find_names(chain);
    return chain;
}

void audit_hash_chain_free(struct audit_hash_chain *chain)
{
    if (!chain)
        return;
    sha256_free(chain->sha256);
    buffer_free(&chain->text);
    free(chain->names);
    free(chain->target);
    free(chain->links);
    free(chain->slots);
    free(chain);
}

void audit_hash_chain_row_columns(const struct audit_hash_chain *chain, struct buffer *out)
{
    buffer_add_text(out, "output_partition, output_offset, evidence_salt, evidence_digest");
    for (size_t n = 0; n < chain->name_count; n++) {
        buffer_add_text(out, ", ");
        buffer_add(out, chain->names[n].data, chain->names[n].bytes);
    }
}

/* --- the chain --- */

static void begin_chain(struct audit_hash_chain *chain, int32_t partition)
{
    char name[640];
    snprintf(name, sizeof name, "%s %s %" PRId32, chain->cluster_id, chain->topic, partition);
    sha256_digest(chain->sha256, span_of(name), (uint8_t *)chain->head);
    chain->partition = partition;
    chain->next = 0;
    chain->day[0] = '\0';
}

static bool is_head(struct audit_hash_chain *chain, struct span previous, int64_t first, struct span day,
                    struct span digests, struct span head)
{
    uint8_t made[ROW_DIGEST_BYTES];
    uint64_t number = htobe64((uint64_t)first);
    buffer_clear(&chain->text);
    buffer_add(&chain->text, previous.data, previous.bytes);
    buffer_add(&chain->text, &number, sizeof number);
    buffer_add(&chain->text, day.data, day.bytes);
    buffer_add(&chain->text, digests.data, digests.bytes);
    sha256_digest(chain->sha256, buffer_span(&chain->text), made);
    return span_equal(head, (struct span){(const char *)made, sizeof made});
}

static void add_links(struct audit_hash_chain *chain, int32_t partition, int64_t first, struct span digests)
{
    size_t count = digests.bytes / ROW_DIGEST_BYTES;
    chain->links = mem_grow(chain->links, &chain->link_capacity, chain->link_count + count, sizeof *chain->links);
    for (size_t i = 0; i < count; i++) {
        struct link *link = &chain->links[chain->link_count++];
        *link = (struct link){.number = first + (int64_t)i, .offset = -1, .partition = partition};
        memcpy(link->digest, digests.data + i * ROW_DIGEST_BYTES, ROW_DIGEST_BYTES);
    }
    chain->report.links += count;
}

enum status audit_hash_chain_block(struct audit_hash_chain *chain, struct cursor fields, struct error *err)
{
    int64_t partition, first;
    struct span day, digests, previous, head;
    char detail[160];
    if (!audit_field_integer(&fields, &partition) || !audit_field_integer(&fields, &first) ||
        !audit_field(&fields, &day) || !audit_field(&fields, &digests) || !audit_field(&fields, &previous) ||
        !audit_field(&fields, &head) || head.bytes != ROW_DIGEST_BYTES || day.bytes >= sizeof chain->day)
        return malformed("evidence", err);
    if ((int32_t)partition != chain->partition)
        begin_chain(chain, (int32_t)partition);
    bool follows = first == chain->next && memcmp(day.data, chain->day, day.bytes) >= 0 &&
                   span_equal(previous, (struct span){chain->head, sizeof chain->head});
    snprintf(detail, sizeof detail,
             "link %" PRId64 " of %.*s does not follow the one before: links are missing or were altered", first,
             (int)day.bytes, day.data);
    if (!follows)
        fault(chain, AUDIT_FAULT_EVIDENCE_CHAIN, chain->partition, -1, detail);
    snprintf(detail, sizeof detail, "links %" PRId64 " to %" PRId64 " of %.*s are not those of their head", first,
             first + (int64_t)(digests.bytes / ROW_DIGEST_BYTES) - 1, (int)day.bytes, day.data);
    if (!is_head(chain, previous, first, day, digests, head))
        fault(chain, AUDIT_FAULT_EVIDENCE_CHAIN, chain->partition, -1, detail);
    add_links(chain, chain->partition, first, digests);
    chain->next = first + (int64_t)(digests.bytes / ROW_DIGEST_BYTES);
    memcpy(chain->head, head.data, head.bytes);
    snprintf(chain->day, sizeof chain->day, "%.*s", (int)day.bytes, day.data);
    return STATUS_OK;
}

/* --- links by digest --- */

static uint32_t *slot_of(struct audit_hash_chain *chain, const char *digest)
{
    uint64_t hash;
    memcpy(&hash, digest, sizeof hash);
    for (size_t s = hash & (chain->slot_count - 1);; s = (s + 1) & (chain->slot_count - 1))
        if (!chain->slots[s] || memcmp(chain->links[chain->slots[s] - 1].digest, digest, ROW_DIGEST_BYTES) == 0)
            return &chain->slots[s];
}

static void make_slots(struct audit_hash_chain *chain)
{
    if (chain->slots)
        return;
    for (chain->slot_count = 64; chain->slot_count < 2 * chain->link_count; chain->slot_count *= 2)
        ;
    chain->slots = mem_zeroed(chain->slot_count, sizeof *chain->slots);
    for (size_t l = 0; l < chain->link_count; l++)
        *slot_of(chain, (const char *)chain->links[l].digest) = (uint32_t)l + 1;
}

static struct link *link_of(struct audit_hash_chain *chain, const char *digest)
{
    uint32_t slot = *slot_of(chain, digest);
    return slot ? &chain->links[slot - 1] : NULL;
}

enum status audit_hash_chain_removed(struct audit_hash_chain *chain, struct cursor fields, struct error *err)
{
    struct span reason, by, at, digests;
    char detail[160];
    make_slots(chain);
    if (!audit_field(&fields, &reason) || !audit_field(&fields, &by) || !audit_field(&fields, &at) ||
        !audit_field(&fields, &digests))
        return malformed("evidence_removed", err);
    bool erased = span_equal(reason, SPAN_LITERAL("erasure")), retained = span_equal(reason, SPAN_LITERAL("retention"));
    for (size_t d = 0; d + ROW_DIGEST_BYTES <= digests.bytes; d += ROW_DIGEST_BYTES) {
        struct link *link = link_of(chain, digests.data + d);
        if (!link || link->state != LINK_OPEN)
            continue;
        link->state = erased ? LINK_ERASED : retained ? LINK_RETAINED : LINK_BY_HAND;
        chain->report.erased += erased;
        chain->report.retained += retained;
        if (erased || retained)
            continue;
        snprintf(detail, sizeof detail, "link %" PRId64 ": %.*s deleted or replaced its row by hand at %.*s",
                 link->number, (int)(by.bytes < 64 ? by.bytes : 64), by.data, (int)at.bytes, at.data);
        fault(chain, AUDIT_FAULT_EVIDENCE_MISSING, link->partition, -1, detail);
    }
    return STATUS_OK;
}

/* --- rows --- */

static bool is_json(struct span field)
{
    return field.bytes > 1 && field.data[0] == 1 && (field.data[1] == '{' || field.data[1] == '[');
}

/* The digest that the row should have. */
static bool digest_row(struct audit_hash_chain *chain, struct span salt, struct cursor *fields,
                       char out[ROW_DIGEST_BYTES])
{
    struct span field;
    buffer_clear(&chain->text);
    row_digest_add_bytes(&chain->text, salt);
    for (size_t n = 0; n < chain->name_count; n++) {
        if (!audit_field(fields, &field))
            return false;
        if (!field.data)
            continue;
        if (is_json(field) &&
            row_digest_add_json(&chain->text, chain->names[n], (struct span){field.data + 1, field.bytes - 1}))
            continue;
        row_digest_add_bytes(&chain->text, chain->names[n]);
        row_digest_add_bytes(&chain->text, field);
    }
    sha256_digest(chain->sha256, buffer_span(&chain->text), (uint8_t *)out);
    return true;
}

static void check_row(struct audit_hash_chain *chain, int32_t partition, int64_t offset, struct span digest,
                      bool is_as_stored)
{
    struct link *link = digest.bytes == ROW_DIGEST_BYTES ? link_of(chain, digest.data) : NULL;
    char detail[160];
    if (!link) {
        fault(
            chain, AUDIT_FAULT_EVIDENCE_UNKNOWN, partition, offset,
            "the row is no link of the chain: it was altered together with its digest, or was not stored by the sink");
        return;
    }
    if (!is_as_stored) {
        snprintf(detail, sizeof detail, "the row is not what link %" PRId64 " was made of", link->number);
        fault(chain, AUDIT_FAULT_EVIDENCE_ALTERED, partition, offset, detail);
    }
    if (link->state == LINK_ROW) {
        snprintf(detail, sizeof detail, "another row has the same link, %" PRId64, link->number);
        fault(chain, AUDIT_FAULT_EVIDENCE_DUPLICATE, partition, offset, detail);
    } else if (link->state != LINK_OPEN) {
        snprintf(detail, sizeof detail, "link %" PRId64 " says that its row was removed", link->number);
        fault(chain, AUDIT_FAULT_EVIDENCE_DUPLICATE, partition, offset, detail);
    }
    link->state = LINK_ROW;
    link->offset = offset;
}

enum status audit_hash_chain_row(struct audit_hash_chain *chain, struct cursor fields, struct error *err)
{
    int64_t partition, offset;
    struct span salt, digest;
    char made[ROW_DIGEST_BYTES];
    make_slots(chain);
    if (!audit_field_integer(&fields, &partition) || !audit_field_integer(&fields, &offset) ||
        !audit_field(&fields, &salt) || !audit_field(&fields, &digest))
        return malformed("predictions", err);
    if (!salt.data && !digest.data) {
        chain->report.older++;
        return STATUS_OK;
    }
    if (!digest_row(chain, salt, &fields, made))
        return malformed("predictions", err);
    chain->report.rows++;
    check_row(chain, (int32_t)partition, offset, digest, span_equal(digest, (struct span){made, sizeof made}));
    return STATUS_OK;
}

/* A link without a row is shown between the rows of its neighbours. */
static void note_missing(struct audit_hash_chain *chain, size_t l)
{
    const struct link *link = &chain->links[l];
    char detail[160], after[24] = "the chain's end";
    size_t next = l + 1;
    int64_t before = -1;
    for (size_t i = l; i-- > 0 && chain->links[i].partition == link->partition && before < 0;)
        before = chain->links[i].offset;
    while (next < chain->link_count && chain->links[next].partition == link->partition && chain->links[next].offset < 0)
        next++;
    if (next < chain->link_count && chain->links[next].partition == link->partition)
        snprintf(after, sizeof after, "%" PRId64, chain->links[next].offset);
    snprintf(detail, sizeof detail, "link %" PRId64 " has no row: it was between offsets %" PRId64 " and %s",
             link->number, before, after);
    fault(chain, AUDIT_FAULT_EVIDENCE_MISSING, link->partition, before + 1, detail);
}

void audit_hash_chain_close(struct audit_hash_chain *chain, struct audit_hash_chain_report *out)
{
    for (size_t l = 0; l < chain->link_count; l++)
        if (chain->links[l].state == LINK_OPEN)
            note_missing(chain, l);
    *out = chain->report;
}

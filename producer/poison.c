/* Spoiling events: see poison.h. Called by generate, on one thread. Must never spoil an event so that it could still be
 * valid, or refused under another code than its kind's. */
#include "producer/poison.h"

#include <string.h>

#include "events/frame.h"

enum { STREAM_POISON = 2 };

static const struct {
    const char *name;
    enum event_code code;
    unsigned files;
    const char *why;
} kinds[] = {
#define POISON_ROW(id, name, code, what, files, why) {name, EVENT_##code, files, why},
    POISON_TABLE(POISON_ROW)
#undef POISON_ROW
};

void poison_init(struct poison *poison, const struct schema *schema, double share, uint64_t seed)
{
    *poison = (struct poison){
        .schema = schema, .share = share, .seed = seed, .kind_count = POISON_KIND_COUNT, .may_truncate = true};
    for (enum poison_kind kind = 0; kind < POISON_KIND_COUNT; kind++)
        poison->kinds[kind] = kind;
}

static enum status choose_code(struct poison *poison, struct span code, struct error *err)
{
    unsigned before = poison->kind_count;
    for (enum poison_kind kind = 0; kind < POISON_KIND_COUNT; kind++)
        if (span_equal(code, span_of(event_code_name(kinds[kind].code))) && poison->kind_count < POISON_KIND_COUNT)
            poison->kinds[poison->kind_count++] = kind;
    if (poison->kind_count > before)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "--poison-codes %.*s: no poison is refused under it, or it was named before; there are malformed, "
                     "bad_frame, unknown_schema_id, out_of_range, unknown_category, key_mismatch",
                     (int)code.bytes, code.data);
}

enum status poison_choose(struct poison *poison, const char *codes, struct error *err)
{
    poison->kind_count = 0;
    for (const char *at = codes, *end;; at = end + 1) {
        end = at + strcspn(at, ",");
        if (choose_code(poison, (struct span){at, (size_t)(end - at)}, err) != STATUS_OK)
            return err->status;
        if (!*end)
            return STATUS_OK;
    }
}

static bool has_code(const struct poison *poison, enum event_code code)
{
    for (unsigned k = 0; k < poison->kind_count; k++)
        if (kinds[poison->kinds[k]].code == code)
            return true;
    return false;
}

enum status poison_restrict(struct poison *poison, enum event_file_form form, const char *codes, struct error *err)
{
    struct poison asked = *poison;
    poison->kind_count = 0;
    for (unsigned k = 0; k < asked.kind_count; k++)
        if (kinds[asked.kinds[k]].files >> form & 1)
            poison->kinds[poison->kind_count++] = asked.kinds[k];
    poison->may_truncate = kinds[POISON_TRUNCATED].files >> form & 1;
    for (unsigned k = 0; k < asked.kind_count && codes; k++)
        if (!has_code(poison, kinds[asked.kinds[k]].code))
            return error_set(err, STATUS_INVALID, "--poison-codes %s: a file of this form (--out) cannot have it: %s",
                             event_code_name(kinds[asked.kinds[k]].code), kinds[asked.kinds[k]].why);
    return STATUS_OK;
}

void poison_print_left_out(const struct poison *poison, struct buffer *out)
{
    bool said[EVENT_CODE_COUNT] = {false};
    for (enum poison_kind kind = 0; kind < POISON_KIND_COUNT; kind++) {
        enum event_code code = kinds[kind].code;
        if (said[code] || has_code(poison, code))
            continue;
        buffer_printf(out, "%s%s (%s)", out->bytes ? ", " : "", event_code_name(code), kinds[kind].why);
        said[code] = true;
    }
}

static bool spoils_number(const struct column *column)
{
    return column->kind != COLUMN_NOMINAL && isfinite(column->high) && column->high + 1 <= column_most(column);
}

static bool spoils_text(const struct column *column)
{
    return column->kind == COLUMN_NOMINAL;
}

/* A column that fits, chosen at random, or -1. */
static int32_t choose_column(struct poison *poison, bool (*fits)(const struct column *column))
{
    const struct schema *schema = poison->schema;
    size_t start = schema->column_count ? random_index(&poison->random, schema->column_count) : 0;
    for (size_t i = 0; i < schema->column_count; i++) {
        size_t c = (start + i) % schema->column_count;
        if (fits(&schema->columns[c]))
            return (int32_t)c;
    }
    return -1;
}

static bool spoil_cell(struct poison *poison, enum poison_kind kind, struct event *event)
{
    int32_t c = choose_column(poison, kind == POISON_RANGE ? spoils_number : spoils_text);
    if (c < 0)
        return false;
    struct cell *cell = &event->cells[c];
    if (kind == POISON_RANGE)
        *cell = cell_number(floor(poison->schema->columns[c].high) + 1);
    else if (kind == POISON_CATEGORY)
        *cell = (struct cell){.text = "no such category", .text_bytes = 16, .code = CELL_OTHER};
    else
        *cell = (struct cell){.text = "\xff\xfe", .text_bytes = 2, .code = CELL_OTHER};
    return true;
}

enum poison_kind poison_event(struct poison *poison, uint64_t index, struct event *event, struct span *key)
{
    random_seed(&poison->random, poison->seed, STREAM_POISON, index);
    if (random_uniform(&poison->random) >= poison->share)
        return POISON_NONE;
    enum poison_kind kind = poison->kinds[poison->next++ % poison->kind_count];
    bool in_cell = kind == POISON_RANGE || kind == POISON_CATEGORY || kind == POISON_BAD_UTF8;
    if (in_cell && !spoil_cell(poison, kind, event))
        kind = poison->may_truncate ? POISON_TRUNCATED : POISON_NONE;
    if (kind == POISON_NONE)
        return kind;
    if (kind == POISON_KEY)
        *key = event->event_id;
    poison->counts[kind]++;
    return kind;
}

void poison_bytes(struct poison *poison, enum poison_kind kind, struct buffer *value)
{
    if (kind == POISON_TRUNCATED)
        value->bytes = FRAME_BYTES + random_index(&poison->random, value->bytes - FRAME_BYTES);
    else if (kind == POISON_BAD_MAGIC)
        value->data[0] = 0x7f;
    else if (kind == POISON_UNKNOWN_ID)
        value->data[1] ^= 0x3f;
    else if (kind == POISON_TRAILING)
        buffer_add_u8(value, 0);
    else if (kind == POISON_EMPTY)
        value->bytes = 0;
}

void poison_text(struct poison *poison, enum poison_kind kind, enum event_file_form form, struct buffer *text,
                 size_t start)
{
    if (kind == POISON_TRAILING)
        buffer_add_text(text, form == EVENT_FILE_CSV ? ",0" : "0");
    else if (kind == POISON_TRUNCATED && form != EVENT_FILE_CSV)
        text->bytes = start + 1 + random_index(&poison->random, text->bytes - start - 1);
    else if (kind == POISON_TRUNCATED) /* a field is missing: a shorter cut could leave as many */
        while (text->data[--text->bytes] != ',')
            ;
}

uint64_t poison_total(const struct poison *poison)
{
    uint64_t total = 0;
    for (size_t k = 0; k < POISON_KIND_COUNT; k++)
        total += poison->counts[k];
    return total;
}

void poison_print(const struct poison *poison, FILE *out)
{
    fprintf(out, "poisoned %llu:", (unsigned long long)poison_total(poison));
    for (size_t k = 0; k < POISON_KIND_COUNT; k++)
        fprintf(out, "%s %s %llu (%s)", k ? "," : "", kinds[k].name, (unsigned long long)poison->counts[k],
                event_code_name(kinds[k].code));
    putc('\n', out);
}

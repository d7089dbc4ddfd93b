/* Avro's schema resolution as questions about pairs of types. Called when plans are compiled, on the caller's thread.
 *
 * Whether a pair resolves is asked of records that may contain themselves, so it is a greatest fixed point: a pair
 * under way is taken to resolve; when a pass over the types found a pair that does not, another pass is made that knows
 * it. */
#include "avro/resolve.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "avro/defaults.h"

enum {
    PAIRS_MAX = 1 << 16,
    PAIR_SLOTS = 2 * PAIRS_MAX,
    DEPTH_MAX = 4096, /* of types within types, records by reference included: the stack holds them */
    PASSES_MAX = 1000,
    PATH_MAX_STEPS = 16
};

enum fit { FIT_NONE, FIT_YES, FIT_NO };

struct pair {
    const struct avro_type *writer, *reader;
    unsigned pass; /* in which a YES was found */
    enum fit fit;
};

struct resolver {
    struct pair *pairs; /* open addressing */
    size_t pair_count;
    unsigned pass;
    unsigned default_work; /* left */
    bool found_no, gave_up;
    bool settled; /* the whole schemas resolve: every YES stands */
    int depth;
    int quiet; /* within a union's branch, where a failure is the datum's business */
    const char *path[PATH_MAX_STEPS];
    int path_length; /* may exceed PATH_MAX_STEPS */
    char why[384];
};

static bool accepts(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader);

struct resolver *resolver_new(void)
{
    struct resolver *resolver = mem_zeroed(1, sizeof *resolver);
    resolver->pairs = mem_zeroed(PAIR_SLOTS, sizeof *resolver->pairs);
    resolver->default_work = DEFAULT_WORK_MAX;
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    free(resolver->pairs);
    free(resolver);
}

/* --- names --- */

struct named_index {
    const char *name;
    int32_t index;
};

static int named_order(const void *a, const void *b)
{
    return strcmp(((const struct named_index *)a)->name, ((const struct named_index *)b)->name);
}

static int32_t named_find(const struct named_index *sorted, size_t count, const char *name) /* -1: none */
{
    const struct named_index key = {name, 0};
    const struct named_index *found = bsearch(&key, sorted, count, sizeof key, named_order);
    return found ? found->index : -1;
}

void resolve_fields(const struct avro_type *writer, const struct avro_type *reader, int32_t *reader_of, bool *filled)
{
    struct named_index *sorted = mem_zeroed(writer->field_count, sizeof *sorted);
    for (size_t f = 0; f < writer->field_count; f++) {
        sorted[f] = (struct named_index){writer->fields[f].name, (int32_t)f};
        reader_of[f] = FIELD_UNREAD;
    }
    qsort(sorted, writer->field_count, sizeof *sorted, named_order);
    for (size_t f = 0; f < reader->field_count; f++) {
        int32_t from = named_find(sorted, writer->field_count, reader->fields[f].name);
        filled[f] = from >= 0;
        if (from >= 0)
            reader_of[from] = (int32_t)f;
    }
    for (size_t f = 0; f < reader->field_count; f++) {
        const struct avro_field *field = &reader->fields[f];
        for (size_t a = 0; a < field->alias_count && !filled[f]; a++) {
            int32_t from = named_find(sorted, writer->field_count, field->aliases[a]);
            if (from >= 0 && reader_of[from] == FIELD_UNREAD) {
                reader_of[from] = (int32_t)f;
                filled[f] = true;
            }
        }
    }
    free(sorted);
}

void resolve_symbols(const struct avro_type *writer, const struct avro_type *reader, int32_t *reader_of)
{
    struct named_index *sorted = mem_zeroed(reader->symbol_count, sizeof *sorted);
    for (size_t s = 0; s < reader->symbol_count; s++)
        sorted[s] = (struct named_index){reader->symbols[s], (int32_t)s};
    qsort(sorted, reader->symbol_count, sizeof *sorted, named_order);
    for (size_t s = 0; s < writer->symbol_count; s++) {
        int32_t to = named_find(sorted, reader->symbol_count, writer->symbols[s]);
        reader_of[s] = to >= 0 ? to : reader->default_symbol;
    }
    free(sorted);
}

/* By short name, or one of the reader's aliases, whatever the namespaces. */
static bool names_match(const struct avro_type *writer, const struct avro_type *reader)
{
    if (strcmp(writer->short_name, reader->short_name) == 0)
        return true;
    for (size_t a = 0; a < reader->alias_count; a++)
        if (strcmp(avro_short_name(reader->aliases[a]), writer->short_name) == 0)
            return true;
    return false;
}

/* Whether a writer's primitive kind may be read as the reader's: the same, or a promotion. */
static bool kind_promotes(enum avro_kind writer, enum avro_kind reader)
{
    if (writer == reader)
        return true;
    switch (writer) {
    case AVRO_KIND_INT:
        return reader == AVRO_KIND_LONG || reader == AVRO_KIND_FLOAT || reader == AVRO_KIND_DOUBLE;
    case AVRO_KIND_LONG:
        return reader == AVRO_KIND_FLOAT || reader == AVRO_KIND_DOUBLE;
    case AVRO_KIND_FLOAT:
        return reader == AVRO_KIND_DOUBLE;
    case AVRO_KIND_BYTES:
        return reader == AVRO_KIND_STRING;
    case AVRO_KIND_STRING:
        return reader == AVRO_KIND_BYTES;
    default:
        return false;
    }
}

const struct avro_type *resolve_branch(const struct avro_type *writer, const struct avro_type *reader)
{
    bool named = avro_kind_is_named(writer->kind);
    for (size_t b = 0; b < reader->branch_count; b++) {
        const struct avro_type *branch = reader->branches[b];
        if (branch->kind == writer->kind && (!named || strcmp(branch->name, writer->name) == 0))
            return branch;
    }
    for (size_t b = 0; b < reader->branch_count; b++)
        if (named && reader->branches[b]->kind == writer->kind && names_match(writer, reader->branches[b]))
            return reader->branches[b];
    for (size_t b = 0; b < reader->branch_count; b++)
        if (kind_promotes(writer->kind, reader->branches[b]->kind) && reader->branches[b]->kind != writer->kind)
            return reader->branches[b];
    return NULL;
}

/* --- what is wrong --- */

static void say(struct resolver *resolver, const char *format, ...) PRINTF_LIKE(2, 3);

static void say(struct resolver *resolver, const char *format, ...)
{
    if (resolver->quiet || resolver->why[0])
        return;
    size_t at = 0, room = sizeof resolver->why;
    int steps = resolver->path_length < PATH_MAX_STEPS ? resolver->path_length : PATH_MAX_STEPS;
    for (int s = 0; s < steps && at < room / 2; s++)
        at += (size_t)snprintf(resolver->why + at, room - at, "%s%.60s", s ? "." : "", resolver->path[s]);
    at += (size_t)snprintf(resolver->why + at, room - at, "%s", steps ? ": " : "");
    va_list args;
    va_start(args, format);
    vsnprintf(resolver->why + at, room - at, format, args);
    va_end(args);
}

static void resolver_push_path(struct resolver *resolver, const char *step)
{
    if (resolver->path_length < PATH_MAX_STEPS)
        resolver->path[resolver->path_length] = step;
    resolver->path_length++;
}

/* --- pairs of records --- */

static struct pair *pair_at(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader)
{
    uint64_t hash = ((uint64_t)writer->index << 32 | reader->index) * 0x9e3779b97f4a7c15u;
    for (size_t slot = hash >> 40;; slot++) {
        struct pair *pair = &resolver->pairs[slot % PAIR_SLOTS];
        if (!pair->writer || (pair->writer == writer && pair->reader == reader))
            return pair;
    }
}

static bool field_is_due(struct resolver *resolver, const struct avro_field *field)
{
    struct buffer text = {0};
    bool due =
        field->value_if_absent && default_write(field->type, field->value_if_absent, &resolver->default_work, &text);
    resolver->gave_up |= resolver->default_work == 0;
    if (!due)
        say(resolver,
            field->value_if_absent ? "the reader's field \"%.80s\" has a default that is no value of its type"
                                   : "the reader's field \"%.80s\" is not in the writer's record and has no default",
            field->name);
    buffer_free(&text);
    return due;
}

static bool accepts_fields(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader)
{
    int32_t *reader_of = mem_zeroed(writer->field_count, sizeof *reader_of);
    bool *filled = mem_zeroed(reader->field_count, sizeof *filled);
    bool fine = true;
    resolve_fields(writer, reader, reader_of, filled);
    for (size_t f = 0; f < reader->field_count && fine; f++)
        fine = filled[f] || field_is_due(resolver, &reader->fields[f]);
    for (size_t f = 0; f < writer->field_count && fine; f++) {
        if (reader_of[f] == FIELD_UNREAD)
            continue;
        resolver_push_path(resolver, writer->fields[f].name);
        fine = accepts(resolver, writer->fields[f].type, reader->fields[reader_of[f]].type);
        resolver->path_length--;
    }
    free(reader_of);
    free(filled);
    return fine;
}

static bool accepts_record(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader)
{
    struct pair *pair = pair_at(resolver, writer, reader);
    if (pair->fit == FIT_NO) {
        say(resolver, "record %.80s does not fit %.80s", writer->name, reader->name);
        return false;
    }
    if (pair->fit == FIT_YES && (resolver->settled || pair->pass == resolver->pass))
        return true; /* found in this pass, or under way */
    if (resolver->pair_count == PAIRS_MAX) {
        resolver->gave_up = true;
        return false;
    }
    resolver->pair_count += !pair->writer;
    *pair = (struct pair){writer, reader, resolver->pass, FIT_YES};
    bool fine = accepts_fields(resolver, writer, reader);
    if (!fine && !resolver->gave_up) {
        pair->fit = FIT_NO; /* the table does not move */
        resolver->found_no = true;
    }
    return fine;
}

/* --- pairs of any kind --- */

static bool accepts_writer_union(struct resolver *resolver, const struct avro_type *writer,
                                 const struct avro_type *reader)
{
    bool any = false;
    resolver->quiet++;
    for (size_t b = 0; b < writer->branch_count; b++)
        any |= accepts(resolver, writer->branches[b], reader);
    resolver->quiet--;
    if (!any)
        say(resolver, "no branch of the writer's union can be read as the reader's %.80s", reader->name);
    return any;
}

static bool accepts_named(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader)
{
    if (!names_match(writer, reader)) {
        say(resolver, "the writer's %.80s and the reader's %.80s have different names, and there is no alias",
            writer->name, reader->name);
        return false;
    }
    if (writer->kind == AVRO_KIND_RECORD)
        return accepts_record(resolver, writer, reader);
    if (writer->kind == AVRO_KIND_FIXED && writer->fixed_bytes != reader->fixed_bytes) {
        say(resolver, "fixed of %llu bytes cannot be read as fixed of %llu", (unsigned long long)writer->fixed_bytes,
            (unsigned long long)reader->fixed_bytes);
        return false;
    }
    return true;
}

static bool accepts_same_kind(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader)
{
    if (writer->is_decimal && reader->is_decimal && writer->scale != reader->scale) {
        say(resolver, "decimals of scale %lld cannot be read with scale %lld", (long long)writer->scale,
            (long long)reader->scale);
        return false;
    }
    if (avro_kind_is_named(writer->kind))
        return accepts_named(resolver, writer, reader);
    return !writer->items || accepts(resolver, writer->items, reader->items);
}

static bool accepts_kinds(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader)
{
    if (writer->kind == AVRO_KIND_UNION)
        return accepts_writer_union(resolver, writer, reader);
    if (reader->kind == AVRO_KIND_UNION) {
        const struct avro_type *branch = resolve_branch(writer, reader);
        if (!branch)
            say(resolver, "no branch of the reader's union fits the writer's %.80s", writer->name);
        return branch && accepts(resolver, writer, branch);
    }
    if (writer->kind == reader->kind)
        return accepts_same_kind(resolver, writer, reader);
    if (kind_promotes(writer->kind, reader->kind))
        return true;
    say(resolver, "%.80s cannot be read as %.80s", writer->name, reader->name);
    return false;
}

static bool accepts(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader)
{
    resolver->gave_up |= resolver->depth == DEPTH_MAX;
    if (resolver->gave_up)
        return false;
    resolver->depth++;
    bool fine = accepts_kinds(resolver, writer, reader);
    resolver->depth--;
    return fine;
}

bool resolver_accepts(struct resolver *resolver, const struct avro_type *writer, const struct avro_type *reader)
{
    bool fine;
    resolver->why[0] = '\0'; /* the first pass's word stands: later ones know less of where */
    do {
        resolver->pass += !resolver->settled;
        resolver->found_no = false;
        fine = accepts(resolver, writer, reader);
        resolver->gave_up |= resolver->pass == PASSES_MAX;
    } while (resolver->found_no && !resolver->gave_up && !resolver->settled);
    return fine && !resolver->gave_up;
}

void resolver_settle(struct resolver *resolver)
{
    resolver->settled = true;
    resolver->pass = 0;
}

enum status resolver_why(const struct resolver *resolver, struct error *err)
{
    if (resolver->gave_up)
        return error_set(err, STATUS_LIMIT,
                         "the schemas are nested too deep, or have too many pairs of records or too large defaults");
    return error_set(err, STATUS_UNSUPPORTED, "%s", resolver->why[0] ? resolver->why : "the schemas do not resolve");
}

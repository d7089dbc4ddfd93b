/* See contract.h. Written by pipeline_load, compared by whoever loads a registered version; never while scoring. */
#include "pipeline/contract.h"

#include <stdlib.h>

#include "base/memory.h"

static const char *type_name(enum column_type type)
{
    static const char *const names[] = {[COLUMN_INT] = "int",
                                        [COLUMN_LONG] = "long",
                                        [COLUMN_FLOAT] = "float",
                                        [COLUMN_DOUBLE] = "double",
                                        [COLUMN_TEXT] = "string"};
    return names[type];
}

static const char *kind_name(enum column_kind kind)
{
    static const char *const names[] = {
        [COLUMN_NUMERIC] = "numeric", [COLUMN_ORDINAL] = "ordinal", [COLUMN_NOMINAL] = "nominal"};
    return names[kind];
}

struct entry {
    const struct column *column;
    const char *input;
};

static int entry_order(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->column->name, ((const struct entry *)b)->column->name);
}

void contract_write(const struct column *columns, const struct pipeline_input *inputs, size_t count, struct buffer *out)
{
    struct entry *entries = mem_zeroed(count, sizeof *entries);
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct entry){&columns[inputs[i].column], inputs[i].type};
    if (count)
        qsort(entries, count, sizeof *entries, entry_order);
    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s%s %s %s %s", i ? ", " : "", entries[i].column->name, type_name(entries[i].column->type),
                      kind_name(entries[i].column->kind), entries[i].input);
    free(entries);
}

/* The text's entry, without the blank before it; *rest is what follows. */
static struct span entry_next(const char **rest)
{
    const char *start = *rest + strspn(*rest, " "), *end = strchr(start, ',');
    *rest = end ? end + 1 : start + strlen(start);
    return (struct span){start, end ? (size_t)(end - start) : strlen(start)};
}

/* The first entry of `from` that `in` lacks; empty: none. */
static struct span entry_missing(const char *from, const char *in)
{
    while (*from) {
        struct span entry = entry_next(&from);
        bool found = false;
        for (const char *rest = in; *rest && !found;)
            found = span_equal(entry_next(&rest), entry);
        if (!found)
            return entry;
    }
    return SPAN_LITERAL("");
}

enum status contract_check(const struct pipeline *pipeline, const char *hash, const char *columns, struct error *err)
{
    const char *now = pipeline_contract_columns(pipeline);
    if (!strcmp(hash, pipeline_contract(pipeline)))
        return STATUS_OK;
    struct span before = columns ? entry_missing(columns, now) : SPAN_LITERAL("");
    struct span after = columns ? entry_missing(now, columns) : SPAN_LITERAL("");
    if (before.bytes + after.bytes == 0)
        return error_set(err, STATUS_INVALID,
                         "the feature contract changed: it was %.12s… when this version was registered and is %.12s… "
                         "with this schema: use the schema it was registered with, or import the model again",
                         hash, pipeline_contract(pipeline));
    return error_set(err, STATUS_INVALID,
                     "the feature contract changed: '%.*s' when this version was registered, '%.*s' with this schema: "
                     "use the schema it was registered with, or train or import the model again",
                     before.bytes < 120 ? (int)before.bytes : 120, before.bytes ? before.data : "",
                     after.bytes < 120 ? (int)after.bytes : 120, after.bytes ? after.data : "");
}

/* Writer × reader → program: see plan.h. Called at load and for each new writer schema, never per datum.
 *
 * Records become routines, compiled once per pair (or once for skipping), so recursive schemas end and shared ones do
 * not multiply. Only what a layout emits stands in line, field by field, with slots. */
#include "avro/plan_emit.h"

#include <stdlib.h>

#include "base/json.h"
#include "avro/defaults.h"
#include "avro/resolve.h"

enum { ROUTINE_BUCKETS = 1024, PATH_STEPS_MAX = 16, NOTES_MAX = 4096 };

/* Field names from the event down. */
struct path {
    const char *steps[PATH_STEPS_MAX];
    size_t count; /* those beyond PATH_STEPS_MAX are not kept */
};

struct routine {
    const struct avro_type *writer, *reader; /* reader NULL: skip */
    struct path path;                        /* where it was needed first */
    int32_t next;                            /* in the bucket, or -1 */
};

struct compiler {
    struct plan *plan;
    struct resolver *resolver;
    const struct plan_layout *layout; /* NULL: a JSON plan */
    struct path path;
    struct routine *routines;
    size_t routine_count, routine_room;
    int32_t buckets[ROUTINE_BUCKETS];
    unsigned default_work; /* left */
    size_t label;          /* number of ops when a jump was last aimed at what follows: no merging across it */
    bool too_large;
};

/* --- ops --- */

uint32_t plan_here(struct compiler *compiler)
{
    compiler->label = compiler->plan->op_count;
    return (uint32_t)compiler->plan->op_count;
}

struct op *plan_emit(struct compiler *compiler, unsigned code, uint32_t a, uint32_t b)
{
    struct plan *plan = compiler->plan;
    if (plan->op_count == PLAN_OPS_MAX) {
        compiler->too_large = true;
        plan->op_count--; /* the plan will be thrown away */
    }
    plan->ops = mem_grow(plan->ops, &plan->op_room, plan->op_count + 1, sizeof *plan->ops);
    struct op *op = &plan->ops[plan->op_count++];
    *op = (struct op){.code = (uint8_t)code, .slot = SLOT_NONE, .a = a, .b = b};
    return op;
}

static void emit_leaf(struct compiler *compiler, enum op_code code, enum avro_kind to, uint32_t slot, uint32_t a,
                      uint32_t b)
{
    struct op *op = plan_emit(compiler, code, a, b);
    op->to = (uint8_t)to;
    op->slot = slot;
}

struct plan *plan_under_way(struct compiler *compiler)
{
    return compiler->plan;
}

struct op *plan_last_op(struct compiler *compiler)
{
    struct plan *plan = compiler->plan;
    return plan->op_count && compiler->label != plan->op_count ? &plan->ops[plan->op_count - 1] : NULL;
}

/* Text of the JSON to be written, merged with text just before. Nothing in a layout's plan. */
static void emit_text(struct compiler *compiler, const char *data, size_t bytes)
{
    struct plan *plan = compiler->plan;
    if (compiler->layout || bytes == 0)
        return;
    struct op *last = plan_last_op(compiler);
    if (plan->text.bytes + bytes > PLAN_TEXT_BYTES_MAX) {
        compiler->too_large = true;
        return;
    }
    if (last && last->code == OP_TEXT)
        last->b += (uint32_t)bytes;
    else
        plan_emit(compiler, OP_TEXT, (uint32_t)plan->text.bytes, (uint32_t)bytes);
    buffer_add(&plan->text, data, bytes);
}

static void emit_quoted(struct compiler *compiler, const char *before, const char *name)
{
    struct buffer text = {0};
    buffer_add_text(&text, before);
    json_add_text(&text, span_of(name));
    buffer_add_u8(&text, ':');
    emit_text(compiler, text.data, text.bytes);
    buffer_free(&text);
}

static void emit_raw(struct compiler *compiler, uint64_t bytes) /* merged likewise */
{
    struct op *last = plan_last_op(compiler);
    if (last && last->code == OP_SKIP_RAW && last->b + bytes <= UINT32_MAX)
        last->b += (uint32_t)bytes;
    else if (bytes)
        plan_emit(compiler, OP_SKIP_RAW, 0, (uint32_t)bytes);
}

static size_t table_take(struct compiler *compiler, size_t count)
{
    struct plan *plan = compiler->plan;
    size_t first = plan->table_count;
    if (first + count > PLAN_OPS_MAX) {
        compiler->too_large = true;
        first = 0;
    }
    plan->table = mem_grow(plan->table, &plan->table_room, first + count, sizeof *plan->table);
    plan->table_count = first + count;
    return first;
}

/* --- routines --- */

static uint32_t routine_of(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader)
{
    uint32_t bucket = (writer->index * 31 + (reader ? reader->index + 1 : 0)) % ROUTINE_BUCKETS;
    for (int32_t r = compiler->buckets[bucket]; r >= 0; r = compiler->routines[r].next)
        if (compiler->routines[r].writer == writer && compiler->routines[r].reader == reader)
            return (uint32_t)r;
    compiler->routines =
        mem_grow(compiler->routines, &compiler->routine_room, compiler->routine_count + 1, sizeof *compiler->routines);
    uint32_t index = (uint32_t)compiler->routine_count++;
    compiler->routines[index] = (struct routine){writer, reader, compiler->path, compiler->buckets[bucket]};
    compiler->buckets[bucket] = (int32_t)index;
    return index;
}

/* --- what is said of a datum that has no image in the reader --- */

void plan_path_pop(struct compiler *compiler)
{
    compiler->path.count--;
}

void plan_path_push(struct compiler *compiler, const char *step)
{
    struct path *path = &compiler->path;
    if (path->count < PATH_STEPS_MAX)
        path->steps[path->count] = step;
    path->count++;
}

/* "attributes.FIELD: double cannot be read as [null,int]" */
static void emit_unresolvable(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader)
{
    struct plan *plan = compiler->plan;
    struct buffer text = {0};
    if (plan->note_count == NOTES_MAX) {
        plan_emit(compiler, OP_UNRESOLVABLE, NO_NOTE, 0);
        return;
    }
    for (size_t s = 0; s < compiler->path.count && s < PATH_STEPS_MAX; s++)
        buffer_printf(&text, "%s%s", s ? "." : "", compiler->path.steps[s]);
    buffer_add_text(&text, text.bytes ? ": the writer's " : "the writer's ");
    avro_type_describe(writer, &text);
    buffer_add_text(&text, " cannot be read as ");
    avro_type_describe(reader, &text);
    plan->notes = mem_resize(plan->notes, plan->note_count + 1, sizeof *plan->notes);
    plan->notes[plan->note_count] = arena_text(&plan->arena, text.data, text.bytes < 160 ? text.bytes : 160);
    plan_emit(compiler, OP_UNRESOLVABLE, (uint32_t)plan->note_count++, 0);
    buffer_free(&text);
}

/* --- branches and blocks: the same whether read or skipped (reader NULL) --- */

static void emit_branches(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                          uint32_t slot)
{
    size_t count = writer->branch_count, first = table_take(compiler, count);
    uint32_t *ends = mem_zeroed(count, sizeof *ends);
    plan_emit(compiler, OP_BRANCH, (uint32_t)first, (uint32_t)count);
    for (size_t b = 0; b < count; b++) {
        const struct avro_type *branch = writer->branches[b];
        const struct avro_type *seen_as = reader;
        compiler->plan->table[first + b] = (int32_t)plan_here(compiler);
        if (reader && !resolver_accepts(compiler->resolver, branch, reader)) {
            emit_unresolvable(compiler, branch, reader);
            seen_as = NULL;
        }
        plan_emit_value(compiler, branch, seen_as, slot);
        ends[b] = (uint32_t)compiler->plan->op_count;
        plan_emit(compiler, OP_JUMP, 0, 0);
    }
    uint32_t end = plan_here(compiler);
    for (size_t b = 0; b < count && !compiler->too_large; b++)
        compiler->plan->ops[ends[b]].a = end;
    free(ends);
}

static void emit_blocks(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                        uint32_t slot)
{
    bool is_map = writer->kind == AVRO_KIND_MAP;
    if (reader)
        emit_text(compiler, is_map ? "{" : "[", 1);
    plan_emit(compiler, OP_BLOCKS, 0, 0)->slot = slot;
    uint32_t loop = plan_here(compiler); /* the index of the op that comes next */
    struct op *next = plan_emit(compiler, OP_NEXT, 0, writer->items->min_bytes + is_map);
    next->to = reader != NULL; /* whether commas are due */
    if (is_map)
        plan_emit(compiler, reader && !compiler->layout ? OP_KEY : OP_SKIP_LENGTH, 0, 0);
    plan_emit_value(compiler, writer->items, reader ? reader->items : NULL, slot);
    plan_emit(compiler, OP_JUMP, loop, 0);
    if (!compiler->too_large)
        compiler->plan->ops[loop].a = plan_here(compiler);
    (void)plan_here(compiler);
    if (reader)
        emit_text(compiler, is_map ? "}" : "]", 1);
}

static void emit_skip(struct compiler *compiler, const struct avro_type *writer)
{
    switch (writer->kind) {
    case AVRO_KIND_NULL:
        break;
    case AVRO_KIND_BOOLEAN:
        plan_emit(compiler, OP_SKIP_BOOL, 0, 0);
        break;
    case AVRO_KIND_INT:
        plan_emit(compiler, OP_SKIP_INT, 0, 0);
        break;
    case AVRO_KIND_LONG:
        plan_emit(compiler, OP_SKIP_LONG, 0, 0);
        break;
    case AVRO_KIND_FLOAT:
        emit_raw(compiler, sizeof(float));
        break;
    case AVRO_KIND_DOUBLE:
        emit_raw(compiler, sizeof(double));
        break;
    case AVRO_KIND_BYTES:
    case AVRO_KIND_STRING:
        plan_emit(compiler, OP_SKIP_LENGTH, 0, 0);
        break;
    case AVRO_KIND_FIXED:
        emit_raw(compiler, writer->fixed_bytes);
        break;
    case AVRO_KIND_ENUM:
        plan_emit(compiler, OP_SKIP_SYMBOL, 0, (uint32_t)writer->symbol_count);
        break;
    case AVRO_KIND_RECORD:
        plan_emit(compiler, OP_CALL, routine_of(compiler, writer, NULL), 0);
        break;
    case AVRO_KIND_ARRAY:
    case AVRO_KIND_MAP:
        emit_blocks(compiler, writer, NULL, SLOT_NONE);
        break;
    case AVRO_KIND_UNION:
        emit_branches(compiler, writer, NULL, SLOT_NONE);
        break;
    }
}

/* --- values --- */

static void emit_symbol(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                        uint32_t slot)
{
    struct plan *plan = compiler->plan;
    size_t first = table_take(compiler, writer->symbol_count);
    resolve_symbols(writer, reader, plan->table + first);
    if (!compiler->layout) {
        slot = (uint32_t)plan->symbol_list_count++;
        plan->symbol_lists = mem_resize(plan->symbol_lists, plan->symbol_list_count, sizeof *plan->symbol_lists);
        plan->symbol_lists[slot] = reader->symbols;
    }
    struct op *op = plan_emit(compiler, OP_VALUE_SYMBOL, (uint32_t)first, (uint32_t)writer->symbol_count);
    op->to = AVRO_KIND_ENUM;
    op->slot = slot;
}

static void emit_fields(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader)
{
    int32_t *reader_of = mem_zeroed(writer->field_count, sizeof *reader_of);
    bool *filled = mem_zeroed(reader->field_count, sizeof *filled);
    const char *before = "{";
    resolve_fields(writer, reader, reader_of, filled);
    for (size_t f = 0; f < writer->field_count; f++) {
        const struct avro_field *to = reader_of[f] == FIELD_UNREAD ? NULL : &reader->fields[reader_of[f]];
        if (to)
            emit_quoted(compiler, before, to->name);
        before = to ? "," : before;
        plan_path_push(compiler, writer->fields[f].name);
        plan_emit_value(compiler, writer->fields[f].type, to ? to->type : NULL, SLOT_NONE);
        plan_path_pop(compiler);
    }
    for (size_t f = 0; f < reader->field_count; f++) {
        if (filled[f])
            continue;
        struct buffer value = {0};
        emit_quoted(compiler, before, reader->fields[f].name);
        before = ",";
        if (default_write(reader->fields[f].type, reader->fields[f].value_if_absent, &compiler->default_work, &value))
            emit_text(compiler, value.data, value.bytes);
        else
            compiler->too_large = true; /* the resolver found it to be of its type */
        buffer_free(&value);
    }
    emit_text(compiler, "{}", *before == '{' ? 2 : 0);
    emit_text(compiler, "}", *before == '{' ? 0 : 1);
    free(reader_of);
    free(filled);
}

static void emit_same_kind(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                           uint32_t slot)
{
    static const uint8_t leaves[] = {
        [AVRO_KIND_NULL] = OP_VALUE_NULL,   [AVRO_KIND_BOOLEAN] = OP_VALUE_BOOL, [AVRO_KIND_INT] = OP_VALUE_INT,
        [AVRO_KIND_LONG] = OP_VALUE_LONG,   [AVRO_KIND_FLOAT] = OP_VALUE_FLOAT,  [AVRO_KIND_DOUBLE] = OP_VALUE_DOUBLE,
        [AVRO_KIND_BYTES] = OP_VALUE_BYTES, [AVRO_KIND_STRING] = OP_VALUE_BYTES};
    uint32_t note = compiler->layout ? compiler->layout->note(writer, slot) : 0;
    if (writer->kind <= AVRO_KIND_STRING)
        emit_leaf(compiler, leaves[writer->kind], reader->kind, slot, note, 0);
    else if (writer->kind == AVRO_KIND_FIXED)
        emit_leaf(compiler, OP_VALUE_FIXED, AVRO_KIND_FIXED, slot, 0, (uint32_t)writer->fixed_bytes);
    else if (writer->kind == AVRO_KIND_ENUM)
        emit_symbol(compiler, writer, reader, slot);
    else if (writer->kind == AVRO_KIND_RECORD)
        plan_emit(compiler, OP_CALL, routine_of(compiler, writer, reader), 0);
    else
        emit_blocks(compiler, writer, reader, slot);
}

/* The reader accepts the writer here, or is NULL: then the value is skipped. */
void plan_emit_value(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                     uint32_t slot)
{
    if (compiler->too_large)
        return;
    if (!reader) {
        emit_skip(compiler, writer);
    } else if (writer->kind == AVRO_KIND_UNION) {
        emit_branches(compiler, writer, reader, slot);
    } else if (reader->kind == AVRO_KIND_UNION) {
        const struct avro_type *branch = resolve_branch(writer, reader);
        bool tagged = branch->kind != AVRO_KIND_NULL;
        if (tagged)
            emit_quoted(compiler, "{", branch->name);
        emit_same_kind(compiler, writer, branch, slot);
        emit_text(compiler, "}", tagged);
    } else {
        emit_same_kind(compiler, writer, reader, slot);
    }
}

/* --- the whole --- */

static void emit_routines(struct compiler *compiler)
{
    struct plan *plan = compiler->plan;
    for (size_t r = 0; r < compiler->routine_count && !compiler->too_large; r++) {
        struct routine routine = compiler->routines[r]; /* the list may move */
        plan->routines = mem_resize(plan->routines, r + 1, sizeof *plan->routines);
        plan->routines[r] = plan_here(compiler);
        compiler->path = routine.path;
        if (routine.reader) {
            emit_fields(compiler, routine.writer, routine.reader);
        } else {
            for (size_t f = 0; f < routine.writer->field_count; f++)
                plan_emit_value(compiler, routine.writer->fields[f].type, NULL, SLOT_NONE);
        }
        plan_emit(compiler, OP_RETURN, 0, 0);
    }
    plan->routine_count = compiler->routine_count;
}

static void compile(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader)
{
    memset(compiler->buckets, 0xff, sizeof compiler->buckets);
    if (compiler->layout)
        compiler->layout->emit(compiler, writer, reader);
    else
        plan_emit_value(compiler, writer, reader, SLOT_NONE);
    plan_emit(compiler, OP_END, 0, 0);
    emit_routines(compiler);
}

enum status plan_compile_layout(const struct avro_type *writer, const struct avro_type *reader,
                                const struct plan_layout *layout, struct plan **out, struct error *err)
{
    struct compiler compiler = {.layout = layout,
                                .resolver = resolver_new(),
                                .plan = mem_zeroed(1, sizeof(struct plan)),
                                .default_work = DEFAULT_WORK_MAX};
    enum status status = STATUS_OK;
    if (layout) {
        compiler.plan->own = layout->own;
        compiler.plan->own_free = layout->own_free;
        status = layout->check(writer, reader, err);
    }
    if (status == STATUS_OK && !resolver_accepts(compiler.resolver, writer, reader))
        status = resolver_why(compiler.resolver, err);
    if (status == STATUS_OK) {
        resolver_settle(compiler.resolver);
        compile(&compiler, writer, reader);
        if (compiler.too_large)
            status =
                error_set(err, STATUS_LIMIT, "the schemas make a plan of more than %d steps or %d bytes of defaults",
                          PLAN_OPS_MAX, PLAN_TEXT_BYTES_MAX);
    }
    resolver_free(compiler.resolver);
    free(compiler.routines);
    if (status == STATUS_OK)
        *out = compiler.plan;
    else
        plan_free(compiler.plan);
    return status;
}

enum status plan_compile(const struct avro_type *writer, const struct avro_type *reader, struct plan **out,
                         struct error *err)
{
    return plan_compile_layout(writer, reader, NULL, out, err);
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    free(plan->ops);
    free(plan->table);
    free(plan->routines);
    buffer_free(&plan->text);
    free(plan->symbol_lists);
    if (plan->own)
        plan->own_free(plan->own);
    free(plan->notes);
    arena_free(&plan->arena);
    free(plan);
}

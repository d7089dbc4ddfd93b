/* Writer × reader → program: see plan.h. Called at load and for each new writer schema, never per datum.
 *
 * Records become routines, compiled once per pair (or once for skipping), so recursive schemas end and shared ones do
 * not multiply. Only the event's own two records are laid out in line, field by field, into slots. */
#include <stdlib.h>

#include "base/json.h"
#include "events/plan.h"
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
    const struct schema_parts *target; /* NULL: a JSON plan */
    struct path path;
    struct routine *routines;
    size_t routine_count, routine_room;
    int32_t buckets[ROUTINE_BUCKETS];
    unsigned default_work; /* left */
    size_t label;          /* number of ops when a jump was last aimed at what follows: no merging across it */
    bool too_large;
};

static void emit_value(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                       uint32_t slot);

/* ---- ops ---- */

static uint32_t here(struct compiler *compiler)
{
    compiler->label = compiler->plan->op_count;
    return (uint32_t)compiler->plan->op_count;
}

static struct op *emit(struct compiler *compiler, enum op_code code, uint32_t a, uint32_t b)
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
    struct op *op = emit(compiler, code, a, b);
    op->to = (uint8_t)to;
    op->slot = slot;
}

/* How a writer's number tells a point in time: by Avro's logical types, or by what Kafka Connect's converters write
 * beside a type of Debezium's (which have no logical type). */
static uint32_t time_of_type(const struct avro_type *writer)
{
    static const struct {
        const char *name;
        enum avro_kind kind;
        uint32_t time;
    } known[] = {
        {"timestamp-millis", AVRO_KIND_LONG, TIME_UNIT_MS},
        {"timestamp-micros", AVRO_KIND_LONG, TIME_UNIT_US},
        {"timestamp-nanos", AVRO_KIND_LONG, TIME_UNIT_NS},
        {"local-timestamp-millis", AVRO_KIND_LONG, TIME_UNIT_MS},
        {"local-timestamp-micros", AVRO_KIND_LONG, TIME_UNIT_US},
        {"local-timestamp-nanos", AVRO_KIND_LONG, TIME_UNIT_NS},
        {"date", AVRO_KIND_INT, TIME_UNIT_DAYS},
        {"io.debezium.time.Timestamp", AVRO_KIND_LONG, TIME_UNIT_MS},
        {"io.debezium.time.MicroTimestamp", AVRO_KIND_LONG, TIME_UNIT_US},
        {"io.debezium.time.NanoTimestamp", AVRO_KIND_LONG, TIME_UNIT_NS},
        {"io.debezium.time.Date", AVRO_KIND_INT, TIME_UNIT_DAYS},
        {"", AVRO_KIND_LONG, OP_TIME_PLAIN_LONG},
    };
    const char *connect = json_string_value(json_object_get(writer->json, "connect.name"));
    const char *name = writer->logical ? writer->logical : connect ? connect : "";
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (writer->kind == known[k].kind && strcmp(name, known[k].name) == 0)
            return known[k].time;
    return OP_TIME_UNKNOWN;
}

/* Text of the JSON to be written, merged with text just before. Nothing in a row plan. */
static void emit_text(struct compiler *compiler, const char *data, size_t bytes)
{
    struct plan *plan = compiler->plan;
    if (compiler->target || bytes == 0)
        return;
    struct op *last = plan->op_count ? &plan->ops[plan->op_count - 1] : NULL;
    if (plan->text.bytes + bytes > PLAN_TEXT_BYTES_MAX) {
        compiler->too_large = true;
        return;
    }
    if (last && last->code == OP_TEXT && compiler->label != plan->op_count)
        last->b += (uint32_t)bytes;
    else
        emit(compiler, OP_TEXT, (uint32_t)plan->text.bytes, (uint32_t)bytes);
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
    struct plan *plan = compiler->plan;
    struct op *last = plan->op_count ? &plan->ops[plan->op_count - 1] : NULL;
    if (last && last->code == OP_SKIP_RAW && compiler->label != plan->op_count && last->b + bytes <= UINT32_MAX)
        last->b += (uint32_t)bytes;
    else if (bytes)
        emit(compiler, OP_SKIP_RAW, 0, (uint32_t)bytes);
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

/* ---- routines ---- */

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

/* ---- what is said of a datum that has no image in the reader ---- */

static void path_push(struct compiler *compiler, const char *step)
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
        emit(compiler, OP_UNRESOLVABLE, NO_NOTE, 0);
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
    emit(compiler, OP_UNRESOLVABLE, (uint32_t)plan->note_count++, 0);
    buffer_free(&text);
}

/* ---- branches and blocks: the same whether read or skipped (reader NULL) ---- */

static void emit_branches(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                          uint32_t slot)
{
    size_t count = writer->branch_count, first = table_take(compiler, count);
    uint32_t *ends = mem_zeroed(count, sizeof *ends);
    emit(compiler, OP_BRANCH, (uint32_t)first, (uint32_t)count);
    for (size_t b = 0; b < count; b++) {
        const struct avro_type *branch = writer->branches[b];
        const struct avro_type *seen_as = reader;
        compiler->plan->table[first + b] = (int32_t)here(compiler);
        if (reader && !resolver_accepts(compiler->resolver, branch, reader)) {
            emit_unresolvable(compiler, branch, reader);
            seen_as = NULL;
        }
        emit_value(compiler, branch, seen_as, slot);
        ends[b] = (uint32_t)compiler->plan->op_count;
        emit(compiler, OP_JUMP, 0, 0);
    }
    uint32_t end = here(compiler);
    for (size_t b = 0; b < count && !compiler->too_large; b++)
        compiler->plan->ops[ends[b]].a = end;
    free(ends);
}

static void emit_blocks(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader)
{
    bool is_map = writer->kind == AVRO_KIND_MAP;
    if (reader)
        emit_text(compiler, is_map ? "{" : "[", 1);
    emit(compiler, OP_BLOCKS, 0, 0);
    uint32_t loop = here(compiler); /* the index of the op that comes next */
    struct op *next = emit(compiler, OP_NEXT, 0, writer->items->min_bytes + is_map);
    next->to = reader != NULL; /* whether commas are due */
    if (is_map)
        emit(compiler, reader && !compiler->target ? OP_KEY : OP_SKIP_LENGTH, 0, 0);
    emit_value(compiler, writer->items, reader ? reader->items : NULL, SLOT_NONE);
    emit(compiler, OP_JUMP, loop, 0);
    if (!compiler->too_large)
        compiler->plan->ops[loop].a = here(compiler);
    (void)here(compiler);
    if (reader)
        emit_text(compiler, is_map ? "}" : "]", 1);
}

static void emit_skip(struct compiler *compiler, const struct avro_type *writer)
{
    switch (writer->kind) {
    case AVRO_KIND_NULL:
        break;
    case AVRO_KIND_BOOLEAN:
        emit(compiler, OP_SKIP_BOOL, 0, 0);
        break;
    case AVRO_KIND_INT:
        emit(compiler, OP_SKIP_INT, 0, 0);
        break;
    case AVRO_KIND_LONG:
        emit(compiler, OP_SKIP_LONG, 0, 0);
        break;
    case AVRO_KIND_FLOAT:
        emit_raw(compiler, sizeof(float));
        break;
    case AVRO_KIND_DOUBLE:
        emit_raw(compiler, sizeof(double));
        break;
    case AVRO_KIND_BYTES:
    case AVRO_KIND_STRING:
        emit(compiler, OP_SKIP_LENGTH, 0, 0);
        break;
    case AVRO_KIND_FIXED:
        emit_raw(compiler, writer->fixed_bytes);
        break;
    case AVRO_KIND_ENUM:
        emit(compiler, OP_SKIP_SYMBOL, 0, (uint32_t)writer->symbol_count);
        break;
    case AVRO_KIND_RECORD:
        emit(compiler, OP_CALL, routine_of(compiler, writer, NULL), 0);
        break;
    case AVRO_KIND_ARRAY:
    case AVRO_KIND_MAP:
        emit_blocks(compiler, writer, NULL);
        break;
    case AVRO_KIND_UNION:
        emit_branches(compiler, writer, NULL, SLOT_NONE);
        break;
    }
}

/* ---- values ---- */

static void emit_symbol(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                        uint32_t slot)
{
    struct plan *plan = compiler->plan;
    size_t first = table_take(compiler, writer->symbol_count);
    resolve_symbols(writer, reader, plan->table + first);
    if (!compiler->target) {
        slot = (uint32_t)plan->symbol_list_count++;
        plan->symbol_lists = mem_resize(plan->symbol_lists, plan->symbol_list_count, sizeof *plan->symbol_lists);
        plan->symbol_lists[slot] = reader->symbols;
    }
    struct op *op = emit(compiler, OP_VALUE_SYMBOL, (uint32_t)first, (uint32_t)writer->symbol_count);
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
        path_push(compiler, writer->fields[f].name);
        emit_value(compiler, writer->fields[f].type, to ? to->type : NULL, SLOT_NONE);
        compiler->path.count--;
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
    bool is_time = compiler->target && slot == ENVELOPE_OCCURRED_AT;
    if (writer->kind <= AVRO_KIND_STRING)
        emit_leaf(compiler, leaves[writer->kind], reader->kind, slot, is_time ? time_of_type(writer) : 0, 0);
    else if (writer->kind == AVRO_KIND_FIXED)
        emit_leaf(compiler, OP_VALUE_FIXED, AVRO_KIND_FIXED, slot, 0, (uint32_t)writer->fixed_bytes);
    else if (writer->kind == AVRO_KIND_ENUM)
        emit_symbol(compiler, writer, reader, slot);
    else if (writer->kind == AVRO_KIND_RECORD)
        emit(compiler, OP_CALL, routine_of(compiler, writer, reader), 0);
    else
        emit_blocks(compiler, writer, reader);
}

/* The reader accepts the writer here, or is NULL: then the value is skipped. */
static void emit_value(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
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

/* ---- rows: the event's envelope and its attributes ---- */

static int column_type_of(enum avro_kind kind) /* -1: none */
{
    static const int8_t types[] = {
        [AVRO_KIND_NULL] = -1,          [AVRO_KIND_BOOLEAN] = -1,         [AVRO_KIND_INT] = COLUMN_INT,
        [AVRO_KIND_LONG] = COLUMN_LONG, [AVRO_KIND_FLOAT] = COLUMN_FLOAT, [AVRO_KIND_DOUBLE] = COLUMN_DOUBLE,
        [AVRO_KIND_BYTES] = -1,         [AVRO_KIND_STRING] = COLUMN_TEXT};
    return kind <= AVRO_KIND_STRING ? types[kind] : -1;
}

/* Whether a column can be read straight from the writer's bytes: a scalar, or one and null, that needs no rounding. */
static bool reader_fits(const struct schema_parts *target, const struct avro_type *writer, uint32_t column,
                        struct column_reader *out)
{
    const struct column_reader *own = &target->readers[column];
    *out = *own;
    out->null_branch = NULL_BRANCH_NONE;
    if (writer->kind == AVRO_KIND_UNION) {
        if (writer->branch_count != 2 || own->null_branch == NULL_BRANCH_NONE)
            return false;
        out->null_branch = writer->branches[1]->kind == AVRO_KIND_NULL;
        if (writer->branches[out->null_branch]->kind != AVRO_KIND_NULL)
            return false;
        writer = writer->branches[out->null_branch ^ 1];
    }
    int type = column_type_of(writer->kind);
    if (type < 0 || (type != own->type && (type > own->type || own->type == COLUMN_FLOAT || own->type == COLUMN_TEXT)))
        return false;
    out->type = (uint8_t)type;
    return true;
}

static void emit_column(struct compiler *compiler, const struct column_reader *reader)
{
    struct plan *plan = compiler->plan;
    struct op *last = plan->op_count ? &plan->ops[plan->op_count - 1] : NULL;
    plan->readers = mem_grow(plan->readers, &plan->reader_room, plan->reader_count + 1, sizeof *plan->readers);
    plan->readers[plan->reader_count++] = *reader;
    if (last && last->code == OP_COLUMNS && compiler->label != plan->op_count)
        last->b++;
    else
        emit(compiler, OP_COLUMNS, (uint32_t)plan->reader_count - 1, 1);
}

/* A field that the writer lacks. The schema was checked: the default is of the field's type. */
static void emit_constant(struct compiler *compiler, const struct avro_field *field, uint32_t slot)
{
    struct plan *plan = compiler->plan;
    const json_t *json = field->value_if_absent;
    const struct avro_type *type = default_type(field->type, json);
    struct plan_constant value = {.cell = {.code = 0}};
    plan->constants = mem_resize(plan->constants, plan->constant_count + 1, sizeof *plan->constants);
    if (json_is_string(json)) {
        size_t bytes = json_string_length(json);
        value.text = (struct span){arena_text(&plan->arena, json_string_value(json), bytes), bytes};
    }
    if (type->kind == AVRO_KIND_ENUM)
        while (strcmp(type->symbols[value.whole], value.text.data) != 0)
            value.whole++;
    else if (json_is_integer(json))
        value.whole = json_integer_value(json);
    if (slot >= SLOT_COLUMNS) {
        const struct column *column = &compiler->target->schema.columns[slot - SLOT_COLUMNS];
        if (type->kind == AVRO_KIND_NULL)
            value.cell = cell_missing(column);
        else if (column->kind == COLUMN_NOMINAL)
            (void)cell_of_text(compiler->target->readers[slot - SLOT_COLUMNS].categories, value.text, &value.cell);
        else if (json_is_number(json))
            value.cell = cell_of_number(type->kind == AVRO_KIND_FLOAT ? (float)json_number_value(json)
                                                                      : json_number_value(json));
        else
            value.cell = cell_of_number(NAN); /* "NaN", "Infinity": not finite either way */
    }
    plan->constants[plan->constant_count] = value;
    emit(compiler, OP_CONSTANT, (uint32_t)plan->constant_count++, 0)->slot = slot;
}

static bool readers_are_canonical(const struct compiler *compiler, const struct op *op)
{
    const struct schema_parts *target = compiler->target;
    if (op->code != OP_COLUMNS || op->b != target->schema.column_count)
        return false;
    for (uint32_t c = 0; c < op->b; c++) {
        const struct column_reader *mine = &compiler->plan->readers[op->a + c], *own = &target->readers[c];
        if (mine->column != c || mine->type != own->type || mine->null_branch != own->null_branch)
            return false;
    }
    return true;
}

/* `first_slot`: that of the reader's first field. The envelope's last field is the attributes record. */
static void emit_row(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                     uint32_t first_slot)
{
    int32_t *reader_of = mem_zeroed(writer->field_count, sizeof *reader_of);
    bool *filled = mem_zeroed(reader->field_count, sizeof *filled);
    resolve_fields(writer, reader, reader_of, filled);
    size_t start = here(compiler);
    for (size_t f = 0; f < writer->field_count; f++) {
        const struct avro_type *from = writer->fields[f].type;
        const struct avro_field *to = reader_of[f] == FIELD_UNREAD ? NULL : &reader->fields[reader_of[f]];
        uint32_t slot = to ? first_slot + (uint32_t)reader_of[f] : SLOT_NONE;
        struct column_reader column;
        path_push(compiler, writer->fields[f].name);
        if (to && to->type == compiler->target->attributes && from->kind == AVRO_KIND_RECORD)
            emit_row(compiler, from, to->type, SLOT_COLUMNS);
        else if (to && first_slot == SLOT_COLUMNS &&
                 reader_fits(compiler->target, from, (uint32_t)reader_of[f], &column))
            emit_column(compiler, &column);
        else
            emit_value(compiler, from, to ? to->type : NULL, slot);
        compiler->path.count--;
    }
    if (first_slot == SLOT_COLUMNS && compiler->plan->op_count == start + 1)
        compiler->plan->ops[start].to = readers_are_canonical(compiler, &compiler->plan->ops[start]);
    for (size_t f = 0; f < reader->field_count; f++)
        if (!filled[f])
            emit_constant(compiler, &reader->fields[f], first_slot + (uint32_t)f);
    free(reader_of);
    free(filled);
}

/* ---- the whole ---- */

static void emit_routines(struct compiler *compiler)
{
    struct plan *plan = compiler->plan;
    for (size_t r = 0; r < compiler->routine_count && !compiler->too_large; r++) {
        struct routine routine = compiler->routines[r]; /* the list may move */
        plan->routines = mem_resize(plan->routines, r + 1, sizeof *plan->routines);
        plan->routines[r] = here(compiler);
        compiler->path = routine.path;
        if (routine.reader) {
            emit_fields(compiler, routine.writer, routine.reader);
        } else {
            for (size_t f = 0; f < routine.writer->field_count; f++)
                emit_value(compiler, routine.writer->fields[f].type, NULL, SLOT_NONE);
        }
        emit(compiler, OP_RETURN, 0, 0);
    }
    plan->routine_count = compiler->routine_count;
}

static enum status check_target(const struct avro_type *writer, const struct avro_type *reader,
                                const struct schema_parts *target, struct error *err)
{
    if (!target)
        return STATUS_OK;
    if (writer->kind != AVRO_KIND_RECORD)
        return error_set(err, STATUS_UNSUPPORTED, "an event is written as a record, not as %s", writer->name);
    int32_t *reader_of = mem_zeroed(writer->field_count, sizeof *reader_of);
    bool *filled = mem_zeroed(reader->field_count, sizeof *filled);
    resolve_fields(writer, reader, reader_of, filled);
    bool fine = filled[ENVELOPE_COUNT];
    for (size_t f = 0; f < writer->field_count; f++)
        if (reader_of[f] == ENVELOPE_COUNT)
            fine = writer->fields[f].type->kind == AVRO_KIND_RECORD;
    free(reader_of);
    free(filled);
    return fine ? STATUS_OK
                : error_set(err, STATUS_UNSUPPORTED,
                            "an event's attributes are written as a record, never null or absent");
}

static void compile(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader)
{
    memset(compiler->buckets, 0xff, sizeof compiler->buckets);
    if (compiler->target)
        emit_row(compiler, writer, reader, 0);
    else
        emit_value(compiler, writer, reader, SLOT_NONE);
    emit(compiler, OP_END, 0, 0);
    emit_routines(compiler);
}

enum status plan_compile(const struct avro_type *writer, const struct avro_type *reader,
                         const struct schema_parts *target, struct plan **out, struct error *err)
{
    struct compiler compiler = {.target = target,
                                .resolver = resolver_new(),
                                .plan = mem_zeroed(1, sizeof(struct plan)),
                                .default_work = DEFAULT_WORK_MAX};
    compiler.plan->target = target;
    enum status status = check_target(writer, reader, target, err);
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

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    free(plan->ops);
    free(plan->table);
    free(plan->routines);
    buffer_free(&plan->text);
    free(plan->symbol_lists);
    free(plan->readers);
    free(plan->constants);
    free(plan->notes);
    arena_free(&plan->arena);
    free(plan);
}

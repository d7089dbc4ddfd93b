/* Lays out the event's row: see row_plan.h. The envelope and the attributes stand in line, field by field, into slots;
 * runs of columns that need no conversion become one op. Called at load and for each new writer schema, never per
 * datum. */
#include "events/row_plan.h"

#include <stdlib.h>

#include "avro/defaults.h"
#include "avro/resolve.h"
#include "avro/plan_emit.h"

static struct row_parts *row_of(struct compiler *compiler)
{
    return plan_under_way(compiler)->own;
}

/* How a writer's number gives a point in time: by Avro's logical types, or by what Kafka Connect's converters write
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
        {"", AVRO_KIND_LONG, ROW_TIME_PLAIN_LONG},
    };
    const char *connect = json_string_value(json_object_get(writer->json, "connect.name"));
    const char *name = writer->logical ? writer->logical : connect ? connect : "";
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (writer->kind == known[k].kind && strcmp(name, known[k].name) == 0)
            return known[k].time;
    return ROW_TIME_UNKNOWN;
}

static uint32_t row_note(const struct avro_type *writer, uint32_t slot)
{
    return slot == ENVELOPE_OCCURRED_AT ? time_of_type(writer) : 0;
}

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
    column_reader_set_null(out, NULL_BRANCH_NONE);
    if (writer->kind == AVRO_KIND_UNION) {
        if (writer->branch_count != 2 || own->null_branch == NULL_BRANCH_NONE)
            return false;
        column_reader_set_null(out, writer->branches[1]->kind == AVRO_KIND_NULL);
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
    struct row_parts *row = row_of(compiler);
    struct op *last = plan_last_op(compiler);
    row->readers = mem_grow(row->readers, &row->reader_room, row->reader_count + 1, sizeof *row->readers);
    row->readers[row->reader_count++] = *reader;
    if (last && last->code == OP_COLUMNS)
        last->b++;
    else
        plan_emit(compiler, OP_COLUMNS, (uint32_t)row->reader_count - 1, 1);
}

static struct cell cell_of_default(const struct schema_parts *target, uint32_t c, const struct avro_type *type,
                                   const json_t *json, struct span text)
{
    const struct column *column = &target->schema.columns[c];
    struct cell cell = cell_of_number(NAN); /* "NaN", "Infinity": not finite either way */
    if (type->kind == AVRO_KIND_NULL)
        return cell_missing(column);
    if (column->kind == COLUMN_NOMINAL)
        (void)cell_of_text(target->readers[c].categories, text, &cell);
    else if (json_is_number(json))
        cell = cell_of_number(type->kind == AVRO_KIND_FLOAT ? (float)json_number_value(json) : json_number_value(json));
    return cell;
}

/* A field that the writer lacks. The schema was checked: the default is of the field's type. */
static void emit_constant(struct compiler *compiler, const struct avro_field *field, uint32_t slot)
{
    struct row_parts *row = row_of(compiler);
    const json_t *json = field->value_if_absent;
    const struct avro_type *type = default_type(field->type, json);
    struct row_constant value = {.cell = {.code = 0}};
    row->constants = mem_resize(row->constants, row->constant_count + 1, sizeof *row->constants);
    if (json_is_string(json)) {
        size_t bytes = json_string_length(json);
        value.text = (struct span){arena_text(&plan_under_way(compiler)->arena, json_string_value(json), bytes), bytes};
    }
    if (type->kind == AVRO_KIND_ENUM)
        while (strcmp(type->symbols[value.whole], value.text.data) != 0)
            value.whole++;
    else if (json_is_integer(json))
        value.whole = json_integer_value(json);
    if (slot >= SLOT_COLUMNS)
        value.cell = cell_of_default(row->target, slot - SLOT_COLUMNS, type, json, value.text);
    row->constants[row->constant_count] = value;
    plan_emit(compiler, OP_CONSTANT, (uint32_t)row->constant_count++, 0)->slot = slot;
}

static bool readers_are_canonical(const struct row_parts *row, const struct op *op)
{
    const struct schema_parts *target = row->target;
    if (op->code != OP_COLUMNS || op->b != target->schema.column_count)
        return false;
    for (uint32_t c = 0; c < op->b; c++) {
        const struct column_reader *mine = &row->readers[op->a + c], *own = &target->readers[c];
        if (mine->column != c || mine->type != own->type || mine->null_branch != own->null_branch)
            return false;
    }
    return true;
}

/* Where the reader's field goes. `first_slot`: that of its first. */
static uint32_t slot_of(const struct row_parts *row, uint32_t first_slot, size_t field)
{
    bool is_changed = first_slot != SLOT_COLUMNS && row->target->has_changed && field == ENVELOPE_COUNT;
    return is_changed ? SLOT_CHANGED : first_slot + (uint32_t)field;
}

/* `first_slot`: that of the reader's first field. The envelope's last field is the attributes record. */
static void emit_row(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                     uint32_t first_slot)
{
    const struct row_parts *row = row_of(compiler);
    struct plan *plan = plan_under_way(compiler);
    int32_t *reader_of = mem_zeroed(writer->field_count, sizeof *reader_of);
    bool *filled = mem_zeroed(reader->field_count, sizeof *filled);
    resolve_fields(writer, reader, reader_of, filled);
    size_t start = plan_here(compiler);
    for (size_t f = 0; f < writer->field_count; f++) {
        const struct avro_type *from = writer->fields[f].type;
        const struct avro_field *to = reader_of[f] == FIELD_UNREAD ? NULL : &reader->fields[reader_of[f]];
        uint32_t slot = to ? slot_of(row, first_slot, (size_t)reader_of[f]) : SLOT_NONE;
        struct column_reader column;
        plan_path_push(compiler, writer->fields[f].name);
        if (to && to->type == row->target->attributes && from->kind == AVRO_KIND_RECORD)
            emit_row(compiler, from, to->type, SLOT_COLUMNS);
        else if (to && first_slot == SLOT_COLUMNS && reader_fits(row->target, from, (uint32_t)reader_of[f], &column))
            emit_column(compiler, &column);
        else
            plan_emit_value(compiler, from, to ? to->type : NULL, slot);
        plan_path_pop(compiler);
    }
    if (first_slot == SLOT_COLUMNS && plan->op_count == start + 1)
        plan->ops[start].to = readers_are_canonical(row, &plan->ops[start]);
    for (size_t f = 0; f < reader->field_count; f++)
        if (!filled[f] && slot_of(row, first_slot, f) != SLOT_CHANGED) /* absent: nothing is listed */
            emit_constant(compiler, &reader->fields[f], slot_of(row, first_slot, f));
    free(reader_of);
    free(filled);
}

static enum status row_check(const struct avro_type *writer, const struct avro_type *reader, struct error *err)
{
    if (writer->kind != AVRO_KIND_RECORD)
        return error_set(err, STATUS_UNSUPPORTED, "an event is written as a record, not as %s", writer->name);
    int32_t *reader_of = mem_zeroed(writer->field_count, sizeof *reader_of);
    bool *filled = mem_zeroed(reader->field_count, sizeof *filled);
    resolve_fields(writer, reader, reader_of, filled);
    size_t attributes = reader->field_count - 1;
    bool fine = filled[attributes];
    for (size_t f = 0; f < writer->field_count; f++)
        if (reader_of[f] == (int32_t)attributes)
            fine = writer->fields[f].type->kind == AVRO_KIND_RECORD;
    free(reader_of);
    free(filled);
    return fine ? STATUS_OK
                : error_set(err, STATUS_UNSUPPORTED,
                            "an event's attributes are written as a record, never null or absent");
}

static void row_emit(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader)
{
    emit_row(compiler, writer, reader, 0);
}

static void row_free(void *own)
{
    struct row_parts *row = own;
    free(row->readers);
    free(row->constants);
    free(row);
}

enum status row_plan_compile(const struct avro_type *writer, const struct schema_parts *target, struct plan **out,
                             struct error *err)
{
    struct row_parts *row = mem_zeroed(1, sizeof *row);
    row->target = target;
    const struct plan_layout layout = {row, row_free, row_check, row_emit, row_note};
    return plan_compile_layout(writer, target->schema.event, &layout, out, err);
}

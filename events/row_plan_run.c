/* Runs a row plan: bytes into the envelope's slots and the columns' cells. The score loops' hot path, on their threads.
 * Must not allocate, and must not read beyond the datum. */
#include "events/row_plan.h"

#include "events/fault.h"
#include "events/identity.h"
#include "avro/plan_machine.h"

static int64_t time_of(enum time_unit plain, const struct op *op, int64_t number)
{
    uint32_t unit = op->a < ROW_TIME_PLAIN_LONG ? op->a : plain;
    if (unit == TIME_UNIT_NONE && op->a == ROW_TIME_PLAIN_LONG)
        unit = TIME_UNIT_MS;
    return unit == TIME_UNIT_NONE ? OCCURRED_AT_NO_UNIT : time_unit_to_ms(unit, number);
}

/* A number for a column, or the envelope's occurred_at. */
static void put_number(enum time_unit unit, const struct op *op, double number, int64_t whole, struct event *out)
{
    if (op->slot >= SLOT_COLUMNS)
        out->cells[op->slot - SLOT_COLUMNS] = cell_of_number(op->to == AVRO_KIND_FLOAT ? (float)number : number);
    else if (op->a == TIME_UNIT_MS && whole != OCCURRED_AT_NO_UNIT)
        out->occurred_at_ms = whole;
    else
        out->occurred_at_ms = time_of(unit, op, whole);
}

/* A field of the envelope, of the type that its codec names. */
static void *envelope_member(struct event *out, uint32_t slot)
{
    static const size_t offsets[] = {
#define MEMBER_OFFSET(codec, id, name, member) [ENVELOPE_##id] = offsetof(struct event, member),
        EVENT_ENVELOPE(MEMBER_OFFSET)
#undef MEMBER_OFFSET
    };
    return (char *)out + offsets[slot];
}

/* --- what has changed --- */

static void changed_fail(struct row_changed *changed, int32_t column)
{
    if (changed->code == EVENT_OK)
        changed->faulty = column;
    changed->code = EVENT_UNKNOWN_FIELD;
}

static void changed_open(struct row_changed *changed, const struct schema_parts *parts)
{
    changed->listed = true;
    changed->code = EVENT_OK;
    memset(changed->columns, 0, (parts->schema.column_count + 63) / 64 * sizeof *changed->columns);
}

static void changed_add(struct row_changed *changed, const struct schema_parts *parts, struct span name)
{
    int32_t column = categories_find(&parts->column_names, name);
    if (column < 0) {
        changed_fail(changed, FAULT_CHANGED);
        return;
    }
    uint64_t bit = UINT64_C(1) << (column & 63);
    if (changed->columns[column >> 6] & bit)
        changed_fail(changed, column);
    changed->columns[column >> 6] |= bit;
}

/* Whatever the attributes hold besides is of no account. */
static void changed_apply(const struct row_changed *changed, const struct schema_parts *parts, struct event *out)
{
    out->partial = true;
    out->attributes = SPAN_NULL;
    for (size_t c = 0; c < parts->schema.column_count; c++)
        if (!(changed->columns[c >> 6] >> (c & 63) & 1))
            out->cells[c] = (struct cell){.code = CELL_UNLISTED};
}

static enum event_code changed_explain(const struct row_changed *changed, const struct schema_parts *parts,
                                       struct fault *fault)
{
    if (changed->faulty == FAULT_CHANGED)
        return fault_set_field(fault, changed->code, FAULT_CHANGED, "changed", "names no attribute of the schema");
    return fault_set_field(fault, changed->code, changed->faulty, parts->schema.columns[changed->faulty].name,
                           "a duplicate in changed");
}

/* --- values --- */

static bool put_text(struct machine *machine, const struct op *op, struct span text, const struct schema_parts *parts,
                     struct row_changed *changed, struct event *out)
{
    if (op->slot == SLOT_CHANGED && utf8_is_valid(text)) {
        changed_add(changed, parts, text);
        return true;
    }
    if (op->slot == SLOT_CHANGED)
        return machine_malformed(machine, "a string is not UTF-8");
    if (op->slot >= SLOT_COLUMNS) {
        uint32_t column = op->slot - SLOT_COLUMNS;
        return cell_of_text(parts->readers[column].categories, text, &out->cells[column]) ||
               machine_malformed(machine, "a string is not UTF-8");
    }
    if (!utf8_is_valid(text))
        return machine_malformed(machine, "a string is not UTF-8");
    *(struct span *)envelope_member(out, op->slot) = text;
    return true;
}

static bool row_plan_read_value(struct machine *machine, const struct op *op, enum time_unit unit,
                                const struct schema_parts *parts, struct row_changed *changed, struct event *out)
{
    int32_t whole;
    int64_t large = 0;
    float single;
    double number;
    struct span text;
    switch (op->code) {
    case OP_VALUE_INT:
        if (!machine_int(machine, &whole))
            return false;
        number = large = whole;
        break;
    case OP_VALUE_LONG:
        if (!machine_long(machine, &large))
            return false;
        number = op->to == AVRO_KIND_FLOAT ? (double)(float)large : (double)large;
        break;
    case OP_VALUE_FLOAT:
        if (!machine_float(machine, &single))
            return false;
        number = single;
        break;
    case OP_VALUE_DOUBLE:
        if (!machine_double(machine, &number))
            return false;
        break;
    default:
        return machine_bytes(machine, &text) && put_text(machine, op, text, parts, changed, out);
    }
    put_number(unit, op, number, large, out);
    return true;
}

static bool symbol_read(struct machine *machine, const struct op *op, struct event *out)
{
    uint32_t index;
    if (!machine_symbol(machine, op, &index))
        return false;
    out->type = machine->plan->table[op->a + index];
    machine->unresolvable |= out->type < 0;
    return true;
}

static bool columns_run(struct machine *machine, const struct op *op, const struct row_parts *row, struct event *out)
{
    const char *start = (const char *)machine->in.at;
    bool padded = false;
    if (!columns_read(row->readers + op->a, op->b, &machine->in, out->cells, &padded))
        return machine_malformed(machine, "an attribute's value is cut off or no value of its type");
    if (op->to && !padded)
        out->attributes = (struct span){start, (size_t)((const char *)machine->in.at - start)};
    return true;
}

#define CONSTANT_text(constant) (constant)->text
#define CONSTANT_event_type(constant) (int32_t)(constant)->whole
#define CONSTANT_time_ms(constant) (constant)->whole

static void put_constant(const struct row_parts *row, const struct op *op, struct event *out)
{
    const struct row_constant *constant = &row->constants[op->a];
    switch (op->slot) {
#define PUT_CONSTANT(codec, id, name, member) \
    case ENVELOPE_##id: \
        out->member = CONSTANT_##codec(constant); \
        break;
        EVENT_ENVELOPE(PUT_CONSTANT)
#undef PUT_CONSTANT
    default:
        out->cells[op->slot - SLOT_COLUMNS] = constant->cell;
    }
}

static void put_null(const struct row_parts *row, const struct op *op, struct event *out)
{
    if (op->slot != SLOT_CHANGED)
        out->cells[op->slot - SLOT_COLUMNS] = cell_missing(&row->target->schema.columns[op->slot - SLOT_COLUMNS]);
}

static bool row_machine_run(struct machine *machine, const struct row_parts *row, enum time_unit unit,
                            struct row_changed *changed, struct event *out)
{
    for (;;) {
        const struct op *op = &machine->plan->ops[machine->pc++];
        bool fine = true;
        switch (op->code) {
        case OP_END:
            return true;
        case OP_COLUMNS:
            fine = columns_run(machine, op, row, out);
            break;
        case OP_VALUE_BYTES:
        case OP_VALUE_INT:
        case OP_VALUE_LONG:
        case OP_VALUE_FLOAT:
        case OP_VALUE_DOUBLE:
            fine = row_plan_read_value(machine, op, unit, row->target, changed, out);
            break;
        case OP_VALUE_SYMBOL:
            fine = symbol_read(machine, op, out);
            break;
        case OP_VALUE_NULL:
            put_null(row, op, out);
            break;
        case OP_BLOCKS:
            if (op->slot == SLOT_CHANGED)
                changed_open(changed, row->target);
            fine = machine_step(machine, op);
            break;
        case OP_CONSTANT:
            put_constant(row, op, out);
            break;
        default:
            fine = machine_step(machine, op);
        }
        if (!fine)
            return false;
    }
}

enum event_code row_plan_run(const struct plan *plan, struct machine *machine, enum time_unit unit,
                             struct row_changed *changed, struct span datum, struct event *out, struct fault *fault)
{
    const struct row_parts *row = plan->own;
    struct datum_fault why;
    machine_start(machine, plan, datum);
    out->attributes = SPAN_NULL;
    out->partial = changed->listed = false;
    bool ended = row_machine_run(machine, row, unit, changed, out);
    if (!ended || cursor_left(&machine->in) || machine->unresolvable || machine->too_deep) {
        (void)machine_result(machine, ended, datum, &why);
        return fault_set_datum(fault, &why);
    }
    if (!changed->listed)
        return EVENT_OK;
    if (changed->code != EVENT_OK)
        return changed_explain(changed, row->target, fault);
    changed_apply(changed, row->target, out);
    return EVENT_OK;
}

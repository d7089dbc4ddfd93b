/* Runs a JSON plan: bytes into Avro's JSON encoding, doubles in full. `scorer decode`, on the main thread. */
#include "base/json.h"
#include "avro/json.h"
#include "avro/plan_machine.h"

enum { JSON_BYTES_MAX = 256 * 1024 * 1024 };

static void json_plan_add_number(const struct op *op, int64_t whole, struct buffer *out)
{
    if (op->to == AVRO_KIND_FLOAT)
        avro_json_double(out, (float)whole); /* rounded once */
    else if (op->to == AVRO_KIND_DOUBLE)
        avro_json_double(out, (double)whole);
    else
        json_add_int(out, whole);
}

static bool number_run(struct machine *machine, const struct op *op, struct buffer *out)
{
    int32_t whole;
    int64_t large;
    float single;
    double number;
    switch (op->code) {
    case OP_VALUE_INT:
        if (!machine_int(machine, &whole))
            return false;
        json_plan_add_number(op, whole, out);
        return true;
    case OP_VALUE_LONG:
        if (!machine_long(machine, &large))
            return false;
        json_plan_add_number(op, large, out);
        return true;
    case OP_VALUE_FLOAT:
        if (!machine_float(machine, &single))
            return false;
        avro_json_double(out, single);
        return true;
    default:
        if (!machine_double(machine, &number))
            return false;
        avro_json_double(out, number);
        return true;
    }
}

static bool bytes_run(struct machine *machine, const struct op *op, struct buffer *out)
{
    struct span raw;
    if (op->code == OP_VALUE_FIXED ? !machine_raw(machine, op->b, &raw) : !machine_bytes(machine, &raw))
        return false;
    if (op->code == OP_KEY || op->to == AVRO_KIND_STRING) {
        if (!utf8_is_valid(raw))
            return machine_malformed(machine, "a string is not UTF-8");
        json_add_text(out, raw);
    } else {
        avro_json_raw(out, raw);
    }
    if (op->code == OP_KEY)
        buffer_add_u8(out, ':');
    return true;
}

static bool symbol_run(struct machine *machine, const struct op *op, struct buffer *out)
{
    uint32_t index;
    if (!machine_symbol(machine, op, &index))
        return false;
    int32_t symbol = machine->plan->table[op->a + index];
    if (symbol < 0)
        machine->unresolvable = true;
    else
        json_add_text(out, span_of(machine->plan->symbol_lists[op->slot][symbol]));
    return true;
}

static bool bool_run(struct machine *machine, struct buffer *out)
{
    bool truth;
    if (!machine_bool(machine, &truth))
        return false;
    buffer_add_text(out, truth ? "true" : "false");
    return true;
}

static bool next_run(struct machine *machine, const struct op *op, struct buffer *out)
{
    bool more, comma;
    if (!machine_next(machine, op, &more, &comma))
        return false;
    if (more && comma && op->to)
        buffer_add_u8(out, ',');
    return true;
}

static bool op_run(struct machine *machine, const struct op *op, struct buffer *out)
{
    switch (op->code) {
    case OP_TEXT:
        buffer_add(out, machine->plan->text.data + op->a, op->b);
        return true;
    case OP_VALUE_NULL:
        buffer_add_text(out, "null");
        return true;
    case OP_VALUE_BOOL:
        return bool_run(machine, out);
    case OP_VALUE_INT:
    case OP_VALUE_LONG:
    case OP_VALUE_FLOAT:
    case OP_VALUE_DOUBLE:
        return number_run(machine, op, out);
    case OP_KEY:
    case OP_VALUE_BYTES:
    case OP_VALUE_FIXED:
        return bytes_run(machine, op, out);
    case OP_VALUE_SYMBOL:
        return symbol_run(machine, op, out);
    case OP_NEXT:
        return next_run(machine, op, out);
    default:
        return machine_step(machine, op);
    }
}

static bool json_plan_run(struct machine *machine, struct buffer *out)
{
    size_t limit = out->bytes + JSON_BYTES_MAX;
    for (;;) {
        const struct op *op = &machine->plan->ops[machine->pc++];
        if (op->code == OP_END)
            return true;
        if (!op_run(machine, op, out))
            return false;
        if (out->bytes > limit)
            return machine_fail(machine, DATUM_LIMIT, "its JSON form is larger than 256 MiB");
    }
}

enum datum_code plan_run_json(const struct plan *plan, struct machine *machine, struct span datum, struct buffer *out,
                              struct datum_fault *fault)
{
    machine_start(machine, plan, datum);
    bool ended = json_plan_run(machine, out);
    return machine_result(machine, ended, datum, fault);
}

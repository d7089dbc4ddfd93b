/* Steering and skipping, and the result of a datum: see plan_machine.h. On the thread that decodes; no allocation.
 * Everything here reads bytes from anybody. */
#include "avro/plan_machine.h"

#include <stdarg.h>
#include <stdlib.h>

struct machine *machine_new(void)
{
    return mem_zeroed(1, sizeof(struct machine));
}

void machine_free(struct machine *machine)
{
    free(machine);
}

static bool spend(struct machine *machine)
{
    return machine->work-- > 0 || machine_fail(machine, DATUM_LIMIT, "more records and items than its bytes warrant");
}

static struct frame *frame_push(struct machine *machine)
{
    if (machine->frame_count == PLAN_FRAMES_MAX) {
        (void)machine_fail(machine, DATUM_LIMIT, "nested too deep");
        return NULL;
    }
    struct frame *frame = &machine->frames[machine->frame_count++];
    *frame = (struct frame){0};
    return frame;
}

static bool call(struct machine *machine, const struct op *op)
{
    struct frame *frame = frame_push(machine);
    if (!frame || !spend(machine))
        return false;
    machine->too_deep |= ++machine->call_count > PLAN_CALLS_MAX;
    frame->return_to = machine->pc;
    machine->pc = machine->plan->routines[op->a];
    return true;
}

static bool branch(struct machine *machine, const struct op *op)
{
    uint32_t index;
    if (!avro_read_branch(&machine->in, op->b, &index, &machine->padded))
        return machine_malformed(machine, "a union's branch is cut off or does not exist");
    machine->pc = (uint32_t)machine->plan->table[op->a + index];
    return true;
}

/* Items of no bytes cannot be checked against the bytes left, so a datum gets a number of them. */
static bool block_fits(struct machine *machine, uint64_t items, uint32_t min_bytes)
{
    if (min_bytes)
        return items <= cursor_left(&machine->in) / min_bytes;
    if (items > PLAN_EMPTY_ITEMS_MAX - machine->empty_items)
        return false;
    machine->empty_items += (uint32_t)items;
    return true;
}

static bool block_open(struct machine *machine, struct frame *frame, uint32_t min_bytes)
{
    int64_t items, bytes;
    if (frame->block_end && frame->block_end != machine->in.at)
        return machine_malformed(machine, "a block's size does not fit its items");
    frame->block_end = NULL;
    if (!avro_read_long(&machine->in, &items, &machine->padded) || items == INT64_MIN)
        return machine_malformed(machine, "a block's count is cut off or impossible");
    if (items < 0) {
        items = -items;
        if (!avro_read_long(&machine->in, &bytes, &machine->padded) || bytes < 0 ||
            (uint64_t)bytes > cursor_left(&machine->in))
            return machine_malformed(machine, "a block's size is negative or past the end");
        frame->block_end = machine->in.at + bytes;
    }
    if (!block_fits(machine, (uint64_t)items, min_bytes))
        return machine_malformed(machine, "a block claims more items than the bytes can hold");
    frame->items = (uint64_t)items;
    return true;
}

bool machine_next(struct machine *machine, const struct op *op, bool *more, bool *comma)
{
    struct frame *frame = &machine->frames[machine->frame_count - 1];
    if (frame->items == 0 && !block_open(machine, frame, op->b))
        return false;
    *more = frame->items > 0;
    *comma = frame->begun;
    if (!*more) {
        machine->frame_count--;
        machine->pc = op->a;
        return true;
    }
    frame->items--;
    frame->begun = true;
    return spend(machine);
}

static bool skip(struct machine *machine, const struct op *op)
{
    struct span raw;
    int32_t whole;
    int64_t large;
    uint32_t index;
    bool truth;
    switch (op->code) {
    case OP_SKIP_RAW:
        return machine_raw(machine, op->b, &raw);
    case OP_SKIP_INT:
        return machine_int(machine, &whole);
    case OP_SKIP_LONG:
        return machine_long(machine, &large);
    case OP_SKIP_LENGTH:
        return machine_bytes(machine, &raw);
    case OP_SKIP_BOOL:
        return machine_bool(machine, &truth);
    default:
        return machine_symbol(machine, op, &index);
    }
}

bool machine_step(struct machine *machine, const struct op *op)
{
    bool more, comma;
    switch (op->code) {
    case OP_JUMP:
        machine->pc = op->a;
        return true;
    case OP_CALL:
        return call(machine, op);
    case OP_RETURN:
        machine->call_count--;
        machine->pc = machine->frames[--machine->frame_count].return_to;
        return true;
    case OP_BRANCH:
        return branch(machine, op);
    case OP_UNRESOLVABLE:
        if (!machine->unresolvable && op->a != NO_NOTE)
            machine->note = machine->plan->notes[op->a];
        machine->unresolvable = true;
        return true;
    case OP_BLOCKS:
        return frame_push(machine) != NULL;
    case OP_NEXT:
        return machine_next(machine, op, &more, &comma);
    default:
        return skip(machine, op);
    }
}

static PRINTF_LIKE(3, 4) enum datum_code
    fault_print(struct datum_fault *fault, enum datum_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_vprint(fault->text, sizeof fault->text, format, args);
    va_end(args);
    return fault->code = code;
}

enum datum_code machine_result(struct machine *machine, bool ended, struct span datum, struct datum_fault *fault)
{
    if (ended && cursor_left(&machine->in) > 0)
        ended = machine_malformed(machine, "bytes are left over");
    if (ended && machine->too_deep)
        ended = machine_fail(machine, DATUM_LIMIT, "nested too deep");
    if (!ended)
        return fault_print(fault, machine->code, "%s, near byte %zu of %zu", machine->why,
                           (size_t)((const char *)machine->in.at - (datum.data ? datum.data : "")), datum.bytes);
    if (machine->unresolvable)
        return fault_print(fault, DATUM_UNRESOLVABLE, "%s",
                           machine->note
                               ? machine->note
                               : "takes a union branch or an enum symbol that the reader's schema has no place for");
    return DATUM_OK;
}

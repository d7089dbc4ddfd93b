/* What the executors of plans share: the working state, and the ops that steer and skip. */
#pragma once

#include "avro/read.h"
#include "avro/plan.h"

/* A call (where to return to) or an open array or map (how far it is). */
struct frame {
    uint64_t items;           /* left in this block */
    const uint8_t *block_end; /* of a sized block, else NULL */
    uint32_t return_to;
    bool begun; /* an item was given out: a comma is due */
};

struct machine {
    const struct plan *plan;
    struct cursor in;
    uint32_t pc;
    uint32_t frame_count, call_count;
    uint32_t empty_items;
    uint64_t work; /* calls and items that may still be made */
    bool padded, unresolvable, too_deep;
    enum datum_code code; /* why the run failed */
    const char *why;
    const char *note;                     /* why the datum is unresolvable; NULL: no more is known */
    struct frame frames[PLAN_FRAMES_MAX]; /* last: only pages that were needed are ever touched */
};

enum { WORK_BASE = 1 << 16, WORK_PER_BYTE = 256 };

static inline void machine_start(struct machine *machine, const struct plan *plan, struct span datum)
{
    machine->plan = plan;
    machine->in = cursor_of(datum);
    machine->pc = 0;
    machine->frame_count = machine->call_count = 0;
    machine->empty_items = 0;
    machine->work = WORK_BASE + (uint64_t)datum.bytes * WORK_PER_BYTE;
    machine->padded = machine->unresolvable = machine->too_deep = false;
    machine->code = DATUM_OK;
    machine->why = machine->note = NULL;
}

static inline bool machine_fail(struct machine *machine, enum datum_code code, const char *why)
{
    machine->code = code;
    machine->why = why;
    return false;
}

static inline bool machine_malformed(struct machine *machine, const char *why)
{
    return machine_fail(machine, DATUM_MALFORMED, why);
}

/* --- the datum's next value, or failure with the reason --- */

static inline bool machine_bool(struct machine *machine, bool *out)
{
    return avro_read_bool(&machine->in, out) || machine_malformed(machine, "a boolean is cut off, or neither 0 nor 1");
}

static inline bool machine_int(struct machine *machine, int32_t *out)
{
    return avro_read_int(&machine->in, out, &machine->padded) ||
           machine_malformed(machine, "an int is cut off or too large");
}

static inline bool machine_long(struct machine *machine, int64_t *out)
{
    return avro_read_long(&machine->in, out, &machine->padded) ||
           machine_malformed(machine, "a long is cut off or too large");
}

static inline bool machine_float(struct machine *machine, float *out)
{
    return avro_read_float(&machine->in, out) || machine_malformed(machine, "a float is cut off");
}

static inline bool machine_double(struct machine *machine, double *out)
{
    return avro_read_double(&machine->in, out) || machine_malformed(machine, "a double is cut off");
}

static inline bool machine_raw(struct machine *machine, size_t bytes, struct span *out)
{
    return cursor_span(&machine->in, bytes, out) || machine_malformed(machine, "cut off");
}

static inline bool machine_bytes(struct machine *machine, struct span *out) /* a length and as many bytes */
{
    return avro_read_bytes(&machine->in, out, &machine->padded) ||
           machine_malformed(machine, "a length is negative or past the end");
}

static inline bool machine_symbol(struct machine *machine, const struct op *op, uint32_t *out)
{
    return avro_read_symbol(&machine->in, op->b, out, &machine->padded) ||
           machine_malformed(machine, "an enum's symbol is cut off or does not exist");
}

/* Runs an op that steers or skips. False: the run has failed. */
bool machine_step(struct machine *machine, const struct op *op);

/* OP_NEXT: *more: whether there is an item; if not, the program goes on after the array. *comma: one is due. */
bool machine_next(struct machine *machine, const struct op *op, bool *more, bool *comma);

/* After OP_END or a failure: the result, with its fault. */
enum datum_code machine_result(struct machine *machine, bool ended, struct span datum, struct datum_fault *fault);

/* Plans (plan.h) that fill events: a writer schema × our event schema → the envelope's slots and the columns' cells.
 * row_plan_compile.c lays them out, row_plan_run.c runs them. Only events/ includes this. */
#pragma once

#include "events/error_codes.h"
#include "avro/plan.h"
#include "events/schema_private.h"
#include "events/time_unit.h"

/* The envelope's slots are ENVELOPE_*, then one slot per column. */
enum { SLOT_COLUMNS = ENVELOPE_COUNT };

/* The layout's own ops. */
enum row_op_code {
    OP_CONSTANT = OP_LAYOUT, /* a: index into `constants` */
    OP_COLUMNS, /* b: fields read by the readers from a on; `to`: whether they are the whole record as we write it */
};

/* How a writer's number becomes occurred_at, the note of an op that reads it: an enum time_unit from the number's
 * logical type, or one of these. */
enum row_time {
    ROW_TIME_PLAIN_LONG = 8, /* a long without one: the unit that was set, else milliseconds */
    ROW_TIME_UNKNOWN, /* a plain int, a time of day, a logical type that is not known: the unit that was set, or none */
};

struct row_constant {
    struct cell cell; /* of a column */
    struct span text; /* of a text in the envelope */
    int64_t whole;    /* of a number or symbol in the envelope */
};

/* What a row plan has beside its ops: plan->own. */
struct row_parts {
    const struct schema_parts *target; /* borrowed */
    struct column_reader *readers;
    size_t reader_count, reader_room;
    struct row_constant *constants;
    size_t constant_count;
};

/* As plan_compile; the reader is target->schema.event. Borrows the target. */
MUST_USE enum status row_plan_compile(const struct avro_type *writer, const struct schema_parts *target,
                                      struct plan **out, struct error *err);

/* Runs a row plan over one datum: all of `datum` must be used. out->cells are the caller's. `unit`: that of a writer's
 * occurred_at whose type names none. */
enum event_code row_plan_run(const struct plan *plan, struct machine *machine, enum time_unit unit, struct span datum,
                             struct event *out, struct fault *fault);

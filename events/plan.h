/* Writer schema × reader schema → a flat program, run once per datum without allocation.
 *
 * The program is a list of ops in the order of the writer's bytes: values the reader wants, structure to skip,
 * branches, block loops, calls for records (so that recursive schemas are programs too). Two executors run it:
 * plan_row.c puts values into an event (a plan made for a target), plan_json.c writes Avro's JSON encoding (a plan made
 * without one).
 *
 * Resolution is the Avro specification's, with the choices docs/SCHEMAS.md lists. Decoding is strict, its work bounded
 * by the bytes given, its nesting by PLAN_CALLS_MAX. A datum that takes a branch or symbol the reader has no place for
 * is read to its end, so that it is told from a malformed one. */
#ifndef EVENTS_PLAN_H
#define EVENTS_PLAN_H

#include "base/memory.h"
#include "avro/type.h"
#include "events/error_codes.h"
#include "events/column_read.h"
#include "events/event.h"
#include "events/schema_private.h"
#include "events/time_unit.h"

enum {
    PLAN_OPS_MAX = 1 << 20,
    PLAN_TEXT_BYTES_MAX = 1 << 26,
    PLAN_CALLS_MAX = 192, /* records within records in one datum: 64 levels are promised, however one counts them */
    PLAN_FRAMES_MAX = 1 << 17, /* calls and open blocks: far deeper than that, so that a datum that is cut off anywhere
                                  is told from one that is only deep */
    PLAN_EMPTY_ITEMS_MAX = 1 << 16, /* items that take no bytes, in one datum */
};

/* What each op does, and what its a and b mean. Ops marked J stand only in JSON plans, R only in row plans. */
enum op_code {
    OP_END,
    OP_JUMP, /* a: where to */
    OP_CALL, /* a: index of a routine */
    OP_RETURN,
    OP_BRANCH,       /* a: first of b entries of `table`, each where to go on */
    OP_UNRESOLVABLE, /* this datum has no image in the reader schema; a: why, of `notes`, or NO_NOTE */
    OP_BLOCKS,       /* opens an array or map */
    OP_NEXT,         /* next item, or a: where the array ends. b: bytes an item takes at least */
    OP_KEY,          /* J: a map's key */
    OP_TEXT,         /* J: b bytes at a of `text` */
    OP_SKIP_RAW,     /* b: bytes */
    OP_SKIP_INT,
    OP_SKIP_LONG,
    OP_SKIP_LENGTH, /* a length and as many bytes */
    OP_SKIP_BOOL,
    OP_SKIP_SYMBOL, /* b: number of symbols */
    OP_VALUE_NULL,  /* values: `to` is the reader's kind, `slot` (R) where it goes; of occurred_at: a: enum op_time */
    OP_VALUE_BOOL,
    OP_VALUE_INT,
    OP_VALUE_LONG,
    OP_VALUE_FLOAT,
    OP_VALUE_DOUBLE,
    OP_VALUE_BYTES,  /* string or bytes on the wire */
    OP_VALUE_FIXED,  /* b: bytes */
    OP_VALUE_SYMBOL, /* a: first of b entries of `table`: the reader's symbol (J: an index into `names`), or -1 */
    OP_CONSTANT,     /* R: a: index into `constants` */
    OP_COLUMNS, /* R: b fields read by the readers from a on; `to`: whether they are the whole record as we write it */
};

struct op {
    uint8_t code; /* enum op_code */
    uint8_t to;
    uint32_t slot;
    uint32_t a, b;
};

/* How a writer's number becomes occurred_at: an enum time_unit from its logical type, or one of these. */
enum op_time {
    OP_TIME_PLAIN_LONG = 8, /* a long without one: the machine's unit, else milliseconds */
    OP_TIME_UNKNOWN, /* a plain int, a time of day, a logical type that is not known: the machine's unit or none */
};

/* Row plans: the envelope's slots are ENVELOPE_*, then one slot per column. */
enum { SLOT_COLUMNS = ENVELOPE_COUNT, SLOT_NONE = UINT32_MAX, NO_NOTE = UINT32_MAX };

struct plan_constant {
    struct cell cell; /* of a column */
    struct span text; /* of a text in the envelope */
    int64_t whole;    /* of a number or symbol in the envelope */
};

/* Read-only after plan_compile; any number of threads may run it. Open for the executors. */
struct plan {
    const struct schema_parts *target; /* borrowed; NULL: a JSON plan */
    struct op *ops;
    size_t op_count, op_room;
    int32_t *table;
    size_t table_count, table_room;
    uint32_t *routines; /* routine → its first op */
    size_t routine_count;
    struct buffer text;
    const char *const **symbol_lists; /* J: the readers' enums, by op's slot */
    size_t symbol_list_count;
    struct column_reader *readers;
    size_t reader_count, reader_room;
    struct plan_constant *constants;
    size_t constant_count;
    const char **notes; /* which types do not fit, and where */
    size_t note_count;
    struct arena arena; /* texts of constants and notes */
};

/* Compiles. With `target` (a loaded schema) the reader must be target->schema.event and the plan fills events; without,
 * it writes JSON. Both types must outlive the plan. STATUS_UNSUPPORTED: the writer's data can never be read as the
 * reader's; STATUS_LIMIT: too large. Free with plan_free. */
MUST_USE enum status plan_compile(const struct avro_type *writer, const struct avro_type *reader,
                                  const struct schema_parts *target, struct plan **out, struct error *err);
void plan_free(struct plan *plan);

struct machine; /* plan_machine.h: the working state, one per thread, reused */
struct machine *machine_new(void);
void machine_free(struct machine *machine);
/* The unit of a writer's occurred_at whose type tells none (enum op_time). */
void machine_set_time_unit(struct machine *machine, enum time_unit unit);

/* Runs a row plan over one datum: all of `datum` must be used. out->cells are the caller's. */
enum event_code plan_run_row(const struct plan *plan, struct machine *machine, struct span datum, struct event *out,
                             struct fault *fault);

/* Runs a JSON plan over one datum, appending to out (whatever was appended is void on failure). */
enum event_code plan_run_json(const struct plan *plan, struct machine *machine, struct span datum, struct buffer *out,
                              struct fault *fault);

#endif

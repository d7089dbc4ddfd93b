/* Writer schema × reader schema → a flat program, run once per datum without allocation.
 *
 * The program is a list of ops in the order of the writer's bytes: values the reader wants, structure to skip,
 * branches, block loops, calls for records (so that recursive schemas are programs too). plan_json.c runs it to write
 * Avro's JSON encoding. Another executor brings a layout of its own (plan_emit.h): the event's row does.
 *
 * Resolution is the Avro specification's, with the choices docs/SCHEMAS.md lists. Decoding is strict, its work bounded
 * by the bytes given, its nesting by PLAN_CALLS_MAX. A datum that takes a branch or symbol the reader has no place for
 * is read to its end, so that it differs from a malformed one. */
#pragma once

#include "base/memory.h"
#include "avro/type.h"

enum {
    PLAN_OPS_MAX = 1 << 20,
    PLAN_TEXT_BYTES_MAX = 1 << 26,
    PLAN_CALLS_MAX = 192, /* records within records in one datum: 64 levels are promised, however one counts them */
    PLAN_FRAMES_MAX = 1 << 17, /* calls and open blocks: far deeper than that, so that a datum that is cut off anywhere
                                  is distinguished from one that is only deep */
    PLAN_EMPTY_ITEMS_MAX = 1 << 16, /* items that take no bytes, in one datum */
};

/* What each op does, and what its a and b mean. Ops marked J stand only in JSON plans. */
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
    OP_VALUE_NULL,  /* values: `to` is the reader's kind; in a layout's plan `slot` says where it goes, a what its note
                       is */
    OP_VALUE_BOOL,
    OP_VALUE_INT,
    OP_VALUE_LONG,
    OP_VALUE_FLOAT,
    OP_VALUE_DOUBLE,
    OP_VALUE_BYTES,  /* string or bytes on the wire */
    OP_VALUE_FIXED,  /* b: bytes */
    OP_VALUE_SYMBOL, /* a: first of b entries of `table`: the reader's symbol (J: an index into `names`), or -1 */
    OP_LAYOUT,       /* from here on: ops of a layout's own */
};

struct op {
    uint8_t code; /* enum op_code */
    uint8_t to;
    uint32_t slot;
    uint32_t a, b;
};

enum { SLOT_NONE = UINT32_MAX, NO_NOTE = UINT32_MAX };

/* Why a datum is refused. */
enum datum_code {
    DATUM_OK,
    DATUM_MALFORMED,    /* no datum of the writer's, or bytes are left over */
    DATUM_UNRESOLVABLE, /* takes a branch or symbol that the reader has no place for */
    DATUM_LIMIT,        /* nested deeper or larger than the limits */
};

struct datum_fault {
    enum datum_code code;
    char text[160]; /* one line for people; never a payload value */
};

/* Read-only after plan_compile; any number of threads may run it. Open for the executors. */
struct plan {
    struct op *ops;
    size_t op_count, op_room;
    int32_t *table;
    size_t table_count, table_room;
    uint32_t *routines; /* routine → its first op */
    size_t routine_count;
    struct buffer text;
    const char *const **symbol_lists; /* J: the readers' enums, by op's slot */
    size_t symbol_list_count;
    const char **notes; /* which types do not fit, and where */
    size_t note_count;
    struct arena arena; /* texts of notes, and what a layout puts there */
    void *own;          /* a layout's own tables, freed by own_free; NULL: a JSON plan */
    void (*own_free)(void *own);
};

/* Compiles a JSON plan. Both types must outlive it. STATUS_UNSUPPORTED: the writer's data can never be read as the
 * reader's; STATUS_LIMIT: too large. Free with plan_free. */
MUST_USE enum status plan_compile(const struct avro_type *writer, const struct avro_type *reader, struct plan **out,
                                  struct error *err);
void plan_free(struct plan *plan);

struct machine; /* plan_machine.h: the working state, one per thread, reused */
struct machine *machine_new(void);
void machine_free(struct machine *machine);

/* Runs a JSON plan over one datum, appending to out (whatever was appended is void on failure). */
enum datum_code plan_run_json(const struct plan *plan, struct machine *machine, struct span datum, struct buffer *out,
                              struct datum_fault *fault);

/* Writing a plan's ops: what plan_compile.c shares with layouts, which lay a record out for an executor of their own.
 */
#pragma once

#include "avro/plan.h"

struct compiler; /* one compilation */

/* How values go to another place than into JSON. Plain data. */
struct plan_layout {
    void *own; /* becomes the plan's, whether compiling succeeds or not */
    void (*own_free)(void *own);
    /* Whether the pair suits the layout at all; asked before it is resolved. */
    enum status (*check)(const struct avro_type *writer, const struct avro_type *reader, struct error *err);
    /* Emits the whole pair, which resolves. */
    void (*emit)(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader);
    /* `a` of the ops that read a scalar into this slot: what the executor wants to know of the writer's type. */
    uint32_t (*note)(const struct avro_type *writer, uint32_t slot);
};

/* As plan_compile, for this layout's executor. */
MUST_USE enum status plan_compile_layout(const struct avro_type *writer, const struct avro_type *reader,
                                         const struct plan_layout *layout, struct plan **out, struct error *err);

struct plan *plan_under_way(struct compiler *compiler);
struct op *plan_emit(struct compiler *compiler, unsigned code, uint32_t a, uint32_t b);
/* A value of the writer's into a slot; reader NULL: it is skipped. */
void plan_emit_value(struct compiler *compiler, const struct avro_type *writer, const struct avro_type *reader,
                     uint32_t slot);
/* The index of the op that comes next, as the aim of a jump. */
uint32_t plan_here(struct compiler *compiler);
/* The last op, if what comes next may be merged into it; else NULL. */
struct op *plan_last_op(struct compiler *compiler);
/* The field that is being laid out, for messages. */
void plan_path_push(struct compiler *compiler, const char *step);
void plan_path_pop(struct compiler *compiler);

/* See compatible.h. A compiled plan says all: what can never resolve does not compile, and what fails for some data is
 * an op or a symbol without a place. Any thread. */
#include "avro/compatible.h"

#include "avro/plan.h"

static bool op_is_total(const struct plan *plan, const struct op *op)
{
    if (op->code == OP_UNRESOLVABLE)
        return false;
    for (uint32_t s = 0; op->code == OP_VALUE_SYMBOL && s < op->b; s++)
        if (plan->table[op->a + s] < 0)
            return false;
    return true;
}

enum status schema_reads(const struct avro_type *reader, const struct avro_type *writer, struct error *err)
{
    struct plan *plan;
    enum status status = plan_compile(writer, reader, &plan, err);
    if (status != STATUS_OK)
        return err->status = STATUS_INVALID;
    for (size_t i = 0; i < plan->op_count && status == STATUS_OK; i++)
        if (!op_is_total(plan, &plan->ops[i]))
            status = error_set(err, STATUS_INVALID,
                               "older data may take a union's branch or an enum's symbol that the newer schema has no "
                               "place for: keep the branch or symbol, or give the enum a default");
    plan_free(plan);
    return status;
}

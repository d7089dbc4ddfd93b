/* What is wrong with an event: filling a struct fault (error_codes.h). */
#pragma once

#include <stdarg.h>

#include "base/bytes.h"
#include "base/status.h"
#include "events/error_codes.h"
#include "avro/plan.h"

/* Returns code, so that a refusal is `return fault_set(fault, …)`. fault may be NULL. */
enum event_code fault_set(struct fault *fault, enum event_code code, int32_t column, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The same of a field: the text begins with its name. */
enum event_code fault_set_field(struct fault *fault, enum event_code code, int32_t column, const char *name,
                                const char *format, ...) PRINTF_LIKE(5, 6);

/* The same with a name that ends where its span does. */
void fault_set_named(struct fault *fault, enum event_code code, int32_t column, struct span name, const char *format,
                     va_list args) __attribute__((format(printf, 5, 0)));

/* The text without the field's name, for who says that itself. */
static inline const char *fault_reason(const struct fault *fault)
{
    return fault->text + fault->named;
}

/* Why Avro's bytes were refused, as a fault. `why` is not DATUM_OK. */
enum event_code fault_set_datum(struct fault *fault, const struct datum_fault *why);

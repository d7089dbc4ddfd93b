/* Filling a struct fault (error_codes.h). */
#ifndef EVENTS_FAULT_H
#define EVENTS_FAULT_H

#include "base/status.h"
#include "events/error_codes.h"
#include "avro/plan.h"

/* Returns code, so that a refusal is `return fault_set(fault, …)`. fault may be NULL. */
enum event_code fault_set(struct fault *fault, enum event_code code, int32_t column, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Why Avro's bytes were refused, as a fault. `why` is not DATUM_OK. */
enum event_code fault_set_datum(struct fault *fault, const struct datum_fault *why);

#endif

/* Checks a row against the schema: required, finite, integers in int columns, range, category, how many columns
 * have a value at all, rules. */
#pragma once

#include "events/error_codes.h"
#include "events/event.h"
#include "events/schema.h"

/* Takes for missing what its column's policy says is not to be refused (out of range, of no category, not finite);
 * returns how many. Called before a row is checked, to be scored or learnt from. */
size_t validate_impute(const struct schema *schema, struct cell *cells);

/* Whether that is what becomes of such a fault: for who passes rows on as they are. */
bool validate_is_imputed(const struct schema *schema, const struct fault *fault);

/* First fault of a row in schema order (then rules), or EVENT_OK. The hot path. */
enum event_code validate_row(const struct schema *schema, const struct cell *cells, struct fault *fault);

/* All faults, at most `capacity`; returns how many were written. For people: HTTP, producer. */
size_t validate_row_all(const struct schema *schema, const struct cell *cells, struct fault *faults, size_t capacity);

/* The same of an event's: of a partial one, what it lists; of one without attributes, none. */
size_t validate_attributes_all(const struct schema *schema, const struct event *event, struct fault *faults,
                               size_t capacity);

/* A termination of which no attribute has a value, in whatever form it came: there is nothing to check. */
bool validate_is_without_attributes(const struct schema *schema, const struct event *event);

/* identity_check, the key against the employee id, then the row (of a partial event: what it lists), after
 * validate_impute: event->imputed is how many values went, and its attributes are then no longer the record's bytes.
 * key_id: whom the message key names (key.h); SPAN_NULL, a null key, passes. latest_ms: now and what may lie ahead of
 * it. */
enum event_code validate_event(const struct schema *schema, struct event *event, struct span key_id, int64_t latest_ms,
                               struct fault *fault);

/* A cell from text (CSV) for a column: empty = missing; numbers in full by strtod's grammar without hex, "nan" and
 * "inf" give EVENT_NOT_FINITE, other text in a numeric column EVENT_WRONG_TYPE, a fraction in an int column
 * EVENT_WRONG_TYPE (unless !checked). Ranges and categories are validate_row's. The cell borrows the text. */
enum event_code validate_text_cell(const struct column *column, struct span text, bool checked, struct cell *out,
                                   struct fault *fault, int32_t index);

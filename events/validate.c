/* Validates rows: the score loops' hot path (validate_row, first fault), and for people all faults at once (HTTP,
 * producer). Texts of faults name columns and limits, never a value of the row. Any thread; allocates nothing. */
#include "events/validate.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "avro/read.h"
#include "events/fault.h"
#include "events/identity.h"
#include "events/schema_private.h"

enum { SHORT_DIGITS = 15, NUMBER_TEXT_MAX = 1024 };

/* --- rows --- */

static inline bool cell_passes(const struct column_check *check, const struct cell *cell)
{
    if (cell->code == CELL_MISSING)
        return !check->required;
    if (check->nominal)
        return cell->code >= 0;
    if (!(cell->number >= check->low && cell->number <= check->high))
        return false;
    return !check->whole || cell->number == (double)(int64_t)cell->number;
}

static void range_text(const struct column *column, char *text, size_t bytes)
{
    char low[32] = "the type's smallest", high[32] = "the type's largest";
    if (isfinite(column->low))
        snprintf(low, sizeof low, "%.15g", column->low);
    if (isfinite(column->high))
        snprintf(high, sizeof high, "%.15g", column->high);
    snprintf(text, bytes, "outside %s to %s", low, high);
}

/* Why a cell that does not pass does not pass. */
static enum event_code cell_explain(const struct schema *schema, size_t index, const struct cell *cell,
                                    struct fault *fault)
{
    const struct column *column = &schema->columns[index];
    int32_t at = (int32_t)index;
    char range[80];
    if (cell->code == CELL_MISSING)
        return fault_set_field(fault, EVENT_MISSING_REQUIRED, at, column->name, "required, but missing");
    if (column->kind == COLUMN_NOMINAL)
        return fault_set_field(fault, EVENT_UNKNOWN_CATEGORY, at, column->name, "not one of its %zu categories",
                               column->value_count);
    if (!isfinite(cell->number))
        return fault_set_field(fault, EVENT_NOT_FINITE, at, column->name, "not a finite number");
    if (schema_parts(schema)->checks[index].whole && cell->number != floor(cell->number))
        return fault_set_field(fault, EVENT_WRONG_TYPE, at, column->name, "not an integer");
    range_text(column, range, sizeof range);
    return fault_set_field(fault, EVENT_OUT_OF_RANGE, at, column->name, "%s", range);
}

static inline bool rule_passes(const struct rule *rule, const struct cell *cells)
{
    const struct cell *left = &cells[rule->left], *right = &cells[rule->right];
    return left->code == CELL_MISSING || right->code == CELL_MISSING || !(left->number > right->number);
}

static enum event_code rule_explain(const struct schema *schema, const struct rule *rule, struct fault *fault)
{
    return fault_set_field(fault, EVENT_RULE, (int32_t)rule->left, schema->columns[rule->left].name,
                           "greater than %.64s", schema->columns[rule->right].name);
}

/* Usually the first cells settle it. */
static inline bool has_enough(const struct schema *schema, const struct cell *cells)
{
    size_t wanted = schema->min_present;
    for (size_t c = 0; c < schema->column_count && wanted; c++)
        wanted -= cells[c].code != CELL_MISSING;
    return wanted == 0;
}

static enum event_code scarcity_explain(const struct schema *schema, struct fault *fault)
{
    return fault_set(fault, EVENT_MISSING_REQUIRED, FAULT_NO_COLUMN, "fewer than %zu of %zu columns have a value",
                     schema->min_present, schema->column_count);
}

size_t validate_impute(const struct schema *schema, struct cell *cells)
{
    const struct schema_parts *parts = schema_parts(schema);
    size_t count = 0;
    for (size_t c = 0; c < schema->column_count && parts->imputes; c++) {
        struct fault fault;
        if (!parts->checks[c].imputes || cells[c].code == CELL_UNLISTED || cell_passes(&parts->checks[c], &cells[c]) ||
            cell_explain(schema, c, &cells[c], &fault) == EVENT_WRONG_TYPE)
            continue;
        cells[c] = cell_missing(&schema->columns[c]);
        count++;
    }
    return count;
}

bool validate_is_imputed(const struct schema *schema, const struct fault *fault)
{
    return fault->column >= 0 && schema->columns[fault->column].imputes &&
           (fault->code == EVENT_OUT_OF_RANGE || fault->code == EVENT_UNKNOWN_CATEGORY ||
            fault->code == EVENT_NOT_FINITE);
}

enum event_code validate_row(const struct schema *schema, const struct cell *cells, struct fault *fault)
{
    const struct column_check *checks = schema_parts(schema)->checks;
    for (size_t c = 0; c < schema->column_count; c++)
        if (!cell_passes(&checks[c], &cells[c]))
            return cell_explain(schema, c, &cells[c], fault);
    if (!has_enough(schema, cells))
        return scarcity_explain(schema, fault);
    for (size_t r = 0; r < schema->rule_count; r++)
        if (!rule_passes(&schema->rules[r], cells))
            return rule_explain(schema, &schema->rules[r], fault);
    return EVENT_OK;
}

size_t validate_row_all(const struct schema *schema, const struct cell *cells, struct fault *faults, size_t capacity)
{
    const struct column_check *checks = schema_parts(schema)->checks;
    size_t count = 0;
    for (size_t c = 0; c < schema->column_count && count < capacity; c++)
        if (!cell_passes(&checks[c], &cells[c]))
            (void)cell_explain(schema, c, &cells[c], &faults[count++]);
    if (count < capacity && !has_enough(schema, cells))
        (void)scarcity_explain(schema, &faults[count++]);
    for (size_t r = 0; r < schema->rule_count && count < capacity; r++)
        if (!rule_passes(&schema->rules[r], cells))
            (void)rule_explain(schema, &schema->rules[r], &faults[count++]);
    return count;
}

static inline bool listed_passes(const struct column_check *check, const struct cell *cell)
{
    return cell->code == CELL_UNLISTED || cell->code == CELL_MISSING || cell_passes(check, cell);
}

static enum event_code list_explain(struct fault *fault)
{
    return fault_set_field(fault, EVENT_RULE, FAULT_CHANGED, "changed", "only an event of type CHANGED has a list");
}

/* What a partial event lists; whether that is required, enough and free of contradictions shows when it is merged. */
static enum event_code validate_listed(const struct schema *schema, const struct event *event, struct fault *fault)
{
    const struct column_check *checks = schema_parts(schema)->checks;
    if (event->type != EVENT_TYPE_CHANGED)
        return list_explain(fault);
    for (size_t c = 0; c < schema->column_count; c++)
        if (!listed_passes(&checks[c], &event->cells[c]))
            return cell_explain(schema, c, &event->cells[c], fault);
    return EVENT_OK;
}

size_t validate_attributes_all(const struct schema *schema, const struct event *event, struct fault *faults,
                               size_t capacity)
{
    const struct column_check *checks = schema_parts(schema)->checks;
    size_t count = 0;
    if (validate_is_without_attributes(schema, event))
        return 0;
    if (!event->partial)
        return validate_row_all(schema, event->cells, faults, capacity);
    if (event->type != EVENT_TYPE_CHANGED && capacity)
        (void)list_explain(&faults[count++]);
    for (size_t c = 0; c < schema->column_count && count < capacity; c++)
        if (!listed_passes(&checks[c], &event->cells[c]))
            (void)cell_explain(schema, c, &event->cells[c], &faults[count++]);
    return count;
}

bool validate_is_without_attributes(const struct schema *schema, const struct event *event)
{
    if (event->without_attributes || event->type != EVENT_TYPE_TERMINATED || event->partial)
        return event->without_attributes;
    for (size_t c = 0; c < schema->column_count; c++)
        if (event->cells[c].code != CELL_MISSING)
            return false;
    return true;
}

enum event_code validate_event(const struct schema *schema, struct event *event, struct span key_id, int64_t latest_ms,
                               struct fault *fault)
{
    event->imputed = 0;
    enum event_code code = identity_check(event, latest_ms, fault);
    if (code != EVENT_OK)
        return code;
    if (key_id.data && !span_equal(key_id, event->employee_id))
        return fault_set(fault, EVENT_KEY_MISMATCH, FAULT_NO_COLUMN, "the message key differs from the employee id");
    if (validate_is_without_attributes(schema, event))
        return EVENT_OK;
    event->imputed = (uint32_t)validate_impute(schema, event->cells);
    if (event->imputed)
        event->attributes = SPAN_NULL;
    if (event->partial)
        return validate_listed(schema, event, fault);
    return validate_row(schema, event->cells, fault);
}

/* --- cells from text --- */

static size_t digits_skip(const char *text, size_t at)
{
    while (text[at] >= '0' && text[at] <= '9')
        at++;
    return at;
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit before the e; nothing else. */
static bool number_is_decimal(const char *text)
{
    size_t at = *text == '+' || *text == '-', start = at;
    at = digits_skip(text, at);
    size_t digits = at - start;
    if (text[at] == '.') {
        start = ++at;
        at = digits_skip(text, at);
        digits += at - start;
    }
    if (digits == 0)
        return false;
    if (text[at] == 'e' || text[at] == 'E') {
        at++;
        at += text[at] == '+' || text[at] == '-';
        start = at;
        at = digits_skip(text, at);
        if (at == start)
            return false;
    }
    return text[at] == '\0';
}

static bool number_is_named(const char *text) /* nan, inf, infinity, in any case, with a sign or not */
{
    text += *text == '+' || *text == '-';
    return strcasecmp(text, "nan") == 0 || strcasecmp(text, "inf") == 0 || strcasecmp(text, "infinity") == 0;
}

/* Most numbers of tables: up to 15 digits, which a double holds exactly; strtod would say the same. */
static bool number_is_short(struct span text, double *out)
{
    int64_t value = 0;
    bool negative = text.data[0] == '-';
    if (text.bytes - negative - 1 >= SHORT_DIGITS)
        return false;
    for (size_t at = negative; at < text.bytes; at++) {
        unsigned digit = (unsigned char)text.data[at] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *out = negative ? -(double)value : (double)value;
    return true;
}

static enum event_code number_from_text(const struct column *column, struct span text, bool checked, struct cell *out,
                                        struct fault *fault, int32_t index)
{
    char copy[NUMBER_TEXT_MAX + 1];
    double short_number;
    if (number_is_short(text, &short_number)) {
        *out = cell_number(short_number);
        return EVENT_OK;
    }
    bool fits = text.bytes <= NUMBER_TEXT_MAX && !memchr(text.data, '\0', text.bytes);
    if (fits) {
        memcpy(copy, text.data, text.bytes);
        copy[text.bytes] = '\0';
    }
    if (fits && number_is_named(copy))
        return fault_set_field(fault, EVENT_NOT_FINITE, index, column->name, "not a finite number");
    if (!fits || !number_is_decimal(copy))
        return fault_set_field(fault, EVENT_WRONG_TYPE, index, column->name, "text where a number is due");
    double number = strtod(copy, NULL);
    if (!isfinite(number))
        return fault_set_field(fault, EVENT_NOT_FINITE, index, column->name, "too large for a number");
    if (checked && (column->type == COLUMN_INT || column->type == COLUMN_LONG) && number != floor(number))
        return fault_set_field(fault, EVENT_WRONG_TYPE, index, column->name, "not an integer");
    *out = cell_number(number);
    return EVENT_OK;
}

enum event_code validate_text_cell(const struct column *column, struct span text, bool checked, struct cell *out,
                                   struct fault *fault, int32_t index)
{
    if (text.bytes == 0) {
        *out = cell_missing(column);
        return EVENT_OK;
    }
    if (column->kind != COLUMN_NOMINAL)
        return number_from_text(column, text, checked, out, fault, index);
    if (text.bytes > UINT32_MAX || !utf8_is_valid(text))
        return fault_set_field(fault, EVENT_WRONG_TYPE, index, column->name, "not UTF-8");
    *out = (struct cell){.text = text.data, .text_bytes = (uint32_t)text.bytes, .code = column_code(column, text)};
    return EVENT_OK;
}

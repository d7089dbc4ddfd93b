/* What a row says besides its cells, and whether it may be sent: see input_row.h. Called by the readers and input.c, on
 * one thread. Must never let a row pass that the scorer would refuse. */
#include "producer/input_row.h"

#include <stdarg.h>
#include <stdio.h>

#include "avro/read.h"
#include "events/event_encoder.h"
#include "events/identity.h"
#include "events/validate.h"
#include "events/timestamp.h"
#include "producer/file_id.h"

int32_t envelope_fault_column(enum envelope_field field)
{
    static const int32_t columns[ENVELOPE_FIELD_COUNT] = {
        [ENVELOPE_EMPLOYEE_ID] = FAULT_EMPLOYEE_ID,
        [ENVELOPE_EVENT_ID] = FAULT_EVENT_ID,
        [ENVELOPE_EVENT_TYPE] = FAULT_EVENT_TYPE,
        [ENVELOPE_OCCURRED_AT] = FAULT_OCCURRED_AT,
    };
    return columns[field];
}

const char *envelope_name(enum envelope_field field)
{
    return envelope_field_name(envelope_fault_column(field));
}

void input_row_begin(struct input_row *row, const struct input_settings *settings, struct cell *cells)
{
    const struct schema *schema = settings->schema;
    row->settings = settings;
    row->line = row->element = 0;
    row->raw = SPAN_NULL;
    row->latest_ms = (clock_real_us(settings->clock) + settings->max_future_us) / 1000;
    row->fault_count = 0;
    row->event = (struct event){.type = settings->event_type, .occurred_at_ms = INT64_MIN, .cells = cells};
    for (size_t c = 0; c < schema->column_count; c++)
        cells[c] = cell_missing(&schema->columns[c]);
}

void input_row_refuse(struct input_row *row, enum event_code code, int32_t column, const char *format, ...)
{
    if (row->fault_count == INPUT_FAULTS_MAX)
        return;
    struct fault *fault = &row->faults[row->fault_count++];
    *fault = (struct fault){.code = code, .column = column};
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
}

const char *input_field_name(const struct schema *schema, int32_t column)
{
    return column >= 0 ? schema->columns[column].name : envelope_field_name(column);
}

static void set_event_type(struct input_row *row, struct span text)
{
    const struct schema *schema = row->settings->schema;
    for (size_t t = 0; t < schema->event_type_count; t++)
        if (span_equal(text, span_of(schema->event_types[t]))) {
            row->event.type = (int32_t)t;
            return;
        }
    input_row_refuse(row, EVENT_UNKNOWN_CATEGORY, FAULT_EVENT_TYPE, "not a symbol of the event schema");
}

static void set_id(struct input_row *row, int32_t column, struct span text, struct span *out)
{
    const char *flaw = file_id_flaw(text);
    if (flaw)
        input_row_refuse(row, EVENT_BAD_ID, column, "the id %s", flaw);
    else
        *out = text;
}

void input_row_set_time(struct input_row *row, struct span text, enum time_unit unit)
{
    int64_t *out = &row->event.occurred_at_ms;
    if (row->fault_count == INPUT_FAULTS_MAX)
        return;
    const char *flaw = timestamp_read(text, unit, out);
    if (flaw)
        input_row_refuse(row, EVENT_WRONG_TYPE, FAULT_OCCURRED_AT, "%s", flaw);
    else if (row->settings->validate)
        row->fault_count += occurred_at_check(*out, row->latest_ms, &row->faults[row->fault_count]) != EVENT_OK;
}

void input_row_set_envelope(struct input_row *row, enum envelope_field field, struct span text)
{
    struct event *event = &row->event;
    if (field == ENVELOPE_EMPLOYEE_ID)
        set_id(row, FAULT_EMPLOYEE_ID, text, &event->employee_id);
    else if (!text.bytes)
        return;
    else if (field == ENVELOPE_EVENT_ID)
        set_id(row, FAULT_EVENT_ID, text, &event->event_id);
    else if (!utf8_is_valid(text))
        input_row_refuse(row, field == ENVELOPE_OCCURRED_AT ? EVENT_WRONG_TYPE : EVENT_MALFORMED,
                         envelope_fault_column(field), "not UTF-8");
    else if (field == ENVELOPE_EVENT_TYPE)
        set_event_type(row, text);
    else
        input_row_set_time(row, text, row->settings->time_unit);
}

void input_row_check_envelope(struct input_row *row)
{
    struct event *event = &row->event;
    if (event->employee_id.data)
        set_id(row, FAULT_EMPLOYEE_ID, event->employee_id, &event->employee_id);
    if (event->event_id.data)
        set_id(row, FAULT_EVENT_ID, event->event_id, &event->event_id);
    if (event->occurred_at_ms != INT64_MIN && row->settings->validate && row->fault_count < INPUT_FAULTS_MAX)
        row->fault_count +=
            occurred_at_check(event->occurred_at_ms, row->latest_ms, &row->faults[row->fault_count]) != EVENT_OK;
}

/* What does not fit into Avro's int and long is refused whether the row is validated or not. */
static void check_encodable(const struct schema *schema, struct input_row *row)
{
    for (size_t c = 0; c < schema->column_count; c++) {
        const struct column *column = &schema->columns[c];
        if (!column_is_whole(column) || row->event.cells[c].code == CELL_MISSING ||
            row->event.cells[c].code == CELL_UNLISTED)
            continue;
        double number = row->event.cells[c].number, most = column_most(column);
        if (!(number >= -most && number <= most))
            input_row_refuse(row, isfinite(number) ? EVENT_OUT_OF_RANGE : EVENT_NOT_FINITE, (int32_t)c,
                             "it does not fit into an integer column");
        else if (number != floor(number))
            input_row_refuse(row, EVENT_WRONG_TYPE, (int32_t)c, "an integer column takes no fraction");
    }
    if (!row->fault_count && !event_is_encodable(schema, row->event.cells))
        input_row_refuse(row, EVENT_MISSING_REQUIRED, FAULT_NO_COLUMN, "a column that cannot be null has no value");
}

void input_row_validate(struct input_row *row)
{
    const struct input_settings *settings = row->settings;
    struct fault found[INPUT_FAULTS_MAX];
    size_t read_faults = row->fault_count;
    size_t count =
        settings->validate ? validate_attributes_all(settings->schema, &row->event, found, INPUT_FAULTS_MAX) : 0;
    for (size_t f = 0; f < count && row->fault_count < INPUT_FAULTS_MAX; f++) {
        size_t r = 0;
        while (r < read_faults && found[f].column >= 0 && row->faults[r].column != found[f].column)
            r++;
        if (r == read_faults && !validate_is_imputed(settings->schema, &found[f]))
            row->faults[row->fault_count++] = found[f];
    }
    if (!row->fault_count)
        check_encodable(settings->schema, row);
}

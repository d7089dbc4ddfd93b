/* What events that come as JSON are read by: settings, and what their record says. Plain data. */
#pragma once

#include "base/bytes.h"
#include "events/input_map.h"
#include "events/time_unit.h"

/* What a record says besides its value; SPAN_NULL: nothing. */
struct record_context {
    struct span topic;                                      /* what an event_id is made of, with the next two */
    int32_t partition;                                      /* < 0: none */
    int64_t offset, timestamp_ms;                           /* timestamp_ms < 0: none */
    struct span ce_specversion, ce_id, ce_time, ce_subject; /* headers of CloudEvents in binary mode */
};

/* How documents are read: plain data. */
struct json_settings {
    enum time_unit time_unit;    /* of bare integers in occurred_at; TIME_UNIT_NONE: they are refused */
    const struct input_map *map; /* NULL: none */
    bool refuse_deletes;         /* a row that was deleted is a dead letter instead of a termination */
    bool rows;      /* lines of a file: an object without `attributes` may be the attributes themselves, the id
                       among them; `id` and the schema's id column are names of employee_id */
    bool unchecked; /* as of json_row_read */
};

/* Which values are documents: see decoder_take_json. */
enum input_format { INPUT_FORMAT_AUTO, INPUT_FORMAT_AVRO, INPUT_FORMAT_JSON };

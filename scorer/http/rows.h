/* The employees of one request on their way from JSON to a prediction: what /predict and V2's infer share.
 *
 * rows_new → rows_read_attributes for each → rows_score → rows_write_prediction or the fields → rows_free. One thread.
 */
#pragma once

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "scorer/model/challengers.h"
#include "scorer/http/faults.h"
#include "scorer/http/service.h"

enum { ROWS_MAX = 1000, EVENT_ID_BYTES = 37 };

struct row_ids {
    struct span event_id;    /* given, or `made` */
    struct span employee_id; /* SPAN_NULL: not given */
    char made[EVENT_ID_BYTES];
};

struct rows {
    const struct schema *schema;
    const struct model *model; /* NULL: none yet */
    size_t count;
    uint32_t top; /* reasons a row */
    struct cell *cells;
    struct score *scores;
    struct reason *reasons;
    struct row_ids *ids;
    struct fault *found; /* room for one row's */
    int64_t scored_at_us, latency_us;
    const struct settings *settings;
    struct challenger_rows *challengers; /* NULL: none, or nothing was logged yet */
};

/* Where the faults of a row's attributes stand: `before`, the column's name, and maybe an index. */
struct row_place {
    struct loc before;
    bool has_index;
    size_t index;
};

/* Takes a reference to the model in use. STATUS_UNAVAILABLE: there is none, and the answer says so. */
MUST_USE enum status rows_new(const struct service *service, size_t count, uint32_t top, struct rows *out,
                              struct answer *answer);
void rows_free(struct rows *rows);

/* Cells of one row, from the next value; they borrow texts as it does. */
void rows_read_attributes(struct rows *rows, size_t row, struct json_reader *reader, const struct row_place *place,
                          struct faults *faults);
/* An optional id: null, or a text that is one (events/identity.h). */
void rows_read_id(const struct json_value *id, struct loc loc, struct span *out, struct faults *faults);
/* Event ids are made where none was given. place_of(row) is where a fault of the whole row stands. False: given up, as
 * the answer says. */
MUST_USE bool rows_score(struct rows *rows, const struct request *request,
                         struct loc (*place_of)(size_t row, const void *context), const void *context,
                         struct faults *faults, struct answer *answer);

struct span rows_label(const struct rows *rows, size_t row);
void rows_write_reasons(const struct rows *rows, size_t row, struct json_writer *json);
/* /predict's object. */
void rows_write_prediction(const struct rows *rows, size_t row, bool with_counterfactual, struct json_writer *json);
/* Appends the record for the output topic; what is not logged does not ask the challengers. */
void rows_log(struct rows *rows, size_t row, struct prediction_log_records *records);

/* "model":{"name":…,"version":…,"alias":…,"run_id":…} */
void stamp_write(const struct model_stamp *stamp, struct json_writer *json);

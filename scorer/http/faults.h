/* What is wrong with a request, in FastAPI's shape: a list of {"loc": […], "msg": "…", "type": "…"}. */
#pragma once

#include "base/json_writer.h"
#include "events/error_codes.h"
#include "scorer/http/request.h"

/* Where something stands: names and indexes from the outside in. Plain data; texts are borrowed. */
struct loc {
    struct {
        struct span name; /* SPAN_NULL: the index counts */
        size_t index;
    } parts[8];
    size_t count;
};

/* The same place, one step further in. */
struct loc loc_name(struct loc loc, const char *name);
struct loc loc_index(struct loc loc, size_t index);

enum { FAULTS_REPORTED = 100 };

/* Zero-initialised is empty; faults_answer or faults_clear ends it. */
struct faults {
    const char *error;       /* V2: what the answer's member "error" says; NULL: it has none */
    struct json_writer json; /* into list, an array that is open */
    struct buffer list;
    size_t count; /* all, reported or not */
};

void faults_add(struct faults *faults, struct loc loc, enum event_code code, const char *text);
/* Makes the 422 of them and empties the list; false (and nothing done) when there is none. The struct stays where it is
 * between faults_add and here. */
bool faults_answer(struct faults *faults, struct answer *answer);
void faults_clear(struct faults *faults);

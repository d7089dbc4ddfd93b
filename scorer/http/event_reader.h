/* One posted event on its way from JSON to the input topic's bytes, checked as the stream checks it.
 *
 * Whatever is known without the employee's current record is a fault here: all of them are reported, each with its
 * place. One thread. */
#pragma once

#include "events/json_event.h"
#include "scorer/http/faults.h"
#include "scorer/settings.h"

struct event_reader;

/* Borrows settings. now_us: real clock. */
struct event_reader *event_reader_new(const struct settings *settings, int64_t now_us);
void event_reader_free(struct event_reader *reader);

/* `context`: what stands where the document says nothing. loc: the document's place. True: there are no faults; *event
 * (borrowed from the document and the reader, until the next one) can be encoded. */
MUST_USE bool event_reader_read(struct event_reader *reader, struct span document, const struct record_context *context,
                                struct loc loc, struct event *event, struct faults *faults);

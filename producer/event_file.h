/* Events as files that `producer backfill` reads: CSV, JSON Lines, a JSON array, an Avro container file. One thread. */
#pragma once

#include "base/output_file.h"
#include "events/event.h"
#include "events/schema.h"
#include "producer/poison.h"

/* By --format (NULL: by the path's end, without .gz or .zst; CSV where it says nothing). STATUS_INVALID: no such. */
MUST_USE enum status event_file_form_of(const char *format, const char *path, enum event_file_form *out,
                                        struct error *err);

struct event_file;

/* Borrows schema and path; the Avro form's schema is the file in schemas_dir. */
MUST_USE enum status event_file_open(const char *path, enum event_file_form form, const struct schema *schema,
                                     const char *schemas_dir, struct event_file **out, struct error *err);
/* `index` decides with the poison whether the event is spoilt. */
MUST_USE enum status event_file_add(struct event_file *file, struct event *event, struct poison *poison, uint64_t index,
                                    struct error *err);
/* Frees it, on failure too. */
MUST_USE enum status event_file_close(struct event_file *file, struct error *err);

/* Current records that a replay compares dead letters with: an event that is older than what is known of its employee
 * is not sent again. Read from the state topic (docs/STATE.md) before the first letter is sent, and kept for the
 * employees of letters alone. One thread. */
#pragma once

#include "producer/dlq_kafka.h"
#include "producer/dlq_content.h"

struct dlq_current_records;

/* Borrows all. *stop ends waiting for a broker. STATUS_NOT_FOUND: there is no such topic. */
MUST_USE enum status dlq_current_records_new(const struct options *options, const char *topic,
                                             const struct schema *schema, struct dlq_content_reader *contents,
                                             const _Atomic bool *stop, struct dlq_current_records **out,
                                             struct error *err);
void dlq_current_records_free(struct dlq_current_records *records);

/* A letter that may be replayed. Before dlq_current_records_read. */
void dlq_current_records_expect(struct dlq_current_records *records, const struct dlq_letter *letter);
MUST_USE enum status dlq_current_records_read(struct dlq_current_records *records, struct error *err);

enum dlq_age { DLQ_AGE_CURRENT, DLQ_AGE_OLDER, DLQ_AGE_UNKNOWN };
/* CURRENT: no older than the employee's record, or there is none. UNKNOWN: the event cannot be decoded, and whom it may
 * be of has a record, or nobody can be named. */
enum dlq_age dlq_current_records_check(struct dlq_current_records *records, const struct dlq_letter *letter);

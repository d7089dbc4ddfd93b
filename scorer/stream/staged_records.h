/* Records that wait for the commit of the transaction before them: kept in order in one arena, and sent when the next
 * transaction begins.
 *
 * Plain data, embedded; zeroed is empty. The arena grows to a bound and is used again, so that nothing is allocated per
 * record once it is warm. All calls come from the score loop's thread. */
#pragma once

#include "kafka/transaction.h"

struct staged_record;

struct staged_records {
    struct staged_record *records;
    size_t count, capacity, taken; /* taken: so many of them have been given out by staged_records_next */
    struct buffer bytes;           /* keys and values */
};

/* Copies the record and takes its headers. False: it would be more than limit_bytes in all; nothing is taken. */
MUST_USE bool staged_records_add(struct staged_records *staged, const struct transaction_record *record,
                                 size_t limit_bytes);
/* The next record, in the order in which they were added, whose headers become the caller's; it borrows key and value
 * until the next staged_records_add or staged_records_clear. False: there is none. */
MUST_USE bool staged_records_next(struct staged_records *staged, struct transaction_record *out);
void staged_records_clear(struct staged_records *staged); /* forgets what is left; the memory stays */
void staged_records_free(struct staged_records *staged);

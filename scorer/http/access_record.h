/* Who looked at whom: a row of attrition.access_log for each request, written before it is answered. The database puts
 * receipts in the place of ids that it has no rows of (sql/0027_lookups.sql). */
#pragma once

#include "scorer/http/service.h"

struct database_rows;

/* `path`: what was asked for, without ids; the ids of the answer, which may repeat, or the one that was asked for and
 * is nobody's. False: not written, and answered with 503. */
bool access_record(const struct service *service, const struct request *request, const char *path,
                   const struct span *ids, size_t count, struct answer *answer);
/* The same of the ids in a column of the first `count` rows; where there is none, of the search `q` (NULL: none). */
bool access_record_rows(const struct service *service, const struct request *request, const char *path, const char *q,
                        const struct database_rows *rows, size_t count, size_t column, struct answer *answer);
/* X-Purpose as text: percent-encoded (%C3%A4), UTF-8, or Latin-1, as browsers send it; without control characters. Into
 * `out`, which is empty. NULL: none is said. */
const char *access_purpose_text(const char *header, struct buffer *out);
/* Asked before anything is read. False: answered. */
bool access_purpose_sound(const struct request *request, struct answer *answer);

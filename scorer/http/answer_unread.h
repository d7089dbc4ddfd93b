/* Bytes of computed answers that are not sent in full: clients that do not read keep them in memory, so there is a
 * bound. */
#pragma once

#include <stdatomic.h>

#include "scorer/http/request.h"

enum { UNREAD_MOST = 64 << 20 };

/* Counts the answer's body; beyond the bound the answer becomes a 503. Returns what was counted: to be taken off when
 * the request is over. Any thread. */
size_t answer_unread_count(atomic_size_t *unread, struct answer *answer);

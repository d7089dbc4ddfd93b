/* Counting what clients have yet to read: see answer_unread.h. On the threads that compute answers. */
#include "scorer/http/answer_unread.h"

size_t answer_unread_count(atomic_size_t *unread, struct answer *answer)
{
    size_t bytes = answer->body.bytes;
    if (atomic_fetch_add(unread, bytes) + bytes <= UNREAD_MOST)
        return bytes;
    atomic_fetch_sub(unread, bytes);
    buffer_free(&answer->body);
    answer_unavailable(answer, "too many answers wait for their clients to read them");
    return 0;
}

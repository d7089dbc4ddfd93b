/* Totals of lists: see list_totals.h. A table of few, found by the question's digest; a new one takes the place of that
 * which ends first. */
#include "scorer/http/list_totals.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/sha256.h"

enum { TOTALS = 64, CHEAP_US = 5 * 1000, KEPT_TIMES = 100, KEPT_US_MOST = 10 * 1000 * 1000 };

struct kept_total {
    char digest[SHA256_HEX_BYTES]; /* of the question */
    uint64_t total;
    int64_t end_us; /* 0: none */
};

struct list_totals {
    pthread_mutex_t mutex; /* guards what follows */
    struct kept_total kept[TOTALS];
};

struct list_totals *list_totals_new(void)
{
    struct list_totals *totals = mem_zeroed(1, sizeof *totals);
    pthread_mutex_init(&totals->mutex, NULL);
    return totals;
}

void list_totals_free(struct list_totals *totals)
{
    if (!totals)
        return;
    pthread_mutex_destroy(&totals->mutex);
    free(totals);
}

bool list_totals_find(struct list_totals *totals, struct span question, int64_t now_us, uint64_t *out)
{
    char digest[SHA256_HEX_BYTES];
    bool found = false;
    sha256_hex(question, digest);
    pthread_mutex_lock(&totals->mutex);
    for (size_t t = 0; t < TOTALS && !found; t++) {
        const struct kept_total *kept = &totals->kept[t];
        found = kept->end_us > now_us && !strcmp(kept->digest, digest);
        if (found)
            *out = kept->total;
    }
    pthread_mutex_unlock(&totals->mutex);
    return found;
}

void list_totals_keep(struct list_totals *totals, struct span question, uint64_t total, int64_t began_us,
                      int64_t now_us)
{
    int64_t took_us = now_us - began_us, kept_us = took_us * KEPT_TIMES;
    struct kept_total new = {.total = total, .end_us = now_us + (kept_us < KEPT_US_MOST ? kept_us : KEPT_US_MOST)};
    if (took_us < CHEAP_US)
        return;
    sha256_hex(question, new.digest);
    pthread_mutex_lock(&totals->mutex);
    struct kept_total *place = totals->kept;
    for (size_t t = 1; t < TOTALS; t++)
        if (totals->kept[t].end_us < place->end_us)
            place = &totals->kept[t];
    *place = new;
    pthread_mutex_unlock(&totals->mutex);
}

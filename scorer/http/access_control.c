/* Tokens, rates, origins: see access_control.h. Called on the server's threads for each request. */
#include "scorer/http/access_control.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

enum { SETS = 1024, WAYS = 4 };

struct bucket {
    uint64_t address; /* 0: free */
    double tokens;
    int64_t seen_us;
};

struct rate_limit {
    pthread_mutex_t mutex;
    double per_second;
    struct bucket buckets[SETS][WAYS];
};

bool access_control_token_matches(const char *expected, const char *header)
{
    static const char scheme[] = "Bearer ";
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1))
        return false;
    const char *given = header + sizeof scheme - 1;
    size_t bytes = strlen(expected), given_bytes = strlen(given);
    unsigned char difference = bytes != given_bytes;
    for (size_t i = 0; i < bytes; i++)
        difference |= (unsigned char)(expected[i] ^ given[given_bytes ? i % given_bytes : 0]);
    return !difference;
}

bool access_control_origin_allowed(const char *list, const char *origin)
{
    if (!list || !origin || !*origin)
        return false;
    for (const char *at = list; *at;) {
        at += strspn(at, " ,");
        size_t bytes = strcspn(at, " ,");
        struct span entry = {at, bytes};
        if (bytes && (span_equal(entry, SPAN_LITERAL("*")) || span_equal(entry, span_of(origin))))
            return true;
        at += bytes;
    }
    return false;
}

/* Never 0. */
static uint64_t address_key(const struct sockaddr *address)
{
    uint64_t key = 1;
    if (address->sa_family == AF_INET) {
        key = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) | UINT64_C(1) << 63;
    } else if (address->sa_family == AF_INET6) {
        memcpy(&key, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof key);
        key |= 1;
    }
    return key;
}

struct rate_limit *rate_limit_new(int64_t per_second)
{
    struct rate_limit *rate = mem_zeroed(1, sizeof *rate);
    pthread_mutex_init(&rate->mutex, NULL);
    rate->per_second = (double)per_second;
    return rate;
}

void rate_limit_free(struct rate_limit *rate)
{
    if (!rate)
        return;
    pthread_mutex_destroy(&rate->mutex);
    free(rate);
}

static struct bucket *bucket_of(struct rate_limit *rate, uint64_t key, int64_t now_us)
{
    struct bucket *set = rate->buckets[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 54], *oldest = set;
    for (size_t way = 0; way < WAYS; way++) {
        if (set[way].address == key)
            return &set[way];
        if (!set[way].address || (oldest->address && set[way].seen_us < oldest->seen_us))
            oldest = &set[way];
    }
    *oldest = (struct bucket){.address = key, .tokens = rate->per_second, .seen_us = now_us};
    return oldest;
}

bool rate_limit_take(struct rate_limit *rate, const struct sockaddr *address, int64_t now_us)
{
    pthread_mutex_lock(&rate->mutex);
    struct bucket *bucket = bucket_of(rate, address_key(address), now_us);
    bucket->tokens += (double)(now_us - bucket->seen_us) / 1e6 * rate->per_second;
    if (bucket->tokens > rate->per_second)
        bucket->tokens = rate->per_second;
    bucket->seen_us = now_us;
    bool passes = bucket->tokens >= 1;
    if (passes)
        bucket->tokens -= 1;
    pthread_mutex_unlock(&rate->mutex);
    return passes;
}

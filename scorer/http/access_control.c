/* Rates, origins, hosts: see access_control.h. Called on the server's threads for each request. */
#include "scorer/http/access_control.h"

#include <arpa/inet.h>
#include <ctype.h>
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

uint64_t access_control_address_key(const struct sockaddr *address)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    uint64_t key = 1;
    uint32_t four;
    if (address->sa_family == AF_INET) {
        key = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) | UINT64_C(1) << 63;
    } else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        memcpy(&four, &six->sin6_addr.s6_addr[12], sizeof four);
        key = ntohl(four) | UINT64_C(1) << 63;
    } else if (address->sa_family == AF_INET6) {
        memcpy(&key, &six->sin6_addr, sizeof key);
        key |= 1;
    }
    return key;
}

void access_control_address_text(const struct sockaddr *address, char out[ADDRESS_TEXT_BYTES])
{
    static const char mapped[] = "::ffff:";
    const void *bytes = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    if (!inet_ntop(address->sa_family, bytes, out, ADDRESS_TEXT_BYTES))
        out[0] = '\0';
    if (!strncmp(out, mapped, sizeof mapped - 1) && strchr(out, '.'))
        memmove(out, out + sizeof mapped - 1, strlen(out) + 2 - sizeof mapped);
}

/* Without ":port" and blanks; the colons of "[::1]" stay. */
static struct span host_name(struct span host)
{
    while (host.bytes && (host.data[host.bytes - 1] == ' ' || host.data[host.bytes - 1] == '\t'))
        host.bytes--;
    size_t digits = 0;
    while (digits < host.bytes && isdigit((unsigned char)host.data[host.bytes - 1 - digits]))
        digits++;
    if (digits < host.bytes && host.data[host.bytes - 1 - digits] == ':')
        host.bytes -= digits + 1;
    return host;
}

static bool names_equal(struct span a, struct span b)
{
    return a.bytes && a.bytes == b.bytes && !strncasecmp(a.data, b.data, a.bytes);
}

bool access_control_host_allowed(const char *names, const char *host)
{
    if (!host)
        return false;
    struct span name = host_name(span_of(host));
    if (names_equal(name, SPAN_LITERAL("localhost")))
        return true;
    for (const char *at = names ? names : ""; *at;) {
        at += strspn(at, " ,");
        struct span entry = {at, strcspn(at, " ,")};
        if (names_equal(entry, name) || names_equal(entry, span_of(host)))
            return true;
        at += entry.bytes;
    }
    return false;
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
    struct bucket *bucket = bucket_of(rate, access_control_address_key(address), now_us);
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

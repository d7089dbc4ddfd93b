/* HTTP for the clients of small JSON services: one request, one whole answer, everything bounded.
 *
 * A client is one keep-alive connection: one thread at a time uses it; different clients are independent. Redirects are
 * not followed and answers are not decompressed. Proxies come from the usual variables (https_proxy, no_proxy). */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/secret.h"
#include "base/status.h"

struct http_client;

/* All texts are copied; NULL where there is none. Secrets in files are asked for at each request. */
struct http_settings {
    const char *base_url; /* http(s)://[user:password@]host[:port][/path]; slashes at its end do not count */
    struct secret username, password; /* Basic; wins over a user in base_url */
    struct secret token;              /* Bearer; wins over Basic. Of several lines the first is sent */
    const char *ca_file;              /* PEM file, or a directory of certificates as OpenSSL hashes them */
    bool insecure_tls;                /* any certificate will do */
    const char *accept;               /* default: application/json */
    int64_t connect_timeout_ms;       /* 0: 5 s */
    int64_t timeout_ms;               /* of a whole request; 0: 30 s */
    size_t max_body_bytes;            /* of an answer; 0: 16 MiB */
    unsigned attempts;                /* for repeatable requests; 0: 1. Between them 0.25 s, 0.5 s, …, at most 5 s */
    bool (*cancelled)(void *context); /* asked about once a second: true gives the request up. NULL: never */
    void *context;
};

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

struct http_request {
    enum http_method method;
    const char *path;         /* after the base URL: "/api?name=a%20b", encoded by http_add_encoded */
    struct span body;         /* SPAN_NULL: none */
    const char *content_type; /* of the body; NULL: application/json */
    bool repeatable;          /* doing it twice is like doing it once: POST and PATCH too may then be tried again */
    int64_t timeout_ms;       /* 0: the client's */
    size_t max_body_bytes;    /* 0: the client's */
};

/* Zero-initialise once, reuse, free with http_response_clear. */
struct http_response {
    long status;           /* 100 to 599 */
    char content_type[80]; /* without parameters, lower case; empty: none */
    struct buffer body;    /* a NUL that is not counted follows it */
};
void http_response_clear(struct http_response *response);

/* STATUS_INVALID: no such URL, or credentials that no header can carry. STATUS_NOT_FOUND: no such CA file. No
 * connection is made yet. */
MUST_USE enum status http_client_new(const struct http_settings *settings, struct http_client **out, struct error *err);
void http_client_free(struct http_client *client);
const char *http_client_url(const struct http_client *client); /* the base URL, without user and password */

/* STATUS_OK: an answer came, whatever its status says. Connections that fail, and 429, 502, 503 and 504, are tried
 * again where the request is repeatable (GET, PUT and DELETE always are). STATUS_UNAVAILABLE: no answer; STATUS_LIMIT:
 * a longer one than allowed; STATUS_DENIED: its certificate is not trusted; STATUS_INVALID: it does not speak HTTP. */
MUST_USE enum status http_client_send(struct http_client *client, const struct http_request *request,
                                      struct http_response *response, struct error *err);

/* What an HTTP status means here: 2xx OK, 401 and 403 DENIED, 404 and 410 NOT_FOUND, 409 CONFLICT, 413 LIMIT, 3xx
 * UNSUPPORTED, 408, 429 and 5xx UNAVAILABLE, others INVALID. */
enum status http_status_of(long status);

/* Appends text percent-encoded, as a query's value or one component of a path; with slashes kept, as a whole path. */
void http_add_encoded(struct buffer *out, const char *text, bool keep_slashes);

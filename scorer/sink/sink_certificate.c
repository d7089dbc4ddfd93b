/* A look at a certificate that was refused: see sink_certificate.h. Called by sink_connection.c when a connection has
 * failed, on its thread. The certificate is read and believed in nothing: only its dates are. */
#include "scorer/sink/sink_certificate.h"

#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>

#include "base/clock.h"

enum { LOOK_US = 3000000 };

/* Until TLS is spoken: then libpq would send the user's name, and is not asked to go on. */
static SSL *handshake(PGconn *handle)
{
    int64_t end_us = clock_steady_us(&clock_system) + LOOK_US;
    PostgresPollingStatusType polled = PGRES_POLLING_WRITING;
    while (polled == PGRES_POLLING_WRITING || polled == PGRES_POLLING_READING) {
        int64_t left_ms = (end_us - clock_steady_us(&clock_system)) / 1000;
        struct pollfd fd = {.fd = PQsocket(handle), .events = polled == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (PQstatus(handle) == CONNECTION_MADE && PQsslInUse(handle))
            return PQsslStruct(handle, "OpenSSL");
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) <= 0)
            return NULL;
        polled = PQconnectPoll(handle);
    }
    return NULL;
}

static const char *flaw_of(const X509 *certificate)
{
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        return "its certificate has expired; renew it on the server, or correct this host's clock";
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        return "its certificate is not valid yet; correct the clock of this host or of the one that made it";
    return "its certificate is signed by nobody this host trusts; name its authority's in sslrootcert of DATABASE_URL";
}

const char *sink_certificate_flaw(const char *conninfo)
{
    /* No file of authorities: nothing is verified, and nothing is sent either. */
    const char *const keywords[] = {"dbname", "sslmode", "sslrootcert", NULL};
    const char *const values[] = {conninfo, "require", "/dev/null/none", NULL};
    PGconn *handle = PQconnectStartParams(keywords, values, 1);
    SSL *ssl = handle && PQstatus(handle) != CONNECTION_BAD ? handshake(handle) : NULL;
    X509 *certificate = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
    const char *flaw = certificate ? flaw_of(certificate)
                                   : "its certificate is not trusted; check sslrootcert of DATABASE_URL and its dates";
    X509_free(certificate);
    PQfinish(handle);
    return flaw;
}

/* Refusals in words: see connect_error.h. librdkafka's broker threads check certificates here; whoever reports a reason
 * explains it, on any thread. Decides nothing: a certificate that OpenSSL does not trust stays refused. */
#include "kafka/connect_error.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* OpenSSL's numbers (X509_V_ERR_…) of what makes a certificate untrusted. */
enum { CERTIFICATE_NOT_YET_VALID = 9, CERTIFICATE_EXPIRED = 10, CERTIFICATE_OF_HOST = 62, CERTIFICATE_OF_ADDRESS = 64 };
enum { SCRAM_FIXED_IN = 0x020601ff }; /* librdkafka: its SCRAM before that is refused by Kafka 4 (pull request 4895) */

static _Atomic int certificate_error; /* the last one of this process; 0: none */

static int on_certificate(rd_kafka_t *client, const char *broker, int32_t broker_id, int *error, int depth,
                          const char *certificate, size_t bytes, char *text, size_t capacity, void *opaque)
{
    (void)client, (void)broker, (void)broker_id, (void)depth, (void)certificate, (void)bytes, (void)opaque;
    if (!*error)
        return 1;
    atomic_store_explicit(&certificate_error, *error, memory_order_relaxed);
    snprintf(text, capacity, "not trusted (%d)", *error);
    return 0;
}

void connect_error_watch(rd_kafka_conf_t *conf)
{
    (void)rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate); /* fails only in a librdkafka without TLS */
}

/* Brokers say no more, whichever it is. */
#define NOT_TRUSTED \
    "it does not trust our certificate (KAFKA_SSL_CERTIFICATE_LOCATION), which has expired or is signed by nobody " \
    "whom " \
    "the broker trusts"

static const char *certificate_meaning(void)
{
    switch (atomic_load_explicit(&certificate_error, memory_order_relaxed)) {
    case CERTIFICATE_EXPIRED:
        return "its certificate has expired; renew it on the broker, or correct this host's clock";
    case CERTIFICATE_NOT_YET_VALID:
        return "its certificate is not valid yet; correct the clock of this host or of the one that made it";
    case CERTIFICATE_OF_HOST:
    case CERTIFICATE_OF_ADDRESS:
        return "its certificate is for another host; name brokers in KAFKA_BOOTSTRAP_SERVERS, and in their "
               "advertised.listeners, as their certificates do";
    default:
        return "its certificate is signed by nobody this host trusts; set KAFKA_SSL_CA_LOCATION to its authority's";
    }
}

static const char *credentials_meaning(const char *reason)
{
    if (strstr(reason, "SCRAM") && rd_kafka_version() < SCRAM_FIXED_IN)
        return "user or password is wrong (KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD), or the broker is Kafka 4, which "
               "takes "
               "no SCRAM from a librdkafka before 2.6.1; use KAFKA_SASL_MECHANISM=PLAIN with TLS, certificates, or a "
               "newer one";
    return "user or password is wrong; check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD";
}

static const char *meaning_of(const char *reason)
{
    static const struct {
        const char *part, *meaning;
    } rows[] = {
        {"alert certificate unknown", NOT_TRUSTED},
        {"alert unknown ca", NOT_TRUSTED},
        {"alert certificate expired", NOT_TRUSTED},
        {"alert bad certificate", "it asks for a certificate of ours, or cannot read it; check "
                                  "KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION"},
        {"certificate required", "it asks for a certificate of ours; set KAFKA_SSL_CERTIFICATE_LOCATION and "
                                 "KAFKA_SSL_KEY_LOCATION"},
        {"Unsupported SASL mechanism", "it does not take that KAFKA_SASL_MECHANISM; set one that it has"},
        {"unexpected eof",
         "no TLS is spoken there; set KAFKA_SECURITY_PROTOCOL to the listener's, or name its TLS port"},
        {"wrong version number",
         "no TLS is spoken there; set KAFKA_SECURITY_PROTOCOL to the listener's, or name its TLS port"},
        {"security.protocol",
         "it ends the connection at the first request, as a port does that speaks another protocol "
         "(TLS, SASL); set KAFKA_SECURITY_PROTOCOL to the listener's"},
        {"APIVERSION_QUERY", "it ends the connection at the first request, as a port does that speaks another protocol "
                             "(TLS, SASL); set KAFKA_SECURITY_PROTOCOL to the listener's"},
    };
    if (strstr(reason, "certificate verify failed"))
        return certificate_meaning();
    if (strstr(reason, "invalid credentials") || strstr(reason, "Authentication failed"))
        return credentials_meaning(reason);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        if (strstr(reason, rows[r].part))
            return rows[r].meaning;
    return NULL;
}

bool connect_error_is_denial(const char *reason)
{
    return strstr(reason, "SSL handshake failed") || strstr(reason, "SASL authentication error");
}

bool connect_error_explain(const char *reason, char *out, size_t capacity)
{
    const char *meaning = meaning_of(reason), *end = strstr(reason, ": ");
    if (meaning)
        snprintf(out, capacity, "%.*s: %s", end ? (int)(end - reason) : 6, end ? reason : "broker", meaning);
    else
        snprintf(out, capacity, "%s", reason);
    return meaning != NULL;
}

const char *connect_error_denied_hint(enum status status)
{
    return status == STATUS_DENIED
               ? "; give this user the access control list (ACL) that SECURITY.md has for the program"
               : "";
}

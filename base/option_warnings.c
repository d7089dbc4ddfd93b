/* What about the settings is unsafe: see options_private.h. Called once at start, on the main thread; the settings stay
 * as they are, because who gave them may have a reason. Must never write a secret. */
#include "base/options_private.h"

#include <string.h>
#include <strings.h>

#include "base/conninfo.h"
#include "base/secret.h"

static struct span host_of(const char *url)
{
    const char *host = strstr(url, "://"), *at;
    host = host ? host + 3 : url;
    at = memchr(host, '@', strcspn(host, "/?&, "));
    host = at ? at + 1 : host;
    return (struct span){host, *host == '[' ? strcspn(host, "]/") + 1 : strcspn(host, ":/?&, ")};
}

/* Its secrets end with the client's own machine. */
static bool is_loopback(const char *url)
{
    struct span host = host_of(url);
    return span_equal(host, SPAN_LITERAL("localhost")) || span_equal(host, SPAN_LITERAL("[::1]")) ||
           (host.bytes > 4 && strncmp(host.data, "127.", 4) == 0 && strspn(host.data, "0123456789.") == host.bytes);
}

/* A connection string may come without a password. */
static bool holds_secret(enum option_id id, const char *text)
{
    bool is_conninfo = id == OPTION_DATABASE_URL || id == OPTION_DATABASE_READ_URL || id == OPTION_SOURCE_DATABASE_URL;
    return id != OPTION_TRACKING_USERNAME && (!is_conninfo || conninfo_has_password(text));
}

static bool names_secret(const char *property)
{
    return strstr(property, "password") || strstr(property, "secret") || strcmp(property, "ssl.key.pem") == 0;
}

static void warn_of_arguments(const struct options *options, struct buffer *out)
{
    for (int id = 0; id < OPTION_COUNT_; id++) {
        const struct option_row *row = &option_rows[id];
        const struct option_value *value = &options->values[id];
        if (row->secret && value->source == OPTION_FROM_FLAG && value->text &&
            holds_secret((enum option_id)id, value->text))
            buffer_printf(out,
                          "--%s: every user of this host may read it in the list of processes; give it in %s_FILE\n",
                          row->flag, row->environment);
    }
    for (size_t p = 0; p < options->properties.count; p++)
        if (names_secret(options->properties.items[p].name))
            buffer_printf(out,
                          "-X %s: every user of this host may read it in the list of processes; give it in a file, as "
                          "KAFKA_SASL_PASSWORD_FILE does\n",
                          options->properties.items[p].name);
}

/* Credentials that would travel in the clear. */
static void warn_of_url(const struct options *options, enum option_id url, const enum option_id *secrets, size_t count,
                        struct buffer *out)
{
    const char *text = options->values[url].text;
    bool any = false;
    for (size_t s = 0; s < count; s++)
        any = any || (option_is_of(&option_rows[secrets[s]], options->program) && options->values[secrets[s]].text);
    for (const char *at = text ? text : ""; (at = strcasestr(at, "http://")); at += 7)
        if ((any || memchr(at + 7, '@', strcspn(at + 7, "/, "))) && !is_loopback(at)) {
            buffer_printf(out, "%s: credentials go to it unencrypted; write https:// if it can\n",
                          option_rows[url].environment);
            return;
        }
}

/* A value of the config file that is secret makes the file one. */
static void warn_of_config(const struct options *options, struct buffer *out)
{
    bool is_secret = false;
    const char *path = options->values[OPTION_CONFIG].text;
    for (int id = 0; id < OPTION_COUNT_; id++)
        is_secret = is_secret || (option_rows[id].secret && options->values[id].source == OPTION_FROM_FILE &&
                                  holds_secret((enum option_id)id, options->values[id].text));
    if (path)
        option_note_open_file("--config", path, is_secret, out);
}

const char *option_conninfo(const struct options *options, enum option_id id)
{
    const struct option_row *row = &option_rows[id];
    const struct option_value *value = &options->values[id];
    bool by_libpq =
        id == OPTION_DATABASE_URL && options->subcommand && option_row_names(row, options->subcommand->name);
    if (!option_is_of(row, options->program))
        return NULL;
    const struct secret secret = {.text = value->text, .file = value->file};
    const char *text = secret_text(secret);
    return !text && by_libpq ? "" : text;
}

static void warn_of_database(const struct options *options, enum option_id id, struct buffer *out)
{
    struct conninfo_tls tls;
    const char *text = option_conninfo(options, id);
    if (!text)
        return;
    conninfo_read_tls(text, &tls);
    if (tls.is_unverified)
        buffer_printf(out,
                      "%s: any server can pass for PostgreSQL there; add sslmode=verify-full and sslrootcert=FILE\n",
                      *text ? option_rows[id].environment : "PGHOST");
}

const char *option_kafka_property(const struct options *options, const char *variable, const char *name)
{
    for (size_t p = 0; p < options->properties.count; p++)
        if (strcmp(options->properties.items[p].name, name) == 0)
            return options->properties.items[p].value;
    for (size_t e = 0; e < options->environment.count; e++)
        if (strcmp(options->environment.items[e].name, variable) == 0)
            return options->environment.items[e].value;
    return NULL;
}

static void warn_of_kafka(const struct options *options, struct buffer *out)
{
    const char *verification = option_kafka_property(options, "KAFKA_ENABLE_SSL_CERTIFICATE_VERIFICATION",
                                                     "enable.ssl.certificate.verification");
    const char *names = option_kafka_property(options, "KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM",
                                              "ssl.endpoint.identification.algorithm");
    const char *protocol = option_kafka_property(options, "KAFKA_SECURITY_PROTOCOL", "security.protocol");
    const char *mechanism = option_kafka_property(options, "KAFKA_SASL_MECHANISM", "sasl.mechanism");
    const char *servers = options->values[OPTION_BOOTSTRAP_SERVERS].text;
    if (verification && strcasecmp(verification, "false") == 0)
        buffer_printf(out, "KAFKA_ENABLE_SSL_CERTIFICATE_VERIFICATION=false: any server can pass for a broker; set "
                           "KAFKA_SSL_CA_LOCATION instead\n");
    if (names && strcasecmp(names, "none") == 0)
        buffer_printf(out,
                      "KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM=none: any server with a certificate of the same "
                      "authority can pass for a broker\n");
    if (protocol && strcasecmp(protocol, "sasl_plaintext") == 0 &&
        (!mechanism || strcasecmp(mechanism, "PLAIN") == 0) && servers && !is_loopback(servers))
        buffer_printf(
            out,
            "KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT: the password goes to the brokers unencrypted; use SASL_SSL\n");
}

void option_warnings(const struct options *options, struct buffer *out)
{
    static const enum option_id tracking[] = {OPTION_TRACKING_PASSWORD, OPTION_TRACKING_TOKEN};
    static const enum option_id registry[] = {OPTION_REGISTRY_PASSWORD, OPTION_REGISTRY_TOKEN};
    static const enum option_id stream[] = {OPTION_HTTP_TOKEN};
    buffer_add(out, options->open_secrets.data, options->open_secrets.bytes);
    warn_of_arguments(options, out);
    warn_of_config(options, out);
    warn_of_database(options, OPTION_DATABASE_URL, out);
    warn_of_database(options, OPTION_DATABASE_READ_URL, out);
    warn_of_database(options, OPTION_SOURCE_DATABASE_URL, out);
    warn_of_url(options, OPTION_TRACKING_URI, tracking, 2, out);
    warn_of_url(options, OPTION_REGISTRY_URL, registry, 2, out);
    warn_of_url(options, OPTION_STREAM_URL, stream, 1, out);
    if (options->values[OPTION_TRACKING_INSECURE].number)
        buffer_printf(out, "MLFLOW_TRACKING_INSECURE_TLS: any server can pass for MLflow; set "
                           "MLFLOW_TRACKING_SERVER_CERT_PATH instead\n");
    warn_of_kafka(options, out);
}

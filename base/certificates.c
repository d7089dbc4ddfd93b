/* Dates of certificates: see certificates.h. Called at start, and by the daemon's main thread once a day and on SIGHUP.
 * Files that cannot be read are passed over: whoever needs them has the words for it. */
#include "base/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/conninfo.h"
#include "base/file.h"
#include "base/log.h"
#include "base/options_private.h"

enum { CERTIFICATES_MAX = 512, FILE_MAX = 4 << 20 };

/* Of a connection string two, its own before the authorities'. */
static const struct row {
    const char *setting, *property; /* of librdkafka; NULL: of `option` */
    enum option_id option;
    bool is_authority, is_conninfo;
} rows[CERTIFICATE_SETTINGS] = {
    {"KAFKA_SSL_CERTIFICATE_LOCATION", "ssl.certificate.location", 0, false, false},
    {"KAFKA_SSL_CA_LOCATION", "ssl.ca.location", 0, true, false},
    {"SCHEMA_REGISTRY_CA_LOCATION", NULL, OPTION_REGISTRY_CA, true, false},
    {"MLFLOW_TRACKING_SERVER_CERT_PATH", NULL, OPTION_TRACKING_CA, true, false},
    {"DATABASE_URL sslcert", NULL, OPTION_DATABASE_URL, false, true},
    {"DATABASE_URL sslrootcert", NULL, OPTION_DATABASE_URL, true, true},
    {"DATABASE_READ_URL sslcert", NULL, OPTION_DATABASE_READ_URL, false, true},
    {"DATABASE_READ_URL sslrootcert", NULL, OPTION_DATABASE_READ_URL, true, true},
    {"SOURCE_DATABASE_URL sslcert", NULL, OPTION_SOURCE_DATABASE_URL, false, true},
    {"SOURCE_DATABASE_URL sslrootcert", NULL, OPTION_SOURCE_DATABASE_URL, true, true},
};

const char *certificate_setting(size_t setting)
{
    return rows[setting].setting;
}

/* --- files --- */

struct dated {
    X509 *certificate;
    int64_t expires_s;
};

static int64_t expiry_of(const X509 *certificate)
{
    struct tm tm;
    return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) == 1 ? timegm(&tm) : 0;
}

static size_t parse_certificates(struct span pem, struct dated *out)
{
    size_t count = 0;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.bytes);
    X509 *certificate;
    while (bio && count < CERTIFICATES_MAX && (certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)))
        out[count++] = (struct dated){certificate, expiry_of(certificate)};
    BIO_free(bio);
    ERR_clear_error(); /* the end of the file is one */
    return count;
}

/* Of an authority's renewal both are kept for a while. */
static bool is_superseded(const struct dated *list, size_t count, const struct dated *dated)
{
    bool later = false;
    for (size_t i = 0; i < count; i++)
        later |= list[i].expires_s > dated->expires_s && X509_NAME_cmp(X509_get_subject_name(list[i].certificate),
                                                                       X509_get_subject_name(dated->certificate)) == 0;
    return later;
}

/* Of one that is held, the earlier date counts. */
static void keep_earlier(struct certificate *certificate, const struct dated *first, bool is_held)
{
    int64_t held_s = certificate->expires_s;
    certificate->is_replaced = is_held && held_s && first->expires_s > held_s;
    if (certificate->is_replaced)
        return;
    X509_NAME_oneline(X509_get_subject_name(first->certificate), certificate->subject,
                      (int)sizeof certificate->subject);
    certificate->expires_s = first->expires_s;
}

/* `is_held`: the process keeps what it has read until it ends. */
static void read_file(struct certificate *certificate, bool is_held)
{
    struct stat file;
    struct buffer pem = {0};
    struct dated list[CERTIFICATES_MAX];
    size_t count = 0;
    const struct dated *first = NULL;
    if (stat(certificate->file, &file) == 0 && S_ISREG(file.st_mode) &&
        file_read(certificate->file, FILE_MAX, &pem, ERROR_IGNORED) == STATUS_OK)
        count = parse_certificates(buffer_span(&pem), list);
    for (size_t i = 0; i < count; i++)
        if ((!first || list[i].expires_s < first->expires_s) && !is_superseded(list, count, &list[i]))
            first = &list[i];
    if (first)
        keep_earlier(certificate, first, is_held);
    else if (!is_held)
        certificate->expires_s = 0;
    for (size_t i = 0; i < count; i++)
        X509_free(list[i].certificate);
    buffer_free(&pem);
}

/* --- settings --- */

static void find_kafka_file(const struct options *options, const struct row *row, char out[PATH_MAX])
{
    const char *protocol = option_kafka_property(options, "KAFKA_SECURITY_PROTOCOL", "security.protocol");
    const char *file = option_kafka_property(options, row->setting, row->property);
    if (file && protocol && strcasestr(protocol, "ssl"))
        snprintf(out, PATH_MAX, "%s", file);
}

static void find_file(const struct options *options, const struct row *row, char out[PATH_MAX])
{
    const struct option_value *value = &options->values[row->option];
    struct conninfo_tls tls;
    const char *text = NULL;
    out[0] = '\0';
    if (row->property && option_program_has_properties(options->program))
        find_kafka_file(options, row, out);
    else if (row->is_conninfo)
        text = option_conninfo(options, row->option);
    else if (!row->property && option_is_of(&option_rows[row->option], options->program))
        text = secret_text((struct secret){.text = value->text, .file = value->file});
    if (text && row->is_conninfo) {
        conninfo_read_tls(text, &tls);
        snprintf(out, PATH_MAX, "%s", row->is_authority ? tls.authorities : tls.certificate);
    } else if (text) {
        snprintf(out, PATH_MAX, "%s", text);
    }
}

void certificates_read(const struct options *options, struct certificates *certificates)
{
    for (size_t r = 0; r < CERTIFICATE_SETTINGS; r++) {
        find_file(options, &rows[r], certificates->items[r].file);
        read_file(&certificates->items[r], rows[r].property);
    }
}

bool certificate_warning(const struct certificates *certificates, size_t setting, int64_t now_s, struct buffer *out)
{
    char date[32];
    const struct row *row = &rows[setting];
    const struct certificate *certificate = &certificates->items[setting];
    int64_t expires_s = certificate->expires_s, left_s = expires_s - now_s;
    time_t seconds = (time_t)expires_s;
    if (!expires_s || left_s > CERTIFICATE_WARNING_S)
        return false;
    strftime(date, sizeof date, "%F %H:%M UTC", gmtime_r(&seconds, &(struct tm){0}));
    buffer_printf(out, "%s: the certificate of %s in %s ", row->setting, certificate->subject, certificate->file);
    if (left_s > 0)
        buffer_printf(out, "expires in %lld days, on %s: ", (long long)(left_s / 86400), date);
    else
        buffer_printf(out, "expired on %s: ", date);
    if (certificate->is_replaced)
        buffer_printf(out, "the file has a later one; restart to take it");
    else
        buffer_printf(out, "%s%s",
                      row->is_authority ? "add the authority's next one to the file, or remove what no server needs"
                                        : "renew it, with its key",
                      row->property ? ", and restart" : "");
    return true;
}

void certificates_log(const struct certificates *certificates)
{
    struct buffer text = {0};
    for (size_t r = 0; r < CERTIFICATE_SETTINGS; r++) {
        buffer_clear(&text);
        if (certificate_warning(certificates, r, clock_real_us(&clock_system) / 1000000, &text)) {
            buffer_add_u8(&text, '\0');
            log_warn("certificates", "%s", text.data);
        }
    }
    buffer_free(&text);
}

void option_log_certificates(const struct options *options)
{
    struct certificates certificates = {0};
    certificates_read(options, &certificates);
    certificates_log(&certificates);
}

/* base/certificates.c: of the files that the settings name, the date that matters is found and warned of in time. */
#include "tests/unit/base/unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/certificates.h"
#include "base/file.h"
#include "base/options_private.h"

enum { DAY_S = 86400 };

static char path[64];
static EVP_PKEY *key;

/* Appends a certificate of that name, signed by itself, which expires so many days and an hour from now. */
static void add_certificate(struct buffer *pem, const char *name, long days)
{
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0),
                     1);
    X509_set_issuer_name(certificate, subject);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -400L * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), days * DAY_S + 3600);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    long bytes = BIO_get_mem_data(bio, &data);
    buffer_add(pem, data, (size_t)bytes);
    BIO_free(bio);
    X509_free(certificate);
}

struct named {
    const char *name;
    long days;
};

/* The file of this test, of these certificates; a name NULL ends them. */
static void write_file(const struct named *list)
{
    struct error err;
    struct buffer pem = {0};
    buffer_add_text(&pem, "a title above\n");
    for (; list->name; list++)
        add_certificate(&pem, list->name, list->days);
    assert_int_equal(file_write_atomic(path, buffer_span(&pem), &err), STATUS_OK);
    buffer_free(&pem);
}
#define FILE_OF(...) write_file((const struct named[]){__VA_ARGS__, {NULL, 0}})

static struct options *parse(char **environment)
{
    static const struct subcommand rows[] = {{"run", "", "run the daemon", .run = NULL}, {0}};
    char name[] = "program", *argv[] = {name, NULL};
    bool exit_now;
    struct options *options = NULL;
    struct error err;
    assert_int_equal(options_parse(PROGRAM_SCORER, rows, 1, argv, environment, &options, &exit_now, &err), STATUS_OK);
    return options;
}

/* The only warning of this environment has the parts; "": there is none. */
static void assert_warning(struct certificates *certificates, char **environment, const char *setting, const char *part)
{
    struct options *options = parse(environment);
    struct buffer text = {0};
    size_t warned = 0;
    certificates_read(options, certificates);
    for (size_t s = 0; s < CERTIFICATE_SETTINGS; s++)
        warned += certificate_warning(certificates, s, time(NULL), &text);
    buffer_add_u8(&text, '\0');
    if (warned != (*part != 0) || !strstr(text.data, part) || strncmp(text.data, setting, strlen(setting)))
        print_error("%s\n", text.data);
    assert_int_equal(warned, *part != 0);
    assert_non_null(strstr(text.data, part));
    assert_int_equal(strncmp(text.data, setting, strlen(setting)), 0);
    buffer_free(&text);
    options_free(options);
}

/* "VARIABLE=" and the file, with `after` behind it. */
static char *names_file(const char *before, const char *after)
{
    static char texts[2][256];
    static size_t next;
    char *text = texts[next++ % 2];
    snprintf(text, sizeof *texts, "%s%s%s", before, path, after);
    return text;
}

static void expect(char **environment, const char *setting, const char *part)
{
    struct certificates certificates = {0};
    assert_warning(&certificates, environment, setting, part);
}

#define LIST(...) ((char **)(uintptr_t)(const char *[]){__VA_ARGS__, NULL})
#define WITH_TLS "KAFKA_SECURITY_PROTOCOL=sasl_ssl"

static void every_setting_is_looked_at(void **state)
{
    (void)state;
    FILE_OF({"soon", 10});
    expect(LIST(WITH_TLS, names_file("KAFKA_SSL_CERTIFICATE_LOCATION=", "")),
           "KAFKA_SSL_CERTIFICATE_LOCATION: ", "and restart");
    expect(LIST(WITH_TLS, names_file("KAFKA_SSL_CA_LOCATION=", "")), "KAFKA_SSL_CA_LOCATION: ", "authority");
    expect(LIST("KAFKA_SECURITY_PROTOCOL=PLAINTEXT", names_file("KAFKA_SSL_CA_LOCATION=", "")), "", "");
    expect(LIST(names_file("SCHEMA_REGISTRY_CA_LOCATION=", "")), "SCHEMA_REGISTRY_CA_LOCATION: ", path);
    expect(LIST(names_file("MLFLOW_TRACKING_SERVER_CERT_PATH=", "")), "MLFLOW_TRACKING_SERVER_CERT_PATH: ", path);
    expect(LIST(names_file("DATABASE_URL=host=h sslcert='", "' password=hush")), "DATABASE_URL sslcert: ", "its key");
    expect(LIST(names_file("DATABASE_URL=postgresql://h/d?sslrootcert=", "")), "DATABASE_URL sslrootcert: ", path);
    expect(LIST(names_file("DATABASE_READ_URL=host=h sslcert=", "")), "DATABASE_READ_URL sslcert: ", path);
    expect(LIST("DATABASE_URL=host=/run/x", names_file("SCHEMA_REGISTRY_CA_LOCATION=", ".none")), "", "");
    expect(LIST("SCHEMA_REGISTRY_CA_LOCATION=/tmp"), "", "");
}

static void the_date_that_matters_is_found(void **state)
{
    (void)state;
    char *const environment[] = {names_file("SCHEMA_REGISTRY_CA_LOCATION=", ""), NULL}, **list = (char **)environment;
    const char *setting = "SCHEMA_REGISTRY_CA_LOCATION: ";
    FILE_OF({"a", 31}, {"b", 400});
    expect(list, "", "");
    FILE_OF({"a", 400}, {"b", 29}, {"c", 30});
    expect(list, setting, "/CN=b in ");
    expect(list, setting, "expires in 29 days, on ");
    FILE_OF({"a", -3}, {"b", 400});
    expect(list, setting, "/CN=a in ");
    expect(list, setting, "expired on ");
    FILE_OF({"a", -3}, {"b", 400}, {"a", 400});
    expect(list, "", "");
    FILE_OF({NULL, 0});
    expect(list, "", "");
}

/* A Kafka client has read its files once; others read them at each connection. */
static void what_is_read_once_is_warned_of_until_the_end(void **state)
{
    (void)state;
    struct certificates kafka = {0}, registry = {0};
    char **of_kafka = LIST(WITH_TLS, names_file("KAFKA_SSL_CERTIFICATE_LOCATION=", ""));
    char **of_registry = LIST(names_file("SCHEMA_REGISTRY_CA_LOCATION=", ""));
    FILE_OF({"a", 10});
    assert_warning(&kafka, of_kafka, "KAFKA", "renew it");
    assert_warning(&registry, of_registry, "SCHEMA", "/CN=a");
    FILE_OF({"b", 400});
    assert_warning(&kafka, of_kafka, "KAFKA", "the file has a later one; restart to take it");
    assert_warning(&registry, of_registry, "", "");
    assert_true(registry.items[2].expires_s > time(NULL) + 399 * DAY_S);
    assert_true(kafka.items[0].expires_s < time(NULL) + 11 * DAY_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_is_looked_at),
        cmocka_unit_test(the_date_that_matters_is_found),
        cmocka_unit_test(what_is_read_once_is_warned_of_until_the_end),
    };
    snprintf(path, sizeof path, "/tmp/test-certificates-%ld", (long)getpid());
    key = EVP_EC_gen("P-256");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    EVP_PKEY_free(key);
    unlink(path);
    return failed;
}

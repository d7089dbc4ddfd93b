/* When the certificates expire that the settings name: what this process shows to servers (its own), and what it trusts
 * them by (of authorities). Dates alone: whether a certificate is right, its user finds out. */
#pragma once

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct options;

enum { CERTIFICATE_SETTINGS = 10, CERTIFICATE_WARNING_S = 30 * 86400 };

struct certificate {
    _Atomic int64_t expires_s; /* since 1970; 0: the setting names no file, or none that holds a certificate */
    bool is_replaced;          /* the file has a later one, which is taken at the next start */
    char file[PATH_MAX], subject[256];
};

/* By setting. Plain data, zero at first. One thread reads them; any may ask for a date meanwhile. */
struct certificates {
    struct certificate items[CERTIFICATE_SETTINGS];
};

/* Looks at the files, again too: at a dozen small ones, milliseconds. Of a file with several certificates the first to
 * expire counts, where none of a later date has its subject. Directories, and the system's own authorities, are not
 * looked at. */
void certificates_read(const struct options *options, struct certificates *certificates);

/* "KAFKA_SSL_CA_LOCATION", "DATABASE_URL sslcert". */
const char *certificate_setting(size_t setting);

/* Appends what to do about one that has expired or will within CERTIFICATE_WARNING_S, without a line's end; false, and
 * nothing, for the others. `now_s` is real time. */
bool certificate_warning(const struct certificates *certificates, size_t setting, int64_t now_s, struct buffer *out);
/* A line in the log for each of those. */
void certificates_log(const struct certificates *certificates);

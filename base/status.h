/* How a fallible function reports: it returns a status and fills an error text for people.
 *
 * Every fallible function takes `struct error *err` last and returns `enum status`; on anything but STATUS_OK the
 * text says what failed, where, and what to do, in one line. Out-parameters are written only on success.
 * A programmer's error asserts; running out of memory aborts (memory.h). */
#pragma once

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

enum status {
    STATUS_OK = 0,
    STATUS_INVALID,     /* what was given is wrong: bytes, rows, options, files; trying again changes nothing */
    STATUS_NOT_FOUND,   /* a name that does not exist: file, topic, model, alias */
    STATUS_UNSUPPORTED, /* well-formed, but not something this program can do exactly */
    STATUS_LIMIT,       /* larger or deeper than a stated limit */
    STATUS_UNAVAILABLE, /* a server or resource is unavailable: wait and try again */
    STATUS_DENIED,      /* credentials or permissions were refused */
    STATUS_CONFLICT,    /* somebody else changed it first, or we were fenced */
    STATUS_IO,          /* reading or writing a file failed */
};

struct error {
    enum status status;
    char text[512]; /* one line, no newline, never a secret or a payload value */
};

/* The `err` of a call whose text nobody reads: it is never NULL. */
#define ERROR_IGNORED (&(struct error){.status = STATUS_OK})

/* Fills err and returns status, so that a failure is `return error_set(err, …)`. */
enum status error_set(struct error *err, enum status status, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the text already in err and returns its status. */
enum status error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

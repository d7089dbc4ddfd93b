/* One line per happening on standard error: what, where, what to do. Never a payload value, never a secret.
 * Text form: `2026-11-23T10:00:00.123Z warn sink: PostgreSQL is unavailable, …`; JSON form by --log-format=json.
 * Thread-safe: a line is one write(2). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Process-wide; call once at start, before threads. Default: info, text. */
void log_setup(enum log_level level, enum log_format format);
void log_line(enum log_level level, const char *where, const char *format, ...) PRINTF_LIKE(3, 4);

/* A value of a line that programs read; text NULL: the number counts. */
struct log_field {
    const char *name, *text;
    int64_t number;
};

/* The same line with named values after the message: name=value in text form, members in JSON form. */
void log_fields(enum log_level level, const char *where, const char *message, const struct log_field *fields,
                size_t count);

#define log_error(where, ...) log_line(LOG_LEVEL_ERROR, where, __VA_ARGS__)
#define log_warn(where, ...) log_line(LOG_LEVEL_WARN, where, __VA_ARGS__)
#define log_info(where, ...) log_line(LOG_LEVEL_INFO, where, __VA_ARGS__)
#define log_debug(where, ...) log_line(LOG_LEVEL_DEBUG, where, __VA_ARGS__)

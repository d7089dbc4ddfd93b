/* Log lines: see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/json.h"

static enum log_level log_threshold = LOG_LEVEL_INFO;
static enum log_format log_form = LOG_FORMAT_TEXT;

void log_setup(enum log_level level, enum log_format format)
{
    log_threshold = level;
    log_form = format;
}

static void timestamp(char out[32])
{
    struct timespec now;
    struct tm utc;
    char seconds[24];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, 32, "%s.%03uZ", seconds, (unsigned)(now.tv_nsec / 1000000) % 1000);
}

void log_line(enum log_level level, const char *where, const char *format, ...)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (level > log_threshold)
        return;
    char time_text[32], message[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    text_flatten(message);
    timestamp(time_text);
    struct buffer line = {0};
    if (log_form == LOG_FORMAT_JSON) {
        buffer_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"where\":\"%s\",\"message\":", time_text, names[level],
                      where);
        json_add_text(&line, span_of(message));
        buffer_add_text(&line, "}\n");
    } else {
        buffer_printf(&line, "%s %s %s: %s\n", time_text, names[level], where, message);
    }
    ssize_t written = write(STDERR_FILENO, line.data, line.bytes);
    (void)written; /* standard error itself is gone: there is nowhere left to say so */
    buffer_free(&line);
}

/* Log lines: see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
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

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static void line_begin(struct buffer *line, enum log_level level, const char *where, const char *message)
{
    char time_text[32];
    timestamp(time_text);
    if (log_form == LOG_FORMAT_JSON) {
        buffer_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"where\":\"%s\",\"message\":", time_text,
                      level_names[level], where);
        json_add_text(line, span_of(message));
    } else {
        buffer_printf(line, "%s %s %s: %s", time_text, level_names[level], where, message);
    }
}

static void line_end(struct buffer *line)
{
    buffer_add_text(line, log_form == LOG_FORMAT_JSON ? "}\n" : "\n");
    ssize_t written = write(STDERR_FILENO, line->data, line->bytes);
    (void)written; /* standard error itself is gone: there is nowhere left to say so */
    buffer_free(line);
}

void log_line(enum log_level level, const char *where, const char *format, ...)
{
    if (level > log_threshold)
        return;
    char message[2048];
    struct buffer line = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    text_flatten(message);
    line_begin(&line, level, where, message);
    line_end(&line);
}

static void field_add(struct buffer *line, const struct log_field *field)
{
    bool json = log_form == LOG_FORMAT_JSON;
    buffer_printf(line, json ? ",\"%s\":" : " %s=", field->name);
    if (!field->text) {
        json_add_int(line, field->number);
        return;
    }
    char text[512];
    snprintf(text, sizeof text, "%s", field->text);
    text_flatten(text);
    if (json)
        json_add_text(line, span_of(text));
    else
        buffer_add_text(line, text);
}

void log_fields(enum log_level level, const char *where, const char *message, const struct log_field *fields,
                size_t count)
{
    struct buffer line = {0};
    if (level > log_threshold)
        return;
    line_begin(&line, level, where, message);
    for (size_t i = 0; i < count; i++)
        field_add(&line, &fields[i]);
    line_end(&line);
}

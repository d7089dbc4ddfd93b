/* Log lines: see log.h. */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json_writer.h"

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

/* A line being written; its JSON is not used with LOG_FORMAT_TEXT. */
struct log_text {
    struct buffer out;
    struct json_writer json;
};

static void line_begin(struct log_text *line, enum log_level level, const char *where, const char *message)
{
    char time_text[32];
    timestamp(time_text);
    if (log_form == LOG_FORMAT_TEXT) {
        buffer_printf(&line->out, "%s %s %s: %s", time_text, level_names[level], where, message);
        return;
    }
    line->json = json_writer_of(&line->out);
    json_begin_object(&line->json, NULL);
    json_write_string(&line->json, "time", time_text);
    json_write_string(&line->json, "level", level_names[level]);
    json_write_string(&line->json, "where", where);
    json_write_string(&line->json, "message", message);
}

static void line_end(struct log_text *line)
{
    if (log_form == LOG_FORMAT_JSON)
        json_end_object(&line->json);
    buffer_add_u8(&line->out, '\n');
    ssize_t written = write(STDERR_FILENO, line->out.data, line->out.bytes);
    (void)written; /* standard error itself is gone: there is nowhere left to say so */
    buffer_free(&line->out);
}

void log_line(enum log_level level, const char *where, const char *format, ...)
{
    if (level > log_threshold)
        return;
    char message[2048];
    struct log_text line = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    text_flatten(message);
    line_begin(&line, level, where, message);
    line_end(&line);
}

static void field_add(struct log_text *line, const struct log_field *field)
{
    char text[512];
    bool json = log_form == LOG_FORMAT_JSON;
    snprintf(text, sizeof text, "%s", field->text ? field->text : "");
    text_flatten(text);
    if (json && field->text)
        json_write_string(&line->json, field->name, text);
    else if (json)
        json_write_int(&line->json, field->name, field->number);
    else if (field->text)
        buffer_printf(&line->out, " %s=%s", field->name, text);
    else
        buffer_printf(&line->out, " %s=%" PRId64, field->name, field->number);
}

void log_fields(enum log_level level, const char *where, const char *message, const struct log_field *fields,
                size_t count)
{
    struct log_text line = {0};
    if (level > log_threshold)
        return;
    line_begin(&line, level, where, message);
    for (size_t i = 0; i < count; i++)
        field_add(&line, &fields[i]);
    line_end(&line);
}

/* Options → struct input_settings: see input_options.h. Called once, before anything is opened. */
#include "producer/input_options.h"

#include "base/text_encoding.h"
#include "producer/input_form.h"

static enum status read_delimiter(const char *text, char *out, struct error *err)
{
    if (text && (strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0))
        text = "\t";
    if (text && (strlen(text) != 1 || strchr("\"\r\n", *text)))
        return error_set(err, STATUS_INVALID, "--delimiter %s: it must be one character (not a quote), or the word tab",
                         text);
    *out = text ? *text : '\0';
    return STATUS_OK;
}

enum status input_options_read(const struct options *options, struct input_settings *settings, struct error *err)
{
    settings->format = options_text(options, OPTION_FORMAT);
    settings->query = options_text(options, OPTION_FROM_QUERY);
    settings->database_url = options_text(options, OPTION_SOURCE_DATABASE_URL);
    if (settings->query && !settings->database_url)
        return error_set(err, STATUS_INVALID, "--from-query needs SOURCE_DATABASE_URL: where the query is to run");
    settings->encoding = options_text(options, OPTION_ENCODING);
    settings->decimal_comma = options_flag(options, OPTION_DECIMAL_COMMA);
    settings->time_unit = time_unit_find(options_text(options, OPTION_TIME_UNIT));
    if (settings->format && input_form_check(settings->format, err) != STATUS_OK)
        return err->status;
    if (settings->encoding && text_encoding_check(settings->encoding, err) != STATUS_OK)
        return error_prefix(err, "--encoding");
    if (!null_values_parse(options_text(options, OPTION_NULL_VALUES), &settings->null_values))
        return error_set(err, STATUS_INVALID, "--null-values has more than %d texts", NULL_VALUES_MAX);
    return read_delimiter(options_text(options, OPTION_DELIMITER), &settings->delimiter, err);
}

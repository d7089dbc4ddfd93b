/* Rows of the table as they stand, features as lines: see describe.h. Called where rows were asked for. */
#include <math.h>
#include <stdio.h>

#include "base/json_writer.h"
#include "base/page.h"
#include "trainer/report/describe_facts.h"

enum { TEXT_BYTES = 200, PRINTED_ROWS = 5, PRINTED_COLUMNS = 14, ROW_NAME_BYTES = 32 };

static size_t rows_shown(const struct description *description)
{
    size_t kept = description->sample.count;
    return description->sample_rows < kept ? description->sample_rows : kept;
}

/* NULL: no value in that row, or none that can be read. Rows stand evenly spread over those that were kept. */
static const struct value_count *sample_value(const struct description *description, size_t column, size_t row)
{
    const struct row_sample *sample = &description->sample;
    size_t kept = row * sample->count / rows_shown(description);
    uint32_t code = sample->codes[column * sample->most + kept];
    return code == PAIR_MISSING ? NULL : &description->columns[column].values.entries[code];
}

static struct span sample_label(const struct description *description, size_t row)
{
    const struct row_sample *sample = &description->sample;
    size_t kept = row * sample->count / rows_shown(description);
    uint32_t class = sample->codes[description->schema->column_count * sample->most + kept];
    return class == VALUE_UNLABELLED ? SPAN_NULL : description->schema->target_values[class];
}

static void sample_text(const struct value_count *value, char *out, size_t bytes)
{
    if (!value)
        *out = '\0';
    else if (value->text.data)
        snprintf(out, bytes, "%.*s", (int)(value->text.bytes < bytes ? value->text.bytes : bytes), value->text.data);
    else
        snprintf(out, bytes, "%.10g", value->number);
    text_flatten(out);
}

void describe_print_sample(const struct description *description)
{
    size_t rows = rows_shown(description) < PRINTED_ROWS ? rows_shown(description) : PRINTED_ROWS;
    char text[TEXT_BYTES];
    if (rows == 0)
        return;
    printf("rows of the file, features as lines%s:\n",
           rows_shown(description) > rows ? " (the page and --json have more)" : "");
    for (size_t c = 0; c < description->schema->column_count; c++) {
        printf("%-25.25s", description->columns[c].name);
        for (size_t r = 0; r < rows; r++) {
            sample_text(sample_value(description, c, r), text, sizeof text);
            putchar(' ');
            describe_print_cut(text, PRINTED_COLUMNS);
        }
        putchar('\n');
    }
    for (size_t r = 0; r < rows && description->labelled; r++) {
        struct span label = sample_label(description, r);
        if (r == 0)
            printf("%-25.25s", description->schema->target_name);
        printf(" %-14.*s", (int)label.bytes, label.data ? label.data : "");
    }
    puts(description->labelled ? "\n" : "");
}

void describe_page_sample(const struct description *description, struct buffer *out)
{
    char names[SAMPLE_ROWS_MOST][ROW_NAME_BYTES], text[TEXT_BYTES];
    const char *columns[SAMPLE_ROWS_MOST + 1] = {"feature"};
    size_t rows = rows_shown(description);
    if (rows == 0)
        return;
    for (size_t r = 0; r < rows; r++) {
        snprintf(names[r], ROW_NAME_BYTES, "row %zu", r + 1);
        columns[r + 1] = names[r];
    }
    page_element(out, "h2", "Rows of the file");
    page_table_begin(out, columns, rows + 1, rows);
    for (size_t c = 0; c < description->schema->column_count; c++) {
        buffer_add_text(out, "<tr>");
        page_element(out, "td", "%s", description->columns[c].name);
        for (size_t r = 0; r < rows; r++) {
            sample_text(sample_value(description, c, r), text, sizeof text);
            page_element(out, "td class=\"text\"", "%s", text);
        }
        buffer_add_text(out, "</tr>\n");
    }
    page_table_end(out);
}

static void write_value(struct json_writer *json, const struct column_facts *facts, const struct value_count *value)
{
    if (!value)
        json_write_null(json, facts->name);
    else if (value->text.data)
        json_write_text(json, facts->name, value->text);
    else
        json_write_double(json, facts->name, value->number);
}

void describe_json_sample(const struct description *description, struct json_writer *json)
{
    json_begin_array(json, "sample_rows");
    for (size_t r = 0; r < rows_shown(description); r++) {
        json_begin_object(json, NULL);
        for (size_t c = 0; c < description->schema->column_count; c++)
            write_value(json, &description->columns[c], sample_value(description, c, r));
        if (description->labelled)
            json_write_text(json, description->schema->target_name, sample_label(description, r));
        json_end_object(json);
    }
    json_end_array(json);
}

/* The training table's distributions as JSON: what live data are compared with. See report.h. Pure. */
#include "base/json_writer.h"
#include "trainer/report/report_parts.h"

static void add_share(struct json_writer *json, size_t count, size_t rows)
{
    json_write_double(json, "share", (double)count / (double)rows);
    json_write_uint(json, "count", count);
}

static void drift_add_bar(struct json_writer *json, const struct column *column, const struct bar *bar, size_t place,
                          size_t rows)
{
    json_begin_object(json, NULL);
    if (column->kind == COLUMN_NOMINAL) {
        json_write_text(json, "value", column->values[place]);
    } else {
        json_write_double(json, "low", bar->low);
        json_write_double(json, "high", bar->high);
    }
    add_share(json, bar_count(bar), rows);
    json_end_object(json);
}

static void drift_add_column(struct json_writer *json, const struct table *table, size_t c)
{
    static const char *const kinds[] = {"numeric", "ordinal", "nominal"};
    const struct column *column = &table->schema->columns[c];
    struct histogram histogram;
    size_t missing;
    report_histogram(table, c, &histogram, &missing);
    json_begin_object(json, NULL);
    json_write_string(json, "name", column->name);
    json_write_string(json, "kind", kinds[column->kind]);
    json_begin_object(json, "missing");
    json_write_null(json, "value");
    add_share(json, missing, table->row_count);
    json_end_object(json);
    json_begin_array(json, column->kind == COLUMN_NOMINAL ? "categories" : "bins");
    for (size_t b = 0; b < histogram.count; b++)
        drift_add_bar(json, column, &histogram.bars[b], b, table->row_count);
    json_end_array(json);
    json_end_object(json);
    histogram_clear(&histogram);
}

void report_write_drift(const struct training *training, struct buffer *out)
{
    const struct table *table = training->table;
    struct json_writer json = json_begin_document(out);
    json_write_string(&json, "data_sha256", table->sha256);
    json_write_string(&json, "schema_digest", table->schema->digest);
    json_write_uint(&json, "rows", table->row_count);
    json_begin_array(&json, "columns");
    for (size_t c = 0; c < table->schema->column_count; c++) {
        json_break(&json);
        drift_add_column(&json, table, c);
    }
    json_break(&json);
    json_end_array(&json);
    json_end_document(&json);
}

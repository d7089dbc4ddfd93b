/* The training table's distributions as JSON: what live data are compared with. See report.h. Pure. */
#include "base/json.h"
#include "trainer/report/report.h"

static void add_share(struct buffer *out, size_t count, size_t rows)
{
    buffer_add_text(out, ",\"share\":");
    json_add_double(out, (double)count / (double)rows);
    buffer_printf(out, ",\"count\":%zu}", count);
}

static void add_bar(struct buffer *out, const struct column *column, const struct bar *bar, size_t place, size_t rows)
{
    if (column->kind == COLUMN_NOMINAL) {
        buffer_add_text(out, "{\"value\":");
        json_add_text(out, column->values[place]);
    } else {
        buffer_add_text(out, "{\"low\":");
        json_add_double(out, bar->low);
        buffer_add_text(out, ",\"high\":");
        json_add_double(out, bar->high);
    }
    add_share(out, bar_count(bar), rows);
}

static void add_column(struct buffer *out, const struct table *table, size_t c)
{
    const struct column *column = &table->schema->columns[c];
    struct histogram histogram;
    size_t missing;
    report_histogram(table, c, &histogram, &missing);
    buffer_add_text(out, "{\"name\":");
    json_add_text(out, span_of(column->name));
    buffer_printf(out, ",\"kind\":\"%s\",\"missing\":{\"value\":null",
                  column->kind == COLUMN_NOMINAL   ? "nominal"
                  : column->kind == COLUMN_ORDINAL ? "ordinal"
                                                   : "numeric");
    add_share(out, missing, table->row_count);
    buffer_printf(out, ",\"%s\":[", column->kind == COLUMN_NOMINAL ? "categories" : "bins");
    for (size_t b = 0; b < histogram.count; b++) {
        buffer_add_text(out, b ? "," : "");
        add_bar(out, column, &histogram.bars[b], b, table->row_count);
    }
    buffer_add_text(out, "]}");
    histogram_clear(&histogram);
}

void report_write_drift(const struct training *training, struct buffer *out)
{
    const struct table *table = training->table;
    buffer_printf(out, "{\"data_sha256\":\"%s\",\"schema_digest\":\"%s\",\"rows\":%zu,\"columns\":[", table->sha256,
                  table->schema->digest, table->row_count);
    for (size_t c = 0; c < table->schema->column_count; c++) {
        buffer_add_text(out, c ? ",\n" : "\n");
        add_column(out, table, c);
    }
    buffer_add_text(out, "\n]}\n");
}

/* trainer table: the prediction log and the outcomes as a labelled table. Called by main, on its only thread. Nothing
 * is written unless the whole table is there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "trainer/commands.h"
#include "trainer/log_dates.h"
#include "trainer/log_table.h"

static enum status table_make(const struct options *options, const struct schema *schema, struct log_reader *rows,
                              struct buffer *out, struct error *err)
{
    struct log_dates dates;
    const struct log_table_rules rules = log_table_rules_of(options);
    size_t kept = 0;
    enum status status = log_dates_read(options, rows, 1, &dates, err);
    if (status != STATUS_OK)
        return status;
    log_table_header(schema, out);
    for (size_t d = 0; d < dates.count && status == STATUS_OK; d++) {
        struct log_table_date date;
        status = log_table_add(rows, schema, dates.items[d], &rules, out, &date, err);
        if (status == STATUS_OK)
            log_table_report(&date);
        kept += date.rows[LOG_ROW_KEPT];
    }
    log_dates_clear(&dates);
    if (status == STATUS_OK && !kept)
        return error_set(err, STATUS_NOT_FOUND,
                         "no row is left: give dates (--as-of) at which records had been scored and whose horizon has "
                         "passed; of a history that was sent later: --known-since occurred");
    return status;
}

static enum status table_write(const struct options *options, struct span table, struct error *err)
{
    const char *path = options_text(options, OPTION_OUTPUT);
    if (path && strcmp(path, "-") != 0)
        return file_write_private(path, table, err);
    if (fwrite(table.data, 1, table.bytes, stdout) != table.bytes || fflush(stdout) != 0)
        return error_set(err, STATUS_IO, "cannot write the table to standard output");
    return STATUS_OK;
}

enum status command_table(const struct options *options, struct error *err)
{
    struct schema *schema;
    struct log_reader *rows = NULL;
    struct buffer table = {0};
    if (schema_load(options_text(options, OPTION_SCHEMAS_DIR), &schema, err) != STATUS_OK)
        return err->status;
    enum status status = log_reader_open(options_text(options, OPTION_DATABASE_URL), "attrition-table", &rows, err);
    if (status == STATUS_OK)
        status = table_make(options, schema, rows, &table, err);
    if (status == STATUS_OK)
        status = table_write(options, buffer_span(&table), err);
    log_reader_close(rows);
    buffer_free(&table);
    schema_free(schema);
    return status;
}

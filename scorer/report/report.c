/* `scorer report`: one month as a page for the people who answer for the model. Main thread; needs the database alone,
 * and changes nothing but which days are counted (report_query.h).
 *
 * report_parts.c says what is asked, report_query.c asks, report_page.c and report_plots.c write. The page is complete
 * before any of it is written. */
#include "scorer/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "scorer/report/report_month.h"
#include "scorer/report/report_page.h"

static enum status write_page(const char *path, struct span page, struct error *err)
{
    if (path)
        return file_write_atomic(path, page, err);
    if (fwrite(page.data, 1, page.bytes, stdout) < page.bytes || fflush(stdout) != 0)
        return error_set(err, STATUS_IO, "standard output cannot be written: %s", strerror(errno));
    return STATUS_OK;
}

static enum status make_report(const struct options *options, const struct report_month *month, int64_t now_us,
                               struct error *err)
{
    struct report_database *database;
    struct buffer page = {0};
    const char *url = options_text(options, OPTION_DATABASE_URL);
    if (report_database_open(url ? url : "", month, &database, err) != STATUS_OK)
        return err->status;
    enum status status = report_write(database, month, now_us, &page, err);
    report_database_close(database);
    if (status == STATUS_OK)
        status = write_page(options_text(options, OPTION_REPORT_OUTPUT), buffer_span(&page), err);
    buffer_free(&page);
    return status;
}

int cmd_report(const struct options *options)
{
    struct report_month month;
    struct error err;
    int64_t now_us = clock_real_us(&clock_system);
    if (report_month_read(options_text(options, OPTION_REPORT_MONTH), now_us, &month, &err) != STATUS_OK) {
        log_error("report", "%s", err.text);
        return 2;
    }
    if (make_report(options, &month, now_us, &err) == STATUS_OK)
        return 0;
    log_error("report", "%s", err.text);
    return 1;
}

/* See log_dates.h. Called by the trainer's commands, on their only thread. */
#include "trainer/log_dates.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "events/timestamp.h"

int64_t log_date_ms(const char *date)
{
    int64_t ms = 0;
    return timestamp_parse(span_of(date), &ms) ? ms : 0;
}

static int compare_dates(const void *a, const void *b)
{
    int64_t left = log_date_ms(*(char *const *)a), right = log_date_ms(*(char *const *)b);
    return (left > right) - (left < right);
}

static enum status log_dates_given(const char *text, struct log_dates *out, struct error *err)
{
    int64_t ms;
    for (const char *at = text; *at;) {
        size_t bytes = strcspn(at, "\n");
        if (!timestamp_parse((struct span){at, bytes}, &ms))
            return error_set(err, STATUS_INVALID,
                             "--as-of %.*s: give a day or a time, such as 2026-01-01 or 2026-01-01T12:00:00Z",
                             (int)(bytes < 40 ? bytes : 40), at);
        out->items[out->count++] = mem_text_n(at, bytes);
        at += bytes + (at[bytes] == '\n');
    }
    qsort(out->items, out->count, sizeof *out->items, compare_dates);
    size_t kept = 0;
    for (size_t d = 0; d < out->count; d++) {
        if (kept && log_date_ms(out->items[kept - 1]) == log_date_ms(out->items[d]))
            free(out->items[d]);
        else
            out->items[kept++] = out->items[d];
    }
    out->count = kept;
    return STATUS_OK;
}

static enum status log_dates_passed(struct log_reader *rows, int64_t horizon_us, size_t count, struct log_dates *out,
                                    struct error *err)
{
    static const char sql[] = "SELECT to_char(now() - n * $1::interval, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') "
                              "FROM generate_series($2::integer, 1, -1) AS n";
    char horizon[48], most[24];
    const char *const values[] = {horizon, most};
    bool more = true;
    snprintf(horizon, sizeof horizon, "%" PRId64 " microseconds", horizon_us);
    snprintf(most, sizeof most, "%zu", count);
    enum status status = log_reader_query(rows, "asking for the time", sql, 2, values, err);
    while (status == STATUS_OK && more) {
        status = log_reader_next(rows, &more, err);
        if (status != STATUS_OK || !more)
            break;
        struct span text = log_reader_text(rows, 0);
        out->items[out->count++] = mem_text_n(text.data, text.bytes);
    }
    return status;
}

enum status log_dates_read(const struct options *options, struct log_reader *rows, size_t fallback_count,
                           struct log_dates *out, struct error *err)
{
    const char *given = options_text(options, OPTION_AS_OF);
    size_t most = 1 + fallback_count;
    for (const char *at = given ? given : ""; *at; at++)
        most += *at == '\n';
    *out = (struct log_dates){.items = mem_zeroed(most, sizeof *out->items)};
    enum status status =
        given ? log_dates_given(given, out, err)
              : log_dates_passed(rows, options_duration_us(options, OPTION_HORIZON), fallback_count, out, err);
    if (status != STATUS_OK)
        log_dates_clear(out);
    return status;
}

void log_dates_clear(struct log_dates *dates)
{
    for (size_t d = 0; d < dates->count; d++)
        free(dates->items[d]);
    free(dates->items);
    *dates = (struct log_dates){0};
}

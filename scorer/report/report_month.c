/* A month of the calendar: see report_month.h. Pure. */
#include "scorer/report/report_month.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { YEAR_LEAST = 1970 };

/* "2026-11", and nothing else. */
static bool read_parts(const char *text, int *year, int *month)
{
    static const char form[] = "dddd-dd";
    if (strlen(text) != sizeof form - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return sscanf(text, "%4d-%2d", year, month) == 2 && *year >= YEAR_LEAST && *month >= 1 && *month <= 12;
}

/* Months beyond 12 are of the next year. */
static int64_t start_of(int year, int month, char text[32])
{
    struct tm parts = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1};
    time_t seconds = timegm(&parts);
    (void)strftime(text, 32, "%Y-%m-%d 00:00Z", &parts);
    return (int64_t)seconds * 1000000;
}

enum status report_month_read(const char *text, int64_t now_us, struct report_month *out, struct error *err)
{
    enum { DAY_SECONDS = 86400 };
    int year, month;
    if (!text)
        return error_set(err, STATUS_INVALID, "say which month: --month 2026-11");
    if (!read_parts(text, &year, &month))
        return error_set(err, STATUS_INVALID, "--month: \"%.40s\" is no month: write year and month, as 2026-11", text);
    snprintf(out->text, sizeof out->text, "%s", text);
    out->begin_us = start_of(year, month, out->begin);
    out->end_us = start_of(year, month + 1, out->end);
    out->days = (int)((out->end_us - out->begin_us) / 1000000 / DAY_SECONDS);
    if (out->begin_us > now_us)
        return error_set(err, STATUS_INVALID, "--month: %s has not begun", text);
    return STATUS_OK;
}

/* Progress for people: see progress.h. Called by tools between their steps, never by the daemon. A write that fails is
 * of no consequence to the work and is not reported. */
#include "base/progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"

enum { TERMINAL_STEP_US = 100000, PLAIN_STEP_US = 10000000, COLUMNS_FALLBACK = 80, BAR_LEAST = 10, BAR_MOST = 40 };

void progress_begin(struct progress *progress, FILE *out, const struct clock_source *clock, const char *label,
                    uint64_t total)
{
    int fd = fileno(out);
    *progress = (struct progress){.out = out, .clock = clock, .label = label, .total = total};
    progress->terminal = fd >= 0 && isatty(fd);
    progress->started_us = progress->shown_us = clock_steady_us(clock);
}

static unsigned progress_columns(const struct progress *progress)
{
    struct winsize size = {0};
    if (progress->columns)
        return progress->columns;
    if (ioctl(fileno(progress->out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_FALLBACK;
    return size.ws_col;
}

void progress_add_count(struct buffer *line, uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            buffer_add_u8(line, ',');
        buffer_add_u8(line, (uint8_t)digits[i]);
    }
}

static void add_seconds(struct buffer *line, double seconds)
{
    unsigned long long whole = (unsigned long long)(seconds + 0.5);
    if (whole < 60)
        buffer_printf(line, "%llu s", whole);
    else if (whole < 3600)
        buffer_printf(line, "%llu min %llu s", whole / 60, whole % 60);
    else
        buffer_printf(line, "%llu h %llu min", whole / 3600, whole / 60 % 60);
}

/* ", 12 rejected": where there are any. */
static void add_some(struct buffer *line, uint64_t count, const char *name)
{
    if (!count)
        return;
    buffer_add_text(line, ", ");
    progress_add_count(line, count);
    buffer_add_text(line, name);
}

/* "1,000 of 5,000 rows, 250/s, 2 rejected, 300 in flight, 16 s left"; `over`: "5,000 rows in 20 s, 250/s". */
static void add_figures(struct buffer *line, const struct progress *progress, int64_t now_us, bool over)
{
    double elapsed_s = (double)(now_us - progress->started_us) / 1e6;
    double rate = elapsed_s > 0 ? (double)(progress->done - progress->passed) / elapsed_s : 0;
    progress_add_count(line, progress->done);
    if (progress->total && !(over && progress->done >= progress->total)) {
        buffer_add_text(line, " of ");
        progress_add_count(line, progress->total);
    }
    buffer_printf(line, " %s", progress->label);
    if (over) {
        buffer_add_text(line, " in ");
        add_seconds(line, elapsed_s);
    }
    buffer_add_text(line, ", ");
    progress_add_count(line, (uint64_t)rate);
    buffer_add_text(line, "/s");
    add_some(line, progress->rejected, " rejected");
    add_some(line, progress->in_flight, over ? " not known" : " in flight");
    if (!over && progress->total > progress->done && rate > 0) {
        buffer_add_text(line, ", ");
        add_seconds(line, (double)(progress->total - progress->done) / rate);
        buffer_add_text(line, " left");
    }
}

/* "[#####.....]  50 %  ", as wide as the figures leave room for; the share alone where that is too little, or nothing.
 */
static void progress_add_bar(struct buffer *line, const struct progress *progress, size_t figures_bytes)
{
    size_t frame_bytes = sizeof "[] 100 %  ", columns = progress_columns(progress);
    double share = progress->total ? (double)progress->done / (double)progress->total : 0;
    share = share < 1 ? share : 1;
    bool has_room = progress->total && columns >= figures_bytes + frame_bytes + BAR_LEAST;
    if (progress->total && !has_room && columns >= figures_bytes + sizeof "100 %  ")
        buffer_printf(line, "%3d %%  ", (int)(share * 100));
    if (!has_room)
        return;
    size_t width = columns - figures_bytes - frame_bytes;
    width = width < BAR_MOST ? width : BAR_MOST;
    size_t full = (size_t)(share * (double)width);
    buffer_add_u8(line, '[');
    memset(buffer_reserve(line, width), '.', width);
    memset(line->data + line->bytes, '#', full);
    line->bytes += width;
    buffer_printf(line, "] %3d %%  ", (int)(share * 100));
}

static void progress_draw(struct progress *progress, int64_t now_us, bool over)
{
    struct buffer line = {0}, figures = {0};
    add_figures(&figures, progress, now_us, over);
    if (progress->terminal) {
        size_t columns = progress_columns(progress);
        buffer_add_text(&line, "\r\033[K");
        progress_add_bar(&line, progress, figures.bytes);
        if (figures.bytes >= columns && !over)
            figures.bytes = columns - 1; /* a line that wraps could not be redrawn */
    }
    buffer_add(&line, figures.data, figures.bytes);
    if (over || !progress->terminal)
        buffer_add_u8(&line, '\n');
    fwrite(line.data, 1, line.bytes, progress->out);
    fflush(progress->out);
    buffer_free(&line);
    buffer_free(&figures);
    progress->shown_us = now_us;
}

void progress_update(struct progress *progress, uint64_t done)
{
    int64_t now_us = clock_steady_us(progress->clock);
    progress->done = done;
    if (now_us - progress->shown_us >= (progress->terminal ? TERMINAL_STEP_US : PLAIN_STEP_US))
        progress_draw(progress, now_us, false);
}

void progress_hide(struct progress *progress)
{
    if (!progress->terminal)
        return;
    fputs("\r\033[K", progress->out);
    fflush(progress->out);
    progress->shown_us = clock_steady_us(progress->clock) - TERMINAL_STEP_US;
}

void progress_end(struct progress *progress)
{
    progress_draw(progress, clock_steady_us(progress->clock), true);
}

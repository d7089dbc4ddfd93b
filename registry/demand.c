/* See demand.h. Called by registry promote, on its only thread. */
#include "registry/demand.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"

static enum status refuse_demand(const char *text, size_t bytes, struct error *err)
{
    struct buffer names = {0};
    for (unsigned f = 0; f < REPLAY_FIGURE_COUNT; f++)
        buffer_printf(&names, "%s%s", f ? ", " : "", replay_figure_name((enum replay_figure)f));
    enum status status = error_set(err, STATUS_INVALID,
                                   "--require %.*s: give NAME<=NUMBER or NAME>=NUMBER, such as flips<=0.05 or "
                                   "impact_ratio>=0.8; names: %.*s",
                                   (int)(bytes < 60 ? bytes : 60), text, (int)names.bytes, names.data);
    buffer_free(&names);
    return status;
}

static bool demand_read(const char *text, size_t bytes, struct demand *out)
{
    char *end;
    size_t name = strcspn(text, "<>");
    if (name + 2 >= bytes || text[name + 1] != '=')
        return false;
    out->at_least = text[name] == '>';
    out->bound = strtod(text + name + 2, &end);
    if (end != text + bytes || !isfinite(out->bound) || strchr(" \n", text[name + 2]))
        return false;
    for (unsigned f = 0; f < REPLAY_FIGURE_COUNT; f++)
        if (span_equal((struct span){text, name}, span_of(replay_figure_name((enum replay_figure)f)))) {
            out->figure = (enum replay_figure)f;
            return true;
        }
    return false;
}

enum status demands_read(const char *text, struct demand demands[DEMANDS_MOST], size_t *count, struct error *err)
{
    *count = 0;
    for (const char *at = text ? text : ""; *at;) {
        size_t bytes = strcspn(at, "\n");
        if (*count == DEMANDS_MOST)
            return error_set(err, STATUS_INVALID, "--require: at most %d of them", DEMANDS_MOST);
        if (!demand_read(at, bytes, &demands[*count]))
            return refuse_demand(at, bytes, err);
        ++*count;
        at += bytes + (at[bytes] == OPTION_SEPARATOR);
    }
    return STATUS_OK;
}

/* "-": not known. */
static void show_found(double found, char out[24])
{
    if (isnan(found))
        snprintf(out, 24, "-");
    else
        snprintf(out, 24, "%.6g", found);
}

enum status demands_check(const struct demand *demands, size_t count, const struct replay *replay, struct error *err)
{
    const struct demand *first = NULL;
    size_t unmet = 0;
    char shown[24];
    for (size_t d = 0; d < count; d++) {
        double found = replay_figure(replay, demands[d].figure);
        bool met = demands[d].at_least ? found >= demands[d].bound : found <= demands[d].bound;
        show_found(found, shown);
        printf("  required: %s %s %g; found %s: %s\n", replay_figure_name(demands[d].figure),
               demands[d].at_least ? ">=" : "<=", demands[d].bound, shown,
               met            ? "met"
               : isnan(found) ? "not known, so not met"
                              : "not met");
        first = first || met ? first : &demands[d];
        unmet += !met;
    }
    if (!unmet)
        return STATUS_OK;
    show_found(replay_figure(replay, first->figure), shown);
    return error_set(err, STATUS_DENIED,
                     "%zu of %zu requirements %s not met (first: %s %s %g, found %s), so the alias stays", unmet, count,
                     unmet == 1 ? "is" : "are", replay_figure_name(first->figure),
                     first->at_least ? ">=" : "<=", first->bound, shown);
}

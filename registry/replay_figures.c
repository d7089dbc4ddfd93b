/* What a replay comes to: see replay.h. Pure. */
#include <math.h>

#include "events/people_group.h"
#include "registry/replay.h"

enum { TENTHS = 10 };

double replay_impact_ratio(const struct replay *replay, const struct replay_side *side, size_t column)
{
    size_t first = replay->group_starts[column], end = replay->group_starts[column + 1], groups = 0;
    double least = INFINITY, most = 0;
    for (size_t g = first; g + 1 < end; g++) { /* the last: without a value */
        if (replay->group_rows[g] < REPLAY_GROUP_LEAST)
            continue;
        double share = (double)side->group_flagged[g] / (double)replay->group_rows[g];
        least = fmin(least, share);
        most = fmax(most, share);
        groups++;
    }
    return groups > 1 && most > 0 ? least / most : NAN;
}

double replay_quantile(const struct replay *replay, const struct replay_side *side, double share)
{
    double wanted = share * (double)replay->compared, below = 0;
    for (size_t b = 0; b < REPLAY_BINS; b++) {
        double in = (double)side->bins[b];
        if (in > 0 && below + in >= wanted)
            return ((double)b + (wanted - below) / in) / REPLAY_BINS;
        below += in;
    }
    return 1;
}

/* Σ (p − q) ln(p / q) over tenths of the version in use; no share counts as less than this. */
static const double least_share = 1e-4;

static double risk_shift(const struct replay *replay)
{
    double shift = 0, all = (double)replay->compared, before[2] = {0, 0}, sums[2] = {0, 0};
    for (size_t b = 0, tenth = 1; b < REPLAY_BINS; b++) {
        sums[0] += (double)replay->now.bins[b];
        sums[1] += (double)replay->next.bins[b];
        if (sums[0] < all * (double)tenth / TENTHS && b + 1 < REPLAY_BINS)
            continue;
        double p = fmax((sums[1] - before[1]) / all, least_share), q = fmax((sums[0] - before[0]) / all, least_share);
        shift += (p - q) * log(p / q);
        before[0] = sums[0];
        before[1] = sums[1];
        while (tenth < TENTHS && sums[0] >= all * (double)tenth / TENTHS)
            tenth++;
    }
    return shift;
}

static double least_impact_ratio(const struct replay *replay)
{
    double least = NAN;
    for (size_t c = 0; c < replay->schema->column_count; c++)
        least = fmin(least, replay_impact_ratio(replay, &replay->next, c));
    return least;
}

static double impact_fall(const struct replay *replay)
{
    double most = NAN;
    for (size_t c = 0; c < replay->schema->column_count; c++)
        most = fmax(most, replay_impact_ratio(replay, &replay->now, c) - replay_impact_ratio(replay, &replay->next, c));
    return most;
}

static double share_of(size_t part, size_t all)
{
    return all ? (double)part / (double)all : NAN;
}

double replay_figure(const struct replay *replay, enum replay_figure figure)
{
    size_t all = replay->now.pipeline ? replay->compared : 0; /* of what compares */
    switch (figure) {
    case REPLAY_rows:
        return (double)replay->compared;
    case REPLAY_unscored:
        return share_of(replay->next.unscored, replay->read - replay->refused);
    case REPLAY_flips:
        return share_of(replay->up + replay->down, all);
    case REPLAY_flips_up:
        return share_of(replay->up, all);
    case REPLAY_flips_down:
        return share_of(replay->down, all);
    case REPLAY_flagged:
        return share_of(replay->next.flagged, replay->compared);
    case REPLAY_risk_change:
        return all ? replay->change / (double)all : NAN;
    case REPLAY_risk_shift:
        return all ? risk_shift(replay) : NAN;
    case REPLAY_impact_ratio:
        return least_impact_ratio(replay);
    case REPLAY_impact_fall:
        return impact_fall(replay);
    case REPLAY_reasons_changed:
        return share_of(replay->other_reason, replay->explained);
    case REPLAY_FIGURE_COUNT:
        break;
    }
    return NAN;
}

const char *replay_figure_name(enum replay_figure figure)
{
    static const char *const names[] = {
#define REPLAY_FIGURE(name, is) #name,
        REPLAY_FIGURES(REPLAY_FIGURE)
#undef REPLAY_FIGURE
    };
    return names[figure];
}

/* The table of a replay: see replay.h. */
#include <math.h>
#include <stdio.h>

#include "registry/replay.h"

/* A number of both versions and what is between them; NaN: a dash. */
static void print_line(const char *what, const char *of, double now, double next)
{
    char texts[3][24];
    const double numbers[] = {now, next, next - now};
    for (size_t n = 0; n < 3; n++)
        snprintf(texts[n], sizeof texts[n], isnan(numbers[n]) ? "-" : n == 2 ? "%+.4f" : "%.4f", numbers[n]);
    printf("  %-14s%-27.27s %11s %11s %11s\n", what, of, texts[0], texts[1], texts[2]);
}

static double print_share(size_t part, size_t all)
{
    return all ? (double)part / (double)all : NAN;
}

static void print_risks(const struct replay *replay)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"half are below", 0.5}, {"nine tenths are below", 0.9}};
    bool has_now = replay->now.pipeline;
    size_t all = replay->compared;
    print_line("flagged", "", has_now ? print_share(replay->now.flagged, all) : NAN,
               print_share(replay->next.flagged, all));
    if (!all)
        return;
    print_line("risk", "mean", has_now ? replay->now.risk / (double)all : NAN, replay->next.risk / (double)all);
    for (size_t q = 0; q < sizeof quantiles / sizeof *quantiles; q++)
        print_line("risk", quantiles[q].name, has_now ? replay_quantile(replay, &replay->now, quantiles[q].share) : NAN,
                   replay_quantile(replay, &replay->next, quantiles[q].share));
}

static void print_groups(const struct replay *replay)
{
    for (size_t c = 0; c < replay->schema->column_count; c++) {
        if (replay->group_starts[c] == replay->group_starts[c + 1])
            continue;
        double now = replay->now.pipeline ? replay_impact_ratio(replay, &replay->now, c) : NAN;
        print_line("impact ratio", replay->schema->columns[c].name, now, replay_impact_ratio(replay, &replay->next, c));
    }
}

/* Attributes whose share of first reasons moves by at least so much. */
static const double moved = 0.01;

static void print_reasons(const struct replay *replay)
{
    if (!replay->explained)
        printf("  reasons cannot be compared: one of the versions has none\n");
    for (size_t c = 0; c < replay->schema->column_count && replay->explained; c++) {
        double now = print_share(replay->now.first_reasons[c], replay->explained);
        double next = print_share(replay->next.first_reasons[c], replay->explained);
        if (fabs(next - now) >= moved)
            print_line("first reason", replay->schema->columns[c].name, now, next);
    }
}

void replay_print(const struct replay *replay, const char *now_version, const char *next_version)
{
    const struct schema *schema = replay->schema;
    size_t all = replay->compared;
    printf("replay of the last %zu inputs: %zu compared, %zu refused by the schema,\n"
           "  without a score: %zu by version %s, %zu by version %s\n",
           replay->read, all, replay->refused, replay->now.unscored, now_version, replay->next.unscored, next_version);
    printf("  %-41s %11.11s %11.11s %11s\n", "share of the inputs", now_version, next_version, "difference");
    print_risks(replay);
    print_groups(replay);
    if (!replay->now.pipeline || !all)
        return;
    print_reasons(replay);
    printf("  decisions that flip: %.4f (%zu to %.*s, %zu to %.*s)\n", replay_figure(replay, REPLAY_flips), replay->up,
           (int)schema->target_values[schema->target_count - 1].bytes,
           schema->target_values[schema->target_count - 1].data, replay->down, (int)schema->target_values[0].bytes,
           schema->target_values[0].data);
    printf("  risk changes by %.4f in the mean, %.4f at most; stability index %.4f\n",
           replay_figure(replay, REPLAY_risk_change), replay->most_change, replay_figure(replay, REPLAY_risk_shift));
    if (replay->explained)
        printf("  first reason is another attribute: %.4f of %zu inputs explained\n",
               replay_figure(replay, REPLAY_reasons_changed), replay->explained);
}

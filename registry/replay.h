/* Logged inputs under two versions: what would change if one took the other's place. Of `registry promote --replay`.
 *
 * Inputs are the newest of the stream in attrition.predictions, as they were scored. Each version decides by its own
 * threshold. An input that this schema refuses, or that either version gives no score, is counted and compared no
 * further. */
#pragma once

#include "events/schema.h"
#include "pipeline/pipeline.h"
#include "registry/log_reader.h"

enum { REPLAY_BINS = 1000, REPLAY_GROUP_LEAST = 30 };

/* What `--require` may bound, in the order of the table: name, and what it is. Shares are of the inputs compared. */
#define REPLAY_FIGURES(FIGURE) \
    FIGURE(rows, "inputs compared") \
    FIGURE(unscored, "share of the inputs that the candidate gives no score") \
    FIGURE(flips, "share of the decisions that differ") \
    FIGURE(flips_up, "share of the decisions that become positive") \
    FIGURE(flips_down, "share of the decisions that become negative") \
    FIGURE(flagged, "share that the candidate decides positively") \
    FIGURE(risk_change, "mean change of the risk, whichever way") \
    FIGURE(risk_shift, "population stability index of the risk, by tenths of the version in use") \
    FIGURE(impact_ratio, "the candidate's least share flagged of a group, by the largest of the same attribute") \
    FIGURE(impact_fall, "largest fall of that ratio, over the attributes") \
    FIGURE(reasons_changed, "share whose first reason is another attribute")

enum replay_figure {
#define REPLAY_FIGURE(name, is) REPLAY_##name,
    REPLAY_FIGURES(REPLAY_FIGURE)
#undef REPLAY_FIGURE
        REPLAY_FIGURE_COUNT
};

/* One version's part. */
struct replay_side {
    const struct pipeline *pipeline; /* NULL: there is no version in use */
    size_t flagged, unscored;
    double risk; /* sum */
    size_t bins[REPLAY_BINS];
    size_t *group_flagged; /* by group, those of one column after the other */
    size_t *first_reasons; /* by column */
};

/* Plain data; replay_clear. */
struct replay {
    const struct schema *schema;
    struct replay_side now, next;
    size_t read, refused, compared; /* inputs */
    size_t up, down;                /* decisions that differ */
    double change, most_change;     /* of the risk, whichever way: sum, largest */
    size_t explained, other_reason; /* inputs whose reasons were compared: every so many; the first differs */
    size_t *group_starts;           /* by column: its first group; column_count + 1 of them */
    size_t *group_rows;
};

/* Reads the last `count` inputs and scores them by both. The pipelines are borrowed, `now` may be NULL. At most about
 * 10,000 inputs are explained, spread evenly. STATUS_NOT_FOUND: the log is empty. */
MUST_USE enum status replay_run(struct log_reader *rows, const struct schema *schema, const struct pipeline *now,
                                const struct pipeline *next, size_t count, struct replay *out, struct error *err);
void replay_clear(struct replay *replay);

/* NaN: not known, as all that compares where there is no version in use. */
double replay_figure(const struct replay *replay, enum replay_figure figure);
const char *replay_figure_name(enum replay_figure figure);

/* A column's least share flagged by its largest, over groups of at least REPLAY_GROUP_LEAST inputs; NaN: nobody is
 * flagged, or there are not two such groups. */
double replay_impact_ratio(const struct replay *replay, const struct replay_side *side, size_t column);
/* The risk that so large a share of the inputs stays below. */
double replay_quantile(const struct replay *replay, const struct replay_side *side, double share);

/* The table on standard output, within 80 columns. */
void replay_print(const struct replay *replay, const char *now_version, const char *next_version);

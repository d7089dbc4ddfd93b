/* What a run does not need of the real scorer: a model that looks at one column, where current records are kept, and no
 * challengers. */
#include "scorer/model/challengers.h"
#include "scorer/state/state_topic.h"
#include "scorer/stream/alert_topic.h"
#include "tests/sim/changes.h"
#include "tests/sim/sim.h"

const struct model *model_acquire(struct model_holder *holder)
{
    static const struct model model = {
        .stamp = {SPAN_LITERAL("attrition"), SPAN_LITERAL("1"), SPAN_LITERAL("production"), SPAN_NULL},
        .threshold = 0.5,
        .labels = {1, 0},
    };
    (void)holder;
    return &model;
}

void model_release(const struct model *model)
{
    (void)model;
}

bool pipeline_refuses(const struct pipeline *pipeline, const struct cell *cells, int32_t *column)
{
    (void)pipeline, (void)cells, (void)column;
    return false;
}

bool pipeline_has_reasons(const struct pipeline *pipeline)
{
    (void)pipeline;
    return false;
}

const char *pipeline_metadata(const struct pipeline *pipeline, const char *key)
{
    (void)pipeline, (void)key;
    return NULL;
}

void pipeline_score_from(const struct pipeline *pipeline, const struct cell *cells, size_t row_count,
                         uint32_t top_reasons, double least, struct score *scores, struct reason *reasons)
{
    (void)pipeline, (void)top_reasons, (void)least, (void)reasons;
    for (size_t i = 0; i < row_count; i++) {
        double probability = changes_probability(cells, i);
        scores[i] = (struct score){.probability = probability, .margin = changes_margin(probability), .base = -1.1};
    }
}

void pipeline_score(const struct pipeline *pipeline, const struct cell *cells, size_t row_count, uint32_t top_reasons,
                    struct score *scores, struct reason *reasons)
{
    pipeline_score_from(pipeline, cells, row_count, top_reasons, 0, scores, reasons);
}

const char *pipeline_why_no_score(const struct pipeline *pipeline, const struct cell *cells,
                                  char text[PIPELINE_WHY_BYTES])
{
    (void)pipeline, (void)cells, (void)text;
    return NULL;
}

struct challenger_rows *challenger_rows_new(struct challengers *challengers, size_t most_rows)
{
    (void)challengers, (void)most_rows;
    return NULL;
}

void challenger_rows_free(struct challenger_rows *rows)
{
    (void)rows;
}

void challenger_rows_score(struct challenger_rows *rows, const struct cell *cells, size_t row_count,
                           const struct model *model, const struct score *scores)
{
    (void)rows, (void)cells, (void)row_count, (void)model, (void)scores;
}

const struct challenger_score *challenger_rows_of(const struct challenger_rows *rows, size_t row, size_t *count)
{
    (void)rows, (void)row;
    *count = 0;
    return NULL;
}

/* All topics are there from the beginning. */
enum status state_topic_make(rd_kafka_t *client, const struct settings *settings, struct error *err)
{
    (void)client, (void)settings, (void)err;
    return STATUS_OK;
}

enum status state_topic_tombstones(rd_kafka_t *client, const char *topic, int64_t *out_ms, struct error *err)
{
    (void)client, (void)topic, (void)err;
    *out_ms = 86400000;
    return STATUS_OK;
}

enum status alert_topic_make(rd_kafka_t *client, const struct settings *settings, struct error *err)
{
    (void)client, (void)settings, (void)err;
    return STATUS_OK;
}

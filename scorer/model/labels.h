/* Which of the schema's target values a model's two sides are. The stream and `score` must say the same. */
#pragma once

#include "events/schema.h"
#include "pipeline/pipeline.h"

/* Indexes into schema->target_values. Plain data. */
struct labels {
    uint32_t positive, negative;
};

/* The positive one has the model's positive label, or is the last where the schema does not list that (a label 1). */
static inline struct labels labels_of(const struct schema *schema, const struct pipeline *pipeline)
{
    struct span label = span_of(pipeline_positive_label(pipeline));
    uint32_t last = (uint32_t)schema->target_count - 1, positive = last;
    for (uint32_t v = 0; v < schema->target_count; v++)
        if (span_equal(schema->target_values[v], label))
            positive = v;
    return (struct labels){.positive = positive, .negative = positive == 0 ? last : 0};
}

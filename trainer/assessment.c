/* See assessment.h. Pure. */
#include "trainer/assessment.h"

#include <stdlib.h>

struct confusion confusion_count(const uint8_t *labels, const uint8_t *calls, size_t count)
{
    struct confusion confusion = {0};
    for (size_t r = 0; r < count; r++) {
        confusion.true_positives += labels[r] && calls[r];
        confusion.false_positives += !labels[r] && calls[r];
        confusion.false_negatives += labels[r] && !calls[r];
        confusion.true_negatives += !labels[r] && !calls[r];
    }
    return confusion;
}

void assessment_clear(struct assessment *assessment)
{
    for (size_t g = 0; g < assessment->group_count; g++)
        free(assessment->groups[g].name);
    free(assessment->groups);
    free(assessment->points);
    *assessment = (struct assessment){0};
}

/* See judgement.h. Pure. */
#include "trainer/judgement.h"

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

void judgement_clear(struct judgement *judgement)
{
    for (size_t g = 0; g < judgement->group_count; g++)
        free(judgement->groups[g].name);
    free(judgement->groups);
    free(judgement->points);
    *judgement = (struct judgement){0};
}

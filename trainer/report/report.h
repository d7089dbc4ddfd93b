/* What a run says of its model beside the figures: model card, page, pictures, and the reference that drift is measured
 * against. All of it is made from the evaluation and the table; nothing is measured again. */
#pragma once

#include "trainer/report/histogram.h"
#include "trainer/register.h"

enum { REPORT_MOST = 12 };

struct report {
    struct report_file {
        const char *path; /* artifact's path; a literal */
        struct buffer bytes;
    } files[REPORT_MOST];
    size_t count;
};

void report_make(const struct training *training, struct report *out);
void report_clear(struct report *report);

/* A kind of picture. */
#pragma once

#include "trainer/evaluation.h"

struct plot_kind {
    const char *path; /* artifact of the run: "plots/roc.svg" */
    const char *title;
    void (*draw)(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone, struct buffer *out);
};

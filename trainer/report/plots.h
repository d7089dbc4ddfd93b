/* An evaluation as pictures. */
#pragma once

#include "trainer/evaluation.h"

struct plot_kind {
    const char *path; /* artifact of the run: "plots/roc.svg" */
    const char *title;
    void (*draw)(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone, struct buffer *out);
};

/* All there are; ends with a row of path NULL. */
extern const struct plot_kind plot_kinds[];
/* Whether the evaluation has what the picture shows. */
bool plot_is_known(const struct plot_kind *kind, const struct evaluation *evaluation);

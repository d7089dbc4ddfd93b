/* An evaluation as pictures. */
#pragma once

#include "trainer/report/plot_kind.h"

/* All there are; ends with a row of path NULL. */
extern const struct plot_kind plot_kinds[];
/* Whether the evaluation has what the picture shows. */
bool plot_is_known(const struct plot_kind *kind, const struct evaluation *evaluation);

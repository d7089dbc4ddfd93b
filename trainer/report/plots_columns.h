/* Inside of plots.c: pictures of what columns do. */
#pragma once

#include "trainer/report/plot_kind.h"

void plot_draw_permutation(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone,
                           struct buffer *out);
void plot_draw_dependence(const struct plot_kind *kind, const struct evaluation *evaluation, bool alone,
                          struct buffer *out);

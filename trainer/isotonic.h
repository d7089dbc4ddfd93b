/* Calibration by a rising line of pieces: pool adjacent violators (Ayer et al. 1955), linear between its knots; what
 * scikit-learn's IsotonicRegression(out_of_bounds="clip") fits. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Plain data; isotonic_clear. Scores rise strictly, shares do not fall; 1 knot: a constant. */
struct isotonic {
    double *scores, *shares;
    size_t count;
};

/* To scores of rows that the model was not fitted to; count > 0. Scores are first rounded to multiples of `step`; 0:
 * taken as they are, those closer than 1e-15 as one. */
void isotonic_fit(const double *scores, const uint8_t *labels, size_t count, double step, struct isotonic *out);
void isotonic_clear(struct isotonic *isotonic);

double isotonic_share(const struct isotonic *isotonic, double score);
/* The largest change of share by score. */
double isotonic_steepest(const struct isotonic *isotonic);

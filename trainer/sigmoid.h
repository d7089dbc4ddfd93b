/* Calibration by a sigmoid: Platt 1999, with Lin, Lin and Weng's (2007) targets and Newton's method; what
 * scikit-learn's CalibratedClassifierCV(method="sigmoid") fits. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* probability = 1 / (1 + exp(−(slope · score + intercept))). */
struct sigmoid {
    double slope, intercept;
};

/* To scores of rows that the model was not fitted to; both labels occur. */
struct sigmoid sigmoid_fit(const double *scores, const uint8_t *labels, size_t count);

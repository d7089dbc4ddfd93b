/* Two numbers by Newton's method: see sigmoid.h. Pure. */
#include "trainer/sigmoid.h"

#include <math.h>

#include "trainer/logistic.h"

enum { MAX_STEPS = 100, MAX_HALVINGS = 40 };
static const double ridge = 1e-12, enough = 1e-12;

struct platt {
    const double *scores;
    const uint8_t *labels;
    size_t count;
    double targets[2]; /* a class of few rows is not believed to the end */
};

static double loss_of(const struct platt *platt, struct sigmoid at)
{
    double loss = 0;
    for (size_t r = 0; r < platt->count; r++) {
        double margin = at.slope * platt->scores[r] + at.intercept, target = platt->targets[platt->labels[r]];
        loss += margin > 0 ? (1 - target) * margin + log1p(exp(-margin)) : log1p(exp(margin)) - target * margin;
    }
    return loss;
}

/* The step from `at` to where the quadratic around it is least; its gradient's larger part goes to *gradient. */
static struct sigmoid step_of(const struct platt *platt, struct sigmoid at, double *gradient)
{
    double g[2] = {0, 0}, h[3] = {ridge, 0, ridge};
    for (size_t r = 0; r < platt->count; r++) {
        double score = platt->scores[r], p = logistic_probability(at.slope * score + at.intercept);
        double off = p - platt->targets[platt->labels[r]], bend = p * (1 - p);
        g[0] += off * score;
        g[1] += off;
        h[0] += bend * score * score;
        h[1] += bend * score;
        h[2] += bend;
    }
    double determinant = h[0] * h[2] - h[1] * h[1];
    *gradient = fmax(fabs(g[0]), fabs(g[1]));
    return (struct sigmoid){-(h[2] * g[0] - h[1] * g[1]) / determinant, -(h[0] * g[1] - h[1] * g[0]) / determinant};
}

struct sigmoid sigmoid_fit(const double *scores, const uint8_t *labels, size_t count)
{
    double positives = 0, negatives, gradient;
    for (size_t r = 0; r < count; r++)
        positives += labels[r];
    negatives = (double)count - positives;
    const struct platt platt = {scores, labels, count, {1 / (negatives + 2), (positives + 1) / (positives + 2)}};
    struct sigmoid at = {0, log((positives + 1) / (negatives + 1))};
    double loss = loss_of(&platt, at);
    for (unsigned step = 0; step < MAX_STEPS; step++) {
        struct sigmoid way = step_of(&platt, at, &gradient);
        if (gradient <= enough * (double)count || !isfinite(way.slope) || !isfinite(way.intercept))
            break;
        double share = 1, next = INFINITY;
        struct sigmoid there = at;
        for (unsigned halving = 0; halving < MAX_HALVINGS && !(next < loss); halving++, share /= 2) {
            there = (struct sigmoid){at.slope + share * way.slope, at.intercept + share * way.intercept};
            next = loss_of(&platt, there);
        }
        if (!(next < loss))
            break; /* rounding */
        at = there;
        loss = next;
    }
    return at;
}

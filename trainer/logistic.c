/* Logistic regression: see logistic.h. Pure; called for the whole table and for each fold. It must end on any data:
 * when there is no optimum the steps never become small, and the fit says `converged = false`. */
#include "trainer/logistic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "trainer/dense_matrix.h"

/* Newton's method doubles the digits at each step once it is near, so a step that changes nothing by more than `done`
 * leaves an error of rounding's size. Within `near` the loss is too flat to steer a line search by. */
static const double done = 1e-11, near = 1e-4;
static const double rank_tolerance = 1e-12; /* eigenvalues of the Gram matrix below this share of the largest are 0 */
/* A penalty weaker than this drowns in rounding along flat directions: coefficients then have fewer digits than
 * probabilities, and the latter say when to stop. */
static const double least_penalty = 1e-7;
static const double loss_noise = 1e-13; /* share of the loss that is summation's rounding */
enum { MAX_HALVINGS = 50, MAX_SHIFTS = 8 };

/* The search's state, in the coordinates of `design`. */
struct newton {
    const struct logistic_problem *problem;
    double *design;      /* row-major, n a row */
    size_t n, penalised; /* the first `penalised` of n parameters carry the penalty */
    double penalty;      /* λ = 1 / C */
    double total_weight;
    double *parameters, *gradient, *hessian, *factor, *step, *trial;
};

double logistic_probability(double margin)
{
    if (margin >= 0)
        return 1 / (1 + exp(-margin));
    double odds = exp(margin);
    return odds / (1 + odds);
}

/* log(1 + e^x) without overflow. */
static double soft_plus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double newton_loss(const struct newton *newton, const double *parameters)
{
    const struct logistic_problem *problem = newton->problem;
    double loss = newton->penalty / 2 * dot(parameters, parameters, newton->penalised);
    for (size_t r = 0; r < problem->row_count; r++) {
        double margin = dot(newton->design + r * newton->n, parameters, newton->n);
        loss += problem->weights[r] * soft_plus(problem->labels[r] ? -margin : margin);
    }
    return loss;
}

/* Gradient and (lower triangle of the) Hessian at the parameters. */
static void newton_derive(struct newton *newton)
{
    const struct logistic_problem *problem = newton->problem;
    size_t n = newton->n;
    memset(newton->gradient, 0, n * sizeof *newton->gradient);
    memset(newton->hessian, 0, n * n * sizeof *newton->hessian);
    for (size_t r = 0; r < problem->row_count; r++) {
        const double *row = newton->design + r * n;
        double margin = dot(row, newton->parameters, n), p = logistic_probability(margin);
        double slope = problem->weights[r] * (problem->labels[r] ? -logistic_probability(-margin) : p);
        double curve = problem->weights[r] * p * logistic_probability(-margin);
        for (size_t i = 0; i < n; i++) {
            newton->gradient[i] += slope * row[i];
            double scaled = curve * row[i], *out = newton->hessian + i * n;
            if (scaled == 0)
                continue;
            for (size_t j = 0; j <= i; j++)
                out[j] += scaled * row[j];
        }
    }
    for (size_t i = 0; i < newton->penalised; i++) {
        newton->gradient[i] += newton->penalty * newton->parameters[i];
        newton->hessian[i * n + i] += newton->penalty;
    }
}

/* step = −H⁻¹ g; where rounding has spoilt H's positive definiteness, with a little added to its diagonal. */
static bool newton_solve(struct newton *newton)
{
    size_t n = newton->n;
    double largest = 0, shift = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, newton->hessian[i * n + i]);
    for (int attempt = 0; attempt < MAX_SHIFTS; attempt++) {
        memcpy(newton->factor, newton->hessian, n * n * sizeof *newton->factor);
        for (size_t i = 0; i < n; i++)
            newton->factor[i * n + i] += shift;
        if (dense_matrix_cholesky(newton->factor, n)) {
            for (size_t i = 0; i < n; i++)
                newton->step[i] = -newton->gradient[i];
            dense_matrix_cholesky_solve(newton->factor, n, newton->step);
            return true;
        }
        shift = shift > 0 ? shift * 10 : largest * 1e-15 * (double)n;
    }
    return false;
}

/* By how much the step changes the row that it changes most: in margin and in probability. */
struct reach {
    double margin, probability;
};

static struct reach newton_reach(const struct newton *newton)
{
    struct reach most = {0, 0};
    for (size_t r = 0; r < newton->problem->row_count; r++) {
        const double *row = newton->design + r * newton->n;
        double margin = dot(row, newton->parameters, newton->n), change = dot(row, newton->step, newton->n);
        double before = logistic_probability(margin), after = logistic_probability(margin + change);
        most.margin = fmax(most.margin, fabs(change));
        most.probability = fmax(most.probability, fabs(after - before));
    }
    return most;
}

/* Goes along the step, halved until the loss falls as it should (Armijo). False: it does not. */
static bool newton_advance(struct newton *newton, bool whole)
{
    size_t n = newton->n;
    double slope = dot(newton->gradient, newton->step, n), length = 1;
    double loss = whole ? 0 : newton_loss(newton, newton->parameters);
    for (int halving = 0; halving < MAX_HALVINGS; halving++, length /= 2) {
        for (size_t i = 0; i < n; i++)
            newton->trial[i] = newton->parameters[i] + length * newton->step[i];
        if (whole || newton_loss(newton, newton->trial) <= loss + 1e-4 * length * slope + loss_noise * loss) {
            memcpy(newton->parameters, newton->trial, n * sizeof *newton->trial);
            return true;
        }
    }
    return false;
}

static double newton_gradient(const struct newton *newton)
{
    double most = 0;
    for (size_t i = 0; i < newton->n; i++)
        most = fmax(most, fabs(newton->gradient[i]));
    return most / newton->total_weight;
}

static void newton_run(struct newton *newton, struct logistic_fit *out)
{
    while (out->iterations < newton->problem->max_iterations && !out->converged) {
        newton_derive(newton);
        if (!newton_solve(newton))
            break;
        struct reach reach = newton_reach(newton);
        out->iterations++;
        if (!isfinite(reach.margin) || !newton_advance(newton, reach.margin <= near))
            break;
        bool still = newton->penalty <= least_penalty && reach.probability <= done;
        out->converged = reach.margin <= done || still;
        out->unbounded = still && newton->penalty == 0 && reach.margin > near;
    }
    newton_derive(newton);
    out->gradient = newton_gradient(newton);
    out->loss = newton_loss(newton, newton->parameters) / newton->total_weight;
}

static void newton_begin(struct newton *newton, const struct logistic_problem *problem, size_t n)
{
    newton->problem = problem;
    newton->n = n;
    newton->design = mem_zeroed(problem->row_count * n + 1, sizeof(double));
    double **vectors[] = {&newton->parameters, &newton->gradient, &newton->step, &newton->trial};
    for (size_t v = 0; v < sizeof vectors / sizeof *vectors; v++)
        *vectors[v] = mem_zeroed(n + 1, sizeof(double));
    newton->hessian = mem_zeroed(n * n + 1, sizeof(double));
    newton->factor = mem_zeroed(n * n + 1, sizeof(double));
    for (size_t r = 0; r < problem->row_count; r++)
        newton->total_weight += problem->weights[r];
}

static void newton_end(struct newton *newton)
{
    free(newton->design);
    free(newton->parameters);
    free(newton->gradient);
    free(newton->hessian);
    free(newton->factor);
    free(newton->step);
    free(newton->trial);
}

/* With a penalty: the features as they are, and a column of ones for the intercept. */
static void fit_penalised(const struct logistic_problem *problem, struct logistic_fit *out)
{
    size_t d = problem->feature_count, n = d + 1;
    struct newton newton = {.penalised = d, .penalty = 1 / problem->inverse_penalty};
    newton_begin(&newton, problem, n);
    for (size_t r = 0; r < problem->row_count; r++) {
        memcpy(newton.design + r * n, problem->features + r * d, d * sizeof(double));
        newton.design[r * n + d] = 1;
    }
    newton_run(&newton, out);
    memcpy(out->coefficients, newton.parameters, d * sizeof(double));
    out->intercept = newton.parameters[d];
    newton_end(&newton);
}

/* An orthonormal basis of the row space of [features 1], as columns: n × rank. Returns the rank. */
static size_t row_space(const struct logistic_problem *problem, double **basis)
{
    size_t d = problem->feature_count, n = d + 1, rank = 0;
    double *gram = mem_zeroed(n * n, sizeof *gram), *vectors = mem_zeroed(n * n, sizeof *vectors);
    double *values = mem_zeroed(n, sizeof *values), largest = 0;
    for (size_t r = 0; r < problem->row_count; r++) {
        const double *row = problem->features + r * d;
        for (size_t i = 0; i < n; i++) {
            double left = i < d ? row[i] : 1;
            for (size_t j = 0; left != 0 && j < n; j++)
                gram[i * n + j] += left * (j < d ? row[j] : 1);
        }
    }
    dense_matrix_eigen(gram, n, values, vectors);
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, values[i]);
    *basis = gram; /* spoilt by now, and large enough */
    for (size_t i = 0; i < n; i++) {
        if (values[i] <= rank_tolerance * largest)
            continue;
        for (size_t k = 0; k < n; k++)
            gram[k * n + rank] = vectors[k * n + i];
        rank++;
    }
    free(values);
    free(vectors);
    return rank;
}

/* Without a penalty: in the coordinates of the row space, where no direction is flat. */
static void fit_unpenalised(const struct logistic_problem *problem, struct logistic_fit *out)
{
    size_t d = problem->feature_count, n = d + 1;
    double *basis;
    size_t rank = row_space(problem, &basis);
    struct newton newton = {0};
    newton_begin(&newton, problem, rank);
    for (size_t r = 0; r < problem->row_count; r++) {
        double *out_row = newton.design + r * rank;
        for (size_t k = 0; k < n; k++) {
            double value = k < d ? problem->features[r * d + k] : 1;
            for (size_t i = 0; value != 0 && i < rank; i++)
                out_row[i] += value * basis[k * n + i];
        }
    }
    newton_run(&newton, out);
    for (size_t k = 0; k < n; k++) {
        double sum = dot(basis + k * n, newton.parameters, rank);
        if (k < d)
            out->coefficients[k] = sum;
        else
            out->intercept = sum;
    }
    newton_end(&newton);
    free(basis);
}

static bool is_finite(const struct logistic_problem *problem)
{
    for (size_t i = 0; i < problem->row_count * problem->feature_count; i++)
        if (!isfinite(problem->features[i]))
            return false;
    for (size_t r = 0; r < problem->row_count; r++)
        if (!isfinite(problem->weights[r]))
            return false;
    return problem->inverse_penalty > 0;
}

enum status logistic_fit(const struct logistic_problem *problem, struct logistic_fit *out, struct error *err)
{
    if (!is_finite(problem))
        return error_set(err, STATUS_INVALID, "the table's numbers are too large to fit a model to");
    struct logistic_fit fit = {.coefficients = mem_zeroed(problem->feature_count + 1, sizeof *fit.coefficients)};
    if (isinf(problem->inverse_penalty))
        fit_unpenalised(problem, &fit);
    else
        fit_penalised(problem, &fit);
    *out = fit;
    return STATUS_OK;
}

void logistic_fit_clear(struct logistic_fit *fit)
{
    free(fit->coefficients);
    *fit = (struct logistic_fit){0};
}

double logistic_margin(const struct logistic_fit *fit, const double *features, size_t feature_count)
{
    double margin = 0;
    for (size_t f = 0; f < feature_count; f++)
        margin += fit->coefficients[f] * features[f];
    return margin + fit->intercept;
}

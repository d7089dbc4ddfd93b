/* See support_vectors.h. Called by steps.c for every block of rows, on any thread. Sums are floats and in the file's
 * order, as onnxruntime's; eight rows side by side. */
#include "pipeline/support_vectors.h"

#include <math.h>

enum { LANES = SUPPORT_LANES };

static float kernel_of(const struct support_vectors *machine, float sum)
{
    switch (machine->kernel) {
    case KERNEL_POLY:
        return powf(machine->gamma * sum + machine->coef0, machine->degree);
    case KERNEL_RBF:
        return expf(-machine->gamma * sum);
    case KERNEL_SIGMOID:
        return tanhf(machine->gamma * sum + machine->coef0);
    default:
        return sum;
    }
}

/* Σ (x − v)² or Σ x v, of eight rows. */
static void distances_add(const struct support_vectors *machine, const float *vector, const float (*x)[LANES],
                          float *sums)
{
    for (size_t l = 0; l < LANES; l++)
        sums[l] = 0;
    if (machine->kernel == KERNEL_RBF) {
        for (size_t f = 0; f < machine->width; f++)
            for (size_t l = 0; l < LANES; l++)
                sums[l] += (x[f][l] - vector[f]) * (x[f][l] - vector[f]);
        return;
    }
    for (size_t f = 0; f < machine->width; f++)
        for (size_t l = 0; l < LANES; l++)
            sums[l] += x[f][l] * vector[f];
}

/* From r, the first class's share of the two alone, to what onnxruntime's (libsvm's) iteration makes of it. */
static float share_settle(float r, uint32_t class)
{
    enum { ROUNDS = 100 };
    const float rest = 1 - r, q[2][2] = {{rest * rest, -(rest * r)}, {-(rest * r), r * r}};
    float p[2] = {0.5f, 0.5f};
    for (int round = 0; round < ROUNDS; round++) {
        float qp[2], mean = 0;
        for (int i = 0; i < 2; i++) {
            qp[i] = q[i][0] * p[0] + q[i][1] * p[1];
            mean += p[i] * qp[i];
        }
        if (fmaxf(fabsf(qp[0] - mean), fabsf(qp[1] - mean)) < 0.005f / 2)
            break;
        for (int i = 0; i < 2; i++) {
            float step = (mean - qp[i]) / q[i][i];
            p[i] += step;
            mean = (mean + step * (step * q[i][i] + 2 * qp[i])) / (1 + step) / (1 + step);
            for (int j = 0; j < 2; j++) {
                qp[j] = (qp[j] + step * q[i][j]) / (1 + step);
                p[j] /= 1 + step;
            }
        }
    }
    return p[class];
}

/* Platt's sigmoid of the score. */
static double share_of(const struct support_vectors *machine, double score, uint32_t class)
{
    if (machine->raw)
        return class ? (float)score : -(float)score;
    float z = (float)score * machine->slope + machine->shift, e = 1 / (1 + expf(-fabsf(z)));
    float r = 1 - (z < 0 ? 1 - e : e);
    if (!(r > 1e-7f))
        r = isnan(r) ? r : 1e-7f;
    r = r > 1 - 1e-7f ? 1 - 1e-7f : r;
    return share_settle(r, class);
}

void support_vectors_run(const struct support_vectors *machine, uint32_t class, const double *const *inputs,
                         size_t count, double *out)
{
    float x[SUPPORT_MAX_WIDTH][LANES];
    for (size_t first = 0; first < count; first += LANES) {
        double scores[LANES] = {0};
        float sums[LANES];
        for (size_t f = 0; f < machine->width; f++)
            for (size_t l = 0; l < LANES; l++) /* the last row fills the group */
                x[f][l] = (float)inputs[f][first + l < count ? first + l : count - 1];
        for (size_t v = 0; v < machine->count; v++) {
            distances_add(machine, machine->vectors + v * machine->width, (const float(*)[LANES])x, sums);
            for (size_t l = 0; l < LANES; l++)
                scores[l] += (double)(machine->weights[v] * kernel_of(machine, sums[l]));
        }
        for (size_t l = 0; l < LANES && first + l < count; l++)
            out[first + l] = share_of(machine, scores[l] + (double)machine->rho, class);
    }
}

/* Two columns → how strongly they go together: see pairs.h. Called by describe_pairs.c, once for each two columns. */
#include "trainer/report/pairs.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* Rows that have both values. */
struct joint {
    uint32_t *left, *right; /* codes */
    size_t count;
    bool varies; /* either side has two values at least */
};

static struct joint joint_take(const struct pair_side *left, const struct pair_side *right, size_t rows)
{
    struct joint joint = {mem_zeroed(rows + 1, sizeof *joint.left), mem_zeroed(rows + 1, sizeof *joint.right), 0, 0};
    bool left_varies = false, right_varies = false;
    for (size_t r = 0; r < rows; r++) {
        if (left->codes[r] == PAIR_MISSING || right->codes[r] == PAIR_MISSING)
            continue;
        joint.left[joint.count] = left->codes[r];
        joint.right[joint.count] = right->codes[r];
        left_varies |= joint.left[joint.count] != joint.left[0];
        right_varies |= joint.right[joint.count] != joint.right[0];
        joint.count++;
    }
    joint.varies = left_varies && right_varies;
    return joint;
}

static double mean_of(const uint32_t *codes, const double *values, size_t count)
{
    double sum = 0;
    for (size_t r = 0; r < count; r++)
        sum += values[codes[r]];
    return sum / (double)count;
}

static double correlation(const struct joint *joint, const double *left, const double *right)
{
    double mean_left = mean_of(joint->left, left, joint->count);
    double mean_right = mean_of(joint->right, right, joint->count);
    double squares_left = 0, squares_right = 0, products = 0;
    for (size_t r = 0; r < joint->count; r++) {
        double x = left[joint->left[r]] - mean_left, y = right[joint->right[r]] - mean_right;
        squares_left += x * x;
        squares_right += y * y;
        products += x * y;
    }
    double found = products / sqrt(squares_left) / sqrt(squares_right);
    return isfinite(found) ? fmax(-1, fmin(1, found)) : NAN;
}

/* By code: the mean rank of the rows that have it. */
static double *ranks_of(const uint32_t *codes, size_t rows, size_t count)
{
    double *ranks = mem_zeroed(count + 1, sizeof *ranks), before = 0;
    for (size_t r = 0; r < rows; r++)
        ranks[codes[r]]++;
    for (size_t c = 0; c < count; c++) {
        double here = ranks[c];
        ranks[c] = before + (here + 1) / 2;
        before += here;
    }
    return ranks;
}

static void measure_numbers(const struct joint *joint, const struct pair_side *left, const struct pair_side *right,
                            struct pair *out)
{
    double *left_ranks = ranks_of(joint->left, joint->count, left->count);
    double *right_ranks = ranks_of(joint->right, joint->count, right->count);
    out->pearson = correlation(joint, left->values, right->values);
    out->spearman = correlation(joint, left_ranks, right_ranks);
    bool by_ranks = isnan(out->pearson) || fabs(out->spearman) > fabs(out->pearson);
    out->strength = by_ranks ? out->spearman : out->pearson;
    free(left_ranks);
    free(right_ranks);
}

/* Codes that rows have. */
static double used_count(const double *sums, size_t count)
{
    double used = 0;
    for (size_t c = 0; c < count; c++)
        used += sums[c] > 0;
    return used;
}

/* Chi-square by rows is Σ nij² / (ni nj) − 1; Bergsma's correction takes off what independence gives by chance. */
static double corrected_v(const double *table, const double *left, size_t left_count, const double *right,
                          size_t right_count, double rows)
{
    double phi = -1, lefts = used_count(left, left_count), rights = used_count(right, right_count);
    for (size_t l = 0; l < left_count; l++)
        for (size_t r = 0; r < right_count; r++) {
            double both = table[l * right_count + r];
            phi += both > 0 ? both / left[l] * (both / right[r]) : 0;
        }
    phi = fmax(0, phi - (lefts - 1) * (rights - 1) / (rows - 1));
    lefts -= (lefts - 1) * (lefts - 1) / (rows - 1);
    rights -= (rights - 1) * (rights - 1) / (rows - 1);
    double most = fmin(lefts, rights) - 1;
    return most > 0 ? fmin(1, sqrt(phi / most)) : NAN;
}

static double measure_categories(const struct joint *joint, size_t left_count, size_t right_count)
{
    double *table = mem_zeroed(left_count * right_count, sizeof *table);
    double *left = mem_zeroed(left_count, sizeof *left), *right = mem_zeroed(right_count, sizeof *right);
    for (size_t r = 0; r < joint->count; r++) {
        table[joint->left[r] * right_count + joint->right[r]]++;
        left[joint->left[r]]++;
        right[joint->right[r]]++;
    }
    double found = corrected_v(table, left, left_count, right, right_count, (double)joint->count);
    free(table);
    free(left);
    free(right);
    return found;
}

/* The root of the share of the number's variance that lies between the categories. */
static double correlation_ratio(const uint32_t *categories, size_t count, const uint32_t *codes, const double *values,
                                size_t rows)
{
    double *sums = mem_zeroed(count, sizeof *sums), *counts = mem_zeroed(count, sizeof *counts);
    double mean = mean_of(codes, values, rows), between = 0, all = 0;
    for (size_t r = 0; r < rows; r++) {
        double off = values[codes[r]] - mean;
        sums[categories[r]] += off;
        counts[categories[r]]++;
        all += off * off;
    }
    for (size_t c = 0; c < count; c++)
        between += counts[c] > 0 ? sums[c] * sums[c] / counts[c] : 0;
    free(sums);
    free(counts);
    double share = between / all;
    return isfinite(share) ? sqrt(fmin(1, share)) : NAN;
}

void pair_measure(const struct pair_side *left, const struct pair_side *right, size_t rows, struct pair *out)
{
    struct joint joint = joint_take(left, right, rows);
    out->kind = left->values && right->values   ? PAIR_NUMBERS
                : left->values || right->values ? PAIR_MIXED
                                                : PAIR_CATEGORIES;
    out->rows = joint.count;
    out->pearson = out->spearman = out->strength = NAN;
    if (joint.varies && out->kind == PAIR_NUMBERS)
        measure_numbers(&joint, left, right, out);
    else if (joint.varies && out->kind == PAIR_CATEGORIES)
        out->strength = measure_categories(&joint, left->count, right->count);
    else if (joint.varies && left->values)
        out->strength = correlation_ratio(joint.right, right->count, joint.left, left->values, joint.count);
    else if (joint.varies)
        out->strength = correlation_ratio(joint.left, left->count, joint.right, right->values, joint.count);
    free(joint.left);
    free(joint.right);
}

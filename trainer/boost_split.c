/* The search for a split: see boost_split.h. Pure; called by the grower, on its threads. */
#include "trainer/boost_split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* LightGBM's bounds against categories of a few rows: max_cat_to_onehot, max_cat_threshold, cat_smooth, cat_l2. */
enum { SINGLES_MOST = 4, SUBSET_MOST = 32 };
static const double category_smoothing = 10, category_penalty = 10;
static const double least_weight = 1e-6; /* of a child, whatever min_child_weight says: not empty */

double boost_weight(const struct boost_search *search, boost_sums sums)
{
    double bent = sums[1] + search->settings->reg_lambda, weight = bent > 0 ? -sums[0] / bent : 0; /* 0: of no rows */
    return search->monotone ? fmin(fmax(weight, search->low), search->high) : weight;
}

/* Twice what the loss falls by where these rows have a weight of their own. */
static inline double score_of(const struct boost_search *search, boost_sums sums, double penalty)
{
    double bent = sums[1] + penalty;
    if (!search->monotone)
        return sums[0] * sums[0] / bent;
    double weight = boost_weight(search, sums);
    return -(2 * sums[0] * weight + bent * weight * weight);
}

void boost_search_begin(struct boost_search *search)
{
    search->score = score_of(search, search->total, search->settings->reg_lambda);
}

static inline bool heavy_enough(const struct boost_search *search, boost_sums sums)
{
    return sums[1] >= search->settings->min_child_weight && sums[1] >= least_weight;
}

/* Whether both sides' weights stand as the column's constraint wants. */
static bool side_order(const struct boost_search *search, size_t column, boost_sums left, boost_sums right)
{
    int wanted = search->bins->columns[column].monotone;
    return wanted == 0 || wanted * (boost_weight(search, right) - boost_weight(search, left)) >= 0;
}

/* The gain of a split into `left` and the rest; −INFINITY: it may not be. */
static inline double gain_of(const struct boost_search *search, size_t column, boost_sums left, double penalty)
{
    boost_sums right = search->total - left;
    if (!heavy_enough(search, left) || !heavy_enough(search, right))
        return -INFINITY;
    if (search->monotone && !side_order(search, column, left, right))
        return -INFINITY;
    return (score_of(search, left, penalty) + score_of(search, right, penalty) - search->score) / 2 -
           search->settings->min_split_gain;
}

static void split_keep(const struct boost_search *search, size_t c, boost_sums left, uint32_t code, bool missing_left,
                       struct boost_split *best)
{
    double gain = gain_of(search, c, left, search->settings->reg_lambda);
    if (gain > best->gain)
        *best = (struct boost_split){
            .gain = gain, .left = left, .column = (uint32_t)c, .code = (uint8_t)code, .missing_left = missing_left};
}

/* A split after each code with rows; `left`: what stands there before the first, the missing ones or nothing. Where
 * codes between two have no rows, it is in their middle. */
static void search_ascending(const struct boost_search *search, size_t c, const boost_sums *histogram,
                             bool missing_left, struct boost_split *best)
{
    const struct bin_column *column = &search->bins->columns[c];
    boost_sums left = {0, 0};
    uint32_t previous = 0;
    if (missing_left)
        left = histogram[0];
    for (uint32_t code = 1; code < column->count; code++) {
        if (histogram[code][1] == 0)
            continue;
        if (previous)
            split_keep(search, c, left, (previous + code - 1) / 2, missing_left, best);
        left += histogram[code];
        previous = code;
    }
    if (missing_left || previous == 0)
        return;
    split_keep(search, c, left, column->count - 1, false, best); /* what is missing, from all the rest */
}

/* Nothing missing here: it will go where more of the rows go. */
static void search_number(const struct boost_search *search, size_t c, const boost_sums *histogram,
                          struct boost_split *best)
{
    double before = best->gain;
    if (histogram[0][1] > least_weight) {
        search_ascending(search, c, histogram, false, best);
        search_ascending(search, c, histogram, true, best);
        return;
    }
    search_ascending(search, c, histogram, false, best);
    if (best->gain > before)
        best->missing_left = best->left[1] > search->total[1] - best->left[1];
}

/* --- categories --- */

struct category {
    double order;
    uint32_t code;
};

static int compare_order(const void *a, const void *b)
{
    const struct category *left = a, *right = b;
    if (left->order != right->order)
        return left->order < right->order ? -1 : 1;
    return (left->code > right->code) - (left->code < right->code);
}

/* The lighter side is the set: a category that was never seen goes with the heavier one. */
static void take_subset(const struct boost_search *search, size_t column, double gain, boost_sums sums,
                        const struct category *inside, size_t inside_count, const struct category *outside,
                        size_t outside_count, struct boost_split *best)
{
    bool swapped = sums[1] * 2 > search->total[1];
    const struct category *listed = swapped ? outside : inside;
    *best =
        (struct boost_split){.gain = gain, .left = swapped ? search->total - sums : sums, .column = (uint32_t)column};
    for (size_t k = 0; k < (swapped ? outside_count : inside_count); k++)
        best->set[listed[k].code / 64] |= 1ull << (listed[k].code % 64);
}

/* Each category alone. */
static void search_singles(const struct boost_search *search, size_t column, const boost_sums *histogram,
                           struct category *list, size_t count, struct boost_split *best)
{
    for (size_t k = 0; k < count; k++) {
        struct category first = list[0];
        list[0] = list[k];
        list[k] = first;
        boost_sums sums = histogram[list[0].code];
        double gain = gain_of(search, column, sums, search->settings->reg_lambda);
        if (gain > best->gain)
            take_subset(search, column, gain, sums, list, 1, list + 1, count - 1, best);
    }
}

/* From both ends of their order. */
static void search_subsets(const struct boost_search *search, size_t column, const boost_sums *histogram,
                           struct category *list, size_t count, struct boost_split *best)
{
    double penalty = search->settings->reg_lambda + category_penalty;
    boost_sums low = {0, 0}, high = {0, 0};
    qsort(list, count, sizeof *list, compare_order);
    for (size_t k = 1; k < count && k <= SUBSET_MOST; k++) {
        low += histogram[list[k - 1].code];
        high += histogram[list[count - k].code];
        double gain = gain_of(search, column, low, penalty);
        if (gain > best->gain)
            take_subset(search, column, gain, low, list, k, list + k, count - k, best);
        gain = gain_of(search, column, high, penalty);
        if (gain > best->gain)
            take_subset(search, column, gain, high, list + count - k, k, list, count - k, best);
    }
}

/* There are as many sets as a file holds: one of those. */
static void search_known(const struct boost_search *search, size_t column, const boost_sums *histogram,
                         struct boost_split *best)
{
    for (size_t s = 0; s < search->sets->count; s++) {
        const struct boost_set *set = &search->sets->items[s];
        boost_sums sums = {0, 0};
        for (uint32_t code = 0; set->column == column && code < search->bins->columns[column].count; code++)
            if (boost_set_has(set, (uint8_t)code))
                sums += histogram[code];
        double gain = gain_of(search, column, sums, search->settings->reg_lambda + category_penalty);
        if (gain <= best->gain)
            continue;
        *best = (struct boost_split){.gain = gain, .left = sums, .column = (uint32_t)column};
        memcpy(best->set, set->codes, sizeof best->set);
    }
}

static void search_nominal(const struct boost_search *search, size_t column, const boost_sums *histogram,
                           struct boost_split *best)
{
    struct category list[BINS_MOST];
    size_t count = 0;
    if (search->sets->count >= BOOST_SETS_MOST) {
        search_known(search, column, histogram, best);
        return;
    }
    for (uint32_t code = 0; code < search->bins->columns[column].count; code++) {
        boost_sums sums = histogram[code];
        if (sums[1] > least_weight)
            list[count++] = (struct category){sums[0] / (sums[1] + category_smoothing), code};
    }
    if (count < 2)
        return;
    if (count <= SINGLES_MOST)
        search_singles(search, column, histogram, list, count, best);
    else
        search_subsets(search, column, histogram, list, count, best);
}

void boost_search_column(const struct boost_search *search, size_t column, const boost_sums *histogram,
                         struct boost_split *best)
{
    if (search->bins->columns[column].nominal)
        search_nominal(search, column, histogram, best);
    else
        search_number(search, column, histogram, best);
}

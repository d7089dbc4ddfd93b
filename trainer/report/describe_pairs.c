/* The sampled rows → all pairs of features, and what is said of them: see describe.h. Called once all rows are read. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "trainer/report/describe_facts.h"

const double describe_pair_alert = 0.8;

/* The sample's codes in the order of the sorted values. */
static void side_make(struct description *description, size_t column, struct pair_side *out)
{
    const struct value_counts *values = &description->columns[column].values;
    struct row_sample *sample = &description->sample;
    uint32_t *codes = sample->codes + column * sample->most;
    uint32_t *places = mem_zeroed(values->count + 1, sizeof *places);
    double *numbers =
        values->count && !values->entries[0].text.data ? mem_zeroed(values->count, sizeof *numbers) : NULL;
    for (size_t e = 0; e < values->count; e++) {
        places[values->entries[e].place] = (uint32_t)e;
        if (numbers)
            numbers[e] = values->entries[e].number;
    }
    for (size_t r = 0; r < sample->count; r++)
        if (codes[r] != PAIR_MISSING)
            codes[r] = places[codes[r]];
    free(places);
    *out = (struct pair_side){codes, numbers, values->count};
}

static bool side_is_measured(const struct pair_side *side)
{
    return side->count > 1 && (side->values || side->count <= PAIR_CATEGORIES_MOST);
}

static int strongest_first(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    double here = fabs(left->strength), there = fabs(right->strength);
    if (here != there)
        return (here < there) - (here > there);
    if (left->left != right->left)
        return (left->left > right->left) - (left->left < right->left);
    return (left->right > right->right) - (left->right < right->right);
}

void describe_measure_pairs(struct description *description)
{
    size_t columns = description->schema->column_count, rows = description->sample.count;
    struct pair_side *sides = mem_zeroed(columns, sizeof *sides);
    description->pairs = mem_zeroed(columns * (columns - 1) / 2 + 1, sizeof *description->pairs);
    for (size_t c = 0; c < columns; c++)
        side_make(description, c, &sides[c]);
    for (uint32_t a = 0; a < columns; a++)
        for (uint32_t b = a + 1; b < columns && side_is_measured(&sides[a]); b++) {
            struct pair pair = {.left = a, .right = b};
            if (!side_is_measured(&sides[b]))
                continue;
            pair_measure(&sides[a], &sides[b], rows, &pair);
            if (!isnan(pair.strength))
                description->pairs[description->pair_count++] = pair;
        }
    qsort(description->pairs, description->pair_count, sizeof *description->pairs, strongest_first);
    for (size_t c = 0; c < columns; c++)
        free((double *)sides[c].values);
    free(sides);
}

void describe_pair(const struct description *description, const struct pair *pair, char *out, size_t bytes)
{
    int used = snprintf(out, bytes, "%.60s and %.60s: ", description->columns[pair->left].name,
                        description->columns[pair->right].name);
    if (pair->kind == PAIR_NUMBERS)
        snprintf(out + used, bytes - (size_t)used, "Pearson %.2f, Spearman %.2f", pair->pearson, pair->spearman);
    else
        snprintf(out + used, bytes - (size_t)used, "%s %.2f",
                 pair->kind == PAIR_CATEGORIES ? "Cramér's V" : "correlation ratio", pair->strength);
}

void describe_pattern(const struct description *description, const struct value_count *pattern, char *out, size_t bytes)
{
    enum { NAMES_SHOWN = 4 };
    size_t count = 0;
    int used = 0;
    *out = '\0';
    for (size_t c = 0; c < description->schema->column_count; c++) {
        if (!((unsigned char)pattern->text.data[c / 8] >> c % 8 & 1))
            continue;
        if (count++ < NAMES_SHOWN)
            used +=
                snprintf(out + used, bytes - (size_t)used, "%s%.30s", used ? ", " : "", description->columns[c].name);
    }
    if (count > NAMES_SHOWN)
        snprintf(out + used, bytes - (size_t)used, " and %zu more", count - NAMES_SHOWN);
}

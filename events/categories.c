/* Building the tables of categories.h: at load, on the loading thread. */
#include "events/categories.h"

#include <stdlib.h>

#include "base/memory.h"

enum { MULTIPLIER_TRIES = 4096 };

const uint64_t text_word_masks[9] = {
    0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff, 0xffffffffffffffff,
};

/* Fills the slots; returns how many categories did not stand in their first slot. */
static size_t categories_fill(struct categories *categories, const struct column *column)
{
    size_t collisions = 0;
    for (uint32_t s = 0; s <= categories->mask; s++)
        categories->slots[s] = (struct category){.code = CELL_OTHER};
    for (size_t v = 0; v < column->value_count; v++) {
        struct span text = column->values[v];
        struct category category = {.text = text.data, .bytes = (uint32_t)text.bytes, .code = (int32_t)v};
        category.words = text.bytes < 8 ? text_words_short(text) : text_words_of(text);
        uint32_t slot = categories_slot(categories, category.words, text.bytes);
        for (; categories->slots[slot].code != CELL_OTHER; slot = (slot + 1) & categories->mask)
            collisions++;
        categories->slots[slot] = category;
    }
    return collisions;
}

void categories_init(struct categories *categories, const struct column *column)
{
    unsigned bits = 2;
    while ((1u << bits) < column->value_count * 2 + 1)
        bits++;
    *categories = (struct categories){.mask = (1u << bits) - 1, .shift = 64 - bits};
    categories->slots = mem_zeroed(categories->mask + 1, sizeof *categories->slots);
    uint64_t multiplier = 0x9e3779b97f4a7c15u, best = multiplier;
    size_t fewest = SIZE_MAX;
    size_t tries = column->value_count > 64 ? 8 : MULTIPLIER_TRIES;
    for (size_t n = 0; n < tries && fewest > 0;
         n++, multiplier = multiplier * 6364136223846793005u + 1442695040888963407u) {
        categories->multiplier = multiplier | 1;
        size_t collisions = categories_fill(categories, column);
        if (collisions < fewest) {
            fewest = collisions;
            best = categories->multiplier;
        }
    }
    categories->multiplier = best;
    (void)categories_fill(categories, column);
}

void categories_fini(struct categories *categories)
{
    free(categories->slots);
}

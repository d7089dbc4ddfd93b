/* Building the tables of categories.h: at load, on the loading thread. */
#include "events/categories.h"

#include <stdlib.h>

#include "base/memory.h"

enum { MULTIPLIER_TRIES = 4096 };

static struct category category_of(struct span text, int32_t code)
{
    struct category category = {.text = text.data, .bytes = (uint32_t)text.bytes, .code = code};
    if (text.bytes < 8) {
        category.head = category.tail = categories_short(text);
    } else {
        memcpy(&category.head, text.data, 8);
        memcpy(&category.tail, text.data + text.bytes - 8, 8);
    }
    return category;
}

/* Fills the slots; returns how many categories did not stand in their first slot. */
static size_t fill(struct categories *categories, const struct column *column)
{
    size_t collisions = 0;
    for (uint32_t s = 0; s <= categories->mask; s++)
        categories->slots[s] = (struct category){.code = CELL_OTHER};
    for (size_t v = 0; v < column->value_count; v++) {
        struct category category = category_of(column->values[v], (int32_t)v);
        uint32_t slot = categories_slot(categories, category.head, category.tail, category.bytes);
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
        size_t collisions = fill(categories, column);
        if (collisions < fewest) {
            fewest = collisions;
            best = categories->multiplier;
        }
    }
    categories->multiplier = best;
    (void)fill(categories, column);
}

void categories_fini(struct categories *categories)
{
    free(categories->slots);
}

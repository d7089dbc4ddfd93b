/* A nominal column's categories as a hash table made at load: text → code in a few nanoseconds.
 *
 * A text is told by its length and its first and last eight bytes; what lies between is compared only for longer ones.
 * The multiplier is chosen so that the column's own categories do not collide, where one can be found. */
#ifndef EVENTS_CATEGORIES_H
#define EVENTS_CATEGORIES_H

#include "base/row.h"

struct category {
    uint64_t head, tail; /* first and last eight bytes; shorter texts: the bytes, zero-filled, twice */
    const char *text;
    uint32_t bytes;
    int32_t code; /* CELL_OTHER: this slot is free */
};

/* Open addressing with at least one free slot. Embedded for speed; owns its slots. */
struct categories {
    struct category *slots;
    uint64_t multiplier;
    uint32_t mask; /* number of slots − 1 */
    unsigned shift;
};

void categories_init(struct categories *categories, const struct column *column);
void categories_fini(struct categories *categories);

static inline uint32_t categories_slot(const struct categories *categories, uint64_t head, uint64_t tail,
                                       uint64_t bytes)
{
    return (uint32_t)(((head ^ (tail << 17 | tail >> 47) ^ bytes << 56) * categories->multiplier) >> categories->shift);
}

/* The code of a text whose ends are given, or CELL_OTHER. */
static inline int32_t categories_find_ends(const struct categories *categories, struct span text, uint64_t head,
                                           uint64_t tail)
{
    for (uint32_t slot = categories_slot(categories, head, tail, text.bytes);; slot = (slot + 1) & categories->mask) {
        const struct category *category = &categories->slots[slot];
        if (category->head == head && category->tail == tail && category->bytes == text.bytes && category->code >= 0) {
            if (text.bytes <= 16 || memcmp(category->text + 8, text.data + 8, text.bytes - 16) == 0)
                return category->code;
        }
        if (category->code == CELL_OTHER)
            return CELL_OTHER;
    }
}

/* Bytes of a text shorter than eight, zero-filled, without reading past its end. */
static inline uint64_t categories_short(struct span text)
{
    uint64_t word = 0;
    for (size_t i = 0; i < text.bytes; i++)
        word |= (uint64_t)(uint8_t)text.data[i] << (8 * i);
    return word;
}

static inline int32_t categories_find(const struct categories *categories, struct span text)
{
    uint64_t head, tail;
    if (text.bytes < 8) {
        head = tail = categories_short(text);
    } else {
        memcpy(&head, text.data, 8);
        memcpy(&tail, text.data + text.bytes - 8, 8);
    }
    return categories_find_ends(categories, text, head, tail);
}

#endif

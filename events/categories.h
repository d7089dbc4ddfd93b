/* A nominal column's categories as a hash table made at load: text → code in a few nanoseconds.
 *
 * A text is identified by its length and three words of eight bytes, taken without a branch on the length: with those a
 * text of up to 24 bytes is identified wholly; of longer ones the rest is compared too. The multiplier is chosen so
 * that the column's own categories do not collide, where one can be found. */
#pragma once

#include "base/row.h"

/* The first eight bytes, the eight after them, and the last eight; each as far as the text goes, overlapping where it
 * is short. Below eight bytes: all three are the bytes, zero-filled. */
struct text_words {
    uint64_t head, middle, tail;
};

enum { TEXT_WORDS_BYTES = 24 };

struct category {
    struct text_words words;
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

extern const uint64_t text_word_masks[9]; /* the low n bytes */

/* The words of a text after whose start at least eight bytes may be read. */
static inline struct text_words text_words_of(struct span text)
{
    size_t whole = text.bytes < 8 ? text.bytes : 8, last = text.bytes - whole, second = last < 8 ? last : 8;
    struct text_words words;
    memcpy(&words.head, text.data, 8);
    memcpy(&words.middle, text.data + second, 8);
    memcpy(&words.tail, text.data + last, 8);
    uint64_t mask = text_word_masks[whole];
    words.head &= mask;
    words.middle &= mask;
    words.tail &= mask;
    return words;
}

/* Those of a text shorter than eight bytes, reading nothing beyond it. */
static inline struct text_words text_words_short(struct span text)
{
    uint64_t word = 0;
    for (size_t i = 0; i < text.bytes; i++)
        word |= (uint64_t)(uint8_t)text.data[i] << (8 * i);
    return (struct text_words){word, word, word};
}

static inline uint32_t categories_slot(const struct categories *categories, struct text_words words, uint64_t bytes)
{
    uint64_t mixed = words.head ^ (words.tail << 17 | words.tail >> 47) ^ bytes << 56;
    return (uint32_t)(mixed * categories->multiplier >> categories->shift);
}

static inline bool category_is(const struct category *category, struct text_words words, struct span text)
{
    if ((category->words.head ^ words.head) | (category->words.middle ^ words.middle) |
        (category->words.tail ^ words.tail) | (category->bytes ^ text.bytes))
        return false;
    return text.bytes <= TEXT_WORDS_BYTES || memcmp(category->text, text.data, text.bytes) == 0;
}

/* The code of a text whose words are given, or CELL_OTHER. */
static inline int32_t categories_find_words(const struct categories *categories, struct text_words words,
                                            struct span text)
{
    uint32_t slot = categories_slot(categories, words, text.bytes);
    for (; categories->slots[slot].code != CELL_OTHER; slot = (slot + 1) & categories->mask)
        if (category_is(&categories->slots[slot], words, text))
            return categories->slots[slot].code;
    return CELL_OTHER;
}

static inline int32_t categories_find(const struct categories *categories, struct span text)
{
    return categories_find_words(categories, text.bytes < 8 ? text_words_short(text) : text_words_of(text), text);
}

/* The same of a text in a document that ends at `end`: the eight bytes that are faster may reach beyond the text. */
static inline int32_t categories_find_within(const struct categories *categories, struct span text, const char *end)
{
    return end - text.data >= 8 ? categories_find_words(categories, text_words_of(text), text)
                                : categories_find(categories, text);
}

/* Memory that is there or the process ends: a daemon that cannot allocate at load has nothing sensible left to do.
 *
 * Lifetimes have names: process, model, batch, call. A batch's memory comes from an arena that is reset between
 * batches, so after warm-up nothing on an event's path calls malloc. */
#pragma once

#include <stddef.h>

/* malloc, zeroed; count × size is checked for overflow. Aborts with a message when there is none. Free with free(). */
void *mem_zeroed(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* realloc to count × size bytes (at least one), same rules. */
void *mem_resize(void *block, size_t count, size_t size) __attribute__((returns_nonnull));
char *mem_text(const char *text) __attribute__((malloc, returns_nonnull));                 /* strdup */
char *mem_text_n(const char *text, size_t bytes) __attribute__((malloc, returns_nonnull)); /* copy + NUL */

void *mem_enlarge(void *items, size_t *capacity, size_t need, size_t size) __attribute__((returns_nonnull));

/* The growing array: `items`, or a larger copy of them, with room for `need` items in all. *capacity is what there is
 * room for; it at least doubles. NULL with capacity 0 is an empty array; free with free(). */
static inline void *mem_grow(void *items, size_t *capacity, size_t need, size_t size)
{
    return need <= *capacity ? items : mem_enlarge(items, capacity, need, size);
}

/* A bump allocator: everything in it lives until the next reset. Not thread-safe. Plain data, embedded by owners. */
struct arena_block;
struct arena {
    struct arena_block *first, *current;
    size_t used; /* bytes used in current */
};

/* Zero-initialised struct arena is an empty arena. Memory is 16-byte aligned and not zeroed. */
void *arena_take(struct arena *arena, size_t bytes) __attribute__((malloc, returns_nonnull));
void *arena_zeroed(struct arena *arena, size_t count, size_t size) __attribute__((malloc, returns_nonnull));
char *arena_text(struct arena *arena, const char *text, size_t bytes); /* copy + NUL */
void arena_reset(struct arena *arena);                                 /* keeps the blocks for the next batch */
void arena_free(struct arena *arena);

/* Allocation that aborts on failure, and the arena: see memory.h. */
#include "base/memory.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_LEAST = 16, ARENA_BLOCK_BYTES = 64 * 1024, ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *next;
    size_t bytes;
    _Alignas(ARENA_ALIGN) unsigned char data[];
};

static void *or_abort(void *block, size_t bytes)
{
    if (!block) {
        fprintf(stderr, "out of memory: %zu bytes were refused\n", bytes);
        abort();
    }
    return block;
}

void *mem_zeroed(size_t count, size_t size)
{
    return or_abort(calloc(count ? count : 1, size ? size : 1), count * size);
}

void *mem_resize(void *block, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes))
        or_abort(NULL, SIZE_MAX);
    return or_abort(realloc(block, bytes ? bytes : 1), bytes);
}

void *mem_enlarge(void *items, size_t *capacity, size_t need, size_t size)
{
    size_t doubled = *capacity < CAPACITY_LEAST / 2 ? CAPACITY_LEAST : *capacity * 2;
    size_t enlarged = need > doubled ? need : doubled;
    items = mem_resize(items, enlarged, size);
    *capacity = enlarged;
    return items;
}

char *mem_text(const char *text)
{
    return mem_text_n(text, strlen(text));
}

char *mem_text_n(const char *text, size_t bytes)
{
    char *copy = mem_resize(NULL, bytes + 1, 1);
    if (bytes)
        memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

static struct arena_block *arena_block_new(size_t bytes)
{
    struct arena_block *block = mem_resize(NULL, sizeof *block + bytes, 1);
    block->next = NULL;
    block->bytes = bytes;
    return block;
}

/* Moves to a following block with room, inserting one where the chain has none. */
static void arena_next(struct arena *arena, size_t bytes)
{
    struct arena_block *next = arena->current ? arena->current->next : arena->first;
    if (!next || next->bytes < bytes) {
        struct arena_block *block = arena_block_new(bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES);
        block->next = next;
        if (arena->current)
            arena->current->next = block;
        else
            arena->first = block;
        next = block;
    }
    arena->current = next;
    arena->used = 0;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    assert(bytes <= SIZE_MAX - ARENA_ALIGN);
    bytes = (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (!arena->current || arena->current->bytes - arena->used < bytes)
        arena_next(arena, bytes);
    void *taken = arena->current->data + arena->used;
    arena->used += bytes;
    return taken;
}

void *arena_zeroed(struct arena *arena, size_t count, size_t size)
{
    assert(!size || count <= SIZE_MAX / size);
    return memset(arena_take(arena, count * size), 0, count * size);
}

char *arena_text(struct arena *arena, const char *text, size_t bytes)
{
    char *copy = arena_take(arena, bytes + 1);
    if (bytes)
        memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

void arena_reset(struct arena *arena)
{
    arena->current = NULL;
    arena->used = 0;
}

void arena_free(struct arena *arena)
{
    for (struct arena_block *block = arena->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    *arena = (struct arena){0};
}

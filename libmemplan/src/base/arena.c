/* SPDX-License-Identifier: MIT */
/*
 * A chain of blocks, each twice the last up to 32 KiB, then from 256 KiB to 1
 * MiB. The newest block is filled from its start; what does not fit opens the
 * next one. What malloc() gives out in one piece of this size it maps, and once
 * that was freed it gives memory back to the host less readily: a host that
 * opens one model after the other then keeps its pages.
 */
#define _GNU_SOURCE /* MADV_HUGEPAGE */
#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"

enum {
    FIRST_BLOCK_BYTES = 4096,
    SMALL_BLOCK_BYTES = 32 << 10,
    LARGE_BLOCK_BYTES = 256 << 10,
    LAST_BLOCK_BYTES = 1 << 20
};

/* From here on a block is worth huge pages: one page fault for 2 MiB. */
enum { HUGE_BLOCK_BYTES = 4 << 20, PAGE_BYTES = 4096 };

/* From here on the host has zeroed pages at hand, of which those that are not
 * used cost nothing. */
enum { ZEROED_BLOCK_BYTES = 1 << 20 };

typedef struct block {
    struct block *older;
    uint64_t used_bytes;
    uint64_t capacity_bytes;
    bool is_zeroed; /* what is not used yet; else each allocation is */
    max_align_t data[];
} block;

struct mpl_arena {
    block *newest;
    block *spare; /* in use no more */
    uint64_t next_block_bytes;
    bool has_failed;
};

mpl_arena *mpl_arena_create(void)
{
    mpl_arena *const arena = calloc(1, sizeof *arena);
    if (arena != NULL)
        arena->next_block_bytes = FIRST_BLOCK_BYTES;
    return arena;
}

static void free_chain(block *at)
{
    while (at != NULL) {
        block *const older = at->older;
        free(at);
        at = older;
    }
}

void mpl_arena_free(mpl_arena *arena)
{
    if (arena == NULL)
        return;
    free_chain(arena->newest);
    free_chain(arena->spare);
    free(arena);
}

/* The newest blocks, which are the largest, come first when they are needed
 * again. */
void mpl_arena_empty(mpl_arena *arena)
{
    block **end = &arena->spare;
    while (*end != NULL)
        end = &(*end)->older;
    *end = arena->newest;
    arena->newest = NULL;
    for (block *at = *end; at != NULL; at = at->older) {
        if (at->is_zeroed)
            memset(at->data, 0, (size_t)at->used_bytes);
        at->used_bytes = 0;
    }
}

bool mpl_arena_has_failed(const mpl_arena *arena)
{
    return arena->has_failed;
}

static block *take_spare(mpl_arena *arena, uint64_t need_bytes)
{
    block **link = &arena->spare;
    while (*link != NULL && (*link)->capacity_bytes < need_bytes)
        link = &(*link)->older;
    block *const found = *link;
    if (found == NULL)
        return NULL;
    *link = found->older;
    found->older = arena->newest;
    arena->newest = found;
    return found;
}

/* Advice, taken or not: what the block holds is the same. */
static void prefer_huge_pages(void *place, uint64_t size_bytes)
{
    const uintptr_t begin =
        ((uintptr_t)place + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
    const uintptr_t end =
        ((uintptr_t)place + size_bytes) & ~(uintptr_t)(PAGE_BYTES - 1);
    (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

static block *open_block(mpl_arena *arena, uint64_t need_bytes)
{
    block *const spare = take_spare(arena, need_bytes);
    if (spare != NULL)
        return spare;
    const uint64_t capacity = need_bytes > arena->next_block_bytes
                                  ? need_bytes
                                  : arena->next_block_bytes;
    uint64_t total = 0;
    if (!mpl_add(&total, capacity, sizeof(block)) || total > SIZE_MAX)
        return NULL;
    const bool is_zeroed = total >= ZEROED_BLOCK_BYTES;
    block *const made =
        is_zeroed ? calloc(1, (size_t)total) : malloc((size_t)total);
    if (made == NULL)
        return NULL;
    made->used_bytes = 0;
    made->is_zeroed = is_zeroed;
    if (total >= HUGE_BLOCK_BYTES)
        prefer_huge_pages(made, total);
    made->capacity_bytes = capacity;
    made->older = arena->newest;
    arena->newest = made;
    if (arena->next_block_bytes == SMALL_BLOCK_BYTES)
        arena->next_block_bytes = LARGE_BLOCK_BYTES;
    else if (arena->next_block_bytes < LAST_BLOCK_BYTES)
        arena->next_block_bytes *= 2;
    return made;
}

/* Zeroed only in a block that is. */
static void *take(mpl_arena *arena, uint64_t count, uint64_t item_bytes,
                  bool *out_is_zeroed)
{
    uint64_t need = 0;
    if (!mpl_mul(&need, count, item_bytes) ||
        !mpl_align_up(&need, need, _Alignof(max_align_t)))
        return NULL;
    block *at = arena->newest;
    if (at == NULL || at->capacity_bytes - at->used_bytes < need)
        at = open_block(arena, need);
    if (at == NULL) {
        arena->has_failed = true;
        return NULL;
    }
    void *const place = (unsigned char *)at->data + at->used_bytes;
    at->used_bytes += need;
    *out_is_zeroed = at->is_zeroed;
    return place;
}

void *mpl_arena_alloc(mpl_arena *arena, uint64_t count, uint64_t item_bytes)
{
    bool is_zeroed = true;
    void *const place = take(arena, count, item_bytes, &is_zeroed);
    if (place != NULL && !is_zeroed)
        memset(place, 0, (size_t)(count * item_bytes));
    return place;
}

void *mpl_arena_take(mpl_arena *arena, uint64_t count, uint64_t item_bytes)
{
    bool is_zeroed = true;
    return take(arena, count, item_bytes, &is_zeroed);
}

char *mpl_arena_copy(mpl_arena *arena, const char *text, uint64_t length)
{
    uint64_t size = 0;
    if (!mpl_add(&size, length, 1))
        return NULL;
    bool is_zeroed = true;
    char *const copy = take(arena, size, 1, &is_zeroed);
    if (copy == NULL)
        return NULL;
    if (length > 0)
        memcpy(copy, text, (size_t)length);
    copy[length] = '\0';
    return copy;
}

char *mpl_arena_strdup(mpl_arena *arena, const char *text)
{
    return mpl_arena_copy(arena, text, strlen(text));
}

char *mpl_arena_join(mpl_arena *arena, const char *first, ...)
{
    va_list parts;
    uint64_t length = 0;
    va_start(parts, first);
    for (const char *at = first; at != NULL; at = va_arg(parts, const char *))
        length += strlen(at);
    va_end(parts);
    char *const text = mpl_arena_take(arena, length + 1, 1);
    if (text == NULL)
        return NULL;
    char *end = text;
    va_start(parts, first);
    for (const char *at = first; at != NULL; at = va_arg(parts, const char *))
        end = stpcpy(end, at);
    va_end(parts);
    return text;
}

char *mpl_arena_format(mpl_arena *arena, const char *format, ...)
{
    char line[256]; /* most are no longer */
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length < 0)
        return NULL;
    if ((size_t)length < sizeof line)
        return mpl_arena_copy(arena, line, (uint64_t)length);
    char *const text = mpl_arena_alloc(arena, (uint64_t)length + 1, 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    (void)vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void *mpl_arena_grow(mpl_arena *arena, void *items, uint64_t count,
                     uint64_t *capacity, uint64_t item_bytes)
{
    if (count < *capacity)
        return items;
    uint64_t wider = 8;
    if (*capacity > 0 && !mpl_mul(&wider, *capacity, 2))
        return NULL;
    void *const moved = mpl_arena_alloc(arena, wider, item_bytes);
    if (moved == NULL)
        return NULL;
    if (count > 0)
        memcpy(moved, items, (size_t)(count * item_bytes));
    *capacity = wider;
    return moved;
}

void *mpl_arena_reserve(mpl_arena *arena, void *items, uint64_t count,
                        uint64_t *capacity, uint64_t wanted,
                        uint64_t item_bytes)
{
    if (wanted <= *capacity)
        return items;
    void *const moved = mpl_arena_take(arena, wanted, item_bytes);
    if (moved == NULL)
        return NULL;
    if (count > 0)
        memcpy(moved, items, (size_t)(count * item_bytes));
    *capacity = wanted;
    return moved;
}

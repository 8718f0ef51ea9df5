/* SPDX-License-Identifier: MIT */
/*
 * An arena: many allocations, one free. Each handle owns one, so a parser
 * never frees and a failing constructor has a single exit.
 *
 * All memory of the library but texts and input windows comes from here.
 */
#ifndef MPL_BASE_ARENA_H
#define MPL_BASE_ARENA_H

#include <stdbool.h>
#include <stdint.h>

typedef struct mpl_arena mpl_arena;

/* NULL when the host refuses memory. */
mpl_arena *mpl_arena_create(void);

/* Frees all that was allocated. NULL is allowed. */
void mpl_arena_free(mpl_arena *arena);

/* Takes back all that was allocated and keeps the memory for what comes next,
 * which spares a loop the host's pages. */
void mpl_arena_empty(mpl_arena *arena);

/* True once the host has refused this arena memory: for a caller whose steps
 * do not tell a refusal from other failures. */
bool mpl_arena_has_failed(const mpl_arena *arena);

/* `count` zeroed items of `item_bytes`, aligned for any type; NULL when the
 * host refuses or the product passes 64 bits. Never NULL for 0 bytes. */
void *mpl_arena_alloc(mpl_arena *arena, uint64_t count, uint64_t item_bytes);

/* The same, but not zeroed: for what is filled at once. */
void *mpl_arena_take(mpl_arena *arena, uint64_t count, uint64_t item_bytes);

/* A terminated copy of `length` bytes, or NULL. */
char *mpl_arena_copy(mpl_arena *arena, const char *text, uint64_t length);

/* A terminated copy of a text, or NULL. */
char *mpl_arena_strdup(mpl_arena *arena, const char *text);

/* The texts one after the other; NULL ends them, and is returned where the host
 * refuses. */
char *mpl_arena_join(mpl_arena *arena, const char *first, ...)
    __attribute__((sentinel));

/* printf into the arena; NULL when the host refuses. No %f: it has a locale. */
char *mpl_arena_format(mpl_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * A list that grows: makes room for one more item after `count`, doubling.
 * Returns the items' place (moved when it grew), or NULL. `*capacity` starts
 * at 0 with `items` NULL.
 */
void *mpl_arena_grow(mpl_arena *arena, void *items, uint64_t count,
                     uint64_t *capacity, uint64_t item_bytes);

/* The same for `wanted` items in all, of which those after `count` are not
 * zeroed: where it is known how many will come. */
void *mpl_arena_reserve(mpl_arena *arena, void *items, uint64_t count,
                        uint64_t *capacity, uint64_t wanted,
                        uint64_t item_bytes);

#endif

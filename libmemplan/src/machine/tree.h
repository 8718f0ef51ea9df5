/* SPDX-License-Identifier: MIT */
/*
 * Small kernel files under a root: "/" for this machine, or a recorded tree.
 * Every probe reads through one, so a folder can stand for a machine.
 *
 * A file that is absent, unreadable, or vanishes while it is read is no
 * failure: the answer is false.
 */
#ifndef MPL_MACHINE_TREE_H
#define MPL_MACHINE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct mpl_tree {
    const char *root; /* "" for "/" */
} mpl_tree;

/* The most that is read of one file. */
enum { MPL_TREE_FILE_BYTES = 4096, MPL_TREE_PATH_BYTES = 1024 };

/* Reads the beginning of a file into a terminated text without the final
 * newline. `path` is printf's way and starts with a slash. */
bool mpl_tree_text(const mpl_tree *tree, char *out, uint64_t out_size,
                   const char *path, ...)
    __attribute__((format(printf, 4, 5)));

/* A file that holds one whole number, decimal or 0x. */
bool mpl_tree_number(const mpl_tree *tree, uint64_t *out, const char *path,
                     ...) __attribute__((format(printf, 3, 4)));

/* The number at the start of a text, decimal or 0x. */
bool mpl_tree_parse(const char *text, uint64_t *out);

/* The file is there but cannot be read: no permission, or not a file. */
bool mpl_tree_is_denied(const mpl_tree *tree, const char *path, ...)
    __attribute__((format(printf, 2, 3)));

/* The names in a folder, in the order of numbers and letters, in the arena;
 * at most 4096; none where there is no folder. False: no memory. */
bool mpl_tree_list(const mpl_tree *tree, mpl_arena *arena, const char ***out,
                   uint32_t *out_count, const char *path);

/* The number after "key" and a colon or spaces on a line of its own in a
 * text, such as "MemTotal:  24684096 kB" (the unit is not applied). */
bool mpl_tree_field(const char *text, const char *key, uint64_t *out);

/* A field of a NUMA node's meminfo (" MemTotal"), in bytes; 0: not there. */
uint64_t mpl_tree_node_bytes(const mpl_tree *tree, uint32_t node,
                             const char *key);

#endif

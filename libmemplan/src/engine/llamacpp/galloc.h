/* SPDX-License-Identifier: MIT */
/*
 * The graph allocator: where each node's storage goes inside the compute
 * buffers, and how large they must be. One space for each buffer type.
 */
#ifndef MPL_ENGINE_LLAMACPP_GALLOC_H
#define MPL_ENGINE_LLAMACPP_GALLOC_H

#include "engine/llamacpp/graph.h"

enum {
    MPL_SPACE_CHUNKS = 16,
    MPL_SPACE_FREE_BLOCKS = 256
};

typedef struct mpl_free_block {
    uint64_t offset;
    uint64_t bytes;
} mpl_free_block;

typedef struct mpl_chunk {
    mpl_free_block *blocks; /* sorted by offset */
    uint32_t block_count;
    uint32_t padding;
    uint64_t peak_bytes; /* highest end of an allocation, ever */
} mpl_chunk;

typedef struct mpl_space {
    mpl_arena *arena;
    uint64_t alignment_bytes;
    uint64_t chunk_bytes; /* the largest single buffer; UINT64_MAX: no bound */
    mpl_chunk chunks[MPL_SPACE_CHUNKS];
    uint32_t chunk_count;
    memplan_status status; /* sticky; _UNSUPPORTED: out of free blocks */
    uint64_t peak_step;    /* the allocation that last raised a peak */
    uint64_t step;
} mpl_space;

void mpl_space_open(mpl_space *space, mpl_arena *arena,
                    uint64_t alignment_bytes, uint64_t chunk_bytes);

/* A place for `bytes`, rounded up to the alignment. */
void mpl_space_take(mpl_space *space, uint64_t bytes, uint8_t *chunk,
                    uint64_t *offset);

/* Gives back what was taken there. */
void mpl_space_give(mpl_space *space, uint64_t bytes, uint8_t chunk,
                    uint64_t offset);

/* Sum of the peaks of its chunks. */
uint64_t mpl_space_bytes(const mpl_space *space);

/* Bytes that a node takes in a space (an operator may need more than its
 * result). */
typedef uint64_t mpl_size_rule(const void *context, uint32_t space,
                               const mpl_node *node);

/* The order in which the allocator meets everything. */
typedef struct mpl_schedule {
    mpl_node **nodes;
    uint8_t *node_space; /* whose space a node's storage is taken from */
    uint64_t node_count;
    uint64_t node_capacity;
    uint64_t space_capacity;
    mpl_node **leafs;
    uint8_t *leaf_space;
    uint64_t leaf_count;
    uint64_t leaf_capacity;
    uint64_t leaf_space_capacity;
} mpl_schedule;

/* Who watches storage come and go: `took` and `gave`, both or neither, and
 * `before` each node, or NULL. */
typedef struct mpl_watch {
    void *context;
    void (*took)(void *context, const mpl_node *node, uint64_t bytes);
    void (*gave)(void *context, const mpl_node *node);
    void (*before)(void *context, uint64_t index);
} mpl_watch;

/* Runs the allocator over a schedule. MEMPLAN_OK, or the spaces' status. */
memplan_status mpl_galloc_run(const mpl_schedule *schedule, mpl_space *spaces,
                              uint32_t space_count, mpl_size_rule *rule,
                              const void *context, const mpl_watch *watch);

#endif

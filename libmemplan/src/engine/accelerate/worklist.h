/* SPDX-License-Identifier: MIT */
/*
 * The nodes that still have to be placed, in order. Linked, so that putting a
 * module's children in its place costs no more than the children.
 */
#ifndef MPL_ENGINE_ACCELERATE_WORKLIST_H
#define MPL_ENGINE_ACCELERATE_WORKLIST_H

#include "engine/accelerate/modules.h"

typedef struct mpl_worklist {
    const memplan_modules *tree;
    uint32_t *next; /* by node; the last place is the ring's anchor */
    uint32_t *previous;
    bool *holds;
    uint32_t anchor;
} mpl_worklist;

/* An empty list; false when the host refuses memory. */
bool mpl_worklist_create(mpl_worklist *out, mpl_arena *arena,
                         const memplan_modules *tree);

/* The root's parameters, children and buffers. */
void mpl_worklist_start(mpl_worklist *list);

/* Makes `list` hold what `from` holds. */
void mpl_worklist_copy(mpl_worklist *list, const mpl_worklist *from);

/* The first node, or MPL_NO_NODE. */
uint32_t mpl_worklist_first(const mpl_worklist *list);

/* The node after one that is in the list, or MPL_NO_NODE. */
uint32_t mpl_worklist_after(const mpl_worklist *list, uint32_t node);

void mpl_worklist_remove(mpl_worklist *list, uint32_t node);
void mpl_worklist_push(mpl_worklist *list, uint32_t node);

/* Puts a module's parameters and children where it stands, in its place. */
void mpl_worklist_split(mpl_worklist *list, uint32_t module);

/* The module in the list that a node lies in (it is not that node itself), or
 * MPL_NO_NODE. */
uint32_t mpl_worklist_around(const mpl_worklist *list, uint32_t node);

#endif

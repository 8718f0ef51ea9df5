/* SPDX-License-Identifier: MIT */
/*
 * The graph allocator: leafs first, then inputs, then node by node; storage is
 * given back after its last consumer, and an operator that works in place
 * takes over a source that nobody else will read.
 *
 * Ownership is kept on roots only: a view never gives storage away, so an
 * operator on a view is never in place.
 */
#include "engine/llamacpp/galloc.h"

#include "base/checked.h"

typedef struct run {
    mpl_space *spaces;
    mpl_size_rule *rule;
    const void *context;
    const mpl_watch *watch;
} run;

static uint64_t size_of(const run *r, const mpl_node *node)
{
    return r->rule(r->context, (uint32_t)node->home, node);
}

static bool has_storage(const mpl_node *node)
{
    return node->buffer != MPL_NODE_NO_BUFFER ||
           (node->flags & MPL_NODE_OWNED) != 0;
}

static bool may_take_over(const mpl_node *node, const mpl_node *source)
{
    return (source->flags & MPL_NODE_OWNED) != 0 &&
           (source->flags & MPL_NODE_OUTPUT) == 0 &&
           source->child_count == 1 && source->view_count == 0 &&
           mpl_node_same_layout(node, source);
}

/* What the source had beyond the node's need goes back. */
static void take_over(const run *r, mpl_node *node, mpl_node *source)
{
    node->home = source->home;
    node->chunk = source->chunk;
    node->offset = source->offset;
    source->flags &= (uint8_t)~MPL_NODE_OWNED;
    mpl_space *const space = &r->spaces[node->home];
    uint64_t had = size_of(r, source);
    uint64_t need = size_of(r, node);
    if (r->watch != NULL) {
        r->watch->gave(r->watch->context, source);
        r->watch->took(r->watch->context, node, need);
    }
    if (!mpl_align_up(&had, had, space->alignment_bytes) ||
        !mpl_align_up(&need, need, space->alignment_bytes))
        return;
    if (had > need)
        mpl_space_give(space, had - need, node->chunk, node->offset + need);
}

static void allocate(const run *r, mpl_node *node, uint8_t home)
{
    if (has_storage(node) || node->view_of != NULL)
        return;
    node->flags |= MPL_NODE_OWNED;
    if (mpl_op_kind_of((mpl_op)node->op) == MPL_OP_KIND_INPLACE) {
        for (int i = 0; i < MPL_NODE_SOURCES; i++) {
            mpl_node *const source = node->src[i];
            if (source == NULL || !may_take_over(node, source))
                continue;
            take_over(r, node, source);
            return;
        }
    }
    node->home = (int8_t)home;
    const uint64_t bytes = size_of(r, node);
    mpl_space_take(&r->spaces[home], bytes, &node->chunk, &node->offset);
    if (r->watch != NULL)
        r->watch->took(r->watch->context, node, bytes);
}

static void give_back(const run *r, mpl_node *node)
{
    if (node->flags & MPL_NODE_OUTPUT)
        return;
    mpl_space_give(&r->spaces[node->home], size_of(r, node), node->chunk,
                   node->offset);
    node->flags &= (uint8_t)~MPL_NODE_OWNED;
    if (r->watch != NULL)
        r->watch->gave(r->watch->context, node);
}

static void count_uses(const run *r, const mpl_schedule *schedule)
{
    for (uint64_t i = 0; i < schedule->node_count; i++) {
        mpl_node *const node = schedule->nodes[i];
        const uint8_t home = schedule->node_space[i];
        if (node->view_of != NULL && node->op != MPL_OP_NONE)
            node->view_of->view_count++;
        if (node->flags & MPL_NODE_INPUT)
            allocate(r, node, home);
        for (int j = 0; j < MPL_NODE_SOURCES; j++) {
            mpl_node *const source = node->src[j];
            if (source == NULL)
                continue;
            source->child_count++;
            if (source->flags & MPL_NODE_INPUT)
                allocate(r, source, home);
        }
    }
}

static void release(const run *r, mpl_node *source)
{
    source->child_count--;
    if (source->child_count != 0 || source->view_count != 0)
        return;
    mpl_node *root = source;
    if (source->view_of != NULL) {
        root = source->view_of;
        root->view_count--;
        if (root->view_count != 0 || root->child_count != 0)
            return;
    }
    if (root->flags & MPL_NODE_OWNED)
        give_back(r, root);
}

memplan_status mpl_galloc_run(const mpl_schedule *schedule, mpl_space *spaces,
                              uint32_t space_count, mpl_size_rule *rule,
                              const void *context, const mpl_watch *watch)
{
    const run r = {spaces, rule, context,
                   watch != NULL && watch->took != NULL ? watch : NULL};
    const bool is_stepped = watch != NULL && watch->before != NULL;
    for (uint64_t i = 0; i < schedule->leaf_count; i++)
        allocate(&r, schedule->leafs[i], schedule->leaf_space[i]);
    count_uses(&r, schedule);
    for (uint64_t i = 0; i < schedule->node_count; i++) {
        mpl_node *const node = schedule->nodes[i];
        const uint8_t home = schedule->node_space[i];
        if (is_stepped)
            watch->before(watch->context, i);
        for (int j = 0; j < MPL_NODE_SOURCES; j++)
            if (node->src[j] != NULL)
                allocate(&r, node->src[j], home);
        allocate(&r, node, home);
        for (int j = 0; j < MPL_NODE_SOURCES; j++)
            if (node->src[j] != NULL)
                release(&r, node->src[j]);
    }
    for (uint32_t i = 0; i < space_count; i++)
        if (spaces[i].status != MEMPLAN_OK)
            return spaces[i].status;
    return MEMPLAN_OK;
}

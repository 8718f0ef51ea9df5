/* SPDX-License-Identifier: MIT */
/* Graphs: nodes, their shapes, and the order of visits. */
#include "engine/llamacpp/graph.h"

#include "base/checked.h"

enum { SLAB_NODES = 256 };

static const struct {
    const char *name;
    mpl_op_kind kind;
} OPS[] = {
#define OP(id, name, kind) {name, MPL_OP_KIND_##kind},
#include "engine/llamacpp/ops.def"
#undef OP
};

const char *mpl_op_name(mpl_op op)
{
    return op < MPL_OP_COUNT ? OPS[op].name : "?";
}

mpl_op_kind mpl_op_kind_of(mpl_op op)
{
    return OPS[op].kind;
}

void mpl_graph_open(mpl_graph *graph, mpl_arena *arena)
{
    *graph = (mpl_graph){.arena = arena, .layer = -1};
    graph->broken.name = "?";
    graph->broken.backend = MPL_NODE_NO_BACKEND;
    graph->broken.buffer = MPL_NODE_NO_BUFFER;
    graph->broken.dtype = MPL_DTYPE_FP32;
    for (int i = 0; i < 4; i++)
        graph->broken.ne[i] = graph->broken.nb[i] = 1;
}

static mpl_node *fail(mpl_graph *g, memplan_status status)
{
    if (g->status == MEMPLAN_OK)
        g->status = status;
    return &g->broken;
}

void mpl_graph_refuse(mpl_graph *graph, mpl_llama_refusal refusal)
{
    if (graph->status == MEMPLAN_OK)
        graph->refusal = refusal;
    (void)fail(graph, MEMPLAN_E_UNSUPPORTED);
}

static mpl_node *take(mpl_graph *g)
{
    if (g->status != MEMPLAN_OK)
        return NULL;
    if (g->slab_left == 0) {
        g->slab = mpl_arena_alloc(g->arena, SLAB_NODES, sizeof *g->slab);
        if (g->slab == NULL) {
            (void)fail(g, MEMPLAN_E_NO_MEMORY);
            return NULL;
        }
        g->slab_left = SLAB_NODES;
    }
    g->slab_left--;
    return g->slab++;
}

uint64_t mpl_row_bytes(uint32_t dtype, uint64_t elements)
{
    uint64_t bytes;
    if (!mpl_mul(&bytes, elements, mpl_dtype_block_bytes(dtype)))
        return UINT64_MAX;
    return bytes / mpl_dtype_block_elements(dtype);
}

/* Strides of a contiguous tensor; false when they pass 64 bits. */
static bool stride(mpl_node *node)
{
    node->nb[0] = mpl_dtype_block_bytes(node->dtype);
    node->nb[1] = mpl_row_bytes(node->dtype, node->ne[0]);
    return mpl_mul(&node->nb[2], node->nb[1], node->ne[1]) &&
           mpl_mul(&node->nb[3], node->nb[2], node->ne[2]) &&
           (node->ne[3] == 0 || node->nb[3] <= UINT64_MAX / 4 / node->ne[3]);
}

mpl_node *mpl_tensor4(mpl_graph *g, uint32_t dtype, uint64_t ne0, uint64_t ne1,
                      uint64_t ne2, uint64_t ne3)
{
    mpl_node *const node = take(g);
    if (node == NULL)
        return &g->broken;
    node->ne[0] = ne0;
    node->ne[1] = ne1;
    node->ne[2] = ne2;
    node->ne[3] = ne3;
    node->dtype = (uint8_t)dtype;
    node->op = MPL_OP_NONE;
    node->name = "";
    node->layer = g->layer;
    node->buffer = MPL_NODE_NO_BUFFER;
    node->backend = MPL_NODE_NO_BACKEND;
    node->home = MPL_NODE_NO_BACKEND;
    if (!stride(node))
        return fail(g, MEMPLAN_E_TOO_LARGE);
    return node;
}

uint64_t mpl_node_elements(const mpl_node *node)
{
    return node->ne[0] * node->ne[1] * node->ne[2] * node->ne[3];
}

uint64_t mpl_node_bytes(const mpl_node *node)
{
    const uint64_t block = mpl_dtype_block_elements(node->dtype);
    uint64_t bytes = 0;
    for (int i = 0; i < 4; i++)
        if (node->ne[i] == 0)
            return 0;
    if (block == 1)
        bytes = mpl_dtype_block_bytes(node->dtype) +
                (node->ne[0] - 1) * node->nb[0];
    else
        bytes = node->ne[0] * node->nb[0] / block;
    for (int i = 1; i < 4; i++)
        bytes += (node->ne[i] - 1) * node->nb[i];
    return bytes;
}

bool mpl_node_is_contiguous(const mpl_node *node)
{
    uint64_t next = mpl_dtype_block_bytes(node->dtype);
    if (node->ne[0] != mpl_dtype_block_elements(node->dtype) &&
        node->nb[0] != next)
        return false;
    next = mpl_row_bytes(node->dtype, node->ne[0]);
    for (int i = 1; i < 4; i++) {
        if (node->ne[i] == 1)
            continue;
        if (node->nb[i] != next)
            return false;
        next *= node->ne[i];
    }
    return true;
}

bool mpl_node_same_layout(const mpl_node *a, const mpl_node *b)
{
    if (a->dtype != b->dtype)
        return false;
    for (int i = 0; i < 4; i++)
        if (a->ne[i] != b->ne[i] || a->nb[i] != b->nb[i])
            return false;
    return true;
}

static void append(mpl_graph *g, mpl_node *node)
{
    const bool is_leaf = node->op == MPL_OP_NONE;
    mpl_node ***const list = is_leaf ? &g->leafs : &g->nodes;
    uint64_t *const count = is_leaf ? &g->leaf_count : &g->node_count;
    uint64_t *const capacity = is_leaf ? &g->leaf_capacity : &g->node_capacity;
    mpl_node **const items =
        mpl_arena_grow(g->arena, *list, *count, capacity, sizeof **list);
    if (items == NULL) {
        (void)fail(g, MEMPLAN_E_NO_MEMORY);
        return;
    }
    *list = items;
    items[(*count)++] = node;
}

/* Depth first without recursion: `next` leads back to the node that asked. */
void mpl_graph_expand(mpl_graph *g, mpl_node *node)
{
    if (g->status != MEMPLAN_OK || (node->flags & MPL_NODE_VISITED))
        return;
    node->flags |= MPL_NODE_VISITED;
    node->next = NULL;
    while (node != NULL) {
        if (node->walk == MPL_NODE_SOURCES) {
            mpl_node *const asker = node->next;
            node->next = NULL;
            append(g, node);
            node = asker;
            continue;
        }
        mpl_node *const source = node->src[node->walk++];
        if (source == NULL || (source->flags & MPL_NODE_VISITED))
            continue;
        source->flags |= MPL_NODE_VISITED;
        source->next = node;
        node = source;
    }
}

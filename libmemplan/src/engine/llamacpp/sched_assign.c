/* SPDX-License-Identifier: MIT */
/*
 * A backend for every node, in ggml's four passes:
 *
 *   1  where the data is: storage of its own, inputs (CPU), weights
 *   2  neighbours: devices down, devices up, all down, all up
 *   3  what is left: the backend that can read most of its sources
 *   4  views follow their root, sources their first consumer
 */
#include "engine/llamacpp/sched_assign.h"

enum { OFFLOAD_MIN_BATCH = 32 };

static uint16_t buffer_of(const mpl_node *node)
{
    return node->view_of != NULL ? node->view_of->buffer : node->buffer;
}

bool mpl_sched_is_view(const mpl_node *node)
{
    return mpl_op_kind_of((mpl_op)node->op) == MPL_OP_KIND_VIEW;
}

static bool is_cpu(const mpl_sched_options *o, int backend)
{
    return backend == (int)o->backend_count - 1;
}

static bool reads_buffer(const mpl_sched_options *o, int backend,
                         uint16_t buffer)
{
    if (is_cpu(o, backend))
        return buffer < MPL_LLAMA_BUFFER_DEVICE;
    return buffer == o->buffer[backend];
}

bool mpl_sched_reads(const mpl_sched_options *o, const mpl_node *node,
                     int backend)
{
    uint16_t buffer = buffer_of(node);
    if (buffer == MPL_NODE_NO_BUFFER) {
        int owner = node->backend;
        if (owner == MPL_NODE_NO_BACKEND && node->view_of != NULL)
            owner = node->view_of->backend;
        if (owner == MPL_NODE_NO_BACKEND)
            return false;
        buffer = o->buffer[owner];
    }
    return reads_buffer(o, backend, buffer);
}

enum { AMX_ROWS = 32 };

/* Repacked weights can only be multiplied: matrices, or experts, by F32. AMX
 * also takes stacks of matrices, but only contiguous inputs. */
static bool runs_on_repacked(const mpl_node *node, const mpl_node *weight)
{
    const mpl_node *const x = node->src[1];
    const bool is_stack = weight->ne[2] * weight->ne[3] > 1;
    if (node->src[0] != weight || x == NULL || x->dtype != MPL_DTYPE_FP32)
        return false;
    if (weight->buffer == MPL_LLAMA_BUFFER_AMX)
        return node->op == MPL_OP_MUL_MAT && node->ne[0] % AMX_ROWS == 0 &&
               mpl_node_is_contiguous(x);
    return node->op == (is_stack ? MPL_OP_MUL_MAT_ID : MPL_OP_MUL_MAT);
}

static bool runs(const mpl_sched_options *o, int backend, const mpl_node *node)
{
    if (!is_cpu(o, backend) || node->op == MPL_OP_NONE ||
        mpl_sched_is_view(node))
        return true;
    for (int i = 0; i < 4; i++) {
        const mpl_node *const source = node->src[i];
        if (source == NULL || (source->buffer != MPL_LLAMA_BUFFER_REPACK &&
                               source->buffer != MPL_LLAMA_BUFFER_AMX))
            continue;
        return runs_on_repacked(node, source);
    }
    return true;
}

static int by_buffer(const mpl_sched_options *o, const mpl_node *node,
                     const mpl_node *op)
{
    const uint16_t buffer = buffer_of(node);
    if (buffer == MPL_NODE_NO_BUFFER)
        return MPL_NODE_NO_BACKEND;
    for (int b = 0; b < (int)o->backend_count; b++)
        if (reads_buffer(o, b, buffer) && runs(o, b, op))
            return b;
    return MPL_NODE_NO_BACKEND;
}

/* Columns of a product, tokens of an expert product, else rows. */
static uint64_t batch_of(const mpl_node *node)
{
    switch (node->op) {
    case MPL_OP_GET_ROWS:
        return 0;
    case MPL_OP_MUL_MAT:
        return node->ne[1];
    case MPL_OP_MUL_MAT_ID:
    case MPL_OP_ROPE:
        return node->ne[2];
    default:
        return node->ne[1] * node->ne[2] * node->ne[3];
    }
}

static bool is_host_buffer(uint16_t buffer)
{
    return buffer == MPL_LLAMA_BUFFER_CPU || buffer == MPL_LLAMA_BUFFER_PINNED;
}

static int by_weight(const mpl_sched_options *o, const mpl_node *node,
                     const mpl_node *weight)
{
    const int home = by_buffer(o, weight, node);
    if (!o->op_offload || home == MPL_NODE_NO_BACKEND || !is_cpu(o, home) ||
        !is_host_buffer(weight->buffer) || batch_of(node) < OFFLOAD_MIN_BATCH)
        return home;
    for (int b = 0; b < home; b++)
        if (o->offloads[b])
            return b;
    return home;
}

/* Pass 1. ROPE's factors and attention's sinks are too small to decide. */
static int by_data(const mpl_sched_options *o, const mpl_node *node)
{
    const int home = by_buffer(o, node, node);
    if (home != MPL_NODE_NO_BACKEND)
        return home;
    if (node->flags & MPL_NODE_INPUT)
        return (int)o->backend_count - 1;
    if (node->op == MPL_OP_ROPE || node->op == MPL_OP_FLASH_ATTN)
        return MPL_NODE_NO_BACKEND;
    for (int i = 0; i < MPL_NODE_SOURCES; i++) {
        const mpl_node *const source = node->src[i];
        if (source != NULL && (source->flags & MPL_NODE_WEIGHT))
            return by_weight(o, node, source);
    }
    return MPL_NODE_NO_BACKEND;
}

static void assign_by_data(mpl_graph *graph, const mpl_sched_options *o)
{
    for (uint64_t i = 0; i < graph->leaf_count; i++)
        if (graph->leafs[i]->backend == MPL_NODE_NO_BACKEND)
            graph->leafs[i]->backend = (int8_t)by_data(o, graph->leafs[i]);
    for (uint64_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->backend == MPL_NODE_NO_BACKEND)
            graph->nodes[i]->backend = (int8_t)by_data(o, graph->nodes[i]);
}

/* Pass 2, one sweep; the CPU is not spread where only devices are. */
static void spread(mpl_graph *graph, const mpl_sched_options *o, bool is_down,
                   bool devices_only)
{
    int current = MPL_NODE_NO_BACKEND;
    for (uint64_t n = 0; n < graph->node_count; n++) {
        mpl_node *const node =
            graph->nodes[is_down ? n : graph->node_count - 1 - n];
        if (mpl_sched_is_view(node))
            continue;
        if (node->backend != MPL_NODE_NO_BACKEND)
            current = devices_only && is_cpu(o, node->backend)
                          ? MPL_NODE_NO_BACKEND
                          : node->backend;
        else if (current != MPL_NODE_NO_BACKEND && runs(o, current, node))
            node->backend = (int8_t)current;
    }
}

static int readable_sources(const mpl_sched_options *o, const mpl_node *node,
                            int backend)
{
    int count = 0;
    for (int i = 0; i < MPL_NODE_SOURCES; i++)
        if (node->src[i] != NULL && mpl_sched_reads(o, node->src[i], backend))
            count++;
    return count;
}

/* Pass 3. */
static void assign_by_sources(mpl_graph *graph, const mpl_sched_options *o)
{
    for (uint64_t i = 0; i < graph->node_count; i++) {
        mpl_node *const node = graph->nodes[i];
        int best = -1;
        if (mpl_sched_is_view(node) || node->backend != MPL_NODE_NO_BACKEND)
            continue;
        for (int b = 0; b < (int)o->backend_count; b++) {
            if (!runs(o, b, node))
                continue;
            const int count = readable_sources(o, node, b);
            if (count <= best)
                continue;
            best = count;
            node->backend = (int8_t)b;
        }
    }
}

/* Pass 4. */
static bool assign_the_rest(mpl_graph *graph, const mpl_sched_options *o)
{
    for (uint64_t i = 0; i < graph->node_count; i++) {
        mpl_node *const node = graph->nodes[i];
        if (node->backend == MPL_NODE_NO_BACKEND && node->view_of != NULL)
            node->backend = node->view_of->backend;
        for (int j = 0; j < MPL_NODE_SOURCES; j++) {
            mpl_node *const source = node->src[j];
            if (source == NULL || source->backend != MPL_NODE_NO_BACKEND)
                continue;
            source->backend = source->view_of != NULL ? source->view_of->backend
                                                      : node->backend;
        }
        for (int b = 0; b < (int)o->backend_count; b++)
            if (node->backend == MPL_NODE_NO_BACKEND && runs(o, b, node))
                node->backend = (int8_t)b;
        if (node->backend == MPL_NODE_NO_BACKEND)
            return false;
    }
    return true;
}

memplan_status mpl_sched_assign(mpl_graph *graph,
                                const mpl_sched_options *options)
{
    assign_by_data(graph, options);
    spread(graph, options, true, true);
    spread(graph, options, false, true);
    spread(graph, options, true, false);
    spread(graph, options, false, false);
    assign_by_sources(graph, options);
    return assign_the_rest(graph, options) ? MEMPLAN_OK : MEMPLAN_E_UNSUPPORTED;
}

/* SPDX-License-Identifier: MIT */
/*
 * Splits: runs of nodes on one backend. A source that the backend cannot read
 * is copied once for that backend and listed as an input of the split.
 *
 * The allocator then sees, for every split: for each input a node that keeps
 * the original alive and the copy itself; then the split's nodes. With
 * pipeline copies every graph input and every split input exists `copy_count`
 * times, is never freed, and comes first.
 */
#include "engine/llamacpp/sched.h"

#include "engine/llamacpp/sched_assign.h"

typedef struct split {
    uint64_t first; /* node */
    uint64_t end;
    uint64_t first_input; /* in splitter.inputs */
    uint64_t input_count;
    int backend;
} split;

typedef struct splitter {
    mpl_graph *graph;
    const mpl_sched_options *options;
    split *splits;
    uint64_t split_count;
    uint64_t split_capacity;
    mpl_node **inputs; /* of splits, in order */
    uint64_t input_count;
    uint64_t input_capacity;
    mpl_node **graph_inputs; /* with pipeline copies: in order of first use */
    uint64_t graph_input_count;
    uint64_t graph_input_capacity;
} splitter;

void mpl_sched_options_of(mpl_sched_options *out, const mpl_llama_setup *setup)
{
    *out = (mpl_sched_options){
        .backend_count = setup->device_count + 1,
        .copy_count = setup->copy_count > 1 ? setup->copy_count : 1,
        .op_offload = setup->op_offload,
    };
    for (uint32_t i = 0; i < setup->device_count; i++) {
        out->buffer[i] = (uint16_t)(MPL_LLAMA_BUFFER_DEVICE + i);
        out->offloads[i] = setup->devices[i].backend->has_op_offload;
    }
    out->buffer[setup->device_count] = setup->has_pinned
                                           ? MPL_LLAMA_BUFFER_PINNED
                                           : MPL_LLAMA_BUFFER_CPU;
}

static memplan_status no_memory(mpl_graph *graph)
{
    graph->status = MEMPLAN_E_NO_MEMORY;
    return graph->status;
}

static bool push(mpl_graph *graph, mpl_node ***list, uint64_t *count,
                 uint64_t *capacity, mpl_node *node)
{
    mpl_node **const items =
        mpl_arena_grow(graph->arena, *list, *count, capacity, sizeof **list);
    if (items == NULL) {
        (void)no_memory(graph);
        return false;
    }
    *list = items;
    items[(*count)++] = node;
    return true;
}

static mpl_node *find_copy(const mpl_node *node, int backend)
{
    mpl_node *copy = node->copies;
    while (copy != NULL && copy->home != backend)
        copy = copy->next;
    return copy;
}

/* A tensor of the same layout on another backend. */
static mpl_node *copy_layout(mpl_graph *graph, const mpl_node *node)
{
    mpl_node *const copy = mpl_tensor4(graph, node->dtype, node->ne[0],
                                       node->ne[1], node->ne[2], node->ne[3]);
    for (int i = 0; i < 4; i++)
        copy->nb[i] = node->nb[i];
    copy->name = node->name;
    copy->layer = node->layer;
    copy->op = MPL_OP_NONE;
    return copy;
}

/* Files `copy_count` copies under (node, backend), the first given or made;
 * their order in the list is that of their numbers. */
static mpl_node *file_copies(splitter *s, mpl_node *node, int backend,
                             bool is_own)
{
    const uint32_t count = s->options->copy_count;
    mpl_node *first = NULL;
    mpl_node **link = &node->copies;
    while (*link != NULL)
        link = &(*link)->next;
    for (uint32_t c = 0; c < count; c++) {
        mpl_node *const copy = copy_layout(s->graph, node);
        if (s->graph->status != MEMPLAN_OK)
            return NULL;
        if (count > 1)
            copy->flags |= MPL_NODE_INPUT | MPL_NODE_OUTPUT;
        copy->home = (int8_t)backend;
        *link = copy;
        link = &copy->next;
        if (first == NULL)
            first = copy;
    }
    if (is_own)
        node->flags |= MPL_NODE_OUTPUT;
    return first;
}

static bool add_split(splitter *s, uint64_t first, int backend)
{
    split *const items =
        mpl_arena_grow(s->graph->arena, s->splits, s->split_count,
                       &s->split_capacity, sizeof *s->splits);
    if (items == NULL) {
        (void)no_memory(s->graph);
        return false;
    }
    s->splits = items;
    if (s->split_count > 0)
        items[s->split_count - 1].end = first;
    items[s->split_count++] = (split){first, s->graph->node_count,
                                      s->input_count, 0, backend};
    return true;
}

/* A foreign weight opens a split of its own, so that the space of the one
 * before can be used again. */
static bool needs_weight(const splitter *s, const mpl_node *node, int backend)
{
    for (int i = 0; i < MPL_NODE_SOURCES; i++) {
        const mpl_node *const source = node->src[i];
        if (source != NULL && (source->flags & MPL_NODE_WEIGHT) &&
            source->backend != backend &&
            !mpl_sched_reads(s->options, source, backend))
            return true;
    }
    return false;
}

static bool file_graph_input(splitter *s, mpl_node *source)
{
    if (s->options->copy_count == 1 ||
        (source->flags & MPL_NODE_INPUT) == 0 ||
        find_copy(source, source->backend) != NULL)
        return true;
    return file_copies(s, source, source->backend, true) != NULL &&
           push(s->graph, &s->graph_inputs, &s->graph_input_count,
                &s->graph_input_capacity, source);
}

static bool read_source(splitter *s, mpl_node *node, int index)
{
    split *const now = &s->splits[s->split_count - 1];
    mpl_node *const source = node->src[index];
    if (!file_graph_input(s, source))
        return false;
    if (source->backend == now->backend ||
        mpl_sched_reads(s->options, source, now->backend))
        return true;
    mpl_node *copy = find_copy(source, now->backend);
    if (copy == NULL) {
        copy = file_copies(s, source, now->backend, false);
        if (copy == NULL || !push(s->graph, &s->inputs, &s->input_count,
                                  &s->input_capacity, source))
            return false;
        now->input_count++;
    }
    node->src[index] = copy;
    return true;
}

/* Pass 5 of ggml: views stay with the nodes around them. */
static bool cut(splitter *s)
{
    mpl_graph *const graph = s->graph;
    uint64_t i = 0;
    while (i < graph->node_count && mpl_sched_is_view(graph->nodes[i]))
        i++;
    if (i == graph->node_count)
        return true;
    if (!add_split(s, 0, graph->nodes[i]->backend))
        return false;
    for (; i < graph->node_count; i++) {
        mpl_node *const node = graph->nodes[i];
        if (mpl_sched_is_view(node))
            continue;
        const split *const now = &s->splits[s->split_count - 1];
        if (node->backend != now->backend ||
            (now->input_count > 0 && needs_weight(s, node, now->backend)))
            if (!add_split(s, i, node->backend))
                return false;
        for (int j = 0; j < MPL_NODE_SOURCES; j++)
            if (node->src[j] != NULL && !read_source(s, node, j))
                return false;
    }
    return true;
}

static bool add_node(mpl_schedule *out, mpl_graph *graph, mpl_node *node,
                     int space)
{
    uint8_t *const spaces =
        mpl_arena_grow(graph->arena, out->node_space, out->node_count,
                       &out->space_capacity, sizeof *out->node_space);
    if (spaces == NULL)
        return no_memory(graph) == MEMPLAN_OK;
    out->node_space = spaces;
    spaces[out->node_count] = (uint8_t)space;
    return push(graph, &out->nodes, &out->node_count, &out->node_capacity,
                node);
}

static bool add_leaf(mpl_schedule *out, mpl_graph *graph, mpl_node *node,
                     int space)
{
    uint8_t *const spaces =
        mpl_arena_grow(graph->arena, out->leaf_space, out->leaf_count,
                       &out->leaf_space_capacity, sizeof *out->leaf_space);
    if (spaces == NULL)
        return no_memory(graph) == MEMPLAN_OK;
    out->leaf_space = spaces;
    spaces[out->leaf_count] = (uint8_t)(space < 0 ? 0 : space);
    return push(graph, &out->leafs, &out->leaf_count, &out->leaf_capacity,
                node);
}

static bool add_input(const splitter *s, mpl_schedule *out, mpl_node *input,
                      int backend)
{
    mpl_node *const keep = copy_layout(s->graph, input);
    keep->view_of = input->view_of != NULL ? input->view_of : input;
    keep->src[0] = input;
    if (s->graph->status != MEMPLAN_OK)
        return false;
    return add_node(out, s->graph, keep, input->backend) &&
           add_node(out, s->graph, find_copy(input, backend), backend);
}

static bool list_nodes(const splitter *s, mpl_schedule *out)
{
    for (uint64_t i = 0; i < s->split_count; i++) {
        const split *const now = &s->splits[i];
        for (uint64_t j = 0; j < now->input_count; j++)
            if (!add_input(s, out, s->inputs[now->first_input + j],
                           now->backend))
                return false;
        for (uint64_t j = now->first; j < now->end; j++)
            if (!add_node(out, s->graph, s->graph->nodes[j],
                          s->graph->nodes[j]->backend))
                return false;
    }
    return true;
}

/* The first of a graph input's own copies is the original itself. */
static bool list_copies(const splitter *s, mpl_schedule *out, mpl_node *node,
                        int backend, bool is_own)
{
    mpl_node *copy = find_copy(node, backend);
    for (uint32_t c = 0; c < s->options->copy_count; c++) {
        if (!add_leaf(out, s->graph, is_own && c == 0 ? node : copy, backend))
            return false;
        copy = copy->next;
    }
    return true;
}

static bool list_inputs(const splitter *s, mpl_schedule *out, const split *now)
{
    for (uint64_t j = 0; j < now->input_count; j++)
        if (!list_copies(s, out, s->inputs[now->first_input + j], now->backend,
                         false))
            return false;
    return true;
}

static bool list_all_copies(const splitter *s, mpl_schedule *out)
{
    for (uint64_t i = 0; i < s->graph_input_count; i++)
        if (!list_copies(s, out, s->graph_inputs[i],
                         s->graph_inputs[i]->backend, true))
            return false;
    for (uint64_t i = 0; i < s->split_count; i++)
        if (!list_inputs(s, out, &s->splits[i]))
            return false;
    return true;
}

static bool list_leafs(const splitter *s, mpl_schedule *out)
{
    if (s->options->copy_count > 1 && !list_all_copies(s, out))
        return false;
    for (uint64_t i = 0; i < s->graph->leaf_count; i++)
        if (!add_leaf(out, s->graph, s->graph->leafs[i],
                      s->graph->leafs[i]->backend))
            return false;
    return true;
}

memplan_status mpl_sched_run(mpl_sched_result *out, mpl_graph *graph,
                             const mpl_sched_options *options)
{
    splitter s = {.graph = graph, .options = options};
    *out = (mpl_sched_result){0};
    if (graph->status != MEMPLAN_OK)
        return graph->status;
    const memplan_status status = mpl_sched_assign(graph, options);
    if (status != MEMPLAN_OK)
        return status;
    if (!cut(&s) || !list_nodes(&s, &out->schedule) ||
        !list_leafs(&s, &out->schedule))
        return graph->status;
    out->split_count = (uint32_t)s.split_count;
    return MEMPLAN_OK;
}

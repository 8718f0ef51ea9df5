/* SPDX-License-Identifier: MIT */
#include "engine/llamacpp/graph_room.h"

#include "base/checked.h"
#include "engine/llamacpp/shorten.h"

/* The larger of a number of operators by token and one by tensor. */
typedef struct allowance {
    uint32_t by_token;
    uint32_t by_tensor;
} allowance;

enum { OPERATORS_MIN = 1024 };

static const allowance USUAL = {0, 8};

static const allowance ALLOWANCES[MPL_LLAMA_ARCH_COUNT] = {
    [MPL_LLAMA_ARCH_KIMI_K3] = {160, 64},
    [MPL_LLAMA_ARCH_GLM5_NEXT] = {160, 64},
    [MPL_LLAMA_ARCH_HRM_TEXT] = {80, 64},
    [MPL_LLAMA_ARCH_QWEN3NEXT] = {40, 32},
    [MPL_LLAMA_ARCH_KIMI_LINEAR] = {40, 32},
    [MPL_LLAMA_ARCH_BAILINGMOE3] = {40, 32},
    [MPL_LLAMA_ARCH_QWEN35] = {40, 32},
    [MPL_LLAMA_ARCH_QWEN35MOE] = {40, 32},
    [MPL_LLAMA_ARCH_QWEN4EXP] = {40, 32},
    [MPL_LLAMA_ARCH_DEEPSEEK4] = {40, 32},
    [MPL_LLAMA_ARCH_NANBEIGE] = {40, 32},
    [MPL_LLAMA_ARCH_MINIMAX_01] = {40, 32},
    [MPL_LLAMA_ARCH_MINIMAX_M3] = {40, 32},
    [MPL_LLAMA_ARCH_HY_V4] = {40, 32},
};

static uint64_t operators_max(const mpl_llama_setup *setup, uint64_t tensors)
{
    const allowance *const own = &ALLOWANCES[setup->hparams->arch];
    const uint64_t tokens = mpl_min(setup->n_ctx, mpl_max(setup->n_ubatch, 1));
    if (own->by_tensor == 0)
        return mpl_max(OPERATORS_MIN, USUAL.by_tensor * tensors);
    return mpl_max(own->by_token * tokens, own->by_tensor * tensors);
}

/* The smallest of ggml's primes that is no less. */
static uint64_t hash_places(uint64_t wanted)
{
    static const uint32_t PRIMES[] = {1031,    2053,    4099,   8209,   16411,
                                      32771,   65537,   131101, 262147, 524309,
                                      1048583, 2097169, 4194319};
    for (uint32_t i = 0; i < sizeof PRIMES / sizeof *PRIMES; i++)
        if (PRIMES[i] >= wanted)
            return PRIMES[i];
    return wanted;
}

static uint64_t loaded_weights(const mpl_llama_setup *setup)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < setup->weight_count; i++)
        if (setup->weight_buffer[i] != MPL_LLAMA_BUFFER_NONE)
            count++;
    return count;
}

static uint64_t of_layers(mpl_node *const *nodes, uint64_t count,
                          uint32_t first, uint32_t end)
{
    uint64_t found = 0;
    for (uint64_t i = 0; i < count; i++)
        if (nodes[i]->layer >= (int)first && nodes[i]->layer < (int)end)
            found++;
    return found;
}

/* What the layers that were left out would add: whole periods like the last
 * that was kept. */
static uint64_t left_out(mpl_node *const *nodes, uint64_t count,
                         const mpl_llama_short *brief)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; brief != NULL && i < brief->run_count; i++) {
        const mpl_short_run *const at = &brief->runs[i];
        const uint32_t gap =
            brief->source[at->end] - brief->source[at->end - 1] - 1;
        sum += of_layers(nodes, count, at->middle, at->end) *
               (gap / (at->end - at->middle));
    }
    return sum;
}

mpl_llama_refusal mpl_graph_room_check(const mpl_graph *graph,
                                       const mpl_llama_setup *setup,
                                       const mpl_llama_short *brief)
{
    const uint64_t room = operators_max(setup, loaded_weights(setup));
    const uint64_t nodes =
        graph->node_count + left_out(graph->nodes, graph->node_count, brief);
    const uint64_t leafs =
        graph->leaf_count + left_out(graph->leafs, graph->leaf_count, brief);
    if (nodes >= room)
        return MPL_REFUSAL_GRAPH_NODES;
    return nodes + leafs > hash_places(room) ? MPL_REFUSAL_HASH_TABLE
                                             : MPL_REFUSAL_NONE;
}

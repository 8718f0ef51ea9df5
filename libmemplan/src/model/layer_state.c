/* SPDX-License-Identifier: MIT */
/*
 *     cache [KEYS, VALUES, WINDOW]    a token's elements; a null window: none
 *     indexer [ELEMENTS]              a token's, beside keys and values
 *     cross [KEYS, VALUES]            a token's of the encoder
 *     fixed [ELEMENTS] DTYPE          a sequence's; without a dtype, in that
 *                                     of computation
 *     step [ELEMENTS]                 a token's of a step, until the next
 *     encoder [TOKENS]                what cross attention sees
 */
#include "model/layer_state.h"

#include "base/checked.h"
#include "base/failure.h"

enum { MAX_VALUES = 3 };

/* No state of a real model comes near, and no sum of a few passes 64 bits. */
static const uint64_t MAX_SIZE = UINT64_C(1) << 40;

static memplan_status read_values(uint64_t values[MAX_VALUES],
                                  const mpl_node *node, mpl_evaluation *with)
{
    for (uint32_t at = 0; at < node->argument_count && at < MAX_VALUES; at++) {
        const mpl_expression *const rule = mpl_node_argument(node, at);
        const mpl_value value = mpl_expression_value(rule, with);
        if (value.kind == MPL_VALUE_NONE && at + 1 == MAX_VALUES)
            break;
        values[at] = mpl_expression_count(rule, MAX_SIZE, with);
    }
    return with->status;
}

memplan_status mpl_layer_state_add(mpl_state *state, const mpl_node *node,
                                   mpl_evaluation *with)
{
    uint64_t values[MAX_VALUES] = {0};
    uint64_t bytes = 0;
    const memplan_status status = read_values(values, node, with);
    if (status != MEMPLAN_OK)
        return status;
    if (node->kind == MPL_NODE_CACHE) {
        state->key_elements += values[0];
        state->value_elements += values[1];
        state->window_tokens = values[2];
        state->cache_count += values[0] != 0 || values[1] != 0;
    } else if (node->kind == MPL_NODE_INDEXER) {
        state->index_elements += values[0];
    } else if (node->kind == MPL_NODE_CROSS) {
        state->cross_key_elements += values[0];
        state->cross_value_elements += values[1];
    } else if (node->kind == MPL_NODE_STEP) {
        state->step_elements += values[0];
    } else if (node->dtype == MPL_DTYPE_COUNT) {
        state->fixed_elements += values[0];
    } else if (mpl_dtype_bytes(&bytes, node->dtype, values[0])) {
        state->fixed_bytes += bytes;
    }
    return MEMPLAN_OK;
}

memplan_status mpl_encoder_tokens(uint64_t *out, const mpl_node *node,
                                  mpl_evaluation *with)
{
    const mpl_expression *const rule = mpl_node_argument(node, 0);
    const mpl_value value = mpl_expression_value(rule, with);
    if (with->status == MEMPLAN_OK && value.kind != MPL_VALUE_NONE) {
        const uint64_t tokens = mpl_expression_count(rule, MAX_SIZE, with);
        if (with->status == MEMPLAN_OK)
            *out = tokens;
    }
    return with->status;
}

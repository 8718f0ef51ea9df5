/* SPDX-License-Identifier: MIT */
/*
 * Recurrent states: a row for each sequence. Reading gathers the rows of this
 * batch, clears one for new sequences and moves the rows that are only kept.
 */
#include "engine/llamacpp/build.h"

#include "base/checked.h"

mpl_node *mpl_state_place(mpl_build *b, int layer, int which)
{
    const bool is_s = which == 1;
    const mpl_llama_cache *const cache =
        b->setup->caches[which == 2 ? MPL_LLAMA_CACHE_PLE
                                    : MPL_LLAMA_CACHE_RECURRENT];
    const mpl_llama_cache_tensor *const tensor =
        is_s ? &cache->v[layer] : &cache->k[layer];
    mpl_node **const slot = mpl_cache_slot(b, cache->kind, is_s, layer);
    if (*slot != NULL)
        return *slot;
    *slot = mpl_tensor4(b->g, tensor->dtype, tensor->width, cache->cells, 1,
                        1);
    (*slot)->buffer = (uint16_t)tensor->buffer;
    (*slot)->name = is_s ? "cache_s" : "cache_r";
    return *slot;
}

mpl_node *mpl_states_open(mpl_build *b, int layer, int which)
{
    mpl_node *const place = mpl_state_place(b, layer, which);
    mpl_node *const states =
        mpl_reshape2(b, place, place->ne[0], place->ne[1]);
    mpl_node *const cleared = mpl_view_row(b->g, states, place->ne[0]);
    mpl_expand(b, mpl_op_onto(b->g, MPL_OP_SCALE, cleared, NULL));
    return states;
}

void mpl_states_close(mpl_build *b, int layer, int which, mpl_node *states)
{
    mpl_node *const place = mpl_state_place(b, layer, which);
    const uint64_t extra = mpl_sub_floor(place->ne[1], b->sequences);
    mpl_node *const kept = mpl_get_rows(b->g, states, b->state_extra);
    mpl_expand(b, mpl_copy_to(b->g, kept,
                              mpl_view_2d(b->g, place, place->ne[0], extra,
                                          place->nb[1])));
}

mpl_node *mpl_read_state(mpl_build *b, int layer, int which)
{
    mpl_node *const states = mpl_states_open(b, layer, which);
    mpl_node *const out = mpl_get_rows(b->g, states, b->state_main);
    mpl_expand(b, out);
    mpl_states_close(b, layer, which, states);
    return out;
}

void mpl_keep_state(mpl_build *b, int layer, int which, mpl_node *from)
{
    mpl_node *const place = mpl_state_place(b, layer, which);
    mpl_expand(b, mpl_copy_to(b->g, from,
                              mpl_view_2d(b->g, place, place->ne[0],
                                          b->sequences, place->nb[1])));
}

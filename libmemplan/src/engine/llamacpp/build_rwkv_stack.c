/* SPDX-License-Identifier: MIT */
/* The layers of RWKV around what its versions do differently. */
#include "engine/llamacpp/build_rwkv.h"
#include "engine/llamacpp/decoder.h"

/* Time mixing, then channel mixing, each of a token and the one before it. */
static mpl_node *own_layer(mpl_build *b, const mpl_rwkv *version, int layer,
                           mpl_node *x, mpl_node **first_values)
{
    const uint64_t embd = b->h->embd;
    mpl_node *const shift = mpl_rwkv_shifts(b, layer);
    mpl_node *const normed =
        mpl_norm(b, x, MPL_NORM_LAYER, layer, "attn_norm", layer);
    mpl_node *before = mpl_rwkv_shifted(b, mpl_rwkv_part(b, shift, 1), normed);
    mpl_node *middle = mpl_plus(
        b, version->mix_time(b, layer, normed, before, first_values), x);
    mpl_node *ffn_in =
        mpl_norm(b, middle, MPL_NORM_LAYER, layer, "attn_norm_2", layer);
    before = mpl_rwkv_shifted(b, mpl_rwkv_part(b, shift, 1), ffn_in);
    mpl_rwkv_keep_shifts(b, layer,
                         mpl_concat(b->g, mpl_rwkv_part(b, normed, 1),
                                    mpl_rwkv_part(b, ffn_in, 1), 1));
    middle = mpl_reshape2(b, middle, embd, b->tokens);
    ffn_in = mpl_reshape2(b, ffn_in, embd, b->tokens);
    before = mpl_reshape2(b, before, embd, b->tokens);
    mpl_crop_last(b, layer, &middle, &ffn_in);
    if (mpl_is_last(b, layer))
        before = mpl_crop(b, before);
    return mpl_plus(b, version->mix_channels(b, layer, ffn_in, before), middle);
}

/* Time mixing in the place of a transformer's attention. */
static mpl_node *gated_layer(mpl_build *b, const mpl_rwkv *version, int layer,
                             mpl_node *x, mpl_node **first_values)
{
    mpl_node *const shift = mpl_rwkv_shifts(b, layer);
    mpl_node *const normed =
        mpl_norm(b, x, MPL_NORM_RMS, layer, "attn_norm", layer);
    mpl_node *const before = mpl_rwkv_shifted(b, shift, normed);
    mpl_node *const out =
        version->mix_time(b, layer, normed, before, first_values);
    mpl_rwkv_keep_shifts(b, layer, mpl_rwkv_part(b, normed, 1));
    mpl_node *middle =
        mpl_reshape2(b, mpl_plus(b, out, x), b->h->embd, b->tokens);
    if (mpl_is_last(b, layer))
        middle = mpl_crop(b, middle);
    x = mpl_norm(b, middle, MPL_NORM_RMS, layer, "ffn_norm", layer);
    x = mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE | MPL_FFN_NO_BIAS);
    return mpl_plus(b, x, middle);
}

void mpl_rwkv_stack(mpl_build *b, const mpl_rwkv *version)
{
    const bool is_own = version->mix_channels != NULL;
    const uint32_t every =
        version->is_rescaled ? mpl_key_u32(b, "rescale_every_n_layers", 0) : 0;
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_node *first_values = NULL;
    if (b->h->wkv_head_width == 0)
        return;
    if (is_own)
        x = mpl_norm(b, x, MPL_NORM_LAYER, -1, "token_embd_norm", 0);
    mpl_open_states(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        mpl_at_layer(b, (int)i);
        x = mpl_reshape3(b, x, b->h->embd, b->tokens / b->sequences,
                         b->sequences);
        x = (is_own ? own_layer : gated_layer)(b, version, (int)i, x,
                                               &first_values);
        if (every != 0 && (i + 1) % every == 0)
            x = mpl_scale(b, x);
    }
    mpl_build_end(b, x, is_own ? MPL_NORM_LAYER : MPL_NORM_RMS, 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * RWKV 6, and QRWKV 6: the same mixing of times in Qwen 2's place of attention,
 * as gated linear attention.
 */
#include "engine/llamacpp/build_rwkv.h"
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

enum { MIXES = 5 }; /* decay, key, value, receptance, gate */

static mpl_node *bare(mpl_build *b, int layer, const char *base)
{
    return mpl_weight(b, layer, base, ".weight");
}

static mpl_node *minus(mpl_build *b, mpl_node *x, mpl_node *y)
{
    return mpl_op2(b->g, MPL_OP_SUB, x, y);
}

/* change * share + x */
static mpl_node *lerp(mpl_build *b, mpl_node *change, mpl_node *share,
                      mpl_node *x)
{
    return mpl_plus(b, mpl_times(b, change, share), x);
}

typedef struct mixing {
    mpl_build *b;
    int layer;
    mpl_node *change; /* to the token before, rows */
    mpl_node *x;
    mpl_node *low; /* [embd, 1, tokens, 5] */
    bool is_fused; /* one weight for all five */
} mixing;

static void open_mixing(mixing *m, mpl_node *x, mpl_node *before)
{
    mpl_build *const b = m->b;
    mpl_graph *const g = b->g;
    const uint64_t embd = b->h->embd;
    mpl_node *const first = bare(b, m->layer, "time_mix_w1");
    mpl_node *const second = bare(b, m->layer, "time_mix_w2");
    mpl_node *const fused = bare(b, m->layer, "time_mix_lerp_fused");
    m->low = NULL;
    if (first == NULL || second == NULL) {
        mpl_graph_refuse(g, MPL_REFUSAL_MISSING_WEIGHT);
        return;
    }
    m->change = mpl_reshape2(b, minus(b, before, x), embd, b->tokens);
    m->x = mpl_reshape2(b, x, embd, b->tokens);
    mpl_node *low =
        lerp(b, m->change, bare(b, m->layer, "time_mix_lerp_x"), m->x);
    low = mpl_unary(b, mpl_mul_mat(g, first, low));
    low = mpl_reshape(g, low, first->ne[1] / MIXES, 1, MIXES, b->tokens);
    low = mpl_cont(g, mpl_permute(g, low, 0, 1, 3, 2));
    m->low = mpl_mul_mat(
        g, mpl_reshape(g, second, second->ne[0], second->ne[1], 1, MIXES), low);
    m->is_fused = fused != NULL;
    if (!m->is_fused)
        return;
    mpl_node *const change = mpl_reshape3(b, m->change, embd, 1, b->tokens);
    m->low = lerp(b, mpl_plus(b, m->low, fused), change,
                  mpl_reshape3(b, m->x, embd, 1, b->tokens));
}

static mpl_node *input(const mixing *m, const char *share)
{
    mpl_build *const b = m->b;
    if (m->low == NULL)
        return NULL;
    mpl_node *const part =
        mpl_view_2d(b->g, m->low, b->h->embd, b->tokens, m->low->nb[1]);
    if (m->is_fused)
        return part;
    return lerp(b, mpl_plus(b, part, bare(b, m->layer, share)), m->change,
                m->x);
}

static mpl_node *product(const mixing *m, const char *base, const char *share)
{
    return mpl_add_bias(m->b, m->layer, base,
                        mpl_linear(m->b, m->layer, base, input(m, share)));
}

static mpl_node *decay(const mixing *m)
{
    mpl_build *const b = m->b;
    mpl_node *w = mpl_linear_bare(b, m->layer, "time_mix_decay_w1",
                                  input(m, "time_mix_lerp_w"));
    w = mpl_linear_bare(b, m->layer, "time_mix_decay_w2", mpl_unary(b, w));
    w = mpl_plus(b, w, bare(b, m->layer, "time_mix_decay"));
    w = mpl_unary(b, mpl_unary(b, mpl_unary(b, w)));
    return mpl_rwkv_heads(b, w);
}

/* Fewer heads of keys and values are repeated. */
static mpl_node *heads(const mixing *m, mpl_node *x)
{
    mpl_build *const b = m->b;
    const uint64_t width = b->h->wkv_head_width;
    const uint64_t count = b->h->embd / width;
    const uint64_t own = mpl_layer_of(b, m->layer)->kv_head_count;
    if (own != 0 && own != count) {
        x = mpl_reshape(b->g, x, width, 1, own, b->tokens);
        x = mpl_repeat(b->g, x, width, count / own, own, b->tokens);
    }
    return mpl_rwkv_heads(b, x);
}

static mpl_node *attend(const mixing *m, mpl_node *k, mpl_node *v, mpl_node *r,
                        mpl_node *w)
{
    mpl_build *const b = m->b;
    mpl_node *const first = bare(b, m->layer, "time_mix_first");
    mpl_node *const state = mpl_read_state(b, m->layer, 1);
    mpl_node *const out = mpl_op_shaped(
        b->g, first == NULL ? MPL_OP_GATED_LINEAR_ATTN : MPL_OP_RWKV_WKV6,
        MPL_DTYPE_FP32, b->h->embd,
        b->tokens + (uint64_t)b->h->wkv_head_width * state->ne[1], 1, 1, k, v);
    mpl_node **source = &out->src[2];
    *source++ = r;
    if (first != NULL)
        *source++ = first;
    *source++ = w;
    *source++ = state;
    return mpl_rwkv_outputs(b, m->layer, out);
}

static mpl_node *mix_time(mpl_build *b, int layer, mpl_node *x,
                          mpl_node *before, mpl_node **first_values)
{
    (void)first_values; /* version 7's */
    const bool is_plain = bare(b, layer, "time_mix_first") != NULL;
    mixing m = {.b = b, .layer = layer};
    open_mixing(&m, x, before);
    mpl_node *const r = mpl_rwkv_heads(
        b, product(&m, "time_mix_receptance", "time_mix_lerp_r"));
    mpl_node *k = heads(&m, product(&m, "time_mix_key", "time_mix_lerp_k"));
    mpl_node *const v =
        heads(&m, product(&m, "time_mix_value", "time_mix_lerp_v"));
    mpl_node *const gate = mpl_unary(
        b, mpl_linear(b, layer, "time_mix_gate", input(&m, "time_mix_lerp_g")));
    mpl_node *const w = decay(&m);
    if (!is_plain)
        k = minus(b, k, mpl_times(b, k, w));
    mpl_node *y = attend(&m, k, v, r, w);
    if (is_plain)
        y = mpl_op1(b->g, MPL_OP_NORM, mpl_rwkv_heads(b, y));
    y = mpl_reshape2(b, y, b->h->embd, b->tokens);
    if (is_plain) {
        y = mpl_times(b, y, bare(b, layer, "time_mix_ln"));
        y = mpl_add_bias(b, layer, "time_mix_ln", y);
    }
    y = mpl_linear(b, layer, "time_mix_output", mpl_times(b, y, gate));
    return mpl_reshape3(b, y, b->h->embd, b->tokens / b->sequences,
                        b->sequences);
}

static mpl_node *mix_channels(mpl_build *b, int layer, mpl_node *x,
                              mpl_node *before)
{
    mpl_node *const change = minus(b, before, x);
    mpl_node *const for_r =
        lerp(b, change, bare(b, layer, "channel_mix_lerp_r"), x);
    mpl_node *const for_k =
        lerp(b, change, bare(b, layer, "channel_mix_lerp_k"), x);
    mpl_node *const r =
        mpl_unary(b, mpl_linear(b, layer, "channel_mix_receptance", for_r));
    mpl_node *k = mpl_unary(b, mpl_linear(b, layer, "channel_mix_key", for_k));
    k = mpl_op1(b->g, MPL_OP_SQR, k);
    return mpl_times(b, r, mpl_linear(b, layer, "channel_mix_value", k));
}

void mpl_build_rwkv6(mpl_build *b)
{
    mpl_rwkv_stack(b, &(mpl_rwkv){mix_time, mix_channels, true});
}

void mpl_build_qrwkv6(mpl_build *b)
{
    mpl_rwkv_stack(b, &(mpl_rwkv){mix_time, NULL, false});
}

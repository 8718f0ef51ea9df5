/* SPDX-License-Identifier: MIT */
/*
 * RWKV 7: each token mixes with the one before it; one state a head. ARWKV has
 * its attention beside the usual gated network.
 */
#include "engine/llamacpp/build_rwkv.h"
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *bare(mpl_build *b, int layer, const char *base)
{
    return mpl_weight(b, layer, base, ".weight");
}

static mpl_node *minus(mpl_build *b, mpl_node *x, mpl_node *y)
{
    return mpl_op2(b->g, MPL_OP_SUB, x, y);
}

/* Two thin products, a function between them where `is_squashed`. */
static mpl_node *thin(mpl_build *b, int layer, const char *first,
                      const char *second, mpl_node *x, bool is_squashed)
{
    x = mpl_linear_bare(b, layer, first, x);
    if (is_squashed)
        x = mpl_unary(b, x);
    return mpl_linear_bare(b, layer, second, x);
}

mpl_node *mpl_rwkv_heads(mpl_build *b, mpl_node *x)
{
    const uint64_t width = b->h->wkv_head_width;
    return mpl_reshape3(b, x, width, b->h->embd / width, b->tokens);
}

/* What a token and the one before it make of the six mixed inputs. */
typedef struct time_mix {
    mpl_build *b;
    int layer;
    mpl_node *mixed; /* [embd, tokens of a sequence, sequences, 5 or 6] */
} time_mix;

static mpl_node *input(const time_mix *m)
{
    return mpl_view_2d(m->b->g, m->mixed, m->b->h->embd, m->b->tokens,
                       m->mixed->nb[1]);
}

static mpl_node *decay(const time_mix *m)
{
    mpl_build *const b = m->b;
    mpl_node *w =
        thin(b, m->layer, "time_mix_w1", "time_mix_w2", input(m), true);
    w = mpl_plus(b, w, bare(b, m->layer, "time_mix_w0"));
    return mpl_unary(b, mpl_scale(b, mpl_unary(b, w)));
}

/* Later layers mix the first one's values into theirs. */
static mpl_node *values(const time_mix *m, mpl_node **first)
{
    mpl_build *const b = m->b;
    mpl_node *const in = input(m);
    mpl_node *const v = mpl_linear(b, m->layer, "time_mix_value", in);
    if (*first == NULL) {
        *first = v;
        return v;
    }
    mpl_node *share =
        thin(b, m->layer, "time_mix_v1", "time_mix_v2", in, false);
    share = mpl_unary(b, mpl_plus(b, share, bare(b, m->layer, "time_mix_v0")));
    return mpl_plus(b, v, mpl_times(b, minus(b, *first, v), share));
}

static mpl_node *group_norm(const time_mix *m, mpl_node *x)
{
    mpl_build *const b = m->b;
    if (!mpl_has(b, m->layer, "time_mix_ln"))
        return mpl_reshape2(b, x, b->h->embd, b->tokens);
    x = mpl_op1(b->g, MPL_OP_NORM, mpl_rwkv_heads(b, x));
    x = mpl_reshape2(b, x, b->h->embd, b->tokens);
    x = mpl_times(b, x, bare(b, m->layer, "time_mix_ln"));
    return mpl_add_bias(b, m->layer, "time_mix_ln", x);
}

mpl_node *mpl_rwkv_outputs(mpl_build *b, int layer, mpl_node *out)
{
    mpl_node *const y =
        mpl_view_row(b->g, out, (uint64_t)b->h->embd * b->tokens);
    mpl_node *const place = mpl_state_place(b, layer, 1);
    const uint64_t kept = place->ne[0] * b->sequences;
    mpl_expand(b, mpl_copy_to(b->g, mpl_view_row(b->g, out, kept),
                              mpl_view_row(b->g, place, kept)));
    return y;
}

static mpl_node *mix_time(mpl_build *b, int layer, mpl_node *x,
                          mpl_node *before, mpl_node **first_values)
{
    mpl_graph *const g = b->g;
    const bool is_gated = mpl_has(b, layer, "time_mix_g1");
    mpl_node *change = minus(b, before, x);
    change = mpl_repeat(g, change, b->h->embd, b->tokens / b->sequences,
                        b->sequences, is_gated ? 6 : 5);
    time_mix m = {.b = b, .layer = layer};
    m.mixed = mpl_plus(
        b, mpl_times(b, change, bare(b, layer, "time_mix_lerp_fused")), x);
    mpl_node *r = mpl_linear(b, layer, "time_mix_receptance", input(&m));
    mpl_node *const w = decay(&m);
    mpl_node *k = mpl_linear(b, layer, "time_mix_key", input(&m));
    mpl_node *v = values(&m, first_values);
    mpl_node *const gate =
        is_gated ? thin(b, layer, "time_mix_g1", "time_mix_g2", input(&m), true)
                 : NULL;
    mpl_node *a =
        thin(b, layer, "time_mix_a1", "time_mix_a2", input(&m), false);
    a = mpl_unary(b, mpl_plus(b, a, bare(b, layer, "time_mix_a0")));
    mpl_node *kk =
        mpl_rwkv_heads(b, mpl_times(b, k, bare(b, layer, "time_mix_k_k")));
    kk = mpl_op1(g, MPL_OP_L2_NORM, kk);
    mpl_node *const ka = mpl_times(b, k, bare(b, layer, "time_mix_k_a"));
    k = mpl_plus(b, k, minus(b, mpl_times(b, a, ka), ka));
    r = mpl_rwkv_heads(b, r);
    k = mpl_rwkv_heads(b, k);
    v = mpl_rwkv_heads(b, v);
    a = mpl_rwkv_heads(b, a);
    mpl_node *const state = mpl_read_state(b, layer, 1);
    mpl_node *const out =
        mpl_op_shaped(g, MPL_OP_RWKV_WKV7, MPL_DTYPE_FP32, b->h->embd,
                      b->tokens + (uint64_t)b->h->wkv_head_width * state->ne[1],
                      1, 1, r, mpl_rwkv_heads(b, w));
    out->src[2] = k;
    out->src[3] = v;
    out->src[4] = mpl_unary(b, kk);
    out->src[5] = mpl_times(b, kk, a);
    out->src[6] = state;
    mpl_node *y = group_norm(&m, mpl_rwkv_outputs(b, layer, out));
    mpl_node *const r_k =
        mpl_reshape2(b, bare(b, layer, "time_mix_r_k"), b->h->wkv_head_width,
                     b->h->embd / b->h->wkv_head_width);
    mpl_node *const rk = mpl_sum_rows(g, mpl_times(b, mpl_times(b, k, r), r_k));
    y = mpl_plus(b, y,
                 mpl_reshape2(b, mpl_times(b, v, rk), b->h->embd, b->tokens));
    if (is_gated)
        y = mpl_times(b, y, gate);
    y = mpl_linear(b, layer, "time_mix_output", y);
    return mpl_reshape3(b, y, b->h->embd, b->tokens / b->sequences,
                        b->sequences);
}

mpl_node *mpl_rwkv_part(mpl_build *b, mpl_node *x, uint64_t tokens)
{
    return mpl_view(b->g, x, b->h->embd, tokens, b->sequences, 1, x->nb[1],
                    x->nb[2], x->nb[3]);
}

mpl_node *mpl_rwkv_shifts(mpl_build *b, int layer)
{
    return mpl_reshape3(b, mpl_read_state(b, layer, 0), b->h->embd,
                        b->h->token_shift_count, b->sequences);
}

mpl_node *mpl_rwkv_shifted(mpl_build *b, mpl_node *kept, mpl_node *x)
{
    return mpl_concat(b->g, kept,
                      mpl_rwkv_part(b, x, b->tokens / b->sequences - 1), 1);
}

void mpl_rwkv_keep_shifts(mpl_build *b, int layer, mpl_node *last)
{
    mpl_node *const place = mpl_state_place(b, layer, 0);
    const uint64_t count = place->ne[0] * b->sequences;
    mpl_expand(b, mpl_copy_to(b->g, mpl_view_row(b->g, last, count),
                              mpl_view_row(b->g, place, count)));
}

static mpl_node *mix_channels(mpl_build *b, int layer, mpl_node *x,
                              mpl_node *before)
{
    mpl_node *k =
        mpl_times(b, minus(b, before, x), bare(b, layer, "channel_mix_lerp_k"));
    k = mpl_linear(b, layer, "channel_mix_key", mpl_plus(b, k, x));
    k = mpl_op1(b->g, MPL_OP_SQR, mpl_unary(b, k));
    return mpl_linear(b, layer, "channel_mix_value", k);
}

void mpl_build_rwkv7(mpl_build *b)
{
    mpl_rwkv_stack(b, &(mpl_rwkv){mix_time, mix_channels, false});
}

void mpl_build_arwkv7(mpl_build *b)
{
    mpl_rwkv_stack(b, &(mpl_rwkv){mix_time, NULL, false});
}

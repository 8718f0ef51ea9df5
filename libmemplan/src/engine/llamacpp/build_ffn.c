/* SPDX-License-Identifier: MIT */
/*
 * Feed-forward networks: up (and gate), activation, down. The gate is visited
 * before the product it gates.
 */
#include "engine/llamacpp/build.h"

typedef struct ffn_names {
    const char *up;
    const char *gate;
    const char *down;
} ffn_names;

static const ffn_names DENSE = {"ffn_up", "ffn_gate", "ffn_down"};
static const ffn_names SHARED = {"ffn_up_shexp", "ffn_gate_shexp",
                                 "ffn_down_shexp"};

static mpl_node *extras(mpl_build *b, int layer, const char *base, mpl_node *x,
                        uint32_t flags)
{
    mpl_node *const scale = flags & MPL_FFN_SCALE
                                ? mpl_weight(b, layer, base, ".scale")
                                : NULL;
    if (!(flags & MPL_FFN_NO_BIAS))
        x = mpl_add_bias(b, layer, base, x);
    return scale == NULL ? x : mpl_times(b, x, scale);
}

/* up limited on both sides, silu(gate) from above, then their product */
static mpl_node *clamped_product(mpl_build *b, mpl_node *gate, mpl_node *up)
{
    up = mpl_op1(b->g, MPL_OP_CLAMP, up);
    gate = mpl_op1(b->g, MPL_OP_CLAMP, mpl_unary(b, gate));
    return mpl_times(b, gate, up);
}

mpl_node *mpl_situ(mpl_build *b, mpl_node *gate, mpl_node *up)
{
    mpl_node *act = mpl_softcap(b, gate);
    act = mpl_times(b, act, mpl_unary(b, gate));
    if (mpl_key_is_set(b, "activation.situ_linear_beta"))
        up = mpl_softcap(b, up);
    return mpl_times(b, act, up);
}

static mpl_node *gated(mpl_build *b, mpl_activation activation, uint32_t flags,
                       mpl_node *gate, mpl_node *up)
{
    if (activation == MPL_ACT_SITU)
        return mpl_situ(b, gate, up);
    return flags & MPL_FFN_CLAMPED ? clamped_product(b, gate, up)
                                   : mpl_glu(b->g, gate, up);
}

static mpl_node *activate(mpl_build *b, mpl_activation activation, mpl_node *x)
{
    if (activation == MPL_ACT_SWIGLU)
        return mpl_glu(b->g, x, NULL);
    x = mpl_unary(b, x);
    return activation == MPL_ACT_RELU_SQUARED ? mpl_op1(b->g, MPL_OP_SQR, x)
                                              : x;
}

mpl_node *mpl_ffn(mpl_build *b, int layer, mpl_node *x,
                  mpl_activation activation, uint32_t flags)
{
    const ffn_names *const names = flags & MPL_FFN_SHARED ? &SHARED : &DENSE;
    mpl_node *const up =
        extras(b, layer, names->up, mpl_linear_bare(b, layer, names->up, x),
               flags);
    mpl_node *out;
    if ((flags & MPL_FFN_GATE) && mpl_has(b, layer, names->gate)) {
        mpl_node *const gate =
            extras(b, layer, names->gate,
                   mpl_linear_bare(b, layer, names->gate, x), flags);
        out = gated(b, activation, flags, gate, up);
    } else {
        out = activate(b, activation, up);
        mpl_node *const divisor = mpl_weight(b, layer, "ffn.act", ".scales");
        if (divisor != NULL)
            out = mpl_op2(b->g, MPL_OP_DIV, out, divisor);
    }
    out = mpl_linear_bare(b, layer, names->down, out);
    if (flags & MPL_FFN_SCALE_DOWN)
        flags |= MPL_FFN_SCALE;
    return extras(b, layer, names->down, out, flags);
}

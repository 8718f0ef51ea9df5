/* SPDX-License-Identifier: MIT */
/*
 * State space layers: a short convolution over the last tokens, then a scan
 * that carries a state for each sequence.
 *
 *   scan   gives outputs and new states as one row:
 *          elements of x + state * heads * sequences
 */
#include "engine/llamacpp/build.h"

typedef struct scan_inputs {
    mpl_node *x;
    mpl_node *dt;
    mpl_node *a;
    mpl_node *b;
    mpl_node *c;
} scan_inputs;

static uint64_t sequence_tokens(const mpl_build *b)
{
    return b->tokens / b->sequences;
}

static mpl_node *bare(mpl_build *b, int layer, const char *name)
{
    return mpl_weight(b, layer, name, "");
}

static mpl_node *plus_bias(mpl_build *b, int layer, const char *base,
                           mpl_node *x)
{
    return mpl_add_bias(b, layer, base, x);
}

/* New tokens behind those kept; the last ones are kept for the next batch. */
static mpl_node *convolve(mpl_build *b, int layer, mpl_node *x,
                          uint64_t kept_width)
{
    mpl_graph *const g = b->g;
    const uint64_t kept = b->h->ssm_conv - 1;
    mpl_node *const before =
        mpl_reshape3(b, mpl_read_state(b, layer, 0), kept,
                     mpl_state_place(b, layer, 0)->ne[0] / kept,
                     b->sequences);
    mpl_node *const all = mpl_concat(g, before, mpl_transpose(g, x), 0);
    mpl_node *const last =
        mpl_view(g, all, kept, kept_width, b->sequences, 1, all->nb[1],
                 all->nb[2], all->nb[2] * b->sequences);
    mpl_keep_state(b, layer, 0, last);
    mpl_node *const kernel = mpl_weight(b, layer, "ssm_conv1d", ".weight");
    mpl_node *const out = mpl_op_shaped(
        g, MPL_OP_SSM_CONV, MPL_DTYPE_FP32, kernel->ne[1],
        all->ne[0] - kernel->ne[0] + 1, all->ne[2], 1, all, kernel);
    return mpl_unary(b, plus_bias(b, layer, "ssm_conv1d", out));
}

static mpl_node *scan(mpl_build *b, int layer, const scan_inputs *in,
                      uint64_t head_width, uint64_t heads)
{
    mpl_graph *const g = b->g;
    mpl_node *const states = mpl_states_open(b, layer, 1);
    mpl_node *const shaped =
        mpl_reshape(g, states, b->h->ssm_state, head_width, heads,
                    states->ne[1]);
    const uint64_t count =
        mpl_node_elements(in->x) +
        b->h->ssm_state * head_width * heads * b->sequences;
    mpl_node *const out = mpl_op_shaped(g, MPL_OP_SSM_SCAN, MPL_DTYPE_FP32,
                                        count, 1, 1, 1, shaped, in->x);
    out->src[2] = in->dt;
    out->src[3] = in->a;
    out->src[4] = in->b;
    out->src[5] = in->c;
    out->src[6] = b->state_main;
    mpl_expand(b, out);
    mpl_states_close(b, layer, 1, states);
    return out;
}

/* The new states behind the outputs. */
static void keep_scan(mpl_build *b, int layer, mpl_node *y)
{
    const uint64_t width = mpl_state_place(b, layer, 1)->ne[0];
    mpl_keep_state(b, layer, 1, mpl_view_row(b->g, y, width * b->sequences));
}

mpl_node *mpl_mamba(mpl_build *b, int layer, mpl_node *x)
{
    mpl_graph *const g = b->g;
    const mpl_llama_hparams *const h = b->h;
    const uint64_t n = sequence_tokens(b);
    const uint64_t s = b->sequences;
    const uint64_t inner = h->ssm_inner;
    x = mpl_reshape3(b, x, x->ne[0], n, s);
    mpl_node *const xz = mpl_linear(b, layer, "ssm_in", x);
    mpl_node *const z =
        mpl_view(g, xz, inner, n, s, 1, xz->nb[1], xz->nb[2], xz->nb[3]);
    x = mpl_view(g, xz, inner, n, s, 1, xz->nb[1], xz->nb[2], xz->nb[3]);
    x = convolve(b, layer, x, inner);
    mpl_node *const db = mpl_linear_bare(b, layer, "ssm_x", x);
    mpl_node *dt = mpl_view(g, db, h->ssm_dt_rank, n, s, 1, db->nb[1],
                            db->nb[2], db->nb[3]);
    scan_inputs in = {.a = bare(b, layer, "ssm_a")};
    in.b = mpl_view(g, db, h->ssm_state, 1, n, s,
                    mpl_row_bytes(MPL_DTYPE_FP32, h->ssm_state), db->nb[1],
                    db->nb[2]);
    in.c = mpl_view(g, db, h->ssm_state, 1, n, s,
                    mpl_row_bytes(MPL_DTYPE_FP32, h->ssm_state), db->nb[1],
                    db->nb[2]);
    if (h->ssm_dt_b_c_rms || mpl_has(b, layer, "ssm_dt_norm")) {
        dt = mpl_norm(b, dt, MPL_NORM_RMS, layer, "ssm_dt_norm", layer);
        in.b = mpl_norm(b, in.b, MPL_NORM_RMS, layer, "ssm_b_norm", layer);
        in.c = mpl_norm(b, in.c, MPL_NORM_RMS, layer, "ssm_c_norm", layer);
    } else {
        dt = mpl_cont(g, dt);
    }
    in.dt = plus_bias(b, layer, "ssm_dt",
                      mpl_linear_bare(b, layer, "ssm_dt", dt));
    in.x = mpl_reshape(g, x, 1, inner, n, s);
    mpl_node *const out = scan(b, layer, &in, 1, inner);
    keep_scan(b, layer, out);
    mpl_node *y = mpl_view(g, out, inner, n, s, 1, in.x->nb[2], in.x->nb[3],
                           in.x->nb[3] * s);
    y = mpl_plus(b, y, mpl_times(b, x, bare(b, layer, "ssm_d")));
    y = mpl_glu(g, mpl_cont(g, z), y);
    y = mpl_linear(b, layer, "ssm_out", y);
    return mpl_reshape2(b, y, y->ne[0], n * s);
}

/* Slices of one row: heads of x or z, groups of B or C. */
static mpl_node *slices(mpl_build *b, mpl_node *row, uint64_t width,
                        uint64_t count)
{
    return mpl_view(b->g, row, width, count, sequence_tokens(b), b->sequences,
                    mpl_row_bytes(row->dtype, width), row->nb[1], row->nb[2]);
}

mpl_node *mpl_mamba2(mpl_build *b, int layer, mpl_node *x)
{
    mpl_graph *const g = b->g;
    const mpl_llama_hparams *const h = b->h;
    const uint64_t n = sequence_tokens(b);
    const uint64_t s = b->sequences;
    const uint64_t heads = h->ssm_dt_rank;
    const uint64_t width = heads > 0 ? h->ssm_inner / heads : 0;
    const uint64_t conv_width =
        h->ssm_inner + 2 * (uint64_t)h->ssm_group_count * h->ssm_state;
    mpl_node *all = mpl_linear(b, layer, "ssm_in", x);
    all = mpl_reshape3(b, all, all->ne[0], n, s);
    mpl_node *const z = slices(b, all, width, heads);
    mpl_node *xbc = mpl_view(g, all, conv_width, n, s, 1, all->nb[1],
                             all->nb[2], all->nb[3]);
    mpl_node *const dt = mpl_view(g, all, heads, n, s, 1, all->nb[1],
                                  all->nb[2], all->nb[3]);
    xbc = convolve(b, layer, xbc, conv_width);
    scan_inputs in = {
        .x = slices(b, xbc, width, heads),
        .a = bare(b, layer, "ssm_a"),
        .b = slices(b, xbc, h->ssm_state, h->ssm_group_count),
        .c = slices(b, xbc, h->ssm_state, h->ssm_group_count),
    };
    in.dt = plus_bias(b, layer, "ssm_dt", mpl_cont(g, dt));
    mpl_node *const out = scan(b, layer, &in, width, heads);
    keep_scan(b, layer, out);
    mpl_node *y = mpl_view(g, out, width, heads, n, s, in.x->nb[1],
                           heads * in.x->nb[1], n * heads * in.x->nb[1]);
    y = mpl_plus(b, y, mpl_times(b, in.x, bare(b, layer, "ssm_d")));
    y = mpl_glu(g, mpl_cont(g, z), y);
    if (mpl_has(b, layer, "ssm_norm")) {
        y = mpl_reshape(g, y, h->ssm_inner / h->ssm_group_count,
                        h->ssm_group_count, n, s);
        y = mpl_norm(b, y, MPL_NORM_RMS, layer, "ssm_norm", layer);
    }
    y = mpl_reshape2(b, y, h->ssm_inner, n * s);
    return mpl_linear(b, layer, "ssm_out", y);
}

/* PLaMo 2: its own order of heads, B, C and dt normed. */
mpl_node *mpl_mamba_plamo(mpl_build *b, int layer, mpl_node *x)
{
    enum { DT_DIVISOR = 16, DT_MIN = 64 };
    mpl_graph *const g = b->g;
    const mpl_llama_hparams *const h = b->h;
    const uint64_t n = sequence_tokens(b);
    const uint64_t s = b->sequences;
    const uint64_t heads = h->ssm_dt_rank;
    const uint64_t width = heads > 0 ? h->ssm_inner / heads : 0;
    const uint64_t dt_width =
        h->embd / DT_DIVISOR > DT_MIN ? h->embd / DT_DIVISOR : DT_MIN;
    x = mpl_reshape3(b, x, x->ne[0], n, s);
    mpl_node *zx = mpl_linear_bare(b, layer, "ssm_in", x);
    zx = mpl_cont_as(g, mpl_permute(g, zx, 0, 2, 1, 3), width * 2, heads, n,
                     s);
    mpl_node *const z = mpl_view(g, zx, width, heads, n, s, zx->nb[1],
                                 zx->nb[2], zx->nb[3]);
    x = mpl_view(g, zx, width, heads, n, s, zx->nb[1], zx->nb[2], zx->nb[3]);
    x = mpl_cont_as(g, x, width * heads, n, s, 1);
    x = convolve(b, layer, x, h->ssm_inner);
    mpl_node *const bcdt = mpl_linear_bare(b, layer, "ssm_x", x);
    mpl_node *parts[3];
    static const char *const NORMS[] = {"ssm_b_norm", "ssm_c_norm",
                                        "ssm_dt_norm"};
    for (int i = 0; i < 3; i++) {
        parts[i] = mpl_view(g, bcdt, i < 2 ? h->ssm_state : dt_width, n, s, 1,
                            bcdt->nb[1], bcdt->nb[2], bcdt->nb[3]);
        parts[i] = mpl_norm(b, parts[i], MPL_NORM_RMS, layer, NORMS[i], layer);
    }
    mpl_node *const dt = mpl_linear_bare(b, layer, "ssm_dt", parts[2]);
    scan_inputs in = {
        .x = slices(b, x, width, heads),
        .dt = plus_bias(b, layer, "ssm_dt", dt),
        .a = mpl_reshape2(b, bare(b, layer, "ssm_a"), 1, heads),
        .b = slices(b, parts[0], h->ssm_state, 1),
        .c = slices(b, parts[1], h->ssm_state, 1),
    };
    mpl_node *const out = scan(b, layer, &in, width, heads);
    keep_scan(b, layer, out);
    mpl_node *y = mpl_view(g, out, width, heads, n, s, in.x->nb[1],
                           in.x->nb[2], in.x->nb[3]);
    mpl_node *const d = mpl_reshape2(b, bare(b, layer, "ssm_d"), 1, heads);
    y = mpl_plus(b, y, mpl_times(b, in.x, d));
    y = mpl_glu(g, mpl_cont(g, z), y);
    y = mpl_view(g, y, width * heads, n, s, 1, y->nb[2], y->nb[3],
                 y->nb[3] * s);
    y = mpl_linear_bare(b, layer, "ssm_out", y);
    return mpl_reshape2(b, y, y->ne[0], n * s);
}

/* SPDX-License-Identifier: MIT */
/*
 * For each token, with a state S of [width, width] a head:
 *
 *     S = exp(gate) S
 *     S = S + k (beta (v - S^T k))^T
 *     out = S^T q
 *
 * Of a chunk of tokens the same is solved at once, by a triangular system
 * within it and one step of the state after it.
 */
#include "engine/llamacpp/build_delta.h"

enum { CHUNK_TOKENS = 64, CHUNK_TOKENS_WIDE_GATE = 16 };

mpl_node *mpl_unit_length(mpl_build *b, mpl_node *x)
{
    return mpl_scale(b, mpl_op1(b->g, MPL_OP_RMS_NORM, x));
}

/* Outputs and new states in one tensor:
 * [width * heads, (tokens + width) * sequences]. */
static mpl_node *fused(mpl_build *b, const mpl_delta *in, mpl_node **state)
{
    const uint64_t width = in->v->ne[0];
    const uint64_t heads = in->v->ne[1];
    const uint64_t tokens = in->v->ne[2];
    const uint64_t sequences = in->v->ne[3];
    mpl_node *const out =
        mpl_op_shaped(b->g, MPL_OP_GATED_DELTA_NET, MPL_DTYPE_FP32,
                      width * heads, (tokens + width) * sequences, 1, 1,
                      in->q, in->k);
    out->src[2] = in->v;
    out->src[3] = in->gate;
    out->src[4] = in->beta;
    out->src[5] = in->state;
    const uint64_t row = mpl_row_bytes(MPL_DTYPE_FP32, width);
    *state = mpl_view(b->g, out, width, width, heads, sequences, row,
                      row * width, row * width * heads);
    return mpl_view(b->g, out, width, heads, tokens, sequences, row,
                    row * heads, row * heads * tokens);
}

static mpl_node *flip(mpl_build *b, mpl_node *x)
{
    return mpl_cont(b->g, mpl_transpose(b->g, x));
}

static mpl_node *minus(mpl_build *b, mpl_node *x, mpl_node *y)
{
    return mpl_op2(b->g, MPL_OP_SUB, x, y);
}

static mpl_node *tri(mpl_build *b, mpl_node *x)
{
    return mpl_op1(b->g, MPL_OP_TRI, x);
}

static mpl_node *one_token(mpl_build *b, const mpl_delta *in, mpl_node **state)
{
    mpl_graph *const g = b->g;
    const uint64_t heads = in->v->ne[1];
    const uint64_t sequences = in->q->ne[3];
    mpl_node *const q = mpl_permute(g, mpl_scale(b, in->q), 0, 2, 1, 3);
    mpl_node *k = mpl_permute(g, in->k, 0, 2, 1, 3);
    mpl_node *const v = mpl_permute(g, in->v, 0, 2, 1, 3);
    mpl_node *const gate =
        mpl_unary(b, mpl_reshape(g, in->gate, 1, in->gate->ne[0], heads,
                                 sequences));
    mpl_node *const beta = mpl_reshape(g, in->beta, 1, 1, heads, sequences);
    mpl_node *s = mpl_times(b, in->state, gate);
    mpl_node *const seen = mpl_sum_rows(g, mpl_times(b, s, k));
    mpl_node *d = minus(b, v, mpl_transpose(g, seen));
    d = mpl_transpose(g, mpl_times(b, d, beta));
    k = mpl_repeat(g, k, s->ne[0], s->ne[1], s->ne[2], s->ne[3]);
    s = mpl_plus(b, s, mpl_times(b, k, d));
    *state = s;
    return mpl_permute(g, mpl_sum_rows(g, mpl_times(b, s, q)), 2, 0, 1, 3);
}

/* What the chunks share; names follow the algebra: kb, kq are K and Q against
 * K with the decay between two tokens of a chunk. */
typedef struct chunks {
    mpl_build *b;
    uint64_t tokens; /* of a chunk */
    uint64_t count;
    uint64_t rows; /* heads * sequences */
    mpl_node *q;
    mpl_node *k;
    mpl_node *v;
    mpl_node *k_beta;
    mpl_node *v_beta;
    mpl_node *decay; /* running sums of the gate */
    mpl_node *kb;
    mpl_node *kq;
} chunks;

static mpl_node *cut(const chunks *c, mpl_node *x)
{
    return mpl_reshape(c->b->g, x, x->ne[0], c->tokens, c->count, c->rows);
}

static mpl_node *padded(const chunks *c, mpl_node *x, uint64_t pad)
{
    mpl_graph *const g = c->b->g;
    return mpl_pad(g, mpl_permute(g, x, 0, 2, 1, 3), 0, pad, 0, 0);
}

static void open_chunks(chunks *c, const mpl_delta *in)
{
    mpl_build *const b = c->b;
    const uint64_t tokens = in->q->ne[2];
    const uint64_t pad = (c->tokens - tokens % c->tokens) % c->tokens;
    c->count = (tokens + pad) / c->tokens;
    c->rows = in->v->ne[1] * in->q->ne[3];
    mpl_node *const q = padded(c, mpl_scale(b, in->q), pad);
    mpl_node *const k = padded(c, in->k, pad);
    mpl_node *const v = padded(c, in->v, pad);
    mpl_node *const gate = padded(c, in->gate, pad);
    mpl_node *const beta = padded(c, in->beta, pad);
    c->v_beta = cut(c, mpl_times(b, v, beta));
    c->k_beta = cut(c, mpl_times(b, k, beta));
    c->q = mpl_reshape(b->g, q, q->ne[0], c->tokens, c->count,
                       in->q->ne[1] * in->q->ne[3]);
    c->k = mpl_reshape(b->g, k, k->ne[0], c->tokens, c->count,
                       in->k->ne[1] * in->q->ne[3]);
    c->v = cut(c, v);
    c->decay = mpl_op1(b->g, MPL_OP_CUMSUM, flip(b, cut(c, gate)));
}

/* One gate a head. */
static void weigh_by_head(chunks *c)
{
    mpl_build *const b = c->b;
    mpl_graph *const g = b->g;
    mpl_node *other =
        mpl_reshape(g, c->decay, 1, c->tokens, c->count, c->rows);
    other = mpl_repeat(g, other, c->tokens, c->tokens, c->count, c->rows);
    mpl_node *const mask = mpl_unary(b, tri(b, minus(b, other, c->decay)));
    c->kb = mpl_times(b, mpl_mul_mat(g, c->k, c->k_beta), mask);
    c->kq = mpl_times(b, mpl_mul_mat(g, c->k, c->q), mask);
}

/* One gate an element: the decay does not factor out of the products. */
static void weigh_by_element(chunks *c)
{
    mpl_build *const b = c->b;
    mpl_graph *const g = b->g;
    const uint64_t width = c->k->ne[0];
    const uint64_t all = c->count * c->rows;
    const uint64_t n = c->tokens;
    mpl_node *const own = mpl_reshape(g, c->decay, n, 1, width, all);
    mpl_node *other = mpl_reshape(g, c->decay, 1, n, width, all);
    other = mpl_repeat(g, other, n, n, width, all);
    mpl_node *mask = mpl_unary(b, tri(b, minus(b, other, own)));
    mask = mpl_cont_as(g, mpl_permute(g, mask, 2, 1, 0, 3), width, n, n, all);
    mpl_node *const kb = mpl_times(
        b, mask, mpl_reshape(g, c->k_beta, width, n, 1, all));
    mpl_node *const kq =
        mpl_times(b, mask, mpl_reshape(g, c->q, width, n, 1, all));
    mpl_node *const keys = mpl_reshape(g, c->k, width, 1, n, all);
    c->kb = flip(b, mpl_reshape(g, mpl_mul_mat(g, kb, keys), n, n, c->count,
                                c->rows));
    c->kq = flip(b, mpl_reshape(g, mpl_mul_mat(g, kq, keys), n, n, c->count,
                                c->rows));
}

static mpl_node *slice(const chunks *c, mpl_node *x)
{
    return mpl_view(c->b->g, x, x->ne[0], x->ne[1], 1, x->ne[3], x->nb[1],
                    x->nb[2], x->nb[3]);
}

/* Inside a chunk the corrections are a triangular system. */
static mpl_node *solve(const chunks *c)
{
    mpl_build *const b = c->b;
    mpl_graph *const g = b->g;
    mpl_node *const lower = tri(b, c->kb);
    mpl_node *const ones =
        mpl_op1(g, MPL_OP_FILL, mpl_view_row(g, lower, c->tokens));
    mpl_node *const identity =
        mpl_op_shaped(g, MPL_OP_DIAG, MPL_DTYPE_FP32, ones->ne[0],
                      ones->ne[0], ones->ne[2], ones->ne[3], ones, NULL);
    mpl_node *const left = mpl_plus(b, lower, identity);
    mpl_node *const right = mpl_unary(b, lower);
    mpl_node *const out =
        mpl_op_shaped(g, MPL_OP_SOLVE_TRI, MPL_DTYPE_FP32, right->ne[0],
                      right->ne[1], right->ne[2], right->ne[3], left, right);
    return mpl_plus(b, out, identity);
}

static mpl_node *many_tokens(mpl_build *b, const mpl_delta *in,
                             mpl_node **state)
{
    mpl_graph *const g = b->g;
    const bool is_wide = in->gate->ne[0] == in->k->ne[0];
    chunks c = {.b = b,
                .tokens = is_wide ? CHUNK_TOKENS_WIDE_GATE : CHUNK_TOKENS};
    open_chunks(&c, in);
    if (is_wide)
        weigh_by_element(&c);
    else
        weigh_by_head(&c);
    mpl_node *const kq = tri(b, c.kq);
    mpl_node *const attn = solve(&c);
    mpl_node *v = mpl_mul_mat(g, flip(b, c.v_beta), attn);
    mpl_node *const grown = mpl_unary(b, c.decay);
    mpl_node *const kbg = mpl_times(b, flip(b, c.k_beta), grown);
    mpl_node *const k_decayed = mpl_mul_mat(g, kbg, attn);
    mpl_node *const q_grown = mpl_times(b, c.q, flip(b, grown));
    mpl_node *last = mpl_view(g, c.decay, 1, c.decay->ne[1], c.decay->ne[2],
                              c.decay->ne[3], c.decay->nb[1], c.decay->nb[2],
                              c.decay->nb[3]);
    last = mpl_cont(g, last);
    mpl_node *const last_grown = mpl_transpose(g, mpl_unary(b, last));
    mpl_node *const rest = mpl_unary(b, minus(b, c.decay, last));
    mpl_node *const rest_grown = flip(b, mpl_unary(b, rest));
    mpl_node *const keys = flip(b, mpl_times(b, c.k, rest_grown));
    mpl_node *s = mpl_reshape(g, in->state, in->v->ne[0], in->v->ne[0], 1,
                              c.rows);
    mpl_node *const v_flipped = flip(b, v);
    for (uint64_t i = 0; i < c.count; i++) {
        mpl_node *const known = mpl_mul_mat(g, slice(&c, k_decayed), s);
        mpl_node *const fresh = minus(b, slice(&c, v_flipped), known);
        mpl_node *const near = mpl_mul_mat(g, fresh, slice(&c, kq));
        mpl_node *const far = mpl_mul_mat(g, s, slice(&c, q_grown));
        v = mpl_op_onto(g, MPL_OP_SET, v, mpl_plus(b, far, near));
        mpl_node *const added = mpl_mul_mat(g, slice(&c, keys), fresh);
        s = mpl_plus(b, mpl_times(b, s, slice(&c, last_grown)), added);
    }
    const uint64_t row = mpl_row_bytes(MPL_DTYPE_FP32, in->v->ne[0]);
    const uint64_t head = row * c.tokens * c.count;
    mpl_node *const out =
        mpl_view(g, v, in->v->ne[0], in->q->ne[2], in->v->ne[1], in->q->ne[3],
                 row, head, head * in->v->ne[1]);
    *state = mpl_reshape(g, s, in->v->ne[0], in->v->ne[0], in->v->ne[1],
                         in->q->ne[3]);
    return mpl_permute(g, out, 0, 2, 1, 3);
}

mpl_node *mpl_delta_rule(mpl_build *b, const mpl_delta *in, mpl_node **state)
{
    const bool is_one = in->q->ne[2] == 1;
    if (is_one ? b->fuses_delta_one : b->fuses_delta_many)
        return fused(b, in, state);
    return is_one ? one_token(b, in, state) : many_tokens(b, in, state);
}

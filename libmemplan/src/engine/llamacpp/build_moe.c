/* SPDX-License-Identifier: MIT */
/*
 * Experts: a router picks some for each token; their outputs are weighted and
 * summed one by one.
 */
#include "engine/llamacpp/build.h"

typedef struct moe_names {
    const char *up;
    const char *gate;
    const char *down;
} moe_names;

static const moe_names EXPERTS = {"ffn_up_exps", "ffn_gate_exps",
                                  "ffn_down_exps"};
static const moe_names CHUNKS = {"ffn_up_chexps", "ffn_gate_chexps",
                                 "ffn_down_chexps"};

/* What the parts of one block of experts share. */
typedef struct moe {
    mpl_build *b;
    int layer;
    const mpl_moe *options;
    const moe_names *names;
    uint64_t experts;
    uint64_t used;
    uint64_t tokens;
    uint64_t width;
    mpl_node *chosen;
    mpl_node *weights;
} moe;

static mpl_gating gating_of(const moe *m)
{
    static const mpl_gating BY_KEY[] = {
        MPL_GATING_SOFTMAX, MPL_GATING_SOFTMAX, MPL_GATING_SIGMOID,
        MPL_GATING_SOFTMAX_CHOSEN, MPL_GATING_SQRT_SOFTPLUS};
    const uint32_t key = m->b->h->expert_gating;
    if (m->options->gating != MPL_GATING_FROM_MODEL)
        return m->options->gating;
    return key < sizeof BY_KEY / sizeof *BY_KEY ? BY_KEY[key]
                                                : MPL_GATING_SOFTMAX;
}

static mpl_node *probabilities(const moe *m, mpl_node *logits)
{
    switch (gating_of(m)) {
    case MPL_GATING_SIGMOID:
        return mpl_unary(m->b, logits);
    case MPL_GATING_SOFTMAX_CHOSEN:
        return logits;
    case MPL_GATING_SQRT_SOFTPLUS:
        return mpl_op1(m->b->g, MPL_OP_SQRT, mpl_unary(m->b, logits));
    default:
        return mpl_op1(m->b->g, MPL_OP_SOFT_MAX, logits);
    }
}

/* Only the best groups of experts stay eligible: a group counts as much as its
 * two best. */
static mpl_node *mask_groups(const moe *m, mpl_node *selection)
{
    mpl_graph *const g = m->b->g;
    const uint64_t groups = m->b->h->expert_group_count;
    const uint64_t per_group = m->experts / groups;
    mpl_node *const grouped =
        mpl_reshape3(m->b, selection, per_group, groups, m->tokens);
    mpl_node *const best = mpl_argsort_top(g, grouped, 2);
    mpl_node *const as_rows =
        mpl_reshape(g, grouped, 1, per_group, groups, m->tokens);
    mpl_node *scores = mpl_get_rows(g, as_rows, best);
    scores = mpl_reshape3(m->b, scores, scores->ne[1], scores->ne[2],
                          scores->ne[3]);
    scores = mpl_sum_rows(g, scores);
    scores = mpl_reshape2(m->b, scores, scores->ne[1], scores->ne[2]);
    mpl_node *const kept =
        mpl_argsort_top(g, scores, m->b->h->expert_groups_used);
    mpl_node *const rows = mpl_get_rows(g, grouped, kept);
    mpl_node *const blank = mpl_op1(g, MPL_OP_FILL, grouped);
    return mpl_reshape2(m->b, mpl_set_rows(g, blank, rows, kept), m->experts,
                        m->tokens);
}

static mpl_node *router(const moe *m, mpl_node *x)
{
    mpl_node *out = m->options->router != NULL
                        ? m->options->router
                        : mpl_linear(m->b, m->layer, "ffn_gate_inp", x);
    return mpl_add_bias(m->b, m->layer, "ffn_gate_inp", out);
}

static mpl_node *normalised(const moe *m, mpl_node *weights)
{
    weights = mpl_reshape2(m->b, weights, m->used, m->tokens);
    mpl_node *const sum =
        mpl_op1(m->b->g, MPL_OP_CLAMP, mpl_sum_rows(m->b->g, weights));
    weights = mpl_op2(m->b->g, MPL_OP_DIV, weights, sum);
    return mpl_reshape3(m->b, weights, 1, m->used, m->tokens);
}

/* Grove: chunks of experts are picked by the experts picked. */
static mpl_node *chunk_ids(const moe *m, mpl_node *chosen)
{
    mpl_node *const f = mpl_cast(m->b->g, chosen, MPL_DTYPE_FP32);
    return mpl_cast(m->b->g, mpl_scale(m->b, f), MPL_DTYPE_I32);
}

static void choose(moe *m, mpl_node *logits)
{
    mpl_graph *const g = m->b->g;
    const bool is_chunked = (m->options->flags & MPL_MOE_CHUNKS) != 0;
    mpl_node *const probs = probabilities(m, logits);
    mpl_node *selection = probs;
    mpl_node *bias = mpl_weight(m->b, m->layer, "exp_probs_b", ".bias");
    if (bias == NULL)
        bias = mpl_weight(m->b, m->layer, "exp_probs_b", "");
    if (bias != NULL)
        selection = mpl_plus(m->b, probs, bias);
    if (m->options->flags & MPL_MOE_WEIGHT_FIRST)
        selection = logits;
    if (m->b->h->arch == MPL_LLAMA_ARCH_GROVEMOE)
        selection = mpl_unary(m->b, logits);
    if (m->b->h->expert_group_count > 1)
        selection = mask_groups(m, selection);
    m->chosen = m->options->chosen != NULL
                    ? m->options->chosen
                    : mpl_argsort_top(g, selection, m->used);
    if (is_chunked && m->experts != m->b->h->expert_count)
        m->chosen = chunk_ids(m, m->chosen);
    mpl_node *const rows =
        mpl_reshape3(m->b, probs, 1,
                     is_chunked ? m->b->h->expert_count : m->experts,
                     m->tokens);
    mpl_node *weights = mpl_get_rows(g, rows, m->chosen);
    if (gating_of(m) == MPL_GATING_SOFTMAX_CHOSEN) {
        weights = mpl_reshape2(m->b, weights, m->used, m->tokens);
        weights = mpl_op1(g, MPL_OP_SOFT_MAX, weights);
        weights = mpl_reshape3(m->b, weights, 1, m->used, m->tokens);
    }
    if ((m->options->flags & MPL_MOE_NORM) ||
        ((m->options->flags & MPL_MOE_NORM_MODEL) &&
         m->b->h->expert_weights_norm))
        weights = normalised(m, weights);
    if (m->b->h->has_expert_weights_scale &&
        !(m->options->flags & MPL_MOE_UNSCALED))
        weights = mpl_scale(m->b, weights);
    m->weights = weights;
    mpl_expand(m->b, weights);
}

/* A product with the chosen experts; its scale is looked up an expert. */
static mpl_node *product(const moe *m, const char *base, mpl_node *x)
{
    mpl_graph *const g = m->b->g;
    mpl_node *const weight = mpl_weight(m->b, m->layer, base, ".weight");
    mpl_node *const scale = m->options->flags & MPL_MOE_SCALE
                                ? mpl_weight(m->b, m->layer, base, ".scale")
                                : NULL;
    mpl_node *out = mpl_mul_mat_id(g, weight, x, m->chosen);
    if (scale != NULL) {
        const uint64_t count = scale->ne[0];
        mpl_node *rows = mpl_reshape3(m->b, scale, 1, count, 1);
        rows = mpl_repeat(g, rows, 1, count, x->ne[2], 1);
        out = mpl_times(m->b, out, mpl_get_rows(g, rows, m->chosen));
    }
    mpl_node *const bias = mpl_weight(m->b, m->layer, base, ".bias");
    return bias == NULL ? out
                        : mpl_op3(g, MPL_OP_ADD_ID, out, bias, m->chosen);
}

static mpl_node *gated(const moe *m, mpl_node *gate, mpl_node *up)
{
    if (m->options->activation == MPL_ACT_SITU)
        return mpl_situ(m->b, gate, up);
    if ((m->options->flags & MPL_MOE_CLAMPED) == 0)
        return mpl_glu(m->b->g, gate, up);
    up = mpl_op1(m->b->g, MPL_OP_CLAMP, up);
    gate = mpl_op1(m->b->g, MPL_OP_CLAMP, mpl_unary(m->b, gate));
    return mpl_times(m->b, gate, up);
}

static mpl_node *inner(const moe *m, mpl_node *x)
{
    mpl_graph *const g = m->b->g;
    if (mpl_has(m->b, m->layer, "ffn_gate_up_exps")) {
        mpl_node *const both = product(m, "ffn_gate_up_exps", x);
        const uint64_t half = both->ne[0] / 2;
        mpl_node *const gate =
            mpl_view(g, both, half, both->ne[1], both->ne[2], 1, both->nb[1],
                     both->nb[2], both->nb[3]);
        mpl_node *const up =
            mpl_view(g, both, half, both->ne[1], both->ne[2], 1, both->nb[1],
                     both->nb[2], both->nb[3]);
        return gated(m, gate, up);
    }
    mpl_node *const up = product(m, m->names->up, x);
    if (mpl_has(m->b, m->layer, m->names->gate))
        return gated(m, product(m, m->names->gate, x), up);
    mpl_node *const act = mpl_unary(m->b, up);
    return m->options->activation == MPL_ACT_RELU_SQUARED
               ? mpl_op1(g, MPL_OP_SQR, act)
               : act;
}

static mpl_node *sum_of(const moe *m, mpl_node *outputs)
{
    mpl_graph *const g = m->b->g;
    mpl_node *sum = NULL;
    mpl_node **const parts =
        mpl_arena_alloc(g->arena, m->used, sizeof *parts);
    if (parts == NULL || m->used == 0) {
        g->status = parts == NULL ? MEMPLAN_E_NO_MEMORY : g->status;
        return outputs;
    }
    for (uint64_t i = 0; i < m->used; i++) {
        parts[i] = mpl_view_2d(g, outputs, m->width, m->tokens,
                               outputs->nb[2]);
        mpl_expand(m->b, parts[i]);
    }
    sum = parts[0];
    for (uint64_t i = 1; i < m->used; i++) {
        sum = mpl_plus(m->b, sum, parts[i]);
        mpl_expand(m->b, sum);
    }
    return m->used == 1 ? mpl_cont(g, sum) : sum;
}

mpl_node *mpl_experts(mpl_build *b, int layer, mpl_node *x,
                      const mpl_moe *options)
{
    moe m = {
        .b = b,
        .layer = layer,
        .options = options,
        .names = options->flags & MPL_MOE_CHUNKS ? &CHUNKS : &EXPERTS,
        .experts = options->experts ? options->experts : b->h->expert_count,
        .used = options->experts_used ? options->experts_used
                                      : mpl_layer_of(b, layer)->experts_used,
        .tokens = x->ne[1],
        .width = x->ne[0],
    };
    choose(&m, router(&m, x));
    mpl_node *in = mpl_reshape3(b, x, m.width, 1, m.tokens);
    if (options->flags & MPL_MOE_WEIGHT_FIRST) {
        in = mpl_repeat(b->g, in, m.width, m.used, m.tokens, 1);
        in = mpl_times(b, in, m.weights);
    }
    mpl_node *out = product(&m, m.names->down, inner(&m, in));
    if ((options->flags & MPL_MOE_WEIGHT_FIRST) == 0)
        out = mpl_times(b, out, m.weights);
    mpl_expand(b, out);
    m.width = out->ne[0];
    return sum_of(&m, out);
}

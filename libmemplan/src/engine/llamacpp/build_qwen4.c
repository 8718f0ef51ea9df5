/* SPDX-License-Identifier: MIT */
/*
 * Qwen 4 (experimental): the layers of Qwen3.5 between hyper-connections,
 * n-gram embeddings mixed into one layer, and attention to the cells that an
 * indexer picks from the means of blocks of keys.
 */
#include "base/checked.h"
#include "engine/llamacpp/build_delta.h"
#include "engine/llamacpp/build_qwen.h"
#include "engine/llamacpp/build_sparse.h"
#include "engine/llamacpp/builders.h"

/* Numbers of a file that nodes are counted by: beyond them nothing is real. */
enum { LOOP_MAX = 1 << 14, POSITIONS_PER_BLOCK = 4 };

/* Inputs that layers of one ratio share. */
typedef struct block_inputs {
    struct block_inputs *next;
    uint64_t ratio;
    mpl_attn_inputs index;
    mpl_node *cell_blocks;
    mpl_node *block_cells;
    mpl_node *block_positions;
    mpl_node *bias;
} block_inputs;

typedef struct qwen4 {
    mpl_build *b;
    uint64_t streams; /* residual ones */
    block_inputs *blocks;
} qwen4;

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

/* ---- hyper-connections ---- */

typedef struct hc_names {
    const char *norm;
    const char *down;
    const char *up;
    const char *inject;
} hc_names;

static mpl_node *sum_streams(const qwen4 *q, mpl_node *x)
{
    mpl_build *const b = q->b;
    mpl_node *sum = NULL;
    for (uint64_t i = 0; i < q->streams; i++) {
        mpl_node *const one =
            mpl_view_2d(b->g, x, x->ne[0], x->ne[2], x->nb[2]);
        sum = sum == NULL ? mpl_cont(b->g, one) : mpl_plus(b, sum, one);
    }
    return sum == NULL ? x : mpl_scale(b, sum);
}

static mpl_node *grouped_norm(mpl_build *b, mpl_node *x, int layer,
                              const char *base)
{
    return mpl_times(b, mpl_op1(b->g, MPL_OP_RMS_NORM, x),
                     mpl_weight(b, layer, base, ".weight"));
}

/* `inject` NULL: none wanted. */
static mpl_node *mix(const qwen4 *q, int layer, const hc_names *names,
                     mpl_node *x, mpl_node **inject)
{
    mpl_build *const b = q->b;
    const uint64_t width = x->ne[0];
    const uint64_t tokens = x->ne[2];
    mpl_node *const flat =
        mpl_reshape2(b, grouped_norm(b, x, layer, names->norm),
                     width * q->streams, tokens);
    mpl_node *low = mpl_linear_bare(b, layer, names->down, flat);
    low = mpl_unary(b, mpl_scale(b, low));
    mpl_node *const gate = mpl_linear_bare(b, layer, names->up, low);
    if (inject != NULL)
        *inject = mpl_linear_bare(b, layer, names->inject, flat);
    if (layer >= 0 && !b->setup->unfused_hc_pre)
        return mpl_op_shaped(
            b->g, MPL_OP_DSV4_HC_PRE, MPL_DTYPE_FP32, width, tokens, 1, 1,
            mpl_reshape3(b, flat, width, q->streams, tokens),
            mpl_reshape3(b, gate, width, q->streams, tokens));
    mpl_node *const gated = mpl_times(b, flat, mpl_unary(b, gate));
    return sum_streams(q, mpl_reshape3(b, gated, width, q->streams, tokens));
}

static mpl_node *combine(const qwen4 *q, mpl_node *streams, mpl_node *x,
                         mpl_node *inject)
{
    mpl_build *const b = q->b;
    const uint64_t width = streams->ne[0];
    const uint64_t tokens = streams->ne[2];
    mpl_node *weights = mpl_scale(b, mpl_unary(b, mpl_scale(b, inject)));
    if (b->setup->unfused_hc_post) {
        weights = mpl_reshape3(b, weights, 1, q->streams, tokens);
        x = mpl_repeat(b->g, mpl_reshape3(b, x, width, 1, tokens), width,
                       q->streams, tokens, 1);
        return mpl_plus(b, streams, mpl_times(b, x, weights));
    }
    mpl_node *const out = mpl_op2(b->g, MPL_OP_DSV4_HC_POST, streams, weights);
    out->src[0] = x;
    out->src[1] = streams;
    out->src[2] = weights;
    return out;
}

/* ---- n-gram embeddings ---- */

static mpl_node *embed_ngrams(mpl_build *b)
{
    const uint64_t heads =
        (uint64_t)(mpl_key_u32(b, "ple.ngram_size", 1) - 1) *
        mpl_key_u32(b, "ple.heads_per_ngram", 1);
    mpl_node *const table = mpl_weight(b, -1, "per_layer_token_embd",
                                       ".weight");
    if (b->h->ple_conv_width == 0 || table == NULL)
        return NULL;
    mpl_node *const rows = mpl_input4(b->g, "ple_rows", MPL_DTYPE_I32,
                                      heads * b->tokens, 1, 1, 1);
    mpl_node *const out =
        mpl_reshape2(b, mpl_get_rows(b->g, table, rows),
                     table->ne[0] * heads, b->tokens);
    mpl_expand(b, out);
    return out;
}

/* The kernel's taps lie `step` tokens apart: one product a tap. */
static mpl_node *convolve(mpl_build *b, int layer, mpl_node *x)
{
    mpl_graph *const g = b->g;
    const uint64_t n = b->tokens / b->sequences;
    const uint64_t channels = x->ne[0];
    mpl_node *const kernel = mpl_weight(b, layer, "ple_conv1d", ".weight");
    const uint64_t taps = mpl_min(kernel->ne[0], LOOP_MAX);
    const uint64_t kept = b->h->ple_conv_width / mpl_max(channels, 1);
    mpl_node *const all = mpl_convolve_input(
        b, layer, MPL_STATE_PLE,
        mpl_reshape3(b, x, channels, n, b->sequences), kept);
    mpl_node *out = NULL;
    for (uint64_t i = 0; i < taps; i++) {
        mpl_node *const seen =
            mpl_view(g, all, n, channels, b->sequences, 1, all->nb[1],
                     all->nb[2], all->nb[2] * b->sequences);
        mpl_node *const shifted = mpl_cont(g, mpl_transpose(g, seen));
        mpl_node *tap = mpl_cont(
            g, mpl_view_2d(g, kernel, 1, channels, kernel->nb[1]));
        tap = mpl_reshape(g, tap, channels, 1, 1, 1);
        if (tap->dtype != MPL_DTYPE_FP32)
            tap = mpl_cast(g, tap, MPL_DTYPE_FP32);
        mpl_node *const term = mpl_times(b, shifted, tap);
        out = out == NULL ? term : mpl_plus(b, out, term);
    }
    return out == NULL ? x : mpl_unary(b, out);
}

static mpl_node *add_ngrams(const qwen4 *q, int layer, mpl_node *embedded,
                            mpl_node *streams)
{
    mpl_build *const b = q->b;
    const uint64_t width = streams->ne[0];
    const uint64_t count = q->streams;
    mpl_node *key = mpl_linear_bare(b, layer, "ple_key", embedded);
    mpl_node *const value = mpl_linear_bare(b, layer, "ple_value", embedded);
    key = grouped_norm(b, mpl_reshape3(b, key, width, count, b->tokens),
                       layer, "ple_norm_key");
    mpl_node *const query =
        grouped_norm(b, mpl_reshape3(b, streams, width, count, b->tokens),
                     layer, "ple_norm_query");
    mpl_node *const score =
        mpl_scale(b, mpl_sum_rows(b->g, mpl_times(b, key, query)));
    mpl_node *const size = mpl_op1(
        b->g, MPL_OP_SQRT, mpl_op1(b->g, MPL_OP_CLAMP, mpl_unary(b, score)));
    mpl_node *const gate =
        mpl_unary(b, mpl_times(b, mpl_unary(b, score), size));
    mpl_node *const spread =
        mpl_repeat(b->g, mpl_reshape3(b, value, width, 1, b->tokens), width,
                   count, b->tokens, 1);
    mpl_node *const gated = mpl_times(b, spread, gate);
    mpl_node *x = mpl_reshape2(b, gated, width * count, b->tokens);
    x = grouped_norm(b, mpl_reshape3(b, x, width, count, b->tokens), layer,
                     "ple_norm_conv");
    x = convolve(b, layer, mpl_reshape2(b, x, width * count, b->tokens));
    x = mpl_reshape3(b, mpl_cont(b->g, x), width, count, b->tokens);
    return mpl_plus(b, streams, mpl_plus(b, gated, x));
}

/* ---- attention ---- */

static block_inputs *inputs_of(qwen4 *q, uint64_t ratio)
{
    mpl_build *const b = q->b;
    mpl_graph *const g = b->g;
    const mpl_llama_cache *const cache =
        b->setup->caches[MPL_LLAMA_CACHE_INDEXER];
    const mpl_node *const mask = b->full.mask;
    for (block_inputs *i = q->blocks; i != NULL; i = i->next)
        if (i->ratio == ratio)
            return i;
    block_inputs *const in = mpl_arena_alloc(g->arena, 1, sizeof *in);
    if (in == NULL) {
        g->status = MEMPLAN_E_NO_MEMORY;
        return NULL;
    }
    const uint64_t blocks = (cache->cells + ratio - 1) / ratio;
    *in = (block_inputs){.next = q->blocks, .ratio = ratio};
    in->index.cache = cache;
    in->index.k_ids = mpl_input4(g, "qsa_k_idxs", MPL_DTYPE_I64, b->tokens, 1,
                                 1, 1);
    in->cell_blocks = mpl_input4(g, "qsa_cell_blk", MPL_DTYPE_I32,
                                 cache->cells, mask->ne[3], 1, 1);
    in->block_cells = mpl_input4(g, "qsa_blk_cells", MPL_DTYPE_I32,
                                 ratio * blocks, mask->ne[3], 1, 1);
    in->block_positions =
        mpl_input4(g, "qsa_blk_pos", MPL_DTYPE_I32,
                   POSITIONS_PER_BLOCK * blocks * mask->ne[3], 1, 1, 1);
    in->bias = mpl_input4(g, "qsa_bias", MPL_DTYPE_FP32,
                          b->h->uses_alibi ? cache->cells : blocks,
                          mask->ne[1], mask->ne[3], 1);
    q->blocks = in;
    return in;
}

/* The mean key of each block: [width, blocks, streams]. */
static mpl_node *pool_keys(mpl_build *b, const block_inputs *in, int layer,
                           mpl_node *x)
{
    mpl_graph *const g = b->g;
    const uint64_t width = b->h->indexer_width;
    const uint64_t streams = in->block_cells->ne[1];
    const uint64_t blocks = in->block_cells->ne[0] / in->ratio;
    mpl_node *const k = mpl_reshape3(
        b, mpl_linear_bare(b, layer, "indexer.k_proj", x), width, 1,
        b->tokens);
    mpl_expand(b, mpl_store_k(b, &in->index, layer, k));
    mpl_node *const table = mpl_cache_node(b, in->index.cache, 0, layer);
    mpl_node *all =
        mpl_view(g, table, width, 1, table->ne[1], table->ne[2],
                 mpl_row_bytes(table->dtype, width), table->nb[1],
                 table->nb[2]);
    all = mpl_view(g, all, width, table->ne[1], streams, 1, all->nb[2],
                   all->nb[3], all->nb[3] * streams);
    mpl_node *const members =
        mpl_reshape(g, mpl_get_rows(g, all, in->block_cells), width,
                    in->ratio, blocks, streams);
    mpl_node *sum = NULL;
    for (uint64_t i = 0; i < in->ratio; i++) {
        mpl_node *const one = mpl_cont(
            g, mpl_view(g, members, width, blocks, streams, 1, members->nb[2],
                        members->nb[3], members->nb[3] * streams));
        sum = sum == NULL ? one : mpl_plus(b, sum, one);
    }
    mpl_node *out =
        mpl_reshape3(b, mpl_scale(b, sum), width, blocks * streams, 1);
    out = norm(b, layer, "indexer.k_norm", out);
    out = mpl_reshape3(b, out, width, 1, blocks * streams);
    out = mpl_op2(g, MPL_OP_ROPE, out, in->block_positions);
    return mpl_reshape3(b, out, width, blocks, streams);
}

/* Scores of blocks, summed over the indexer's heads. */
static mpl_node *score_blocks(mpl_build *b, int layer, mpl_node *x,
                              mpl_node *keys)
{
    mpl_graph *const g = b->g;
    const uint64_t heads = b->h->indexer_head_count;
    const uint64_t streams = keys->ne[2];
    const uint64_t tokens = b->tokens / streams;
    mpl_node *q = mpl_linear_bare(b, layer, "indexer.q_proj", x);
    q = mpl_reshape3(b, q, keys->ne[0], heads, b->tokens);
    q = mpl_rope_plain(b, norm(b, layer, "indexer.q_norm", q));
    q = mpl_reshape3(b, q, keys->ne[0], heads * tokens, streams);
    mpl_node *all = mpl_reshape(g, mpl_mul_mat(g, keys, q), keys->ne[1], heads,
                                tokens, streams);
    all = mpl_unary(b, all);
    mpl_node *sum = NULL;
    for (uint64_t i = 0; i < heads; i++) {
        mpl_node *const one =
            mpl_view(g, all, keys->ne[1], tokens, streams, 1, all->nb[2],
                     all->nb[3], all->nb[3] * streams);
        sum = sum == NULL ? mpl_cont(g, one) : mpl_plus(b, sum, one);
    }
    return sum == NULL ? all : sum;
}

static mpl_node *choose_cells(mpl_build *b, const block_inputs *in, int layer,
                              mpl_node *x)
{
    mpl_graph *const g = b->g;
    mpl_node *mask = b->full.mask;
    mpl_node *const keys = pool_keys(b, in, layer, x);
    mpl_node *score = score_blocks(b, layer, x, keys);
    if (!b->h->uses_alibi)
        score = mpl_plus(b, score, in->bias);
    score = mpl_cont(g, mpl_permute(g, score, 1, 0, 2, 3));
    score = mpl_get_rows(g, score, in->cell_blocks);
    score = mpl_cont(g, mpl_permute(g, score, 1, 0, 2, 3));
    if (b->h->uses_alibi) {
        score = mpl_plus(b, score, in->bias);
    } else {
        if (mask->dtype != MPL_DTYPE_FP32)
            mask = mpl_cast(g, mask, MPL_DTYPE_FP32);
        score = mpl_plus(b, score, mpl_reshape3(b, mask, mask->ne[0],
                                                mask->ne[1], mask->ne[3]));
    }
    const uint64_t width = mpl_min(
        score->ne[0], (uint64_t)b->h->indexer_top_k + in->ratio - 1);
    mpl_node *const top =
        mpl_op_shaped(g, MPL_OP_TOP_K, MPL_DTYPE_I32, width, score->ne[1],
                      score->ne[2], score->ne[3], score, NULL);
    return mpl_reshape(g, mpl_cont(g, top), width, score->ne[1], 1,
                       score->ne[2]);
}

static mpl_node *attend_chosen(mpl_build *b, int layer, mpl_qkv x,
                               mpl_node *cells)
{
    static const mpl_attn_options NONE = {.out = NULL};
    const mpl_attn_inputs *const in = &b->full;
    x.q = mpl_rotate(b, x.q, in->k_rotation);
    x.k = mpl_rotate(b, x.k, in->k_rotation);
    x.v = mpl_rotate(b, x.v, in->v_rotation);
    mpl_expand(b, x.q);
    mpl_expand(b, x.v);
    mpl_expand(b, x.k);
    mpl_expand(b, mpl_store_k(b, in, layer, x.k));
    mpl_expand(b, mpl_store_v(b, in, layer, x.v));
    mpl_node *const mask = mpl_mask_but(b, in->mask, cells, MPL_DTYPE_FP32);
    mpl_node *const out = mpl_attention_core(
        b, x.q, mpl_cached_k(b, in, layer), mpl_cached_v(b, in, layer), mask,
        &NONE);
    return mpl_rotate(b, out, in->v_rotation);
}

/* Queries and gates of a head lie side by side. */
static mpl_node *half(mpl_build *b, mpl_node *x, uint64_t width,
                      uint64_t heads)
{
    const uint64_t row = mpl_row_bytes(x->dtype, 2 * width);
    return mpl_view(b->g, x, width, heads, b->tokens, 1, row, row * heads,
                    row * heads * b->tokens);
}

static mpl_node *attend(qwen4 *q, int layer, mpl_node *x)
{
    static const mpl_attn_options NONE = {.out = NULL};
    mpl_build *const b = q->b;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t width = l->value_width;
    const bool has_cells =
        b->setup->caches[MPL_LLAMA_CACHE_INDEXER] != NULL &&
        l->compress_ratio > 0;
    const block_inputs *const in =
        has_cells ? inputs_of(q, l->compress_ratio) : NULL;
    mpl_node *const cells =
        in != NULL ? choose_cells(b, in, layer, x) : NULL;
    mpl_node *const both = mpl_linear(b, layer, "attn_q", x);
    mpl_qkv qkv = {half(b, both, width, l->head_count),
                   mpl_linear(b, layer, "attn_k", x),
                   mpl_linear(b, layer, "attn_v", x)};
    qkv.q = norm(b, layer, "attn_q_norm", qkv.q);
    qkv.k = mpl_reshape3(b, qkv.k, width, l->kv_head_count, b->tokens);
    qkv.k = norm(b, layer, "attn_k_norm", qkv.k);
    qkv.v = mpl_reshape3(b, qkv.v, width, l->kv_head_count, b->tokens);
    qkv.q = mpl_rope_plain(b, qkv.q);
    qkv.k = mpl_rope_plain(b, qkv.k);
    mpl_node *const gate =
        mpl_cont_as(b->g, half(b, both, width, l->head_count),
                    width * l->head_count, b->tokens, 1, 1);
    mpl_node *const out = cells != NULL ? attend_chosen(b, layer, qkv, cells)
                                        : mpl_attend(b, layer, qkv, &NONE);
    return mpl_linear(b, layer, "attn_output",
                      mpl_times(b, out, mpl_unary(b, gate)));
}

/* ---- the whole ---- */

static mpl_node *crop_streams(mpl_build *b, mpl_node *x)
{
    const uint64_t width = x->ne[0];
    const uint64_t count = x->ne[1];
    x = mpl_crop(b, mpl_reshape2(b, x, width * count, x->ne[2]));
    return mpl_reshape3(b, x, width, count, x->ne[1]);
}

static mpl_node *one_layer(qwen4 *q, int layer, mpl_node *ngrams, mpl_node *x)
{
    static const hc_names ATTENTION = {"hc_attn_norm", "hc_attn_down",
                                       "hc_attn_up", "hc_attn_inject"};
    static const hc_names FFN = {"hc_ffn_norm", "hc_ffn_down", "hc_ffn_up",
                                 "hc_ffn_inject"};
    mpl_build *const b = q->b;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    mpl_node *inject;
    mpl_at_layer(b, layer);
    if (l->is_ple && ngrams != NULL)
        x = add_ngrams(q, layer, ngrams, x);
    mpl_node *half_out = mix(q, layer, &ATTENTION, x, &inject);
    mpl_expand(b, half_out);
    half_out = l->is_recurrent ? mpl_attend_delta(b, layer, half_out)
                               : attend(q, layer, half_out);
    if (mpl_is_last(b, layer)) {
        half_out = mpl_crop(b, half_out);
        inject = mpl_crop(b, inject);
        x = crop_streams(b, x);
    }
    x = combine(q, x, half_out, inject);
    half_out = mix(q, layer, &FFN, x, &inject);
    x = combine(q, x, mpl_qwen_feed_forward(b, layer, half_out), inject);
    mpl_pin(b, x, layer);
    return x;
}

static bool is_sane(const mpl_build *b)
{
    bool is_small = b->h->hc_mult <= LOOP_MAX &&
                    b->h->indexer_head_count <= LOOP_MAX;
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        is_small &= b->h->layers[i].compress_ratio <= LOOP_MAX;
    return is_small;
}

void mpl_build_qwen4(mpl_build *b)
{
    static const hc_names HEAD = {"output_hc_norm", "output_hc_down",
                                  "output_hc_up", NULL};
    qwen4 q = {.b = b, .streams = b->h->hc_mult};
    if (!is_sane(b)) {
        b->g->status = MEMPLAN_E_TOO_LARGE;
        return;
    }
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_states(b);
    mpl_open_attention(b);
    mpl_node *const ngrams = embed_ngrams(b);
    x = mpl_reshape3(b, x, b->h->embd, 1, b->tokens);
    x = mpl_repeat(b->g, x, b->h->embd, q.streams, b->tokens, 1);
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        x = one_layer(&q, (int)i, ngrams, x);
    mpl_at_layer(b, -1);
    x = mix(&q, -1, &HEAD, x, NULL);
    mpl_mark_output(x);
    x = mpl_linear(b, -1, "output", x);
    mpl_mark_output(x);
    mpl_expand(b, x);
}

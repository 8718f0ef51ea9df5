/* SPDX-License-Identifier: MIT */
/*
 * MiniMax M3: sparse attention by blocks. A light head for each group of heads
 * scores all positions, the best score of a block stands for it, and the group
 * attends to the best blocks: gathered for single tokens, masked for many.
 * Without flash attention, or where sequences share a cache, all is attended.
 */
#include "base/checked.h"
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

/* Positions that inputs are made for while nothing is cached yet. */
enum { POSITIONS_MIN = 256 };

typedef struct msa {
    mpl_build *b;
    bool is_on;
    bool is_decode; /* one token a stream */
    uint64_t block;
    uint64_t blocks;
    uint64_t chosen; /* blocks */
    uint64_t positions;
    uint64_t cells;
    uint64_t streams;
    uint64_t tokens; /* of a stream */
    uint64_t groups;
    uint64_t width; /* of an indexer's head */
    mpl_attn_inputs index;
    mpl_node *bias;
    mpl_node *position_mask;
    mpl_node *slots;       /* a position's cell */
    mpl_node *slots_float;
    mpl_node *cell_blocks; /* a cell's block */
    mpl_node *mask;
} msa;

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static void open_inputs(msa *m)
{
    mpl_build *const b = m->b;
    mpl_graph *const g = b->g;
    m->bias = mpl_input4(g, "msa_bias", MPL_DTYPE_FP32, m->blocks, b->tokens,
                         1, 1);
    m->position_mask = mpl_input4(g, "msa_pos_mask", MPL_DTYPE_FP32,
                                  m->positions, b->tokens, 1, 1);
    m->slots = mpl_input4(g, "msa_pos_slot", MPL_DTYPE_I32, m->positions,
                          m->streams, 1, 1);
    m->index.k_ids = mpl_input4(g, "msa_k_idxs", MPL_DTYPE_I64, b->tokens, 1,
                                1, 1);
    if (m->is_decode) {
        m->slots_float = mpl_input4(g, "msa_pos_slot_f", MPL_DTYPE_FP32,
                                    m->positions, m->streams, 1, 1);
        return;
    }
    m->cell_blocks = mpl_input4(g, "msa_cell_blk", MPL_DTYPE_I32, m->cells,
                                m->streams, 1, 1);
    m->mask = mpl_cast(g, b->full.mask, MPL_DTYPE_FP32);
}

static void open_msa(msa *m, mpl_build *b)
{
    const mpl_llama_setup *const s = b->setup;
    const mpl_llama_hparams *const h = b->h;
    *m = (msa){.b = b,
               .index.cache = s->caches[MPL_LLAMA_CACHE_INDEXER],
               .block = mpl_max(h->indexer_block, 1),
               .groups = h->indexer_head_count,
               .width = h->indexer_width};
    m->is_on = s->flash_attn && (s->n_seq == 1 || !s->kv_unified) &&
               m->index.cache != NULL;
    if (!m->is_on)
        return;
    m->cells = b->full.mask->ne[0];
    m->tokens = b->full.mask->ne[1];
    m->streams = b->full.mask->ne[3];
    m->blocks = (POSITIONS_MIN + m->block - 1) / m->block;
    m->positions = m->blocks * m->block;
    m->chosen = mpl_min(h->indexer_top_k, m->blocks);
    m->is_decode = m->tokens == 1;
    open_inputs(m);
}

static mpl_node *pool(const msa *m, mpl_node *x)
{
    return mpl_op_shaped(m->b->g, MPL_OP_POOL_2D, MPL_DTYPE_FP32, m->blocks,
                         x->ne[1], x->ne[2], x->ne[3], x, NULL);
}

static mpl_node *best(const msa *m, mpl_node *x)
{
    return mpl_op_shaped(m->b->g, MPL_OP_TOP_K, MPL_DTYPE_I32, m->chosen,
                         x->ne[1], x->ne[2], x->ne[3], x, NULL);
}

static mpl_node *range(const msa *m, uint64_t count)
{
    return mpl_op_shaped(m->b->g, MPL_OP_ARANGE, MPL_DTYPE_FP32, count, 1, 1,
                         1, NULL, NULL);
}

static mpl_node *flip(const msa *m, mpl_node *x)
{
    return mpl_cont(m->b->g, mpl_transpose(m->b->g, x));
}

/* Each group of heads is a stream of its own, with its own mask. */
static mpl_node *flash(const msa *m, mpl_node *q, mpl_node *k, mpl_node *v,
                       mpl_node *mask, uint64_t group_heads)
{
    mpl_graph *const g = m->b->g;
    const uint64_t row = q->ne[0] * q->ne[1];
    const uint64_t tokens = q->ne[2];
    const uint64_t parts = mpl_max(k->ne[3], 1);
    const uint64_t rows =
        q->ne[1] * tokens / mpl_max(group_heads * parts, 1);
    q = mpl_reshape(g, q, q->ne[0], group_heads, parts, rows);
    q = mpl_permute(g, q, 0, 2, 3, 1);
    mpl_node *out = mpl_op_shaped(g, MPL_OP_FLASH_ATTN, MPL_DTYPE_FP32,
                                  v->ne[0], q->ne[2], q->ne[1], q->ne[3], q,
                                  k);
    out->src[2] = v;
    out->src[3] = mask;
    out = mpl_permute(g, out, 0, 1, 3, 2);
    if (!mpl_node_is_contiguous(out))
        out = mpl_cont(g, out);
    return mpl_reshape2(m->b, out, row, tokens);
}

/* [1, chosen blocks' positions, groups * streams] as a float, then a row. */
static mpl_node *as_ids(const msa *m, mpl_node *x)
{
    x = mpl_reshape2(m->b, x, m->block * m->chosen * m->groups, m->streams);
    return mpl_cast(m->b->g, x, MPL_DTYPE_I32);
}

static mpl_node *best_positions(const msa *m, mpl_node *q, mpl_node *keys)
{
    mpl_build *const b = m->b;
    mpl_graph *const g = b->g;
    const uint64_t s = m->streams;
    mpl_node *const k3 = mpl_view(g, keys, m->width, m->cells, s, 1,
                                  keys->nb[2], keys->nb[3], keys->nb[3] * s);
    mpl_node *k = mpl_get_rows(g, k3, m->slots);
    k = mpl_reshape(g, k, m->width, m->positions, 1, s);
    q = mpl_reshape(g, q, m->width, m->groups, 1, s);
    mpl_node *scores = mpl_mul_mat(g, k, q);
    scores = mpl_op_onto(
        g, MPL_OP_ADD, scores,
        mpl_reshape(g, m->position_mask, m->positions, 1, 1, s));
    scores = mpl_plus(b, pool(m, scores),
                      mpl_reshape(g, m->bias, m->blocks, 1, 1, s));
    mpl_node *first =
        mpl_scale(b, mpl_cast(g, best(m, scores), MPL_DTYPE_FP32));
    first = mpl_reshape(g, first, 1, m->chosen, m->groups, s);
    first = mpl_repeat(g, first, m->block, m->chosen, m->groups, s);
    return as_ids(m, mpl_plus(b, first, mpl_reshape3(b, range(m, m->block),
                                                     m->block, 1, 1)));
}

static mpl_node *gathered(const msa *m, mpl_node *cache, mpl_node *ids)
{
    mpl_graph *const g = m->b->g;
    const uint64_t block = mpl_dtype_block_elements(cache->dtype);
    const uint32_t dtype = block > 1 ? MPL_DTYPE_FP16 : cache->dtype;
    mpl_node *const all =
        mpl_view(g, cache, cache->ne[0], cache->ne[1] * m->cells, m->streams,
                 1, cache->nb[1], cache->nb[3], cache->nb[3] * m->streams);
    mpl_node *rows = mpl_get_rows(g, all, ids);
    rows = mpl_reshape(g, rows, cache->ne[0], m->block * m->chosen, 1,
                       m->groups * m->streams);
    return rows->dtype == dtype ? rows : mpl_cast(g, rows, dtype);
}

static mpl_node *attend_gathered(const msa *m, mpl_node *q, mpl_node *index_q,
                                 mpl_node *keys, mpl_node *k, mpl_node *v)
{
    mpl_build *const b = m->b;
    mpl_graph *const g = b->g;
    const uint64_t group_heads = q->ne[1] / mpl_max(k->ne[1], 1);
    mpl_node *const positions = best_positions(m, index_q, keys);
    mpl_node *cells = mpl_get_rows(
        g, mpl_reshape3(b, m->slots_float, 1, m->positions, m->streams),
        positions);
    cells = mpl_reshape(g, cells, m->block, m->chosen, m->groups, m->streams);
    cells = mpl_plus(b, mpl_scale(b, cells),
                     mpl_reshape3(b, range(m, k->ne[1]), 1, 1, m->groups));
    cells = as_ids(m, cells);
    mpl_node *mask = mpl_get_rows(
        g, mpl_reshape3(b, m->position_mask, 1, m->positions, m->streams),
        positions);
    mask = mpl_reshape(g, mask, m->block * m->chosen, 1, 1,
                       m->groups * m->streams);
    return flash(m, q, gathered(m, k, cells), gathered(m, v, cells),
                 mpl_cast(g, mask, MPL_DTYPE_FP16), group_heads);
}

/* Rows of a stream's tokens, for each head again. */
static mpl_node *rows_of(const msa *m, mpl_node *x, uint64_t width)
{
    return mpl_view(m->b->g, x, width, 1, m->tokens, 1, x->nb[1], x->nb[1],
                    x->nb[1] * m->tokens);
}

static mpl_node *heads_of(const msa *m, mpl_node *x)
{
    return mpl_view(m->b->g, x, x->ne[0], x->ne[1], m->tokens, 1, x->nb[1],
                    x->nb[2], x->nb[2] * m->tokens);
}

static mpl_node *best_blocks(const msa *m, mpl_node *index_q, mpl_node *keys,
                             mpl_node *bias)
{
    mpl_build *const b = m->b;
    mpl_graph *const g = b->g;
    mpl_node *const own =
        mpl_view_2d(g, keys, m->width, m->cells, keys->nb[2]);
    mpl_node *const k =
        mpl_get_rows(g, own, mpl_view_row(g, m->slots, m->positions));
    mpl_node *const q = mpl_reshape2(b, heads_of(m, index_q), m->width,
                                     m->groups * m->tokens);
    mpl_node *scores = mpl_reshape3(b, mpl_mul_mat(g, k, q), m->positions,
                                    m->groups, m->tokens);
    scores = mpl_op_onto(g, MPL_OP_ADD, scores,
                         rows_of(m, m->position_mask, m->positions));
    return best(m, mpl_plus(b, pool(m, scores), bias));
}

/* F16 [cells, tokens, 1, groups] of one stream. */
static mpl_node *block_mask(const msa *m, mpl_node *index_q, mpl_node *keys)
{
    mpl_build *const b = m->b;
    mpl_graph *const g = b->g;
    const uint64_t rows = m->groups * m->tokens;
    mpl_node *const bias = rows_of(m, m->bias, m->blocks);
    mpl_node *const ids = best_blocks(m, index_q, keys, bias);
    mpl_node *none = mpl_cast(g, mpl_scale(b, bias), MPL_DTYPE_FP16);
    none = mpl_repeat(g, none, m->blocks, m->groups, m->tokens, 1);
    mpl_node *const zero =
        mpl_scale(b, mpl_cast(g, ids, MPL_DTYPE_FP32));
    mpl_node *mask =
        mpl_set_rows(g, mpl_reshape3(b, none, 1, m->blocks, rows),
                     mpl_reshape3(b, zero, 1, m->chosen, rows),
                     mpl_reshape2(b, ids, m->chosen, rows));
    mask = mpl_reshape3(b, mask, m->blocks, m->groups, m->tokens);
    mask = mpl_cont(g, mpl_permute(g, mask, 0, 2, 1, 3));
    mask = flip(m, mpl_reshape2(b, mask, m->blocks, rows));
    mask = mpl_get_rows(g, mask, mpl_view_row(g, m->cell_blocks, m->cells));
    mask = mpl_reshape3(b, flip(m, mask), m->cells, m->tokens, m->groups);
    mpl_node *const own =
        mpl_view(g, m->mask, m->cells, m->tokens, 1, 1, m->mask->nb[1],
                 m->mask->nb[3], m->mask->nb[3]);
    mask = mpl_op_onto(g, MPL_OP_ADD, mask, own);
    mask = mpl_reshape(g, mask, m->cells, m->tokens, 1, m->groups);
    return mpl_cast(g, mask, MPL_DTYPE_FP16);
}

static mpl_node *stream_of(const msa *m, mpl_node *cache)
{
    mpl_graph *const g = m->b->g;
    mpl_node *const own =
        mpl_view(g, cache, cache->ne[0], cache->ne[1], m->cells, 1,
                 cache->nb[1], cache->nb[2], cache->nb[3]);
    return mpl_permute(g, own, 0, 3, 1, 2);
}

static mpl_node *attend_masked(const msa *m, mpl_node *q, mpl_node *index_q,
                               mpl_node *keys, mpl_node *k, mpl_node *v)
{
    const uint64_t group_heads = q->ne[1] / mpl_max(k->ne[1], 1);
    mpl_node *out = NULL;
    for (uint64_t i = 0; i < m->streams; i++) {
        mpl_node *const own = heads_of(m, q);
        mpl_node *const mask = block_mask(m, index_q, keys);
        mpl_node *const one = flash(m, own, stream_of(m, k), stream_of(m, v),
                                    mask, group_heads);
        out = out == NULL ? one : mpl_concat(m->b->g, out, one, 1);
    }
    return out == NULL ? q : out;
}

static mpl_node *index_head(const msa *m, int layer, const char *base,
                            const char *norm_base, mpl_node *x,
                            uint64_t heads)
{
    mpl_build *const b = m->b;
    x = mpl_reshape3(b, mpl_linear_bare(b, layer, base, x), m->width, heads,
                     b->tokens);
    return mpl_rope_plain(b, norm(b, layer, norm_base, x));
}

static mpl_node *attend_blocks(const msa *m, int layer, mpl_node *x,
                               mpl_qkv qkv)
{
    mpl_build *const b = m->b;
    const mpl_attn_inputs *const in = &b->full;
    mpl_node *const index_q = index_head(m, layer, "indexer.q_proj",
                                         "indexer.q_norm", x, m->groups);
    mpl_node *const index_k =
        index_head(m, layer, "indexer.k_proj", "indexer.k_norm", x, 1);
    mpl_expand(b, mpl_store_k(b, &m->index, layer, index_k));
    mpl_node *const table = mpl_cache_node(b, m->index.cache, 0, layer);
    mpl_node *const keys =
        mpl_view(b->g, table, m->width, 1, table->ne[1], table->ne[2],
                 mpl_row_bytes(table->dtype, m->width), table->nb[1],
                 table->nb[2]);
    qkv.q = mpl_rotate(b, qkv.q, in->k_rotation);
    qkv.k = mpl_rotate(b, qkv.k, in->k_rotation);
    qkv.v = mpl_rotate(b, qkv.v, in->v_rotation);
    mpl_expand(b, qkv.q);
    mpl_expand(b, qkv.k);
    mpl_expand(b, qkv.v);
    mpl_expand(b, mpl_store_k(b, in, layer, qkv.k));
    mpl_expand(b, mpl_store_v(b, in, layer, qkv.v));
    mpl_node *const k = mpl_cached_k(b, in, layer);
    mpl_node *const v = mpl_cached_v(b, in, layer);
    mpl_node *const out =
        m->is_decode ? attend_gathered(m, qkv.q, index_q, keys, k, v)
                     : attend_masked(m, qkv.q, index_q, keys, k, v);
    return mpl_linear(b, layer, "attn_output",
                      mpl_rotate(b, out, in->v_rotation));
}

static mpl_node *attend(const msa *m, int layer, mpl_node *x)
{
    static const mpl_attn_options OPTIONS = {.out = "attn_output",
                                             .has_no_bias = true};
    mpl_build *const b = m->b;
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = mpl_rope_plain(b, norm(b, layer, "attn_q_norm", qkv.q));
    qkv.k = mpl_rope_plain(b, norm(b, layer, "attn_k_norm", qkv.k));
    return m->is_on && (uint32_t)layer >= b->h->dense_lead_count
               ? attend_blocks(m, layer, x, qkv)
               : mpl_attend(b, layer, qkv, &OPTIONS);
}

static mpl_node *feed_forward(mpl_build *b, int layer, mpl_node *x)
{
    const mpl_moe moe = {.activation = MPL_ACT_SWIGLU_OAI,
                         .flags = MPL_MOE_NORM_MODEL};
    const uint32_t flags = MPL_FFN_GATE | MPL_FFN_NO_BIAS;
    if ((uint32_t)layer < b->h->dense_lead_count)
        return mpl_ffn(b, layer, x, MPL_ACT_SWIGLU_OAI, flags);
    return mpl_plus(b, mpl_experts(b, layer, x, &moe),
                    mpl_ffn(b, layer, x, MPL_ACT_SWIGLU_OAI,
                            flags | MPL_FFN_SHARED));
}

void mpl_build_minimax_m3(mpl_build *b)
{
    msa m;
    mpl_node *input = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    open_msa(&m, b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        const int layer = (int)i;
        mpl_at_layer(b, layer);
        mpl_node *x = attend(&m, layer, norm(b, layer, "attn_norm", input));
        if (i + 1 == b->h->layer_count) {
            x = mpl_crop(b, x);
            input = mpl_crop(b, input);
        }
        mpl_node *const middle = mpl_plus(b, x, input);
        x = feed_forward(b, layer, norm(b, layer, "ffn_norm", middle));
        input = mpl_plus(b, x, middle);
    }
    mpl_build_end(b, input, MPL_NORM_RMS, 0);
}

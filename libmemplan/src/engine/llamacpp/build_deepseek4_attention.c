/* SPDX-License-Identifier: MIT */
/*
 * DeepSeek-V4's attention: the tokens of a window as they are, and, of layers
 * that compress, cells of which each stands for a block of tokens. A compressor
 * keeps what its blocks lack in a state, completes those that the batch fills,
 * and an indexer chooses among the cells where there are many.
 */
#include "base/checked.h"
#include "engine/llamacpp/build_deepseek4.h"
#include "engine/llamacpp/build_sparse.h"

enum { FEW = 4, MANY = 128 };

/* The weights of a compressor. */
typedef struct names {
    const char *kv;
    const char *gate;
    const char *phase;
    const char *norm;
} names;

static const names CELLS = {"attn_compressor_kv", "attn_compressor_gate",
                            "attn_compressor_ape", "attn_compressor_norm"};
static const names INDEXER = {
    "indexer_compressor_kv", "indexer_compressor_gate",
    "indexer_compressor_ape", "indexer_compressor_norm"};

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

/* ---- Inputs ------------------------------------------------------------ */

static mpl_node *row_of(mpl_build *b, const char *name, uint32_t dtype,
                        uint64_t count)
{
    return mpl_input4(b->g, name, dtype, count, 1, 1, 1);
}

/* A reservation counts the most blocks that any split of the batch into
 * sequences could complete. */
static void open_compressor(mpl_build *b, mpl_v4_compressor *out,
                            mpl_llama_cache_kind cells,
                            mpl_llama_cache_kind state)
{
    const mpl_llama_setup *const s = b->setup;
    const bool is_indexer = cells == MPL_LLAMA_CACHE_INDEXER;
    const uint64_t ratio = cells == MPL_LLAMA_CACHE_HCA ? MANY : FEW;
    const uint64_t blocks = b->tokens / ratio + b->sequences;
    *out = (mpl_v4_compressor){
        .state = s->caches[state], .ratio = ratio, .overlaps = ratio == FEW};
    if (s->caches[cells] == NULL || out->state == NULL)
        return;
    const uint64_t rows =
        mpl_min(b->tokens, out->state->cells * (uint64_t)out->state->streams);
    const bool is_half = is_indexer ? b->fuses_indexer : s->flash_attn;
    out->cells.cache = s->caches[cells];
    out->cells.k_ids = row_of(b, "v4_cells", MPL_DTYPE_I64, blocks);
    out->cells.mask = mpl_input4(
        b->g, "v4_mask", is_half ? MPL_DTYPE_FP16 : MPL_DTYPE_FP32,
        s->caches[cells]->cells, b->tokens / b->streams, 1, b->streams);
    if (is_indexer)
        out->cells.k_rotation = mpl_k_rotation(b, b->h->indexer_width);
    else
        out->cells.k_rotation = mpl_quantized_rotation(b, out->cells.cache);
    out->phases = row_of(b, "v4_phases", MPL_DTYPE_I32, b->tokens);
    out->kept = row_of(b, "v4_kept", MPL_DTYPE_I32, rows);
    out->places = row_of(b, "v4_places", MPL_DTYPE_I32, rows);
    out->members = row_of(b, "v4_members", MPL_DTYPE_I32,
                          (out->overlaps ? 2 : 1) * ratio * blocks);
    out->block_positions =
        row_of(b, "v4_block_positions", MPL_DTYPE_I32, blocks);
}

void mpl_v4_open(mpl_build *b, mpl_v4_inputs *out)
{
    b->streams = b->sequences; /* even where the cache is unified */
    mpl_open_cache_inputs(b, &out->raw, MPL_LLAMA_CACHE_SWA, false);
    open_compressor(b, &out->few, MPL_LLAMA_CACHE_CSA,
                    MPL_LLAMA_CACHE_CSA_STATE);
    open_compressor(b, &out->many, MPL_LLAMA_CACHE_HCA,
                    MPL_LLAMA_CACHE_HCA_STATE);
    open_compressor(b, &out->indexer, MPL_LLAMA_CACHE_INDEXER,
                    MPL_LLAMA_CACHE_INDEXER_STATE);
}

/* ---- Compressors ------------------------------------------------------- */

/* All rows of a state: keys and values (0) or their scores (1). */
static mpl_node *state_rows(mpl_build *b, const mpl_v4_compressor *c, int which,
                            int layer)
{
    mpl_node *const state = mpl_cache_node(b, c->state, which, layer);
    return mpl_view_2d(b->g, state, state->ne[0], state->ne[1] * state->ne[2],
                       state->nb[1]);
}

/* The state's rows, then the batch's. */
static mpl_node *all_rows(mpl_build *b, const mpl_v4_compressor *c, int which,
                          int layer, mpl_node *fresh)
{
    mpl_node *const rows = state_rows(b, c, which, layer);
    mpl_node *const base =
        mpl_view_2d(b->g, rows, rows->ne[0], rows->ne[1], rows->nb[1]);
    return mpl_concat(b->g, base, fresh, 1);
}

/* What a sequence's first block finds before it. */
static mpl_node *append_blank(mpl_build *b, mpl_node *rows)
{
    mpl_node *const row = mpl_scale(b, mpl_view_row(b->g, rows, rows->ne[0]));
    return mpl_concat(b->g, rows, mpl_reshape2(b, row, rows->ne[0], 1), 1);
}

static mpl_node *half_rows(mpl_build *b, const mpl_v4_compressor *c,
                           mpl_node *rows, uint64_t width, uint64_t blocks)
{
    mpl_node *const part =
        mpl_view_2d(b->g, rows, width, c->ratio * blocks, rows->nb[1]);
    return mpl_reshape3(b, mpl_cont(b->g, part), width, c->ratio, blocks);
}

/* [width, members, blocks] of the blocks that are complete. */
static mpl_node *members_of(mpl_build *b, const mpl_v4_compressor *c,
                            mpl_node *rows, uint64_t width)
{
    const uint64_t blocks = c->block_positions->ne[0];
    if (c->overlaps)
        rows = append_blank(b, rows);
    rows = mpl_get_rows(b->g, rows, c->members);
    if (!c->overlaps)
        return mpl_reshape3(b, rows, width, c->ratio, blocks);
    return mpl_concat(b->g, half_rows(b, c, rows, width, blocks),
                      half_rows(b, c, rows, width, blocks), 1);
}

static mpl_node *turned(mpl_build *b, mpl_node *x)
{
    return mpl_cont(b->g, mpl_permute(b->g, x, 1, 0, 2, 3));
}

/* One cell a block: [width, 1, blocks]. */
static mpl_node *blocks_of(mpl_build *b, const mpl_v4_compressor *c, int layer,
                           const names *n, mpl_node *kv, mpl_node *scores,
                           uint64_t width)
{
    mpl_graph *const g = b->g;
    mpl_node *const values = turned(b, members_of(b, c, kv, width));
    mpl_node *const weights =
        mpl_op1(g, MPL_OP_SOFT_MAX, turned(b, members_of(b, c, scores, width)));
    mpl_node *const sum = mpl_sum_rows(g, mpl_times(b, values, weights));
    mpl_node *const out = norm(b, layer, n->norm, turned(b, sum));
    return mpl_op2(g, MPL_OP_ROPE, out, c->block_positions);
}

static void keep(mpl_build *b, const mpl_v4_compressor *c, int which, int layer,
                 mpl_node *rows)
{
    mpl_expand(
        b, mpl_set_rows(b->g, state_rows(b, c, which, layer), rows, c->places));
}

/* Completes blocks, stores their cells, keeps what is left over. */
static void compress(mpl_build *b, const mpl_v4_compressor *c, int layer,
                     const names *n, mpl_node *x, uint64_t width)
{
    mpl_graph *const g = b->g;
    mpl_node *const kv = mpl_linear_bare(b, layer, n->kv, x);
    mpl_node *const phases =
        mpl_get_rows(g, mpl_weight(b, layer, n->phase, ".weight"), c->phases);
    mpl_node *const scores =
        mpl_plus(b, mpl_linear_bare(b, layer, n->gate, x), phases);
    mpl_node *const cells =
        blocks_of(b, c, layer, n, all_rows(b, c, 0, layer, kv),
                  all_rows(b, c, 1, layer, scores), width);
    mpl_expand(b, mpl_store_k(b, &c->cells, layer,
                              mpl_rotate(b, cells, c->cells.k_rotation)));
    mpl_node *const kept_kv = mpl_get_rows(g, kv, c->kept);
    mpl_node *const kept_scores = mpl_get_rows(g, scores, c->kept);
    keep(b, c, 0, layer, kept_kv);
    keep(b, c, 1, layer, kept_scores);
}

/* ---- Attention --------------------------------------------------------- */

/* Which compressed cells a token attends to. */
static mpl_node *choose(mpl_build *b, const mpl_v4_compressor *c, int layer,
                        mpl_node *x, mpl_node *q_latent)
{
    const uint64_t width = b->h->indexer_width;
    const uint64_t streams = mpl_max(c->cells.cache->streams, 1);
    mpl_node *q = mpl_linear_bare(b, layer, "indexer.attn_q_b", q_latent);
    q = mpl_reshape3(b, q, width, b->h->indexer_head_count, b->tokens);
    q = mpl_rotate(b, mpl_rope_plain(b, q), c->cells.k_rotation);
    mpl_node *const weights =
        mpl_scale(b, mpl_linear_bare(b, layer, "indexer.proj", x));
    mpl_node *const table = mpl_cache_node(b, c->cells.cache, 0, layer);
    mpl_node *const keys = mpl_view(
        b->g, table, width, 1, table->ne[1], table->ne[2],
        mpl_row_bytes(table->dtype, width), table->nb[1], table->nb[2]);
    return mpl_best_cells(b, mpl_split_streams(b, q, 2, streams), keys,
                          mpl_split_streams(b, weights, 1, streams),
                          c->cells.mask);
}

/* The raw cells of a window, then what a compressor made: `cells` of them, or
 * all that the mask allows. */
static mpl_node *attend_both(mpl_build *b, const mpl_attn_inputs *raw,
                             const mpl_v4_compressor *c, int layer, mpl_node *q,
                             mpl_node *cells, const mpl_attn_options *options)
{
    mpl_graph *const g = b->g;
    mpl_node *keys = mpl_cached_k(b, raw, layer);
    mpl_node *mask = raw->mask;
    if (c != NULL) {
        mpl_node *const old = mpl_cached_k(b, &c->cells, layer);
        keys = mpl_concat(g, keys, old, 2);
        mask = mpl_concat(g, mask,
                          cells == NULL ? c->cells.mask
                                        : mpl_mask_but(b, c->cells.mask, cells,
                                                       c->cells.mask->dtype),
                          0);
    }
    return mpl_attention_core(b, q, keys, keys, mask, options);
}

/* A stack of matrices may stand in the file as one tall matrix. */
static mpl_node *stacked(mpl_node *weight, uint64_t rows, uint64_t count)
{
    if (weight != NULL && weight->ne[2] == 1 && weight->ne[1] == rows * count) {
        weight->ne[1] = rows;
        weight->ne[2] = count;
        weight->nb[2] = weight->nb[1] * rows;
    }
    return weight;
}

static mpl_node *output(mpl_build *b, int layer, mpl_node *x)
{
    mpl_graph *const g = b->g;
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const uint64_t groups = mpl_key_u32(b, "attention.output_group_count", 1);
    const uint64_t rank = mpl_key_u32(b, "attention.output_lora_rank", 1);
    const uint64_t width = (uint64_t)l->head_count * l->key_width;
    mpl_node *const down = mpl_weight(b, layer, "attn_output_a", ".weight");
    x = mpl_reshape3(b, x, l->key_width, l->head_count, b->tokens);
    x = mpl_reshape3(b, mpl_rope_plain(b, x), width / groups, groups,
                     b->tokens);
    x = mpl_permute(g, x, 0, 2, 1, 3);
    x = mpl_mul_mat(g, stacked(down, rank, groups), x);
    x = mpl_cont_as(g, mpl_permute(g, x, 0, 2, 1, 3), rank * groups, b->tokens,
                    1, 1);
    return mpl_linear_bare(b, layer, "attn_output_b", x);
}

mpl_node *mpl_v4_attend(mpl_build *b, const mpl_v4_inputs *inputs, int layer,
                        mpl_node *x)
{
    const mpl_llama_layer *const l = mpl_layer_of(b, layer);
    const mpl_attn_inputs *const raw = &inputs->raw;
    const mpl_attn_options options = {
        .sinks = mpl_weight(b, layer, "attn_sinks", ".weight")};
    const mpl_v4_compressor *c = NULL;
    mpl_node *cells = NULL;
    mpl_node *const q_latent = norm(b, layer, "attn_q_a_norm",
                                    mpl_linear_bare(b, layer, "attn_q_a", x));
    mpl_node *q = mpl_linear_bare(b, layer, "attn_q_b", q_latent);
    q = mpl_reshape3(b, q, l->key_width, l->head_count, b->tokens);
    q = mpl_rope_plain(b, mpl_op1(b->g, MPL_OP_RMS_NORM, q));
    mpl_node *kv = mpl_linear_bare(b, layer, "attn_kv", x);
    kv = norm(b, layer, "attn_kv_a_norm", kv);
    kv = mpl_rope_plain(b, mpl_reshape3(b, kv, l->key_width, 1, b->tokens));
    if (l->compress_ratio == FEW && inputs->few.cells.cache != NULL) {
        c = &inputs->few;
        compress(b, c, layer, &CELLS, x, l->key_width);
        compress(b, &inputs->indexer, layer, &INDEXER, x, b->h->indexer_width);
        cells = choose(b, &inputs->indexer, layer, x, q_latent);
    } else if (l->compress_ratio == MANY && inputs->many.cells.cache != NULL) {
        c = &inputs->many;
        compress(b, c, layer, &CELLS, x, l->key_width);
    }
    q = mpl_rotate(b, q, raw->k_rotation);
    kv = mpl_rotate(b, kv, raw->k_rotation);
    mpl_expand(b, q);
    mpl_expand(b, kv);
    mpl_expand(b, mpl_store_k(b, raw, layer, kv));
    x = attend_both(b, raw, c, layer, q, cells, &options);
    return output(b, layer, mpl_rotate(b, x, raw->k_rotation));
}

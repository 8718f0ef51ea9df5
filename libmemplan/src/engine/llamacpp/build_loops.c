/* SPDX-License-Identifier: MIT */
/* Layers that run several times, each time with a cache of its own: Nanbeige
 * and HRM. */
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"

static mpl_node *norm(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, layer, base, layer);
}

static uint32_t *open_sources(mpl_build *b)
{
    uint32_t *const sources = mpl_arena_alloc(
        b->g->arena, b->h->layer_count_all, sizeof *sources);
    if (sources == NULL)
        b->g->status = MEMPLAN_E_NO_MEMORY;
    b->sources = sources;
    return sources;
}

static mpl_node *turned_attention(mpl_build *b, int layer, mpl_node *x,
                                  bool has_factors, const char *out)
{
    const mpl_attn_options options = {.out = out};
    mpl_qkv qkv = mpl_project_qkv(b, layer, x, 0);
    qkv.q = mpl_rope(b, qkv.q, layer, has_factors);
    qkv.k = mpl_rope(b, qkv.k, layer, has_factors);
    return mpl_attend(b, layer, qkv, &options);
}

static mpl_node *nanbeige_layer(mpl_build *b, int layer, mpl_node *input)
{
    mpl_node *x = norm(b, layer, "attn_norm", input);
    x = turned_attention(b, layer, x, true, "attn_output");
    mpl_crop_last(b, layer, &x, &input);
    mpl_node *const middle = mpl_plus(b, x, input);
    x = norm(b, layer, "ffn_norm", middle);
    x = mpl_ffn(b, layer, x, MPL_ACT_SILU, MPL_FFN_GATE | MPL_FFN_SCALE);
    return mpl_plus(b, x, middle);
}

void mpl_build_nanbeige(mpl_build *b)
{
    const uint32_t loops = b->h->loop_count > 0 ? b->h->loop_count : 1;
    const uint32_t stored = b->h->layer_count / loops;
    const bool is_normed = !mpl_key_is_set(b, "skip_loop_final_norm");
    uint32_t *const sources = open_sources(b);
    if (sources == NULL || stored == 0)
        return;
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        sources[i] = i % stored;
    mpl_node *x = mpl_embed(b, "token_embd");
    mpl_open_attention(b);
    for (uint32_t i = 0; i < b->h->layer_count; i++) {
        mpl_at_layer(b, (int)i);
        x = nanbeige_layer(b, (int)i, x);
        if (is_normed && (i + 1) % stored == 0 && i + 1 < b->h->layer_count)
            x = mpl_norm(b, x, MPL_NORM_RMS, -1, "output_norm", (int)i);
    }
    mpl_build_end(b, x, MPL_NORM_RMS, 0);
}

static mpl_node *bare_norm(mpl_build *b, mpl_node *x)
{
    return mpl_norm(b, x, MPL_NORM_RMS, -1, NULL, -1);
}

static mpl_node *hrm_layer(mpl_build *b, int layer, mpl_node *input)
{
    mpl_node *x = bare_norm(b, input);
    mpl_node *const gate =
        mpl_unary(b, mpl_linear_bare(b, layer, "attn_gate", x));
    x = turned_attention(b, layer, x, false, NULL);
    x = mpl_linear(b, layer, "attn_output", mpl_times(b, x, gate));
    mpl_node *const middle = mpl_plus(b, x, input);
    x = mpl_ffn(b, layer, bare_norm(b, middle), MPL_ACT_SILU, MPL_FFN_GATE);
    return mpl_plus(b, x, middle);
}

static mpl_node *hrm_stack(mpl_build *b, mpl_node *x, uint32_t first)
{
    for (uint32_t i = 0; i < b->h->hrm_stack_layers; i++) {
        mpl_at_layer(b, (int)(first + i));
        x = hrm_layer(b, (int)(first + i), x);
    }
    return bare_norm(b, x);
}

/* The slow state, then the fast one, cycle after cycle. */
void mpl_build_hrm(mpl_build *b)
{
    const uint32_t layers = b->h->hrm_stack_layers;
    const uint32_t fast = b->h->hrm_l_cycles;
    uint32_t *const sources = open_sources(b);
    if (sources == NULL || layers == 0)
        return;
    for (uint32_t i = 0; i < b->h->layer_count; i++)
        sources[i] = i % layers +
                     ((i / layers) % (fast + 1) == fast ? layers : 0);
    mpl_node *high = mpl_embed(b, "token_embd");
    mpl_node *low = mpl_weight(b, -1, "hrm.z_l_init", "");
    mpl_open_attention(b);
    uint32_t slot = 0;
    for (uint32_t i = 0; low != NULL && i < b->h->hrm_h_cycles; i++) {
        for (uint32_t j = 0; j < fast; j++, slot += layers)
            low = hrm_stack(b, mpl_plus(b, high, low), slot);
        high = hrm_stack(b, mpl_plus(b, high, low), slot);
        slot += layers;
    }
    mpl_at_layer(b, -1);
    mpl_node *x = mpl_crop(b, high);
    mpl_mark_output(x);
    x = mpl_linear(b, -1, "output", x);
    mpl_mark_output(x);
    mpl_expand(b, x);
}

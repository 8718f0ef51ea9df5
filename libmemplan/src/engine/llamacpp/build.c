/* SPDX-License-Identifier: MIT */
/* Small pieces: weights, norms, products, elementwise operators. */
#include "engine/llamacpp/build.h"

#include <string.h>

#include "model/gguf.h"

void mpl_at_layer(mpl_build *b, int layer)
{
    b->g->layer = (int16_t)layer;
}

const mpl_llama_layer *mpl_layer_of(const mpl_build *b, int layer)
{
    return &b->h->layers[layer < 0 ? 0 : layer];
}

bool mpl_key_is_set(const mpl_build *b, const char *key)
{
    const mpl_gguf_key *const found = mpl_gguf_find_arch(b->h->gguf, key);
    double value = 0;
    return found != NULL && mpl_gguf_real(found, 0, &value) && value != 0;
}

bool mpl_layer_key_is_set(const mpl_build *b, const char *key, int layer)
{
    const mpl_gguf_key *const found = mpl_gguf_find_arch(b->h->gguf, key);
    double value = 0;
    if (found == NULL || layer < 0)
        return false;
    return (mpl_gguf_real(found, (uint64_t)layer, &value) ||
            mpl_gguf_real(found, 0, &value)) &&
           value > 0;
}

bool mpl_key_exists(const mpl_build *b, const char *key)
{
    return mpl_gguf_find_arch(b->h->gguf, key) != NULL;
}

uint32_t mpl_key_u32(const mpl_build *b, const char *key, uint32_t otherwise)
{
    const mpl_gguf_key *const found = mpl_gguf_find_arch(b->h->gguf, key);
    uint64_t value = 0;
    if (found == NULL || !mpl_gguf_u64(found, 0, &value) || value == 0 ||
        value > UINT32_MAX)
        return otherwise;
    return (uint32_t)value;
}

static const mpl_llama_weight *find(mpl_build *b, int layer, const char *base,
                                    const char *suffix)
{
    enum { NAME_MAX_BYTES = 64 };
    char part[NAME_MAX_BYTES];
    const size_t base_length = strlen(base);
    const size_t suffix_length = strlen(suffix);
    if (base_length + suffix_length >= sizeof part)
        return NULL;
    if (b->sources != NULL && layer >= 0 && strcmp(suffix, ".scale") != 0)
        layer = (int)b->sources[layer];
    memcpy(part, base, base_length);
    memcpy(part + base_length, suffix, suffix_length + 1);
    return mpl_llama_find_weight(
        b->setup, layer < 0 ? MPL_NO_INDEX : (uint32_t)layer, part);
}

static mpl_node *weight_node(mpl_build *b, const mpl_llama_weight *weight,
                             uint16_t buffer)
{
    mpl_node *const node = mpl_tensor4(b->g, weight->dtype, weight->ne[0],
                                       weight->ne[1], weight->ne[2],
                                       weight->ne[3]);
    node->buffer = buffer;
    node->flags |= MPL_NODE_WEIGHT;
    node->name = weight->name;
    return node;
}

mpl_node *mpl_weight(mpl_build *b, int layer, const char *base,
                     const char *suffix)
{
    const mpl_llama_weight *const weight = find(b, layer, base, suffix);
    if (weight == NULL)
        return NULL;
    const ptrdiff_t index = weight - b->setup->weights;
    const uint16_t buffer = b->setup->weight_buffer[index];
    if (buffer == MPL_LLAMA_BUFFER_NONE)
        return NULL;
    if (b->weights[index] == NULL)
        b->weights[index] = weight_node(b, weight, buffer);
    return b->weights[index];
}

bool mpl_has(mpl_build *b, int layer, const char *base)
{
    return find(b, layer, base, ".weight") != NULL;
}

void mpl_expand(mpl_build *b, mpl_node *x)
{
    mpl_graph_expand(b->g, x);
}

void mpl_mark_output(mpl_node *x)
{
    x->flags |= MPL_NODE_OUTPUT;
}

void mpl_pin(mpl_build *b, mpl_node *node, int layer)
{
    const uint32_t device = b->setup->layer_device[layer];
    if (b->pins_norms)
        node->backend = (int8_t)(device == MPL_LLAMA_HOST
                                     ? b->setup->device_count
                                     : device);
}

/* Some architectures' norms have a name without suffix. */
static mpl_node *norm_weight(mpl_build *b, int layer, const char *base)
{
    if (base == NULL)
        return NULL;
    mpl_node *const weight = mpl_weight(b, layer, base, ".weight");
    return weight != NULL ? weight : mpl_weight(b, layer, base, "");
}

mpl_node *mpl_norm(mpl_build *b, mpl_node *x, mpl_norm_kind kind, int layer,
                   const char *base, int pin_layer)
{
    mpl_node *const weight = norm_weight(b, layer, base);
    mpl_node *const bias =
        base != NULL ? mpl_weight(b, layer, base, ".bias") : NULL;
    mpl_node *out = mpl_op1(
        b->g, kind == MPL_NORM_RMS ? MPL_OP_RMS_NORM : MPL_OP_NORM, x);
    if ((weight != NULL || bias != NULL) && pin_layer >= 0)
        mpl_pin(b, out, pin_layer);
    if (weight != NULL)
        out = mpl_op2(b->g, MPL_OP_MUL, out, weight);
    if (bias != NULL)
        out = mpl_op2(b->g, MPL_OP_ADD, out, bias);
    return out;
}

mpl_node *mpl_linear_bare(mpl_build *b, int layer, const char *base,
                          mpl_node *x)
{
    mpl_node *const weight = mpl_weight(b, layer, base, ".weight");
    return weight == NULL ? x : mpl_mul_mat(b->g, weight, x);
}

mpl_node *mpl_linear(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    mpl_node *const scale = mpl_weight(b, layer, base, ".scale");
    mpl_node *const out = mpl_linear_bare(b, layer, base, x);
    return scale == NULL ? out : mpl_op2(b->g, MPL_OP_MUL, out, scale);
}

mpl_node *mpl_add_bias(mpl_build *b, int layer, const char *base, mpl_node *x)
{
    mpl_node *const bias = mpl_weight(b, layer, base, ".bias");
    return bias == NULL ? x : mpl_op2(b->g, MPL_OP_ADD, x, bias);
}

mpl_node *mpl_plus(mpl_build *b, mpl_node *x, mpl_node *y)
{
    return mpl_op2(b->g, MPL_OP_ADD, x, y);
}

mpl_node *mpl_times(mpl_build *b, mpl_node *x, mpl_node *y)
{
    return mpl_op2(b->g, MPL_OP_MUL, x, y);
}

mpl_node *mpl_scale(mpl_build *b, mpl_node *x)
{
    return mpl_op1(b->g, MPL_OP_SCALE, x);
}

mpl_node *mpl_unary(mpl_build *b, mpl_node *x)
{
    return mpl_op1(b->g, MPL_OP_UNARY, x);
}

mpl_node *mpl_softcap(mpl_build *b, mpl_node *x)
{
    return mpl_scale(b, mpl_unary(b, mpl_scale(b, x)));
}

/* One table of factors for all layers, one copy a buffer type. */
static mpl_node *rope_factors(mpl_build *b, int layer)
{
    const mpl_llama_weight *weight = find(b, -1, "rope_freqs", ".weight");
    if (weight == NULL) /* the short ones have the same size */
        weight = find(b, -1, "rope_factors_long", ".weight");
    if (weight == NULL)
        return NULL;
    const uint32_t buffer =
        mpl_llama_buffer_of(b->setup, weight, (uint32_t)layer);
    if (buffer >= MPL_LLAMA_BUFFER_MAX)
        return NULL;
    if (b->factors[buffer] == NULL)
        b->factors[buffer] = weight_node(b, weight, (uint16_t)buffer);
    return b->factors[buffer];
}

mpl_node *mpl_rope(mpl_build *b, mpl_node *x, int layer, bool has_factors)
{
    return mpl_op3(b->g, MPL_OP_ROPE, x, mpl_positions(b),
                   has_factors ? rope_factors(b, layer) : NULL);
}

mpl_node *mpl_rope_plain(mpl_build *b, mpl_node *x)
{
    return mpl_rope(b, x, -1, false);
}

mpl_node *mpl_crop(mpl_build *b, mpl_node *x)
{
    return mpl_get_rows(b->g, x, mpl_out_ids(b));
}

bool mpl_is_last(const mpl_build *b, int layer)
{
    return (uint32_t)layer + 1 == b->h->layer_count;
}

void mpl_crop_last(mpl_build *b, int layer, mpl_node **x, mpl_node **past)
{
    if (!mpl_is_last(b, layer))
        return;
    *x = mpl_crop(b, *x);
    *past = mpl_crop(b, *past);
}

mpl_node *mpl_reshape2(mpl_build *b, mpl_node *x, uint64_t ne0, uint64_t ne1)
{
    return mpl_reshape(b->g, x, ne0, ne1, 1, 1);
}

mpl_node *mpl_reshape3(mpl_build *b, mpl_node *x, uint64_t ne0, uint64_t ne1,
                       uint64_t ne2)
{
    return mpl_reshape(b->g, x, ne0, ne1, ne2, 1);
}

mpl_node *mpl_heads_view(mpl_build *b, mpl_node *x, uint64_t width,
                         uint64_t heads, uint64_t nb1)
{
    return mpl_view(b->g, x, width, heads, b->tokens, 1, nb1, x->nb[1],
                    x->nb[1] * b->tokens);
}

mpl_node *mpl_pad_vocabulary(mpl_build *b, mpl_node *x)
{
    mpl_node *const table = mpl_weight(b, -1, "token_embd", ".weight");
    mpl_node *const norm = mpl_weight(b, -1, "output_norm", ".weight");
    if (table == NULL || norm == NULL || table->ne[1] <= x->ne[0])
        return x;
    mpl_node *const one = mpl_scale(b, mpl_view_row(b->g, norm, 1));
    mpl_node *const pad =
        mpl_repeat(b->g, one, table->ne[1] - x->ne[0], x->ne[1], 1, 1);
    return mpl_concat(b->g, pad, x, 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * What a forward pass allocates between operators, bounded from above.
 *
 * generate() reads the prompt in one step, so the peak is there. With
 * N = prompt tokens * sequences, e = bytes of the dtype of computation, and
 * the model's widths h (hidden), f (inner width of the FFN, of all experts
 * used), q and k (heads and key-value heads times their width), V (vocabulary),
 * keys = the whole context, which a prompt read in steps attends to:
 *
 *   norm       N * h * (2 e + 12)       two operands, three of them in fp32
 *   attention  N * e * (3 h + 8 q + 6 k)  projections, their rotated copies,
 *                                       repeated key-value heads, outputs
 *   FFN        N * e * (4 h + 4 f)      gate and up, the activated gate, their
 *                                       product; 6 f on a host in 16 bits,
 *                                       whose kernels copy and widen
 *   experts    N * e * 3 h * used       tokens sorted by expert, their outputs,
 *                                       and these weighted
 *   scores     N * heads * keys * (3 e + 8), where attention is
 *              "eager": the matrix, masked, in fp32 and cast back
 *   masks      N * keys * (6 + 2 e), where there is one: windows,
 *              or several sequences of different length
 *   rotary     N * 4 * (8 + e) * head width
 *   head       sequences * V * (e + 32)  logits of the last token, in fp32,
 *                                       sorted and summed by samplers
 *   cache      one layer's keys and values: a step copies them to append
 *              (three times and more for a quantized cache: unpacked, joined,
 *              packed)
 *   encoder    sequences * its tokens * h * e, which it leaves to the decoder
 *
 *   unpacked   copies * e * elements of the largest quantized weight, where a
 *              kernel multiplies with an unpacked one
 *
 *   bytes = max(norm, attention + scores, FFN + experts, head) + masks
 *         + rotary + cache + unpacked + encoder
 *
 * It is a bound for the families it was measured on, by
 * tests/oracle/transformers_activations.py. Others, recurrent states,
 * quantized weights and quantized caches have kernels of their own: there the
 * same sum is an estimate.
 */
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/text.h"
#include "engine/transformers/job.h"

/* Sums and products that stick at the largest number. */
static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return mpl_add(&sum, a, b) ? sum : UINT64_MAX;
}

static uint64_t mul(uint64_t a, uint64_t b)
{
    uint64_t product;
    return mpl_mul(&product, a, b) ? product : UINT64_MAX;
}

typedef struct widths {
    uint64_t hidden;
    uint64_t inner;
    uint64_t query;
    uint64_t key;
    uint64_t heads;
    uint64_t head;
    uint64_t experts_used;
    bool is_known;
} widths;

/* The widest output of a linear layer: a stand-in for widths that the
 * headers do not tell. */
static uint64_t widest_output(const mpl_job *job)
{
    const memplan_model *const model = job->model;
    uint64_t widest = 0;
    for (uint32_t row = 0; row < job->row_count; row++) {
        const mpl_unit *const unit = mpl_transformers_unit(job, row);
        if (unit->kind != MPL_UNIT_LAYER)
            continue;
        for (uint32_t at = 0; at < unit->tensor_count; at++) {
            const mpl_tensor *const tensor =
                &model->tensors[unit->first_tensor + at];
            const uint32_t count = tensor->dimension_count;
            if (count >= 2)
                widest = mpl_max(widest, mpl_max(tensor->shape[count - 2],
                                                 tensor->shape[count - 1]));
        }
    }
    return widest;
}

static uint64_t known_or(uint64_t value, uint64_t stand_in, bool *is_known)
{
    if (value != MEMPLAN_UNKNOWN)
        return value;
    *is_known = false;
    return stand_in;
}

static widths find_widths(const mpl_job *job)
{
    const mpl_facts *const facts = &job->model->facts;
    const uint64_t widest = widest_output(job);
    widths found = {.is_known = true};
    found.hidden = known_or(facts->hidden_elements, widest, &found.is_known);
    found.inner = known_or(facts->ffn_elements, widest, &found.is_known);
    found.heads = known_or(facts->head_count, 1, &found.is_known);
    found.head = known_or(facts->head_elements, widest, &found.is_known);
    found.query = mul(found.heads, found.head);
    found.key =
        mul(known_or(facts->kv_head_count, found.heads, &found.is_known),
            found.head);
    if (facts->expert_count != 0)
        found.experts_used = known_or(facts->experts_used, 1, &found.is_known);
    for (uint32_t row = 0; row < job->row_count; row++) {
        const mpl_state *const state = &mpl_transformers_unit(job, row)->state;
        if (state->fixed_bytes != 0 || state->fixed_elements != 0)
            found.is_known = false;
    }
    return found;
}

static uint64_t widest_cache(const mpl_job *job)
{
    uint64_t widest = 0;
    for (uint32_t row = 0; row < job->row_count; row++)
        widest = mpl_max(widest, job->costs[row].widest_bytes);
    return job->kv_loading != NULL ? mul(widest, job->kv_loading->step_copies)
                                   : widest;
}

static uint64_t unpacked(const mpl_job *job, uint64_t e)
{
    uint64_t widest = 0;
    if (job->loading->unpacked_copies == 0)
        return 0;
    for (uint32_t at = 0; at < job->model->tensor_count; at++)
        if (mpl_is_quantized(job->model, at))
            widest = mpl_max(widest, job->model->tensors[at].element_count);
    return mul(mul(widest, e), job->loading->unpacked_copies);
}

static uint64_t bound(const mpl_job *job, const widths *wide,
                      mpl_pool_kind kind)
{
    const uint64_t e = mpl_dtype_block_bytes(job->compute_dtype);
    const uint64_t sequences = job->request->sequences;
    const uint64_t tokens = mul(
        mpl_max(job->prompt_tokens, job->has_encoder ? job->encoder_tokens : 0),
        sequences);
    /* A prompt read in steps still attends to all that was read before. */
    const uint64_t keys =
        mpl_max(job->prompt_tokens, job->request->context_tokens);
    const uint64_t square = mul(tokens, keys);
    const uint64_t h = wide->hidden;
    const uint64_t norm = mul(tokens, mul(h, 2 * e + 12));
    const uint64_t attention = mul(
        tokens,
        mul(e, add(mul(3, h), add(mul(8, wide->query), mul(6, wide->key)))));
    const uint64_t scores =
        job->is_eager ? mul(mul(square, wide->heads), 3 * e + 8) : 0;
    const uint64_t inner = kind == MPL_POOL_HOST && e == 2 ? 6 : 4;
    const uint64_t ffn =
        mul(tokens, mul(e, add(add(mul(4, h), mul(inner, wide->inner)),
                               mul(mul(3, h), wide->experts_used))));
    const uint64_t vocabulary = job->model->facts.vocabulary_count;
    const uint64_t head = vocabulary != MEMPLAN_UNKNOWN
                              ? mul(mul(sequences, vocabulary), e + 32)
                              : 0;
    const bool has_mask = job->has_windows || sequences > 1 || job->is_eager;
    const uint64_t masks = has_mask ? mul(square, 6 + 2 * e) : 0;
    const uint64_t rotary = mul(tokens, mul(4 * (8 + e), wide->head));
    const uint64_t peak =
        mpl_max(mpl_max(norm, add(attention, scores)), mpl_max(ffn, head));
    const uint64_t encoder = mul(mul(job->encoder_tokens, sequences), h * e);
    return add(add(add(peak, masks), add(rotary, widest_cache(job))),
               add(unpacked(job, e), encoder));
}

/* Families that the bound was measured to hold on. */
static bool is_measured(const char *architecture)
{
    static const char *const NAMES[] = {
        "cohere",   "gemma",    "gemma2",    "gemma3_text", "glm4",
        "gpt_neox", "gpt_oss",  "granite",   "llama",       "mistral",
        "mixtral",  "olmo",     "olmo2",     "olmo3",       "phi",
        "phi3",     "qwen2",    "qwen3",     "qwen3_moe",   "stablelm",
        "starcoder2",
    };
    for (size_t at = 0; at < sizeof NAMES / sizeof *NAMES; at++)
        if (strcmp(NAMES[at], architecture) == 0)
            return true;
    return false;
}

/* Families whose attention has no fused form in Transformers. */
static bool is_always_eager(const char *architecture)
{
    static const char *const NAMES[] = {
        "bloom",         "codegen", "deepseek_v4", "gemma2",
        "gpt_neo",       "gpt_oss", "gptj",        "granite_swa",
        "mimo_v2_flash", "mpt",     "vaultgemma",  "xglm",
    };
    for (size_t at = 0; at < sizeof NAMES / sizeof *NAMES; at++)
        if (strcmp(NAMES[at], architecture) == 0)
            return true;
    return false;
}

memplan_status mpl_transformers_activations(mpl_job *job, memplan_error *error)
{
    if (is_always_eager(job->model->architecture))
        job->is_eager = true;
    widths wide = find_widths(job);
    if (!is_measured(job->model->architecture) || job->loading->bits != 0 ||
        mpl_transformers_has_quantized(job) ||
        job->cache_kind->is_quantized)
        wide.is_known = false;
    for (mpl_pool_kind kind = MPL_POOL_DEVICE; kind <= MPL_POOL_HOST; kind++) {
        const uint64_t bytes = bound(job, &wide, kind);
        if (bytes == UINT64_MAX)
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "a prompt of %llu tokens in %llu sequences: its "
                            "activations pass 64 bits",
                            (unsigned long long)job->prompt_tokens,
                            (unsigned long long)job->request->sequences);
        job->activations.bytes[kind] = bytes;
    }
    job->activations.certainty = wide.is_known ? MPL_BOUND : MPL_ESTIMATE;
    char tokens[MPL_DIGITS_SIZE];
    char sequences[MPL_DIGITS_SIZE];
    job->activations.rule = mpl_arena_join(
        job->arena, "a prompt of ", mpl_digits(tokens, job->prompt_tokens),
        " tokens read in one step, ",
        mpl_digits(sequences, job->request->sequences), " at once, ",
        job->is_eager ? "eager" : "sdpa",
        wide.is_known ? " attention"
                      : " attention; its kernels may take more or less",
        NULL);
    return job->activations.rule != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
}

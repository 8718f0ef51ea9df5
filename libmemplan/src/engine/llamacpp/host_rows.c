/* SPDX-License-Identifier: MIT */
/*
 * What the host holds beside the buffers of the breakdown.
 *
 *     output       4 * n_vocab * rows, where a row is a sequence or a drafted
 *                  token; of a tool, an output of its largest batch later
 *     prompts      the server keeps states of old prompts, up to --cache-ram
 *     checkpoints  the server keeps up to --ctx-checkpoints of what a window
 *                  or a state forgets, at least 8192 tokens apart, a slot
 *     vocabulary   tokens, their scores and types, merges, and two hash tables
 *     graphs       three results of max_nodes nodes with their tensors
 */
#include <stddef.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/job.h"
#include "model/gguf.h"

enum {
    CHECKPOINT_STEP_TOKENS = 8192,
    TOKEN_BYTES = 160, /* strings, hash entries and ids, by measurement */
    NODE_BYTES = 3 * (368 + 2 * 8)
};

/* The server asks for as many rows as it set: one a sequence, and one for each
 * token drafted. */
static uint64_t output_bytes(const mpl_llama_price *price)
{
    const mpl_llama_setup *setup = &price->setup;
    const uint64_t rows = price->params.frontend == MPL_FRONTEND_TOOL
                              ? setup->n_seq
                              : mpl_max(setup->n_seq, setup->n_outputs_max);
    uint64_t bytes = 0;
    return mpl_mul(&bytes, (uint64_t)setup->hparams->vocab_count * 4, rows)
               ? bytes
               : 0;
}

/* Bytes of a checkpoint: a slot's window caches and states. */
static uint64_t checkpoint_bytes(const mpl_llama_setup *setup)
{
    static const mpl_llama_cache_kind kinds[] = {MPL_LLAMA_CACHE_SWA,
                                                 MPL_LLAMA_CACHE_RECURRENT};
    uint64_t bytes = 0;
    for (uint32_t k = 0; k < 2; k++) {
        const mpl_llama_cache *cache = setup->caches[kinds[k]];
        for (uint32_t i = 0;
             cache != NULL && i < setup->hparams->layer_count_all; i++)
            bytes += (cache->k[i].bytes + cache->v[i].bytes) /
                     (kinds[k] == MPL_LLAMA_CACHE_SWA ? cache->streams
                                                      : cache->cells);
    }
    return bytes;
}

static memplan_status add_server(mpl_ledger *ledger, const mpl_job *job,
                                 const mpl_llama_price *price)
{
    const mpl_llama_params *params = &price->params;
    const mpl_llama_setup *setup = &price->setup;
    if (params->frontend == MPL_FRONTEND_TOOL ||
        params->measure != MPL_MEASURE_LOAD)
        return MEMPLAN_OK;
    memplan_status status = MEMPLAN_OK;
    if (MPL_LLAMA_ARCHES[job->hparams.arch].memory == MPL_LLAMA_MEMORY_NONE)
        return MEMPLAN_OK; /* a prompt leaves no state to keep */
    if (params->cache_ram_mib != UINT32_MAX)
        status = mpl_ledger_add(
            ledger, job->host_pool, MPL_ROW_HOST_CACHE, MPL_BOUND,
            (uint64_t)params->cache_ram_mib << 20,
            "llama-server keeps old prompts' states up to --cache-ram MiB");
    const bool forgets =
        !setup->swa_full && (setup->caches[MPL_LLAMA_CACHE_SWA] != NULL ||
                             setup->caches[MPL_LLAMA_CACHE_RECURRENT] != NULL);
    if (status != MEMPLAN_OK || !forgets)
        return status;
    const uint64_t most =
        mpl_min(params->checkpoint_count,
                setup->n_ctx_seq / CHECKPOINT_STEP_TOKENS + 1);
    uint64_t bytes = 0;
    if (!mpl_mul(&bytes, checkpoint_bytes(setup), most * setup->n_seq))
        return MEMPLAN_OK;
    return mpl_ledger_add(ledger, job->host_pool, MPL_ROW_HOST_CACHE,
                          MPL_ESTIMATE, bytes,
                          "llama-server keeps up to --ctx-checkpoints copies "
                          "of windows and states a slot, 8192 tokens apart");
}

static uint64_t graph_nodes(const mpl_job *job, const mpl_llama_setup *setup)
{
    const uint64_t plain = mpl_max(1024, 8 * (uint64_t)setup->weight_count);
    const uint64_t tokens = mpl_min(setup->n_ctx, setup->n_ubatch);
    return job->hparams.is_hybrid_arch
               ? mpl_max(tokens * 40, 32 * (uint64_t)setup->weight_count)
               : plain;
}

memplan_status mpl_llama_host_rows_add(mpl_ledger *ledger, const mpl_job *job,
                                       const mpl_llama_price *price,
                                       memplan_error *error)
{
    const uint32_t pool = job->host_pool;
    const mpl_gguf_key *merges =
        mpl_gguf_find(job->model->gguf, "tokenizer.ggml.merges");
    const mpl_gguf_key *tokens =
        mpl_gguf_find(job->model->gguf, "tokenizer.ggml.tokens");
    const uint64_t words = (tokens != NULL ? tokens->count : 0) +
                           (merges != NULL ? merges->count : 0);
    const uint64_t text = (tokens != NULL ? tokens->text_bytes : 0) +
                          (merges != NULL ? merges->text_bytes : 0);
    memplan_status status = mpl_ledger_add(
        ledger, pool, MPL_ROW_OUTPUT, MPL_BOUND, output_bytes(price),
        "output buffer: the logits of one row a sequence, and a drafted token; "
        "it grows with a batch that asks for more rows");
    if (status == MEMPLAN_OK)
        status = add_server(ledger, job, price);
    if (status == MEMPLAN_OK)
        status = mpl_ledger_add(
            ledger, pool, MPL_ROW_RUNTIME, MPL_ESTIMATE,
            words * TOKEN_BYTES + 2 * text,
            "vocabulary: 160 bytes a token or merge and its text twice");
    if (status == MEMPLAN_OK)
        status = mpl_ledger_add(
            ledger, pool, MPL_ROW_RUNTIME, MPL_ESTIMATE,
            graph_nodes(job, &price->setup) * NODE_BYTES,
            "graphs and scheduler: three results of as many nodes as "
            "llama.cpp reserves");
    return status == MEMPLAN_OK ? status : mpl_fail_memory(error);
}

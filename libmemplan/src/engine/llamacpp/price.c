/* SPDX-License-Identifier: MIT */
/*
 * A price in two steps: what is stored (weights, caches), which takes sums
 * alone, and what is computed, for which graphs are drawn.
 */
#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/job.h"

/* The caches stay as they are: llama.cpp makes them before it probes, so V is
 * not transposed even where flash attention is then turned off. */
static memplan_status settle_flash(mpl_llama_setup *setup, memplan_error *error)
{
    bool stays = true;
    if (!setup->is_flash_auto)
        return MEMPLAN_OK;
    const memplan_status status = mpl_llama_flash_stays(&stays, setup, error);
    setup->is_flash_auto = false;
    if (status == MEMPLAN_OK && !stays)
        setup->flash_attn = false;
    return status;
}

/* Speculation by the model's own MTP layers: a second context of these layers
 * alone. Its graph is smaller than the main one's, whose bytes bound it. */
static memplan_status add_mtp(mpl_llama_price *out, memplan_error *error)
{
    const mpl_llama_hparams *hparams = out->setup.hparams;
    mpl_llama_context_bytes more;
    mpl_llama_setup draft = out->setup;
    if (hparams->layer_count == hparams->layer_count_all ||
        hparams->has_router_layer)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "llama.cpp refuses it: context type MTP requested but "
                        "model doesn't contain MTP layers");
    draft.is_mtp = true;
    memplan_status status = mpl_llama_context_make(&draft, error);
    if (status == MEMPLAN_OK)
        status = mpl_llama_context_sum(&more, &draft, error);
    if (status != MEMPLAN_OK)
        return status;
    for (uint32_t i = 0; i < out->setup.buffer_count; i++)
        if (!mpl_add(&out->context.cache[i], out->context.cache[i],
                     more.cache[i]) ||
            !mpl_mul(&out->compute.bytes[i], out->compute.bytes[i], 2))
            return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                            "the MTP context passes 64 bits");
    out->compute.certainty = MPL_ESTIMATE;
    out->compute.rule = "twice the main graph's, for the MTP context's graph "
                        "is no larger";
    return MEMPLAN_OK;
}

memplan_status mpl_llama_price_stored(mpl_llama_price *out, mpl_arena *arena,
                                      const mpl_job *job,
                                      const mpl_llama_params *params,
                                      memplan_error *error)
{
    if (params != &out->params)
        out->params = *params;
    out->job = job;
    out->draft = NULL;
    memplan_status status = mpl_llama_devices_read(
        &out->devices, arena, job->machine, &out->params, error);
    if (status == MEMPLAN_OK)
        status =
            mpl_llama_resolve(&out->setup, arena, &job->hparams, &job->weights,
                              &out->devices, &out->params, error);
    if (status != MEMPLAN_OK)
        return status;
    out->uses_mmap = out->params.measure == MPL_MEASURE_LOAD &&
                     mpl_llama_uses_mmap(&out->devices, &out->params);
    status = mpl_llama_weights_sum(&out->weights, &out->setup, out->uses_mmap,
                                   error);
    return status == MEMPLAN_OK
               ? mpl_llama_context_sum(&out->context, &out->setup, error)
               : status;
}

memplan_status mpl_llama_price_compute(mpl_llama_price *out,
                                       memplan_error *error)
{
    const bool is_load = out->params.measure == MPL_MEASURE_LOAD;
    memplan_status status = settle_flash(&out->setup, error);
    if (status == MEMPLAN_OK)
        status = mpl_llama_settle_fused(&out->setup, error);
    if (status == MEMPLAN_OK)
        status =
            mpl_llama_compute(&out->compute, &out->setup,
                              is_load ? MPL_LLAMA_REAL : MPL_LLAMA_DRY, error);
    if (status == MEMPLAN_OK && out->params.mtp)
        status = add_mtp(out, error);
    return status == MEMPLAN_OK ? mpl_llama_draft_price(out, error) : status;
}

memplan_status mpl_llama_price_params(mpl_llama_price *out, mpl_arena *arena,
                                      const mpl_job *job,
                                      const mpl_llama_params *params,
                                      memplan_error *error)
{
    const memplan_status status =
        mpl_llama_price_stored(out, arena, job, params, error);
    return status == MEMPLAN_OK ? mpl_llama_price_compute(out, error) : status;
}

memplan_status mpl_llama_price_make(mpl_llama_price *out, mpl_arena *arena,
                                    const mpl_job *job, const char *settings,
                                    memplan_error *error)
{
    const memplan_status status = mpl_llama_params_read(
        &out->params, arena, job->request, settings, error);
    return status != MEMPLAN_OK
               ? status
               : mpl_llama_price_params(out, arena, job, &out->params, error);
}

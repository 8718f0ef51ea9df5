/* SPDX-License-Identifier: MIT */
/*
 * The models beside the main one. One that drafts tokens is loaded and priced
 * as any other, with the main one's settings but for
 *
 *     layers      -ngld, all by default
 *     devices     -devd
 *     cache       -ctkd and -ctvd, f16 by default; as many tokens as the main
 *                 model's
 *     overrides   none
 *     outputs     one a sequence
 *
 * A projector (mmproj) has its weights; its compute is not described.
 */
#include <stddef.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/job.h"
#include "model/gguf.h"

#define HEADER_MAX_BYTES (UINT64_C(1) << 30)

/* In the job's arena, for jobs are never closed. */
static memplan_status open_draft(mpl_job *job, const char *path,
                                 memplan_error *error)
{
    memplan_model *model = mpl_arena_alloc(job->arena, 1, sizeof *model);
    mpl_job *draft = mpl_arena_alloc(job->arena, 1, sizeof *draft);
    if (model == NULL || draft == NULL)
        return mpl_fail_memory(error);
    model->arena = job->arena;
    memplan_status status = mpl_gguf_open(model, path, HEADER_MAX_BYTES, error);
    if (status != MEMPLAN_OK)
        return status;
    *draft = *job;
    draft->model = model;
    status = mpl_llama_hparams_read(&draft->hparams, job->arena, model, error);
    if (status == MEMPLAN_OK)
        status = mpl_llama_weights_read(&draft->weights, job->arena,
                                        &draft->hparams, model->gguf, error);
    if (status != MEMPLAN_OK)
        mpl_fail_in(error, path);
    job->draft = draft;
    return status;
}

static memplan_status open_projector(mpl_job *job, const char *path,
                                     memplan_error *error)
{
    memplan_model *projector = NULL;
    const memplan_status status =
        memplan_model_open(&projector, path, NULL, error);
    if (status != MEMPLAN_OK)
        return status;
    job->projector_bytes = projector->weight_bytes;
    memplan_model_free(projector);
    return MEMPLAN_OK;
}

memplan_status mpl_llama_beside_open(mpl_job *job, memplan_error *error)
{
    mpl_llama_params params;
    memplan_status status = mpl_llama_params_read(
        &params, job->arena, job->request, job->request->settings, error);
    if (status == MEMPLAN_OK && params.draft != NULL)
        status = open_draft(job, params.draft, error);
    if (status == MEMPLAN_OK && params.mmproj != NULL)
        status = open_projector(job, params.mmproj, error);
    return status;
}

memplan_status mpl_llama_draft_price(mpl_llama_price *out, memplan_error *error)
{
    const mpl_job *job = out->job;
    if (out->params.draft == NULL)
        return MEMPLAN_OK;
    if (job->draft == NULL)
        return mpl_fail(error, MEMPLAN_E_ARGUMENT, MPL_NOWHERE,
                        "setting \"md\": a placement cannot name a model; "
                        "the request's settings do");
    mpl_llama_params params = out->params;
    params.draft = NULL;
    params.mtp = false;
    params.mmproj = NULL;
    params.n_ctx = out->setup.n_ctx;
    params.ngl = params.draft_ngl;
    params.type_k = params.draft_type_k;
    params.type_v = params.draft_type_v;
    params.n_outputs_max = out->setup.n_seq;
    params.override_count = 0;
    if (params.draft_devices != NULL)
        params.device_names = params.draft_devices;
    out->draft = mpl_arena_alloc(out->setup.arena, 1, sizeof *out->draft);
    if (out->draft == NULL)
        return mpl_fail_memory(error);
    const memplan_status status = mpl_llama_price_params(
        out->draft, out->setup.arena, job->draft, &params, error);
    if (status != MEMPLAN_OK)
        mpl_fail_in(error, job->draft->model->source);
    out->draft->params.frontend = MPL_FRONTEND_TOOL; /* has no server */
    return status;
}

uint32_t mpl_llama_projector_pool(const mpl_llama_price *price)
{
    const mpl_llama_devices *devices = &price->devices;
    const bool is_chosen = price->params.device_names != NULL;
    return devices->count == 0 ? price->job->host_pool
           : is_chosen         ? devices->items[0].pool
                               : devices->all[0].pool;
}

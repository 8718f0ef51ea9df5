/* SPDX-License-Identifier: MIT */
/*
 * The ledger of a price: for each buffer type its model, context and compute
 * bytes, as llama.cpp's own breakdown has them. A rule starts with the name of
 * the buffer type.
 */
#include <stddef.h>

#include "base/failure.h"
#include "engine/llamacpp/job.h"

static uint32_t pool_of(const mpl_job *job, const mpl_llama_setup *setup,
                        uint32_t buffer)
{
    const uint32_t device = setup->buffers[buffer].device;
    return device == MPL_LLAMA_HOST ? job->host_pool
                                    : setup->devices[device].pool;
}

/* Rows are exact where the backend's rules were compared with recordings. */
static mpl_certainty certainty_of(const mpl_llama_setup *setup, uint32_t buffer)
{
    const uint32_t device = setup->buffers[buffer].device;
    return device == MPL_LLAMA_HOST || setup->devices[device].backend->is_exact
               ? MPL_EXACT
               : MPL_ESTIMATE;
}

/* Why a sum of known bytes is an estimate. */
static const char *unproven(mpl_certainty certainty)
{
    return certainty == MPL_EXACT
               ? ""
               : ", by the backend's rules: no load on one was compared";
}

static memplan_status add_weights(mpl_ledger *ledger, const mpl_job *job,
                                  const mpl_llama_price *price, uint32_t buffer)
{
    const mpl_llama_buffer_type *type = &price->setup.buffers[buffer];
    const uint32_t pool = pool_of(job, &price->setup, buffer);
    const mpl_certainty certainty = certainty_of(&price->setup, buffer);
    memplan_status status = mpl_ledger_add(
        ledger, pool, MPL_ROW_WEIGHTS, certainty, price->weights.bytes[buffer],
        mpl_arena_format(ledger->arena,
                         "%s model buffer: the sum of its weights, each "
                         "padded to %u bytes%s",
                         type->name, type->alignment_bytes,
                         unproven(certainty)));
    if (status != MEMPLAN_OK || price->weights.mapped[buffer] == 0)
        return status;
    status = mpl_ledger_add(
        ledger, pool, MPL_ROW_WEIGHTS, certainty,
        price->weights.touched[buffer],
        mpl_arena_format(ledger->arena,
                         "%s_Mapped weights: read from the mapped file and "
                         "resident once used",
                         type->name));
    if (status != MEMPLAN_OK)
        return status;
    return mpl_ledger_add(
        ledger, pool, MPL_ROW_MAPPED, certainty, price->weights.mapped[buffer],
        mpl_arena_format(ledger->arena,
                         "%s_Mapped model buffer: the file from its first to "
                         "its last weight, address space and not memory",
                         type->name));
}

static memplan_status add_context(mpl_ledger *ledger, const mpl_job *job,
                                  const mpl_llama_price *price, uint32_t buffer)
{
    const mpl_llama_setup *setup = &price->setup;
    const mpl_llama_buffer_type *type = &setup->buffers[buffer];
    const uint32_t pool = pool_of(job, setup, buffer);
    const mpl_certainty certainty = certainty_of(setup, buffer);
    const memplan_status status = mpl_ledger_add(
        ledger, pool, MPL_ROW_KV_CACHE, certainty, price->context.cache[buffer],
        mpl_arena_format(ledger->arena,
                         "%s context buffer: K in %s and V in %s for %u cells "
                         "in each of %u streams%s",
                         type->name, mpl_dtype_name(setup->type_k),
                         mpl_dtype_name(setup->type_v), setup->n_ctx_seq,
                         setup->n_stream, unproven(certainty)));
    if (status != MEMPLAN_OK)
        return status;
    return mpl_ledger_add(
        ledger, pool, MPL_ROW_STATE, certainty, price->context.state[buffer],
        mpl_arena_format(ledger->arena,
                         "%s state buffer: fp32 states of %u sequences",
                         type->name, setup->n_seq));
}

static memplan_status add_compute(mpl_ledger *ledger, const mpl_job *job,
                                  const mpl_llama_price *price, uint32_t buffer)
{
    const mpl_llama_compute_result *compute = &price->compute;
    const mpl_certainty least = certainty_of(&price->setup, buffer);
    return mpl_ledger_add(
        ledger, pool_of(job, &price->setup, buffer), MPL_ROW_COMPUTE,
        compute->certainty != MPL_EXACT ? compute->certainty : least,
        compute->bytes[buffer],
        mpl_arena_format(ledger->arena, "%s compute buffer: %s",
                         price->setup.buffers[buffer].name,
                         compute->rule != NULL ? compute->rule : ""));
}

/* What each device keeps free, where that is asked for. */
static memplan_status add_margins(mpl_ledger *ledger, const mpl_job *job,
                                  const mpl_llama_price *price,
                                  memplan_error *error)
{
    uint64_t margins[MPL_LLAMA_MAX_DEVICES];
    memplan_status status =
        mpl_llama_margins_read(margins, job, &price->params, error);
    if (status != MEMPLAN_OK)
        return status;
    for (uint32_t i = 0; i < price->setup.device_count; i++) {
        status = mpl_ledger_add(
            ledger, price->setup.devices[i].pool, MPL_ROW_RESERVE, MPL_BOUND,
            margins[i],
            mpl_arena_format(ledger->arena,
                             "kept free for growth and for what is in no "
                             "buffer of llama.cpp's: %s; its fit keeps 1 GiB "
                             "unless told otherwise (fitt)",
                             price->setup.devices[i].backend->uncounted));
        if (status != MEMPLAN_OK)
            return mpl_fail_memory(error);
    }
    return MEMPLAN_OK;
}

static memplan_status add_projector(mpl_ledger *ledger,
                                    const mpl_llama_price *price)
{
    if (price->params.mmproj == NULL)
        return MEMPLAN_OK;
    return mpl_ledger_add(
        ledger, mpl_llama_projector_pool(price), MPL_ROW_WEIGHTS, MPL_ESTIMATE,
        price->job->projector_bytes,
        "mmproj: the projector's weights; what it computes in is unknown");
}

static memplan_status add_buffers(mpl_ledger *ledger, const mpl_job *job,
                                  const mpl_llama_price *price)
{
    for (uint32_t i = 0; i < price->setup.buffer_count; i++) {
        memplan_status status = add_weights(ledger, job, price, i);
        if (status == MEMPLAN_OK)
            status = add_context(ledger, job, price, i);
        if (status == MEMPLAN_OK)
            status = add_compute(ledger, job, price, i);
        if (status != MEMPLAN_OK)
            return status;
    }
    return MEMPLAN_OK;
}

/* The buffers of a drafting model: "draft: CUDA0 ...". */
static memplan_status add_draft(mpl_ledger *ledger, const mpl_job *job,
                                const mpl_llama_price *price)
{
    mpl_llama_price draft = *price;
    mpl_llama_buffer_type *types = mpl_arena_alloc(
        ledger->arena, price->setup.buffer_count, sizeof *types);
    if (types == NULL)
        return MEMPLAN_E_NO_MEMORY;
    for (uint32_t i = 0; i < price->setup.buffer_count; i++) {
        types[i] = price->setup.buffers[i];
        types[i].name =
            mpl_arena_format(ledger->arena, "draft: %s", types[i].name);
        if (types[i].name == NULL)
            return MEMPLAN_E_NO_MEMORY;
    }
    draft.setup.buffers = types;
    return add_buffers(ledger, job, &draft);
}

memplan_status mpl_llama_rows_add(mpl_ledger *ledger, const mpl_job *job,
                                  const mpl_llama_price *price,
                                  memplan_error *error)
{
    memplan_status status = add_buffers(ledger, job, price);
    if (status == MEMPLAN_OK && price->draft != NULL)
        status = add_draft(ledger, job, price->draft);
    if (status == MEMPLAN_OK)
        status = add_projector(ledger, price);
    if (status != MEMPLAN_OK)
        return mpl_fail_memory(error);
    status = add_margins(ledger, job, price, error);
    if (status == MEMPLAN_OK && price->draft != NULL)
        status =
            mpl_llama_host_rows_add(ledger, job->draft, price->draft, error);
    return status != MEMPLAN_OK
               ? status
               : mpl_llama_host_rows_add(ledger, job, price, error);
}

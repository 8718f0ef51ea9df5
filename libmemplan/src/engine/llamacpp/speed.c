/* SPDX-License-Identifier: MIT */
/* How long a token takes: by bytes over bandwidth, pool by pool. */
#include "base/checked.h"
#include "engine/llamacpp/job.h"

static uint32_t pool_of(const mpl_job *job, const mpl_llama_setup *setup,
                        uint32_t buffer)
{
    const uint32_t device = setup->buffers[buffer].device;
    return device == MPL_LLAMA_HOST ? job->host_pool
                                    : setup->devices[device].pool;
}

uint64_t mpl_llama_active_bytes(const mpl_job *job,
                                const mpl_llama_weight *weight)
{
    const mpl_llama_hparams *hparams = &job->hparams;
    uint64_t bytes = weight->bytes;
    if (weight->use == MPL_LLAMA_USE_ROWS)
        return weight->ne[1] > 0 ? bytes / weight->ne[1] : 0;
    if (weight->use != MPL_LLAMA_USE_EXPERTS || hparams->expert_count == 0 ||
        weight->layer >= hparams->layer_count_all)
        return bytes;
    (void)mpl_mul_div(&bytes, bytes,
                      hparams->layers[weight->layer].experts_used,
                      hparams->expert_count);
    return bytes;
}

void mpl_llama_time(mpl_timing *out, const mpl_job *job,
                    const mpl_llama_price *price)
{
    const mpl_llama_setup *setup = &price->setup;
    uint64_t bytes[MPL_LLAMA_BUFFER_MAX] = {0};
    uint64_t total_ps = 0;
    for (uint32_t i = 0; i < setup->weight_count; i++)
        if (setup->weight_buffer[i] != MPL_LLAMA_BUFFER_NONE)
            bytes[setup->weight_buffer[i]] +=
                mpl_llama_active_bytes(job, &setup->weights[i]);
    *out = (mpl_timing){MEMPLAN_UNKNOWN, MEMPLAN_UNKNOWN};
    for (uint32_t i = 0; i < setup->buffer_count; i++) {
        const mpl_pool *pool = &job->machine->pools[pool_of(job, setup, i)];
        uint64_t ps = 0;
        const uint64_t read = bytes[i] +
                              price->context.cache[i] / setup->n_seq +
                              price->context.state[i] / setup->n_seq;
        if (read == 0)
            continue;
        if (pool->bandwidth_bytes_per_second == MEMPLAN_UNKNOWN ||
            pool->bandwidth_bytes_per_second == 0 ||
            !mpl_mul_div(&ps, read, UINT64_C(1000000000000),
                         pool->bandwidth_bytes_per_second) ||
            !mpl_add(&total_ps, total_ps, ps))
            return;
    }
    out->decode_ps_per_token = total_ps;
}

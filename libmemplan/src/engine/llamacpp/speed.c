/* SPDX-License-Identifier: MIT */
/*
 * How long a token takes at least: by bytes over bandwidth, pool by pool. Where
 * no bandwidth is known, less than a hundredth of the bytes counts as nothing;
 * with more the time is not known.
 */
#include "base/checked.h"
#include "engine/llamacpp/job.h"

enum { UNKNOWN_SHARE = 100 };

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

/* What a pool is read with at most: all who read one memory share its rate. */
static uint64_t read_rate(const memplan_machine *machine, uint32_t pool)
{
    const mpl_pool *const pools = machine->pools;
    uint64_t rate = pools[pool].bandwidth_bytes_per_second;
    for (uint32_t at = 0; rate == MEMPLAN_UNKNOWN && at < machine->pool_count;
         at++)
        if (pools[at].budget == pools[pool].budget)
            rate = pools[at].bandwidth_bytes_per_second;
    return rate;
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
    uint64_t known = 0;
    uint64_t unknown = 0;
    for (uint32_t i = 0; i < setup->buffer_count; i++) {
        const uint64_t rate = read_rate(job->machine, pool_of(job, setup, i));
        uint64_t ps = 0;
        const uint64_t read = bytes[i] +
                              price->context.cache[i] / setup->n_seq +
                              price->context.state[i] / setup->n_seq;
        if (rate == MEMPLAN_UNKNOWN || rate == 0) {
            unknown += read;
            continue;
        }
        known += read;
        if (!mpl_mul_div(&ps, read, UINT64_C(1000000000000), rate) ||
            !mpl_add(&total_ps, total_ps, ps))
            return;
    }
    if (unknown == 0 || unknown < known / UNKNOWN_SHARE)
        out->decode_ps_per_token = total_ps;
}

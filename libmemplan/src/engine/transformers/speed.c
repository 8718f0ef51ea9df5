/* SPDX-License-Identifier: MIT */
/*
 * Time is bytes over bandwidth, a token:
 *
 *     on a device    (parameters read + cache) / memory
 *     on cpu         all parameters / link, then as on the main device
 *     on disk        all parameters / disk + all / link, then as above
 *     no device      (parameters read + cache) / host memory
 *
 * Offloaded units are copied whole at every step, experts included. Where a
 * speed is unknown a stand-in of an everyday machine orders the placements;
 * a time made of one is never shown.
 */
#include <stddef.h>

#include "base/checked.h"
#include "engine/transformers/job.h"

#define PS_PER_SECOND UINT64_C(1000000000000)

enum { STAND_INS = 3 };
static const struct stand_in {
    uint64_t read_bytes_per_second;
    uint64_t link_bytes_per_second;
} STAND_IN[STAND_INS] = {
    [MPL_POOL_DEVICE] = {UINT64_C(500000000000), UINT64_C(12000000000)},
    [MPL_POOL_HOST] = {UINT64_C(40000000000), UINT64_C(12000000000)},
    [MPL_POOL_DISK] = {UINT64_C(2000000000), UINT64_C(2000000000)},
};

/* A hook, a copy through the host and two synchronisations. */
#define CROSSING_PS (UINT64_C(20) * 1000 * 1000)

static uint64_t known_speed(uint64_t speed, uint64_t stand_in, bool *is_known)
{
    if (speed != MEMPLAN_UNKNOWN && speed != 0)
        return speed;
    *is_known = false;
    return stand_in;
}

uint64_t mpl_transformers_read_speed(const mpl_job *job, uint32_t pool,
                                     bool *is_known)
{
    const mpl_pool *const from = &job->machine->pools[pool];
    return known_speed(from->bandwidth_bytes_per_second,
                       STAND_IN[from->kind].read_bytes_per_second, is_known);
}

uint64_t mpl_transformers_link_speed(const mpl_job *job, uint32_t pool,
                                     bool *is_known)
{
    const mpl_pool *const from = &job->machine->pools[pool];
    return known_speed(from->link_bytes_per_second,
                       STAND_IN[from->kind].link_bytes_per_second, is_known);
}

bool mpl_transformers_are_alike(const mpl_job *job, uint32_t a, uint32_t b)
{
    const mpl_pool *const one = &job->machine->pools[a];
    const mpl_pool *const two = &job->machine->pools[b];
    return one->kind == MPL_POOL_DEVICE && two->kind == MPL_POOL_DEVICE &&
           one->bandwidth_bytes_per_second == two->bandwidth_bytes_per_second &&
           one->link_bytes_per_second == two->link_bytes_per_second;
}

/* Sticks at MPL_TIME_MAX_PS, which no sum of units passes 64 bits with. */
static uint64_t transfer_ps(uint64_t bytes, uint64_t bytes_per_second)
{
    uint64_t ps;
    if (!mpl_mul_div(&ps, bytes, PS_PER_SECOND, bytes_per_second))
        return MPL_TIME_MAX_PS;
    return mpl_min(ps, MPL_TIME_MAX_PS);
}

uint64_t mpl_transformers_unit_ps(const mpl_job *job, const mpl_unit_cost *cost,
                                  uint32_t pool, uint32_t main, bool *is_known)
{
    const mpl_pool_kind kind = job->machine->pools[pool].kind;
    const uint32_t home = mpl_transformers_home(job, pool, main);
    uint64_t read;
    if (!mpl_add(&read, cost->read_bytes, cost->cache_bytes) ||
        !mpl_add(&read, read, cost->cross_bytes) ||
        !mpl_add(&read, read, cost->away_bytes) ||
        !mpl_add(&read, read, cost->state_bytes))
        read = UINT64_MAX;
    uint64_t ps = 0;
    if (read != 0)
        ps =
            transfer_ps(read, mpl_transformers_read_speed(job, home, is_known));
    if (cost->away_bytes != 0 &&
        job->machine->pools[home].kind == MPL_POOL_DEVICE)
        ps += transfer_ps(cost->away_bytes,
                          mpl_transformers_link_speed(job, home, is_known));
    const bool is_copied = home != pool && cost->offloaded_bytes != 0;
    if (is_copied && kind == MPL_POOL_DISK)
        ps += transfer_ps(cost->offloaded_bytes,
                          mpl_transformers_link_speed(job, pool, is_known));
    if (is_copied && job->machine->pools[home].kind == MPL_POOL_DEVICE)
        ps += transfer_ps(cost->offloaded_bytes,
                          mpl_transformers_link_speed(job, home, is_known));
    return mpl_min(ps, MPL_TIME_MAX_PS);
}

uint64_t mpl_transformers_hand_ps(const mpl_job *job, uint32_t pool,
                                  bool *is_known)
{
    const uint64_t hidden = job->model->facts.hidden_elements;
    uint64_t bytes = 0;
    if (hidden != MEMPLAN_UNKNOWN &&
        (!mpl_mul(&bytes, hidden, job->request->sequences) ||
         !mpl_mul(&bytes, bytes, mpl_dtype_block_bytes(job->compute_dtype))))
        bytes = UINT64_MAX;
    if (job->machine->pools[pool].kind != MPL_POOL_DEVICE)
        return 0;
    return transfer_ps(bytes, mpl_transformers_link_speed(job, pool, is_known));
}

uint64_t mpl_transformers_crossing_ps(uint64_t from_ps, uint64_t to_ps)
{
    return mpl_min(CROSSING_PS + mpl_max(from_ps, to_ps), MPL_TIME_MAX_PS);
}

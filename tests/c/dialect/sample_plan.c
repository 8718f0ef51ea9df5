/* SPDX-License-Identifier: MIT */
#include "dialect/sample_plan.h"

#include <stddef.h>

#define GIB (UINT64_C(1) << 30)

static void fill_pools(sample_plan *out)
{
    *out = (sample_plan){
        .pools = {{.key = "0",
                   .name = "GPU 0: one",
                   .kind = MPL_POOL_DEVICE,
                   .vendor = "nvidia",
                   .device_index = 0,
                   .capacity_bytes = 20 * GIB,
                   .used_bytes = 14 * GIB,
                   .free_bytes = 6 * GIB,
                   .row_count = 4},
                  {.key = "1",
                   .name = "GPU 1: two",
                   .kind = MPL_POOL_DEVICE,
                   .vendor = "nvidia",
                   .device_index = 1,
                   .capacity_bytes = 20 * GIB,
                   .used_bytes = 23 * GIB,
                   .short_bytes = 3 * GIB,
                   .bandwidth_bytes_per_second = MEMPLAN_UNKNOWN,
                   .row_count = 1},
                  {.key = "cpu",
                   .name = "host memory",
                   .kind = MPL_POOL_HOST,
                   .device_index = MPL_NO_INDEX,
                   .capacity_bytes = 60 * GIB,
                   .free_bytes = 60 * GIB},
                  {.key = "disk",
                   .name = "disk",
                   .kind = MPL_POOL_DISK,
                   .device_index = MPL_NO_INDEX,
                   .capacity_bytes = MEMPLAN_UNKNOWN,
                   .free_bytes = MEMPLAN_UNKNOWN}},
        .rows =
            {
                {{0, MPL_ROW_WEIGHTS, MPL_EXACT, 0, 8 * GIB, "as stored"},
                 {0, MPL_ROW_KV_CACHE, MPL_EXACT, 0, 3 * GIB,
                  "keys and values"},
                 {0, MPL_ROW_ACTIVATIONS, MPL_BOUND, 0, 2 * GIB, "a bound"},
                 {0, MPL_ROW_STAGING, MPL_EXACT, 0, 1 * GIB, "the largest"}},
                {{1, MPL_ROW_WEIGHTS, MPL_ESTIMATE, 0, 23 * GIB, "about"}},
            },
    };
    for (uint32_t at = 0; at < SAMPLE_POOLS; at++)
        out->pools[at].rows = out->rows[at];
}

void sample_plan_make(sample_plan *out, mpl_plan_unit *units, uint32_t count)
{
    fill_pools(out);
    out->plan = (memplan_plan){
        .model_name = "sample",
        .model_source = "sample",
        .model_format = "declared",
        .model_repository = "",
        .architecture = "llama",
        .machine_name = "two GPUs",
        .engine = "transformers",
        .profile = "transformers-5",
        .settings = "",
        .dtype = "fp16",
        .kv_dtype = "fp16",
        .cache = "",
        .packages = "",
        .packages_pip = "",
        .value_dtype = "fp16",
        .context_tokens = 4096,
        .sequences = 1,
        .was_searched = true,
        .decode_ps_per_token = UINT64_C(85000000000),
        .prompt_ps_per_token = MEMPLAN_UNKNOWN,
        .pools = out->pools,
        .units = units,
        .pool_count = SAMPLE_POOLS,
        .unit_count = count,
    };
}

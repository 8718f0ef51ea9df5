/* SPDX-License-Identifier: MIT */
#include "dialect/sample_plan.h"

#include <stddef.h>

#define GIB (UINT64_C(1) << 30)

void sample_plan_make(sample_plan *out, mpl_plan_unit *units, uint32_t count)
{
    *out = (sample_plan){
        .pools =
            {
                {"0", "GPU 0: one", MPL_POOL_DEVICE, 0, 1, 20 * GIB, 14 * GIB,
                 0, NULL, 4},
                {"1", "GPU 1: two", MPL_POOL_DEVICE, 1, 2, 20 * GIB, 23 * GIB,
                 3 * GIB, NULL, 1},
                {"cpu", "host memory", MPL_POOL_HOST, MPL_NO_INDEX, 0, 60 * GIB,
                 0, 0, NULL, 0},
                {"disk", "disk", MPL_POOL_DISK, MPL_NO_INDEX, 3,
                 MEMPLAN_UNKNOWN, 0, 0, NULL, 0},
            },
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
    out->plan = (memplan_plan){
        .model_name = "sample",
        .model_source = "sample",
        .model_format = "declared",
        .architecture = "llama",
        .machine_name = "two GPUs",
        .engine = "transformers",
        .profile = "transformers-5",
        .settings = "",
        .dtype = "fp16",
        .kv_dtype = "fp16",
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

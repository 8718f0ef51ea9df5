/* SPDX-License-Identifier: MIT */
#include "engine/llamacpp/compute_bound.h"

#include "base/failure.h"

memplan_status mpl_compute_bound(mpl_llama_compute_result *out,
                                 const mpl_llama_setup *setup,
                                 memplan_error *error)
{
    (void)out;
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "%s: its graph is not described", setup->hparams->arch_name);
}

/* SPDX-License-Identifier: MIT */
/*
 * From parameters to a setup: llama.cpp's own rules for contexts, layers and
 * devices, and the combinations that it refuses.
 */
#ifndef MPL_ENGINE_LLAMACPP_RESOLVE_H
#define MPL_ENGINE_LLAMACPP_RESOLVE_H

#include "engine/llamacpp/devices.h"
#include "engine/llamacpp/params.h"
#include "engine/llamacpp/setup.h"
#include "engine/llamacpp/weights.h"

/* A setup of one model in `arena`, but for what compute finds out. `devices`
 * and `weights` must outlive it. */
memplan_status mpl_llama_resolve(mpl_llama_setup *out, mpl_arena *arena,
                                 const mpl_llama_hparams *hparams,
                                 const mpl_llama_weights *weights,
                                 const mpl_llama_devices *devices,
                                 const mpl_llama_params *params,
                                 memplan_error *error);

/* Whether a load of these parameters maps the files. */
bool mpl_llama_uses_mmap(const mpl_llama_devices *devices,
                         const mpl_llama_params *params);

#endif

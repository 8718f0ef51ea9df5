/* SPDX-License-Identifier: MIT */
/* A job of this engine: one model read, and a request to price. */
#ifndef MPL_ENGINE_LLAMACPP_JOB_H
#define MPL_ENGINE_LLAMACPP_JOB_H

#include "engine/engine.h"
#include "engine/llamacpp/compute.h"
#include "engine/llamacpp/context.h"
#include "engine/llamacpp/resolve.h"

struct mpl_job {
    mpl_arena *arena;
    const memplan_model *model;
    const memplan_machine *machine;
    const mpl_request *request;
    mpl_llama_hparams hparams;
    mpl_llama_weights weights;
    struct mpl_job *draft;    /* of the model that drafts, or NULL */
    uint64_t projector_bytes; /* weights of the mmproj file */
    uint32_t host_pool;
    uint32_t context_tokens; /* of a sequence, as priced last */
    uint32_t type_k;
    uint32_t type_v;
};

/* One configuration, priced. Lives in the arena it was made in. */
typedef struct mpl_llama_price {
    mpl_llama_params params;
    mpl_llama_devices devices;
    mpl_llama_setup setup;
    bool uses_mmap;
    mpl_llama_weight_bytes weights;
    mpl_llama_context_bytes context;
    mpl_llama_compute_result compute;
    const mpl_job *job;
    struct mpl_llama_price *draft; /* of the model that drafts, or NULL */
} mpl_llama_price;

/* names.c: what can be listed. */
bool mpl_llama_entry(mpl_engine_list list, uint32_t index, mpl_entry *out);

/* Prices settings: everything but rows. */
memplan_status mpl_llama_price_make(mpl_llama_price *out, mpl_arena *arena,
                                    const mpl_job *job, const char *settings,
                                    memplan_error *error);

/* The same for parameters that are read. */
memplan_status mpl_llama_price_params(mpl_llama_price *out, mpl_arena *arena,
                                      const mpl_job *job,
                                      const mpl_llama_params *params,
                                      memplan_error *error);

/* The same in two steps: weights and context, which cost little to tell, then
 * compute, which takes its graphs, and the context of MTP layers. */
memplan_status mpl_llama_price_stored(mpl_llama_price *out, mpl_arena *arena,
                                      const mpl_job *job,
                                      const mpl_llama_params *params,
                                      memplan_error *error);
memplan_status mpl_llama_price_compute(mpl_llama_price *out,
                                       memplan_error *error);

/* draft.c: the models beside the main one that the request's settings name. */
memplan_status mpl_llama_beside_open(mpl_job *job, memplan_error *error);

/* Prices the drafting model for a price that is made. */
memplan_status mpl_llama_draft_price(mpl_llama_price *out,
                                     memplan_error *error);

/* Where a projector goes: the first device of all, else the host. */
uint32_t mpl_llama_projector_pool(const mpl_llama_price *price);

/* speed.c: bytes of a weight that one token reads, and its time: it reads the
 * active weights and its sequence's cache, pool by pool. */
uint64_t mpl_llama_active_bytes(const mpl_job *job,
                                const mpl_llama_weight *weight);
void mpl_llama_time(mpl_timing *out, const mpl_job *job,
                    const mpl_llama_price *price);

/* rows.c: the ledger of a price. */
memplan_status mpl_llama_rows_add(mpl_ledger *ledger, const mpl_job *job,
                                  const mpl_llama_price *price,
                                  memplan_error *error);

/* host_rows.c: what the host holds beside buffers. */
memplan_status mpl_llama_host_rows_add(mpl_ledger *ledger, const mpl_job *job,
                                       const mpl_llama_price *price,
                                       memplan_error *error);

/* The request's own settings, with what its other fields say in llama.cpp's
 * words; NULL: no memory. */
const char *mpl_llama_settings_asked(const mpl_job *job);

/* fit.c: settings that fit, and the bytes each device keeps free. */
memplan_status mpl_llama_fit(const char **out, mpl_proof *proof, mpl_job *job,
                             memplan_error *error);
memplan_status mpl_llama_margins_read(uint64_t margins[MPL_LLAMA_MAX_DEVICES],
                                      const mpl_job *job,
                                      const mpl_llama_params *params,
                                      memplan_error *error);

#endif

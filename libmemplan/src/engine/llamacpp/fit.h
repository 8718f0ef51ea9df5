/* SPDX-License-Identifier: MIT */
/* A fit on its way: parameters that change, and what they cost. */
#ifndef MPL_ENGINE_LLAMACPP_FIT_H
#define MPL_ENGINE_LLAMACPP_FIT_H

#include "engine/llamacpp/job.h"

/* Expert tensors of one layer that stay with the host. */
enum {
    MPL_FIT_UP = 1 << 0,
    MPL_FIT_GATE = 1 << 1,
    MPL_FIT_DOWN = 1 << 2,
    MPL_FIT_ALL = MPL_FIT_UP | MPL_FIT_GATE | MPL_FIT_DOWN
};

typedef struct mpl_llama_fitting {
    mpl_job *job;
    mpl_arena *arena;   /* of what is kept between prices */
    mpl_arena *scratch; /* of one price */
    mpl_llama_params asked;
    mpl_llama_params now;
    uint32_t device_count;
    uint32_t places;                      /* layers and the output */
    uint64_t room[MPL_LLAMA_MAX_DEVICES]; /* free bytes less the margin */
    uint64_t used[MPL_LLAMA_MAX_DEVICES]; /* as priced last */
    uint64_t host_room;
    uint64_t host_used;
    uint32_t counts[MPL_LLAMA_MAX_DEVICES]; /* layers, when shares are ours */
    uint8_t *masks;  /* by layer: expert tensors with the host */
    uint8_t *spills; /* by layer: of those, on spill_devices instead */
    uint8_t *spill_devices;
    const mpl_llama_devices *devices;
    bool has_own_masks; /* masks are in use */
    bool has_no_copies; /* an override keeps pipeline copies off */
    bool fits;          /* as priced last: all devices */
    bool is_partial;    /* as priced last: used lacks compute */
    bool stops_early;   /* a price ends where weights and context already
                           pass the room of `watched` */
    bool is_rough;      /* a price takes compute to be as it was last */
    uint32_t watched;   /* a device, or MPL_NO_INDEX: any */
    uint64_t compute[MPL_LLAMA_MAX_DEVICES]; /* as known last, in used */
} mpl_llama_fitting;

/* Prices `now` with ngl layers, counts and masks as they are. A setting that
 * llama.cpp refuses does not fit. */
memplan_status mpl_fit_price(mpl_llama_fitting *fit, uint32_t ngl,
                             memplan_error *error);

/* Spreads ngl layers over the devices so that each has room; sets fits. Where
 * they do not fit, `used` may lack compute. */
memplan_status mpl_fit_spread(mpl_llama_fitting *fit, uint32_t ngl,
                              memplan_error *error);

/* fit_experts.c: all layers on devices, experts as far as there is room. */
memplan_status mpl_fit_experts(mpl_llama_fitting *fit, uint32_t *out_ngl,
                               memplan_error *error);

/* "ot=blk\.3\.ffn_(up|gate)_exps=CPU" for each masked layer, a line each;
 * NULL: no memory. */
const char *mpl_fit_masks_text(const mpl_llama_fitting *fit);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A fit on its way: parameters that change, and what they cost.
 *
 * What a device stores is the sum of its layers, which a table has (sizes);
 * what it takes beside them, most of it compute, is known from the last price
 * (beside). So a packing is arithmetic, and only its verdict takes a price:
 *
 *     used[d] = sum of stored bytes of the layers on d + beside[d]
 */
#ifndef MPL_ENGINE_LLAMACPP_FIT_H
#define MPL_ENGINE_LLAMACPP_FIT_H

#include "engine/llamacpp/job.h"

/* Expert tensors of one layer that stay with the host. */
enum {
    MPL_FIT_UP = 1 << 0,
    MPL_FIT_GATE = 1 << 1,
    MPL_FIT_DOWN = 1 << 2,
    MPL_FIT_PARTS = 3,
    MPL_FIT_ALL = MPL_FIT_UP | MPL_FIT_GATE | MPL_FIT_DOWN
};

/* Stored bytes of one layer on one kind of device; of the output at the
 * place after the last. */
typedef struct mpl_fit_size {
    uint64_t dense_bytes; /* weights that are no experts, caches and states */
    uint64_t part_bytes[MPL_FIT_PARTS];
} mpl_fit_size;

/* What a token reads of all that a device may hold, by how much of it. */
enum {
    MPL_FIT_READ_DENSE,
    MPL_FIT_READ_EXPERTS,
    MPL_FIT_READ_CACHE,
    MPL_FIT_READINGS
};
typedef struct mpl_fit_reading {
    uint64_t bytes;
    uint64_t active_bytes;
} mpl_fit_reading;

typedef struct mpl_llama_fitting {
    mpl_job *job;
    mpl_arena *arena;   /* of what is kept between prices */
    mpl_arena *scratch; /* of one price */
    mpl_llama_params asked;
    mpl_llama_params now;
    const mpl_llama_devices *devices; /* all that may be used */
    uint32_t offered_count;           /* of which there may be more */
    uint32_t places;                  /* layers and the output */

    /* The devices in use: positions in `devices`, in their order. */
    uint32_t active[MPL_LLAMA_MAX_DEVICES];
    uint32_t active_count;

    /* By position in `devices`. */
    uint64_t margin[MPL_LLAMA_MAX_DEVICES];
    uint64_t room[MPL_LLAMA_MAX_DEVICES]; /* free bytes less the margin */
    const mpl_fit_size *sizes[MPL_LLAMA_MAX_DEVICES]; /* by place */
    uint64_t beside[MPL_LLAMA_MAX_DEVICES];

    mpl_fit_reading reads[MPL_FIT_READINGS]; /* of all layers and the output */
    uint64_t host_active_bytes;              /* of what no device may hold */

    /* A packing: layers from `first` on are on devices. */
    uint32_t first;
    uint32_t counts[MPL_LLAMA_MAX_DEVICES]; /* places, by active device */
    uint8_t *masks;         /* by layer: expert tensors not on its device */
    uint8_t *spills;        /* by layer: of these, on another device */
    uint8_t *spill_devices; /* which: a position in `devices` */
    bool has_masks;         /* masks are in use */
    bool has_no_copies;     /* an override keeps pipeline copies off */

    /* As priced last; by active device. */
    uint64_t used[MPL_LLAMA_MAX_DEVICES];
    uint64_t stored[MPL_LLAMA_MAX_DEVICES]; /* without compute */
    uint64_t host_used;
    bool fits; /* all devices */
} mpl_llama_fitting;

/* ---- fit_price.c ---- */

/* Fills `sizes` for the context of `now`. */
memplan_status mpl_fit_measure(mpl_llama_fitting *fit, memplan_error *error);

/* Prices the packing: sets used, fits and, from them, beside. A setting that
 * llama.cpp refuses does not fit. */
memplan_status mpl_fit_price(mpl_llama_fitting *fit, memplan_error *error);

/* Stored bytes of a place by the table, without what its mask leaves with the
 * host. */
uint64_t mpl_fit_place_bytes(const mpl_llama_fitting *fit, uint32_t device,
                             uint32_t place, uint32_t mask);

/* Whether the caller left open which devices hold which layers. */
bool mpl_fit_is_shared_out(const mpl_llama_fitting *fit);

/* ---- fit_pack.c ---- */

/* Packs layers from `first` on into the active devices, with all experts
 * where has_masks is false and none where it is true; false: there is no
 * room. */
bool mpl_fit_pack(mpl_llama_fitting *fit, uint32_t first);

/* The same with every device as full as the others, as far as can be. */
bool mpl_fit_pack_evenly(mpl_llama_fitting *fit, uint32_t first);

/* ---- fit_experts.c ---- */

/* Shares out the layers from fit->first on, which have room without their
 * experts, so that the devices have the most bytes of these. *out_is_new says
 * whether the packing changed. */
memplan_status mpl_fit_pack_experts(mpl_llama_fitting *fit, bool *out_is_new,
                                    memplan_error *error);

/* Room that is left takes single tensors of layers of other devices, while
 * that fits. */
memplan_status mpl_fit_spill(mpl_llama_fitting *fit, memplan_error *error);

/* ---- fit_text.c ---- */

/* The settings of the packing, a line each; NULL: no memory. */
const char *mpl_fit_text(const mpl_llama_fitting *fit);

/* "CUDA1/CUDA2": -dev for the active devices; NULL: no memory. */
const char *mpl_fit_device_names(const mpl_llama_fitting *fit);

/* ---- fit_host.c ---- */

/* Whether the host has room for its part, as priced last, without the
 * server's prompt cache. */
bool mpl_fit_host_holds(const mpl_llama_fitting *fit);

/* Adds to the settings, and a note to the proof, where the prompt cache has to
 * be smaller than by default. */
const char *mpl_fit_spare_host(const mpl_llama_fitting *fit, const char *text,
                               mpl_proof *proof);

/* ---- fit_proof.c ---- */

/* What can be said about the packing, as priced last. */
memplan_status mpl_fit_prove(mpl_proof *out, const mpl_llama_fitting *fit,
                             memplan_error *error);

#endif

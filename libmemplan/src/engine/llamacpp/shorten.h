/* SPDX-License-Identifier: MIT */
/*
 * Shorter graphs: of a long run of layers that are alike only some are built,
 * where it shows that the others would change nothing.
 */
#ifndef MPL_ENGINE_LLAMACPP_SHORTEN_H
#define MPL_ENGINE_LLAMACPP_SHORTEN_H

#include "engine/llamacpp/compute_run.h"
#include "engine/llamacpp/setup.h"

enum { MPL_SHORT_RUNS = MPL_LLAMA_MAX_DEVICES + 8 };

/* Two periods of kept layers, [first, middle) and [middle, end), after which
 * whole periods are left out. */
typedef struct mpl_short_run {
    uint32_t first;
    uint32_t middle;
    uint32_t end;
} mpl_short_run;

/* How much of a run is kept: most repeat at once, some need longer to settle,
 * or alternate. */
typedef enum mpl_short_care {
    MPL_SHORT_TIGHT,
    MPL_SHORT_WIDE
} mpl_short_care;

typedef struct mpl_llama_short {
    mpl_llama_setup setup; /* of the kept layers */
    mpl_llama_hparams hparams;
    uint32_t *source; /* by kept layer: its number in the model */
    uint32_t kept;    /* of layer_count */
    mpl_short_run runs[MPL_SHORT_RUNS];
    uint32_t run_count;
    mpl_short_care care;
} mpl_llama_short;

/* NULL: the graph has to be built whole, or there is no memory. The setup's
 * arena holds the result. */
const mpl_llama_short *mpl_shorten(const mpl_llama_setup *setup,
                                   mpl_short_care care);

/* With more care, after a graph turned out not to repeat; NULL: whole. */
const mpl_llama_short *mpl_shorten_less(const mpl_llama_short *s,
                                        const mpl_llama_setup *setup);

/* Builds and schedules a run that is open on the short setup. False: it
 * failed or does not repeat, so that another graph must tell. */
bool mpl_short_schedule(const mpl_llama_short *s, mpl_run *run);

/* Allocates such a run. */
bool mpl_short_allocate(const mpl_llama_short *s, mpl_run *run);

#endif

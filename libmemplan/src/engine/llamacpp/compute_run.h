/* SPDX-License-Identifier: MIT */
/* One reservation of compute buffers, step by step. */
#ifndef MPL_ENGINE_LLAMACPP_COMPUTE_RUN_H
#define MPL_ENGINE_LLAMACPP_COMPUTE_RUN_H

#include "engine/llamacpp/compute.h"
#include "engine/llamacpp/galloc.h"
#include "engine/llamacpp/sched.h"

typedef enum mpl_reservation {
    MPL_RESERVE_PROMPT,
    MPL_RESERVE_GENERATION,
    MPL_RESERVE_AGAIN
} mpl_reservation;

typedef struct mpl_batch {
    uint32_t tokens;
    uint32_t sequences;
    uint32_t outputs;
} mpl_batch;

struct mpl_llama_short;

typedef struct mpl_run {
    mpl_arena *arena;
    const mpl_llama_setup *setup;
    mpl_batch batch;
    bool keeps_pins;
    mpl_sched_options options;
    mpl_space spaces[MPL_SCHED_BACKENDS];
    mpl_schedule schedule;
    const struct mpl_llama_short *brief; /* that it is built of; NULL: whole */
    bool is_spent; /* allocated: its schedule serves once */
    mpl_llama_refusal refusal; /* of status MEMPLAN_E_UNSUPPORTED */
} mpl_run;

void mpl_run_open(mpl_run *run, mpl_arena *arena, const mpl_llama_setup *setup,
                  mpl_llama_mode mode, mpl_reservation reservation);

/* Builds and schedules. */
memplan_status mpl_run_schedule(mpl_run *run);

/* The same of a setup, pins kept, by the shortest graph that repeats. */
memplan_status mpl_run_probe(mpl_run *run, const mpl_llama_setup *setup,
                             mpl_reservation reservation);

/* The error of a status that a run ended with. */
memplan_status mpl_run_explain(memplan_status status, const mpl_run *run,
                               memplan_error *error);

/* Allocates what is scheduled; the spaces then hold the result. */
memplan_status mpl_run_allocate(mpl_run *run, const mpl_watch *watch);

/* Builds, schedules and allocates; the spaces then hold the result. */
memplan_status mpl_run_graph(mpl_run *run, const mpl_watch *watch);

/* Bytes that a node takes in a buffer type, scratch of its operator
 * included. */
uint64_t mpl_node_alloc_bytes(const mpl_llama_setup *setup, uint32_t buffer,
                              const mpl_node *node);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: which backend runs each node, where the graph splits, and
 * which tensors cross from one backend to another.
 */
#ifndef MPL_ENGINE_LLAMACPP_SCHED_H
#define MPL_ENGINE_LLAMACPP_SCHED_H

#include "engine/llamacpp/galloc.h"
#include "engine/llamacpp/graph.h"
#include "engine/llamacpp/setup.h"

enum { MPL_SCHED_BACKENDS = MPL_LLAMA_MAX_DEVICES + 1 };

/* The backends in order of priority; the last is the CPU's. */
typedef struct mpl_sched_options {
    uint32_t backend_count;
    uint16_t buffer[MPL_SCHED_BACKENDS]; /* where each computes */
    bool offloads[MPL_SCHED_BACKENDS];   /* takes ops on host weights */
    uint32_t copy_count; /* pipeline copies of inputs; 1: none */
    bool op_offload;
} mpl_sched_options;

/* From a setup: its devices, then the CPU. */
void mpl_sched_options_of(mpl_sched_options *out, const mpl_llama_setup *setup);

typedef struct mpl_sched_result {
    mpl_schedule schedule; /* what the allocator is to run */
    uint32_t split_count;
} mpl_sched_result;

/*
 * Assigns and splits; the graph's nodes then read copies where they must.
 * MEMPLAN_OK; _UNSUPPORTED: a node that no backend can run, where llama.cpp
 * aborts; _NO_MEMORY.
 */
memplan_status mpl_sched_run(mpl_sched_result *out, mpl_graph *graph,
                             const mpl_sched_options *options);

#endif

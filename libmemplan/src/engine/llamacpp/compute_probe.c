/* SPDX-License-Identifier: MIT */
/*
 * Which operators llama.cpp keeps in one piece. Before it reserves memory it
 * schedules a small graph for each kind, one after the other, and gives the
 * kind up everywhere where a node of a layer lands on another device than the
 * layer's: its neighbours' weights are elsewhere, say by an override.
 */
#include <stddef.h>

#include "base/failure.h"
#include "engine/llamacpp/build.h"
#include "engine/llamacpp/compute_run.h"

/* Pins are kept: the graph of a probe is not reset before it is scheduled. */
static bool is_misplaced(const mpl_run *run, mpl_op op)
{
    for (uint64_t i = 0; i < run->schedule.node_count; i++) {
        const mpl_node *const node = run->schedule.nodes[i];
        if (node->op != op || node->layer < 0)
            continue;
        const uint32_t device = run->setup->layer_device[node->layer];
        const uint32_t home =
            device == MPL_LLAMA_HOST ? run->options.backend_count - 1 : device;
        if ((uint32_t)node->backend != home)
            return true;
    }
    return false;
}

memplan_status mpl_llama_flash_stays(bool *out, mpl_llama_setup *setup,
                                     memplan_error *error)
{
    *out = true;
    if (setup->device_count == 0 ||
        mpl_builder_of(setup->hparams->arch) == NULL)
        return MEMPLAN_OK;
    mpl_llama_setup *const probe =
        mpl_arena_alloc(setup->arena, 1, sizeof *probe);
    mpl_run *const run = mpl_arena_alloc(setup->arena, 1, sizeof *run);
    if (probe == NULL || run == NULL)
        return mpl_fail_memory(error);
    *probe = *setup;
    probe->flash_attn = true;
    const memplan_status status =
        mpl_run_probe(run, probe, MPL_RESERVE_GENERATION);
    if (status != MEMPLAN_OK)
        return mpl_run_explain(status, run, error);
    *out = !is_misplaced(run, MPL_OP_FLASH_ATTN);
    if (*out)
        setup->probed = run;
    return MEMPLAN_OK;
}

/* Operators that llama.cpp probes, in its order, for one that is given up
 * changes the graph of those that follow. Gated delta rules and indexers stay
 * in one piece without a probe. */
typedef struct probe {
    mpl_op op;
    size_t flag; /* in mpl_llama_setup */
} probe;

static const probe PROBES[] = {
    {MPL_OP_DSV4_HC_PRE, offsetof(mpl_llama_setup, unfused_hc_pre)},
    {MPL_OP_DSV4_HC_COMB, offsetof(mpl_llama_setup, unfused_hc_comb)},
    {MPL_OP_DSV4_HC_POST, offsetof(mpl_llama_setup, unfused_hc_post)}};

/* The probed graph of generation, made once for all kinds that stay. */
static memplan_status generation(mpl_llama_setup *setup, memplan_error *error)
{
    if (setup->probed != NULL)
        return MEMPLAN_OK;
    mpl_run *const run = mpl_arena_alloc(setup->arena, 1, sizeof *run);
    if (run == NULL)
        return mpl_fail_memory(error);
    const memplan_status status =
        mpl_run_probe(run, setup, MPL_RESERVE_GENERATION);
    if (status != MEMPLAN_OK)
        return mpl_run_explain(status, run, error);
    setup->probed = run;
    return MEMPLAN_OK;
}

static memplan_status settle(mpl_llama_setup *setup, const probe *p,
                             memplan_error *error)
{
    bool *const is_unfused = (bool *)((char *)setup + p->flag);
    const memplan_status status = generation(setup, error);
    if (status != MEMPLAN_OK)
        return status;
    *is_unfused = is_misplaced(setup->probed, p->op);
    if (*is_unfused)
        setup->probed = NULL;
    return MEMPLAN_OK;
}

memplan_status mpl_llama_settle_fused(mpl_llama_setup *setup,
                                      memplan_error *error)
{
    memplan_status status = MEMPLAN_OK;
    if (setup->device_count == 0 || setup->hparams->hc_mult == 0 ||
        mpl_builder_of(setup->hparams->arch) == NULL)
        return MEMPLAN_OK;
    for (uint32_t i = 0;
         status == MEMPLAN_OK && i < sizeof PROBES / sizeof *PROBES; i++)
        status = settle(setup, &PROBES[i], error);
    return status;
}

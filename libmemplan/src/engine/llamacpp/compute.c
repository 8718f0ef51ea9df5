/* SPDX-License-Identifier: MIT */
/*
 * Compute buffers. A load reserves three graphs and keeps the largest need:
 *
 *   1  a prompt: min(n_ctx, n_ubatch) tokens, rounded up to whole sequences
 *   2  generation: one token a sequence
 *   3  the prompt again
 *
 * The dry run that llama.cpp's own fit makes reports 1 alone, and forgets
 * which nodes were pinned to a backend.
 */
#include "engine/llamacpp/compute.h"

#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/build.h"
#include "engine/llamacpp/compute_bound.h"
#include "engine/llamacpp/compute_run.h"
#include "engine/llamacpp/graph_room.h"
#include "engine/llamacpp/sched.h"
#include "engine/llamacpp/shorten.h"

enum { PIN_TOKENS = 32 };

static uint64_t allocated(const void *context, uint32_t space,
                          const mpl_node *node)
{
    const mpl_run *const run = context;
    return mpl_node_alloc_bytes(run->setup,
                                run->options.buffer[space], node);
}

/* Reservations differ in batch alone. */
static mpl_batch batch_of(const mpl_llama_setup *s, mpl_reservation of,
                          uint32_t sequences)
{
    uint32_t tokens = (uint32_t)mpl_min(s->n_ctx, mpl_max(s->n_ubatch, 1));
    if (of == MPL_RESERVE_GENERATION)
        return (mpl_batch){s->n_seq, s->n_seq, s->n_seq};
    const uint32_t outputs = (uint32_t)mpl_min(tokens, s->n_outputs_max);
    tokens = (tokens + sequences - 1) / sequences * sequences;
    return (mpl_batch){tokens, sequences, outputs};
}

static void open_build(mpl_build *b, const mpl_run *run, mpl_graph *graph)
{
    const mpl_llama_setup *const s = run->setup;
    const bool is_whole = s->gpu_layers > s->hparams->layer_count_all;
    *b = (mpl_build){
        .setup = s,
        .h = s->hparams,
        .g = graph,
        .tokens = run->batch.tokens,
        .sequences = run->batch.sequences,
        .outputs = run->batch.outputs,
        .streams = s->kv_unified ? 1 : run->batch.sequences,
        .fuses_indexer = true,
        .fuses_delta_one = true,
        .fuses_delta_many = true,
        .pins_norms = run->keeps_pins &&
                      (run->batch.tokens < PIN_TOKENS || is_whole),
        .pins_host_attention = run->keeps_pins && !s->kv_offload,
    };
}

memplan_status mpl_run_schedule(mpl_run *run)
{
    mpl_arena *const arena = run->arena;
    mpl_build *const b = mpl_arena_alloc(arena, 1, sizeof *b);
    mpl_graph *const graph = mpl_arena_alloc(arena, 1, sizeof *graph);
    mpl_sched_result scheduled;
    if (b == NULL || graph == NULL)
        return MEMPLAN_E_NO_MEMORY;
    mpl_graph_open(graph, arena);
    open_build(b, run, graph);
    b->weights = mpl_arena_alloc(arena, run->setup->weight_count,
                                 sizeof *b->weights);
    b->cache_nodes = mpl_arena_alloc(
        arena,
        2 * MPL_LLAMA_CACHE_KIND_COUNT * (uint64_t)b->h->layer_count_all,
        sizeof *b->cache_nodes);
    if (b->weights == NULL || b->cache_nodes == NULL)
        return MEMPLAN_E_NO_MEMORY;
    mpl_builder_of(run->setup->hparams->arch)(b);
    run->refusal =
        mpl_graph_room_check(graph, run->setup, run->brief);
    if (run->refusal != MPL_REFUSAL_NONE)
        mpl_graph_refuse(graph, run->refusal);
    run->refusal = graph->refusal;
    const memplan_status status =
        mpl_sched_run(&scheduled, graph, &run->options);
    if (status == MEMPLAN_E_UNSUPPORTED && run->refusal == MPL_REFUSAL_NONE)
        run->refusal = MPL_REFUSAL_NO_BACKEND;
    if (status == MEMPLAN_OK)
        run->schedule = scheduled.schedule;
    return status;
}

memplan_status mpl_run_allocate(mpl_run *run, const mpl_watch *watch)
{
    for (uint32_t i = 0; i < run->options.backend_count; i++) {
        const mpl_llama_buffer_type *const buffer =
            &run->setup->buffers[run->options.buffer[i]];
        mpl_space_open(&run->spaces[i], run->arena, buffer->alignment_bytes,
                       buffer->buffer_max_bytes);
    }
    run->refusal = MPL_REFUSAL_FREE_BLOCKS;
    return mpl_galloc_run(&run->schedule, run->spaces,
                          run->options.backend_count, allocated, run, watch);
}

memplan_status mpl_run_graph(mpl_run *run, const mpl_watch *watch)
{
    const memplan_status status = mpl_run_schedule(run);
    return status == MEMPLAN_OK ? mpl_run_allocate(run, watch) : status;
}

static void keep_largest(mpl_llama_compute_result *out, const mpl_run *run)
{
    for (uint32_t i = 0; i < run->options.backend_count; i++) {
        uint64_t *const bytes = &out->bytes[run->options.buffer[i]];
        *bytes = mpl_max(*bytes, mpl_space_bytes(&run->spaces[i]));
    }
}

void mpl_run_open(mpl_run *run, mpl_arena *arena, const mpl_llama_setup *setup,
                  mpl_llama_mode mode, mpl_reservation reservation)
{
    const bool is_single =
        reservation == MPL_RESERVE_AGAIN &&
        (setup->hparams->arch == MPL_LLAMA_ARCH_KIMI_LINEAR ||
         setup->hparams->arch == MPL_LLAMA_ARCH_MINIMAX_01);
    memset(run, 0, sizeof *run);
    run->arena = arena;
    run->setup = setup;
    run->keeps_pins = mode == MPL_LLAMA_REAL;
    run->batch = batch_of(setup, reservation, is_single ? 1 : setup->n_seq);
    mpl_sched_options_of(&run->options, setup);
}

/* What a load or a fit reserves; `brief` is NULL where the graph is built
 * whole. */
typedef struct reserving {
    const mpl_llama_setup *setup;
    const mpl_llama_short *brief;
    mpl_llama_mode mode;
    mpl_run *run;
} reserving;

/* The shortest graph that repeats, or the whole one. */
static memplan_status schedule(reserving *r, mpl_reservation reservation)
{
    mpl_arena *const arena = r->setup->arena;
    while (r->brief != NULL) {
        mpl_run_open(r->run, arena, &r->brief->setup, r->mode, reservation);
        r->run->brief = r->brief;
        if (mpl_short_schedule(r->brief, r->run))
            return MEMPLAN_OK;
        r->brief = mpl_shorten_less(r->brief, r->setup);
    }
    mpl_run_open(r->run, arena, r->setup, r->mode, reservation);
    return mpl_run_schedule(r->run);
}

memplan_status mpl_run_probe(mpl_run *run, const mpl_llama_setup *setup,
                             mpl_reservation reservation)
{
    reserving r = {setup, mpl_shorten(setup, MPL_SHORT_TIGHT), MPL_LLAMA_REAL,
                   run};
    return schedule(&r, reservation);
}

/* Of a graph that is scheduled; again with more of it where its storage does
 * not repeat. */
static memplan_status allocate(reserving *r, mpl_reservation reservation)
{
    memplan_status status = MEMPLAN_OK;
    while (status == MEMPLAN_OK && r->run->brief != NULL) {
        if (mpl_short_allocate(r->run->brief, r->run))
            return MEMPLAN_OK;
        r->brief = mpl_shorten_less(r->run->brief, r->setup);
        status = schedule(r, reservation);
    }
    return status == MEMPLAN_OK ? mpl_run_allocate(r->run, NULL) : status;
}

/* The probe of flash attention leaves a scheduled graph that serves once. */
static bool takes_probed(const reserving *r, mpl_reservation reservation)
{
    return reservation == MPL_RESERVE_GENERATION &&
           r->setup->probed != NULL && !r->setup->probed->is_spent &&
           !r->setup->builds_all_layers;
}

static memplan_status reserve(mpl_llama_compute_result *out, reserving r,
                              mpl_reservation reservation)
{
    memplan_status status = MEMPLAN_OK;
    if (takes_probed(&r, reservation))
        r.run = r.setup->probed;
    else
        status = schedule(&r, reservation);
    if (status == MEMPLAN_OK)
        status = allocate(&r, reservation);
    r.run->is_spent = true;
    if (status == MEMPLAN_OK)
        keep_largest(out, r.run);
    return status;
}

/* The third reservation differs from the first only where an architecture
 * makes it with one sequence. */
static bool is_repeated(const mpl_llama_setup *setup)
{
    const mpl_llama_arch arch = setup->hparams->arch;
    return setup->n_seq > 1 && (arch == MPL_LLAMA_ARCH_KIMI_LINEAR ||
                                arch == MPL_LLAMA_ARCH_MINIMAX_01);
}

static bool is_exact(const mpl_llama_setup *setup)
{
    for (uint32_t i = 0; i < setup->device_count; i++)
        if (!setup->devices[i].backend->is_exact)
            return false;
    return true;
}

memplan_status mpl_run_explain(memplan_status status, const mpl_run *run,
                               memplan_error *error)
{
    const char *const name = run->setup->hparams->arch_name;
    if (status == MEMPLAN_E_NO_MEMORY)
        return mpl_fail_memory(error);
    if (status == MEMPLAN_E_TOO_LARGE)
        return mpl_fail(error, status, MPL_NOWHERE,
                        "%s: a tensor of the graph passes 64 bits of bytes",
                        name);
    return mpl_fail(error, status, MPL_NOWHERE,
                    "llama.cpp refuses it: %s: %s: %s", name,
                    mpl_refusal_words(run->refusal),
                    mpl_refusal_meaning(run->refusal));
}

memplan_status mpl_llama_compute(mpl_llama_compute_result *out,
                                 const mpl_llama_setup *setup,
                                 mpl_llama_mode mode, memplan_error *error)
{
    memset(out, 0, sizeof *out);
    if (mpl_builder_of(setup->hparams->arch) == NULL)
        return mpl_compute_bound(
            out, setup,
            batch_of(setup, MPL_RESERVE_PROMPT, setup->n_seq).tokens, error);
    mpl_run *const run = mpl_arena_alloc(setup->arena, 1, sizeof *run);
    if (run == NULL)
        return mpl_fail_memory(error);
    const reserving r = {setup, mpl_shorten(setup, MPL_SHORT_TIGHT), mode, run};
    memplan_status status = reserve(out, r, MPL_RESERVE_PROMPT);
    if (status == MEMPLAN_OK && mode == MPL_LLAMA_REAL)
        status = reserve(out, r, MPL_RESERVE_GENERATION);
    if (status == MEMPLAN_OK && mode == MPL_LLAMA_REAL && is_repeated(setup))
        status = reserve(out, r, MPL_RESERVE_AGAIN);
    if (status != MEMPLAN_OK)
        return mpl_run_explain(status, run, error);
    out->certainty = is_exact(setup) ? MPL_EXACT : MPL_ESTIMATE;
    out->rule = is_exact(setup)
                    ? "llama.cpp 0.5.0: graph, scheduler and allocator emulated"
                    : "llama.cpp 0.5.0: graph, scheduler and allocator "
                      "emulated; this backend may need more for single "
                      "operators";
    return MEMPLAN_OK;
}

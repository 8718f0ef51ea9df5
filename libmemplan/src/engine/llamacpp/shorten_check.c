/* SPDX-License-Identifier: MIT */
/* Whether the periods before a gap repeat: see shorten.c for what follows. */
#include <string.h>

#include "engine/llamacpp/shorten.h"

/* Where each kept layer begins in a schedule. */
typedef struct outline {
    const mpl_schedule *schedule;
    uint64_t *first; /* by kept layer */
} outline;

static bool counts(const mpl_node *node)
{
    return node->op != MPL_OP_NONE && node->layer >= 0;
}

/* The last node of each layer; false where there is none. */
static bool find_ends(uint64_t *ends, uint32_t layers,
                      const mpl_schedule *schedule)
{
    for (uint64_t i = 0; i < schedule->node_count; i++) {
        const mpl_node *const node = schedule->nodes[i];
        if (counts(node) && (uint32_t)node->layer >= layers)
            return false;
        if (counts(node))
            ends[node->layer] = i + 1;
    }
    for (uint32_t i = 0; i < layers; i++)
        if (ends[i] == 0)
            return false;
    return true;
}

/* A layer begins where no node of those before it follows: some of its own may
 * stand before, among them, and then do so in every period. Copies stand before
 * the node that reads them and bear the layer of what they copy: they count to
 * the layer before. */
static bool draw_outline(outline *out, const mpl_llama_short *s,
                         const mpl_run *run)
{
    const mpl_schedule *const schedule = &run->schedule;
    uint64_t *const ends =
        mpl_arena_alloc(run->arena, (uint64_t)s->kept + 1, sizeof *ends);
    uint64_t at = 0;
    out->schedule = schedule;
    out->first = mpl_arena_alloc(run->arena, (uint64_t)s->kept + 1,
                                 sizeof *out->first);
    if (out->first == NULL || ends == NULL ||
        !find_ends(ends, s->kept, schedule))
        return false;
    for (uint32_t i = 0; i < s->kept; i++) {
        while (at < schedule->node_count && !counts(schedule->nodes[at]))
            at++;
        if (at >= ends[i])
            return false;
        out->first[i] = at;
        at = ends[i];
    }
    return true;
}

static bool are_twins(const mpl_schedule *schedule, uint64_t a, uint64_t b)
{
    const mpl_node *const x = schedule->nodes[a];
    const mpl_node *const y = schedule->nodes[b];
    return schedule->node_space[a] == schedule->node_space[b] &&
           x->op == y->op && x->dtype == y->dtype && x->flags == y->flags &&
           x->backend == y->backend && x->home == y->home &&
           x->chunk == y->chunk && x->offset == y->offset &&
           memcmp(x->ne, y->ne, sizeof x->ne) == 0;
}

/* Pipeline copies are leafs, one set for each split: none may be left out. */
static bool repeats(const outline *o, const mpl_short_run *at, bool has_copies)
{
    const uint64_t first = o->first[at->first];
    const uint64_t middle = o->first[at->middle];
    const uint64_t end = o->first[at->end];
    if (end - middle != middle - first)
        return false;
    for (uint64_t i = middle; i < end; i++) {
        const mpl_node *const node = o->schedule->nodes[i];
        if (node->op == MPL_OP_NONE ? has_copies
                                    : node->layer < (int)at->middle)
            return false;
        if (!are_twins(o->schedule, i, i - (middle - first)))
            return false;
    }
    return true;
}

/* A leaf of a layer of its own takes storage before anything runs. */
static bool has_layer_leafs(const mpl_schedule *schedule)
{
    for (uint64_t i = 0; i < schedule->leaf_count; i++)
        if (schedule->leafs[i]->layer >= 0 &&
            schedule->leafs[i]->buffer == MPL_NODE_NO_BUFFER &&
            schedule->leafs[i]->view_of == NULL)
            return true;
    return false;
}

static bool repeats_all(const outline *o, const mpl_llama_short *s,
                        const mpl_run *run)
{
    const bool has_copies = run->options.copy_count > 1;
    for (uint32_t i = 0; i < s->run_count; i++)
        if (!repeats(o, &s->runs[i], has_copies))
            return false;
    return has_copies || !has_layer_leafs(o->schedule);
}

bool mpl_short_schedule(const mpl_llama_short *s, mpl_run *run)
{
    outline o;
    return mpl_run_schedule(run) == MEMPLAN_OK && draw_outline(&o, s, run) &&
           repeats_all(&o, s, run);
}

/* ---- The allocator's state ---------------------------------------------- */

typedef struct snapshots {
    const mpl_run *run;
    const uint64_t *first; /* of the outline */
    const mpl_short_run *runs;
    uint32_t run_count;
    uint32_t taken; /* two a run: before `middle` and before `end` */
    mpl_space spaces[MPL_SCHED_BACKENDS]; /* at the last `middle` */
    bool has_failed;
} snapshots;

static bool keep_space(mpl_space *kept, const mpl_space *space)
{
    *kept = *space;
    for (uint32_t c = 0; c < space->chunk_count; c++) {
        const mpl_chunk *const chunk = &space->chunks[c];
        kept->chunks[c].blocks =
            mpl_arena_alloc(space->arena, (uint64_t)chunk->block_count + 1,
                            sizeof *chunk->blocks);
        if (kept->chunks[c].blocks == NULL)
            return false;
        memcpy(kept->chunks[c].blocks, chunk->blocks,
               chunk->block_count * sizeof *chunk->blocks);
    }
    return true;
}

static bool same_space(const mpl_space *a, const mpl_space *b)
{
    if (a->chunk_count != b->chunk_count)
        return false;
    for (uint32_t c = 0; c < a->chunk_count; c++) {
        const mpl_chunk *const x = &a->chunks[c];
        const mpl_chunk *const y = &b->chunks[c];
        if (x->peak_bytes != y->peak_bytes ||
            x->block_count != y->block_count ||
            memcmp(x->blocks, y->blocks,
                   x->block_count * sizeof *x->blocks) != 0)
            return false;
    }
    return true;
}

static void before(void *context, uint64_t index)
{
    snapshots *const w = context;
    const uint32_t at = w->taken / 2;
    if (at == w->run_count)
        return;
    const bool is_end = w->taken % 2 == 1;
    if (index != w->first[is_end ? w->runs[at].end : w->runs[at].middle])
        return;
    w->taken++;
    for (uint32_t i = 0; i < w->run->options.backend_count; i++) {
        const mpl_space *const space = &w->run->spaces[i];
        if (!(is_end ? same_space(&w->spaces[i], space)
                     : keep_space(&w->spaces[i], space)))
            w->has_failed = true;
    }
}

bool mpl_short_allocate(const mpl_llama_short *s, mpl_run *run)
{
    outline o;
    if (!draw_outline(&o, s, run))
        return false;
    snapshots *const w = mpl_arena_alloc(run->arena, 1, sizeof *w);
    if (w == NULL)
        return false;
    *w = (snapshots){.run = run,
                     .first = o.first,
                     .runs = s->runs,
                     .run_count = s->run_count};
    const mpl_watch watch = {.context = w, .before = before};
    return mpl_run_allocate(run, &watch) == MEMPLAN_OK && !w->has_failed &&
           w->taken == 2 * s->run_count && repeats_all(&o, s, run);
}

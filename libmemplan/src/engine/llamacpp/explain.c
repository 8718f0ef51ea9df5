/* SPDX-License-Identifier: MIT */
/*
 * What is alive when a compute buffer is at its highest: the allocator runs
 * again with a watch that keeps the list of tensors in place.
 */
#include "engine/llamacpp/compute.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "engine/llamacpp/build.h"
#include "engine/llamacpp/compute_run.h"

enum { SHOWN_TENSORS = 40 };

typedef struct held {
    const mpl_node *node;
    uint64_t bytes;
} held;

typedef struct peak_watch {
    mpl_arena *arena;
    const mpl_space *space;
    int8_t home;
    bool is_broken; /* out of memory */
    uint64_t peak_bytes;
    held *now;
    uint64_t now_count;
    uint64_t now_capacity;
    held *then; /* at the peak */
    uint64_t then_count;
    uint64_t then_capacity;
} peak_watch;

/* The list at the peak replaces the last one. */
static void keep(peak_watch *w)
{
    while (w->then_capacity < w->now_count) {
        held *const items = mpl_arena_grow(w->arena, w->then, w->then_capacity,
                                           &w->then_capacity, sizeof *items);
        if (items == NULL) {
            w->is_broken = true;
            return;
        }
        w->then = items;
    }
    if (w->now_count > 0)
        memcpy(w->then, w->now, w->now_count * sizeof *w->now);
    w->then_count = w->now_count;
}

static void took(void *context, const mpl_node *node, uint64_t bytes)
{
    peak_watch *const w = context;
    if (node->home != w->home || w->is_broken)
        return;
    held *const items = mpl_arena_grow(w->arena, w->now, w->now_count,
                                       &w->now_capacity, sizeof *items);
    if (items == NULL) {
        w->is_broken = true;
        return;
    }
    w->now = items;
    items[w->now_count++] = (held){node, bytes};
    const uint64_t bytes_now = mpl_space_bytes(w->space);
    if (bytes_now <= w->peak_bytes)
        return;
    w->peak_bytes = bytes_now;
    keep(w);
}

static void gave(void *context, const mpl_node *node)
{
    peak_watch *const w = context;
    for (uint64_t i = w->now_count; i-- > 0;) {
        if (w->now[i].node != node)
            continue;
        w->now[i] = w->now[--w->now_count];
        return;
    }
}

static void sort_by_bytes(held *items, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++) {
        const held item = items[i];
        uint64_t at = i;
        while (at > 0 && items[at - 1].bytes < item.bytes) {
            items[at] = items[at - 1];
            at--;
        }
        items[at] = item;
    }
}

static const char *line(mpl_arena *arena, const held *item)
{
    const mpl_node *const n = item->node;
    const char *const name =
        n->name[0] != '\0' ? n->name : mpl_op_name((mpl_op)n->op);
    const char *const layer =
        n->layer < 0 ? ""
                     : mpl_arena_format(arena, " of layer %d", n->layer);
    return mpl_arena_format(
        arena,
        "%" PRIu64 " bytes: %s%s, %s [%" PRIu64 ", %" PRIu64 ", %" PRIu64
        ", %" PRIu64 "]\n",
        item->bytes, name, layer == NULL ? "" : layer,
        mpl_dtype_name(n->dtype), n->ne[0], n->ne[1], n->ne[2], n->ne[3]);
}

static const char *report(mpl_arena *arena, const peak_watch *w)
{
    uint64_t total = 0;
    for (uint64_t i = 0; i < w->then_count; i++)
        total += w->then[i].bytes;
    const char *text = mpl_arena_format(
        arena,
        "peak %" PRIu64 " bytes: %" PRIu64 " tensors of %" PRIu64
        " bytes, the rest is between them\n",
        w->peak_bytes, w->then_count, total);
    const uint64_t shown = mpl_min(w->then_count, SHOWN_TENSORS);
    for (uint64_t i = 0; text != NULL && i < shown; i++) {
        const char *const one = line(arena, &w->then[i]);
        text = one == NULL ? NULL : mpl_arena_format(arena, "%s%s", text, one);
    }
    return text;
}

const char *mpl_llama_explain_compute(const mpl_llama_setup *setup,
                                      mpl_llama_mode mode, uint32_t buffer)
{
    mpl_arena *const arena = setup->arena;
    mpl_run *const run = mpl_arena_alloc(arena, 1, sizeof *run);
    if (run == NULL || mpl_builder_of(setup->hparams->arch) == NULL)
        return NULL;
    mpl_run_open(run, arena, setup, mode, MPL_RESERVE_PROMPT);
    uint32_t home = 0;
    while (home < run->options.backend_count &&
           run->options.buffer[home] != buffer)
        home++;
    if (home == run->options.backend_count)
        return NULL;
    peak_watch w = {.arena = arena,
                    .space = &run->spaces[home],
                    .home = (int8_t)home};
    const mpl_watch watch = {&w, took, gave};
    if (mpl_run_graph(run, &watch) != MEMPLAN_OK || w.is_broken)
        return NULL;
    sort_by_bytes(w.then, w.then_count);
    return report(arena, &w);
}

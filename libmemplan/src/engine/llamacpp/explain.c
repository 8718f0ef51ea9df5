/* SPDX-License-Identifier: MIT */
/*
 * What is alive when a compute buffer is at its highest: the allocator runs
 * again with a watch that keeps the list of tensors in place.
 */
#include "engine/llamacpp/compute.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/text.h"
#include "engine/llamacpp/build.h"
#include "engine/llamacpp/compute_run.h"

enum { SHOWN_TENSORS = 8 };

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

/* What a tensor is: its own name, the weight it is a product with, or its
 * operator. What has none is an input, or another backend's tensor. */
static void add_label(mpl_text *text, const mpl_node *n)
{
    const mpl_node *const first = n->src[0];
    const uint32_t pipeline = MPL_NODE_INPUT | MPL_NODE_OUTPUT;
    if (n->op == MPL_OP_NONE &&
        ((n->flags & MPL_NODE_INPUT) == 0 || (n->flags & pipeline) == pipeline))
        mpl_text_add(text, "copy of ");
    if (n->name[0] != '\0')
        mpl_text_add(text, n->name);
    else if (n->op == MPL_OP_NONE && n->layer < 0)
        mpl_text_add(text, "a tensor before the layers");
    else if (n->op == MPL_OP_NONE)
        mpl_text_format(text, "a tensor of layer %d", n->layer);
    else if (first != NULL && first->op == MPL_OP_NONE &&
             first->name[0] != '\0')
        mpl_text_format(text, "%s with %s", mpl_op_name((mpl_op)n->op),
                        first->name);
    else if (n->layer < 0)
        mpl_text_add(text, mpl_op_name((mpl_op)n->op));
    else
        mpl_text_format(text, "%s of layer %d", mpl_op_name((mpl_op)n->op),
                        n->layer);
}

static void add_shape(mpl_text *text, const mpl_node *n)
{
    int last = 3;
    while (last > 0 && n->ne[last] == 1)
        last--;
    mpl_text_format(text, " (%s ", mpl_dtype_name(n->dtype));
    for (int i = 0; i <= last; i++)
        mpl_text_format(text, "%s%" PRIu64, i == 0 ? "" : " x ", n->ne[i]);
    mpl_text_add(text, ")");
}

static bool looks_same(const held *a, const held *b)
{
    return a->bytes == b->bytes && a->node->op == b->node->op &&
           a->node->layer == b->node->layer &&
           a->node->src[0] == b->node->src[0] &&
           strcmp(a->node->name, b->node->name) == 0 &&
           memcmp(a->node->ne, b->node->ne, sizeof a->node->ne) == 0;
}

static void add_tensors(mpl_text *text, const held *first, uint64_t count)
{
    if (count > 1)
        mpl_text_format(text, "%" PRIu64 " x ", count);
    mpl_text_bytes(text, first->bytes);
    mpl_text_add(text, " ");
    add_label(text, first->node);
    add_shape(text, first->node);
}

static void add_report(mpl_text *text, const char *buffer, const peak_watch *w)
{
    uint64_t total = 0;
    uint64_t rest = 0;
    uint64_t at = 0;
    mpl_text_format(text, "%s compute buffer at its peak: ", buffer);
    for (uint32_t shown = 0; shown < SHOWN_TENSORS && at < w->then_count;
         shown++) {
        uint64_t end = at + 1;
        while (end < w->then_count && looks_same(&w->then[at], &w->then[end]))
            end++;
        mpl_text_add(text, shown > 0 ? ", " : "");
        add_tensors(text, &w->then[at], end - at);
        total += w->then[at].bytes * (end - at);
        at = end;
    }
    for (uint64_t i = at; i < w->then_count; i++)
        rest += w->then[i].bytes;
    if (rest > 0) {
        mpl_text_add(text, ", ");
        mpl_text_bytes(text, rest);
        mpl_text_format(text, " in %" PRIu64 " smaller tensors",
                        w->then_count - at);
    }
    if (w->peak_bytes > total + rest) {
        mpl_text_add(text, ", ");
        mpl_text_bytes(text, w->peak_bytes - total - rest);
        mpl_text_add(text, " free between them");
    }
}

/* The peak of one reservation. False: not known, or no memory. */
static bool watch_peak(peak_watch *w, const mpl_llama_setup *setup,
                       mpl_llama_mode mode, mpl_reservation reservation,
                       uint32_t buffer)
{
    mpl_run *const run = mpl_arena_alloc(setup->arena, 1, sizeof *run);
    if (run == NULL || mpl_builder_of(setup->hparams->arch) == NULL)
        return false;
    mpl_run_open(run, setup->arena, setup, mode, reservation);
    uint32_t home = 0;
    while (home < run->options.backend_count &&
           run->options.buffer[home] != buffer)
        home++;
    if (home == run->options.backend_count)
        return false;
    *w = (peak_watch){.arena = setup->arena,
                      .space = &run->spaces[home],
                      .home = (int8_t)home};
    const mpl_watch watch = {.context = w, .took = took, .gave = gave};
    if (mpl_run_graph(run, &watch) != MEMPLAN_OK || w->is_broken)
        return false;
    sort_by_bytes(w->then, w->then_count);
    return true;
}

const char *mpl_llama_explain_compute(const mpl_llama_setup *setup,
                                      mpl_llama_mode mode, uint32_t buffer,
                                      uint64_t bytes)
{
    static const mpl_reservation RESERVATIONS[] = {
        MPL_RESERVE_PROMPT, MPL_RESERVE_GENERATION, MPL_RESERVE_AGAIN};
    const uint32_t count = mode == MPL_LLAMA_REAL ? 3 : 1;
    peak_watch w = {0};
    uint32_t at = 0;
    while (at < count &&
           (!watch_peak(&w, setup, mode, RESERVATIONS[at], buffer) ||
            w.peak_bytes != bytes))
        at++;
    if (at == count)
        return NULL;
    mpl_text text = {0};
    char *made = NULL;
    add_report(&text, setup->buffers[buffer].name, &w);
    if (mpl_text_finish(&text, &made, NULL) != MEMPLAN_OK)
        return NULL;
    const char *const kept = mpl_arena_strdup(setup->arena, made);
    memplan_text_free(made);
    return kept;
}

/* SPDX-License-Identifier: MIT */
/*
 * Which layers a shorter graph keeps. Two layers are alike when they have the
 * same hyper-parameters, device, caches and weights; layers repeat with period
 * p when each is like the one p before. Of such a run the first layers, in
 * which the allocator settles, and two periods are kept, then whole periods are
 * left out, and the rest is kept again. Where that does not repeat a second
 * attempt takes even periods, for storage may alternate.
 *
 * Why that changes nothing, once shorten_check.c has seen the two periods:
 *
 *   graph       a builder that may be shortened asks of a layer nothing but
 *               what is compared here, and whether it is the last, which is
 *               kept. So layers left out would be node by node like the kept.
 *   scheduler   backends spread along the graph, but never past a node whose
 *               weight decides; a layer has several. So a layer's backends
 *               depend on it and its neighbours, which are alike.
 *   allocator   what it does next follows from the free blocks, the peaks,
 *               and where the nodes that are still needed lie. If blocks and
 *               peaks are the same after the first and the second period, and
 *               every node of the second lies where its twin of the first
 *               does, then the state is the same after both, and a third
 *               period, and any further one, repeats the second. Tensors that
 *               all layers read only count more readers, never their last.
 *
 * So the run past the gap starts from the state that it would have met, and no
 * peak is missed. Where the check fails twice the whole graph is built.
 */
#include "engine/llamacpp/shorten.h"

#include <string.h>

#include "base/checked.h"
#include "engine/llamacpp/builders.h"
#include "engine/llamacpp/decoder.h"
#include "engine/llamacpp/weights.h"

enum {
    SETTLING_TIGHT = 2,
    SETTLING_WIDE = 3,
    TAIL = 1, /* layers of the run after the gap, at least */
    PERIOD_MAX = 8,
    KINDS_MAX = 24 /* of layers; a model with more is built whole */
};

/* A layer's place counts with some builders: they are built whole. */
static bool counts_layers(const mpl_llama_hparams *h)
{
    mpl_builder *const builder = mpl_builder_of(h->arch);
    const mpl_decoder *const d = mpl_decoder_of(h->arch);
    if (builder == mpl_build_deepseek2 || builder == mpl_build_minicpm3 ||
        builder == mpl_build_deepseek4)
        return false;
    if (builder != mpl_build_decoder || d == NULL)
        return true;
    return d->rope == MPL_ROPE_STEP || d->rope == MPL_ROPE_SMALL ||
           ((d->block & MPL_B_DEEPSTACK) && h->deepstack_count > 0);
}

static bool is_allowed(const mpl_llama_setup *setup)
{
    const mpl_llama_hparams *const h = setup->hparams;
    if (setup->builds_all_layers || setup->is_mtp || counts_layers(h))
        return false;
    for (uint32_t i = 0; i < h->layer_count; i++)
        if (h->layers[i].kv_owner >= 0 &&
            (uint32_t)h->layers[i].kv_owner != i)
            return false;
    return true;
}

static bool same_tensor(const mpl_llama_cache_tensor *tensors, uint32_t a,
                        uint32_t b)
{
    return tensors == NULL ||
           (tensors[a].width == tensors[b].width &&
            tensors[a].bytes == tensors[b].bytes &&
            tensors[a].dtype == tensors[b].dtype &&
            tensors[a].buffer == tensors[b].buffer);
}

static bool same_caches(const mpl_llama_setup *setup, uint32_t a, uint32_t b)
{
    for (uint32_t kind = 0; kind < MPL_LLAMA_CACHE_KIND_COUNT; kind++) {
        const mpl_llama_cache *const cache = setup->caches[kind];
        if (cache != NULL && (!same_tensor(cache->k, a, b) ||
                              !same_tensor(cache->v, a, b)))
            return false;
    }
    return true;
}

static bool are_alike(const mpl_llama_setup *setup, uint32_t a, uint32_t b)
{
    mpl_llama_layer one = setup->hparams->layers[a];
    const mpl_llama_layer *const other = &setup->hparams->layers[b];
    if ((one.kv_owner < 0) != (other->kv_owner < 0))
        return false;
    one.kv_owner = other->kv_owner;
    return setup->layer_device[a] == setup->layer_device[b] &&
           memcmp(&one, other, sizeof one) == 0 &&
           same_caches(setup, a, b) && mpl_llama_weights_alike(setup, a, b);
}

/* The same number for layers that are alike. */
static bool sort_layers(uint8_t *kinds, const mpl_llama_setup *setup)
{
    uint32_t first[KINDS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < setup->hparams->layer_count; i++) {
        uint32_t kind = 0;
        while (kind < count && !are_alike(setup, first[kind], i))
            kind++;
        if (kind == KINDS_MAX)
            return false;
        if (kind == count)
            first[count++] = i;
        kinds[i] = (uint8_t)kind;
    }
    return true;
}

/* What is kept of a run, and left out after it. */
typedef struct cut {
    uint32_t settling;
    uint32_t step; /* layers of a period */
    uint32_t gap;
} cut;

/* Of the layers from `begin` on that repeat with a period. */
static cut cut_of(const uint8_t *kinds, uint32_t count, uint32_t begin,
                  uint32_t period, mpl_short_care care)
{
    const bool is_wide = care == MPL_SHORT_WIDE;
    cut out = {.settling = is_wide ? SETTLING_WIDE : SETTLING_TIGHT,
               .step = is_wide && period % 2 != 0 ? 2 * period : period};
    const uint32_t kept = out.settling + 2 * out.step + TAIL;
    uint32_t end = begin + period;
    while (end < count && kinds[end] == kinds[end - period])
        end++;
    if (end <= count && end - begin > kept)
        out.gap = (end - begin - kept) / out.step * out.step;
    return out;
}

static cut widest_cut(const uint8_t *kinds, uint32_t count, uint32_t begin,
                      mpl_short_care care)
{
    cut best = {0};
    for (uint32_t period = 1; period <= PERIOD_MAX; period++) {
        const cut own = cut_of(kinds, count, begin, period, care);
        if (own.gap > best.gap)
            best = own;
    }
    return best;
}

static void choose(mpl_llama_short *out, const uint8_t *kinds, uint32_t count)
{
    for (uint32_t i = 0; i < count;) {
        cut here = {0};
        if (out->run_count < MPL_SHORT_RUNS)
            here = widest_cut(kinds, count, i, out->care);
        if (here.gap == 0) {
            out->source[out->kept++] = i++;
            continue;
        }
        for (uint32_t j = 0; j < here.settling + 2 * here.step; j++)
            out->source[out->kept++] = i++;
        out->runs[out->run_count++] =
            (mpl_short_run){out->kept - 2 * here.step, out->kept - here.step,
                            out->kept};
        i += here.gap;
    }
}

static bool keep_tensors(mpl_llama_cache_tensor **tensors,
                         const mpl_llama_short *s, mpl_arena *arena)
{
    const uint32_t count = s->hparams.layer_count_all;
    mpl_llama_cache_tensor *const kept =
        mpl_arena_alloc(arena, count, sizeof *kept);
    if (*tensors == NULL || kept == NULL)
        return *tensors == NULL;
    for (uint32_t i = 0; i < count; i++)
        kept[i] = (*tensors)[s->source[i]];
    *tensors = kept;
    return true;
}

static bool keep_caches(mpl_llama_short *s)
{
    for (uint32_t kind = 0; kind < MPL_LLAMA_CACHE_KIND_COUNT; kind++) {
        if (s->setup.caches[kind] == NULL)
            continue;
        mpl_llama_cache *const cache =
            mpl_arena_alloc(s->setup.arena, 1, sizeof *cache);
        if (cache == NULL)
            return false;
        *cache = *s->setup.caches[kind];
        if (!keep_tensors(&cache->k, s, s->setup.arena) ||
            !keep_tensors(&cache->v, s, s->setup.arena))
            return false;
        s->setup.caches[kind] = cache;
    }
    return true;
}

/* The setup of the kept layers, those past layer_count included. */
static bool keep_layers(mpl_llama_short *s, const mpl_llama_setup *setup)
{
    const mpl_llama_hparams *const h = setup->hparams;
    const uint32_t gone = h->layer_count - s->kept;
    const uint32_t count = h->layer_count_all - gone;
    mpl_llama_layer *const layers =
        mpl_arena_alloc(setup->arena, count, sizeof *layers);
    uint32_t *const devices =
        mpl_arena_alloc(setup->arena, (uint64_t)count + 1, sizeof *devices);
    if (layers == NULL || devices == NULL)
        return false;
    for (uint32_t i = s->kept; i <= count; i++)
        s->source[i] = i + gone;
    for (uint32_t i = 0; i < count; i++) {
        layers[i] = h->layers[s->source[i]];
        if (layers[i].kv_owner >= 0)
            layers[i].kv_owner = (int32_t)i;
        devices[i] = setup->layer_device[s->source[i]];
    }
    devices[count] = setup->layer_device[h->layer_count_all];
    s->hparams = *h;
    s->hparams.layers = layers;
    s->hparams.layer_count = s->kept;
    s->hparams.layer_count_all = count;
    s->setup = *setup;
    s->setup.hparams = &s->hparams;
    s->setup.layer_device = devices;
    s->setup.layer_source = s->source;
    s->setup.gpu_layers =
        setup->gpu_layers > h->layer_count_all ? count + 1 : 0;
    return keep_caches(s);
}

const mpl_llama_short *mpl_shorten(const mpl_llama_setup *setup,
                                   mpl_short_care care)
{
    const mpl_llama_hparams *const h = setup->hparams;
    uint8_t kinds[MPL_LLAMA_MAX_LAYERS];
    if (h->layer_count > MPL_LLAMA_MAX_LAYERS || !is_allowed(setup))
        return NULL;
    mpl_llama_short *const out = mpl_arena_alloc(setup->arena, 1, sizeof *out);
    if (out == NULL || !sort_layers(kinds, setup))
        return NULL;
    out->source = mpl_arena_alloc(
        setup->arena, (uint64_t)h->layer_count_all + 1, sizeof *out->source);
    if (out->source == NULL)
        return NULL;
    out->care = care;
    choose(out, kinds, h->layer_count);
    return out->run_count > 0 && keep_layers(out, setup) ? out : NULL;
}

const mpl_llama_short *mpl_shorten_less(const mpl_llama_short *s,
                                        const mpl_llama_setup *setup)
{
    return s->care == MPL_SHORT_TIGHT ? mpl_shorten(setup, MPL_SHORT_WIDE)
                                      : NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * What a packing costs: by the table of its layers' sizes, and by a price. A
 * price also says what each device takes beside the table's bytes, compute
 * most of all, and the next packing reckons with it.
 */
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "engine/llamacpp/fit.h"

bool mpl_fit_is_shared_out(const mpl_llama_fitting *fit)
{
    return !fit->asked.has_split && fit->active_count > 1;
}

/* ---- Parameters of a packing ------------------------------------------- */

static mpl_llama_override of_parts(uint32_t layer, uint32_t parts,
                                   const char *buffer)
{
    return (mpl_llama_override){.kind = MPL_OVERRIDE_LAYER_PARTS,
                                .layer_count = layer,
                                .parts = parts,
                                .pattern = "",
                                .buffer = buffer};
}

/* Overrides for each layer: the first match wins. */
static void apply_masks(mpl_llama_fitting *fit, mpl_llama_override *room)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i + 1 < fit->places && fit->has_masks; i++) {
        const uint32_t device = fit->spill_devices[i];
        if (fit->spills[i] != 0)
            room[count++] =
                of_parts(i, fit->spills[i], fit->devices->items[device].name);
        if (fit->masks[i] != 0)
            room[count++] = of_parts(i, fit->masks[i], "CPU");
    }
    if (fit->has_no_copies && count == 0)
        room[count++] = (mpl_llama_override){
            .kind = MPL_OVERRIDE_PATTERN, .pattern = "^$", .buffer = "CPU"};
    fit->now.overrides = room;
    fit->now.override_count = count;
}

static memplan_status apply_devices(mpl_llama_fitting *fit,
                                    memplan_error *error)
{
    if (fit->active_count == fit->offered_count)
        return MEMPLAN_OK;
    if (fit->active_count == 1) {
        fit->now.split = MPL_SPLIT_NONE;
        fit->now.main_gpu = fit->active[0];
        return MEMPLAN_OK;
    }
    fit->now.device_names = mpl_fit_device_names(fit);
    return fit->now.device_names != NULL ? MEMPLAN_OK : mpl_fail_memory(error);
}

static memplan_status price_stored(mpl_llama_fitting *fit,
                                   mpl_llama_price *price, memplan_error *error)
{
    mpl_llama_override *room =
        mpl_arena_alloc(fit->scratch, 2 * (uint64_t)fit->places, sizeof *room);
    if (room == NULL)
        return mpl_fail_memory(error);
    if (!fit->asked.has_ngl)
        fit->now.ngl = (int32_t)(fit->places - fit->first);
    if (mpl_fit_is_shared_out(fit)) {
        fit->now.split_count = fit->active_count;
        for (uint32_t i = 0; i < fit->active_count; i++)
            fit->now.splits[i] = (float)fit->counts[i];
    }
    if (fit->has_masks || fit->has_no_copies)
        apply_masks(fit, room);
    memplan_status status = apply_devices(fit, error);
    if (status == MEMPLAN_OK)
        status = mpl_llama_price_stored(price, fit->scratch, fit->job,
                                        &fit->now, error);
    fit->now.overrides = fit->asked.overrides;
    fit->now.override_count = fit->asked.override_count;
    fit->now.device_names = fit->asked.device_names;
    fit->now.split = fit->asked.split;
    fit->now.main_gpu = fit->asked.main_gpu;
    if (!fit->asked.has_split)
        fit->now.split_count = 0;
    return status;
}

/* ---- Sums -------------------------------------------------------------- */

static bool add_buffer(mpl_llama_fitting *fit, const mpl_llama_price *price,
                       uint32_t buffer)
{
    const uint32_t device = price->setup.buffers[buffer].device;
    const uint64_t parts[] = {
        price->weights.bytes[buffer], price->weights.touched[buffer],
        price->context.cache[buffer], price->context.state[buffer]};
    uint64_t sum = 0;
    for (uint32_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!mpl_add(&sum, sum, parts[i]))
            return false;
    if (device == MPL_LLAMA_HOST)
        return mpl_add(&fit->host_used, fit->host_used, sum) &&
               mpl_add(&fit->host_used, fit->host_used,
                       price->compute.bytes[buffer]);
    return mpl_add(&fit->stored[device], fit->stored[device], sum) &&
           mpl_add(&fit->used[device], fit->stored[device],
                   price->compute.bytes[buffer]);
}

uint64_t mpl_fit_place_bytes(const mpl_llama_fitting *fit, uint32_t device,
                             uint32_t place, uint32_t mask)
{
    const mpl_fit_size *size = &fit->sizes[device][place];
    uint64_t bytes = size->dense_bytes;
    for (uint32_t p = 0; p < MPL_FIT_PARTS; p++)
        if ((mask >> p & 1) == 0)
            bytes += size->part_bytes[p];
    return bytes;
}

/* By the table, for the layers that the price put there. */
static void set_beside(mpl_llama_fitting *fit, const mpl_llama_setup *setup)
{
    uint64_t sums[MPL_LLAMA_MAX_DEVICES] = {0};
    memset(fit->counts, 0, sizeof fit->counts);
    for (uint32_t i = 0; i < fit->places; i++) {
        const uint32_t at = setup->layer_device[i];
        const uint32_t mask =
            fit->has_masks && i + 1 < fit->places ? fit->masks[i] : 0;
        fit->counts[at < fit->active_count ? at : 0] += at != MPL_LLAMA_HOST;
        if (at < fit->active_count)
            sums[at] += mpl_fit_place_bytes(fit, fit->active[at], i, mask);
    }
    for (uint32_t i = 0; i < fit->active_count; i++)
        fit->beside[fit->active[i]] = mpl_sub_floor(fit->used[i], sums[i]);
}

/* Bytes beside the model's own, on the device of a pool that it uses or on the
 * host. */
static bool add_beside(mpl_llama_fitting *fit, const mpl_llama_price *price,
                       uint32_t pool, uint64_t bytes)
{
    if (pool == fit->job->host_pool)
        return mpl_add(&fit->host_used, fit->host_used, bytes);
    for (uint32_t i = 0; i < price->setup.device_count; i++)
        if (price->setup.devices[i].pool == pool)
            return mpl_add(&fit->used[i], fit->used[i], bytes);
    return true;
}

/* A drafting model's buffers, and a projector's weights. */
static bool add_others(mpl_llama_fitting *fit, const mpl_llama_price *price)
{
    const mpl_llama_price *draft = price->draft;
    bool is_summed = add_beside(fit, price, mpl_llama_projector_pool(price),
                                fit->job->projector_bytes);
    for (uint32_t i = 0; draft != NULL && i < draft->setup.buffer_count; i++) {
        const uint32_t device = draft->setup.buffers[i].device;
        const uint32_t pool = device == MPL_LLAMA_HOST
                                  ? fit->job->host_pool
                                  : draft->setup.devices[device].pool;
        const uint64_t parts[] = {
            draft->weights.bytes[i], draft->weights.touched[i],
            draft->context.cache[i], draft->context.state[i],
            draft->compute.bytes[i]};
        for (uint32_t k = 0; k < sizeof parts / sizeof *parts; k++)
            is_summed = is_summed && add_beside(fit, price, pool, parts[k]);
    }
    return is_summed;
}

static memplan_status sum_up(mpl_llama_fitting *fit,
                             const mpl_llama_price *price)
{
    bool is_summed = true;
    memset(fit->used, 0, sizeof fit->used);
    memset(fit->stored, 0, sizeof fit->stored);
    fit->host_used = 0;
    for (uint32_t i = 0; i < price->setup.buffer_count; i++)
        is_summed = is_summed && add_buffer(fit, price, i);
    is_summed = is_summed && add_others(fit, price);
    fit->fits = is_summed;
    for (uint32_t i = 0; i < fit->active_count; i++)
        fit->fits = fit->fits && fit->used[i] <= fit->room[fit->active[i]];
    if (is_summed)
        set_beside(fit, &price->setup);
    return MEMPLAN_OK;
}

/* What the server's caches are not in: they give way. */
static memplan_status add_host_rows(mpl_llama_fitting *fit,
                                    mpl_llama_price *price,
                                    memplan_error *error)
{
    mpl_ledger ledger = {.arena = fit->scratch};
    uint64_t bytes = 0;
    price->params.cache_ram_mib = 0;
    const memplan_status status =
        mpl_llama_host_rows_add(&ledger, fit->job, price, error);
    if (status == MEMPLAN_OK &&
        mpl_ledger_used(&ledger, fit->job->host_pool, &bytes) &&
        mpl_add(&fit->host_used, fit->host_used, bytes))
        return MEMPLAN_OK;
    fit->host_used = UINT64_MAX;
    return status;
}

memplan_status mpl_fit_price(mpl_llama_fitting *fit, memplan_error *error)
{
    mpl_llama_price *price = mpl_arena_alloc(fit->scratch, 1, sizeof *price);
    if (price == NULL)
        return mpl_fail_memory(error);
    memplan_status status = price_stored(fit, price, error);
    if (status == MEMPLAN_OK)
        status = mpl_llama_price_compute(price, error);
    if (status == MEMPLAN_OK)
        status = sum_up(fit, price);
    if (status == MEMPLAN_OK)
        status = add_host_rows(fit, price, error);
    if (status == MEMPLAN_E_UNSUPPORTED) {
        memset(fit->used, 0xff, sizeof fit->used);
        fit->fits = false;
        status = MEMPLAN_OK;
    }
    mpl_arena_empty(fit->scratch);
    return status;
}

/* ---- The table --------------------------------------------------------- */

static bool add_weights(mpl_fit_size *sizes, const mpl_llama_fitting *fit,
                        const mpl_llama_setup *setup,
                        const mpl_llama_buffer_type *type)
{
    const uint32_t layers = fit->places - 1;
    for (uint32_t i = 0; i < setup->weight_count; i++) {
        const mpl_llama_weight *weight = &setup->weights[i];
        const uint32_t buffer = setup->weight_buffer[i];
        uint64_t bytes = 0;
        if (buffer == MPL_LLAMA_BUFFER_NONE ||
            buffer < MPL_LLAMA_BUFFER_DEVICE || weight->is_shared)
            continue;
        if (!mpl_llama_alloc_bytes(&bytes, type, weight->dtype, weight->ne))
            return false;
        mpl_fit_size *size =
            &sizes[weight->class_ == MPL_LLAMA_CLASS_OUTPUT ? layers
                   : weight->layer < layers                 ? weight->layer
                                                            : 0];
        uint64_t *sum = &size->dense_bytes;
        for (uint32_t p = 0; p < MPL_FIT_PARTS; p++)
            if ((weight->expert_part >> p & 1) != 0)
                sum = &size->part_bytes[p];
        if (!mpl_add(sum, *sum, bytes))
            return false;
    }
    return true;
}

static bool add_tensor(mpl_fit_size *size, const mpl_llama_cache *cache,
                       const mpl_llama_cache_tensor *tensor,
                       const mpl_llama_buffer_type *type)
{
    const uint64_t ne[4] = {tensor->width, cache->cells, cache->streams, 1};
    uint64_t bytes = 0;
    return tensor->width == 0 || tensor->buffer < MPL_LLAMA_BUFFER_DEVICE ||
           (mpl_llama_alloc_bytes(&bytes, type, tensor->dtype, ne) &&
            mpl_add(&size->dense_bytes, size->dense_bytes, bytes));
}

static bool add_caches(mpl_fit_size *sizes, const mpl_llama_fitting *fit,
                       const mpl_llama_setup *setup,
                       const mpl_llama_buffer_type *type)
{
    for (uint32_t k = 0; k < MPL_LLAMA_CACHE_KIND_COUNT; k++)
        for (uint32_t i = 0; setup->caches[k] != NULL && i + 1 < fit->places;
             i++)
            if (!add_tensor(&sizes[i], setup->caches[k],
                            &setup->caches[k]->k[i], type) ||
                !add_tensor(&sizes[i], setup->caches[k],
                            &setup->caches[k]->v[i], type))
                return false;
    return true;
}

/* What a token reads, by how much of its bytes. */
static void add_reads(mpl_llama_fitting *fit, const mpl_llama_setup *setup,
                      const mpl_llama_context_bytes *context)
{
    memset(fit->reads, 0, sizeof fit->reads);
    fit->host_active_bytes = 0;
    for (uint32_t i = 0; i < setup->weight_count; i++) {
        const mpl_llama_weight *weight = &setup->weights[i];
        const uint32_t buffer = setup->weight_buffer[i];
        if (buffer == MPL_LLAMA_BUFFER_NONE)
            continue;
        const uint64_t active = mpl_llama_active_bytes(fit->job, weight);
        if (buffer < MPL_LLAMA_BUFFER_DEVICE) {
            fit->host_active_bytes += active;
            continue;
        }
        mpl_fit_reading *read = &fit->reads[weight->use == MPL_LLAMA_USE_EXPERTS
                                                ? MPL_FIT_READ_EXPERTS
                                                : MPL_FIT_READ_DENSE];
        read->bytes += weight->bytes;
        read->active_bytes += active;
    }
    mpl_fit_reading *cache = &fit->reads[MPL_FIT_READ_CACHE];
    for (uint32_t i = 0; i < setup->buffer_count; i++) {
        const uint64_t active =
            context->cache[i] / setup->n_seq + context->state[i] / setup->n_seq;
        if (i < MPL_LLAMA_BUFFER_DEVICE) {
            fit->host_active_bytes += active;
            continue;
        }
        cache->bytes += context->cache[i] + context->state[i];
        cache->active_bytes += active;
    }
}

/* One table for all devices of a backend. */
static memplan_status make_sizes(mpl_llama_fitting *fit,
                                 const mpl_llama_setup *setup, uint32_t device,
                                 memplan_error *error)
{
    const mpl_llama_backend *backend = fit->devices->items[device].backend;
    for (uint32_t i = 0; i < device; i++)
        if (fit->devices->items[i].backend == backend) {
            fit->sizes[device] = fit->sizes[i];
            return MEMPLAN_OK;
        }
    mpl_fit_size *sizes =
        mpl_arena_alloc(fit->arena, fit->places, sizeof *sizes);
    if (sizes == NULL)
        return mpl_fail_memory(error);
    const mpl_llama_buffer_type *type =
        &setup->buffers[MPL_LLAMA_BUFFER_DEVICE + device];
    fit->sizes[device] = sizes;
    return add_weights(sizes, fit, setup, type) &&
                   add_caches(sizes, fit, setup, type)
               ? MEMPLAN_OK
               : mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                          "the model passes 64 bits");
}

memplan_status mpl_fit_measure(mpl_llama_fitting *fit, memplan_error *error)
{
    mpl_llama_params params = fit->now;
    mpl_llama_setup *setup = mpl_arena_alloc(fit->scratch, 1, sizeof *setup);
    if (setup == NULL)
        return mpl_fail_memory(error);
    params.ngl = MPL_LLAMA_NGL_ALL;
    memplan_status status =
        mpl_llama_resolve(setup, fit->scratch, &fit->job->hparams,
                          &fit->job->weights, fit->devices, &params, error);
    for (uint32_t i = 0; i < fit->devices->count && status == MEMPLAN_OK; i++)
        status = make_sizes(fit, setup, i, error);
    mpl_llama_context_bytes context;
    if (status == MEMPLAN_OK)
        status = mpl_llama_context_sum(&context, setup, error);
    if (status == MEMPLAN_OK)
        add_reads(fit, setup, &context);
    mpl_arena_empty(fit->scratch);
    return status;
}

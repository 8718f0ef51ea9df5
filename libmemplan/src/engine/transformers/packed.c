/* SPDX-License-Identifier: MIT */
/*
 * What becomes of weights that the checkpoint has packed. Each quantizer asks
 * torch once, for the first device it sees, whatever the map says:
 *
 *     a device of enough compute capability    as model/quantizers.def says
 *     a device of less                         "below"
 *     none, or one that CUDA does not know     "host"
 *     one of which nobody knows                what takes more memory
 */
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/failure.h"
#include "base/text.h"
#include "engine/transformers/job.h"

/* The first device that torch would see; NULL: none. */
static const mpl_device *first_device(const mpl_job *job)
{
    for (uint32_t at = 0; at < job->machine->pool_count; at++)
        if (job->machine->pools[at].kind == MPL_POOL_DEVICE)
            return &job->machine->devices[job->machine->pools[at].device];
    return NULL;
}

bool mpl_transformers_lacks_tiles(const mpl_job *job)
{
    enum { AMPERE = 80 };
    const mpl_device *const device = first_device(job);
    if (device == NULL)
        return false;
    return (device->compute_capability != 0 &&
            device->compute_capability < AMPERE) ||
           strcmp(device->vendor, "apple") == 0 ||
           strcmp(device->vendor, "intel") == 0;
}

static void choose(mpl_job *job, const mpl_quantizer *by)
{
    const mpl_device *const device = first_device(job);
    mpl_packed *const out = &job->packed;
    out->capability = device != NULL ? device->compute_capability : 0;
    if (device == NULL || strcmp(device->vendor, "apple") == 0)
        out->loading = by->host;
    else if (by->least_capability == 0 ||
             out->capability >= by->least_capability ||
             strcmp(device->vendor, "intel") == 0)
        out->loading = by->device;
    else if (out->capability != 0)
        out->loading = by->below;
    else {
        out->is_guess = true;
        out->loading =
            by->below != MPL_LOADING_REFUSED ? by->below : by->device;
    }
    out->is_on_host = device == NULL;
}

/* All weights as the checkpoint has them, and unpacked. */
static bool sum(mpl_packed *out, const mpl_job *job)
{
    for (uint32_t row = 0; row < job->row_count; row++) {
        const mpl_unit *const unit = mpl_transformers_unit(job, row);
        const uint64_t count = job->rows[row].unit_count;
        for (uint32_t at = 0; at < unit->tensor_count; at++) {
            const mpl_tensor *const tensor =
                &job->model->tensors[unit->first_tensor + at];
            const bool is_packed = (tensor->flags & MPL_TENSOR_PACKED) != 0;
            if (tensor->tied_to == MPL_NO_INDEX &&
                (!mpl_mul_add(&out->packed_bytes, out->packed_bytes,
                              tensor->bytes, count) ||
                 !mpl_mul_add(&out->dense_bytes, out->dense_bytes,
                              is_packed ? tensor->dense_bytes : tensor->bytes,
                              count)))
                return false;
        }
    }
    return true;
}

/* Where a package is missing, most quantizers end with an error. */
static void find_packages(mpl_packed *out, const mpl_quantizer *by)
{
    if (strcmp(by->name, "mxfp4") != 0 || out->loading == MPL_LOADING_DENSE)
        return;
    out->packages = "triton and kernels are";
    out->packages_pip = "\"triton>=3.4\" \"kernels>=0.18.2,<0.19\"";
}

/* "8.9" */
static void add_capability(mpl_text *text, uint32_t capability)
{
    mpl_text_format(text, "%u.%u", capability / 10, capability % 10);
}

static memplan_status refuse(const mpl_job *job, const mpl_quantizer *by,
                             memplan_error *error)
{
    if (by->device == MPL_LOADING_REFUSED)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "%.80s: quantized by %s, which Transformers 5 cannot "
                        "load; take the repository that is not quantized, or "
                        "a GGUF of it with llama.cpp, or another server",
                        job->model->name, by->name);
    if (by->least_capability == 0 || job->packed.capability == 0)
        return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                        "%.80s: quantized by %s, whose kernels need a device",
                        job->model->name, by->name);
    return mpl_fail(error, MEMPLAN_E_UNSUPPORTED, MPL_NOWHERE,
                    "%.80s: quantized by %s, which needs compute capability "
                    "%u.%u, and the device has %u.%u",
                    job->model->name, by->name, by->least_capability / 10,
                    by->least_capability % 10, job->packed.capability / 10,
                    job->packed.capability % 10);
}

memplan_status mpl_transformers_packed(mpl_job *job, memplan_error *error)
{
    const mpl_quantizer *const by = job->model->quantizer;
    if (by == NULL)
        return MEMPLAN_OK;
    choose(job, by);
    if (job->packed.loading == MPL_LOADING_REFUSED)
        return refuse(job, by, error);
    find_packages(&job->packed, by);
    if (!sum(&job->packed, job))
        return mpl_fail(error, MEMPLAN_E_TOO_LARGE, MPL_NOWHERE,
                        "the weights' bytes pass 64 bits");
    return MEMPLAN_OK;
}

bool mpl_transformers_tensor_bytes(uint64_t *out, const mpl_job *job,
                                   uint32_t tensor, mpl_scheme scheme)
{
    return job->packed.loading == MPL_LOADING_DENSE
               ? mpl_dense_bytes(out, job->model, tensor, scheme)
               : mpl_quantized_bytes(out, job->model, tensor, scheme);
}

mpl_certainty mpl_transformers_packed_certainty(const mpl_job *job)
{
    if (job->packed.is_guess)
        return MPL_BOUND;
    return job->packed.loading == MPL_LOADING_REPACKED ? MPL_ESTIMATE
                                                       : MPL_EXACT;
}

const char *mpl_transformers_packed_rule(const mpl_job *job, mpl_arena *arena)
{
    const char *const name = job->model->quantizer->name;
    if (job->packed.is_guess)
        return mpl_arena_format(arena,
                                "%s, unpacked while loading unless the device "
                                "can compute with it",
                                name);
    switch (job->packed.loading) {
    case MPL_LOADING_DENSE:
        return mpl_arena_format(
            arena, "%s, unpacked into the dtype of the model", name);
    case MPL_LOADING_REPACKED:
        return mpl_arena_format(
            arena,
            "%s, as packed in the checkpoint: kernels may pad it by a few %%",
            name);
    default:
        return mpl_arena_format(arena, "%s, as packed in the checkpoint", name);
    }
}

/* Why weights take more than the file does, or may. */
static void write_note(mpl_text *text, const mpl_job *job,
                       const mpl_quantizer *by)
{
    const mpl_packed *const packed = &job->packed;
    mpl_text_format(text, "%s: ", by->name);
    if (by->device == MPL_LOADING_DENSE) {
        mpl_text_add(text, "the first forward unpacks all weights: ");
        mpl_text_bytes(text, packed->packed_bytes);
        mpl_text_add(text, " as loaded, ");
        mpl_text_bytes(text, packed->dense_bytes);
        mpl_text_add(text, " from then on");
        return;
    }
    if (packed->is_guess && packed->loading != MPL_LOADING_DENSE) {
        mpl_text_add(text, "the device's compute capability is not known, and "
                           "has to be ");
        add_capability(text, by->least_capability);
        return;
    }
    if (packed->is_guess)
        mpl_text_add(text, "the device's compute capability is not known; "
                           "counted unpacked, ");
    else if (packed->packages != NULL) {
        mpl_text_add(text, "stays packed where ");
        mpl_text_add(text, packed->packages);
        mpl_text_add(text, " installed, else it is unpacked, ");
    }
    else if (packed->is_on_host)
        mpl_text_add(text, "unpacked while loading, there is no device: ");
    else {
        mpl_text_add(text, "unpacked while loading, the device's compute "
                           "capability is ");
        add_capability(text, packed->capability);
        mpl_text_add(text, ": ");
    }
    mpl_text_bytes(text, packed->dense_bytes);
    mpl_text_add(text, "; packed, ");
    if (packed->loading == MPL_LOADING_DENSE) {
        mpl_text_add(text, "from ");
        add_capability(text, by->least_capability);
        mpl_text_add(text, " on, ");
    }
    mpl_text_bytes(text, packed->packed_bytes);
}

memplan_status mpl_transformers_packed_note(const mpl_job *job,
                                            mpl_ledger *ledger)
{
    const mpl_quantizer *const by = job->model->quantizer;
    const bool may_lack = job->packed.packages != NULL;
    mpl_text text = {0};
    if (by == NULL || (job->packed.loading != MPL_LOADING_DENSE && !may_lack &&
                       !job->packed.is_guess))
        return MEMPLAN_OK;
    write_note(&text, job, by);
    const char *const note =
        text.failed ? NULL : mpl_arena_strdup(ledger->arena, text.data);
    mpl_text_discard(&text);
    return mpl_ledger_note(ledger, note);
}
